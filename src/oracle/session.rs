//! A session with a database: statements run one after the other. How it comes about is in
//! `opening`, its rows are in `rows`.

use std::time::Duration;

use tokio::time::Instant;

use super::answer::{Answers, Message};
use super::packet;
use super::rows::{Failure, Rows};
use super::statement::{self, Bind, Form};
use super::wait::{Halt, Limits, Patience, Wire};

/// Rows of the first answer.
pub(super) const FIRST_ROWS: u32 = 200;

/// How long closing may take.
const CLOSING: Duration = Duration::from_millis(300);

/// What a server says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerFacts {
    /// `Oracle Database 19c …`, where it says so.
    pub version: String,
    /// Free text of the protocol's first message.
    pub banner: String,
    /// The protocol's version: 318 for 19c.
    pub protocol: u16,
    /// How many fields messages have.
    pub field_version: u8,
    /// Its character set by Oracle's number.
    pub character_set: u16,
    /// Its capabilities, in hexadecimal digits.
    pub compile_capabilities: String,
    /// The same of run time.
    pub runtime_capabilities: String,
    /// What it warned of at logon.
    pub warnings: Vec<String>,
}

/// A session that is logged on. One statement runs at a time.
pub struct Session {
    pub(super) wire: Wire,
    pub(super) answers: Answers,
    pub(super) facts: ServerFacts,
    pub(super) host: String,
    pub(super) form: Form,
    /// A statement that the server still keeps.
    pub(super) cursor: Option<u16>,
    /// Whether both sides may disagree about what comes next.
    pub(super) broken: bool,
}

impl Session {
    /// What the server says of itself.
    pub fn facts(&self) -> &ServerFacts {
        &self.facts
    }

    /// The form of the next message.
    pub(super) fn form(&mut self) -> Form {
        self.form.sequence = self.form.sequence.wrapping_add(1).max(1);
        self.form
    }

    /// The next message of the answer, if it is there whole.
    pub(super) fn message_at_hand(&mut self) -> crate::error::Result<Option<Message>> {
        let answers = &mut self.answers;
        self.wire.at_hand(|reader| answers.next(reader))
    }

    /// The next message of the answer.
    pub(super) async fn message(
        &mut self,
        patience: &mut Patience<'_>,
    ) -> std::result::Result<Message, Halt> {
        loop {
            let answers = &mut self.answers;
            let read = |reader: &mut super::reader::Reader<'_>| answers.next(reader);
            if let Some(message) = self.wire.read_one(patience, read).await? {
                return Ok(message);
            }
            self.answers.again();
        }
    }

    /// Runs a statement. LOBs come as long values.
    ///
    /// Errors: [`Failure::Database`] for what the database says of the statement, else those of a
    /// connection; [`Kind::TimedOut`](crate::error::Kind) and [`Kind::Stopped`](crate::error::Kind), after which the server was told.
    pub async fn query(
        &mut self,
        sql: &str,
        binds: &[Bind],
        limits: &Limits,
    ) -> std::result::Result<Rows<'_>, Failure> {
        let query = !is_command(sql);
        let mut rows = Rows {
            allowed: limits.statement,
            left: limits.statement,
            limits: limits.clone(),
            session: self,
            ended: None,
            asides: 0,
        };
        let message = rows.session.next_statement(sql, binds, query);
        rows.call(&message, "the statement").await?;
        rows.describe().await?;
        Ok(rows)
    }

    fn next_statement(&mut self, sql: &str, binds: &[Bind], query: bool) -> Vec<u8> {
        self.answers.begin();
        let mut message = super::writer::Writer::default();
        if let Some(cursor) = self.cursor.take() {
            let sequence = self.form().sequence;
            statement::close_cursor(&mut message, sequence, cursor);
        }
        let form = self.form();
        message.raw(&statement::execute(form, sql, binds, FIRST_ROWS, query));
        message.0
    }

    /// Ends the session in good order, as far as that takes no time.
    pub async fn close(mut self) {
        let until = Instant::now() + CLOSING;
        if !self.broken {
            let cursor = self.cursor.take();
            let form = self.form();
            let message = statement::close_and_log_off(form, cursor);
            let mut patience = Patience::until("the end", until);
            if self.wire.send_message(&message, &patience).await.is_ok() {
                let _ = self.message(&mut patience).await;
            }
            let _ = self.wire.send(&packet::write_end(), &patience).await;
        }
        self.wire.shut_down(until).await;
    }
}

/// Whether a statement is for the session and brings no rows.
fn is_command(sql: &str) -> bool {
    let first = sql.split_whitespace().next().unwrap_or_default();
    first.eq_ignore_ascii_case("alter")
}

#[cfg(test)]
mod tests {
    use super::is_command;

    #[test]
    fn only_what_is_for_the_session_brings_no_rows() {
        assert!(is_command("ALTER SESSION DISABLE PARALLEL QUERY"));
        // As a query all of it is described and fetched as python-oracledb does it.
        for sql in [
            "SELECT 1 FROM dual",
            "(select 1 FROM dual)",
            "-- all\nSELECT 1",
            "with a as",
        ] {
            assert!(!is_command(sql), "{sql}");
        }
    }
}
