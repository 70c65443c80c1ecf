//! The section of nodes.

use serde_json::Value;

use super::{more_than, numbers};
use crate::joins::nodes::NodeState;
use crate::render::Style;
use crate::report_page::{Cell, Heading, Mark, Numbers, Part, Section, Table, Text};

/// Nodes that are shown; the largest documented deployment has 54.
const MOST_NODES: usize = 100;

/// Load and latency of each node.
pub(super) fn section(states: &[NodeState], names: &[String], style: &Style) -> Section {
    let mut section = Section {
        id: "nodes",
        title: "Nodes",
        ..Section::default()
    };
    if states.is_empty() {
        section.words = vec![Text::sentence("Not known: no node was named.")];
        return section;
    }
    section.words = vec![Text::sentence(
        "Worst first. CPU and memory in percent, latency in milliseconds, authentications of the \
         newest sample; ▲ from 80 % or 200 ms on, ▲▲ from 90 % or 500 ms.",
    )];
    let mut trends = Numbers {
        heads: names.to_vec(),
        ..Numbers::default()
    };
    let rows = states.iter().take(MOST_NODES).map(|state| {
        let value = state.record.to_value();
        let sent = |name: &str| match value.get(name) {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => String::new(),
            Some(other) => other.to_string(),
        };
        let number = |name: &str| Cell::number(&sent(name));
        let marked = |name: &str, high: f64, critical: f64| {
            let text = sent(name);
            let mark = text.parse::<f64>().ok().and_then(|number| match number {
                number if number >= critical => Some(Mark::Critical),
                number if number >= high => Some(Mark::High),
                _ => None,
            });
            Cell::number(&text).marked(mark)
        };
        let mut trend = |name: &str| {
            let trend = value.get("trend").and_then(|trend| trend.get(name));
            let trend = numbers(trend);
            trends.add(&format!("{} {name}", state.name), &trend);
            Cell::trend(&trend)
        };
        let newest = value
            .get("newest")
            .and_then(Value::as_str)
            .unwrap_or("never");
        let is_old = state.stale.is_some() || newest == "never";
        vec![
            Cell::text(&state.name),
            value
                .get("sessions")
                .and_then(Value::as_u64)
                .map_or_else(Cell::default, Cell::count),
            marked("cpu", 80.0, 90.0),
            trend("cpu"),
            marked("memory", 80.0, 90.0),
            number("load"),
            number("authentications"),
            marked("latency", 200.0, 500.0),
            trend("latency"),
            Cell::time(newest, &style.zone).marked(is_old.then_some(Mark::High)),
        ]
    });
    section.parts = vec![Part {
        table: Some(Table {
            caption: "Nodes",
            columns: vec![
                Heading::text("Node"),
                Heading::number("Sessions"),
                Heading::number("CPU"),
                Heading::text("CPU trend"),
                Heading::number("Memory"),
                Heading::number("Load"),
                Heading::number("Auths"),
                Heading::number("Latency"),
                Heading::text("Latency trend"),
                Heading::text("Measured"),
            ],
            rows: rows.collect(),
            more: more_than(states.len(), MOST_NODES),
            low: false,
        }),
        numbers: Some(trends),
        ..Part::default()
    }];
    section
}
