//! `netapi ise dc sql`: any SELECT, its rows streamed.

use std::ops::ControlFlow;
use std::path::Path;

use clap::Args;

use super::data_connect::{DataConnect, StatementFailure, TakeRows, only_shows};
use super::question::passes_on;
use super::rows::Layout;
use crate::cli::Context;
use crate::cli::context::RecordOutput;
use crate::error::{Error, Result};
use crate::files;
use crate::oracle::{Column, Row};
use crate::record::{Fields, Record, RecordSink};
use crate::render::Shape;

/// Rows where nobody said how many and they are not passed on as they come.
const USUAL_ROWS: u64 = 1000;

/// No statement is longer.
const LONGEST: u64 = 1 << 20;

/// Arguments.
#[derive(Args, Debug)]
#[command(
    before_help = "\
Examples:
  netapi ise dc sql 'SELECT * FROM node_list'
  netapi ise dc sql 'SELECT name, ip_mask FROM network_devices' --json
  netapi ise dc sql report.sql --format csv > report.csv",
    after_help = "\
One statement runs at a time; it is stopped after 15 seconds (--timeout, at most
60s), as with Ctrl-C. A terminal shows 1,000 rows unless --limit says otherwise.
Always bound the time: TIMESTAMP is the node's own clock, SYSDATE - 1 a day ago.
Times with a zone are printed in UTC, numbers as the decimal text that they are."
)]
pub(crate) struct Sql {
    /// The statement, a file that holds it, or '-' for standard input
    #[arg(value_name = "SELECT|FILE|-", value_hint = clap::ValueHint::FilePath)]
    statement: String,
    /// With columns of type CLOB and BLOB too, which are long and slow
    #[arg(long)]
    wide: bool,
}

impl Sql {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let sql = statement(context, &self.statement)?;
        only_shows(context, &sql)?;
        let mut database = DataConnect::open(context).await?;
        let mut printer = Printer::new(context, self.wide);
        let outcome = database.run(&sql, &[], &mut printer).await;
        database.close().await;
        let outcome = outcome.map_err(|failure| {
            show_where(context, &sql, &failure);
            failure.error
        });
        printer.end(outcome, "no rows")
    }
}

/// The statement that was given in one of three ways.
fn statement(context: &Context, given: &str) -> Result<String> {
    let text = if given == "-" {
        context.stdin_text("statement", LONGEST)?
    } else if is_statement(given) {
        given.to_owned()
    } else {
        let path = Path::new(given);
        let read = files::read(path, "statement", LONGEST)?;
        files::text(&read.bytes, path, "statement")?.into_owned()
    };
    let sql = without_end(text.trim());
    if u64::try_from(sql.len()).unwrap_or(u64::MAX) > LONGEST {
        return Err(Error::usage("the statement is over 1 MiB"));
    }
    let first = first_word(sql);
    if !["select", "with"]
        .iter()
        .any(|word| first.eq_ignore_ascii_case(word))
    {
        return Err(Error::usage(format!(
            "a statement begins with SELECT or WITH, and this one with '{first}': Data Connect only reads"
        ))
        .hint("in quotes: netapi ise dc sql 'SELECT * FROM node_list'; else the name of a file that there is"));
    }
    Ok(sql.to_owned())
}

/// Whether it is no name of a file: there is none, and names seldom have what statements have.
fn is_statement(given: &str) -> bool {
    let has = |sign: &str| given.contains(sign);
    let looks_so = given.trim().contains(char::is_whitespace) || has("/*") || has("(");
    looks_so && !Path::new(given).exists()
}

/// A statement without the semicolons and comments at its end, which the server does not take.
fn without_end(sql: &str) -> &str {
    let mut rest = sql;
    let mut end = 0;
    while let Some(first) = rest.chars().next() {
        let (length, is_text) = part(rest, first);
        rest = rest.get(length..).unwrap_or_default();
        if is_text {
            end = sql.len() - rest.len();
        }
    }
    sql.get(..end).unwrap_or(sql)
}

/// How long the part is that a statement begins with, in bytes, and whether it is more than space,
/// a comment or a semicolon.
fn part(sql: &str, first: char) -> (usize, bool) {
    let until = |begin: usize, end: &str| {
        let found = sql.get(begin..).and_then(|rest| rest.find(end));
        found.map(|at| begin + at + end.len())
    };
    let quoted = |begin, end: &str| (until(begin, end).unwrap_or(sql.len()), true);
    if sql.starts_with("--") {
        return (until(2, "\n").unwrap_or(sql.len()), false);
    }
    if sql.starts_with("/*") {
        let end = until(2, "*/");
        return (end.unwrap_or(sql.len()), end.is_none());
    }
    if first.is_alphabetic() {
        let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '#');
        let length = sql.find(|c| !word(c)).unwrap_or(sql.len());
        // q'[it's]'
        let (name, behind) = sql.split_at(length);
        let mut behind = behind.chars();
        let has_delimiter = matches!(name, "q" | "Q" | "nq" | "NQ" | "Nq" | "nQ");
        if let (true, Some('\''), Some(open)) = (has_delimiter, behind.next(), behind.next()) {
            let close = match open {
                '[' => ']',
                '(' => ')',
                '{' => '}',
                '<' => '>',
                other => other,
            };
            return quoted(length + 1 + open.len_utf8(), &format!("{close}'"));
        }
        return (length, true);
    }
    match first {
        '\'' => quoted(1, "'"),
        '"' => quoted(1, "\""),
        ';' => (1, false),
        space => (space.len_utf8(), !space.is_whitespace()),
    }
}

/// The first word behind comments and parentheses.
fn first_word(sql: &str) -> &str {
    let mut rest = sql.trim_start();
    loop {
        let behind = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, rest)| rest)
        } else if let Some(inside) = rest.strip_prefix('(') {
            inside
        } else {
            break;
        };
        rest = behind.trim_start();
    }
    let word = rest.split(|c: char| !c.is_ascii_alphanumeric()).next();
    word.unwrap_or_default()
}

/// The line of the statement that the server points into, and a caret below.
fn show_where(context: &Context, sql: &str, failure: &StatementFailure) {
    let offset = failure.told.as_ref().and_then(|told| told.offset);
    let Some((before, _)) = offset.and_then(|offset| sql.split_at_checked(offset)) else {
        return;
    };
    if context.global.errors_as_json() {
        return;
    }
    let (begin, end) = (
        before.rfind('\n').map_or(0, |at| at + 1),
        sql.get(before.len()..).and_then(|rest| rest.find('\n')),
    );
    let end = end.map_or(sql.len(), |length| before.len() + length);
    let line = sql.get(begin..end).unwrap_or_default();
    let column = before.get(begin..).unwrap_or_default().chars().count();
    // A long line is cut to what stands around.
    let skipped = column.saturating_sub(60);
    let near: String = line.chars().skip(skipped).take(76).collect();
    let near = near.replace('\t', " ");
    let caret = " ".repeat(column - skipped);
    let near = crate::sanitize::terminal_safe(&near);
    context.reporter.pass_on(&format!("  {near}"));
    context.reporter.pass_on(&format!("  {caret}^"));
}

/// Prints a result whose columns come with it.
struct Printer<'c> {
    context: &'c Context,
    output: Option<(RecordOutput, Layout)>,
    record: Record,
    left: Option<u64>,
    cut: bool,
    /// With long texts and bytes.
    wide: bool,
}

impl<'c> Printer<'c> {
    fn new(context: &'c Context, wide: bool) -> Self {
        let all = context.global.limit.is_some() || passes_on(context);
        Self {
            context,
            output: None,
            record: Record::Fields(Fields::new()),
            left: (!all).then_some(USUAL_ROWS),
            cut: false,
            wide,
        }
    }

    /// Ends the list; says that it was cut.
    fn end(self, outcome: Result<()>, nothing: &str) -> Result<()> {
        let Some((output, _)) = self.output else {
            return outcome;
        };
        self.context.end_list(output, outcome, nothing)?;
        if self.cut {
            self.context.reporter.warn(&format!(
                "these are the first {USUAL_ROWS} rows, and there are more: --limit N"
            ));
        }
        Ok(())
    }
}

impl TakeRows for Printer<'_> {
    fn begin(&mut self, columns: &[Column]) -> Result<()> {
        let mut layout = Layout::of(columns);
        let long = if self.wide {
            Vec::new()
        } else {
            layout.leave_out_long()
        };
        if !long.is_empty() {
            let names = long.join(", ");
            if layout.is_empty() {
                return Err(Error::usage(format!(
                    "all columns are long texts or bytes (CLOB, BLOB): {names}"
                ))
                .hint("--wide prints them"));
            }
            self.context.warn_once(&format!(
                "left out, as they are long texts or bytes (CLOB, BLOB): {names}; --wide prints them"
            ));
        }
        let output = self
            .context
            .output_of("rows", layout.columns(), Shape::List)?;
        let (mut output, layout) = (output, layout);
        output.begin(None)?;
        self.output = Some((output, layout));
        Ok(())
    }

    fn row(&mut self, row: &Row) -> Result<ControlFlow<()>> {
        if self.left == Some(0) {
            self.cut = true;
            return Ok(ControlFlow::Break(()));
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        let Some((output, layout)) = &mut self.output else {
            return Ok(ControlFlow::Break(()));
        };
        layout.fill(row, &mut self.record);
        output.record(&self.record)
    }

    fn pause(&mut self) -> Result<()> {
        match &mut self.output {
            Some((output, _)) => output.pause(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{first_word, is_statement, without_end};

    #[test]
    fn the_first_word_stands_behind_comments() {
        for (sql, word) in [
            ("SELECT 1", "SELECT"),
            ("  -- all\n/* of */ select 1", "select"),
            ("((WITH a AS", "WITH"),
            ("delete from x", "delete"),
            ("-- nothing", ""),
            ("/* open", ""),
        ] {
            assert_eq!(first_word(sql), word, "{sql}");
        }
    }

    #[test]
    fn what_stands_behind_the_last_semicolon_is_passed_over() {
        for (sql, end) in [
            ("SELECT 1 FROM dual;\n-- all of it\n", "SELECT 1 FROM dual"),
            ("SELECT 1 FROM dual ; /* a */ ;", "SELECT 1 FROM dual"),
            ("SELECT 1 FROM dual -- it's", "SELECT 1 FROM dual"),
            ("SELECT ';--' FROM dual;", "SELECT ';--' FROM dual"),
            ("SELECT 'it''s; -- ' ", "SELECT 'it''s; -- '"),
            ("SELECT q'[it's; -- ]';", "SELECT q'[it's; -- ]'"),
            ("SELECT \"a;\" FROM t;", "SELECT \"a;\" FROM t"),
            ("SELECT 1; SELECT 2;", "SELECT 1; SELECT 2"),
            ("SELECT 'open ;", "SELECT 'open ;"),
            ("SELECT 1 /* open ;", "SELECT 1 /* open ;"),
            ("SELECT 6/2-1 é;", "SELECT 6/2-1 é"),
            (";;", ""),
        ] {
            assert_eq!(without_end(sql), end, "{sql}");
        }
    }

    #[test]
    fn what_looks_like_a_statement_is_one_unless_a_file_is_called_so() {
        for (given, is_one) in [
            ("SELECT 1 FROM dual", true),
            ("SELECT/**/1/**/FROM/**/dual", true),
            ("delete from t", true),
            ("select.sql", false),
            ("./with-posture.sql", false),
        ] {
            assert_eq!(is_statement(given), is_one, "{given}");
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("my select (all).sql");
        let path = path.to_str().unwrap();
        assert!(is_statement(path));
        std::fs::write(path, "SELECT 1 FROM dual").unwrap();
        assert!(!is_statement(path));
    }
}
