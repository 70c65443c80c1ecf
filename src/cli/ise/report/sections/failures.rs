//! The section of failures.

use serde_json::Value;

use super::super::gathering::FailureCounts;
use super::{MOST_BARS, MOST_ROWS, numbers, trend_part};
use crate::cli::ise::interfaces::MNT;
use crate::record::Record;
use crate::render::Style;
use crate::report_page::{Bars, Cell, Chart, Heading, Numbers, Part, Section, Table, Text};

/// Endpoints that fail.
const MOST_ENDPOINTS: usize = 50;

/// Failures over time, in groups, and the endpoints that fail most.
pub(super) fn section(
    counts: Option<FailureCounts>,
    from: &'static str,
    names: &[String],
    style: &Style,
) -> Section {
    let mut section = Section {
        id: "failures",
        title: "Failures",
        ..Section::default()
    };
    let Some(counts) = counts else {
        section.words = vec![Text::sentence("Not known: no failures came.")];
        return section;
    };
    section.words = vec![Text::sentence(if from == MNT {
        "Failed attempts of up to 1,000 endpoints that have a session, from the Monitoring node: \
         those that never got in are missing."
    } else {
        "Failed authentications as pxGrid tells them; ISE's suppression hides repeats."
    })];
    if counts.attempts == 0 {
        section.words.push(Text::sentence("None in that time."));
        return section;
    }
    section.parts.push(trend_part(
        "Over time",
        "Failed attempts over time",
        &counts.trend(),
        names,
        "bad",
    ));
    let (groups, totals) = counts.by_reason.finish(Some(MOST_ROWS));
    let more = totals.groups.saturating_sub(MOST_ROWS);
    section.parts.push(failure_groups(
        ("By reason", "reason", "Reason"),
        groups,
        more,
        names,
        style,
    ));
    let (groups, totals) = counts.by_nas.finish(Some(MOST_ROWS));
    let more = totals.groups.saturating_sub(MOST_ROWS);
    section.parts.push(failure_groups(
        ("By switch or controller", "nas", "NAS"),
        groups,
        more,
        names,
        style,
    ));
    let (endpoints, _) = counts.endpoints.finish();
    section.parts.push(failing(endpoints, style));
    section
}

fn failure_groups(
    (title, member, heading): (&str, &str, &'static str),
    groups: impl Iterator<Item = Record>,
    more: usize,
    names: &[String],
    style: &Style,
) -> Part {
    let mut bars: Vec<(String, u64)> = Vec::new();
    let mut rows = Vec::new();
    let mut trends = Numbers {
        heads: names.to_vec(),
        ..Numbers::default()
    };
    for group in groups {
        let value = group.to_value();
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| value.get(name).and_then(Value::as_u64).unwrap_or(0);
        let name = Some(text(member)).filter(|name| !name.is_empty());
        let name = name.unwrap_or("(none)");
        if bars.len() < MOST_BARS {
            bars.push((name.to_owned(), number("endpoints")));
        }
        let mostly = value.get("mostly");
        let place = |key| {
            mostly
                .and_then(|place| place.get(key))
                .and_then(Value::as_str)
        };
        let trend = numbers(value.get("trend"));
        trends.add(name, &trend);
        rows.push(vec![
            Cell::text(name),
            Cell::count(number("endpoints")),
            Cell::count(number("attempts")),
            Cell::trend(&trend),
            Cell::time(text("newest"), &style.zone),
            Cell::text(place("nas").or(place("reason")).unwrap_or_default()),
        ]);
    }
    let bars: Vec<(&str, u64)> = bars
        .iter()
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    Part {
        title: format!("{title}, in endpoints"),
        chart: Some(Chart::Bars(Bars::new(title, &bars, "bad"))),
        table: Some(Table {
            caption: heading,
            columns: vec![
                Heading::text(heading),
                Heading::number("Endpoints"),
                Heading::number("Attempts"),
                Heading::text("Trend"),
                Heading::text("Newest"),
                Heading::text("Mostly"),
            ],
            rows,
            more: (more > 0).then(|| format!("and {more} more")),
            low: false,
        }),
        numbers: Some(trends),
        ..Part::default()
    }
}

fn failing(endpoints: impl Iterator<Item = Record>, style: &Style) -> Part {
    let mut rows = Vec::new();
    for endpoint in endpoints.take(MOST_ENDPOINTS) {
        let value = endpoint.to_value();
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let attempts = value.get("attempts").and_then(Value::as_u64).unwrap_or(0);
        rows.push(vec![
            Cell::text(text("endpoint")),
            Cell::text(text("user")),
            Cell::text(text("reason")),
            Cell::text(text("nas")),
            Cell::text(text("port")),
            Cell::count(attempts),
            Cell::time(text("newest"), &style.zone),
        ]);
    }
    Part {
        title: "Endpoints that fail most".to_owned(),
        table: Some(Table {
            caption: "Endpoints",
            columns: vec![
                Heading::text("Endpoint"),
                Heading::text("User"),
                Heading::text("Reason"),
                Heading::text("NAS"),
                Heading::text("Port"),
                Heading::number("Attempts"),
                Heading::text("Newest"),
            ],
            rows,
            more: None,
            low: false,
        }),
        ..Part::default()
    }
}
