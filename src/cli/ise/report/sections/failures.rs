//! The section of failures.

use serde_json::Value;

use super::super::gathering::Gathered;
use super::{MOST_BARS, MOST_ROWS, more_than, numbers, trend_part};
use crate::cli::ise::interfaces::MNT;
use crate::joins::failure_groups::Totals;
use crate::record::Record;
use crate::render::{Style, short_interface_name};
use crate::report_page::{Bars, Cell, Chart, Heading, Numbers, Part, Section, Table, Text};

/// Endpoints that fail.
const MOST_ENDPOINTS: usize = 50;

/// Failures over time, in groups, and the endpoints that fail most. Takes the counts out of what
/// was gathered.
pub(super) fn section(gathered: &mut Gathered, names: &[String], style: &Style) -> Section {
    let mut section = Section {
        id: "failures",
        title: "Failures",
        ..Section::default()
    };
    let Some(counts) = gathered.failures.take() else {
        section.words = vec![Text::sentence("Not known: no failures came.")];
        return section;
    };
    section.words = vec![Text::sentence(if gathered.failures_from == MNT {
        "Failed attempts of up to 1,000 endpoints that have a session, from the Monitoring node: \
         those that never got in are missing."
    } else {
        "Failed authentications as pxGrid tells them; ISE's suppression hides repeats."
    })];
    if let Some(lack) = &gathered.failures_lack {
        section
            .words
            .push(Text::sentence(&format!("Not all: {lack}.")));
    }
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
    let more = more_than(totals.groups, MOST_ROWS);
    section.words.extend(bounds("reason", totals));
    section.parts.push(failure_groups(
        ("By reason", "reason", "Reason"),
        groups,
        more,
        names,
        style,
    ));
    let (groups, totals) = counts.by_nas.finish(Some(MOST_ROWS));
    let more = more_than(totals.groups, MOST_ROWS);
    section.words.extend(bounds("switch", totals));
    section.parts.push(failure_groups(
        ("By switch or controller", "nas", "NAS"),
        groups,
        more,
        names,
        style,
    ));
    let (endpoints, totals) = counts.endpoints.finish();
    if totals.beyond > 0 {
        section.words.push(Text::sentence(&format!(
            "{} attempts are of endpoints that there was no room to tell apart.",
            totals.beyond
        )));
    }
    section.parts.push(failing(endpoints, style));
    section
}

/// Where the counts by this are not all, because there was no room for more.
fn bounds(by: &str, totals: Totals) -> Vec<Text> {
    let mut words = Vec::new();
    if totals.at_least {
        words.push(format!(
            "Endpoints by {by} are at least as many as shown: there are too many to tell all apart."
        ));
    }
    if totals.beyond > 0 {
        words.push(format!(
            "{} attempts are in no group by {by}: there are too many groups.",
            totals.beyond
        ));
    }
    words.iter().map(|text| Text::sentence(text)).collect()
}

fn failure_groups(
    (title, member, heading): (&str, &str, &'static str),
    groups: impl Iterator<Item = Record>,
    more: Option<String>,
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
            more,
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
            Cell::text(&short_interface_name(text("port"))),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_are_not_all_are_said_to_be_so() {
        assert_eq!(bounds("reason", Totals::default()), []);
        let totals = Totals {
            beyond: 7,
            at_least: true,
            ..Totals::default()
        };
        let words: Vec<String> = bounds("reason", totals)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(words[0].contains("at least") && words[1].starts_with("7 attempts"));
    }
}
