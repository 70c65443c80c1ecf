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
//! of a value; its thread has [`JQ_STACK`](super::JQ_STACK) for that. A definition that calls
//! itself without end is an error too (`recursion`).

mod recursion;
mod values;

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use jaq_core::data::JustLut;
use jaq_core::load::parse::Def;
use jaq_core::load::{Arena, File, Loader, lex, parse};
use jaq_core::{Compiler, Ctx, Vars, compile, load};
use jaq_json::{Val, read};

use super::Screen;
use super::column::Chosen;
use super::json::{Frame, write_members};
use super::output::{Body, BufferedOutput};
use crate::error::{Error, Kind, Result};
use crate::record::json_scan::Nesting;
use crate::record::{MAX_DEPTH, Record, without_halves};
use values::print;

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

/// A compiled expression, shared by its clones.
#[derive(Clone)]
pub struct JqFilter(Arc<jaq_core::Filter<JustLut<Val>>>);

impl fmt::Debug for JqFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JqFilter").finish_non_exhaustive()
    }
}

impl JqFilter {
    /// Compiles; an error says where in the expression it is.
    pub fn compile(code: &str) -> Result<Self> {
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
            .map(|filter| Self(Arc::new(filter)))
            .map_err(|errors| not_compiled(code, first_compile_error(&errors)))
    }

    /// What writes the filter's outputs. `frame` says whether it sees one array or each object.
    pub(super) fn body<W: Write + Send + 'static>(
        self,
        output: BufferedOutput<W>,
        members: Option<Vec<Chosen>>,
        frame: Frame,
        screen: Screen,
    ) -> Box<dyn Body> {
        Box::new(Jq {
            output,
            filter: self,
            members,
            frame,
            screen,
            document: Vec::new(),
            most_bytes: MOST_BYTES,
            halted: false,
        })
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
struct Jq<W> {
    output: BufferedOutput<W>,
    filter: JqFilter,
    members: Option<Vec<Chosen>>,
    frame: Frame,
    screen: Screen,
    document: Vec<u8>,
    most_bytes: usize,
    halted: bool,
}

impl<W: Write> Jq<W> {
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
        JqFilter::compile(code)?.run(json.as_bytes(), |value| {
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

    #[test]
    fn rows_as_csv_and_tsv() {
        let json = r#"["a\"b", "t\tb\\", 1.50, null, true]"#;
        let one = |code| match JqFilter::compile(code)
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
