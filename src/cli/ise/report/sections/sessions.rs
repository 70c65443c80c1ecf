//! The section of sessions.

use super::super::gathering::Gathered;
use super::{MOST_BARS, MOST_ROWS, trend_part};
use crate::cli::ise::interfaces::MNT;
use crate::joins::session_groups::{Facet, SessionGroups};
use crate::render::{Style, short_interface_name};
use crate::report_page::{Bars, Cell, Chart, Heading, Part, Section, Table, Text};

/// Sessions by what they have in common, and those that are silent.
pub(super) fn section(gathered: &Gathered, names: &[String], style: &Style) -> Section {
    let mut section = Section {
        id: "sessions",
        title: "Sessions",
        ..Section::default()
    };
    let Some(groups) = gathered.sessions() else {
        section.words = vec![Text::sentence("Not known: no list of sessions came.")];
        return section;
    };
    section.words = vec![Text::sentence(
        match (gathered.of_pxgrid.is_some(), groups.ended()) {
            (true, 0) => "Active sessions as pxGrid has them.",
            (true, _) => "Active sessions as pxGrid has them; those that ended are not counted.",
            (false, _) => {
                "Active sessions as the Monitoring node lists them, which tells neither state nor \
             method nor security group."
            }
        },
    )];
    let by = |facet, title, heading| facet_part(groups, facet, title, heading);
    section.parts.extend(by(Facet::State, "By state", "State"));
    section
        .parts
        .extend(by(Facet::Method, "By method", "Method"));
    section
        .parts
        .extend(by(Facet::SecurityGroup, "By security group (SGT)", "Group"));
    section
        .parts
        .extend(by(Facet::Nas, "By switch or controller (NAS)", "NAS"));
    match &gathered.of_mnt {
        Some(servers) => section
            .parts
            .extend(facet_part(servers, Facet::Server, "By PSN", "PSN")),
        None if !gathered.has(MNT) => section.words.push(Text::sentence(
            "By PSN: not known, the Monitoring node is not set up.",
        )),
        None => section.words.push(Text::sentence(
            "By PSN: not known, the Monitoring node's list did not come.",
        )),
    }
    section
        .parts
        .extend(by(Facet::Profile, "By profile", "Profile"));
    if gathered.of_pxgrid.is_some() {
        section.parts.push(trend_part(
            "Last heard of",
            "Sessions by when they were last heard of",
            &groups.heard(),
            names,
            "calm",
        ));
        section.parts.push(silent(groups, style));
    }
    section
}

/// Groups as bars, and in a table; nothing where no session has a value.
fn facet_part(
    groups: &SessionGroups,
    facet: Facet,
    title: &str,
    heading: &'static str,
) -> Option<Part> {
    let counted = groups.counted(facet, MOST_ROWS);
    if counted.groups.is_empty() {
        return None;
    }
    let name = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
    let named: Vec<(String, u64)> = counted
        .groups
        .iter()
        .map(|(value, count)| (name(value), *count))
        .collect();
    let bars: Vec<(&str, u64)> = named
        .iter()
        .take(MOST_BARS)
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    let rows = named
        .iter()
        .map(|(name, count)| {
            vec![
                Cell::text(name),
                Cell::count(*count),
                Cell::share(*count, groups.total()),
            ]
        })
        .collect();
    Some(Part {
        title: title.to_owned(),
        chart: Some(Chart::Bars(Bars::new(
            &format!("Sessions {title}"),
            &bars,
            "calm",
        ))),
        table: Some(Table {
            caption: heading,
            columns: vec![
                Heading::text(heading),
                Heading::number("Sessions"),
                Heading::number("Share"),
            ],
            rows,
            more: (counted.rest > 0)
                .then(|| format!("and {} more with {} sessions", counted.more, counted.rest)),
            low: false,
        }),
        ..Part::default()
    })
}

fn silent(groups: &SessionGroups, style: &Style) -> Part {
    let rows = groups.silent().into_iter().map(|(_, session)| {
        vec![
            Cell::text(&session.endpoint),
            Cell::text(&session.user),
            Cell::text(&session.nas),
            Cell::text(&short_interface_name(&session.port)),
            Cell::text(&session.state),
            Cell::time(&session.heard, &style.zone),
        ]
    });
    Part {
        title: "Silent for longest".to_owned(),
        table: Some(Table {
            caption: "Silent sessions",
            columns: ["MAC", "User", "NAS", "Port", "State", "Last heard of"]
                .map(Heading::text)
                .to_vec(),
            rows: rows.collect(),
            more: None,
            low: false,
        }),
        ..Part::default()
    }
}
