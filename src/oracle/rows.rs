//! The rows of a statement as they come, and what stops it: its time limit or a signal, of which
//! the server is told.

use std::time::Duration;

use tokio::time::Instant;

use super::answer::{End, Message, Row};
use super::column::{Column, ColumnKind};
use super::failure::{self, DatabaseError};
use super::session::{FIRST_ROWS, Session};
use super::statement;
use super::wait::{Came, Halt, Limits, OBEYING, Patience};
use crate::error::{Error, Kind};

/// Rows of each answer behind the first.
const MORE_ROWS: u32 = 1000;

/// A server that says so often something beside rows is held against the clock for each.
const MANY_ASIDES: u32 = 64;

/// Why a statement failed.
#[derive(Debug)]
pub enum Failure {
    /// The database refused it.
    Database(DatabaseError),
    /// The rest.
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Failure {
    /// For who asked.
    pub fn into_error(self, host: &str) -> Error {
        match self {
            Self::Database(error) => failure::of_database(host, &error),
            Self::Other(error) => error,
        }
    }

    /// Whether another session may be tried: the server ended this one.
    pub fn ends_the_session(&self) -> bool {
        match self {
            Self::Database(error) => error.ends_the_session(),
            Self::Other(error) => error.kind() == Kind::Connect,
        }
    }
}

/// The rows of a statement, one after the other.
pub struct Rows<'s> {
    pub(super) session: &'s mut Session,
    pub(super) limits: Limits,
    pub(super) allowed: Duration,
    pub(super) left: Duration,
    /// How the latest call ended.
    pub(super) ended: Option<End>,
    /// So many messages in a row brought nothing.
    pub(super) asides: u32,
}

impl Rows<'_> {
    /// The columns, none for what is no query.
    pub fn columns(&self) -> &[Column] {
        &self.session.answers.columns
    }

    /// The latest row.
    pub fn row(&self) -> &Row {
        &self.session.answers.row
    }

    /// How long the statement has kept us waiting so far.
    pub fn waited(&self) -> Duration {
        self.allowed.saturating_sub(self.left)
    }

    /// Whether a row can be had without waiting for the server.
    pub fn has_more_at_hand(&self) -> bool {
        self.session.wire.has_unread()
    }

    /// Waits for the next row: whether there is one.
    ///
    /// Errors: as [`Session::query`]'s.
    pub async fn next(&mut self) -> std::result::Result<bool, Failure> {
        loop {
            match &self.ended {
                None => {
                    if matches!(self.message("more rows").await?, Message::Row) {
                        return Ok(true);
                    }
                }
                Some(end) if end.exhausted || self.columns().is_empty() => return Ok(false),
                Some(_) => {
                    let Some(cursor) = self.session.cursor else {
                        return Ok(false);
                    };
                    let form = self.session.form();
                    let message = statement::fetch(form, cursor, MORE_ROWS);
                    self.session.answers.again();
                    self.call(&message, "more rows").await?;
                }
            }
        }
    }

    /// Waits until the columns are known; where some are LOBs, says in which form they are wanted.
    pub(super) async fn describe(&mut self) -> std::result::Result<(), Failure> {
        while self.ended.is_none() && self.columns().is_empty() {
            let _ = self.message("the statement").await?;
        }
        let unread = self.columns().iter().find_map(|column| match column.kind {
            ColumnKind::Other(number) => Some((column.name.clone(), number)),
            _ => None,
        });
        if let Some((name, number)) = unread {
            // Its rows could not be read either: what comes next is unknown.
            self.session.broken = true;
            let error = Error::usage(format!(
                "the column {name} is of a type that is not read here ({number})"
            ));
            return Err(error
                .hint("leave the column out, or make a text of it: TO_CHAR(column)")
                .into());
        }
        if !self.columns().iter().any(Column::is_lob) {
            return Ok(());
        }
        while self.ended.is_none() {
            let _ = self.message("the statement").await?;
        }
        if let Some(cursor) = self.session.cursor {
            let form = self.session.form();
            let columns = &self.session.answers.columns;
            let message = statement::define(form, cursor, columns, FIRST_ROWS);
            self.session.answers.defined = true;
            self.call(&message, "the statement").await?;
        }
        Ok(())
    }

    pub(super) async fn call(
        &mut self,
        message: &[u8],
        stage: &'static str,
    ) -> std::result::Result<(), Failure> {
        self.ended = None;
        let patience = Patience::until(stage, Instant::now() + self.left);
        match self.session.wire.send_message(message, &patience).await {
            Ok(()) => Ok(()),
            Err(halt) => Err(self.halted(halt, stage).await),
        }
    }

    async fn message(&mut self, stage: &'static str) -> std::result::Result<Message, Failure> {
        // Nearly every row is: nothing is waited for, and no clock is asked.
        let at_hand = if self.asides < MANY_ASIDES {
            self.session.message_at_hand()
        } else {
            Ok(None)
        };
        let message = match at_hand {
            Ok(Some(message)) => message,
            Ok(None) => self.await_message(stage).await?,
            Err(error) => return Err(self.halted(error.into(), stage).await),
        };
        self.asides = match &message {
            Message::Aside => self.asides.saturating_add(1),
            _ => 0,
        };
        if let Message::Ended(end) = &message {
            if end.cursor != 0 {
                self.session.cursor = Some(end.cursor);
            }
            let mut end = end.clone();
            if let Some(error) = end.error.take() {
                self.session.cursor = None;
                self.session.broken |= error.ends_the_session();
                return Err(Failure::Database(error));
            }
            self.ended = Some(end);
        }
        Ok(message)
    }

    async fn await_message(
        &mut self,
        stage: &'static str,
    ) -> std::result::Result<Message, Failure> {
        let began = Instant::now();
        let mut patience = Patience {
            stage,
            until: began + self.left,
            stopped: Some(&mut self.limits.stopped),
        };
        let message = self.session.message(&mut patience).await;
        self.left = self.left.saturating_sub(began.elapsed());
        match message {
            Ok(message) => Ok(message),
            Err(halt) => Err(self.halted(halt, stage).await),
        }
    }

    /// What stopped us stops the server too.
    async fn halted(&mut self, halt: Halt, stage: &'static str) -> Failure {
        let (kind, words) = match halt {
            Halt::Failed(error) => {
                self.session.broken = true;
                return Failure::Other(error);
            }
            Halt::Late => (
                Kind::TimedOut,
                format!("stopped after {:?}, the limit of a statement", self.allowed),
            ),
            Halt::Stopped(signal) => (Kind::Stopped(signal), "stopped".to_owned()),
        };
        let obeyed = self.stop_the_server().await;
        self.session.broken |= !obeyed;
        let host = &self.session.host;
        let more = if obeyed {
            ""
        } else {
            "; it did not answer the interrupt"
        };
        let error = Error::new(kind, format!("{host}: {words} ({stage}{more})")).host(host.clone());
        Failure::Other(match kind {
            Kind::TimedOut => error.hint(
                "narrow the statement (--since), or allow more time with --timeout (at most 60s)",
            ),
            _ => error,
        })
    }

    /// Interrupts what runs; whether the server obeyed.
    async fn stop_the_server(&mut self) -> bool {
        let until = Instant::now() + OBEYING;
        let wire = &mut self.session.wire;
        if wire.interrupt(until).await.is_err() {
            return false;
        }
        let mut patience = Patience::until("the interrupt", until);
        loop {
            match wire.more(&mut patience).await {
                Ok(Came::Data) => {}
                Ok(Came::Reset) => break,
                Err(_) => return false,
            }
        }
        self.session.answers.again();
        loop {
            match self.session.message(&mut patience).await {
                Ok(Message::Ended(_)) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }

    /// Stops a statement whose other rows nobody wants.
    pub async fn abandon(self) {
        if self.ended.is_none() {
            // The rows of this answer are on their way; no more are asked for.
            let mut rows = self;
            let until = Instant::now() + rows.left;
            while rows.ended.is_none() && rows.message("more rows").await.is_ok() {
                if Instant::now() >= until {
                    rows.session.broken = true;
                    break;
                }
            }
        }
    }
}
