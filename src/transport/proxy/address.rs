//! A proxy's URL: `http://`, `https://`, `socks5://`, `socks5h://`, with credentials or without.
//!
//! The text may hold a password, so no error quotes it, and nothing that is shown has more than the
//! user.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::{Host, ParseError, Url};

use crate::authority::{Authority, is_host_name};
use crate::error::{Error, Result};
use crate::transport::request::is_basic_user;

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP CONNECT.
    Http,
    /// HTTP CONNECT inside TLS.
    Https,
    /// SOCKS 5; names are resolved here.
    Socks5,
    /// SOCKS 5; names are resolved by the proxy.
    Socks5h,
}

impl Scheme {
    const ALL: [Self; 4] = [Self::Http, Self::Https, Self::Socks5, Self::Socks5h];

    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }

    fn usual_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks5 | Self::Socks5h => 1080,
        }
    }

    /// Whether it speaks SOCKS.
    pub fn is_socks(self) -> bool {
        matches!(self, Self::Socks5 | Self::Socks5h)
    }

    /// Whether names are resolved by the proxy.
    pub fn resolves(self) -> bool {
        self != Self::Socks5
    }
}

/// A user at a proxy. Without a password there is one to ask for.
#[derive(Debug, Clone)]
pub struct ProxyLogin {
    /// The name.
    pub user: String,
    /// The password, where one was given.
    pub password: Option<SecretString>,
}

impl ProxyLogin {
    /// From `USER:PASSWORD`, parted at the first colon.
    ///
    /// Errors: what is wrong with it, to follow the name of whatever held it.
    pub fn pair(text: &str) -> std::result::Result<Self, &'static str> {
        let (user, password) = text.split_once(':').ok_or("holds no USER:PASSWORD")?;
        Self::checked(user.to_owned(), Some(password.to_owned()))
    }

    fn checked(user: String, password: Option<String>) -> std::result::Result<Self, &'static str> {
        let control = |text: &str| text.contains(char::is_control);
        if user.is_empty() {
            return Err("has a password without a user");
        }
        if !is_basic_user(&user) || password.as_deref().is_some_and(control) {
            return Err("has a user with a colon, or a control character in user or password");
        }
        // One byte of length each (RFC 1929); no proxy for HTTP takes longer ones either.
        if user.len() > 255 || password.as_ref().is_some_and(|text| text.len() > 255) {
            return Err("has a user or password of more than 255 bytes");
        }
        Ok(Self {
            user,
            password: password.map(SecretString::from),
        })
    }
}

/// Where a proxy is and how to speak with it.
#[derive(Debug, Clone)]
pub struct ProxyAddress {
    /// How.
    pub scheme: Scheme,
    /// Where it is.
    pub at: Authority,
    /// Who we are there.
    pub login: Option<ProxyLogin>,
}

impl ProxyAddress {
    /// The URL with the user, where there is one, and never the password.
    pub fn masked(&self) -> String {
        let login = match &self.login {
            None => String::new(),
            Some(ProxyLogin { user, password }) => {
                let mask = if password.is_some() { ":****" } else { "" };
                format!("{user}{mask}@")
            }
        };
        format!("{}://{login}{}", self.scheme.name(), self.at)
    }
}

impl fmt::Display for ProxyAddress {
    /// The URL without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.at)
    }
}

impl FromStr for ProxyAddress {
    type Err = Error;

    /// Errors: [`crate::error::Kind::Usage`]; the message follows the name of whatever held the
    /// text (`HTTPS_PROXY `…).
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::usage(why).hint(
                "write http://HOST:PORT, https://HOST:PORT, socks5://HOST:PORT or socks5h://HOST:PORT; signs in a user or password as %40 and so on, or credentials in a file: --proxy-credentials-file",
            )
        };
        let text = text.trim();
        let url = if text.contains("://") {
            Url::parse(text)
        } else {
            Url::parse(&format!("http://{text}"))
        };
        let url = url.map_err(|error| match error {
            ParseError::IdnaError => {
                wrong("names a host with letters that are not ASCII: write it as xn--…")
            }
            _ => wrong("is no URL of a proxy"),
        })?;
        let scheme = Scheme::ALL
            .into_iter()
            .find(|scheme| scheme.name() == url.scheme())
            .ok_or_else(|| {
                wrong(&format!(
                    "has the scheme {}, which no proxy of ours speaks",
                    url.scheme()
                ))
            })?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has more than host and port").hint(
                "a PAC file is not read: name the proxy that it leads to, as in http://proxy.example.com:3128; a / or # in a password is written %2F or %23",
            ));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if is_host_name(name) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            _ => return Err(wrong("names no host")),
        };
        let decoded = |part: &str| {
            let part = percent_decode_str(part).decode_utf8();
            part.map(String::from)
                .map_err(|_| wrong("has credentials that are no UTF-8"))
        };
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => {
                let login = ProxyLogin::checked(decoded(user)?, password.map(decoded).transpose()?);
                Some(login.map_err(wrong)?)
            }
        };
        Ok(Self {
            scheme,
            at: Authority::new(&host, url.port().unwrap_or(scheme.usual_port())),
            login,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    #[test]
    fn every_scheme_with_and_without_port_and_credentials() {
        for (text, wanted, user, password) in [
            (
                "http://proxy.test:3128",
                "http://proxy.test:3128",
                None,
                None,
            ),
            ("proxy.test:3128", "http://proxy.test:3128", None, None),
            ("HTTP://Proxy.Test/", "http://proxy.test:80", None, None),
            ("https://proxy.test", "https://proxy.test:443", None, None),
            ("socks5://192.0.2.1", "socks5://192.0.2.1:1080", None, None),
            (
                "socks5h://[2001:db8::1]:9",
                "socks5h://[2001:db8::1]:9",
                None,
                None,
            ),
            ("http://kim@p:1", "http://p:1", Some("kim"), None),
            ("http://kim:@p:1", "http://p:1", Some("kim"), None),
            (
                "http://ki%6D:p%40%3A%2F@p:1",
                "http://p:1",
                Some("kim"),
                Some("p@:/"),
            ),
            ("kim:pw@p:1", "http://p:1", Some("kim"), Some("pw")),
            (
                "socks5h://LAB%5Ckim:%C3%BC@p:1",
                "socks5h://p:1",
                Some("LAB\\kim"),
                Some("ü"),
            ),
        ] {
            let read: ProxyAddress = text.parse().unwrap();
            assert_eq!(read.to_string(), wanted, "{text}");
            let login = read.login.as_ref();
            assert_eq!(login.map(|login| login.user.as_str()), user, "{text}");
            let found = login.and_then(|login| login.password.as_ref());
            assert_eq!(found.map(ExposeSecret::expose_secret), password, "{text}");
            if let Some(password) = password {
                assert!(!format!("{read:?} {read} {}", read.masked()).contains(password));
            }
        }
        let read: ProxyAddress = "http://kim:secret@p:1".parse().unwrap();
        assert_eq!(read.masked(), "http://kim:****@p:1");
    }

    #[test]
    fn a_host_that_is_not_ascii_is_written_as_its_label() {
        let error = "http://kim:secret@pröxy.test:1"
            .parse::<ProxyAddress>()
            .unwrap_err();
        assert!(error.message().contains("write it as xn--"), "{error}");
        assert!(!error.to_string().contains("secret"));
        let read: ProxyAddress = "http://xn--prxy-5qa.test:1".parse().unwrap();
        assert_eq!(read.to_string(), "http://xn--prxy-5qa.test:1");
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_being_quoted() {
        for text in [
            "ftp://kim:secret@p:1",
            "socks4://kim:secret@p:1",
            "http://kim:secret",
            "http://kim:se#secret@p:1",
            "http://kim:se/secret@p:1",
            "http://p:1/secret.pac",
            "http://p:1?secret",
            "http://kim%3Asecret:x@p:1",
            "http://:secret@p:1",
            "http://kim:secret%0A@p:1",
            "http://kim:secret%FF@p:1",
            "http://",
            "socks5://",
            "socks5://a b:1/",
            "http://p:99999",
        ] {
            let error = text.parse::<ProxyAddress>().unwrap_err();
            let said = format!("{error} {}", error.hint_text().unwrap());
            assert!(!said.contains("secret"), "{text}: {said}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(https?://|socks5h?://)?[a-z0-9:@/.%#?\\[\\] -]{0,24}") {
            if let Ok(read) = text.parse::<ProxyAddress>() {
                let again: ProxyAddress = read.to_string().parse().unwrap();
                prop_assert_eq!(again.to_string(), read.to_string());
            }
        }
    }
}
