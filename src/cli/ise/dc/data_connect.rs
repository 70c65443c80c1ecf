//! A statement from here to the node and its rows back: which node it is, the logon, the guards,
//! and one new session where the node ended the old one.

use std::ops::ControlFlow;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::control::Control;
use super::guard::Guard;
use crate::authority::Authority;
use crate::cli::Context;
use crate::cli::context::write_out;
use crate::cli::long_running::{first_stop, hear_first_stop};
use crate::error::{Error, Kind, Result};
use crate::oracle::{
    Bind, Column, DatabaseError, Failure, Limits, Row, ServerFacts, Session, SessionOptions,
    of_database,
};
use crate::settings::DataConnectSettings;
use crate::transport::Client;
use crate::unix::signals::{act_as_if_unhandled, is_listened_to};

/// Keeps the database from running one statement on several processors.
const NOT_PARALLEL: &str = "ALTER SESSION DISABLE PARALLEL QUERY";

/// How long it may take to tell the server and to end, once a signal came.
const GRACE: Duration = Duration::from_secs(3);

/// How long to wait for our turn at a node, and for its share of the time however long it takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long who asks beside other sources waits for either: an answer without history is better
/// than none.
const PATIENCE_BESIDE: Duration = Duration::from_secs(3);

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
    /// How long to wait for our turn.
    patience: Duration,
    /// Our turn at the node; `None` between two polls.
    guard: Option<Guard>,
    /// How long the node was busy with us since the last rest.
    busy: Duration,
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

impl StatementFailure {
    /// Whether the database said this error.
    pub(super) fn is(&self, number: u32) -> bool {
        self.told.as_ref().is_some_and(|told| told.number == number)
    }
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
        Self::open_within(context, PATIENCE).await
    }

    /// The same for who asks other sources too, and does not wait long for this one.
    pub(super) async fn open_beside(context: &'c Context) -> Result<Self> {
        Self::open_within(context, PATIENCE_BESIDE).await
    }

    async fn open_within(context: &'c Context, patience: Duration) -> Result<Self> {
        let settings = context.settings.data_connect()?;
        let client = context.client(context.client_options(&settings.connection, false))?;
        let stopped = listen()?;
        let mut asked_to_stop = stopped.clone();
        let opening = async {
            let node = node(context, &settings).await?;
            let guard = Guard::take(context, &node, &settings.user, patience).await?;
            Ok::<_, Error>((node, guard))
        };
        let (node, guard) = tokio::select! {
            biased;
            signal = first_stop(&mut asked_to_stop) => return Err(ended_by(signal)),
            opened = opening => opened?,
        };
        Ok(Self {
            context,
            client,
            patience,
            guard: Some(guard),
            busy: Duration::ZERO,
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
        only_shows(self.context, sql)?;
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
        let session = self.session().await.map_err(|failure| (failure, false))?;
        let limits = self.limits.clone();
        let session = self.session.insert(session);
        let began = Instant::now();
        let mut rows = match session.query(sql, binds, &limits).await {
            Ok(rows) => rows,
            Err(failure) => {
                // What was stopped or refused kept the node busy all the same.
                let busy = began.elapsed().min(limits.statement);
                self.note(busy);
                return Err((failure, false));
            }
        };
        let outcome = take(&mut rows, taker).await;
        let busy = rows.waited();
        if matches!(outcome, Ok(false)) {
            rows.abandon().await;
        }
        self.note(busy);
        outcome.map(|_| ()).map_err(|failure| (failure, true))
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
        let host = self.host();
        let session = self.session().await;
        let session = session.map_err(|failure| failure.into_error(&host))?;
        Ok(self.session.insert(session).facts().clone())
    }

    /// The session that there is, or a new one.
    async fn session(&mut self) -> std::result::Result<Session, Failure> {
        if let Some(session) = self.session.take() {
            return Ok(session);
        }
        let password = self.options.password.clone();
        self.turn().await?.prepare_logon(&password)?;
        let mut stopped = self.limits.stopped.clone();
        let opened = tokio::select! {
            biased;
            signal = first_stop(&mut stopped) => return Err(ended_by(signal).into()),
            opened = Session::open(&self.client, &self.options) => opened,
        };
        let mut session = match opened {
            Ok(session) => session,
            Err(failure) => {
                if failure.refused {
                    let why = failure.error.message();
                    let why = why.rsplit(": ").next().unwrap_or(why).to_owned();
                    let remembered = self.turn().await?.remember_refusal(&password, &why);
                    self.warn_of(remembered);
                }
                return Err(failure.error.into());
            }
        };
        let forgotten = self.turn().await?.forget_refusal();
        self.warn_of(forgotten);
        for warning in &session.facts().warnings {
            self.context.warn_once(warning);
        }
        // A server that does not know it runs statements all the same.
        match session.query(NOT_PARALLEL, &[], &self.limits).await {
            Ok(rows) => rows.abandon().await,
            Err(Failure::Database(told)) if !told.ends_the_session() => {}
            Err(failure) => return Err(failure),
        }
        Ok(session)
    }

    /// Our turn at the node, waited for where it was given back.
    async fn turn(&mut self) -> Result<&mut Guard> {
        let guard = if let Some(guard) = self.guard.take() {
            guard
        } else {
            let mut stopped = self.limits.stopped.clone();
            let (node, user) = (&self.options.node, &self.options.user);
            let taking = Guard::take(self.context, node, user, self.patience);
            tokio::select! {
                biased;
                signal = first_stop(&mut stopped) => return Err(ended_by(signal)),
                guard = taking => guard?,
            }
        };
        Ok(self.guard.insert(guard))
    }

    /// Lets others have their turn until the next statement, the session kept. How long the node
    /// was busy with us since the last rest.
    pub(super) fn rest(&mut self) -> Duration {
        self.guard = None;
        std::mem::take(&mut self.busy)
    }

    fn note(&mut self, busy: Duration) {
        self.busy += busy;
        if let Some(guard) = &mut self.guard {
            let noted = guard.note(busy, Timestamp::now());
            self.warn_of(noted);
        }
    }

    /// Says what could not be remembered; the answer itself stands.
    fn warn_of(&self, remembered: Result<()>) {
        if let Err(error) = remembered {
            self.context.warn_once(error.message());
        }
    }

    /// Waits for our turn, and until the node may be kept busy again. Others have their turn
    /// meanwhile, and what they took of the node's time counts.
    pub(super) async fn wait_for_share(&mut self) -> Result<()> {
        loop {
            let pause = self.turn().await?.pause(Timestamp::now());
            if pause.is_zero() {
                return Ok(());
            }
            self.guard = None;
            self.pause(pause).await?;
        }
    }

    async fn pause(&self, pause: Duration) -> Result<()> {
        let seconds = pause.as_secs() + 1;
        if self.patience == PATIENCE_BESIDE && pause > PATIENCE_BESIDE {
            let host = self.host();
            return Err(Error::new(
                Kind::TimedOut,
                format!("{host} was asked much lately: it may be asked again in {seconds} s"),
            )
            .hint("statements may keep a node busy for a tenth of the time")
            .host(host));
        }
        self.context.reporter.step(&format!(
            "waiting {seconds} s: statements may keep {} busy for a tenth of the time",
            self.host()
        ));
        let mut stopped = self.limits.stopped.clone();
        tokio::select! {
            signal = first_stop(&mut stopped) => Err(ended_by(signal)),
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
        Err(error) if error.kind() == Kind::Usage || error.kind().ends_the_command() => Err(error),
        // A few wrong passwords suspend an administrator: this one is not to be sent with each
        // statement, unseen.
        Err(error) if error.http_status() == Some(401) => Err(error.hint(
            "it must be an internal administrator of ISE, with the right password; with --dc-host or ISE_DC_HOST nobody is asked which node runs Data Connect",
        )),
        Err(error) => {
            let monitoring = context.settings.mnt_node()?;
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

/// Hears Ctrl-C and the like while the database is open, so that the server is told before the
/// program ends. Rows that wait for a reader hold up everything else: then the program ends without
/// telling the server.
fn listen() -> Result<watch::Receiver<i32>> {
    hear_first_stop(|signal, told| {
        std::thread::sleep(GRACE);
        // What runs for long ends in its own time; for all else there was time enough.
        if !(told.is_closed() && is_listened_to(signal)) {
            act_as_if_unhandled(signal);
        }
    })
}

fn ended_by(signal: i32) -> Error {
    Error::new(Kind::Stopped(signal), "stopped before the statement")
}
