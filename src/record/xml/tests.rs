//! The stream reader against whole, odd, broken and hostile documents.

use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;

const LIST: Document = Document {
    name: "the list",
    roots: &["activeList"],
    shape: Shape::Rows {
        row: "activeSession",
        wrappers: &["group"],
    },
    keep: &["key", "id"],
    announced: Some("noOfActiveSession"),
    exact: true,
    details: false,
    foreign: |root, fields| {
        fields.text("status").map(|status| {
            Error::new(Kind::Server, format!("{root} says {status}")).hint("envelope")
        })
    },
};

const ONE: Document = Document {
    name: "the session",
    roots: &["sessionParameters"],
    shape: Shape::Single,
    keep: &["id"],
    announced: None,
    exact: false,
    details: true,
    foreign: |_, _| None,
};

/// Records as JSON lines, and the outcome.
fn read_from(reader: impl BufRead, document: &Document) -> (Vec<String>, Result<Summary>) {
    let (sink, outcome) = stream(reader, document, Collect::default());
    let lines = sink
        .records
        .iter()
        .map(|record| {
            let mut out = Vec::new();
            record.write_json(&mut out);
            String::from_utf8(out).unwrap()
        })
        .collect();
    (lines, outcome)
}

fn read(text: &str, document: &Document) -> (Vec<String>, Result<Summary>) {
    read_from(text.as_bytes(), document)
}

fn rows(inner: &str) -> Vec<String> {
    let (lines, outcome) = read(&format!("<activeList>{inner}</activeList>"), &LIST);
    outcome.unwrap();
    lines
}

fn failure(text: &str, document: &Document) -> Error {
    read(text, document).1.unwrap_err()
}

#[test]
fn rows_become_records_in_order() {
    let text = "\u{feff}<?xml version=\"1.0\"?>\n<!-- hi --><activeList noOfActiveSession=\"3\">\n <activeSession><a>1</a><b/></activeSession> <link/>\n<activeSession><b>x</b><a></a></activeSession><activeSession/></activeList>\n<!-- bye -->\n";
    let (lines, outcome) = read(text, &LIST);
    assert_eq!(
        lines,
        [r#"{"a":"1","b":null}"#, r#"{"b":"x","a":null}"#, "{}"]
    );
    assert_eq!(
        outcome.unwrap(),
        Summary {
            announced: Some(3),
            rows: 3,
            stopped_early: false
        }
    );
}

#[test]
fn text_comes_in_pieces() {
    assert_eq!(
        rows(
            "<activeSession><u>a&amp;b<!-- c -->&#x41;&lt;<![CDATA[<x>&amp;]]>&#66;</u></activeSession>"
        ),
        [r#"{"u":"a&bA<<x>&amp;B"}"#]
    );
    // What a careless NAS sends: bare ampersands, references to no character.
    assert_eq!(
        rows("<activeSession><u>AT& T & x; &#0;&#xD800;&</u></activeSession>"),
        [format!(
            "{{\"u\":\"AT& T & x; {}{}&\"}}",
            '\u{fffd}', '\u{fffd}'
        )]
    );
}

#[test]
fn lists_nested_and_mixed_values() {
    assert_eq!(
        rows(
            "<activeSession><framed_ipv6_address>\n<ipv6_address></ipv6_address><ipv6_address> fe80::1</ipv6_address><ipv6_address>a&amp;b</ipv6_address>\n</framed_ipv6_address><x>\n<y>1</y> t <y>2</y><z><q/></z></x></activeSession>"
        ),
        [
            r##"{"framed_ipv6_address":["fe80::1","a&b"],"x":{"y":["1","2"],"#text":"t","z":{"q":null}}}"##
        ]
    );
    for empty in [
        "<framed_ipv6_address/>",
        "<framed_ipv6_address> </framed_ipv6_address>",
    ] {
        assert_eq!(
            rows(&format!("<activeSession>{empty}<a>\n</a></activeSession>")),
            [r#"{"framed_ipv6_address":[],"a":null}"#]
        );
    }
    assert_eq!(
        rows("<activeSession><a>1</a><b>2</b><a>3</a></activeSession>"),
        [r#"{"a":["1","3"],"b":"2"}"#]
    );
}

#[test]
fn prefixes_and_attributes() {
    assert_eq!(
        rows(
            "<n:group xmlns:n='u' key='A&amp;B'><n:activeSession id=\"7\"><n:a xsi:type=\"xs:boolean\">true</n:a></n:activeSession></n:group><activeSession><a/></activeSession>"
        ),
        [r#"{"key":"A&B","id":"7","a":"true"}"#, r#"{"a":null}"#]
    );
    let (lines, _) = read(
        "<sessionParameters id='1'><a>b</a></sessionParameters>",
        &ONE,
    );
    assert_eq!(lines, [r#"{"id":"1","a":"b"}"#]);
    // The announcing attribute makes a list of any root.
    assert!(read("<other noOfActiveSession='0'/>", &LIST).1.is_ok());
}

#[test]
fn details_are_decoded() {
    let (lines, _) = read(
        "<sessionParameters><response>{A=1; A=2; }</response><other_attr_string>:!:K=v</other_attr_string></sessionParameters>",
        &ONE,
    );
    assert_eq!(
        lines,
        [r#"{"response":{"A":["1","2"]},"other_attr_string":{"K":"v"}}"#]
    );
}

#[test]
fn invalid_utf8_is_replaced() {
    let mut bytes = b"<activeList><activeSession><u>J\xf6rg \xe2\x82".to_vec();
    bytes.extend_from_slice(b"</u></activeSession></activeList>");
    let (lines, outcome) = read_from(bytes.as_slice(), &LIST);
    outcome.unwrap();
    assert_eq!(lines, ["{\"u\":\"J\u{fffd}rg \u{fffd}\"}"]);
}

#[test]
fn what_broke_off_says_how_far_it_got() {
    let whole = "<activeList noOfActiveSession=\"2\"><activeSession><a>1</a></activeSession><activeSession><a>2</a></activeSession></activeList>";
    for end in 1..whole.len() {
        let error = failure(&whole[..end], &LIST);
        let expected = if end < "<activeList noOfActiveSession=\"2\">".len() {
            Kind::Malformed
        } else {
            Kind::Truncated
        };
        assert_eq!(error.kind(), expected, "{end}: {error}");
    }
    let (lines, outcome) = read(&whole[..whole.len() - 40], &LIST);
    assert_eq!(lines.len(), 1);
    assert_eq!(
        outcome.unwrap_err().message(),
        "the list broke off after 1 of 2 rows"
    );
    let error = failure("<sessionParameters><a>", &ONE);
    assert_eq!(error.kind(), Kind::Truncated);
    let short = "<activeList noOfActiveSession=\"2\"><activeSession/></activeList>";
    let (lines, outcome) = read(short, &LIST);
    assert_eq!(lines.len(), 1);
    let error = outcome.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Truncated, "the list: announced 2, sent 1")
    );
    assert!(
        read(&short.replace('2', "0"), &LIST).1.is_ok(),
        "an announced 0 is not believed"
    );
}

#[test]
fn what_is_no_document_is_malformed() {
    for (text, word) in [
        ("", "empty answer"),
        (" \n", "empty answer"),
        ("<?xml version='1.0'?>", "empty answer"),
        ("not xml", "not XML"),
        ("{\"a\":1}", "not XML"),
        ("<html><body>", "web page"),
        ("<!DOCTYPE html><html>", "web page"),
        ("<!doctype HTML PUBLIC \"x\">", "web page"),
        ("<HTML/>", "web page"),
        (
            "<!DOCTYPE a [<!ENTITY x \"y\">]><activeList/>",
            "document type",
        ),
        ("<activeList>&x;</activeList>", "unknown entity '&x;'"),
        ("<activeList><activeSession><a>&x;</a>", "unknown entity"),
        ("<activeList></activeLost>", "</activeList> was expected"),
        ("<activeList/>x", "follows"),
        ("<activeList/><activeList/>", "follows"),
        ("<activeList/></a>", "closes nothing"),
        ("<activeList><!x></activeList>", "markup"),
        (
            "<somethingElse><a/></somethingElse>",
            "<somethingElse>, not the list",
        ),
        ("<somethingElse><a>&x;<", "<somethingElse>, not the list"),
    ] {
        let error = failure(text, &LIST);
        assert_eq!(error.kind(), Kind::Malformed, "{text}: {error}");
        assert!(error.message().contains(word), "{text}: {error}");
    }
    let error = failure("<r><status>DOWN</status></r>", &LIST);
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Server, "r says DOWN")
    );
}

/// A reader that repeats a piece for ever, and remembers how much it gave.
struct Endless<'a> {
    head: &'a [u8],
    piece: &'a [u8],
    given: &'a mut u64,
}

impl Read for Endless<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let mut used = 0;
        while used < out.len() {
            if self.head.is_empty() {
                self.head = self.piece;
            }
            let length = self.head.len().min(out.len() - used);
            out[used..used + length].copy_from_slice(&self.head[..length]);
            self.head = &self.head[length..];
            used += length;
        }
        *self.given += used as u64;
        Ok(used)
    }
}

#[test]
fn what_never_ends_is_given_up_soon() {
    let row = "<activeList><activeSession>";
    for (head, piece) in [
        (format!("{row}<a>"), "x"),
        (format!("{row}<a>"), "&amp;"),
        (format!("{row}<a>"), "&"),
        (format!("{row}<a>"), "<![CDATA[x]]>"),
        (format!("{row}<a><!--"), "x"),
        (format!("{row}<a><![CDATA["), "x"),
        (format!("{row}<a b='"), "x"),
        (format!("{row}<"), "x"),
        (format!("{row}<a"), " b='c'"),
        (row.to_owned(), "<a/>"),
        (row.to_owned(), "<a>"),
        (row.to_owned(), "x<!---->"),
        ("<activeList>".to_owned(), "<a>"),
        (format!("{row}<framed_ipv6_address>"), "<i>x</i>"),
        (format!("{row}<x>"), "<i>x</i>"),
        ("<a>".to_owned(), "<b>x</b>"),
        (String::new(), " "),
        (String::new(), "<!-- x -->"),
        ("<!DOCTYPE a [".to_owned(), "<!ENTITY a 'b'>"),
    ] {
        let mut given = 0;
        let endless = Endless {
            head: head.as_bytes(),
            piece: piece.as_bytes(),
            given: &mut given,
        };
        let (_, outcome) = read_from(BufReader::with_capacity(16 << 10, endless), &LIST);
        assert_eq!(
            outcome.unwrap_err().kind(),
            Kind::Malformed,
            "{head}{piece}"
        );
        assert!(given < 16 << 20, "{head}{piece} took {given} bytes");
    }
}

#[test]
fn a_hundred_thousand_open_elements_are_refused() {
    let error = failure(&"<activeList>".repeat(100_000), &LIST);
    assert!(error.message().contains("nested deeper than 64"), "{error}");
}

#[test]
fn reading_errors_keep_their_kind_and_say_how_far() {
    struct Failing(usize, Option<std::io::Error>);
    impl Read for Failing {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let text = b"<activeList noOfActiveSession='9'><activeSession/>";
            if self.0 == text.len() {
                return Err(self.1.take().unwrap());
            }
            out[0] = text[self.0];
            self.0 += 1;
            Ok(1)
        }
    }
    let fact = Error::new(Kind::TimedOut, "h:443 sent nothing for 60 s").host("h:443");
    for (error, kind) in [
        (std::io::Error::other(fact), Kind::TimedOut),
        (std::io::ErrorKind::UnexpectedEof.into(), Kind::Truncated),
        (std::io::ErrorKind::ConnectionReset.into(), Kind::Connect),
    ] {
        let (lines, outcome) = read_from(BufReader::new(Failing(0, Some(error))), &LIST);
        let error = outcome.unwrap_err();
        assert_eq!((lines.len(), error.kind()), (1, kind));
        assert!(
            error
                .message()
                .starts_with("the list broke off after 1 of 9 rows: "),
            "{error}"
        );
    }
}

/// Keeps raw bytes; stops after `limit` records.
#[derive(Default)]
struct Raw {
    bytes: Vec<u8>,
    begun: Vec<Option<u64>>,
    records: u64,
    limit: u64,
}

impl RecordSink for Raw {
    fn begin(&mut self, announced: Option<u64>) -> Result<()> {
        self.begun.push(announced);
        Ok(())
    }
    fn record(&mut self, _record: &Record) -> Result<ControlFlow<()>> {
        self.records += 1;
        Ok(if self.records == self.limit {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }
    fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        assert_eq!(self.begun.len(), 1);
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
    fn wants_raw(&self) -> bool {
        true
    }
}

#[test]
fn raw_bytes_come_as_they_were_and_only_from_the_document_asked_for() {
    let text = b"\xef\xbb\xbf<?xml version='1.0'?> <activeList noOfActiveSession='1'><activeSession><u>\xff</u></activeSession></activeList>\n";
    for chunk in 1..20 {
        let reader = BufReader::with_capacity(chunk, text.as_slice());
        let (sink, outcome) = stream(reader, &LIST, Raw::default());
        outcome.unwrap();
        assert_eq!(sink.bytes, text);
        assert_eq!(sink.begun, [Some(1)]);
    }
    let (sink, outcome) = stream(b"<html>x</html>".as_slice(), &LIST, Raw::default());
    assert!(outcome.is_err());
    assert!(sink.bytes.is_empty() && sink.begun.is_empty());
}

#[test]
fn a_sink_can_stop() {
    let sink = Raw {
        limit: 2,
        ..Raw::default()
    };
    let mut given = 0;
    let endless = Endless {
        head: b"<activeList noOfActiveSession='1000000'>",
        piece: b"<activeSession><a>1</a></activeSession>",
        given: &mut given,
    };
    let (sink, outcome) = stream(BufReader::new(endless), &LIST, sink);
    let summary = outcome.unwrap();
    assert!(summary.stopped_early);
    assert_eq!((summary.rows, sink.records), (2, 2));
    assert!(given < 100_000);
}

/// Where the buffers of each record's texts lie.
#[derive(Default)]
struct Addresses(Vec<Vec<usize>>);

impl RecordSink for Addresses {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }
    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        let Record::Fields(fields) = record else {
            panic!("not fields")
        };
        let mut addresses = Vec::new();
        for (name, value) in fields.iter() {
            addresses.push(name.as_ptr().addr());
            addresses.extend(value.text().map(|text| text.as_ptr().addr()));
        }
        self.0.push(addresses);
        Ok(ControlFlow::Continue(()))
    }
}

#[test]
fn rows_after_the_first_reuse_its_buffers() {
    let row = "<activeSession><user_name>a&amp;b</user_name><server>psn</server><framed_ipv6_address><i>::1</i></framed_ipv6_address></activeSession>";
    let text = format!("<activeList>{}</activeList>", row.repeat(5));
    let (sink, outcome) = stream(text.as_bytes(), &LIST, Addresses::default());
    outcome.unwrap();
    assert_eq!(sink.0[0].len(), 6);
    assert!(sink.0.iter().all(|addresses| *addresses == sink.0[0]));
}

/// Pieces that documents are made of, so that random documents get past the first byte.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"<activeList noOfActiveSession='2'>".to_vec()),
        Just(b"<activeList>".to_vec()),
        Just(b"</activeList>".to_vec()),
        Just(b"<activeSession>".to_vec()),
        Just(b"</activeSession>".to_vec()),
        Just(b"<activeSession><u>J\xc3\xb6rg &amp; co</u><framed_ipv6_address><i> ::1</i></framed_ipv6_address></activeSession>".to_vec()),
        Just(b"<a>".to_vec()),
        Just(b"</a>".to_vec()),
        Just(b"<b x='>'/>".to_vec()),
        Just(b"<![CDATA[<&]]>".to_vec()),
        Just(b"<!-- > -->".to_vec()),
        Just(b"&amp;&#65;".to_vec()),
        Just(b"&".to_vec()),
        Just(b"<!".to_vec()),
        Just(b"\xef\xbb\xbf".to_vec()),
        Just(b"\xe2\x82\xac\xff\xf0\x9f".to_vec()),
        Just(b"text \n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_cut_gives_the_same(middle in pieces(), framed in any::<bool>(), chunk in 1usize..40) {
        let bytes = if framed {
            [b"<activeList><activeSession><a>".as_slice(), &middle, b"</a></activeSession></activeList>"].concat()
        } else {
            middle
        };
        let whole = read_from(bytes.as_slice(), &LIST);
        let cut = read_from(BufReader::with_capacity(chunk, bytes.as_slice()), &LIST);
        prop_assert_eq!(&whole.0, &cut.0);
        prop_assert_eq!(whole.1.map_err(|error| error.kind()), cut.1.map_err(|error| error.kind()));
    }

    #[test]
    fn what_is_written_is_read(values in proptest::collection::vec("[^\u{0}-\u{1f}\u{fffe}\u{ffff}]{0,12}", 1..12)) {
        let fields: Vec<String> = values.iter().enumerate().map(|(i, value)| format!("<f{i}>{}</f{i}>", quick_xml::escape::escape(value.as_str()))).collect();
        let text = fields.concat();
        let (sink, outcome) = stream(format!("<sessionParameters>{text}</sessionParameters>").as_bytes(), &ONE, Collect::default());
        outcome.unwrap();
        for (i, value) in values.iter().enumerate() {
            let expected = if value.bytes().all(|byte| byte == b' ') { "" } else { value };
            prop_assert_eq!(sink.records[0].text(&format!("f{i}")).unwrap_or_default(), expected);
        }
    }

    #[test]
    fn plain_fields_are_read_as_the_tokenizer_would(
        fields in proptest::collection::vec(("[a-c]|framed_ipv6_address|n:a|a-b", "[ x>é\\]]{0,4}|a&amp;b|<i>1</i>| <!---->y"), 0..8),
        layout in "[ \n]{0,2}|z",
    ) {
        let with = |close: &str| {
            let fields: Vec<String> = fields.iter().map(|(name, text)| format!("{layout}<{name}>{text}</{name}{close}>")).collect();
            let row = format!("<activeSession>{}</activeSession>", fields.concat());
            let (lines, outcome) = read(&format!("<activeList>{row}{row}</activeList>"), &LIST);
            (lines, outcome.map_err(|error| error.kind()))
        };
        // Only the tokenizer takes an end tag with a blank in it.
        prop_assert_eq!(with(""), with(" "));
    }
}
