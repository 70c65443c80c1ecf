//! What `--fields`, `--sort`, `--limit`, `--jq` do, and how output ends.

use super::*;
use crate::error::Kind;

#[test]
fn fields_choose_and_order() {
    let mut style = formatted(Format::Json);
    style.fields = ["user_name", "IP", "calling_station_id"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(
        list(style.clone(), &nasty()[..1]),
        "[\n{\"user_name\":\"CORP\\\\alice\",\"ip\":\"10.1.2.3\",\"calling_station_id\":\"C8:5B:76:C6:59:62\"}\n]\n"
    );
    style.format = Some(Format::Csv);
    assert_eq!(
        list(style.clone(), &nasty()[..1]),
        "USER,IP,MAC\nCORP\\alice,10.1.2.3,C8:5B:76:C6:59:62\n"
    );
}

/// The list of names that were in no row, and what was printed.
fn with_unknown(style: Style, records: &[Record]) -> (Vec<String>, String) {
    let shared = Shared::default();
    let columns = Columns::of(COLUMNS, &["posture_status", "sometimes"]);
    let mut renderer = Renderer::new(style, columns, Shape::List, shared.clone()).unwrap();
    for record in records {
        assert!(renderer.record(record).unwrap().is_continue());
    }
    renderer.finish().unwrap();
    (renderer.unknown_fields(), shared.text())
}

/// The first rows lack it: that is no reason to refuse what the catalogue knows, or what a later
/// row has.
#[test]
fn a_member_that_the_first_rows_lack_is_a_field_all_the_same() {
    let rows = [
        json!({"user_name": "a"}),
        json!({"user_name": "b", "sometimes": "x", "new_in_3_6": "y"}),
    ]
    .map(Record::from_value);
    let fields = |names: &[&str], format| Style {
        fields: names.iter().map(|name| (*name).to_owned()).collect(),
        ..formatted(format)
    };
    let names = ["posture_status", "sometimes", "new_in_3_6", "user"];
    let (unknown, text) = with_unknown(fields(&names, Format::Tsv), &rows);
    assert_eq!(
        text,
        "posture_status\tsometimes\tnew_in_3_6\tUSER\n\t\t\ta\n\tx\ty\tb\n"
    );
    assert!(unknown.is_empty(), "{unknown:?}");
    let (unknown, text) = with_unknown(fields(&names, Format::Jsonl), &rows);
    assert!(
        text.starts_with("{\"posture_status\":null,\"sometimes\":null,"),
        "{text}"
    );
    assert!(unknown.is_empty(), "{unknown:?}");
    let by = |name: &str| Style {
        sort: Some(name.to_owned()),
        ..fields(&["user"], Format::Tsv)
    };
    for name in ["sometimes", "-new_in_3_6", "posture_status"] {
        assert!(with_unknown(by(name), &rows).0.is_empty(), "{name}");
    }
}

#[test]
fn a_name_that_stood_in_no_row_is_said_at_the_end() {
    let rows = [json!({"user_name": "a"}), json!({"user_name": "b"})].map(Record::from_value);
    for format in [
        Format::Table,
        Format::Tsv,
        Format::Csv,
        Format::Json,
        Format::Yaml,
        Format::Html,
        Format::Md,
    ] {
        let style = Style {
            fields: vec![
                "user_name".to_owned(),
                "postureStatus".to_owned(),
                "a.b".to_owned(),
            ],
            sort: Some("nope".to_owned()),
            ..formatted(format)
        };
        let (unknown, text) = with_unknown(style.clone(), &rows);
        assert!(text.contains('a') && text.contains('b'), "{format}: {text}");
        assert_eq!(unknown.len(), 3, "{format}: {unknown:?}");
        assert!(unknown[0].starts_with("unknown field 'postureStatus': no row had it; did you mean posture_status? The fields here are: MAC, IP, USER"), "{unknown:?}");
        assert_eq!(with_unknown(style, &[]).0.len(), 3, "{format}");
    }
}

#[test]
fn numbers_keep_their_spelling() {
    let record =
        Record::Json(crate::record::JsonText::parse(r#"{"v": 1.10, "w": 2}"#.to_owned()).unwrap());
    for fields in [vec![], vec!["v".to_owned()]] {
        for format in [Format::Json, Format::Jsonl, Format::Yaml] {
            let style = Style {
                fields: fields.clone(),
                ..formatted(format)
            };
            assert!(list(style, std::slice::from_ref(&record)).contains("1.10"));
        }
    }
}

#[test]
fn half_a_surrogate_pair_hides_nothing() {
    let json = r#"{"user_name":"cut\ud83d","ip":"192.0.2.7"}"#;
    let record = Record::Json(crate::record::JsonText::parse(json.to_owned()).unwrap());
    let records = std::slice::from_ref(&record);
    for format in Format::ALL {
        if format == Format::Xml {
            continue;
        }
        for fields in [vec![], vec!["ip".to_owned(), "user_name".to_owned()]] {
            let style = Style {
                fields,
                ..formatted(format)
            };
            let text = list(style.clone(), records);
            assert!(text.contains("192.0.2.7"), "{format}: {text}");
            let text = list(on_terminal(style, 80), records);
            assert!(text.contains("192.0.2.7"), "{format}: {text}");
        }
    }
    #[cfg(feature = "jq")]
    {
        let style = Style {
            jq: Some(JqFilter::compile(".[] | .ip, .user_name").unwrap()),
            ..formatted(Format::Json)
        };
        assert_eq!(list(style, records), "192.0.2.7\ncut\u{fffd}\n");
    }
}

#[test]
fn sort_then_limit() {
    let records: Vec<Record> = ["10.0.0.10", "10.0.0.9", "10.0.0.100"]
        .iter()
        .map(|ip| Record::from_value(json!({"ip": ip, "n": 1.50})))
        .collect();
    let mut style = formatted(Format::Jsonl);
    style.sort = Some("-IP".to_owned());
    style.limit = Some(2);
    let (text, rows) = try_render(style.clone(), Shape::List, &records).unwrap();
    assert_eq!(rows, 2);
    assert_eq!(
        text,
        "{\"ip\":\"10.0.0.100\",\"n\":1.5}\n{\"ip\":\"10.0.0.10\",\"n\":1.5}\n"
    );
    style.sort = None;
    let mut renderer = Renderer::new(style, COLUMNS, Shape::List, Shared::default()).unwrap();
    assert!(renderer.record(&records[0]).unwrap().is_continue());
    assert!(renderer.record(&records[1]).unwrap().is_break());
}

#[test]
fn a_list_that_broke_off_does_not_look_whole() {
    for (format, expected) in [
        (Format::Json, "[\n{\"a\":1}\n"),
        (Format::Jsonl, "{\"a\":1}\n"),
        (
            Format::Tsv,
            "MAC\tIP\tUSER\tNAS\tTIME\tLATENCY\tVERDICT\n\t\t\t\t\t\t\n",
        ),
    ] {
        let shared = Shared::default();
        let mut renderer =
            Renderer::new(formatted(format), COLUMNS, Shape::List, shared.clone()).unwrap();
        let _ = renderer
            .record(&Record::from_value(json!({"a": 1})))
            .unwrap();
        assert_eq!(renderer.broke_off().unwrap(), 1);
        assert_eq!(renderer.finish().unwrap(), 1);
        assert_eq!(shared.text(), expected);
    }
}

#[test]
fn a_list_that_broke_off_before_its_first_record_leaves_nothing() {
    for format in Format::ALL {
        let shared = Shared::default();
        let mut renderer =
            Renderer::new(formatted(format), COLUMNS, Shape::List, shared.clone()).unwrap();
        assert_eq!(renderer.broke_off().unwrap(), 0);
        assert_eq!(renderer.finish().unwrap(), 0);
        assert_eq!(shared.text(), "", "{format}");
    }
}

#[test]
fn live_lines_come_at_once_and_lists_by_size() {
    for (format, terminal) in [
        (Format::Jsonl, false),
        (Format::Csv, false),
        (Format::Table, true),
        (Format::Table, false),
    ] {
        for live in [true, false] {
            let style = if terminal {
                on_terminal(formatted(format), 80)
            } else {
                formatted(format)
            };
            let shared = Shared::default();
            let mut renderer = Renderer::new(style, COLUMNS, Shape::List, shared.clone()).unwrap();
            if live {
                renderer = renderer.live();
            }
            let _ = renderer.record(&nasty()[0]).unwrap();
            assert_eq!(!shared.text().is_empty(), live, "{format}");
        }
    }
}

#[test]
fn xml_passes_through_and_takes_no_options() {
    let document = "<a>\n\t\u{1b}é</a>".as_bytes();
    for (style, expected) in [
        (formatted(Format::Xml), "<a>\n\t\u{1b}é</a>"),
        (
            on_terminal(formatted(Format::Xml), 80),
            "<a>\n\t\\x1bé</a>\n",
        ),
    ] {
        let shared = Shared::default();
        let mut renderer = Renderer::new(style, COLUMNS, Shape::List, shared.clone()).unwrap();
        assert!(renderer.wants_raw());
        for byte in document.chunks(1) {
            renderer.raw(byte).unwrap();
        }
        let _ = renderer.record(&nasty()[0]).unwrap();
        assert_eq!(renderer.finish().unwrap(), 1);
        assert_eq!(shared.text(), expected);
    }
    for change in [
        |style: &mut Style| style.limit = Some(1),
        |style: &mut Style| style.sort = Some("MAC".to_owned()),
        |style: &mut Style| style.fields = vec!["MAC".to_owned()],
        #[cfg(feature = "jq")]
        |style: &mut Style| style.jq = Some(JqFilter::compile(".").unwrap()),
    ] {
        let mut style = formatted(Format::Xml);
        change(&mut style);
        let error = Renderer::new(style, COLUMNS, Shape::List, Shared::default())
            .err()
            .unwrap();
        assert_eq!(error.kind(), Kind::Usage);
    }
}

#[test]
fn a_closed_pipe_is_told_as_one() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for format in Format::ALL {
        let mut renderer = Renderer::new(formatted(format), COLUMNS, Shape::List, Closed).unwrap();
        renderer.raw(b"<a/>").unwrap();
        let _ = renderer.record(&nasty()[0]).unwrap();
        assert_eq!(
            renderer.finish().unwrap_err().kind(),
            Kind::ClosedPipe,
            "{format}"
        );
    }
}

#[cfg(feature = "jq")]
#[test]
fn jq_sees_the_document_or_each_object() {
    let jq = |code: &str, format| Style {
        jq: Some(JqFilter::compile(code).unwrap()),
        format,
        ..style()
    };
    let records = nasty();
    assert_eq!(list(jq("length", None), &records), "11\n");
    assert_eq!(list(jq("length", None), &[]), "0\n");
    assert_eq!(
        list(jq(".[0].user_name", Some(Format::Json)), &records),
        "CORP\\alice\n"
    );
    assert_eq!(
        list(jq(".ip", Some(Format::Jsonl)), &records),
        "10.1.2.3\n".repeat(11)
    );
    assert_eq!(
        list(jq(".ip, halt", Some(Format::Jsonl)), &records),
        "10.1.2.3\n"
    );
    assert_eq!(
        render(jq(".ip", None), Shape::Single, &records[..1]),
        "10.1.2.3\n"
    );
    let shown = list(on_terminal(jq(".[].user_name", None), 80), &records);
    assert!(
        !shown
            .chars()
            .any(|c| is_unsafe(c) && c != '\n' && c != '\t')
    );

    let error = try_render(
        jq(".[0] | .a.b", None),
        Shape::List,
        &[Record::from_value(json!({"a": 1}))],
    )
    .unwrap_err();
    assert_eq!(error.kind(), Kind::Expression);
    for format in [Format::Csv, Format::Yaml, Format::Html, Format::Md] {
        assert_eq!(
            try_render(jq(".", Some(format)), Shape::List, &[])
                .unwrap_err()
                .kind(),
            Kind::Usage
        );
    }

    let shared = Shared::default();
    let mut renderer =
        Renderer::new(jq("length", None), COLUMNS, Shape::List, shared.clone()).unwrap();
    let _ = renderer.record(&records[0]).unwrap();
    renderer.broke_off().unwrap();
    assert_eq!(shared.text(), "");
}
