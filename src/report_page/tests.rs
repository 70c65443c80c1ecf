//! The page as a whole, with names that strangers made up, and as large as it can be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::*;

const HOSTILE: &str = "</td></style></script><script>alert(1)</script>\u{202e}\"'{{7}}";

fn head() -> Head {
    Head {
        deployment: Text::new(HOSTILE),
        when: "2026-03-01".to_owned(),
        program: "netapi".to_owned(),
        facts: vec![Fact::new(1_234_567, "sessions")],
        sources: vec![(Text::new("pxGrid"), Text::sentence(HOSTILE))],
        lacking: vec![Text::sentence(HOSTILE)],
    }
}

/// A section that has one of everything, all of it called `name`.
fn section(name: &str, rows: usize) -> Section {
    let row = || {
        vec![
            Cell::text(name),
            Cell::count(12_345),
            Cell::time("2026-03-01T10:00:00Z", &TimeZone::UTC),
            Cell::trend(&[Some(1.0), None, Some(3.5), Some(2.0)]),
            Cell::number("91").marked(Some(Mark::Critical)),
        ]
    };
    let mut numbers = Numbers {
        heads: vec!["10:00".to_owned()],
        ..Numbers::default()
    };
    numbers.add(name, &[Some(1.25), None]);
    Section {
        id: "all",
        title: "All",
        words: vec![Text::sentence(name)],
        parts: vec![
            Part {
                title: "Bars".to_owned(),
                chart: Some(Chart::Bars(Bars::new(
                    "Bars",
                    &[(name, 5), ("x", 0)],
                    "calm",
                ))),
                table: Some(Table {
                    caption: "Rows",
                    columns: ["A", "B", "C", "D", "E"].map(Heading::text).to_vec(),
                    rows: (0..rows).map(|_| row()).collect(),
                    more: Some(format!("and {rows} more")),
                    low: false,
                }),
                numbers: Some(numbers),
                grid: Some(Grid {
                    name: Text::new(name),
                    columns: vec![Text::new(name)],
                    rows: vec![GridRow {
                        name: Text::new(name),
                        cells: vec![(Text::new(name), "deny")],
                    }],
                    more: None,
                }),
            },
            Part {
                chart: Some(Chart::Columns(Columns::new(
                    "Trend",
                    &[(name.to_owned(), 3), ("later".to_owned(), 0)],
                    "bad",
                ))),
                table: Some(Table::default()),
                ..Part::default()
            },
        ],
    }
}

fn page(sections: &[Section]) -> String {
    let mut page = Page::begin(Vec::new(), &head(), &[("all", "All")]).unwrap();
    for section in sections {
        page.section(section).unwrap();
    }
    let (bytes, size) = page.end().unwrap();
    assert_eq!(bytes.len() as u64, size);
    String::from_utf8(bytes).unwrap()
}

fn between<'p>(page: &'p str, start: &str, end: &str) -> &'p str {
    let from = page.find(start).unwrap() + start.len();
    page[from..].split(end).next().unwrap()
}

#[test]
fn nothing_that_a_stranger_wrote_is_markup() {
    let tame = page(&[section("pat", 3)]);
    let page = page(&[section(HOSTILE, 3)]);
    let tags = |page: &str| page.matches('<').count();
    // The script has comparisons; they are the same in both.
    assert_eq!(tags(&page), tags(&tame));
    assert_eq!(page.matches("<script>").count(), 1);
    assert!(!page.contains('\u{202e}') && page.contains("\\u{202e}"));
    assert!(page.contains("&#60;script&#62;alert(1)"));
}

#[test]
fn the_policy_allows_the_pages_own_style_and_script_and_nothing_else() {
    let page = page(&[section(HOSTILE, 1)]);
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
    let hash = |start, end| STANDARD.encode(Sha256::digest(between(&page, start, end)));
    let expected = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'",
        hash("<style>", "</style>"),
        hash("<script>", "</script>")
    );
    assert_eq!(policy.replace("&#39;", "'"), expected);
    for outside in [
        "http:", "https:", "src=", "url(", "@import", " style=", " on",
    ] {
        let html = page.replace(between(&page, "<script>", "</script>"), "");
        let html = html.replace(HOSTILE, "");
        let is_there = html.contains(outside) && outside != " on";
        assert!(!is_there, "{outside}");
    }
}

#[test]
fn what_a_reader_needs_is_there_without_a_script() {
    let page = page(&[section("pat", 2)]);
    for there in [
        "<b>1\\u{202f}234\\u{202f}567</b>",
        "<td class=\"n\" data-order=\"12345\">12\u{202f}345</td>",
        "<td class=\"t\" data-order=\"1772359200\">2026-03-01 10:00</td>",
        "<td class=\"n critical\">▲▲ 91</td>",
        "<title>1 – 3.5 2</title>",
        "and 2 more",
        "<th scope=\"row\">pat</th><td class=\"n\">1.3</td><td class=\"n\"></td>",
        "<td class=\"deny\">pat</td>",
        "<rect x=\"190\" y=\"3\" width=\"200\" height=\"16\"/>",
        "<p class=\"soft\">Nothing.</p>",
    ] {
        let there = there.replace("\\u{202f}", "\u{202f}");
        assert!(page.contains(&there), "{there}: {page}");
    }
}

/// Every row that a report can have, each with the longest and most hostile names.
#[test]
fn the_largest_page_is_below_its_bound() {
    let name = "<\u{202e}\"&".repeat(1_000);
    let sections: Vec<Section> = (0..6).map(|_| section(&name, 100)).collect();
    let mut grid = Grid {
        name: Text::new(&name),
        columns: (0..40).map(|_| Text::new(&name)).collect(),
        ..Grid::default()
    };
    grid.rows = (0..40)
        .map(|_| GridRow {
            name: Text::new(&name),
            cells: (0..40).map(|_| (Text::new(&name), "other")).collect(),
        })
        .collect();
    let grids = Section {
        parts: (0..3)
            .map(|_| Part {
                grid: Some(grid.clone()),
                ..Part::default()
            })
            .collect(),
        ..Section::default()
    };
    let size = page(&[sections, vec![grids]].concat()).len();
    assert!(size < 5_000_000, "{size}");
}

#[test]
fn a_report_is_known_by_its_beginning() {
    let page = page(&[]);
    assert!(is_report(page.as_bytes()));
    assert!(!is_report(b"<!doctype html><title>mine</title>"));
    assert!(!is_report(b""));
}

#[test]
fn names_are_cut_by_what_they_take_and_say_so() {
    let long = Text::new(&"山".repeat(100)).to_string();
    assert_eq!(long.chars().count(), 61);
    assert!(long.ends_with('…'));
    let marks = Text::new(&format!("a{}", "\u{301}".repeat(4_000))).to_string();
    assert!(marks.len() < 600, "{}", marks.len());
    assert_eq!(Text::new("short").to_string(), "short");
}
