//! The page's sections, from what was counted: which groups are shown, how many of them, and in
//! which words.

mod failures;
mod nodes;
mod sessions;
mod trustsec;

use std::io::Write;

use serde_json::Value;

use super::gathering::Gathered;
use super::parts;
use crate::cli::ise::interfaces::Failed;
use crate::error::Result;
use crate::joins::session_groups::Facet;
use crate::render::Style;
use crate::report_page::{Cell, Chart, Columns, Fact, Head, Heading, Page, Part, Table, Text};

/// Groups that a table shows, and a chart.
const MOST_ROWS: usize = 50;
const MOST_BARS: usize = 12;
/// Writes the page; how many bytes it has.
pub(super) fn write(
    gathered: &mut Gathered,
    failed: &Failed,
    style: &Style,
    out: &mut dyn Write,
) -> Result<u64> {
    let contents = [
        ("sessions", "Sessions"),
        ("failures", "Failures"),
        ("nodes", "Nodes"),
        ("trustsec", "TrustSec"),
    ];
    let names = parts(&gathered.window, &style.zone);
    let mut page = Page::begin(out, &head(gathered, failed, style), &contents)?;
    page.section(&sessions::section(gathered, &names, style))?;
    page.section(&failures::section(gathered, &names, style))?;
    page.section(&nodes::section(&gathered.nodes, &names, style))?;
    page.section(&trustsec::section(gathered))?;
    page.end().map(|(_, bytes)| bytes)
}

fn head(gathered: &Gathered, failed: &Failed, style: &Style) -> Head {
    let local = |at: jiff::Timestamp| at.to_zoned(style.zone.clone());
    let (since, until) = (local(gathered.window.since), local(gathered.window.until));
    let hosts = gathered.hosts.iter();
    let deployment = hosts.clone().find_map(|(_, host)| host.as_deref());
    let source = |(name, host): &(&str, Option<String>)| {
        let error = failed.errors().find(|(source, _)| source == name);
        let words = match (host, error) {
            (None, _) => "not set up, so not asked".to_owned(),
            (Some(host), None) => format!("{host}, asked"),
            (Some(host), Some((_, error))) => format!("{host}: {}", error.message()),
        };
        (Text::new(name), Text::sentence(&words))
    };
    Head {
        deployment: Text::new(deployment.unwrap_or("ISE")),
        when: format!(
            "{} to {}",
            since.strftime("%Y-%m-%d %H:%M"),
            until.strftime("%Y-%m-%d %H:%M %Z")
        ),
        program: concat!("netapi ", env!("CARGO_PKG_VERSION")).to_owned(),
        facts: facts(gathered),
        sources: hosts.map(source).collect(),
        lacking: failed
            .errors()
            .map(|(name, error)| Text::sentence(&format!("{name}: {}", error.message())))
            .collect(),
    }
}

fn facts(gathered: &Gathered) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut put = |number: u64, words: &str| {
        facts.push(Fact::new(number, words));
    };
    if let Some(sessions) = gathered.sessions() {
        put(sessions.total(), "active sessions");
        let (devices, _) = sessions.different(Facet::Nas);
        put(devices as u64, "switches and controllers");
    }
    if let Some(failures) = &gathered.failures {
        put(failures.attempts, "failed attempts");
    }
    if !gathered.nodes.is_empty() {
        put(gathered.nodes.len() as u64, "nodes");
    }
    facts
}

/// A trend as columns, and in a table.
fn trend_part(
    title: &str,
    words: &str,
    trend: &Value,
    names: &[String],
    class: &'static str,
) -> Part {
    let counts = trend.as_array().into_iter().flatten();
    let counts = counts.map(|count| count.as_u64().unwrap_or(0));
    let parts: Vec<(String, u64)> = names.iter().cloned().zip(counts).collect();
    let newest_first = parts.iter().rev();
    let rows = newest_first
        .map(|(name, count)| vec![Cell::text(name), Cell::count(*count)])
        .collect();
    Part {
        title: title.to_owned(),
        chart: Some(Chart::Columns(Columns::new(words, &parts, class))),
        table: Some(Table {
            caption: "Trend",
            columns: vec![Heading::text("From"), Heading::number("Count")],
            rows,
            more: None,
            low: true,
        }),
        ..Part::default()
    }
}

/// How many are not in a table that shows `most`.
fn more_than(count: usize, most: usize) -> Option<String> {
    let more = count.saturating_sub(most);
    (more > 0).then(|| format!("and {more} more"))
}

/// The numbers of a trend; `None` for what is none.
fn numbers(trend: Option<&Value>) -> Vec<Option<f64>> {
    let parts = trend.and_then(Value::as_array).into_iter().flatten();
    parts.map(Value::as_f64).collect()
}

#[cfg(test)]
mod tests {
    use super::more_than;

    #[test]
    fn what_is_left_out_is_counted() {
        assert_eq!(more_than(100, 100), None);
        assert_eq!(more_than(103, 100).as_deref(), Some("and 3 more"));
    }
}
