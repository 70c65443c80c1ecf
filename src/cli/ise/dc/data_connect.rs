//! A statement from here to the node and its rows back: which node it is, the logon, the guards,
//! and one new session where the node ended the old one.

use std::ops::ControlFlow;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;

use super::control::Control;
use super::guard::Guard;
use crate::authority::Authority;
use crate::cli::Context;
use crate::cli::context::write_out;
use crate::cli::long_running::Signals;
use crate::error::{Error, Kind, Result};
use crate::oracle::{
    Bind, Column, DatabaseError, Failure, Limits, Row, ServerFacts, Session, SessionOptions,
    of_database,
};
use crate::settings::DataConnectSettings;
use crate::transport::Client;

/// Keeps the database from running one statement on several processors.
const NOT_PARALLEL: &str = "ALTER SESSION DISABLE PARALLEL QUERY";

/// Who takes a result.
pub(super) trait TakeRows {
    /// The columns are known: once, before the rows.
    fn begin(&mut self, columns: &[Column]) -> Result<()>;

    /// One row; `Break`: no more are wanted.
    fn row(&mut self, row: &Row) -> Result<ControlFlow<()>>;

    /// More rows are awaited.
    fn pause(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The database of one node, logged on to when the first statement comes.
pub(super) struct DataConnect<'c> {
    context: &'c Context,
    client: Client,
    options: SessionOptions,
    guard: Guard,
    session: Option<Session>,
    limits: Limits,
}

/// Why a statement failed, for who shows where.
pub(super) struct StatementFailure {
    /// For who asked.
    pub(super) error: Error,
    /// What the database said, where it did.
    pub(super) told: Option<DatabaseError>,
}

impl From<Error> for StatementFailure {
    fn from(error: Error) -> Self {
        Self { error, told: None }
    }
}

impl From<StatementFailure> for Error {
    fn from(failure: StatementFailure) -> Self {
        failure.error
    }
}

impl<'c> DataConnect<'c> {
    /// Finds the node and waits for our turn at it; nothing is sent to its database yet.
    pub(super) async fn open(context: &'c Context) -> Result<Self> {
        let settings = context.settings.data_connect()?;
        let client = context.client(context.client_options(&settings.connection, false))?;
        let stopped = listen()?;
        let mut asked_to_stop = stopped.clone();
        let opening = async {
            let node = node(context, &settings).await?;
            let guard = Guard::take(context, &node, &settings.user).await?;
            Ok::<_, Error>((node, guard))
        };
        let (node, guard) = tokio::select! {
            biased;
            signal = signal(&mut asked_to_stop) => return Err(ended_by(signal)),
            opened = opening => opened?,
        };
        Ok(Self {
            context,
            client,
            guard,
            session: None,
            options: SessionOptions {
                node,
                service: settings.service,
                user: settings.user,
                password: settings.password,
                connect_timeout: settings.connection.connect_timeout,
            },
            limits: Limits {
                statement: settings.statement_limit,
                stopped,
            },
        })
    }

    /// The node, for messages.
    pub(super) fn host(&self) -> String {
        self.options.node.to_string()
    }

    /// Runs a statement and hands its rows to `taker`. A session that the node ended is opened anew
    /// once, as long as no row has come.
    pub(super) async fn run(
        &mut self,
        sql: &str,
        binds: &[Bind],
        taker: &mut dyn TakeRows,
    ) -> std::result::Result<(), StatementFailure> {
        self.wait_for_share().await?;
        let kept = self.session.is_some();
        match self.once(sql, binds, taker).await {
            Err((failure, false)) if failure.ends_the_session() => {
                self.session = None;
                // What ended a session that had just begun would end the next one too.
                let lost = matches!(&failure, Failure::Database(_)) || kept;
                if !lost {
                    return Err(self.explain(failure));
                }
                let again = self.once(sql, binds, taker).await;
                again.map_err(|(failure, _)| self.explain(failure))
            }
            outcome => outcome.map_err(|(failure, _)| self.explain(failure)),
        }
    }

    /// The failure, and whether rows had come.
    async fn once(
        &mut self,
        sql: &str,
        binds: &[Bind],
        taker: &mut dyn TakeRows,
    ) -> std::result::Result<(), (Failure, bool)> {
        let session = self
            .session()
            .await
            .map_err(|error| (error.into(), false))?;
        let limits = self.limits.clone();
        let session = self.session.insert(session);
        let mut rows = match session.query(sql, binds, &limits).await {
            Ok(rows) => rows,
            Err(failure) => {
                let busy = limits.statement.min(failure_time(&failure, &limits));
                let _ = self.guard.note(busy, Timestamp::now());
                return Err((failure, false));
            }
        };
        let outcome = take(&mut rows, taker).await;
        let busy = rows.waited();
        if matches!(outcome, Ok(false)) {
            rows.abandon().await;
        }
        let noted = self.guard.note(busy, Timestamp::now());
        match outcome {
            Ok(_) => noted.map_err(|error| (error.into(), true)),
            Err(failure) => Err((failure, true)),
        }
    }

    fn explain(&self, failure: Failure) -> StatementFailure {
        let host = self.host();
        match failure {
            Failure::Database(told) => StatementFailure {
                error: of_database(&host, &told),
                told: Some(told),
            },
            Failure::Other(error) => error.into(),
        }
    }

    /// What the server says of itself; logs on for it.
    pub(super) async fn facts(&mut self) -> Result<ServerFacts> {
        let session = self.session().await?;
        Ok(self.session.insert(session).facts().clone())
    }

    /// The session that there is, or a new one.
    async fn session(&mut self) -> Result<Session> {
        if let Some(session) = self.session.take() {
            return Ok(session);
        }
        self.guard.may_log_on(&self.options.password)?;
        let mut stopped = self.limits.stopped.clone();
        let opened = tokio::select! {
            biased;
            signal = signal(&mut stopped) => return Err(ended_by(signal)),
            opened = Session::open(&self.client, &self.options) => opened,
        };
        let mut session = match opened {
            Ok(session) => session,
            Err(failure) => {
                if failure.refused {
                    let why = failure.error.message();
                    let why = why.rsplit(": ").next().unwrap_or(why).to_owned();
                    self.guard.remember_refusal(&self.options.password, &why)?;
                }
                return Err(failure.error);
            }
        };
        self.guard.forget_refusal()?;
        for warning in &session.facts().warnings {
            self.context.warn_once(warning);
        }
        // A server that does not know it runs statements all the same.
        match session.query(NOT_PARALLEL, &[], &self.limits).await {
            Ok(rows) => rows.abandon().await,
            Err(Failure::Database(_)) => {}
            Err(failure) => return Err(failure.into_error(&self.options.node.to_string())),
        }
        Ok(session)
    }

    async fn wait_for_share(&self) -> Result<()> {
        let pause = self.guard.pause(Timestamp::now());
        if pause.is_zero() {
            return Ok(());
        }
        let seconds = pause.as_secs() + 1;
        self.context.reporter.step(&format!(
            "waiting {seconds} s: statements may keep {} busy for a tenth of the time",
            self.host()
        ));
        let mut stopped = self.limits.stopped.clone();
        tokio::select! {
            signal = signal(&mut stopped) => Err(ended_by(signal)),
            () = sleep(pause) => Ok(()),
        }
    }

    /// Ends the session in good order, and our turn.
    pub(super) async fn close(self) {
        if let Some(session) = self.session {
            session.close().await;
        }
    }
}

/// Whether all rows were wanted.
async fn take(
    rows: &mut crate::oracle::Rows<'_>,
    taker: &mut dyn TakeRows,
) -> std::result::Result<bool, Failure> {
    taker.begin(rows.columns())?;
    while rows.next().await? {
        if taker.row(rows.row())?.is_break() {
            return Ok(false);
        }
        if !rows.has_more_at_hand() {
            taker.pause()?;
        }
    }
    Ok(true)
}

/// How long a statement that failed before its rows kept the node busy, as far as it is known.
fn failure_time(failure: &Failure, limits: &Limits) -> std::time::Duration {
    match failure {
        Failure::Other(error) if error.kind() == Kind::TimedOut => limits.statement,
        _ => std::time::Duration::ZERO,
    }
}

/// The node that runs Data Connect: what is set, what ISE names, or the Monitoring node.
async fn node(context: &Context, settings: &DataConnectSettings) -> Result<Authority> {
    if let Some(node) = &settings.node {
        return Ok(node.clone());
    }
    let asked = match Control::new(context) {
        Ok(control) => control.node().await,
        Err(error) => Err(error),
    };
    match asked {
        Ok(node) => Ok(node),
        Err(error) if matches!(error.kind(), Kind::Usage | Kind::NotSent | Kind::Stopped(_)) => {
            Err(error)
        }
        Err(error) => {
            let monitoring = context.settings.administration_node()?;
            context.reporter.step(&format!(
                "ISE does not say which node runs Data Connect ({error}): {} is tried",
                monitoring.host()
            ));
            Ok(Authority::new(monitoring.host(), settings.port))
        }
    }
}

/// Shows a statement instead of sending it, where that is asked for.
pub(super) fn only_shows(context: &Context, sql: &str) -> Result<()> {
    if context.global.curl {
        return Err(Error::usage(
            "--curl has nothing to print: statements go to a database, not over HTTP",
        )
        .hint("--dry-run prints the statement"));
    }
    if context.global.dry_run {
        write_out(&format!("{}\n", crate::sanitize::terminal_safe_lines(sql)))?;
        return Err(Error::new(Kind::NotSent, "shown and not sent"));
    }
    Ok(())
}

/// Hears Ctrl-C and the like, so that the server is told before the program ends.
fn listen() -> Result<watch::Receiver<i32>> {
    let (tell, told) = watch::channel(0);
    let mut signals = Signals::listen()?;
    tokio::spawn(async move {
        let signal = signals.stopped().await;
        let _ = tell.send(signal);
        // Whoever waits for more keeps hearing.
        tell.closed().await;
    });
    Ok(told)
}

async fn signal(stopped: &mut watch::Receiver<i32>) -> i32 {
    match stopped.wait_for(|signal| *signal != 0).await {
        Ok(signal) => *signal,
        Err(_) => std::future::pending().await,
    }
}

fn ended_by(signal: i32) -> Error {
    Error::new(Kind::Stopped(signal), "stopped before the statement")
}
