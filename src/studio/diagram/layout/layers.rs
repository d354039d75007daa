//! Which row each box, label and line is in.

use std::collections::{BTreeMap, VecDeque};

use super::Graph;

/// Room to the right of a box for an edge that leads back to it, beside its label.
pub(super) const LOOP: f64 = 26.0;

/// Something that has a place in a row.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) row: usize,
    /// How far it reaches from its middle, which is where edges meet it.
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) height: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Box(usize),
    Label(usize),
    /// Where a shared line passes.
    Line(usize),
}

/// From an item to one in the next row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) above: usize,
    pub(super) below: usize,
}

#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) items: Vec<Item>,
    pub(super) links: Vec<Link>,
    /// Items from left to right.
    pub(super) order: Vec<Vec<usize>>,
    /// By edge, the item of its label; none for an edge from a box to itself.
    pub(super) labels: Vec<Option<usize>>,
    /// The shared lines.
    pub(super) trunks: Vec<Trunk>,
    /// By edge, the line that it takes.
    pub(super) trunk_of: Vec<Option<usize>>,
}

/// The line of all edges of one style to one box from one side.
#[derive(Debug)]
pub(super) struct Trunk {
    pub(super) to: usize,
    pub(super) upwards: bool,
    /// Items by row, from the one farthest from the box to the nearest.
    pub(super) items: Vec<usize>,
}

pub(super) fn rows(graph: &Graph) -> Rows {
    let back = backward(graph);
    let ranks = ranks(graph, &back);
    let mut rows =
        Rows { labels: vec![None; graph.edges.len()], trunk_of: vec![None; graph.edges.len()], ..Rows::default() };
    let mut beside = vec![0.0_f64; graph.boxes.len()];
    let mut tallest_loop = beside.clone();
    for edge in graph.edges.iter().filter(|edge| edge.from == edge.to) {
        beside[edge.from] += LOOP + edge.label.width;
        tallest_loop[edge.from] = tallest_loop[edge.from].max(edge.label.height);
    }
    for (index, size) in graph.boxes.iter().enumerate() {
        let half = size.width / 2.0;
        let height = size.height.max(tallest_loop[index]);
        rows.add(Item {
            kind: Kind::Box(index),
            row: 2 * ranks[index],
            left: half,
            right: half + beside[index],
            height,
        });
    }
    let mut trunks: BTreeMap<(usize, bool, u8), Vec<usize>> = BTreeMap::new();
    for (index, edge) in graph.edges.iter().enumerate().filter(|(_, edge)| edge.from != edge.to) {
        let row = if back[index] { 2 * ranks[edge.from] - 1 } else { 2 * ranks[edge.from] + 1 };
        let half = edge.label.width / 2.0;
        let label =
            rows.add(Item { kind: Kind::Label(index), row, left: half, right: half, height: edge.label.height });
        rows.labels[index] = Some(label);
        rows.link(edge.from, label, back[index]);
        trunks.entry((edge.to, back[index], edge.style)).or_default().push(index);
    }
    for ((to, upwards, _), edges) in trunks {
        rows.add_trunk(to, upwards, &edges);
    }
    let count = rows.items.iter().map(|item| item.row + 1).max().unwrap_or(0);
    rows.order = vec![Vec::new(); count];
    rows
}

impl Rows {
    fn add(&mut self, item: Item) -> usize {
        self.items.push(item);
        self.items.len() - 1
    }

    /// From an item to the one that the edge goes on to.
    fn link(&mut self, from: usize, to: usize, upwards: bool) {
        let (above, below) = if upwards { (to, from) } else { (from, to) };
        self.links.push(Link { above, below });
    }

    fn add_trunk(&mut self, to: usize, upwards: bool, edges: &[usize]) {
        let number = self.trunks.len();
        // Rows towards the box, counted so that they grow either way.
        let end = self.items[to].row;
        let distance = |row: usize| row.abs_diff(end);
        let labels: Vec<usize> = edges.iter().filter_map(|edge| self.labels[*edge]).collect();
        let farthest = labels.iter().map(|label| distance(self.items[*label].row)).max().unwrap_or(1);
        let mut items: Vec<usize> = Vec::new();
        for steps in (1..farthest).rev() {
            let row = if upwards { end + steps } else { end - steps };
            let item = self.add(Item { kind: Kind::Line(number), row, left: 0.0, right: 0.0, height: 0.0 });
            if let Some(before) = items.last() {
                self.link(*before, item, upwards);
            }
            items.push(item);
        }
        if let Some(nearest) = items.last() {
            self.link(*nearest, to, upwards);
        }
        for label in labels {
            let steps = distance(self.items[label].row);
            let next = if steps == 1 { to } else { items[farthest - steps] };
            self.link(label, next, upwards);
        }
        for edge in edges {
            self.trunk_of[*edge] = Some(number);
        }
        self.trunks.push(Trunk { to, upwards, items });
    }
}

/// By edge, whether it leads back to a box on the way to its source.
fn backward(graph: &Graph) -> Vec<bool> {
    let mut outgoing = vec![Vec::new(); graph.boxes.len()];
    for (index, edge) in graph.edges.iter().enumerate() {
        outgoing[edge.from].push(index);
    }
    let mut back = vec![false; graph.edges.len()];
    let (mut seen, mut open) = (vec![false; graph.boxes.len()], vec![false; graph.boxes.len()]);
    let mut entered = vec![false; graph.boxes.len()];
    graph.edges.iter().for_each(|edge| entered[edge.to] |= edge.from != edge.to);
    let sources = (0..graph.boxes.len()).filter(|index| !entered[*index]);
    for start in graph.root.into_iter().chain(sources).chain(0..graph.boxes.len()) {
        let mut stack = vec![(start, 0)];
        while let Some((at, step)) = stack.pop() {
            if step == 0 {
                if seen[at] {
                    continue;
                }
                (seen[at], open[at]) = (true, true);
            }
            let Some(edge) = outgoing[at].get(step) else {
                open[at] = false;
                continue;
            };
            stack.push((at, step + 1));
            let to = graph.edges[*edge].to;
            if open[to] {
                back[*edge] = true;
            } else if !seen[to] {
                stack.push((to, 0));
            }
        }
    }
    back
}

/// By box, the length of the longest way to it. What no way leads to from the root stands just above what it leads to.
fn ranks(graph: &Graph, back: &[bool]) -> Vec<usize> {
    let forward = |(index, edge): (usize, &super::Edge)| {
        if edge.from == edge.to {
            None
        } else if back[index] {
            Some((edge.to, edge.from))
        } else {
            Some((edge.from, edge.to))
        }
    };
    let pairs: Vec<(usize, usize)> = graph.edges.iter().enumerate().filter_map(forward).collect();
    let (mut below, mut waiting) = (vec![Vec::new(); graph.boxes.len()], vec![0_usize; graph.boxes.len()]);
    for (above, to) in &pairs {
        below[*above].push(*to);
        waiting[*to] += 1;
    }
    let starts: Vec<usize> = (0..graph.boxes.len()).filter(|index| waiting[*index] == 0).collect();
    let mut ready: VecDeque<usize> = starts.into_iter().collect();
    let mut ranks = vec![0; graph.boxes.len()];
    let mut order = Vec::with_capacity(graph.boxes.len());
    while let Some(at) = ready.pop_front() {
        order.push(at);
        for &to in &below[at] {
            ranks[to] = ranks[to].max(ranks[at] + 1);
            waiting[to] -= 1;
            if waiting[to] == 0 {
                ready.push_back(to);
            }
        }
    }
    let mut anchored = vec![false; graph.boxes.len()];
    let mut open: Vec<usize> = graph.root.into_iter().collect();
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut anchored[at], true) {
            open.extend(&below[at]);
        }
    }
    // An end follows its box; it does not hold it.
    let mut above_of: Vec<Vec<usize>> = vec![Vec::new(); graph.boxes.len()];
    for (above, to) in &pairs {
        above_of[*to].push(*above);
    }
    let follows = |at: usize| below[at].is_empty() && above_of[at].iter().all(|above| *above == above_of[at][0]);
    for &at in order.iter().rev().filter(|at| !anchored[**at]) {
        if let Some(nearest) = below[at].iter().filter(|to| !follows(**to)).map(|to| ranks[*to]).min() {
            ranks[at] = ranks[at].max(nearest - 1);
        }
    }
    for at in (0..graph.boxes.len()).filter(|at| !above_of[*at].is_empty() && follows(*at)) {
        ranks[at] = ranks[above_of[at][0]] + 1;
    }
    ranks
}
