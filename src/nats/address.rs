//! Where a stream is: `nats://HOST[:PORT][,HOST[:PORT]…]/STREAM`, or the stream's name alone where
//! `NATS_URL` has the servers. Nothing is resolved here.

use std::fmt;

use crate::authority::{self, Authority};
use crate::error::{Error, Result};

/// The port of NATS where none is named.
const PORT: u16 = 4222;

/// So many servers are tried at most.
const MOST_SERVERS: usize = 16;

/// The longest name of a stream; the server's own bound is higher.
const LONGEST_NAME: usize = 128;

/// Servers, and a stream on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamAddress {
    /// In the order in which they were named; never empty.
    pub servers: Vec<Authority>,
    /// Whether the connection is encrypted even where the server does not ask for it (`tls://`).
    pub tls: bool,
    /// The stream's name.
    pub stream: String,
}

impl StreamAddress {
    /// Reads what a user wrote; `servers` is what `NATS_URL` says, for a stream's name alone.
    ///
    /// Errors: [`Kind::Usage`](crate::error::Kind::Usage); none has the text in it, which may hold
    /// a password.
    pub fn parse(text: &str, servers: Option<&str>) -> Result<Self> {
        let (servers, stream) = if let Some((scheme, rest)) = text.split_once("://") {
            let (hosts, stream) = rest.split_once('/').unwrap_or((rest, ""));
            (format!("{scheme}://{hosts}"), stream)
        } else {
            let servers = servers.ok_or_else(|| {
                Error::usage("a stream is named, and no server")
                    .hint("write nats://HOST/STREAM, or set NATS_URL=nats://HOST")
            })?;
            (servers.to_owned(), text)
        };
        let (tls, servers) = Self::servers(servers.trim_end_matches('/'))?;
        Ok(Self {
            servers,
            tls,
            stream: stream_name(stream)?,
        })
    }

    fn servers(text: &str) -> Result<(bool, Vec<Authority>)> {
        if text.contains('@') {
            return Err(Error::usage(
                "the address of a NATS server has a user or password in it, which would be seen in the list of processes",
            )
            .hint("give --nats-creds FILE, --nats-nkey FILE, or --nats-user NAME with --nats-password-file FILE"));
        }
        let wrong = |what: &str| {
            Error::usage(format!("this is no address of NATS servers: {what}"))
                .hint("for instance nats://n1.example.com:4222,n2.example.com/EVENTS")
        };
        let mut tls = false;
        let mut servers = Vec::new();
        for part in text.split(',') {
            let host = match part.split_once("://") {
                Some(("nats", host)) => host,
                Some(("tls", host)) => {
                    tls = true;
                    host
                }
                Some(_) => return Err(wrong("it begins with neither nats:// nor tls://")),
                None => part,
            };
            let (host, port) = authority::parse(host)
                .ok_or_else(|| wrong("a part of it is no host, or no port"))?;
            servers.push(Authority::new(&host, port.unwrap_or(PORT)));
        }
        if servers.len() > MOST_SERVERS {
            return Err(wrong("it names more than 16 servers"));
        }
        Ok((tls, servers))
    }

    /// The servers as URLs.
    pub(super) fn urls(&self) -> Vec<String> {
        let scheme = if self.tls { "tls" } else { "nats" };
        let url = |server| format!("{scheme}://{server}");
        self.servers.iter().map(url).collect()
    }

    /// The servers for a message.
    pub fn hosts(&self) -> String {
        let hosts: Vec<String> = self.servers.iter().map(Authority::to_string).collect();
        hosts.join(", ")
    }
}

impl fmt::Display for StreamAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream {} at {}", self.stream, self.hosts())
    }
}

/// The name of a stream, checked: it stands in subjects and in a server's configuration.
pub fn stream_name(text: &str) -> Result<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if text.is_empty() || text.len() > LONGEST_NAME || !text.chars().all(fits) {
        return Err(Error::usage(
            "a stream's name is letters, digits, - and _, at most 128; it stands behind the servers",
        )
        .hint("for instance nats://n1.example.com/EVENTS"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_stream_are_told_apart() {
        let address = StreamAddress::parse("nats://a.example,b.example:4333,[::1]/EVENTS", None);
        let address = address.unwrap();
        assert_eq!(address.stream, "EVENTS");
        assert!(!address.tls);
        assert_eq!(
            address.urls(),
            [
                "nats://a.example:4222",
                "nats://b.example:4333",
                "nats://[::1]:4222"
            ]
        );
        let address = StreamAddress::parse("EVENTS", Some("tls://a.example:1/")).unwrap();
        assert_eq!(address.urls(), ["tls://a.example:1"]);
        assert_eq!(address.to_string(), "stream EVENTS at a.example:1");
        let listed = StreamAddress::parse("EVENTS", Some("nats://a:1,nats://b:2")).unwrap();
        assert_eq!(listed.hosts(), "a:1, b:2");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_text() {
        for (text, servers) in [
            ("nats://user:geheim@a.example/EVENTS", None),
            ("EVENTS", Some("nats://user:geheim@a.example")),
            ("nats://a.example/", None),
            ("nats://a.example", None),
            ("nats://a.example/EVENTS.geheim", None),
            ("http://geheim/EVENTS", None),
            ("nats://a geheim/EVENTS", None),
            ("EVENTS", None),
        ] {
            let error = StreamAddress::parse(text, servers).unwrap_err();
            assert_eq!(error.kind().exit_status(), 2, "{text}");
            assert!(!error.message().contains("geheim"), "{error}");
            assert!(error.hint_text().is_some(), "{text}");
        }
    }
}
