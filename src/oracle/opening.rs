//! The way to a session: the listener, what both sides can do, the logon. Each step has a name and
//! all of them one time limit.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, timeout_at};

use super::answer::{Answers, End, Message};
use super::capabilities::{self, ServerProtocol};
use super::failure;
use super::greeting::{self, Answer, Client as Caller};
use super::logon::{self, Identity, Randoms};
use super::packet::{self, Packet};
use super::reader::Fault;
use super::session::{ServerFacts, Session};
use super::statement::Form;
use super::wait::{Halt, Patience, Wire};
use crate::authority::Authority;
use crate::error::{Error, Kind, Result};
use crate::transport::{Client, provider};

/// How often a listener may ask for the first packet again, or send us elsewhere.
const MOST_TURNS: usize = 4;

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
            let read = read.await?;
            whole(&wire, read)
        };
        let protocol = protocol.await;
        let protocol: ServerProtocol =
            protocol.map_err(|halt| settled(&wire, halt, "its protocol", allowed))?;
        let mut patience = Patience::until("its data types", until);
        let types = async {
            let message = capabilities::types_message(protocol.field_version);
            wire.send_message(&message, &patience).await?;
            let read = wire.read_one(&mut patience, capabilities::read_types);
            let read = read.await?;
            whole(&wire, read)
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
        let server = &self.answers.parameters;
        if let Some(number) = logon::unknown_verifier(server) {
            return Err(old_verifier(&self.host, number).into());
        }
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
        let parameter = |name: &str| self.answers.parameters.text(name).map(str::trim);
        let number = parameter("AUTH_VERSION_NO").and_then(|text| text.parse().ok());
        let number = number.map(|number| version_of(number, self.facts.field_version));
        let words = parameter("AUTH_VERSION_STRING").map(str::to_owned);
        let version: Vec<String> = number.into_iter().chain(words).collect();
        self.facts.version = version.join(" ");
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
                let late = wire.late("another TLS handshake", options.connect_timeout);
                let stream = wire.into_stream()?;
                let again = client.shake_hands_again(stream, &node);
                let (stream, seen) = timeout_at(until, again).await.map_err(|_| late)??;
                wire = Wire::new(stream, seen, node.to_string());
            }
            Answer::Redirected { text, .. } => {
                let led = greeting::redirection(&text);
                (node, data) = led.map_err(|fault| wire.malformed(words(fault)))?;
                flags = packet::REDIRECTED;
                // All hops have the time of one.
                let late = wire.late("the address that it led to", options.connect_timeout);
                let hop = client.connect_without_alpn(&node);
                let (stream, seen) = timeout_at(until, hop).await.map_err(|_| late)??;
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
fn whole<T>(wire: &Wire, read: Option<T>) -> std::result::Result<T, Halt> {
    read.ok_or_else(|| wire.malformed("it breaks off before the logon").into())
}

/// The password is kept in a form that is not read here: it is not sent.
fn old_verifier(host: &str, number: u32) -> Error {
    Error::new(
        Kind::Refused,
        format!("{host} keeps this account's password in a form that is too old (0x{number:x})"),
    )
    .hint("a new password is kept in a newer form: `netapi ise dc password`")
    .host(host)
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
        Fault::TooLong => "a value is over 16 MiB",
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

/// `AUTH_VERSION_NO` as Oracle writes versions. Since 18 the second part has eight bits; messages
/// of that release have eleven fields or more.
fn version_of(number: u32, field_version: u8) -> String {
    let part = |shift: u32, bits: u32| number >> shift & ((1 << bits) - 1);
    let parts = if field_version >= 11 {
        [
            part(24, 8),
            part(16, 8),
            part(12, 4),
            part(4, 8),
            part(0, 4),
        ]
    } else {
        [
            part(24, 8),
            part(20, 4),
            part(12, 8),
            part(8, 4),
            part(0, 8),
        ]
    };
    parts.map(|part| part.to_string()).join(".")
}

#[cfg(test)]
mod tests {
    use super::version_of;

    #[test]
    fn versions_are_written_as_oracle_writes_them() {
        assert_eq!(version_of(19 << 24 | 26 << 16, 12), "19.26.0.0.0");
        assert_eq!(version_of(0x1709_0000, 24), "23.9.0.0.0");
        // 12.2.0.1.0
        assert_eq!(version_of(0x0C20_0100, 8), "12.2.0.1.0");
    }
}
