//! A connection to NATS: logging in, what a refused one means, and what the server complained of
//! since. Connecting again is the library's affair; it pauses as we say.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::context::RequestErrorKind;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{AuthError, ConnectErrorKind, ConnectOptions, Event, ServerError};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::StreamAddress;
use crate::backoff::Backoff;
use crate::error::{Error, Kind, Result};
use crate::transport::HandshakeNotes;
use crate::transport::tls_error;

/// For name, connection, TLS and login together.
const CONNECTING: Duration = Duration::from_secs(5);

/// How long an answer may take.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

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
    Credentials(SecretString),
    /// The seed of an nkey.
    Nkey(SecretString),
    /// User and password.
    Password(String, SecretString),
}

/// See the module's documentation. A clone is the same connection.
#[derive(Clone)]
pub struct Connection {
    pub(super) jetstream: jetstream::Context,
    hosts: String,
    /// What the server refused last, by permissions.
    denied: watch::Receiver<Option<String>>,
}

impl Connection {
    /// Connects to one of the servers.
    ///
    /// Errors: what is wrong with servers, certificates or login, each with a hint.
    pub async fn open(address: &StreamAddress, login: Login) -> Result<Self> {
        let hosts = address.hosts();
        let (deny, denied) = watch::channel(None);
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
                    deny.send_replace(Some(text.trim_matches('\'').to_owned()));
                }
                std::future::ready(())
            })
            .tls_client_config(login.tls);
        let options = match &login.proof {
            Proof::None => options,
            Proof::Credentials(text) => with_credentials(options, text.expose_secret())?,
            Proof::Nkey(seed) => options.nkey(seed.expose_secret().to_owned()),
            Proof::Password(user, password) => {
                options.user_and_password(user.clone(), password.expose_secret().to_owned())
            }
        };
        let client = options
            .connect(address.urls())
            .await
            .map_err(|error| refused(&hosts, &login.proof, &login.seen, &error))?;
        let mut jetstream = jetstream::new(client);
        jetstream.set_timeout(ANSWER);
        Ok(Self {
            jetstream,
            hosts,
            denied,
        })
    }

    /// Whether it stands now; while it does not the library would keep what is sent for later.
    pub fn stands(&self) -> bool {
        self.jetstream.client().connection_state() == State::Connected
    }

    /// The servers, for a message.
    pub fn hosts(&self) -> &str {
        &self.hosts
    }

    /// The version of the server that we are connected to: major and minor number.
    pub(super) fn version(&self) -> (u32, u32, String) {
        let text = self.jetstream.client().server_info().version;
        let mut numbers = text.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
        let (major, minor) = (numbers.next(), numbers.next());
        (major.unwrap_or(0), minor.unwrap_or(0), text)
    }

    /// What the server refused last by permissions, and forgets it.
    pub(super) fn denied(&self) -> Option<String> {
        self.denied.borrow().clone()
    }

    /// Waits until the server refuses something by permissions.
    async fn until_denied(&self) -> String {
        let mut denied = self.denied.clone();
        let text = denied.wait_for(Option::is_some).await;
        match text.map(|text| text.clone().unwrap_or_default()) {
            Ok(text) => text,
            Err(_) => std::future::pending().await,
        }
    }

    /// Asks JetStream. `Err` of the answer is JetStream's own; `doing` is for messages.
    pub(super) async fn ask<Q: Serialize + ?Sized, A: DeserializeOwned>(
        &self,
        subject: String,
        question: &Q,
        doing: &str,
    ) -> Result<Result<A, jetstream::Error>> {
        let asked = self
            .jetstream
            .request::<_, Q, Response<A>>(subject, question);
        let answer = tokio::select! {
            answer = asked => answer,
            denied = self.until_denied() => return Err(self.no_permission(doing, &denied)),
        };
        match answer {
            Ok(Response::Ok(answer)) => Ok(Ok(answer)),
            Ok(Response::Err { error }) if is_without_jetstream(error.error_code()) => {
                Err(self.no_jetstream())
            }
            Ok(Response::Err { error }) => Ok(Err(error)),
            Err(error) => Err(match error.kind() {
                RequestErrorKind::NoResponders => self.no_jetstream(),
                RequestErrorKind::TimedOut => Error::new(
                    Kind::TimedOut,
                    format!(
                        "{}: no answer within {} s while {doing}",
                        self.hosts,
                        ANSWER.as_secs()
                    ),
                )
                .hint("a cluster answers when a majority of its servers is up; look at their logs"),
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

    /// The error when permissions forbid what we were doing.
    pub(super) fn no_permission(&self, doing: &str, why: &str) -> Error {
        Error::new(
            Kind::Refused,
            format!("{}: refused while {doing}: {why}", self.hosts),
        )
        .hint("the account needs the right to publish netapi.> and $JS.API.>, and to subscribe to _INBOX.>")
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
fn with_credentials(options: ConnectOptions, text: &str) -> Result<ConnectOptions> {
    // What is wrong with it may quote the text.
    let (jwt, pair) = jwt_and_seed(text)
        .and_then(|(jwt, seed)| Some((jwt, nkeys::KeyPair::from_seed(seed).ok()?)))
        .ok_or_else(|| {
            Error::usage("the NATS credentials file holds no JWT with a seed").hint(
                "it is the file that nsc or the administrator made: a JWT block and a seed block",
            )
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
                Proof::Credentials(_) => (
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
