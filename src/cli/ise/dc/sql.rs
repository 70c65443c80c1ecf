//! `netapi ise dc sql`: any SELECT, its rows streamed.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use clap::Args;

use super::data_connect::{DataConnect, StatementFailure, TakeRows, only_shows};
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
}

impl Sql {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let sql = statement(context, &self.statement)?;
        only_shows(context, &sql)?;
        print_statement(context, &sql, &[], "no rows").await
    }
}

/// Runs a statement and prints its rows.
pub(super) async fn print_statement(
    context: &Context,
    sql: &str,
    binds: &[crate::oracle::Bind],
    nothing: &str,
) -> Result<()> {
    let mut database = DataConnect::open(context).await?;
    let mut printer = Printer::new(context);
    let outcome = database.run(sql, binds, &mut printer).await;
    database.close().await;
    let outcome = outcome.map_err(|failure| {
        show_where(context, sql, &failure);
        failure.error
    });
    printer.end(outcome, nothing)
}

/// The statement that was given in one of three ways.
fn statement(context: &Context, given: &str) -> Result<String> {
    let text = if given == "-" {
        let mut text = String::new();
        let read = context.stdin()?.take(LONGEST + 1).read_to_string(&mut text);
        read.map_err(|error| {
            Error::usage(format!(
                "standard input cannot be read as a statement: {error}"
            ))
            .hint("it must be UTF-8 text")
        })?;
        text
    } else if given.trim().contains(char::is_whitespace) {
        given.to_owned()
    } else {
        let path = Path::new(given);
        let read = files::read(path, "statement", LONGEST)?;
        files::text(&read.bytes, path, "statement")?.into_owned()
    };
    let sql = text.trim().trim_end_matches(';').trim_end();
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
        .hint("in quotes: netapi ise dc sql 'SELECT * FROM node_list'"));
    }
    Ok(sql.to_owned())
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
pub(super) struct Printer<'c> {
    context: &'c Context,
    output: Option<(RecordOutput, Layout)>,
    record: Record,
    left: Option<u64>,
    cut: bool,
}

impl<'c> Printer<'c> {
    pub(super) fn new(context: &'c Context) -> Self {
        let held = context.global.sort.is_some()
            || context.global.jq.is_some()
            || !context.global.by.is_empty();
        let streams = !Context::on_terminal() && !held;
        let all = context.global.limit.is_some() || streams;
        Self {
            context,
            output: None,
            record: Record::Fields(Fields::new()),
            left: (!all).then_some(USUAL_ROWS),
            cut: false,
        }
    }

    /// Ends the list; says that it was cut.
    pub(super) fn end(self, outcome: Result<()>, nothing: &str) -> Result<()> {
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
        let layout = Layout::of(columns);
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
    use super::first_word;

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
}
