use std::time::Instant;

use proptest::prelude::*;

use super::*;

fn overlap(one: &Rectangle, other: &Rectangle) -> bool {
    one.x < other.right() && other.x < one.right() && one.y < other.bottom() && other.y < one.bottom()
}

/// Points along the way from one point of a line to the next, as it is drawn.
fn along(from: (f64, f64), to: (f64, f64)) -> Vec<(f64, f64)> {
    let straight = (from.0 - to.0).abs() < 0.05 || (from.1 - to.1).abs() < 0.05;
    let at = |step: i32| {
        let t = f64::from(step) / 24.0;
        // A curve whose handles are above and below its ends, half way.
        let eased = if straight { t } else { 3.0 * t * t - 2.0 * t * t * t };
        let up = if straight { t } else { 1.5 * t * (1.0 - t) * (1.0 - t) + 1.5 * t * t * (1.0 - t) + t * t * t };
        (from.0 + (to.0 - from.0) * eased, from.1 + (to.1 - from.1) * up)
    };
    (0..=24).map(at).collect()
}

/// All that a picture has to hold to.
fn check(graph: &Graph, layout: &Layout) {
    assert_eq!((layout.boxes.len(), layout.labels.len()), (graph.boxes.len(), graph.edges.len()));
    let solid: Vec<&Rectangle> = layout.boxes.iter().chain(&layout.labels).collect();
    for rectangle in &solid {
        assert!(rectangle.x >= 0.0 && rectangle.y >= 0.0, "{rectangle:?}");
        assert!(rectangle.right() <= layout.size.width && rectangle.bottom() <= layout.size.height, "{rectangle:?}");
    }
    for (index, one) in solid.iter().enumerate() {
        for other in &solid[index + 1..] {
            assert!(!overlap(one, other), "{one:?} {other:?}");
        }
    }
    for line in &layout.lines {
        let ends: Vec<usize> =
            line.edges.iter().flat_map(|edge| [graph.edges[*edge].from, graph.edges[*edge].to]).collect();
        for (from, to) in line.points.iter().zip(&line.points[1..]) {
            let reach = Rectangle {
                x: from.0.min(to.0),
                y: from.1.min(to.1),
                width: (from.0 - to.0).abs(),
                height: (from.1 - to.1).abs(),
            };
            let near = layout.boxes.iter().enumerate().filter(|(index, place)| {
                let touch = place.x <= reach.right()
                    && reach.x <= place.right()
                    && place.y <= reach.bottom()
                    && reach.y <= place.bottom();
                touch && !ends.contains(index)
            });
            let near: Vec<_> = near.collect();
            for (x, y) in along(*from, *to) {
                assert!(x >= 0.0 && x <= layout.size.width && y >= 0.0 && y <= layout.size.height, "{line:?}");
                for (index, place) in &near {
                    let inside = x > place.x && x < place.right() && y > place.y && y < place.bottom();
                    assert!(!inside, "{line:?} runs through box {index} at {place:?}");
                }
            }
        }
    }
    for (index, edge) in graph.edges.iter().enumerate() {
        leads_to_its_end(graph, layout, index, edge);
    }
}

/// An edge begins at its box, runs through its label, and goes on, perhaps by a shared line, to an arrow at the other box.
fn leads_to_its_end(graph: &Graph, layout: &Layout, index: usize, edge: &Edge) {
    let lines: Vec<&Line> = layout.lines.iter().filter(|line| line.edges.contains(&index)).collect();
    let at_edge_of = |place: &Rectangle, (x, y): (f64, f64)| {
        x >= place.x - 0.01 && x <= place.right() + 0.01 && y >= place.y - 0.01 && y <= place.bottom() + 0.01
    };
    let own = lines.iter().find(|line| line.edges == [index] && at_edge_of(&layout.boxes[edge.from], line.points[0]));
    let own = own.unwrap_or_else(|| panic!("edge {index} does not begin at its box"));
    assert!(edge.from == edge.to || own.points.iter().any(|(x, _)| (x - layout.labels[index].center()).abs() < 0.01));
    let arrow = lines.iter().find(|line| line.arrow).unwrap_or_else(|| panic!("edge {index} has no arrow"));
    let end = arrow.points[arrow.points.len() - 1];
    assert!(at_edge_of(&layout.boxes[edge.to], end), "edge {index} of {} does not reach its box", graph.edges.len());
    let joins = own.arrow || arrow.points.contains(&own.points[own.points.len() - 1]);
    assert!(joins, "edge {index} does not reach its line");
}

fn graph(count: usize, edges: &[(usize, usize, u8)]) -> Graph {
    let size = |index: usize| {
        let odd = [Size { width: 16.0, height: 16.0 }, Size { width: 240.0, height: 42.0 }];
        if index % 5 == 4 { odd[index % 2] } else { Size { width: 110.0, height: 42.0 } }
    };
    let edges = edges.iter().map(|(from, to, style)| Edge {
        from: from % count,
        to: to % count,
        label: Size { width: 30.0 + f64::from(*style) * 20.0, height: 16.0 + f64::from(*style % 3) * 14.0 },
        style: style % 3,
    });
    Graph { boxes: (0..count).map(size).collect(), edges: edges.collect(), root: Some(0) }
}

#[test]
fn a_thousand_widgets_are_laid_out_in_a_bounded_time() {
    // Each leads to the next, some way ahead, to one of two that many lead to, and now and then back.
    let edges: Vec<(usize, usize, u8)> = (0..1000_usize)
        .flat_map(|from| {
            let ahead = from + 1 + from * 7919 % 40;
            let far = if from % 7 == 0 { from.saturating_sub(from * 31 % 60) } else { 998 + from % 2 };
            [(from, from + 1, 0), (from, ahead, 1), (from, far, u8::from(from % 3 == 0))]
        })
        .filter(|(_, to, _)| *to < 1000)
        .collect();
    let graph = graph(1000, &edges);
    let start = Instant::now();
    let layout = graph.layout();
    let took = start.elapsed();
    assert!(took.as_secs() < 60, "{took:?}");
    assert_eq!(layout.boxes.len(), 1000);
}

#[test]
fn nothing_and_one_box_are_pictures_too() {
    let empty = Graph::default().layout();
    assert!(empty.boxes.is_empty() && empty.size.width.is_finite() && empty.size.height.is_finite());
    let alone = graph(1, &[(0, 0, 0), (0, 0, 1)]);
    check(&alone, &alone.layout());
}

#[test]
fn an_edge_that_leads_back_points_upwards() {
    let graph = graph(3, &[(0, 1, 0), (1, 2, 0), (2, 0, 0)]);
    let layout = graph.layout();
    check(&graph, &layout);
    assert!(layout.boxes[0].bottom() < layout.boxes[1].y && layout.boxes[1].bottom() < layout.boxes[2].y);
    let arrow = layout.lines.iter().find(|line| line.arrow && line.edges == [2]).unwrap();
    assert!(arrow.points[0].1 > arrow.points[arrow.points.len() - 1].1);
}

#[test]
fn a_tree_has_no_crossing() {
    let edges: Vec<(usize, usize, u8)> = (1..40).map(|to| ((to - 1) / 3, to, 0)).collect();
    let graph = graph(40, &edges);
    let layout = graph.layout();
    check(&graph, &layout);
    // In each row the boxes stand as their parents do.
    for (to, place) in layout.boxes.iter().enumerate().skip(1) {
        for (other, beside) in layout.boxes.iter().enumerate().skip(to + 1) {
            let (parent, uncle) = (layout.boxes[(to - 1) / 3], layout.boxes[(other - 1) / 3]);
            if (place.y - beside.y).abs() < 30.0 && (parent.y - uncle.y).abs() < 1.0 && (to - 1) / 3 != (other - 1) / 3
            {
                assert_eq!(place.x < beside.x, parent.x < uncle.x, "{to} {other}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn boxes_stand_apart_and_edges_run_around_them(
        count in 1..200_usize,
        edges in prop::collection::vec((any::<usize>(), any::<usize>(), any::<u8>()), 0..300),
        local in any::<bool>(),
    ) {
        // Real flows lead on to what is near; a wholly random one is the hard case.
        let edges: Vec<_> = edges.into_iter().map(|(from, to, style)| (from, if local { (from % count) + to % 6 } else { to }, style % 6)).collect();
        let graph = graph(count, &edges);
        let layout = graph.layout();
        check(&graph, &layout);
        let again = graph.layout();
        prop_assert_eq!(&layout.boxes, &again.boxes);
        prop_assert_eq!(&layout.labels, &again.labels);
    }
}
