//! Where each item is in its row: near the middle of what it is linked to, as far as the others in the row allow. For one row
//! that is a least-squares fit under an order, which pooling neighbours that want to overlap solves exactly.

use std::collections::BTreeMap;

use super::layers::{Kind, Rows};

/// Room between two items of a row; lines may run closer to each other.
const GAP: f64 = 22.0;
const LINE_GAP: f64 = 12.0;

const SWEEPS: usize = 32;
const LARGE: usize = 20_000;

/// By item, the middle of it.
pub(super) fn places(rows: &Rows) -> Vec<f64> {
    let links = weighted_links(rows);
    let mut places = vec![0.0; rows.items.len()];
    for row in &rows.order {
        fit(rows, row, &mut places, |_| (0.0, 1.0));
    }
    let count = rows.order.len();
    let sweeps = if rows.items.len() > LARGE { 6 } else { SWEEPS };
    for sweep in 0..sweeps {
        let both = sweep + 6 >= sweeps;
        for step in 0..count {
            let row = if sweep % 2 == 0 { step } else { count - 1 - step };
            let wish = |item: usize, places: &[f64]| {
                let mut sum = (0.0, 0.0);
                for (other, weight, is_above) in &links[item] {
                    if both || *is_above == (sweep % 2 == 0) {
                        sum = (sum.0 + weight * places[*other], sum.1 + weight);
                    }
                }
                if sum.1 > 0.0 { (sum.0 / sum.1, sum.1) } else { (places[item], 0.1) }
            };
            let wishes: Vec<(f64, f64)> = rows.order[row].iter().map(|item| wish(*item, &places)).collect();
            fit(rows, &rows.order[row], &mut places, |index| wishes[index]);
        }
    }
    straighten(rows, &mut places);
    close_up(rows, &mut places);
    places
}

/// Moves what is linked together as one, so that nothing stands far from the rest for no reason.
fn close_up(rows: &Rows, places: &mut [f64]) {
    let mut group: Vec<usize> = (0..rows.items.len()).collect();
    for link in &rows.links {
        let (one, other) = (first(&mut group, link.above), first(&mut group, link.below));
        group[one.max(other)] = one.min(other);
    }
    let group: Vec<usize> = (0..rows.items.len()).map(|item| first(&mut group, item)).collect();
    let left_edge = |item: usize, places: &[f64]| places[item] - rows.items[item].left;
    let edge = (0..rows.items.len()).map(|item| left_edge(item, places)).fold(f64::MAX, f64::min);
    let mut before: Vec<Option<usize>> = vec![None; rows.items.len()];
    for row in &rows.order {
        for pair in row.windows(2) {
            before[pair[1]] = Some(pair[0]);
        }
    }
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (item, first) in group.iter().enumerate() {
        members.entry(*first).or_default().push(item);
    }
    let mut members: Vec<Vec<usize>> = members.into_values().collect();
    let start = |items: &Vec<usize>| items.iter().map(|item| left_edge(*item, places)).fold(f64::MAX, f64::min);
    members.sort_by(|one, other| start(one).total_cmp(&start(other)));
    for items in members {
        let room = |item: usize| match before[item] {
            None => left_edge(item, places) - edge,
            Some(other) if group[other] == group[item] => f64::MAX,
            Some(other) => places[item] - places[other] - apart(rows, other, item),
        };
        let room = items.iter().map(|item| room(*item)).fold(f64::MAX, f64::min);
        for item in items {
            places[item] -= room.max(0.0);
        }
    }
}

/// The first item of the group that an item is in.
fn first(group: &mut [usize], item: usize) -> usize {
    let mut at = item;
    while group[at] != at {
        group[at] = group[group[at]];
        at = group[at];
    }
    at
}

/// By item: what it is linked to, how strongly, and whether that is above.
fn weighted_links(rows: &Rows) -> Vec<Vec<(usize, f64, bool)>> {
    let mut links = vec![Vec::new(); rows.items.len()];
    for link in &rows.links {
        let is_line = |item: usize| matches!(rows.items[item].kind, Kind::Line(_));
        let weight = match (is_line(link.above), is_line(link.below)) {
            (true, true) => 40.0,
            (false, false) => 2.0,
            _ => 1.0,
        };
        links[link.above].push((link.below, weight, false));
        links[link.below].push((link.above, weight, true));
    }
    links
}

/// How far apart two neighbours of a row are at least.
fn apart(rows: &Rows, left: usize, right: usize) -> f64 {
    let (left, right) = (&rows.items[left], &rows.items[right]);
    let lines = matches!((left.kind, right.kind), (Kind::Line(_), Kind::Line(_)));
    left.right + right.left + if lines { LINE_GAP } else { GAP }
}

/// Puts the items of a row as near as can be to where they wish to be; a wish has a place and a weight.
fn fit(rows: &Rows, row: &[usize], places: &mut [f64], wish: impl Fn(usize) -> (f64, f64)) {
    // Blocks of items that touch: where the first of them is, the weight of all, and how many.
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    let mut offsets = Vec::with_capacity(row.len());
    let mut offset = 0.0;
    for (index, item) in row.iter().enumerate() {
        if index > 0 {
            offset += apart(rows, row[index - 1], *item);
        }
        offsets.push(offset);
        let (place, weight) = wish(index);
        let mut block = (place - offset, weight, 1);
        while let Some(before) = blocks.last().copied().filter(|before| before.0 >= block.0) {
            blocks.pop();
            let weight = before.1 + block.1;
            block = ((before.0 * before.1 + block.0 * block.1) / weight, weight, before.2 + block.2);
        }
        blocks.push(block);
    }
    let starts = blocks.into_iter().flat_map(|(start, _, count)| std::iter::repeat_n(start, count));
    for ((item, offset), start) in row.iter().zip(offsets).zip(starts) {
        places[*item] = start + offset;
    }
}

/// Makes each shared line straight where its neighbours leave room for it.
fn straighten(rows: &Rows, places: &mut [f64]) {
    let mut index = vec![0; rows.items.len()];
    for row in &rows.order {
        for (at, item) in row.iter().enumerate() {
            index[*item] = at;
        }
    }
    let room = |item: usize, places: &[f64]| {
        let (row, at) = (&rows.order[rows.items[item].row], index[item]);
        let from = at.checked_sub(1).map(|at| places[row[at]] + apart(rows, row[at], item));
        let to = row.get(at + 1).map(|right| places[*right] - apart(rows, item, *right));
        (from.unwrap_or(f64::MIN), to.unwrap_or(f64::MAX))
    };
    // What one line leaves the next may take, in either direction.
    for pass in 0..6 {
        for turn in 0..rows.trunks.len() {
            let trunk = &rows.trunks[if pass % 2 == 0 { turn } else { rows.trunks.len() - 1 - turn }];
            let mut rest = trunk.items.as_slice();
            while !rest.is_empty() {
                let (mut from, mut to) = room(rest[0], places);
                let mut straight = 1;
                while let Some((left, right)) = rest.get(straight).map(|item| room(*item, places)) {
                    if from.max(left) > to.min(right) {
                        break;
                    }
                    (from, to, straight) = (from.max(left), to.min(right), straight + 1);
                }
                #[allow(clippy::cast_precision_loss)]
                let middle = rest[..straight].iter().map(|item| places[*item]).sum::<f64>() / straight as f64;
                for item in &rest[..straight] {
                    // Two neighbours that touch may leave no room at all, by a rounding error.
                    places[*item] = if from <= to { middle.clamp(from, to) } else { places[*item] };
                }
                rest = &rest[straight..];
            }
        }
    }
}
