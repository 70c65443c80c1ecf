//! What is done with statements: understood, run, described, their rows fetched in slices.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Action, Session};
use crate::lab::data_connect::answer::{self, NO_MORE_ROWS, Rows};
use crate::lab::data_connect::request::{Execute, Reexecute, Variable};
use crate::lab::data_connect::sql::value::Value;
use crate::lab::data_connect::sql::{self, Query, SqlError, Statement, Step};
use crate::lab::data_connect::stage::Stage;
use crate::lab::data_connect::ttc::Writer;
use crate::lab::faults::FaultKind;

/// The most statements that a session has open.
const MOST_CURSORS: usize = 300;
/// So many rows are looked at before the connection is looked at again, so that an interrupt is
/// seen at once; what is ready of them is sent, so that the client has work meanwhile.
const SLICE: usize = 125;
/// How long a statement of fault `dc-slow` takes.
const SLOW: Duration = Duration::from_mins(1);

/// A statement that the session has open.
pub(super) struct Cursor {
    pub(super) statement: Arc<Statement>,
    kinds: Vec<u8>,
    defines: Option<Vec<u8>>,
    pub(super) query: Option<Query>,
    rows: Rows,
    count: u64,
}

impl Cursor {
    /// Whether rows may be sent: a client must say first as what it wants a LOB.
    fn is_defined(&self) -> bool {
        self.defines.is_some() || !self.statement.columns().iter().any(|one| one.kind.is_lob())
    }
}

/// Rows that are being fetched.
pub(super) struct Job {
    cursor: u64,
    wanted: usize,
    with_parameters: bool,
    has_head: bool,
    out: Writer,
}

impl Session {
    fn world(&self, now: Timestamp) -> sql::World {
        self.shared.world(now, self.zone_minutes)
    }

    pub(super) fn execute(&mut self, execute: Execute, now: Timestamp) {
        if !self.passes(Stage::Execute) {
            return;
        }
        let mut out = Writer::default();
        let cursor = match &execute.sql {
            None => execute.cursor,
            Some(text) => match self.open(text, now) {
                Err(error) => return self.fail(&error),
                Ok(cursor) => cursor,
            },
        };
        let field_version = self.field_version;
        let Some(open) = self.cursors.get_mut(&cursor) else {
            return self.fail(&SqlError::new(1001, "invalid cursor"));
        };
        if execute.sql.is_some() && open.statement.is_query() {
            answer::describe(open.statement.columns(), field_version, &mut out);
        }
        if let Some(defines) = execute.defines {
            if let Err(error) = check_defines(&open.statement, &defines) {
                return self.fail(&error);
            }
            open.rows = Rows::new(open.statement.columns(), Some(&defines));
            open.defines = Some(defines);
        }
        if execute.runs {
            open.kinds = execute.binds.iter().map(|bind| bind.kind).collect();
            if let Err(error) = self.run(cursor, &execute.binds, now) {
                return self.fail(&error);
            }
        }
        let wanted = if execute.fetches { execute.rows } else { 0 };
        self.answer_with_rows(cursor, wanted, true, out);
    }

    pub(super) fn reexecute(&mut self, again: Reexecute, now: Timestamp) {
        if !self.passes(Stage::Execute) {
            return;
        }
        let Some(open) = self.cursors.get(&again.cursor) else {
            return self.fail(&SqlError::new(1001, "invalid cursor"));
        };
        let binds: Vec<Variable> = open
            .kinds
            .iter()
            .zip(again.binds)
            .map(|(kind, value)| Variable { kind: *kind, value })
            .collect();
        if let Err(error) = self.run(again.cursor, &binds, now) {
            return self.fail(&error);
        }
        let wanted = if again.fetches { again.rows } else { 0 };
        self.answer_with_rows(again.cursor, wanted, true, Writer::default());
    }

    pub(super) fn fetch(&mut self, cursor: u64, rows: usize) {
        if !self.passes(Stage::Fetch) {
            return;
        }
        let is_open = self
            .cursors
            .get(&cursor)
            .is_some_and(|open| open.query.is_some());
        if !is_open {
            return self.fail(&SqlError::new(1002, "fetch out of sequence"));
        }
        self.answer_with_rows(cursor, rows, false, Writer::default());
    }

    /// Understands a statement; its cursor.
    fn open(&mut self, text: &[u8], now: Timestamp) -> Result<u64, SqlError> {
        let text = String::from_utf8_lossy(text).into_owned();
        let statement = Statement::parse(&text, &self.world(now));
        let code = statement.as_ref().err().map_or(0, |error| error.code);
        self.note("EXECUTE", text, code);
        let statement = Arc::new(statement?);
        if self.cursors.len() >= MOST_CURSORS {
            return Err(SqlError::new(1000, "maximum open cursors exceeded"));
        }
        let cursor = self.next_cursor;
        self.next_cursor = self.next_cursor % 60_000 + 1;
        let open = Cursor {
            rows: Rows::new(statement.columns(), None),
            statement,
            kinds: Vec::new(),
            defines: None,
            query: None,
            count: 0,
        };
        self.cursors.insert(cursor, open);
        Ok(cursor)
    }

    /// Begins a statement's rows.
    fn run(&mut self, cursor: u64, binds: &[Variable], now: Timestamp) -> Result<(), SqlError> {
        if self.has(FaultKind::DcSessionLimit, "execute") {
            self.actions.push(Action::Close);
            return Err(SqlError::new(
                2399,
                "exceeded maximum connect time, you are being logged off",
            ));
        }
        let world = self.world(now);
        let Some(open) = self.cursors.get_mut(&cursor) else {
            return Err(SqlError::new(1001, "invalid cursor"));
        };
        let binds: Option<Vec<Value>> = binds
            .iter()
            .map(|bind| Value::decoded(bind.kind, bind.value.as_deref()))
            .collect();
        let binds = binds.ok_or_else(|| SqlError::unknown("this kind of bind"))?;
        if let Some(minutes) = open.statement.time_zone() {
            self.zone_minutes = Some(minutes);
        }
        open.query = open.statement.run(binds, &world)?;
        open.rows = Rows::new(open.statement.columns(), open.defines.as_deref());
        open.count = 0;
        Ok(())
    }

    /// Fetches up to `wanted` rows, as far as they may be sent, and ends the answer.
    fn answer_with_rows(&mut self, cursor: u64, wanted: usize, with_parameters: bool, out: Writer) {
        let open = self.cursors.get(&cursor);
        let may_send = open.is_some_and(|open| open.query.is_some() && open.is_defined());
        self.job = Some(Job {
            cursor,
            wanted: if may_send { wanted } else { 0 },
            with_parameters,
            has_head: false,
            out,
        });
        let text = open.map_or("", |open| open.statement.text());
        if with_parameters && self.has(FaultKind::DcSlow, text) {
            return self.actions.push(Action::Wait(SLOW));
        }
        self.work();
    }

    /// A slice of the job; at its end the answer.
    pub(super) fn work(&mut self) {
        let Some(mut job) = self.job.take() else {
            return;
        };
        let Some(open) = self.cursors.get_mut(&job.cursor) else {
            return;
        };
        let mut budget = SLICE;
        let mut failure = None;
        let mut is_at_end = false;
        while job.wanted > 0 {
            let Some(query) = &mut open.query else {
                break;
            };
            match query.step(&mut budget) {
                Ok(Step::Row(values)) => {
                    if !std::mem::replace(&mut job.has_head, true) {
                        Rows::head(&mut job.out);
                    }
                    open.rows.row(&values, &mut job.out);
                    open.count += 1;
                    job.wanted -= 1;
                    // Between rows of a real server comes this now and then.
                    if open.count % 97 == 3 {
                        answer::transaction_id(open.count, &mut job.out);
                    }
                }
                Ok(Step::Busy) => {
                    if !job.out.bytes.is_empty() {
                        self.send_part(&std::mem::take(&mut job.out));
                    }
                    self.job = Some(job);
                    return self.actions.push(Action::Wait(Duration::ZERO));
                }
                Ok(Step::End) => {
                    is_at_end = true;
                    break;
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        if let Some(error) = failure {
            open.query = None;
            return self.fail(&error);
        }
        let is_query = open.statement.is_query();
        let count = open.count;
        let end = (is_at_end && is_query).then(|| SqlError::new(NO_MORE_ROWS, "no data found"));
        if job.with_parameters {
            answer::parameters(&mut job.out);
        }
        answer::end(
            end.as_ref(),
            job.cursor,
            count,
            self.field_version,
            &mut job.out,
        );
        self.send(job.out);
    }
}

fn check_defines(statement: &Statement, defines: &[u8]) -> Result<(), SqlError> {
    let columns = statement.columns();
    if defines.len() != columns.len() {
        return Err(SqlError::new(1007, "variable not in select list"));
    }
    for (column, define) in columns.iter().zip(defines) {
        if column.kind.is_lob() && matches!(define, 112 | 113) {
            return Err(SqlError::unknown(
                "LOB locators: it sends a LOB to who defines it as LONG (fetch_lobs=False)",
            ));
        }
    }
    Ok(())
}
