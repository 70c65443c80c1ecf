//! What a filter makes, on its way out: JSON that every reader takes, and nothing nested so deep
//! that writing it would end the process.

use jaq_json::{Num, Val};

use super::DEEPEST;
use crate::error::{Error, Kind, Result};
use crate::record::write_json_string;
use crate::render::{Screen, pretty};
use crate::sanitize::terminal_safe_lines;

/// Appends a value: a text bare, anything else as JSON; on a terminal safe for it.
pub(super) fn print(value: &Val, screen: Screen, out: &mut Vec<u8>) -> Result<()> {
    if let Val::TStr(text) = value {
        if screen.terminal {
            out.extend_from_slice(terminal_safe_lines(&String::from_utf8_lossy(text)).as_bytes());
        } else {
            out.extend_from_slice(text);
        }
        return Ok(());
    }
    if is_deeper(value, DEEPEST) {
        return Err(Error::new(
            Kind::Expression,
            format!("--jq: the expression makes a value nested deeper than {DEEPEST} levels"),
        ));
    }
    if screen.terminal {
        let mut text = Vec::new();
        push_json(value, &mut text);
        pretty::write(&String::from_utf8_lossy(&text), 0, screen.color, out);
    } else {
        push_json(value, out);
    }
    Ok(())
}

/// Whether a value is nested deeper than `most`; it calls nothing for each level, so that any depth
/// is found.
fn is_deeper(value: &Val, most: usize) -> bool {
    let mut open = vec![(value, 1)];
    while let Some((value, depth)) = open.pop() {
        let inside = |value: &&Val| matches!(value, Val::Arr(_) | Val::Obj(_));
        if inside(&value) && depth > most {
            return true;
        }
        let deeper = |value| (value, depth + 1);
        match value {
            Val::Arr(list) => open.extend(list.iter().filter(inside).map(deeper)),
            Val::Obj(members) => {
                let all = members.iter().flat_map(|(key, value)| [key, value]);
                open.extend(all.filter(inside).map(deeper));
            }
            _ => {}
        }
    }
    false
}

/// Appends a value that is not too deep as compact JSON. Members whose name is no text, and bytes,
/// which only the library's superset has, become texts.
fn push_json(value: &Val, out: &mut Vec<u8>) {
    let text = |bytes: &[u8], out: &mut Vec<u8>| {
        write_json_string(&String::from_utf8_lossy(bytes), out);
    };
    match value {
        Val::Null => out.extend_from_slice(b"null"),
        Val::Bool(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        Val::Num(Num::Float(number)) if number.is_nan() => out.extend_from_slice(b"null"),
        Val::Num(Num::Float(number)) => {
            let number = Num::Float(number.clamp(f64::MIN, f64::MAX));
            out.extend_from_slice(number.to_string().as_bytes());
        }
        Val::Num(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Val::BStr(bytes) | Val::TStr(bytes) => text(bytes, out),
        Val::Arr(list) => {
            out.push(b'[');
            for (index, item) in list.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                push_json(item, out);
            }
            out.push(b']');
        }
        Val::Obj(members) => {
            out.push(b'{');
            for (index, (key, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                if let Val::TStr(name) = key {
                    text(name, out);
                } else {
                    let mut name = Vec::new();
                    push_json(key, &mut name);
                    text(&name, out);
                }
                out.push(b':');
                push_json(member, out);
            }
            out.push(b'}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::JqFilter;
    use super::*;

    fn printed(code: &str, json: &str) -> Result<String> {
        let screen = Screen {
            terminal: false,
            width: 80,
            color: false,
        };
        let mut out = Vec::new();
        JqFilter::compile(code)?.run(json.as_bytes(), |value| print(value, screen, &mut out))?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_json_has_not_is_written_as_jq_does() {
        for (code, json) in [
            ("nan", "null"),
            ("[nan, -nan]", "[null,null]"),
            ("infinite", "1.7976931348623157e308"),
            ("{a: -infinite}", r#"{"a":-1.7976931348623157e308}"#),
            ("1/0", "1.7976931348623157e308"),
            (
                "[1.10, 12345678901234567890123, 1.5, 3.0, \"\\u0000é\"]",
                "[1.10,12345678901234567890123,1.5,3.0,\"\\u0000é\"]",
            ),
            ("{(\"a\"): 1}", r#"{"a":1}"#),
            ("\"NaN\" | fromjson", "null"),
            ("[[], {}]", "[[],{}]"),
        ] {
            let text = printed(code, "0").unwrap();
            assert_eq!(text, json, "{code}");
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
        }
    }

    #[test]
    fn a_value_that_is_too_deep_is_an_error_and_no_end_of_the_process() {
        let deep = std::thread::Builder::new()
            .stack_size(crate::render::JQ_STACK)
            .spawn(|| {
                for code in [
                    "reduce range(100000) as $i (.; [.])",
                    "reduce range(100000) as $i (.; {a: .})",
                    "reduce range(109) as $i (.; [.])",
                ] {
                    let error = printed(code, "0").unwrap_err();
                    assert_eq!(error.kind(), Kind::Expression);
                    assert!(error.message().contains("deeper than"), "{error}");
                }
                printed("reduce range(108) as $i (.; [.])", "0").unwrap();
                printed("reduce range(100000) as $i (.; [.]) | length", "0").unwrap();
            });
        deep.unwrap().join().unwrap();
    }

    #[test]
    fn a_definition_that_never_stops_calling_itself_is_an_error() {
        let deep = std::thread::Builder::new()
            .stack_size(crate::render::JQ_STACK)
            .spawn(|| {
                for code in [
                    "def f: [f]; f",
                    "def f: {a: f}; f",
                    "def f: 1 + f; f",
                    "def f: (f | .), 1; f",
                    "def f($x): f($x + 1) + 1; f(0)",
                    "def f: def g: [f]; g; f",
                    "def f: \"\\(f)\"; f",
                    "def f: -f; f",
                    "def f: if f then 1 else 2 end; f",
                    "def f: reduce f as $x (0; 1); f",
                    "def f: first(f); f",
                ] {
                    let error = printed(code, "null").unwrap_err();
                    assert_eq!(error.kind(), Kind::Expression, "{code}");
                    let said = error.message();
                    assert!(said.contains("calls itself too deep"), "{code}: {said}");
                }
                for (code, value) in [
                    ("def f: if . < 20000 then . + 1 | f else . end; f", "20000"),
                    (
                        "def f: if . < 2000 then [. + 1 | f] else . end; f | flatten",
                        "[2000]",
                    ),
                    ("last(limit(100000; repeat(1)))", "1"),
                    ("[limit(3; recurse(. + 1))]", "[0,1,2]"),
                    ("def f: ., (.[]? | f); [[1], 2] | [f]", "[[[1],2],[1],1,2]"),
                    (
                        "def f: ., (.[]? | f); [[1], 2] | [path(f)]",
                        "[[],[0],[0,0],[1]]",
                    ),
                    (
                        "def f: if isarray then .[] | f else . end; [[1], 2] | f |= . + 1",
                        "[[2],3]",
                    ),
                    ("[[1, [2]]] | walk(if isnumber then . + 1 end)", "[[2,[3]]]"),
                    (
                        "def fac: if . < 2 then 1 else . * (. - 1 | fac) end; 5 | fac",
                        "120",
                    ),
                ] {
                    assert_eq!(printed(code, "0").unwrap(), value, "{code}");
                }
            });
        deep.unwrap().join().unwrap();
    }

    proptest::proptest! {
        /// What the filter leaves alone has the same value afterwards.
        #[test]
        fn any_json_goes_through(text in proptest::prelude::any::<String>(), number in proptest::prelude::any::<f64>(), name in proptest::prelude::any::<String>()) {
            let value = serde_json::json!({name: [text, {"n": number}, [], null, true], "x": 1});
            let back: serde_json::Value = serde_json::from_str(&printed(".", &value.to_string()).unwrap()).unwrap();
            proptest::prop_assert_eq!(back, value);
        }
    }
}
