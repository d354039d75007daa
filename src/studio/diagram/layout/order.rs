//! The order within each row, so that few lines cross: sweeps down and up that put each item near the middle of what it is
//! linked to, of which the best is kept.

use super::layers::Rows;

/// Sweeps without a better order after which no better one is looked for.
const PATIENCE: usize = 6;

/// Beyond this many items the rest of the time goes into fewer sweeps.
const LARGE: usize = 20_000;

pub(super) fn sort(rows: &mut Rows) {
    let neighbours = Neighbours::of(rows);
    begin(rows, &neighbours);
    let mut best = (crossings(rows, &neighbours), rows.order.clone());
    let (mut since, sweeps) = (0, if rows.items.len() > LARGE { 6 } else { 40 });
    for sweep in 0..sweeps {
        sort_rows(rows, &neighbours, sweep % 2 == 0, sweep / 2 % 2 == 1);
        let found = crossings(rows, &neighbours);
        since += 1;
        if found < best.0 {
            best = (found, rows.order.clone());
            since = 0;
        }
        if best.0 == 0 || since > PATIENCE {
            break;
        }
    }
    rows.order = best.1;
}

/// By item, what it is linked to.
struct Neighbours {
    above: Vec<Vec<usize>>,
    below: Vec<Vec<usize>>,
}

impl Neighbours {
    fn of(rows: &Rows) -> Self {
        let (mut above, mut below) = (vec![Vec::new(); rows.items.len()], vec![Vec::new(); rows.items.len()]);
        for link in &rows.links {
            above[link.below].push(link.above);
            below[link.above].push(link.below);
        }
        Self { above, below }
    }
}

/// Items in the order in which they are come upon from above, depth first: for a tree no line crosses another.
fn begin(rows: &mut Rows, neighbours: &Neighbours) {
    let mut starts: Vec<usize> = (0..rows.items.len()).filter(|item| neighbours.above[*item].is_empty()).collect();
    starts.sort_by_key(|item| rows.items[*item].row);
    let mut seen = vec![false; rows.items.len()];
    let mut stack: Vec<usize> = starts.into_iter().rev().collect();
    while let Some(item) = stack.pop() {
        if !std::mem::replace(&mut seen[item], true) {
            let row = rows.items[item].row;
            rows.order[row].push(item);
            stack.extend(neighbours.below[item].iter().rev());
        }
    }
}

fn sort_rows(rows: &mut Rows, neighbours: &Neighbours, downwards: bool, ties_turn: bool) {
    let mut position = positions(rows);
    let count = rows.order.len();
    for step in 1..count {
        let (row, linked) = if downwards { (step, &neighbours.above) } else { (count - 1 - step, &neighbours.below) };
        let middle = |item: usize| {
            let linked = &linked[item];
            if linked.is_empty() {
                return position[item];
            }
            linked.iter().map(|other| position[*other]).sum::<f64>() / as_f64(linked.len())
        };
        let mut order: Vec<(f64, usize)> = rows.order[row].iter().map(|item| (middle(*item), *item)).collect();
        if ties_turn {
            order.reverse();
        }
        order.sort_by(|one, other| one.0.total_cmp(&other.0));
        rows.order[row] = order.into_iter().map(|(_, item)| item).collect();
        spread(&rows.order[row], &mut position);
    }
}

/// By item, its place in its row from 0 to 1: rows of different lengths are compared by it.
fn positions(rows: &Rows) -> Vec<f64> {
    let mut position = vec![0.0; rows.items.len()];
    for row in &rows.order {
        spread(row, &mut position);
    }
    position
}

fn spread(row: &[usize], position: &mut [f64]) {
    for (place, item) in row.iter().enumerate() {
        position[*item] = as_f64(place) + 0.5;
    }
}

#[allow(clippy::cast_precision_loss)]
const fn as_f64(count: usize) -> f64 {
    count as f64
}

fn crossings(rows: &Rows, neighbours: &Neighbours) -> usize {
    let mut place = vec![0; rows.items.len()];
    for row in &rows.order {
        for (index, item) in row.iter().enumerate() {
            place[*item] = index;
        }
    }
    let between = |(upper, lower): (&Vec<usize>, &Vec<usize>)| {
        // A tree of counts by place in the lower row: how many links so far end to the right of another.
        let mut counts = vec![0_usize; lower.len() + 1];
        let (mut before, mut crossings) = (0, 0);
        for item in upper {
            let mut ends: Vec<usize> = neighbours.below[*item].iter().map(|below| place[*below]).collect();
            ends.sort_unstable();
            for end in &ends {
                let mut at = end + 1;
                let mut to_the_left = 0;
                while at > 0 {
                    to_the_left += counts[at];
                    at &= at - 1;
                }
                crossings += before - to_the_left;
            }
            for end in ends {
                let mut at = end + 1;
                while at < counts.len() {
                    counts[at] += 1;
                    at += at & at.wrapping_neg();
                }
                before += 1;
            }
        }
        crossings
    };
    rows.order.iter().zip(rows.order.iter().skip(1)).map(between).sum()
}
