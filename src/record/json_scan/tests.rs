//! The grammar against serde's, and the bounds.

use super::*;
use proptest::prelude::*;

/// The whole of `text` as one value, with the delimiter that a value inside a document always
/// has after it.
fn accepts(text: &str) -> bool {
    let document = format!("{text},");
    Scanner::default().resume(document.as_bytes()) == Ok(Some(text.trim_end().len()))
}

#[test]
fn the_grammar_is_serde_jsons() {
    for text in [
        "0",
        "-0",
        "1.10",
        "1e9",
        "1E+9",
        "-1.5e-7",
        "01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "-",
        "--1",
        "0x1",
        "true",
        "tru",
        "True",
        "null",
        "nul",
        "nullx",
        r#""""#,
        r#""a\nb""#,
        r#""\u00e9""#,
        r#""\u00g9""#,
        r#""\x""#,
        "\"a\tb\"",
        "\"\u{7f}\"",
        "{}",
        "[]",
        "[,]",
        "[1,]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{1:2}",
        "{]",
        "[}",
        "[[]]",
        "{\"a\":{}}",
        "{\"a\":[1,{\"b\":null}]}",
        " 1",
        "{ \"a\" : [ ] }",
        "[1}",
        "{\"a\":1]",
    ] {
        let serde = serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
        assert_eq!(accepts(text), serde, "{text}");
    }
}

#[test]
fn the_bound_is_the_one_that_is_said() {
    assert!(TOO_DEEP.contains(&format!(" {MAX_DEPTH} ")));
    let deep = |levels: usize| {
        format!(
            r#"{{"a":"[\"[","b":{}{}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    for (levels, over) in [(99, false), (100, true)] {
        let text = deep(levels);
        assert_eq!(Nesting::default().is_over(MAX_DEPTH, text.as_bytes()), over);
        // In any cuts.
        let mut nesting = Nesting::default();
        let pieces = text.as_bytes().chunks(3);
        assert_eq!(
            pieces
                .into_iter()
                .any(|piece| nesting.is_over(MAX_DEPTH, piece)),
            over
        );
    }
}

#[test]
fn depth_is_bounded_where_serde_can_still_parse() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(accepts(&deep(100)));
    assert!(serde_json::from_str::<serde_json::Value>(&deep(100)).is_ok());
    assert!(!accepts(&deep(101)));
    assert_eq!(
        Scanner::default().resume("[".repeat(100_000).as_bytes()),
        Err(Fault {
            at: 100,
            what: "nesting over the bound of 100 levels"
        })
    );
}

proptest! {
    #[test]
    fn any_text_is_judged_as_serde_judges_it(text in r#"[\[\]{}:,"\\ a0-9eE.+\-tfnu]{0,24}"#) {
        let serde = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
        prop_assert_eq!(accepts(&text), serde, "{}", text);
    }

    #[test]
    fn resuming_at_any_byte_changes_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..64), text in r#"[\[\]{}:,"\\ a0-9e.]{0,40}"#) {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let whole = Scanner::default().resume(bytes);
            let mut scanner = Scanner::default();
            let mut last = Ok(None);
            for end in 0..=bytes.len() {
                last = scanner.resume(&bytes[..end]);
                if last != Ok(None) {
                    break;
                }
            }
            prop_assert_eq!(last, whole);
        }
    }
}
