//! Tests of the list stream: shapes, bounds, cuts.

use std::io::{BufReader, Read};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::record::Collect;

/// Everything a document gives in pieces of `size`: the elements' texts, and the end.
fn split(document: &[u8], member: &str, size: usize) -> (Vec<String>, Result<ListSummary>) {
    let mut splitter = Splitter::new(member);
    let mut elements = Vec::new();
    let mut take = |part: Part<'_>| {
        if let Part::Element(bytes) = part {
            elements.push(String::from_utf8_lossy(bytes).into_owned());
        }
        Ok(ControlFlow::Continue(()))
    };
    let result = document
        .chunks(size.max(1))
        .try_for_each(|piece| splitter.push(piece, &mut take).map(|_| ()))
        .and_then(|()| splitter.finish())
        .map(|()| splitter.summary().clone());
    (elements, result)
}

fn kind(document: &str) -> Kind {
    split(document.as_bytes(), "sessions", 7)
        .1
        .unwrap_err()
        .kind()
}

#[test]
fn elements_come_as_they_were_sent_and_the_rest_is_kept_aside() {
    let document =
        br#" { "totalCount" : 2, "sessions": [ {"a":1.10} , {"b":["]}"]}], "deleted":[{"x":0}] } "#;
    let (elements, summary) = split(document, "sessions", 3);
    let summary = summary.unwrap();
    assert_eq!(elements, [r#"{"a":1.10}"#, r#"{"b":["]}"]}"#]);
    assert_eq!((summary.announced, summary.rows), (Some(2), 2));
    let names: Vec<_> = summary
        .extras
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["totalCount", "deleted"]);
}

#[test]
fn an_empty_list_is_a_list() {
    let (elements, summary) = split(br#"{"sessions":[]}"#, "sessions", 1);
    assert!(elements.is_empty());
    assert_eq!(summary.unwrap().rows, 0);
}

#[test]
fn wrong_shapes_are_malformed_and_missing_ends_truncated() {
    for document in [
        "",
        "  ",
        "<html><body>Login</body></html>",
        "[]",
        "null",
        "{}",
        r#"{"endpoints":[]}"#,
        r#"{"sessions":null}"#,
        r#"{"sessions":{}}"#,
        r#"{"sessions":{"sessions":[]}}"#,
        r#"{"sessions":{"session":{"session":[]}}}"#,
        r#"{"sessions":{"session":[]},"sessions":{"session":[]}}"#,
        r#"{"sessions":[1]}"#,
        r#"{"sessions":[{}],"sessions":[]}"#,
        r#"{"sessions":[{},]}"#,
        r#"{"sessions":[{}{}]}"#,
        r#"{"sessions":[],}"#,
        r#"{"sessions":[]} x"#,
        r#"{"sessions" []}"#,
        r#"{"sessions":[{"a":tru}]}"#,
    ] {
        assert_eq!(kind(document), Kind::Malformed, "{document}");
    }
    let whole = r#"{"totalCount":1,"sessions":[{"a":"b"}]}"#;
    for end in 1..whole.len() {
        assert_eq!(kind(&whole[..end]), Kind::Truncated, "{}", &whole[..end]);
    }
}

/// Some releases put an object around the list (reference pxgrid-api, section 7).
#[test]
fn a_list_in_an_object_of_its_own_is_read_in_any_cuts() {
    let whole = r#"{"endpoints":{"endpoint":[{"macAddress":"a"},{"macAddress":"b"}],"count":2},"totalCount":2}"#;
    for cut in 0..whole.len() {
        let mut rows = Vec::new();
        let mut splitter = Splitter::new("endpoints");
        let (head, tail) = whole.split_at(cut);
        for piece in [head, tail] {
            let flow = splitter
                .push(piece.as_bytes(), &mut |part| {
                    if let Part::Element(bytes) = part {
                        rows.push(String::from_utf8_lossy(bytes).into_owned());
                    }
                    Ok(ControlFlow::Continue(()))
                })
                .unwrap();
            assert!(flow.is_continue());
        }
        splitter.finish().unwrap();
        assert_eq!(
            rows,
            [r#"{"macAddress":"a"}"#, r#"{"macAddress":"b"}"#],
            "{cut}"
        );
    }
}

/// A document that never ends, and how much of it was read.
struct Endless {
    head: &'static [u8],
    read: usize,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = (&mut self.head).read(buffer)?;
        let count = if count == 0 {
            buffer.fill(b'x');
            buffer.len()
        } else {
            count
        };
        self.read += count;
        Ok(count)
    }
}

#[test]
fn an_endless_element_fails_in_bounded_memory() {
    for head in [
        br#"{"sessions":[{"a":""#.as_slice(),
        br#"{"other":""#.as_slice(),
        br#"{""#.as_slice(),
    ] {
        let mut source = Endless { head, read: 0 };
        let (_, result) = stream(
            BufReader::with_capacity(64 * 1024, &mut source),
            "sessions",
            Collect::default(),
        );
        assert_eq!(result.unwrap_err().kind(), Kind::Malformed);
        assert!(
            source.read < 2 * MAX_ELEMENT + 128 * 1024,
            "{}",
            source.read
        );
    }
}

#[test]
fn a_sink_that_has_enough_ends_the_reading() {
    struct Two(u64);
    impl RecordSink for Two {
        fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
            Ok(())
        }
        fn record(&mut self, _record: &Record) -> Result<ControlFlow<()>> {
            self.0 += 1;
            Ok(if self.0 == 2 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        }
    }
    let (sink, summary) = stream(
        br#"{"sessions":[{"a":1},{"a":2},{"a":3} broken"#.as_slice(),
        "sessions",
        Two(0),
    );
    let summary = summary.unwrap();
    assert_eq!((sink.0, summary.rows, summary.stopped_early), (2, 2, true));
}

#[test]
fn bytes_that_are_no_utf8_cost_only_themselves() {
    let (sink, summary) = stream(
        b"{\"sessions\":[{\"u\":\"M\xfcller\"},{\"u\":\"ok\"}]}".as_slice(),
        "sessions",
        Collect::default(),
    );
    assert_eq!(summary.unwrap().rows, 2);
    assert_eq!(sink.records[0].text("u").as_deref(), Some("M\u{fffd}ller"));
    assert_eq!(sink.records[1].text("u").as_deref(), Some("ok"));
}

#[test]
fn a_reader_that_fails_is_a_broken_answer() {
    struct Reset;
    impl Read for Reset {
        fn read(&mut self, _buffer: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
        }
    }
    let head = br#"{"sessions":[{"a":1},"#.as_slice();
    let (sink, result) = stream(
        BufReader::new(head.chain(Reset)),
        "sessions",
        Collect::default(),
    );
    assert_eq!(result.unwrap_err().kind(), Kind::Truncated);
    assert_eq!(sink.records.len(), 1);
}

#[test]
fn what_stands_beside_the_list_is_bounded_by_its_size_and_not_by_its_number() {
    let others: Vec<String> = (0..500).map(|n| format!(r#""m{n}":{n}"#)).collect();
    let long = "x".repeat(2 << 20);
    let document = format!(
        r#"{{{},"deletedRows":["{long}"],"totalCount":1,"sessions":[{{}}]}}"#,
        others.join(",")
    );
    let (_, summary) = split(document.as_bytes(), "sessions", 64 << 10);
    let summary = summary.unwrap();
    assert_eq!((summary.announced, summary.extras.len()), (Some(1), 502));
    let endless = format!("{{{}", r#""m":1,"#.repeat(200_000));
    let (_, outcome) = split(endless.as_bytes(), "sessions", 64 << 10);
    let error = outcome.unwrap_err();
    assert!(
        error
            .message()
            .contains("beside the list is over the bound of 16777216"),
        "{error}"
    );
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Value::String),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((".{0,6}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_valid_document_splits_as_serde_reads_it(
        rows in proptest::collection::vec(proptest::collection::vec((".{0,6}", value()), 0..4), 0..6),
        other in value(),
        pretty in any::<bool>(),
        size in 1_usize..80,
    ) {
        let rows: Vec<Value> = rows.into_iter().map(|row| Value::Object(row.into_iter().collect())).collect();
        let document = json!({"totalCount": rows.len(), "other": other, "sessions": rows, "last": 1});
        let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.unwrap();
        let (elements, summary) = split(text.as_bytes(), "sessions", size);
        let read: Vec<Value> = elements.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        prop_assert_eq!(read, rows);
        let summary = summary.unwrap();
        prop_assert_eq!(summary.extras.iter().find(|(name, _)| name == "other").map(|(_, text)| text.value().clone()), Some(other));
    }

    #[test]
    fn any_bytes_give_the_same_in_any_cuts(
        tail in r#"[\[\]{}:," a0-9\\]{0,40}"#,
        noise in proptest::collection::vec(any::<u8>(), 0..40),
        size in 1_usize..20,
    ) {
        let mut documents = vec![noise];
        documents.push(tail.clone().into_bytes());
        documents.push(format!(r#"{{"sessions":[{{"a":{tail}"#).into_bytes());
        documents.push(format!(r#"{{"sessions":[{tail}]}}"#).into_bytes());
        for document in documents {
            let whole = split(&document, "sessions", usize::MAX);
            let cut = split(&document, "sessions", size);
            prop_assert_eq!(whole.0, cut.0);
            prop_assert_eq!(whole.1.map(|summary| summary.rows), cut.1.map(|summary| summary.rows));
        }
    }
}

/// A body whose reader tells a pause wherever the document was cut.
struct Pausing<'d> {
    document: &'d [u8],
    at: usize,
    cut: usize,
    told: bool,
}

impl Read for Pausing<'_> {
    fn read(&mut self, _buffer: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

impl std::io::BufRead for Pausing<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.at == self.cut && !std::mem::replace(&mut self.told, true) {
            return Err(std::io::ErrorKind::WouldBlock.into());
        }
        let end = if self.at < self.cut {
            self.cut
        } else {
            self.document.len()
        };
        Ok(&self.document[self.at..end])
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

/// How many records had come when a pause was told.
#[derive(Default)]
struct Pauses {
    records: usize,
    at: Vec<usize>,
}

impl RecordSink for Pauses {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }
    fn record(&mut self, _record: &Record) -> Result<ControlFlow<()>> {
        self.records += 1;
        Ok(ControlFlow::Continue(()))
    }
    fn pause(&mut self) -> Result<()> {
        self.at.push(self.records);
        Ok(())
    }
}

/// Wherever the bytes pause, all records that were whole have been passed on; in JSON and in XML.
#[test]
fn a_pause_finds_every_whole_record_passed_on() {
    let json = r#"{"sessions":[{"a":1},{"a":"}"},{"a":[{"b":2}]}],"x":1}"#.as_bytes();
    let long = "y".repeat(9000);
    let xml = format!("<l><r><a>1</a></r><r><a>{long}</a></r><r><a>&lt;</a></r></l>");
    let ends = |document: &[u8], end: &[&str]| -> Vec<usize> {
        let text = String::from_utf8(document.to_vec()).unwrap();
        let mut from = 0;
        end.iter()
            .map(|end| {
                from += text[from..].find(end).unwrap() + end.len();
                from
            })
            .collect()
    };
    let json_ends = ends(json, &[r#"{"a":1}"#, r#""}"}"#, "}]}"]);
    let xml_ends = ends(xml.as_bytes(), &["</r>", "</r>", "</r>"]);
    let document = crate::record::xml::Document {
        shape: crate::record::xml::DocumentShape::Rows {
            row: "r",
            wrappers: &[],
        },
        ..crate::record::xml::Document::ANY
    };
    let pausing = |document, cut| Pausing {
        document,
        at: 0,
        cut,
        told: false,
    };
    for cut in 1..json.len() {
        let (sink, summary) = stream(pausing(json, cut), "sessions", Pauses::default());
        assert_eq!(summary.unwrap().rows, 3);
        let whole = json_ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(sink.at, [whole], "cut at {cut}");
    }
    let edges = (1..60).chain(8990..xml.len());
    for cut in edges {
        let source = pausing(xml.as_bytes(), cut);
        let (sink, summary) = crate::record::xml::stream(source, &document, Pauses::default());
        assert_eq!(summary.unwrap().rows, 3);
        let whole = xml_ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(sink.at, [whole], "cut at {cut}");
    }
}
