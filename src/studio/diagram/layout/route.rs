//! Rows become heights, and links lines. Where several edges meet a box they meet it side by side, in the order in which they
//! come.

use std::collections::BTreeMap;

use super::{
    Graph, Layout, Line, Rectangle, Size,
    layers::{Kind, LOOP, Rows},
};

const MARGIN: f64 = 16.0;

/// Between two rows there is at least this, and more where a line has far to go to the side.
const GAP: f64 = 18.0;
const WIDEST_GAP: f64 = 76.0;

/// Between two edges at a box, at most.
const PORT: f64 = 16.0;

pub(super) fn layout(graph: &Graph, rows: &Rows, places: &[f64]) -> Layout {
    let left = rows.items.iter().zip(places).map(|(item, place)| place - item.left).fold(f64::MAX, f64::min);
    let places: Vec<f64> = places.iter().map(|place| place - left + MARGIN).collect();
    let bands = bands(rows, &places);
    let rectangle = |item: usize, size: Size| {
        let (top, bottom) = bands[rows.items[item].row];
        let y = f64::midpoint(top, bottom) - size.height / 2.0;
        Rectangle { x: places[item] - size.width / 2.0, y, width: size.width, height: size.height }
    };
    let boxes: Vec<Rectangle> = graph.boxes.iter().enumerate().map(|(index, size)| rectangle(index, *size)).collect();
    let router =
        Router { graph, rows, places: &places, bands: &bands, boxes: &boxes, ports: ports(rows, &places, &boxes) };
    let mut beside = vec![0.0; boxes.len()];
    let mut labels = Vec::with_capacity(graph.edges.len());
    let mut lines = Vec::new();
    for (index, edge) in graph.edges.iter().enumerate() {
        if let Some(label) = rows.labels[index] {
            labels.push(rectangle(label, edge.label));
            lines.push(router.to_the_line(index, label));
        } else {
            let (label, line) = router.to_itself(index, &mut beside[edge.from]);
            labels.push(label);
            lines.push(line);
        }
    }
    for (number, trunk) in rows.trunks.iter().enumerate().filter(|(_, trunk)| !trunk.items.is_empty()) {
        let edges = (0..graph.edges.len()).filter(|edge| rows.trunk_of[*edge] == Some(number)).collect();
        let mut points = Vec::new();
        for item in &trunk.items {
            router.through(*item, trunk.upwards, &mut points);
        }
        router.at_box(trunk.items[trunk.items.len() - 1], trunk.to, trunk.upwards, &mut points);
        lines.push(Line { edges, points, arrow: true });
    }
    let right = rows.items.iter().zip(&places).map(|(item, place)| place + item.right).fold(0.0, f64::max);
    let bottom = bands.last().map_or(0.0, |band| band.1);
    let size = Size { width: right + MARGIN, height: bottom + MARGIN };
    Layout { size, boxes, labels, lines }
}

/// By row, its top and its bottom.
fn bands(rows: &Rows, places: &[f64]) -> Vec<(f64, f64)> {
    let mut farthest = vec![0.0_f64; rows.order.len()];
    for link in &rows.links {
        let row = rows.items[link.above].row;
        farthest[row] = farthest[row].max((places[link.above] - places[link.below]).abs());
    }
    let mut y = MARGIN;
    let band = |(row, items): (usize, &Vec<usize>)| {
        let height = items.iter().map(|item| rows.items[*item].height).fold(0.0, f64::max);
        let band = (y, y + height);
        y += height + (GAP + farthest[row] / 12.0).min(WIDEST_GAP);
        band
    };
    rows.order.iter().enumerate().map(band).collect()
}

/// By the upper and the lower item of a link where it meets its box: by how much it is beside the middle of the box.
type Ports = BTreeMap<(usize, usize), f64>;

fn ports(rows: &Rows, places: &[f64], boxes: &[Rectangle]) -> Ports {
    let mut sides: BTreeMap<(usize, bool), Vec<(usize, usize)>> = BTreeMap::new();
    for link in &rows.links {
        for (item, other, is_top) in [(link.above, link.below, false), (link.below, link.above, true)] {
            if matches!(rows.items[item].kind, Kind::Box(_)) {
                sides.entry((item, is_top)).or_default().push((item, other));
            }
        }
    }
    let mut ports = Ports::new();
    for ((item, _), mut links) in sides {
        links.sort_by(|one, other| places[one.1].total_cmp(&places[other.1]));
        #[allow(clippy::cast_precision_loss)]
        let (count, index_of) = (links.len() as f64, |index: usize| index as f64);
        let step = PORT.min((boxes[item].width - 16.0).max(0.0) / count);
        for (index, link) in links.into_iter().enumerate() {
            ports.insert(link, (index_of(index) - (count - 1.0) / 2.0) * step);
        }
    }
    ports
}

struct Router<'a> {
    graph: &'a Graph,
    rows: &'a Rows,
    places: &'a [f64],
    bands: &'a [(f64, f64)],
    boxes: &'a [Rectangle],
    ports: Ports,
}

impl Router<'_> {
    /// From the box through the label to where the shared line begins for this edge, or to the target itself.
    fn to_the_line(&self, edge: usize, label: usize) -> Line {
        let from = self.graph.edges[edge].from;
        let trunk = self.rows.trunk_of[edge].map(|trunk| &self.rows.trunks[trunk]);
        let upwards = trunk.is_some_and(|trunk| trunk.upwards);
        let mut points = Vec::new();
        self.at_box(label, from, !upwards, &mut points);
        points.reverse();
        self.through(label, upwards, &mut points);
        let next = self.rows.items[label].row.wrapping_add_signed(if upwards { -1 } else { 1 });
        let joined = trunk.and_then(|trunk| trunk.items.iter().find(|item| self.rows.items[**item].row == next));
        if let Some(item) = joined {
            points.push((self.places[*item], self.entry(next, upwards)));
        } else if let Some(trunk) = trunk {
            self.at_box(label, trunk.to, upwards, &mut points);
        }
        Line { edges: vec![edge], points, arrow: joined.is_none() }
    }

    /// Straight through the row of an item.
    fn through(&self, item: usize, upwards: bool, points: &mut Vec<(f64, f64)>) {
        let (top, bottom) = self.bands[self.rows.items[item].row];
        let x = self.places[item];
        let (first, last) = if upwards { (bottom, top) } else { (top, bottom) };
        points.extend([(x, first), (x, last)]);
    }

    /// Where a line comes into a row.
    fn entry(&self, row: usize, upwards: bool) -> f64 {
        if upwards { self.bands[row].1 } else { self.bands[row].0 }
    }

    /// The edge of the row, and then the box, at the side that the other item is on.
    fn at_box(&self, other: usize, item: usize, at_bottom: bool, points: &mut Vec<(f64, f64)>) {
        let (top, bottom) = self.bands[self.rows.items[item].row];
        let x = self.places[item] + self.ports.get(&(item, other)).copied().unwrap_or_default();
        let rectangle = self.boxes[item];
        points.extend(if at_bottom { [(x, bottom), (x, rectangle.bottom())] } else { [(x, top), (x, rectangle.y)] });
    }

    /// Around the right side of a box back into it; the label is beside.
    fn to_itself(&self, edge: usize, beside: &mut f64) -> (Rectangle, Line) {
        let Size { width, height } = self.graph.edges[edge].label;
        let rectangle = self.boxes[self.graph.edges[edge].from];
        let (right, middle) = (rectangle.right(), rectangle.y + rectangle.height / 2.0);
        let x = right + *beside + LOOP / 2.0;
        *beside += LOOP + width;
        let (out, into) = (rectangle.y + rectangle.height * 0.75, rectangle.y + rectangle.height * 0.25);
        let label = Rectangle { x: x + 3.0, y: middle - height / 2.0, width, height };
        (label, Line { edges: vec![edge], points: vec![(right, out), (x, out), (x, into), (right, into)], arrow: true })
    }
}
