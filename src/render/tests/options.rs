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
    style.fields.push("nope".to_owned());
    let error = try_render(style.clone(), Shape::List, &nasty()).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(error.hint_text().unwrap().contains("MAC, IP, USER"));
    assert!(try_render(style, Shape::List, &[]).is_ok());
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
    let style = Style {
        jq: Some(".[] | .ip, .user_name".to_owned()),
        ..formatted(Format::Json)
    };
    assert_eq!(list(style, records), "192.0.2.7\ncut\u{fffd}\n");
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
        |style: &mut Style| style.jq = Some(".".to_owned()),
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
        jq: Some(code.to_owned()),
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
    for (code, format) in [
        (".[", None),
        (".", Some(Format::Csv)),
        (".", Some(Format::Yaml)),
    ] {
        assert_eq!(
            try_render(jq(code, format), Shape::List, &[])
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
