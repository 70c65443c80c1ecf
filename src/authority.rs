//! Host and port: how they are read, written and compared, and what a host name is made of.
//!
//! Nothing is resolved and nothing is looked up here.

use std::fmt;
use std::net::Ipv6Addr;

use url::Url;

/// A host and the port to call it on; two spellings of an IPv6 host (with brackets, without) are
/// one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Authority {
    host: String,
    port: u16,
}

impl Authority {
    /// `host` is a name or an address; brackets around an IPv6 address are allowed.
    pub fn new(host: &str, port: u16) -> Self {
        let inside = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        Self {
            host: inside.unwrap_or(host).to_owned(),
            port,
        }
    }

    /// Where a URL leads; its scheme's port where it names none. `None` for a URL without host or
    /// port.
    pub fn of_url(url: &Url) -> Option<Self> {
        Some(Self::new(url.host_str()?, url.port_or_known_default()?))
    }

    /// Name or address, IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `https://host:port` and `path`, which begins with a slash or is empty.
    pub fn url(&self, path: &str) -> String {
        format!("https://{self}{path}")
    }
}

impl fmt::Display for Authority {
    /// `host:port`, IPv6 in brackets, as it stands in a URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Reads a host (a name, IPv4, or IPv6 with or without brackets; without brackets here) and the
/// port beside it, where there is one. A bare IPv6 address has no port. `None` for anything else.
pub fn parse(text: &str) -> Option<(String, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        address.parse::<Ipv6Addr>().ok()?;
        let port = match rest {
            "" => None,
            rest => Some(parse_port(rest.strip_prefix(':')?)?),
        };
        return Some((address.to_owned(), port));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some((text.to_owned(), None));
    }
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(parse_port(port)?)),
        None => (text, None),
    };
    is_host_name(name).then(|| (name.to_owned(), port))
}

/// A port, 1 to 65535, in digits alone.
pub fn parse_port(text: &str) -> Option<u16> {
    // `parse` would take a plus sign.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|port| *port > 0)
}

/// Whether it is made as a host name or an IPv4 address is: letters, digits, dots, hyphens and
/// underscores (hosts with one exist), no longer than DNS allows. So it can stand in a URL and in a
/// path; a hyphen or a dot at its beginning would be read as something else.
pub fn is_host_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !text.is_empty()
        && text.len() <= 253
        && !text.starts_with(['-', '.'])
        && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn brackets_stand_around_ipv6_only_and_mean_nothing() {
        for (host, shown) in [
            ("ise.example.com", "ise.example.com:443"),
            ("192.0.2.1", "192.0.2.1:443"),
            ("2001:db8::1", "[2001:db8::1]:443"),
            ("[2001:db8::1]", "[2001:db8::1]:443"),
        ] {
            let authority = Authority::new(host, 443);
            assert_eq!(authority.to_string(), shown);
            assert_eq!(authority.url("/a"), format!("https://{shown}/a"));
            assert!(!authority.host().contains('['));
        }
        let [bare, bracketed] = ["::1", "[::1]"].map(|host| Authority::new(host, 1));
        assert_eq!(bare, bracketed);
    }

    #[test]
    fn a_url_says_where_it_leads() {
        let of = |text: &str| Authority::of_url(&text.parse().unwrap());
        assert_eq!(of("https://ise/x"), Some(Authority::new("ise", 443)));
        assert_eq!(of("wss://[::1]:8910/x"), Some(Authority::new("::1", 8910)));
        assert_eq!(of("mailto:a@b"), None);
        assert_eq!(of("file:///a"), None);
    }

    #[test]
    fn what_would_be_an_option_or_a_way_up_is_no_host_name() {
        for text in [
            "-x",
            ".",
            "..",
            ".ise",
            "",
            "a/b",
            "a b",
            "a:1",
            "ä",
            &"a".repeat(254),
        ] {
            assert!(!is_host_name(text), "{text}");
        }
        for text in ["ise", "ise_1.example.com", "192.0.2.1", "a."] {
            assert!(is_host_name(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            host in "[a-z0-9_][a-z0-9._-]{0,20}|[0-9a-f]{1,4}(:[0-9a-f]{1,4}){7}", port in 1u16..
        ) {
            let authority = Authority::new(&host, port);
            prop_assert_eq!(parse(&authority.to_string()), Some((host, Some(port))));
            // A URL takes fewer hosts than a command line, `1.2` for one, and writes addresses its
            // own way.
            if let Ok(url) = authority.url("/x").parse() {
                prop_assert_eq!(Authority::of_url(&url).map(|of| of.port()), Some(port));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a-z0-9:/@.\\[\\]?#%é -]{0,20}") {
            if let Some((host, port)) = parse(&text) {
                prop_assert!(host.parse::<Ipv6Addr>().is_ok() || is_host_name(&host));
                if let Some(port) = port {
                    let written = Authority::new(&host, port);
                    prop_assert_eq!(parse(&written.to_string()), Some((host, Some(port))));
                }
            }
        }
    }
}
