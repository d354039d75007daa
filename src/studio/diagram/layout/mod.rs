//! A layered layout: boxes stand in rows, every edge leads from row to row, and the label of an edge has a place in a row of
//! its own beneath its source. Edges turn only between two rows, where no box is, and pass a row straight through a place
//! that is kept for them; so no edge runs through a box, by construction.
//!
//! Edges of one style that lead to the same box share a line once they are past their labels. The same picture is laid out
//! the same way each time.

mod layers;
mod order;
mod place;
mod route;

/// What is to be laid out. Lengths are in pixels.
#[derive(Debug, Default)]
pub struct Graph {
    pub boxes: Vec<Size>,
    /// By importance: rows are counted from the first, and what leads back to an earlier box leads upwards.
    pub edges: Vec<Edge>,
    /// The box that all begins with.
    pub root: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    pub width: f64,
    pub height: f64,
}

/// One arrow.
#[derive(Debug, Clone)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    pub label: Size,
    /// Edges of different styles share no line.
    pub style: u8,
}

/// Where everything is.
#[derive(Debug, Default)]
pub struct Layout {
    pub size: Size,
    pub boxes: Vec<Rectangle>,
    /// By edge, the place of its label.
    pub labels: Vec<Rectangle>,
    pub lines: Vec<Line>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rectangle {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// A line through points. From one point to the next it goes straight down or up, or turns with both ends upright.
#[derive(Debug, Clone)]
pub struct Line {
    /// The edges that run along it.
    pub edges: Vec<usize>,
    pub points: Vec<(f64, f64)>,
    /// Whether it ends in an arrow at its last point.
    pub arrow: bool,
}

impl Default for Size {
    fn default() -> Self {
        Self { width: 0.0, height: 0.0 }
    }
}

impl Rectangle {
    pub fn center(&self) -> f64 {
        self.x + self.width / 2.0
    }

    pub fn bottom(&self) -> f64 {
        self.y + self.height
    }

    pub fn right(&self) -> f64 {
        self.x + self.width
    }
}

impl Graph {
    pub fn layout(&self) -> Layout {
        let mut rows = layers::rows(self);
        order::sort(&mut rows);
        let places = place::places(&rows);
        route::layout(self, &rows, &places)
    }
}

#[cfg(test)]
mod tests;
