//! What went wrong on the way through a proxy, in words: whose fault it is, the proxy's or the
//! host's behind it.

use std::io;
use std::time::Duration;

use super::Proxy;
use crate::error::{Error, Kind};
use crate::sanitize::terminal_safe;

/// Why there is no connection through a proxy.
#[derive(Debug)]
pub(super) enum Fault {
    /// No connection to the proxy itself.
    Unreachable(Error),
    /// TLS with the proxy itself.
    Tls(Error),
    /// The connection to the proxy broke.
    Io(io::Error),
    /// The proxy closed the connection.
    Closed,
    /// CONNECT was answered with something else than 2xx; `ways` are the schemes of
    /// `Proxy-Authenticate`.
    Answered { status: u16, ways: Vec<String> },
    /// What came is not HTTP.
    NoHttp,
    /// There were bytes behind the answer.
    SpokeFirst,
    /// SOCKS failed.
    Socks(tokio_socks::Error),
    /// The time is over.
    Late(Duration),
    /// The host's name, or the credentials, fit in no request.
    NoRequest,
    /// TLS cannot be begun: the proxy's host is no name that a certificate can have.
    NoTls,
}

impl Fault {
    /// Whether another address of the same host may fare better.
    pub(super) fn may_be_the_addresses(&self) -> bool {
        use tokio_socks::Error as Socks;
        matches!(
            self,
            Self::Socks(
                Socks::GeneralSocksServerFailure
                    | Socks::NetworkUnreachable
                    | Socks::HostUnreachable
                    | Socks::ConnectionRefused
                    | Socks::TtlExpired
                    | Socks::AddressTypeNotSupported
            )
        )
    }
}

const RIGHT: &str = "is it the right proxy, and is it up? `netapi config show` tells where it comes from; --no-proxy goes without it";
const NOT_ALLOWED: &str = "its administrator must allow CONNECT to this host and port (many proxies allow 443 only); a host in your own network is reached without it: --no-proxy, or its name in NO_PROXY";
const NOT_FOUND: &str = "is the host up, and its name known where the proxy is? --resolve HOST:PORT:ADDRESS gives the proxy an address; a host in your own network is reached without it: --no-proxy, or its name in NO_PROXY";
const GIVE_CREDENTIALS: &str = "give them in a file that holds USER:PASSWORD: --proxy-credentials-file FILE, or in the variable's URL: http://USER:PASSWORD@HOST:PORT";
const CHECK_CREDENTIALS: &str = "check user and password; in a URL, signs in them are written as %40 and so on; a file that holds USER:PASSWORD: --proxy-credentials-file FILE";
const OTHER_KIND: &str = "which kind of proxy is it? http://, https:// (TLS with the proxy itself), socks5:// and socks5h:// are spoken";
const OTHER_SOCKS: &str = "socks5h:// lets the proxy resolve names, socks5:// resolves them here: try the other of the two";

/// The error for `host` (`host:port`) behind `proxy`.
pub(super) fn explain(proxy: &Proxy, host: &str, fault: Fault) -> Error {
    let (kind, why, hint) = match fault {
        Fault::Unreachable(error) | Fault::Tls(error) => {
            let hint = match error.kind() {
                Kind::Tls | Kind::Usage => error.hint_text().unwrap_or(RIGHT).to_owned(),
                _ => RIGHT.to_owned(),
            };
            (error.kind(), error.message().to_owned(), hint)
        }
        Fault::Io(error) => (Kind::Connect, broke(&error), OTHER_KIND.to_owned()),
        Fault::Closed => (
            Kind::Connect,
            "it closed the connection".to_owned(),
            OTHER_KIND.to_owned(),
        ),
        Fault::Answered { status, ways } => answered(proxy, status, &ways),
        Fault::NoHttp => (
            Kind::Connect,
            "what it answered is not HTTP".to_owned(),
            OTHER_KIND.to_owned(),
        ),
        Fault::SpokeFirst => (
            Kind::Connect,
            "it sent data of its own behind its answer to CONNECT".to_owned(),
            RIGHT.to_owned(),
        ),
        Fault::Socks(error) => socks(proxy, &error),
        Fault::Late(allowed) => (
            Kind::TimedOut,
            format!("no connection within {allowed:?}"),
            format!("{RIGHT}; --connect-timeout allows more time"),
        ),
        Fault::NoRequest => (
            Kind::Usage,
            "this host, or the credentials, fit in no request to it".to_owned(),
            CHECK_CREDENTIALS.to_owned(),
        ),
        Fault::NoTls => (
            Kind::Usage,
            "its host is no name for a certificate".to_owned(),
            "name the proxy by its host name or address".to_owned(),
        ),
    };
    Error::new(kind, format!("cannot reach {host} through {proxy}: {why}"))
        .hint(hint)
        .host(host)
        .nothing_sent()
}

fn broke(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            "it reset the connection".to_owned()
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
            "it closed the connection".to_owned()
        }
        _ => format!("the connection to it broke: {error}"),
    }
}

fn answered(proxy: &Proxy, status: u16, ways: &[String]) -> (Kind, String, String) {
    let words =
        |kind, why: &str, hint: &str| (kind, format!("{why} (HTTP {status})"), hint.to_owned());
    match status {
        407 if !ways.is_empty() && !ways.iter().any(|way| way.eq_ignore_ascii_case("basic")) => (
            Kind::Refused,
            format!(
                "it lets in by {} only, and netapi speaks Basic (HTTP 407)",
                terminal_safe(&ways.join(", "))
            ),
            "name a local helper as the proxy that logs in for you (cntlm and px do), or go without: --no-proxy".to_owned(),
        ),
        407 => {
            let (why, hint) = refused(proxy);
            words(Kind::Refused, &why, hint)
        }
        403 => words(Kind::Connect, "it does not let us through to this host", NOT_ALLOWED),
        502 | 503 => words(Kind::Connect, "it could not reach this host", NOT_FOUND),
        504 => words(Kind::TimedOut, "this host did not answer it in time", NOT_FOUND),
        _ => words(
            Kind::Connect,
            "it did not take CONNECT, which is what makes an HTTPS proxy",
            "a web server answers so: is it the right host and port? `netapi config show` tells where it comes from; --no-proxy goes without it",
        ),
    }
}

/// The proxy wants credentials, or others.
fn refused(proxy: &Proxy) -> (String, &'static str) {
    match &proxy.address().login {
        Some(login) => (
            format!("it refused the password of {}", login.user),
            CHECK_CREDENTIALS,
        ),
        None => (
            "it wants a user and a password".to_owned(),
            GIVE_CREDENTIALS,
        ),
    }
}

fn socks(proxy: &Proxy, error: &tokio_socks::Error) -> (Kind, String, String) {
    use tokio_socks::Error as Socks;
    let (kind, why, hint) = match error {
        Socks::Io(error) => (Kind::Connect, broke(error), OTHER_KIND),
        Socks::PasswordAuthFailure(_) | Socks::AuthorizationRequired => {
            let (why, hint) = refused(proxy);
            (Kind::Refused, why, hint)
        }
        Socks::NoAcceptableAuthMethods => match &proxy.address().login {
            None => {
                let (why, hint) = refused(proxy);
                (Kind::Refused, why, hint)
            }
            Some(_) => (
                Kind::Refused,
                "it lets nobody in by user and password".to_owned(),
                "it wants a way to log in that netapi does not speak (GSSAPI); go without it: --no-proxy",
            ),
        },
        Socks::ConnectionNotAllowedByRuleset => (
            Kind::Connect,
            "its rules do not let us through to this host".to_owned(),
            NOT_ALLOWED,
        ),
        Socks::NetworkUnreachable | Socks::HostUnreachable | Socks::GeneralSocksServerFailure => (
            Kind::Connect,
            "it could not reach this host".to_owned(),
            NOT_FOUND,
        ),
        Socks::ConnectionRefused => (
            Kind::Connect,
            "this host refused its connection".to_owned(),
            NOT_FOUND,
        ),
        Socks::TtlExpired => (
            Kind::TimedOut,
            "this host did not answer it in time".to_owned(),
            NOT_FOUND,
        ),
        Socks::AddressTypeNotSupported => (
            Kind::Connect,
            "it takes no address of this kind".to_owned(),
            OTHER_SOCKS,
        ),
        Socks::CommandNotSupported => (
            Kind::Connect,
            "it makes no connections (CONNECT is not supported)".to_owned(),
            RIGHT,
        ),
        Socks::InvalidTargetAddress(_) | Socks::InvalidAuthValues(_) | Socks::ParseError(_) => (
            Kind::Usage,
            "this host, or the credentials, fit in no request to it".to_owned(),
            CHECK_CREDENTIALS,
        ),
        Socks::InvalidResponseVersion
        | Socks::UnknownAuthMethod
        | Socks::InvalidReservedByte
        | Socks::UnknownAddressType
        | Socks::UnknownError
        | Socks::ProxyServerUnreachable
        | Socks::IdentdAuthFailure
        | Socks::InvalidUserIdAuthFailure => (
            Kind::Connect,
            "what it answered is not SOCKS 5".to_owned(),
            OTHER_KIND,
        ),
    };
    (kind, why, hint.to_owned())
}
