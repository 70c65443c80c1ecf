//! Which proxy stands between us and a host, and the way through it: HTTP CONNECT (plain or in TLS)
//! and SOCKS 5.
//!
//! One way for HTTP and WebSocket: [`super::dial::connect`] asks here and hands on a connection
//! to the host, whoever made it. Nothing of a request is sent before that connection stands, so
//! every error of this room is one after which nothing was done. It reads no environment and no
//! file: `settings` does. A password is in no text that comes out of here.
//!
//! | part | holds |
//! | --- | --- |
//! | `address` | a proxy's URL |
//! | `tunnel` | the handshakes |
//! | `fault` | what went wrong with them, in words |

mod address;
mod fault;
mod tunnel;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use ipnet::IpNet;

pub use address::{ProxyAddress, ProxyLogin, Scheme};
pub(super) use tunnel::through;

use super::tls::{Tls, TlsOptions};
use crate::authority::Authority;
use crate::error::Result;

/// The proxy in use and the hosts that are reached without it.
#[derive(Debug, Clone)]
pub struct ProxyOptions {
    /// Where it is and how to speak with it.
    pub address: ProxyAddress,
    /// What named it (`environment HTTPS_PROXY`), for messages.
    pub source: String,
    /// Hosts to reach directly: names with everything below them, addresses, networks (CIDR), `*`.
    pub except: Vec<String>,
    /// The CA certificates that an `https://` proxy's certificate is checked by; the system's where
    /// there is none.
    pub ca: Option<PathBuf>,
}

/// [`ProxyOptions`], ready to be asked. Cheap to clone.
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

struct Inner {
    options: ProxyOptions,
    except: Exceptions,
    /// For a proxy that is spoken to in TLS.
    tls: Option<Tls>,
}

impl Proxy {
    /// Reads the CA certificates of an `https://` proxy; connects nowhere.
    ///
    /// Errors: [`crate::error::Kind::Usage`] for CA certificates that cannot be used.
    pub fn new(options: ProxyOptions) -> Result<Self> {
        let tls = (options.address.scheme == Scheme::Https).then(|| {
            let trust = TlsOptions {
                ca: options.ca.clone(),
                ..TlsOptions::default()
            };
            Tls::new(&trust)
        });
        Ok(Self(Arc::new(Inner {
            except: Exceptions::new(&options.except),
            tls: tls.transpose()?,
            options,
        })))
    }

    /// See [`Tls::notes`].
    pub fn notes(&self) -> &[String] {
        self.0.tls.as_ref().map_or(&[], Tls::notes)
    }

    /// Whether `host` (as it stands in the URL; an IPv6 address with or without brackets) is
    /// reached through it.
    pub fn is_for(&self, host: &str) -> bool {
        !self.0.except.contain(host)
    }

    /// Its address.
    pub fn address(&self) -> &ProxyAddress {
        &self.0.options.address
    }

    /// What named it.
    pub fn source(&self) -> &str {
        &self.0.options.source
    }

    /// The CA certificates for its own certificate, where some are named.
    pub fn ca(&self) -> Option<&PathBuf> {
        self.0.options.ca.as_ref()
    }

    fn tls(&self) -> Option<&Tls> {
        self.0.tls.as_ref()
    }
}

impl fmt::Display for Proxy {
    /// `the proxy http://proxy.example.com:3128 (environment HTTPS_PROXY)`, without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} ({})", self.address(), self.source())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.options.fmt(f)
    }
}

/// Hosts to reach without a proxy, in the notation of `NO_PROXY` as curl reads it.
pub struct Exceptions {
    every_host: bool,
    listed: Matcher,
}

impl Exceptions {
    /// Reads the entries. Besides commas, blanks part them as curl has it; `*.example.com` is
    /// `.example.com`, and brackets around an IPv6 address mean nothing.
    pub fn new(entries: &[String]) -> Self {
        let entries: Vec<&str> = entries
            .iter()
            .flat_map(|entry| entry.split(|c: char| c == ',' || c.is_whitespace()))
            .map(|entry| match entry.strip_prefix("*.") {
                Some(_) => entry.trim_start_matches('*'),
                None => entry.trim_start_matches('[').trim_end_matches(']'),
            })
            .filter(|entry| !entry.is_empty())
            .collect();
        // The library answers for a proxy; any will do, for only its list is wanted.
        let matcher = Matcher::builder()
            .https("http://proxy")
            .no(entries.join(","));
        Self {
            // The library's star is for names only.
            every_host: entries.contains(&"*"),
            listed: matcher.build(),
        }
    }

    /// Whether an entry can never match: neither a name, an address, a network nor `*`. Such an
    /// entry is passed over, and its host reached through the proxy.
    pub fn is_no_rule(entry: &str) -> bool {
        let parts = entry.split(|c: char| c == ',' || c.is_whitespace());
        let mut parts = parts.filter(|part| !part.is_empty());
        parts.any(|part| {
            let bare = part.trim_start_matches('[').trim_end_matches(']');
            let address = bare.parse::<IpAddr>().is_ok() || bare.parse::<IpNet>().is_ok();
            let name = bare.trim_start_matches("*.").trim_start_matches('.');
            let name = name.trim_end_matches('.');
            let labels = name.split('.').all(|label| {
                let known = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
                !label.is_empty() && label.chars().all(known)
            });
            // Digits and dots alone are meant as an address.
            let digits = name.chars().all(|c| c.is_ascii_digit() || c == '.');
            !(part == "*" || address || labels && !digits)
        })
    }

    /// Whether `host` is one of them. A host that can stand in no URL is none.
    pub fn contain(&self, host: &str) -> bool {
        let bare = host.trim_end_matches('.');
        let url = Authority::new(bare, 443).url("");
        let listed = |url: Uri| self.listed.intercept(&url).is_none();
        self.every_host || url.parse().is_ok_and(listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_read_as_curl_reads_no_proxy() {
        let list = |text: &str| Exceptions::new(&[text.to_owned()]);
        for (entries, host, exempt) in [
            ("ise.example.com", "ise.example.com", true),
            ("ise.example.com", "ISE.Example.Com", true),
            ("ise.example.com", "ise.example.com.", true),
            ("example.com", "ise.example.com", true),
            (".example.com", "ise.example.com", true),
            (".example.com", "example.com", true),
            ("*.example.com", "ise.example.com", true),
            ("example.com", "notexample.com", false),
            ("ise", "ise.example.com", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.30", false),
            ("10.0.0.0/8", "10.200.1.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("::1", "::1", true),
            ("[::1]", "[::1]", true),
            ("2001:db8::/32", "[2001:db8::7]", true),
            ("2001:db8::/32", "2001:db9::7", false),
            ("*", "anything.at.all", true),
            ("*", "192.0.2.1", true),
            ("a.test, b.test c.test", "c.test", true),
            ("a.test,,", "b.test", false),
            ("", "localhost", false),
            // Loopback has no exception of its own.
            ("", "127.0.0.1", false),
            ("localhost", "127.0.0.1", false),
        ] {
            assert_eq!(list(entries).contain(host), exempt, "{entries:?} {host}");
        }
    }

    #[test]
    fn what_can_never_match_is_no_rule() {
        for entry in [
            "10.0.0.0/33",
            "2001:db8::/129",
            "ise.example.com:443",
            "http://ise.example.com",
            "10.0.0.300",
            "10.0.0.0/8, 10.1.0.0/40",
            "10.1.*",
            "ise..example.com",
        ] {
            assert!(Exceptions::is_no_rule(entry), "{entry}");
        }
        for entry in [
            "",
            "*",
            "ise",
            ".example.com",
            "*.example.com",
            "example.com.",
            "10.1.2.3",
            "[::1]",
            "::1",
            "10.0.0.0/8",
            "2001:db8::/32",
            "a.test, b_c.test d-e.test",
            "3com.example",
        ] {
            assert!(!Exceptions::is_no_rule(entry), "{entry}");
        }
    }
}
