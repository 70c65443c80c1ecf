//! The stream reader against whole and odd documents; broken and hostile ones, sinks and properties
//! are in files of their own.

mod broken;
mod properties;
mod sinks;

use std::io::{BufRead, Read};

use super::*;

const LIST: Document = Document {
    name: "the list",
    roots: &["activeList"],
    shape: DocumentShape::Rows {
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
    shape: DocumentShape::Single,
    keep: &["id"],
    announced: None,
    exact: false,
    details: true,
    foreign: |_, _| None,
};

/// Records as JSON lines, and the outcome.
fn read_from(reader: impl BufRead, document: &Document) -> (Vec<String>, Result<XmlSummary>) {
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

fn read(text: &str, document: &Document) -> (Vec<String>, Result<XmlSummary>) {
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
        XmlSummary {
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
