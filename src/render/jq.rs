//! `--jq EXPR`: a built-in jq over the JSON that `--format json` would write, so it works where no
//! jq is installed.
//!
//! The filter sees the whole document, a list's array, as jq users expect (`.[].mac`, `length`);
//! that holds the list, within a bound. With `--format jsonl` it sees one object after the other
//! and holds nothing. Texts are printed raw, as gh does. The environment is not there (`env`,
//! `$ENV` are undefined), nothing is read (`input`, `import`), and `halt` ends the output, not the
//! process.
//!
//! What goes out is JSON: not a number is `null` and infinity the largest number, as in jq. A value
//! nested deeper than the filter may be given is an error. The library calls itself for each level
//! of a value; its thread has [`JQ_STACK`](super::JQ_STACK) for that. A definition that calls itself
//! without end is an error too (`recursion`).

mod recursion;

use std::io::Write;

use jaq_core::data::JustLut;
use jaq_core::load::parse::Def;
use jaq_core::load::{Arena, File, Loader, lex, parse};
use jaq_core::{Compiler, Ctx, Vars, compile, load};
use jaq_json::{Num, Val, read};

use super::column::Chosen;
use super::json::{Frame, write_members};
use super::output::{Body, BufferedOutput};
use super::{Screen, pretty};
use crate::error::{Error, Kind, Result};
use crate::record::scan::Nesting;
use crate::record::{MAX_DEPTH, Record, without_halves, write_json_string};
use crate::sanitize::terminal_safe_lines;

/// Bytes of JSON that the filter may be given at once. With the values made of them they take ten
/// times their room (measured: 277 MB for the 28 MB of 100,000 sessions).
const MOST_BYTES: usize = 256 << 20;
/// Nesting that the filter may be given, and of what it makes; jaq reads recursively. A record, and
/// what stands around it.
const DEEPEST: usize = MAX_DEPTH + 8;

/// How much of a filter's complaint is told: it holds the value it failed on, which may be the
/// whole list.
const MOST_WORDS: usize = 200;

/// What jq has and jaq's library lacks.
const FORMATS: &str = r#"
def @csv: [.[] | if isstring then "\"" + (split("\"") | join("\"\"")) + "\"" elif . == null then "" else tostring end] | join(",");
def @tsv: [.[] | if isstring then
    (split("\\") | join("\\\\")) | (split("\t") | join("\\t")) | (split("\n") | join("\\n")) | (split("\r") | join("\\r"))
  elif . == null then "" else tostring end] | join("\t");
"#;

/// The definition that holds the whole expression.
const EXPRESSION: &str = "netapi_expression";

/// A compiled expression.
pub(super) struct Filter(jaq_core::Filter<JustLut<Val>>);

impl Filter {
    /// Compiles; an error says where in the expression it is.
    pub(super) fn compile(code: &str) -> Result<Self> {
        let definitions = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs())
            .chain(load::parse(FORMATS, |parser| parser.defs()).unwrap_or_default())
            .map(recursion::watched);
        // `env` would put every secret of the environment within a filter's reach.
        let functions = jaq_core::funs()
            .chain(jaq_std::funs())
            .chain(jaq_json::funs())
            .filter(|(name, ..)| *name != "env")
            .chain([recursion::function()]);
        let arena = Arena::default();
        let definitions: Vec<_> = definitions.collect();
        let load = |code, definitions: Vec<_>| {
            Loader::new(definitions).load(&arena, File { code, path: () })
        };
        let mut modules = load(code, definitions.clone())
            .map_err(|errors| not_compiled(code, first_load_error(&errors)))?;
        // What the loader made of the expression cannot be changed, but a definition can.
        if let Some(body) = load::parse(code, |parser| parser.term()) {
            let expression = Def {
                name: EXPRESSION,
                args: Vec::new(),
                body,
            };
            let all = definitions
                .into_iter()
                .chain([recursion::watched(expression)]);
            modules = load(EXPRESSION, all.collect())
                .map_err(|errors| not_compiled(code, first_load_error(&errors)))?;
        }
        Compiler::default()
            .with_funs(functions)
            .compile(modules)
            .map(Self)
            .map_err(|errors| not_compiled(code, first_compile_error(&errors)))
    }

    fn run(&self, json: &[u8], mut each: impl FnMut(&Val) -> Result<()>) -> Result<Halted> {
        if Nesting::default().is_over(DEEPEST, json) {
            return Err(Error::new(
                Kind::Expression,
                format!("the JSON is nested deeper than the {DEEPEST} levels that --jq takes"),
            ));
        }
        let input = parsed(json).map_err(|error| {
            Error::new(
                Kind::Expression,
                format!("--jq cannot read the JSON: {error}"),
            )
        })?;
        recursion::begin();
        let context = Ctx::<JustLut<Val>>::new(&self.0.lut, Vars::new([]));
        for output in self.0.id.run((context, input)) {
            match output {
                Ok(value) => each(&value)?,
                Err(exception) => return stopped(exception).map_err(|error| about(error, json)),
            }
        }
        Ok(Halted(false))
    }
}

/// The value that the filter is given. Half a surrogate pair is no reason to give it nothing, as in
/// `record::read_json`.
fn parsed(json: &[u8]) -> std::result::Result<Val, String> {
    read::parse_single(json).or_else(|error| {
        let mended = std::str::from_utf8(json).ok().and_then(without_halves);
        mended
            .and_then(|json| read::parse_single(json.as_bytes()).ok())
            .ok_or_else(|| error.to_string())
    })
}

/// Who wrote the filter for one object after the other has forgotten the array around them.
fn about(error: Error, json: &[u8]) -> Error {
    if error.kind() == Kind::Expression && json.starts_with(b"[") {
        return error
            .hint("the expression sees one array: begin with '.[] |', or add --format jsonl");
    }
    error
}

/// Whether the filter asked to end.
struct Halted(bool);

fn stopped(exception: jaq_core::Exn<'_, Val>) -> Result<Halted> {
    let failed = |kind, what: String| Err(Error::new(kind, format!("--jq: {what}")));
    match exception.get_err() {
        Ok(error) => {
            let said = error.to_string().replace(['\n', '\r'], " ");
            let mut words: String = said.chars().take(MOST_WORDS).collect();
            if words.len() < said.len() {
                words.push('…');
            }
            failed(Kind::Expression, words)
        }
        Err(exception) => match exception.get_halt() {
            Ok(0) => Ok(Halted(true)),
            Ok(status) => failed(
                Kind::Failed,
                format!("the filter halted with status {status}"),
            ),
            Err(_) => failed(Kind::Failed, "the filter broke out of no label".to_owned()),
        },
    }
}

/// What was wrong and the part of the expression where it was.
type Complaint<'c> = (String, &'c str);

fn not_compiled(code: &str, complaint: Option<Complaint<'_>>) -> Error {
    let Some((what, part)) = complaint else {
        return Error::usage("the --jq expression is wrong");
    };
    // The part is a slice of the code, so what lies before it is what is left of its address.
    let before = (part.as_ptr() as usize)
        .checked_sub(code.as_ptr() as usize)
        .and_then(|at| code.get(..at))
        .filter(|_| !part.is_empty())
        .unwrap_or(code);
    let position = before.chars().count() + 1;
    Error::usage(format!(
        "the --jq expression is wrong at character {position}: {what}"
    ))
    .hint("see jq's manual, for example --jq '.[].calling_station_id'")
}

fn first_load_error<'c>(errors: &load::Errors<&'c str, ()>) -> Option<Complaint<'c>> {
    errors.iter().find_map(|(_, error)| match error {
        load::Error::Io(list) => list
            .first()
            .map(|(part, what)| (format!("cannot import '{part}': {what}"), *part)),
        load::Error::Lex(list) => list.first().map(lex_error),
        load::Error::Parse(list) => list.first().map(parse_error),
    })
}

fn lex_error<'c>((expected, part): &lex::Error<&'c str>) -> Complaint<'c> {
    (format!("expected {}", expected.as_str()), part)
}

fn parse_error<'c>((expected, part): &parse::Error<&'c str>) -> Complaint<'c> {
    (format!("expected {}", expected.as_str()), part)
}

fn first_compile_error<'c>(errors: &compile::Errors<&'c str, ()>) -> Option<Complaint<'c>> {
    errors.iter().find_map(|(_, list)| {
        list.first()
            .map(|(part, what)| (format!("no such {}: {part}", what.as_str()), *part))
    })
}

/// Runs the filter over what the JSON would have been.
pub(super) struct Jq<W> {
    output: BufferedOutput<W>,
    filter: Filter,
    members: Option<Vec<Chosen>>,
    frame: Frame,
    screen: Screen,
    document: Vec<u8>,
    most_bytes: usize,
    halted: bool,
}

impl<W: Write> Jq<W> {
    /// `frame` says whether the filter sees one array or each object.
    pub(super) fn new(
        output: BufferedOutput<W>,
        filter: Filter,
        members: Option<Vec<Chosen>>,
        frame: Frame,
        screen: Screen,
    ) -> Self {
        Self {
            output,
            filter,
            members,
            frame,
            screen,
            document: Vec::new(),
            most_bytes: MOST_BYTES,
            halted: false,
        }
    }

    /// Filters what the document holds.
    fn filter(&mut self) -> Result<()> {
        if self.halted {
            return Ok(());
        }
        let (output, screen) = (&mut self.output, self.screen);
        let halted = self.filter.run(&self.document, |value| {
            print(value, screen, &mut output.buffer)?;
            output.buffer.push(b'\n');
            output.line_end()
        })?;
        self.halted = halted.0;
        Ok(())
    }
}

fn print(value: &Val, screen: Screen, out: &mut Vec<u8>) -> Result<()> {
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

impl<W: Write + Send> Body for Jq<W> {
    fn record(&mut self, record: &Record) -> Result<()> {
        let whole = self.frame == Frame::Array;
        if whole {
            self.document
                .push(if self.document.is_empty() { b'[' } else { b',' });
        } else {
            self.document.clear();
        }
        write_members(record, self.members.as_deref(), &mut self.document);
        if self.document.len() > self.most_bytes {
            return Err(Error::new(
                Kind::Failed,
                format!(
                    "the list is too long for --jq to hold: over {} MiB of JSON",
                    self.most_bytes >> 20
                ),
            )
            .hint(
                "add --format jsonl, which filters one object after the other, or narrow the list",
            ));
        }
        if whole { Ok(()) } else { self.filter() }
    }

    fn pause(&mut self) -> Result<()> {
        self.output.flush()
    }

    /// A filter over half a list would tell something untrue, so a list that broke off is not
    /// filtered.
    fn end(&mut self, whole: bool) -> Result<()> {
        if whole && self.frame == Frame::Array {
            if self.document.is_empty() {
                self.document.push(b'[');
            }
            self.document.push(b']');
            self.filter()?;
        }
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(code: &str, json: &str) -> Result<Vec<String>> {
        let mut outputs = Vec::new();
        Filter::compile(code)?.run(json.as_bytes(), |value| {
            outputs.push(value.to_string());
            Ok(())
        })?;
        Ok(outputs)
    }

    #[test]
    fn numbers_keep_their_spelling() {
        assert_eq!(run(".[].v", r#"[{"v":1.10}]"#).unwrap(), ["1.10"]);
        assert_eq!(run("length", "[1,2]").unwrap(), ["2"]);
    }

    fn printed(code: &str, json: &str) -> Result<String> {
        let screen = Screen {
            terminal: false,
            width: 80,
            color: false,
        };
        let mut out = Vec::new();
        Filter::compile(code)?.run(json.as_bytes(), |value| print(value, screen, &mut out))?;
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
            .stack_size(super::super::JQ_STACK)
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
            .stack_size(super::super::JQ_STACK)
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

    #[test]
    fn rows_as_csv_and_tsv() {
        let json = r#"["a\"b", "t\tb\\", 1.50, null, true]"#;
        let one = |code| match Filter::compile(code)
            .unwrap()
            .run(json.as_bytes(), |value| {
                let Val::TStr(text) = value else { panic!() };
                assert_eq!(
                    &**text,
                    if code == "@csv" {
                        &b"\"a\"\"b\",\"t\tb\\\",1.50,,true"[..]
                    } else {
                        &b"a\"b\tt\\tb\\\\\t1.50\t\ttrue"[..]
                    }
                );
                Ok(())
            }) {
            Ok(Halted(false)) => (),
            _ => panic!("{code}"),
        };
        one("@csv");
        one("@tsv");
    }

    #[test]
    fn a_wrong_expression_says_where() {
        for (code, position, word) in [
            (".a | nope", 6, "filter"),
            (".[] | select(", 14, "parenthesis"),
            ("é | $x", 1, "token"),
            (".a | $x", 6, "variable"),
        ] {
            let error = run(code, "1").unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            let text = error.message().to_owned();
            assert!(text.contains(&format!("character {position}:")), "{text}");
            assert!(text.contains(word), "{text}");
        }
    }

    #[test]
    fn the_environment_is_out_of_reach_and_nothing_ends_us() {
        for code in ["env", "$ENV", "input", "inputs", r#"import "x" as x; 1"#] {
            assert_eq!(run(code, "1").unwrap_err().kind(), Kind::Usage, "{code}");
        }
        assert_eq!(run("1, halt, 2", "0").unwrap(), ["1"]);
        assert_eq!(run("halt_error", "0").unwrap_err().kind(), Kind::Failed);
        assert_eq!(
            run("error(\"x\")", "0").unwrap_err().kind(),
            Kind::Expression
        );
        let list = format!("[{}1]", r#""é","#.repeat(10_000));
        let error = run(".a", &list).unwrap_err();
        assert!(error.message().chars().count() < 220, "{error}");
        assert!(error.message().ends_with('…'), "{error}");
        assert!(error.hint_text().unwrap().contains("'.[] |'"));
        assert_eq!(run(".a", "1").unwrap_err().hint_text(), None);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(run(".", &deep).unwrap_err().kind(), Kind::Expression);
    }
}
