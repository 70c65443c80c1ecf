//! A connection to NATS: logging in, what a refused one means, and what the server complained of
//! since. Connecting again is the library's affair; it pauses as we say.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream::context::RequestErrorKind;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{AuthError, Client, ConnectErrorKind, ConnectOptions, Event, ServerError};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::sleep;

use super::StreamAddress;
use crate::backoff::Backoff;
use crate::error::{Error, Kind, Result};
use crate::transport::HandshakeNotes;
use crate::transport::tls_error;

/// For name, connection, TLS and login together.
const CONNECTING: Duration = Duration::from_secs(5);

/// How long an answer may take.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// What helps where a cluster does not answer, or not yet.
pub(super) const NO_MAJORITY: &str =
    "a cluster answers when a majority of its servers is up; look at their logs";

/// How many refusals are remembered: one may come while another is looked for.
const REFUSALS: usize = 16;

/// The pauses between two tries to connect.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Who we are, and whom to trust. Not `Debug`: it holds secrets.
pub struct Login {
    /// How we are called in the server's list of connections.
    pub name: String,
    /// What proves who we are.
    pub proof: Proof,
    /// For servers that want TLS.
    pub tls: rustls::ClientConfig,
    /// Where handshakes with it note what the server showed.
    pub seen: HandshakeNotes,
}

/// What proves who we are, beside a client certificate.
pub enum Proof {
    /// Nothing.
    None,
    /// The content of a credentials file.
    Credentials {
        /// The file, for a message.
        file: String,
        /// Its content.
        text: SecretString,
    },
    /// The seed of an nkey.
    Nkey(SecretString),
    /// User and password.
    Password(String, SecretString),
}

/// See the module's documentation. A clone is the same connection.
#[derive(Clone)]
pub struct Connection {
    pub(super) jetstream: jetstream::Context,
    client: Client,
    hosts: String,
    /// What the server refused lately, by permissions.
    denied: watch::Receiver<VecDeque<Denied>>,
    /// Changes when it is lost, or a moment later.
    pub(super) losses: watch::Receiver<()>,
}

/// What the server refused, by permissions.
#[derive(Debug, Clone)]
struct Denied {
    /// When it was heard.
    at: Instant,
    /// The server's words, which name the subject.
    text: String,
}

impl Denied {
    /// Whether it is why something failed that was begun then, and sent to this subject if one is
    /// named. A subscription, by which answers come, is refused once for as long as we are
    /// connected.
    fn explains(&self, began: Instant, subject: Option<&str>) -> bool {
        if self.text.to_ascii_lowercase().contains("subscription") {
            return true;
        }
        let named = subject.is_none_or(|subject| self.text.contains(&format!("\"{subject}\"")));
        self.at >= began && named
    }
}

/// How long what nobody answers is tried again when something begins.
const BEGINNING: Duration = Duration::from_secs(30);

/// The pause before it is.
const AGAIN: Duration = Duration::from_millis(500);

/// Does something again that nobody answered, for a while: an election takes seconds, and so does
/// a cluster that has much to do. It must be something that may be done twice.
pub(super) async fn until_answered<T, F>(work: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let began = Instant::now();
    loop {
        match work().await {
            Err(error) if error.kind() == Kind::TimedOut && began.elapsed() < BEGINNING => {
                sleep(AGAIN).await;
            }
            done => return done,
        }
    }
}

/// The first of the refusals that explains what was begun then.
fn explained(denied: &VecDeque<Denied>, began: Instant, subject: Option<&str>) -> Option<String> {
    let mut denied = denied.iter();
    let found = denied.find(|denied| denied.explains(began, subject));
    found.map(|denied| denied.text.clone())
}

impl Connection {
    /// Connects to one of the servers.
    ///
    /// Errors: what is wrong with servers, certificates or login, each with a hint.
    pub async fn open(address: &StreamAddress, login: Login) -> Result<Self> {
        let hosts = address.hosts();
        let (deny, denied) = watch::channel(VecDeque::new());
        let (lose, losses) = watch::channel(());
        let options = ConnectOptions::new()
            .name(login.name)
            .connection_timeout(CONNECTING)
            .request_timeout(Some(ANSWER))
            .max_reconnects(None)
            .reconnect_delay_callback(|attempts| {
                PAUSES.after(u32::try_from(attempts).unwrap_or(u32::MAX))
            })
            .event_callback(move |event| {
                if let Event::ServerError(ServerError::Other(text)) = &event
                    && text.to_ascii_lowercase().contains("permissions violation")
                {
                    let text = text.trim_matches('\'').to_owned();
                    let at = Instant::now();
                    deny.send_modify(|denied| {
                        denied.truncate(REFUSALS - 1);
                        denied.push_front(Denied { at, text });
                    });
                }
                match event {
                    Event::Connected => {
                        deny.send_replace(VecDeque::new());
                    }
                    Event::Disconnected => lose.send_replace(()),
                    _ => {}
                }
                std::future::ready(())
            })
            .tls_client_config(login.tls);
        let options = match &login.proof {
            Proof::None => options,
            Proof::Credentials { file, text } => {
                with_credentials(options, file, text.expose_secret())?
            }
            Proof::Nkey(seed) => options.nkey(seed.expose_secret().to_owned()),
            Proof::Password(user, password) => {
                options.user_and_password(user.clone(), password.expose_secret().to_owned())
            }
        };
        let client = options
            .connect(address.urls())
            .await
            .map_err(|error| refused(&hosts, &login.proof, &login.seen, &error))?;
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(ANSWER);
        Ok(Self {
            jetstream,
            client,
            hosts,
            denied,
            losses,
        })
    }

    /// For requests that are none of JetStream's own.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether it stands now; while it does not the library would keep what is sent for later.
    pub fn stands(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// The servers, for a message.
    pub fn hosts(&self) -> &str {
        &self.hosts
    }

    /// The version of the server that we are connected to: major and minor number.
    pub(super) fn version(&self) -> (u32, u32, String) {
        let text = self.client.server_info().version;
        let mut numbers = text.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
        let (major, minor) = (numbers.next(), numbers.next());
        (major.unwrap_or(0), minor.unwrap_or(0), text)
    }

    /// What the server refused by permissions since then, of what was sent to this subject if one
    /// is named.
    pub(super) fn denied_since(&self, began: Instant, subject: Option<&str>) -> Option<String> {
        explained(&self.denied.borrow(), began, subject)
    }

    /// What the server refused by permissions of late, in its words.
    pub fn refusals(&self) -> Vec<String> {
        let denied = self.denied.borrow();
        denied.iter().map(|denied| denied.text.clone()).collect()
    }

    /// Waits until the server refuses, by permissions, what is sent to this subject from now on.
    async fn until_denied(&self, subject: &str) -> String {
        let began = Instant::now();
        let ours = |denied: &VecDeque<Denied>| explained(denied, began, Some(subject));
        let mut denied = self.denied.clone();
        let found = denied.wait_for(|denied| ours(denied).is_some()).await;
        match found.map(|found| ours(&found)) {
            Ok(text) => text.unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }

    /// Asks JetStream. `Err` of the answer is JetStream's own; `doing` is for messages.
    ///
    /// Errors: [`Kind::TimedOut`] where nobody answers, or a cluster elects.
    pub(super) async fn ask<Q: Serialize + ?Sized, A: DeserializeOwned>(
        &self,
        subject: String,
        question: &Q,
        doing: &str,
    ) -> Result<Result<A, jetstream::Error>> {
        let whole_subject = format!("$JS.API.{subject}");
        let denied = self.until_denied(&whole_subject);
        let asked = self
            .jetstream
            .request::<_, Q, Response<A>>(subject, question);
        let answer = tokio::select! {
            answer = asked => answer,
            denied = denied => return Err(self.no_permission(doing, &denied)),
            // The library waits for a place among what it has not sent yet, however long.
            () = sleep(ANSWER) => return Err(self.no_answer(doing)),
        };
        match answer {
            Ok(Response::Ok(answer)) => Ok(Ok(answer)),
            Ok(Response::Err { error }) if is_without_jetstream(error.error_code()) => {
                Err(self.no_jetstream())
            }
            Ok(Response::Err { error })
                if error.error_code() == ErrorCode::CLUSTER_NOT_AVAILABLE =>
            {
                Err(self.no_leader(doing))
            }
            Ok(Response::Err { error }) => Ok(Err(error)),
            Err(error) => Err(match error.kind() {
                RequestErrorKind::NoResponders => self.no_jetstream(),
                RequestErrorKind::TimedOut => self.no_answer(doing),
                _ => Error::new(
                    Kind::Malformed,
                    format!(
                        "{}: an answer that nobody understands while {doing}",
                        self.hosts
                    ),
                )
                .hint("is this a NATS server with JetStream, of version 2.9 or newer?"),
            }),
        }
    }

    pub(super) fn no_answer(&self, doing: &str) -> Error {
        let seconds = ANSWER.as_secs();
        let text = format!("{}: no answer within {seconds} s while {doing}", self.hosts);
        Error::new(Kind::TimedOut, text).hint(NO_MAJORITY)
    }

    /// Removes a consumer that nobody reads any more. Should that fail it goes by itself.
    pub(super) async fn drop_consumer(&self, stream: &str, name: &str) {
        let subject = format!("CONSUMER.DELETE.{stream}.{name}");
        let doing = "removing a consumer";
        let _left = self
            .ask::<_, serde_json::Value>(subject, &serde_json::json!({}), doing)
            .await;
    }

    /// The error when permissions forbid what we were doing.
    pub fn no_permission(&self, doing: &str, why: &str) -> Error {
        Error::new(
            Kind::Refused,
            format!("{}: refused while {doing}: {why}", self.hosts),
        )
        .hint("what accounts need, as the server's configuration: netapi ise pxgrid fleet permissions STREAM --for subscriber,worker,fleet")
    }

    /// The error while a cluster elects: as good as no answer.
    pub(super) fn no_leader(&self, doing: &str) -> Error {
        Error::new(
            Kind::TimedOut,
            format!("{}: the cluster has no leader while {doing}", self.hosts),
        )
        .hint(NO_MAJORITY)
    }

    fn no_jetstream(&self) -> Error {
        Error::new(
            Kind::Server,
            format!("{} has no JetStream, or this account may not use it", self.hosts),
        )
        .hint("start the server with JetStream (nats-server --jetstream --store_dir DIR), or enable it for the account")
    }
}

/// Logs in with a credentials file's JWT and seed. The library reads such a file too, by a regular
/// expression whose engine would be a megabyte of ours for this alone.
fn with_credentials(options: ConnectOptions, file: &str, text: &str) -> Result<ConnectOptions> {
    // What is wrong with it may quote the text.
    let (jwt, pair) = jwt_and_seed(text)
        .and_then(|(jwt, seed)| Some((jwt, nkeys::KeyPair::from_seed(seed).ok()?)))
        .ok_or_else(|| {
            Error::usage(format!(
                "NATS credentials file {file}: there is no JWT with a seed in it"
            ))
            .hint("it is the file that nsc or the administrator made: a JWT block and a seed block")
        })?;
    let pair = Arc::new(pair);
    Ok(options.jwt(jwt.to_owned(), move |nonce| {
        let signed = pair.sign(&nonce).map_err(AuthError::new);
        std::future::ready(signed)
    }))
}

/// The lines between the rules of the first block, and of the second.
fn jwt_and_seed(text: &str) -> Option<(&str, &str)> {
    let mut blocks = text.split("-----BEGIN ").skip(1).filter_map(|block| {
        let mut lines = block.lines().map(str::trim).skip(1);
        lines
            .find(|line| !line.is_empty())
            .filter(|line| !line.starts_with('-'))
    });
    Some((blocks.next()?, blocks.next()?))
}

fn is_without_jetstream(code: ErrorCode) -> bool {
    code == ErrorCode::JETSTREAM_NOT_ENABLED || code == ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT
}

/// Why no connection was made. The library's own texts are not passed on, but for what the server
/// said.
fn refused(
    hosts: &str,
    proof: &Proof,
    seen: &HandshakeNotes,
    error: &async_nats::ConnectError,
) -> Error {
    let new =
        |kind, what: &str| Error::new(kind, format!("cannot connect to NATS at {hosts}: {what}"));
    if let Some(tls) = inside::<rustls::Error>(error) {
        let hint = match tls {
            rustls::Error::InvalidCertificate(_) => {
                "name the CA that signed the servers' certificates: --nats-cacert FILE (NATS_CA)"
            }
            rustls::Error::InvalidMessage(_) => {
                "write nats:// in place of tls:// for servers without TLS"
            }
            _ => {
                "a server that wants a client certificate gets it by --nats-cert FILE --nats-key FILE (NATS_CERT, NATS_KEY)"
            }
        };
        return tls_error::explain(hosts, tls, seen).hint(hint);
    }
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation => {
            let (what, hint) = match proof {
                Proof::None => (
                    "the server wants a login",
                    "give --nats-creds FILE, --nats-nkey FILE, or --nats-user NAME with --nats-password-file FILE; or a client certificate: --nats-cert, --nats-key",
                ),
                Proof::Credentials { .. } => (
                    "the server refused the credentials",
                    "does the file belong to an account of this server, and is its JWT still good? --nats-creds FILE (NATS_CREDS) names it",
                ),
                Proof::Nkey(_) => (
                    "the server refused the nkey",
                    "is its public part among the server's users? --nats-nkey FILE (NATS_NKEY) names the seed",
                ),
                Proof::Password(..) => (
                    "the server refused user or password",
                    "check --nats-user and the first line of --nats-password-file",
                ),
            };
            new(Kind::Refused, what).hint(hint)
        }
        ConnectErrorKind::Authentication => new(Kind::Usage, "the login cannot be signed")
            .hint("the file of --nats-nkey must hold a user's seed, which begins with SU"),
        ConnectErrorKind::Dns => new(Kind::Resolve, "no such host")
            .hint("check the names of the servers, in the URL or in NATS_URL"),
        ConnectErrorKind::TimedOut => new(Kind::TimedOut, "no answer in time")
            .hint("is it the clients' port (4222, not the cluster's or the monitor's), and does a firewall let it through?"),
        _ => {
            let why = inside::<ServerError>(error).map(ToString::to_string);
            let io = || inside::<io::Error>(error).map(|error| error.kind().to_string());
            let why = why.or_else(io).unwrap_or_else(|| "it speaks something else".to_owned());
            new(Kind::Connect, &why)
                .hint("is nats-server running there? Its clients' port is 4222 unless it says another")
        }
    }
}

/// The first error of this type in the chain, also inside of I/O errors.
fn inside<'e, T: std::error::Error + 'static>(
    error: &'e (dyn std::error::Error + 'static),
) -> Option<&'e T> {
    let mut link = Some(error);
    while let Some(error) = link {
        if let Some(found) = error.downcast_ref::<T>() {
            // An I/O error around another one is looked into first.
            let deeper = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref);
            if deeper.is_none_or(|deeper| deeper.downcast_ref::<T>().is_none()) {
                return Some(found);
            }
        }
        let within = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .map(|inner| inner as &(dyn std::error::Error + 'static));
        link = within.or_else(|| error.source());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_explains_what_it_was_of_and_nothing_later() {
        let publish = |at| Denied {
            at,
            text: "Permissions Violation for Publish to \"$JS.API.CONSUMER.DELETE.E.x\"".to_owned(),
        };
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let refused = publish(later);
        assert!(refused.explains(now, None));
        assert!(refused.explains(now, Some("$JS.API.CONSUMER.DELETE.E.x")));
        assert!(!refused.explains(now, Some("$JS.API.CONSUMER.INFO.E.x")));
        assert!(!publish(now).explains(later, None));
        // A later refusal of something else is not told in its place, and does not hide it.
        let other = Denied {
            at: later,
            text: "Permissions Violation for Publish to \"$KV.NETAPI_E_subscribers.a\"".to_owned(),
        };
        let both = VecDeque::from([other, publish(later)]);
        let of = |subject| explained(&both, now, Some(subject));
        assert_eq!(of("netapi.ise.session.0"), None);
        let deleted = of("$JS.API.CONSUMER.DELETE.E.x").unwrap();
        assert!(deleted.contains("CONSUMER.DELETE"), "{deleted}");
        let inbox = Denied {
            at: now,
            text: "Permissions Violation for Subscription to \"_INBOX.a.*\"".to_owned(),
        };
        assert!(inbox.explains(later, Some("$JS.API.INFO")));
    }

    #[test]
    fn a_credentials_file_has_two_blocks() {
        let text = "-----BEGIN NATS USER JWT-----\r\neyJ0.eyJq.c2ln\r\n------END NATS USER JWT------\r\n\r\n\
            ************************* IMPORTANT *************************\n\n\
            -----BEGIN USER NKEY SEED-----\nSUABC\n------END USER NKEY SEED------\n";
        assert_eq!(jwt_and_seed(text), Some(("eyJ0.eyJq.c2ln", "SUABC")));
        let half = text.split("\n\n").next().unwrap();
        for wrong in [half, "", "geheim", "-----BEGIN A-----\n------END A------\n"] {
            assert_eq!(jwt_and_seed(wrong), None, "{wrong}");
        }
    }
}
