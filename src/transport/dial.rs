//! From a host name to a connection: name overrides as curl's `--resolve` has them, the resolver,
//! the proxy, the connect timeout.
//!
//! HTTP and WebSocket connect through [`connect`]. An override changes the address only: the TLS
//! name and the `Host` header stay what the URL says, which pxGrid needs, whose URLs name hosts
//! that often do not resolve from a laptop (reference pxgrid-api, section 5).

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::connection::Connection;
use super::proxy::{Proxy, through};
use crate::authority::{Authority, is_host_name, parse_port};
use crate::error::{Error, Kind, Result};

/// `HOST:PORT:ADDRESS`: connections to HOST and PORT go to ADDRESS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The name as it stands in the URL, lower case, and the port, which stays the port.
    pub from: Authority,
    /// Where to connect.
    pub address: Address,
}

/// Where an override leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An IP address.
    Ip(IpAddr),
    /// Another name, which is resolved in the usual way.
    Name(String),
}

impl fmt::Display for Override {
    /// As it is written on a command line; IPv6 in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = &self.from;
        match &self.address {
            Address::Ip(IpAddr::V6(address)) => write!(f, "{from}:[{address}]"),
            Address::Ip(IpAddr::V4(address)) => write!(f, "{from}:{address}"),
            Address::Name(name) => write!(f, "{from}:{name}"),
        }
    }
}

impl FromStr for Override {
    type Err = Error;

    /// Errors: [`Kind::Usage`], naming the part that is wrong.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::usage(format!("cannot use --resolve (or NETAPI_RESOLVE, or resolve of the profile): {why}")).hint(
                "write HOST:PORT:ADDRESS, for instance ise.example.com:8910:192.0.2.10 (IPv6 in brackets)",
            )
        };
        if text.starts_with('[') {
            return Err(wrong(
                "HOST is an address already; an override is for a name",
            ));
        }
        let mut parts = text.splitn(3, ':');
        let (Some(host), Some(port), Some(address)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong("it does not have three parts"));
        };
        if host.parse::<IpAddr>().is_ok() {
            return Err(wrong(
                "HOST is an address already; an override is for a name",
            ));
        }
        if !is_host_name(host) {
            return Err(wrong("HOST is not a host name"));
        }
        let port = parse_port(port).ok_or_else(|| wrong("PORT is not a number from 1 to 65535"))?;
        let address = match address
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            Some(inside) => match inside.parse::<IpAddr>() {
                Ok(ip @ IpAddr::V6(_)) => Address::Ip(ip),
                _ => return Err(wrong("what stands in brackets is not an IPv6 address")),
            },
            None => match address.parse::<IpAddr>() {
                Ok(ip) => Address::Ip(ip),
                Err(_) if is_host_name(address) => Address::Name(address.to_owned()),
                Err(_) => return Err(wrong("ADDRESS is neither an address nor a host name")),
            },
        };
        Ok(Self {
            from: Authority::new(&host.to_ascii_lowercase(), port),
            address,
        })
    }
}

/// How to reach hosts: overrides, the proxy, and the time allowed. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Dialer {
    overrides: Arc<[Override]>,
    proxy: Option<Proxy>,
    connect_timeout: Duration,
}

impl Dialer {
    /// A dialer; of several overrides for one host and port the last wins.
    pub fn new(overrides: Vec<Override>, connect_timeout: Duration) -> Self {
        Self {
            overrides: overrides.into(),
            proxy: None,
            connect_timeout,
        }
    }

    /// The same through a proxy, for the hosts that it is for.
    #[must_use]
    pub fn with_proxy(self, proxy: Option<Proxy>) -> Self {
        Self { proxy, ..self }
    }

    /// The proxy that stands between us and `host`.
    pub fn proxy(&self, host: &str) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|proxy| proxy.is_for(host))
    }

    /// The time that a connection may take, name resolution and TLS handshake included.
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// Where an override leads, else the host itself; nothing is resolved.
    pub(super) fn overridden(&self, to: &Authority) -> Address {
        let mut latest = self.overrides.iter().rev();
        let entry = latest
            .find(|entry| {
                entry.from.port() == to.port() && entry.from.host().eq_ignore_ascii_case(to.host())
            })
            .map_or_else(
                || Address::Name(to.host().to_owned()),
                |entry| entry.address.clone(),
            );
        match entry {
            Address::Name(name) => name.parse().map_or(Address::Name(name), Address::Ip),
            ip @ Address::Ip(_) => ip,
        }
    }

    /// The addresses of a host, at least one, in the resolver's order.
    ///
    /// Errors: [`Kind::Resolve`].
    pub async fn addresses(&self, to: &Authority) -> Result<Vec<SocketAddr>> {
        let port = to.port();
        let name = match self.overridden(to) {
            Address::Ip(ip) => return Ok(vec![SocketAddr::new(ip, port)]),
            Address::Name(name) => name,
        };
        let fault = |why: &str| {
            Error::new(Kind::Resolve, format!("cannot resolve {name}: {why}"))
                .hint(format!(
                    "is the name right? If it is only missing from this computer's DNS: --resolve {to}:ADDRESS"
                ))
                .host(to.to_string())
                .nothing_sent()
        };
        let found: Vec<SocketAddr> = match tokio::net::lookup_host((name.as_str(), port)).await {
            Ok(found) => found.collect(),
            // A bare container has no hosts file.
            Err(_) if is_localhost(&name) => {
                let loopback: [IpAddr; 2] =
                    [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
                loopback.map(|ip| SocketAddr::new(ip, port)).into()
            }
            Err(error) => return Err(fault(&error.to_string())),
        };
        if found.is_empty() {
            return Err(fault("the name has no address"));
        }
        Ok(found)
    }
}

/// Whether a name is this computer's whatever the resolver knows (RFC 6761, section 6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    name == "localhost" || name.ends_with(".localhost")
}

/// Opens a connection within the dialer's connect timeout, through the proxy where one is in the
/// way.
///
/// Errors: [`Kind::Resolve`], [`Kind::Connect`] (refused, reset, unreachable), [`Kind::TimedOut`];
/// with a proxy also [`Kind::Tls`] (its own certificate) and [`Kind::Refused`] (its credentials);
/// nothing was sent in any of them.
pub async fn connect(dialer: &Dialer, to: &Authority) -> Result<Connection> {
    match dialer.proxy(to.host()) {
        Some(proxy) => {
            let end = Instant::now() + dialer.connect_timeout;
            // In a box, so that connecting without a proxy carries none of it.
            Box::pin(through(proxy, dialer, to, end)).await
        }
        None => connect_directly(dialer, to).await.map(Connection::Tcp),
    }
}

/// Opens a TCP connection within the dialer's connect timeout; of several addresses each gets its
/// share of the time.
pub(super) async fn connect_directly(dialer: &Dialer, to: &Authority) -> Result<TcpStream> {
    let end = Instant::now() + dialer.connect_timeout;
    let shown = to.to_string();
    let late = || connect_timed_out(&shown, dialer.connect_timeout);
    let addresses = timeout_at(end, dialer.addresses(to))
        .await
        .map_err(|_| late())??;
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    let mut last = late();
    for address in addresses {
        let share = end.saturating_duration_since(Instant::now()) / left.max(1);
        left = left.saturating_sub(1);
        match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Requests and STOMP frames are small and waited for. A socket that refuses the
                // option still works.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = cannot_connect(&shown, &error),
            Err(_) => last = late(),
        }
    }
    Err(last)
}

pub(super) fn connect_timed_out(host: &str, allowed: Duration) -> Error {
    Error::new(
        Kind::TimedOut,
        format!("no connection to {host} within {allowed:?}"),
    )
    .hint("is the host up, and does a firewall let this computer through? --connect-timeout allows more time")
    .host(host)
    .nothing_sent()
}

/// The connection could not be made; nothing was sent.
pub(super) fn cannot_connect(host: &str, error: &io::Error) -> Error {
    use io::ErrorKind as Io;
    let (why, hint) = match error.kind() {
        Io::ConnectionRefused => (
            "the connection was refused".to_owned(),
            "nothing listens there: is it the right port, and is the service running on this node?",
        ),
        Io::ConnectionReset | Io::ConnectionAborted => (
            "the connection was reset".to_owned(),
            "a firewall or an access list may refuse this computer",
        ),
        Io::NetworkUnreachable | Io::HostUnreachable => (
            "there is no route to it".to_owned(),
            "is the VPN up, and is the address right?",
        ),
        Io::TimedOut => (
            "it did not answer".to_owned(),
            "is the host up, and does a firewall let this computer through?",
        ),
        _ => (
            error.to_string(),
            "is the host reachable from this computer?",
        ),
    };
    Error::new(Kind::Connect, format!("cannot connect to {host}: {why}"))
        .hint(hint)
        .host(host)
        .nothing_sent()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dialer(overrides: &[&str]) -> Dialer {
        let overrides = overrides.iter().map(|text| text.parse().unwrap()).collect();
        Dialer::new(overrides, Duration::from_secs(5))
    }

    #[test]
    fn overrides_are_read_and_written_alike() {
        for text in [
            "ise.example.com:8910:192.0.2.1",
            "ise:443:[2001:db8::1]",
            "ise:443:other.example.com",
        ] {
            assert_eq!(text.parse::<Override>().unwrap().to_string(), text);
        }
        let bare: Override = "ISE:443:2001:db8::1".parse().unwrap();
        assert_eq!(bare.to_string(), "ise:443:[2001:db8::1]");
    }

    #[test]
    fn a_wrong_override_is_a_usage_error_that_names_the_part() {
        for (text, part) in [
            ("", "three parts"),
            ("ise:443", "three parts"),
            (":443:1.2.3.4", "HOST"),
            ("a b:443:1.2.3.4", "HOST"),
            ("ise:0:1.2.3.4", "PORT"),
            ("ise:65536:1.2.3.4", "PORT"),
            ("ise:https:1.2.3.4", "PORT"),
            ("ise:443:", "ADDRESS"),
            ("ise:443:a/b", "ADDRESS"),
            ("ise:443:[1.2.3.4]", "IPv6"),
            ("192.0.2.1:443:127.0.0.1", "address already"),
            ("[::1]:443:127.0.0.1", "address already"),
        ] {
            let error = text.parse::<Override>().unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{text}");
            assert!(error.message().contains(part), "{text}: {error}");
        }
    }

    #[tokio::test]
    async fn localhost_needs_neither_a_hosts_file_nor_dns() {
        for name in [
            "localhost",
            "netapi-test.localhost",
            "NETAPI-test.LocalHost.",
        ] {
            assert!(is_localhost(name), "{name}");
        }
        for name in ["localhost.example.com", "mylocalhost", "example.com"] {
            assert!(!is_localhost(name), "{name}");
        }
        // No hosts file and no DNS server knows it.
        let name = Authority::new("netapi-test.localhost", 443);
        let found = dialer(&[]).addresses(&name).await.unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback()));
    }

    #[tokio::test]
    async fn an_override_is_for_its_host_and_port_only_and_the_last_wins() {
        let dialer = dialer(&["ise:443:192.0.2.1", "ise:443:192.0.2.2"]);
        let found = dialer.addresses(&Authority::new("ISE", 443)).await.unwrap();
        assert_eq!(found, ["192.0.2.2:443".parse().unwrap()]);
        let found = dialer
            .addresses(&Authority::new("127.0.0.1", 443))
            .await
            .unwrap();
        assert_eq!(found, ["127.0.0.1:443".parse().unwrap()]);
        let found = dialer
            .addresses(&Authority::new("[::1]", 8910))
            .await
            .unwrap();
        assert_eq!(found, ["[::1]:8910".parse().unwrap()]);
    }

    #[tokio::test]
    async fn a_name_that_does_not_resolve_says_how_to_override_it() {
        let dialer = dialer(&["ise.invalid:443:127.0.0.1"]);
        let error = connect(&dialer, &Authority::new("ise.invalid", 8910))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Resolve);
        assert!(error.message().contains("ise.invalid"), "{error}");
        let hint = error.hint_text().unwrap();
        assert!(
            hint.contains("--resolve ise.invalid:8910:ADDRESS"),
            "{hint}"
        );
        assert!(error.was_nothing_sent());
    }

    #[tokio::test]
    async fn a_refused_connection_is_told_from_others() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let dialer = dialer(&[&format!("ise.test:{port}:127.0.0.1")]);
        let to = Authority::new("ise.test", port);
        connect(&dialer, &to).await.unwrap();
        drop(listener);
        let error = connect(&dialer, &to).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Connect);
        assert!(error.message().contains("refused"), "{error}");
        assert!(error.was_nothing_sent());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-z0-9:.\\[\\]-]{0,40}") {
            if let Ok(read) = text.parse::<Override>() {
                prop_assert_eq!(read.to_string().parse::<Override>().unwrap(), read);
            }
        }
    }
}
