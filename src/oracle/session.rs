//! A session with a database, and the rows of a statement.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::answer::{Answers, End, Message, Row};
use super::capabilities::{self, ServerProtocol};
use super::column::{Column, ColumnKind};
use super::failure::{self, DatabaseError};
use super::greeting::{self, Answer, Client as Caller};
use super::logon::{self, Identity, Randoms};
use super::packet::{self, Packet};
use super::reader::Fault;
use super::statement::{self, Bind, Form};
use super::wait::{Came, Halt, Limits, OBEYING, Patience, Wire};
use crate::authority::Authority;
use crate::error::{Error, Kind, Result};
use crate::transport::{Client, provider};

/// How often a listener may ask for the first packet again, or send us elsewhere.
const MOST_TURNS: usize = 4;

/// Rows of the first answer, and of each further one.
const FIRST_ROWS: u32 = 200;
const MORE_ROWS: u32 = 1000;

/// How long closing may take.
const CLOSING: Duration = Duration::from_millis(300);

/// Where to log on, and as whom. Not `Debug`: it holds the password.
#[derive(Clone)]
pub struct SessionOptions {
    /// The node and the port of its listener.
    pub node: Authority,
    /// The service's name.
    pub service: String,
    /// The account.
    pub user: String,
    /// Its password.
    pub password: SecretString,
    /// The time for everything up to the logon, TCP and TLS included.
    pub connect_timeout: Duration,
}

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
    wire: Wire,
    answers: Answers,
    facts: ServerFacts,
    host: String,
    form: Form,
    /// A statement that the server still keeps.
    cursor: Option<u16>,
    /// Whether both sides may disagree about what comes next.
    broken: bool,
}

/// What a logon failed of.
#[derive(Debug)]
pub struct LogonFailure {
    /// For who asked.
    pub error: Error,
    /// Whether it was refused, so that the next try with this password would be too.
    pub refused: bool,
}

impl From<Error> for LogonFailure {
    fn from(error: Error) -> Self {
        Self {
            error,
            refused: false,
        }
    }
}

impl Session {
    /// Connects and logs on.
    ///
    /// Errors: those of a connection with TLS; [`Kind::NotFound`] for a service that the listener
    /// does not know; [`Kind::Refused`] for a logon that is refused, and for a server that cannot
    /// prove that it knows the password; [`Kind::Malformed`] for what is no Oracle listener.
    pub async fn open(
        client: &Client,
        options: &SessionOptions,
    ) -> std::result::Result<Self, LogonFailure> {
        let until = Instant::now() + options.connect_timeout;
        let host = options.node.to_string();
        let caller = caller();
        let data = greeting::connect_data(&options.node, &options.service, &caller);
        let (mut wire, version) = greet(client, options, &data, until).await?;
        let allowed = options.connect_timeout;

        let mut patience = Patience::until("its protocol", until);
        let protocol = async {
            wire.send_message(&capabilities::protocol_message(), &patience)
                .await?;
            let read = wire.read_one(&mut patience, capabilities::read_protocol);
            whole(read.await?)
        };
        let protocol = protocol.await;
        let protocol: ServerProtocol =
            protocol.map_err(|halt| settled(&wire, halt, "its protocol", allowed))?;
        let mut patience = Patience::until("its data types", until);
        let types = async {
            let message = capabilities::types_message(protocol.field_version);
            wire.send_message(&message, &patience).await?;
            whole(
                wire.read_one(&mut patience, capabilities::read_types)
                    .await?,
            )
        };
        let types = types.await;
        types.map_err(|halt| settled(&wire, halt, "its data types", allowed))?;

        let mut session = Self {
            wire,
            answers: Answers::new(protocol.field_version),
            facts: facts(version, &protocol),
            host,
            form: Form {
                field_version: protocol.field_version,
                sequence: 0,
            },
            cursor: None,
            broken: false,
        };
        session.log_on(options, &caller, &data, until).await?;
        Ok(session)
    }

    async fn log_on(
        &mut self,
        options: &SessionOptions,
        caller: &Caller,
        data: &str,
        until: Instant,
    ) -> std::result::Result<(), LogonFailure> {
        let allowed = options.connect_timeout;
        let identity = Identity {
            user: &options.user,
            password: options.password.expose_secret().as_bytes(),
            client: caller,
            process: std::process::id(),
            connect_data: data,
        };
        self.answers.logging_on = true;
        let message = logon::first_message(&identity, self.form().sequence);
        let patience = Patience::until("the first half of the logon", until);
        self.logon_call(&message, patience, allowed).await?;
        let randoms = randoms()?;
        let sequence = self.form().sequence;
        let server = &self.answers.parameters;
        let second = logon::second_message(&identity, sequence, server, &randoms);
        let (message, key) = second.map_err(|fault| self.wire.malformed(words(fault)))?;
        let patience = Patience::until("the second half of the logon", until);
        self.logon_call(&message, patience, allowed).await?;
        if !logon::is_proven(&key, &self.answers.parameters) {
            let error = Error::new(
                Kind::Refused,
                format!(
                    "{} did not prove that it knows the password: it may not be the database that it says",
                    self.host
                ),
            );
            return Err(error
                .hint("who answers there? --trace and `netapi ise doctor` show the certificate")
                .host(self.host.clone())
                .into());
        }
        self.answers.logging_on = false;
        let text = self.answers.parameters.text("AUTH_VERSION_STRING");
        let version = text.unwrap_or_default().trim();
        version.clone_into(&mut self.facts.version);
        let warnings = self.answers.warnings.drain(..);
        self.facts
            .warnings
            .extend(warnings.map(|warning| warning.text));
        Ok(())
    }

    async fn logon_call(
        &mut self,
        message: &[u8],
        mut patience: Patience<'_>,
        allowed: Duration,
    ) -> std::result::Result<(), LogonFailure> {
        let ended = async {
            self.wire.send_message(message, &patience).await?;
            loop {
                if let Message::Ended(end) = self.message(&mut patience).await? {
                    return Ok(end);
                }
            }
        };
        let end: End = match ended.await {
            Ok(end) => end,
            Err(halt) => return Err(settled(&self.wire, halt, patience.stage, allowed).into()),
        };
        match end.error {
            None => Ok(()),
            // The password will expire: a warning in the place of an error.
            Some(warning) if warning.number == 28002 => {
                self.facts.warnings.push(warning.text);
                Ok(())
            }
            Some(error) => Err(LogonFailure {
                refused: failure::is_refused_logon(error.number),
                error: failure::of_database(&self.host, &error),
            }),
        }
    }

    /// What the server says of itself.
    pub fn facts(&self) -> &ServerFacts {
        &self.facts
    }

    /// The form of the next message.
    fn form(&mut self) -> Form {
        self.form.sequence = self.form.sequence.wrapping_add(1).max(1);
        self.form
    }

    /// The next message of the answer.
    async fn message(&mut self, patience: &mut Patience<'_>) -> std::result::Result<Message, Halt> {
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
    /// connection; [`Kind::TimedOut`] and [`Kind::Stopped`], after which the server was told.
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
        }
        self.wire.shut_down(until).await;
    }
}

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
    session: &'s mut Session,
    limits: Limits,
    allowed: Duration,
    left: Duration,
    /// How the latest call ended.
    ended: Option<End>,
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
    async fn describe(&mut self) -> std::result::Result<(), Failure> {
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

    async fn call(
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
        let began = (!self.session.wire.has_unread()).then(Instant::now);
        let now = began.unwrap_or_else(Instant::now);
        let mut patience = Patience {
            stage,
            until: now + self.left,
            stopped: Some(&mut self.limits.stopped),
        };
        let message = self.session.message(&mut patience).await;
        self.left = self.left.saturating_sub(now.elapsed());
        let message = match message {
            Ok(message) => message,
            Err(halt) => return Err(self.halted(halt, stage).await),
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
            while rows.ended.is_none() && rows.message("more rows").await.is_ok() {}
        }
    }
}

/// Connects and greets the listener, wherever that leads.
async fn greet(
    client: &Client,
    options: &SessionOptions,
    data: &str,
    until: Instant,
) -> Result<(Wire, u16)> {
    let mut node = options.node.clone();
    let mut data = data.as_bytes().to_vec();
    let mut flags = 0;
    let (stream, seen) = client.connect_without_alpn(&node).await?;
    let mut wire = Wire::new(stream, seen, node.to_string());
    for _ in 0..MOST_TURNS {
        let mut patience = Patience::until("the listener's answer", until);
        let answer = first_answer(&mut wire, &data, flags, &mut patience).await;
        match answer.map_err(|halt| {
            settled(
                &wire,
                halt,
                "the listener's answer",
                options.connect_timeout,
            )
        })? {
            Answer::Accepted(accepted) => {
                wire.accepted(accepted.sdu);
                return Ok((wire, accepted.version));
            }
            Answer::Refused(number) => {
                let host = node.to_string();
                return Err(failure::of_listener(&host, &options.service, number));
            }
            Answer::Resend { tls_again: false } => {}
            Answer::Resend { tls_again: true } => {
                let stream = wire.into_stream()?;
                let (stream, seen) = client.shake_hands_again(stream, &node).await?;
                wire = Wire::new(stream, seen, node.to_string());
            }
            Answer::Redirected { text, .. } => {
                let led = greeting::redirection(&text);
                (node, data) = led.map_err(|fault| wire.malformed(words(fault)))?;
                flags = packet::REDIRECTED;
                let (stream, seen) = client.connect_without_alpn(&node).await?;
                wire = Wire::new(stream, seen, node.to_string());
            }
        }
    }
    Err(wire.malformed("it asks for the first packet again and again"))
}

async fn first_answer(
    wire: &mut Wire,
    data: &[u8],
    flags: u8,
    patience: &mut Patience<'_>,
) -> std::result::Result<Answer, Halt> {
    wire.send(&greeting::first_packets(data, flags), patience)
        .await?;
    let packet: Packet = wire.packet(patience).await?;
    let read = greeting::read(&packet);
    let mut answer = read.map_err(|fault| wire.malformed(words(fault)))?;
    if let Answer::Redirected { missing, text } = &mut answer {
        while *missing > 0 {
            let rest = wire.packet(patience).await?;
            *missing = missing.saturating_sub(rest.content.len().max(1));
            text.extend(rest.content);
        }
    }
    Ok(answer)
}

/// An answer that must come whole: the server breaks off nothing before the logon.
fn whole<T>(read: Option<T>) -> std::result::Result<T, Halt> {
    read.ok_or_else(|| {
        Halt::Failed(
            Error::new(Kind::Malformed, "the server broke off before the logon")
                .hint("`netapi ise dc status --verbose` shows what it says of itself"),
        )
    })
}

/// What ended the way to a session. Nobody is asked to stop there, so only time can be over.
fn settled(wire: &Wire, halt: Halt, stage: &'static str, allowed: Duration) -> Error {
    match halt {
        Halt::Failed(error) => error,
        Halt::Late | Halt::Stopped(_) => wire.late(stage, allowed),
    }
}

fn words(fault: Fault) -> &'static str {
    match fault {
        Fault::Malformed(what) => what,
        Fault::Incomplete(_) => "it is too short",
    }
}

fn facts(protocol: u16, server: &ServerProtocol) -> ServerFacts {
    ServerFacts {
        version: String::new(),
        banner: server.banner.clone(),
        protocol,
        field_version: server.field_version,
        character_set: server.character_set,
        compile_capabilities: logon::hex(&server.compile),
        runtime_capabilities: logon::hex(&server.runtime),
        warnings: Vec::new(),
    }
}

/// Who we are to the listener's log.
fn caller() -> Caller {
    Caller {
        program: "netapi".to_owned(),
        machine: crate::process::host_name(),
        user: std::env::var("USER").unwrap_or_else(|_| "netapi".to_owned()),
    }
}

fn randoms() -> Result<Randoms> {
    let mut bytes = [0u8; 80];
    provider().secure_random.fill(&mut bytes).map_err(|_| {
        Error::new(
            Kind::Failed,
            "the system has no random numbers to log on with",
        )
    })?;
    let part = |from: usize| {
        let mut part = [0; 16];
        part.iter_mut()
            .zip(bytes.iter().skip(from))
            .for_each(|(to, from)| *to = *from);
        part
    };
    let mut half = [0; 48];
    half.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    Ok(Randoms {
        half,
        password_salt: part(48),
        speedy_salt: part(64),
    })
}

/// Whether a statement is for the session and brings no rows.
fn is_command(sql: &str) -> bool {
    let first = sql.split_whitespace().next().unwrap_or_default();
    !first.eq_ignore_ascii_case("select") && !first.eq_ignore_ascii_case("with")
}
