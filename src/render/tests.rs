//! The renderer as a whole: every format against records that strangers made; options and ends in
//! `options`, invariants in `properties`.

mod documents;
mod options;
mod properties;

use std::io;
use std::sync::{Arc, Mutex};

use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::record::{Fields, Value};
use crate::sanitize::is_unsafe;

/// A writer whose content can be read while it is written.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const COLUMNS: &[Column] = &[
    column("MAC", "calling_station_id"),
    first_of("IP", &["framed_ip_address", "ip"]),
    column("USER", "user_name"),
    column("NAS", "nas_ip_address"),
    column("TIME", "auth_timestamp").kind(CellKind::Time),
    column("LATENCY", "response_time").kind(CellKind::Number),
    column("VERDICT", "passed").kind(CellKind::Verdict),
];

pub(super) fn style() -> Style {
    Style {
        format: None,
        fields: Vec::new(),
        sort: None,
        limit: None,
        by: Vec::new(),
        top: None,
        header: true,
        name_only: false,
        jq: None,
        screen: Screen {
            terminal: false,
            width: 80,
            color: false,
        },
        now: "2026-03-09T10:20:00Z".parse().unwrap(),
        zone: TimeZone::UTC,
    }
}

fn formatted(format: Format) -> Style {
    Style {
        format: Some(format),
        ..style()
    }
}

fn on_terminal(mut style: Style, width: u16) -> Style {
    style.screen = Screen {
        terminal: true,
        width,
        color: false,
    };
    style
}

fn session(mac: &str, user: &str) -> Record {
    let text = |text: &str| {
        if text.is_empty() {
            Value::Empty
        } else {
            Value::Text(text.to_owned())
        }
    };
    let fields: Fields = [
        ("calling_station_id", text(mac)),
        ("ip", text("10.1.2.3")),
        ("user_name", text(user)),
        ("nas_ip_address", text("")),
        ("auth_timestamp", text("2026-03-09T08:14:55.207+01:00")),
        ("response_time", text("12")),
        ("passed", text("true")),
        (
            "framed_ipv6_address",
            Value::List(vec![text("fe80::1"), text("fe80::2")]),
        ),
    ]
    .into_iter()
    .collect();
    Record::Fields(fields)
}

fn nasty() -> Vec<Record> {
    let long = "x".repeat(500);
    [
        "CORP\\alice",
        "tab\there",
        "line\nbreak\r\n",
        "\"quoted\", comma",
        "=cmd|' /C calc'!A0",
        "\u{1b}[2J\u{1b}]0;pwned\u{7}",
        "\u{202e}gnp.exe",
        "משתמש",
        "山田太郎👩‍💻",
        &long,
        "",
    ]
    .iter()
    .map(|user| session("C8:5B:76:C6:59:62", user))
    .collect()
}

fn try_render(style: Style, shape: Shape, records: &[Record]) -> Result<(String, u64)> {
    let shared = Shared::default();
    let mut renderer = Renderer::new(style, COLUMNS, shape, shared.clone())?;
    renderer.begin(None)?;
    for record in records {
        if renderer.record(record)?.is_break() {
            break;
        }
    }
    let rows = renderer.finish()?;
    Ok((shared.text(), rows))
}

fn render(style: Style, shape: Shape, records: &[Record]) -> String {
    try_render(style, shape, records).unwrap().0
}

fn list(style: Style, records: &[Record]) -> String {
    render(style, Shape::List, records)
}

#[test]
fn a_pipe_gets_tsv_without_header_and_whole_values() {
    let text = list(style(), &nasty());
    assert_eq!(text.lines().count(), 11);
    assert!(text.lines().all(|line| line.split('\t').count() == 7));
    assert!(
        text.lines()
            .all(|line| line.starts_with("C8:5B:76:C6:59:62\t10.1.2.3\t"))
    );
    assert!(text.contains(&"x".repeat(500)));
    let line = text.lines().next().unwrap();
    assert!(
        line.ends_with("CORP\\alice\t\t2026-03-09T08:14:55.207+01:00\t12\ttrue"),
        "{line}"
    );
}

#[test]
fn explicit_tsv_and_csv_have_a_header_unless_told() {
    for (format, separator) in [(Format::Tsv, '\t'), (Format::Csv, ',')] {
        let text = list(formatted(format), &nasty());
        assert_eq!(text.lines().count(), 12);
        let header = ["MAC", "IP", "USER", "NAS", "TIME", "LATENCY", "VERDICT"];
        assert_eq!(
            text.lines().next().unwrap(),
            header.join(&separator.to_string())
        );
        let style = Style {
            header: false,
            ..formatted(format)
        };
        assert_eq!(list(style, &nasty()).lines().count(), 11);
        assert_eq!(list(formatted(format), &[]).lines().count(), 1);
    }
}

#[test]
fn csv_reads_back() {
    let text = list(formatted(Format::Csv), &nasty());
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let users: Vec<String> = reader
        .records()
        .map(|row| row.unwrap()[2].to_owned())
        .collect();
    assert_eq!(users[0], "CORP\\alice");
    assert_eq!(users[2], "line\\nbreak\\r\\n");
    assert_eq!(users[3], "\"quoted\", comma");
    assert_eq!(users[4], "'=cmd|' /C calc'!A0");
}

#[test]
fn a_terminal_gets_a_fitted_table() {
    for width in [40, 80, 200] {
        let text = list(on_terminal(style(), width), &nasty());
        assert_eq!(text.lines().count(), 12, "{text}");
        for line in text.lines() {
            assert!(line.width() <= usize::from(width), "{line}");
            assert!(!line.chars().any(is_unsafe));
        }
    }
    let text = list(on_terminal(style(), 80), &nasty()[..1]);
    assert_eq!(
        text,
        "MAC                IP        USER        TIME               LATENCY  VERDICT\n\
         C8:5B:76:C6:59:62  10.1.2.3  CORP\\alice  07:14:55 (3h ago)       12  true\n"
    );
    assert_eq!(list(on_terminal(style(), 80), &[]), "");
}

#[test]
fn long_tables_are_drawn_in_blocks_of_one_width() {
    let mut records: Vec<Record> = (0..2500)
        .map(|_| session("C8:5B:76:C6:59:62", "bob"))
        .collect();
    records.push(session("C8:5B:76:C6:59:62", &"long".repeat(50)));
    let text = list(on_terminal(style(), 120), &records);
    assert_eq!(text.lines().count(), 2502);
    let place = text.lines().nth(1).unwrap().find("10.1.2.3").unwrap();
    assert!(
        text.lines()
            .skip(1)
            .all(|line| line.find("10.1.2.3") == Some(place))
    );
    assert!(text.lines().last().unwrap().contains('…'));
}

#[test]
fn verdicts_are_coloured_only_where_colour_is_wanted() {
    let mut style = on_terminal(style(), 80);
    style.fields = vec!["verdict".to_owned(), "user".to_owned()];
    let plain = list(style.clone(), &nasty()[..1]);
    style.screen.color = true;
    let coloured = list(style, &nasty()[..1]);
    assert_eq!(
        coloured,
        "\x1b[1mVERDICT  USER\x1b[0m\n\x1b[32mtrue\x1b[0m     CORP\\alice\n"
    );
    assert_eq!(plain, "VERDICT  USER\ntrue     CORP\\alice\n");
}

#[test]
fn json_is_one_array_with_every_member() {
    let text = list(formatted(Format::Json), &nasty());
    let back: Vec<Json> = serde_json::from_str(&text).unwrap();
    let expected: Vec<Json> = nasty().iter().map(Record::to_value).collect();
    assert_eq!(back, expected);
    assert_eq!(text.lines().count(), nasty().len() + 2);
    assert_eq!(list(formatted(Format::Json), &[]), "[]\n");

    let shown = list(on_terminal(formatted(Format::Json), 80), &nasty());
    assert!(!shown.chars().any(|c| is_unsafe(c) && c != '\n'));
    assert_eq!(serde_json::from_str::<Vec<Json>>(&shown).unwrap(), expected);
}

#[test]
fn json_lines_and_yaml() {
    for style in [
        formatted(Format::Jsonl),
        on_terminal(formatted(Format::Jsonl), 80),
    ] {
        let text = list(style, &nasty());
        for (line, record) in text.lines().zip(nasty()) {
            assert_eq!(
                serde_json::from_str::<Json>(line).unwrap(),
                record.to_value()
            );
        }
    }
    let text = list(formatted(Format::Yaml), &nasty());
    let back: Json = yaml_serde::from_str(&text).unwrap();
    assert_eq!(
        back,
        Json::Array(nasty().iter().map(Record::to_value).collect())
    );
    assert_eq!(list(formatted(Format::Yaml), &[]), "[]\n");
}

#[test]
fn one_thing_in_every_format() {
    let record = Record::from_value(
        json!({"mac": "AA", "empty": null, "list": ["a", "b"], "in": {"v": 1}, "rows": [{"x": "\u{1b}"}]}),
    );
    let single = |style| render(style, Shape::Single, std::slice::from_ref(&record));
    assert_eq!(
        single(style()),
        "mac\tAA\nlist\ta, b\nin.v\t1\nrows.0.x\t\\x1b\n"
    );
    assert_eq!(
        single(on_terminal(style(), 80)),
        "mac       AA\nlist      a\n          b\nin.v      1\nrows.0.x  \\x1b\n"
    );
    assert_eq!(
        single(formatted(Format::Json)),
        "{\"mac\":\"AA\",\"empty\":null,\"list\":[\"a\",\"b\"],\"in\":{\"v\":1},\"rows\":[{\"x\":\"\\u001b\"}]}\n"
    );
    assert!(single(formatted(Format::Csv)).starts_with("mac,empty,list,in,rows\nAA,,\"a, b\","));
    assert!(single(formatted(Format::Yaml)).starts_with("mac: AA\nempty: null\nlist:\n  - a\n"));
    let time = session("AA", "bob");
    let text = render(on_terminal(style(), 80), Shape::Single, &[time]);
    assert!(
        text.contains("auth_timestamp       2026-03-09 07:14:55 (3h ago)\n"),
        "{text}"
    );
}

/// A session as a Monitoring node sends it, but for its length.
fn one_session() -> Record {
    Record::from_value(json!({
        "passed": "true",
        "user_name": "LAB\\pat.kim",
        "nas_ip_address": "192.0.2.11",
        "calling_station_id": "00-00-5e-00-53-01",
        "auth_acs_timestamp": "2026-03-09T08:14:55.207+01:00",
        "execution_steps": "11001,11017,15049,15008,11507,12500,12301,24430,22037,15036,11002,11001,11002",
        "framed_ipv6_address": ["2001:db8:7::21", "fe80::200:5eff:fe00:5301"],
        "cisco_av_pair": "x".repeat(100),
        "other_attr_string": {"ISEPolicySetName": "Wired dot1x", "EndPointMACAddress": "00-00-5E-00-53-01"},
        "acct_session_time": "2835",
        "empty": null
    }))
}

#[test]
fn one_thing_on_a_terminal_is_grouped_and_wrapped() {
    let shown = render(on_terminal(style(), 60), Shape::Single, &[one_session()]);
    assert_eq!(
        shown,
        "who\n\
         \x20 user_name            LAB\\pat.kim\n\
         \x20 calling_station_id   00:00:5E:00:53:01\n\
         \x20 framed_ipv6_address  2001:db8:7::21\n\
         \x20                      fe80::200:5eff:fe00:5301\n\
         \n\
         where\n\
         \x20 nas_ip_address  192.0.2.11\n\
         \n\
         result\n\
         \x20 passed  true\n\
         \n\
         times\n\
         \x20 auth_acs_timestamp  2026-03-09 07:14:55 (3h ago)\n\
         \n\
         the rest\n\
         \x20 execution_steps    11001,11017,15049,15008,11507,12500,\n\
         \x20                    12301,24430,22037,15036,11002,11001,\n\
         \x20                    11002\n\
         \x20 cisco_av_pair      xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n\
         \x20                    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n\
         \x20                    xxxxxxxxxxxxxxxxxxxxxx\n\
         \x20 acct_session_time  2835\n\
         \n\
         other_attr_string\n\
         \x20 ISEPolicySetName    Wired dot1x\n\
         \x20 EndPointMACAddress  00:00:5E:00:53:01\n"
    );
    let mut chosen = on_terminal(style(), 60);
    chosen.fields = ["cisco_av_pair", "user_name", "framed_ipv6_address"]
        .map(str::to_owned)
        .to_vec();
    let shown = render(chosen, Shape::Single, &[one_session()]);
    assert!(shown.starts_with("cisco_av_pair        xxx"), "{shown}");
    assert_eq!(shown.matches('x').count(), 100, "nothing is cut: {shown}");
    let end = "USER                 LAB\\pat.kim\n\
               framed_ipv6_address  2001:db8:7::21\n\
               \x20                    fe80::200:5eff:fe00:5301\n";
    assert!(shown.ends_with(end), "{shown}");
    // A pipe gets names and values as ever.
    let piped = render(style(), Shape::Single, &[one_session()]);
    let line = "other_attr_string.EndPointMACAddress\t00:00:5E:00:53:01\n";
    assert!(piped.contains(line), "{piped}");
    assert!(piped.contains("framed_ipv6_address\t2001:db8:7::21, fe80::200:5eff:fe00:5301\n"));
}

#[test]
fn a_mac_is_shown_in_one_spelling_wherever_there_are_columns() {
    const COLUMNS: &[Column] = &[
        column("MAC", "calling_station_id"),
        column("USER", "user_name"),
    ];
    let records = [
        json!({"calling_station_id": "c8-5b-76-c6-59-62", "user_name": "c8-5b-76-c6-59-62"}),
        json!({"calling_station_id": "203.113.190.145", "user_name": "vpn"}),
        json!({"calling_station_id": "c85b.76c6.5963"}),
    ]
    .map(Record::from_value);
    let shown = |style: Style| {
        let shared = Shared::default();
        let mut renderer = Renderer::new(style, COLUMNS, Shape::List, shared.clone()).unwrap();
        for record in &records {
            assert!(renderer.record(record).unwrap().is_continue());
        }
        renderer.finish().unwrap();
        shared.text()
    };
    let piped = "C8:5B:76:C6:59:62\tc8-5b-76-c6-59-62\n203.113.190.145\tvpn\nC8:5B:76:C6:59:63\t\n";
    assert_eq!(shown(style()), piped);
    assert_eq!(shown(formatted(Format::Tsv)), format!("MAC\tUSER\n{piped}"));
    assert!(shown(formatted(Format::Csv)).contains("\nC8:5B:76:C6:59:62,c8-5b-76-c6-59-62\n"));
    assert!(shown(on_terminal(style(), 80)).contains("\nC8:5B:76:C6:59:63  -\n"));
    let by_member = Style {
        fields: vec!["calling_station_id".to_owned()],
        ..style()
    };
    assert!(shown(by_member).starts_with("C8:5B:76:C6:59:62\n203.113.190.145\n"));
    for format in [Format::Json, Format::Jsonl, Format::Yaml] {
        let text = shown(formatted(format));
        assert!(
            text.contains("c8-5b-76-c6-59-62") && text.contains("c85b.76c6.5963"),
            "{text}"
        );
    }
}

#[test]
fn many_addresses_take_no_more_room_than_one_on_a_terminal() {
    const COLUMNS: &[Column] = &[column("IP", "ips").kind(CellKind::Addresses)];
    let record = Record::from_value(json!({"ips": ["10.0.0.1", "2001:db8::1", "fe80::1"]}));
    let shown = |style| {
        let shared = Shared::default();
        let mut renderer = Renderer::new(style, COLUMNS, Shape::List, shared.clone()).unwrap();
        assert!(renderer.record(&record).unwrap().is_continue());
        renderer.finish().unwrap();
        shared.text()
    };
    assert_eq!(shown(on_terminal(style(), 80)), "IP\n10.0.0.1 +2\n");
    assert_eq!(shown(style()), "10.0.0.1, 2001:db8::1, fe80::1\n");
}

#[test]
fn a_bare_value() {
    let record = Record::from_value(json!({"calling_station_id": 1284}));
    let bare = |style| render(style, Shape::Bare, std::slice::from_ref(&record));
    assert_eq!(bare(style()), "1284\n");
    assert_eq!(bare(on_terminal(style(), 80)), "1284\n");
    assert_eq!(bare(formatted(Format::Tsv)), "1284\n");
    assert!(bare(formatted(Format::Csv)).contains("\n1284,"));
    assert_eq!(
        bare(formatted(Format::Json)),
        "{\"calling_station_id\":1284}\n"
    );
}
