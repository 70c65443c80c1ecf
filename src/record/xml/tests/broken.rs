//! Documents that break off, are none, never end, or cannot be read.

use std::io::{BufReader, Read};

use super::*;

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
fn a_record_is_bounded_by_its_size_and_not_by_its_number_of_members() {
    // ISE's system summary: one element with thousands of members, nested and repeated.
    let members: Vec<String> = (0..20_000)
        .map(|n| format!("<row><server>psn-{n}</server><cpu>{n}</cpu></row><m{n}>1</m{n}>"))
        .collect();
    let text = format!(
        "<sessionParameters>{}</sessionParameters>",
        members.concat()
    );
    let (lines, outcome) = read(&text, &ONE);
    outcome.unwrap();
    let record: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(record["row"].as_array().unwrap().len(), 20_000);
    assert_eq!(record["row"][19_999]["server"], "psn-19999");
    assert_eq!(record["m19999"], "1");
    let error = failure(
        &format!("<sessionParameters>{}", "<a>x</a>".repeat(200_000)),
        &ONE,
    );
    assert!(error.message().contains("more than 16 MiB"), "{error}");
}

#[test]
fn elements_nest_to_the_one_bound() {
    let deep = |levels: usize| {
        let open = "<a>".repeat(levels - 1);
        let close = "</a>".repeat(levels - 1);
        format!("<sessionParameters>{open}{close}</sessionParameters>")
    };
    let (lines, outcome) = read(&deep(MAX_DEPTH), &ONE);
    outcome.unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&lines[0]).is_ok());
    let error = failure(&deep(MAX_DEPTH + 1), &ONE);
    assert!(
        error.message().contains("nested deeper than 100"),
        "{error}"
    );
}

#[test]
fn a_hundred_thousand_open_elements_are_refused() {
    let error = failure(&"<activeList>".repeat(100_000), &LIST);
    assert!(
        error.message().contains("nested deeper than 100"),
        "{error}"
    );
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
