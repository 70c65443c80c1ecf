//! A setting's value as it was given, still text, with its source; and how it is read as what it
//! should be.
//!
//! All errors are usage errors that name the source. A value is quoted only where it cannot be a
//! secret.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::duration;
use super::environment::Environment;
use super::source::Source;
use crate::authority::{self, parse_port};
use crate::error::{Error, Result};
use crate::files;

/// Values (one, but for lists) and where they were found.
#[derive(Clone)]
pub(crate) struct RawValue {
    pub(crate) values: Vec<OsString>,
    pub(crate) source: Source,
}

/// Refuses an empty value: `--cacert "$UNSET"` is a mistake, not a wish.
pub(crate) fn non_empty(found: &RawValue) -> Result<()> {
    if found.values.iter().any(|value| value.is_empty()) {
        return Err(found.wrong("is empty"));
    }
    Ok(())
}

/// Refuses what can be no path: people put the content of a key into the variable for its file.
pub(crate) fn a_path(found: &RawValue) -> Result<()> {
    non_empty(found)?;
    if found
        .values
        .iter()
        .all(|value| files::may_be_path(value.as_ref()))
    {
        return Ok(());
    }
    Err(found
        .wrong("holds no path (the content of the file itself?)")
        .hint("write the content to a file that only you can read (chmod 600), and give its path"))
}

/// What a text holds that neither a name nor a password may, and how to be rid of it.
pub(crate) fn control_character(text: &str) -> Option<(&'static str, &'static str)> {
    if !text.contains(char::is_control) {
        return None;
    }
    let inside = text.trim_end_matches(['\n', '\r']);
    Some(if inside.contains(['\n', '\r']) {
        ("holds a line end", "give one line alone")
    } else if inside.contains(char::is_control) {
        (
            "holds a control character",
            "type it anew; a tab or an escape sequence got into it",
        )
    } else if text.ends_with('\r') || text.ends_with("\r\n") {
        (
            "ends in a line end of Windows",
            "take it off: tr -d '\\r\\n'",
        )
    } else {
        (
            "ends in a line end",
            "take it off: NAME=\"$(cat FILE)\" does, and printf '%s' writes none",
        )
    })
}

impl RawValue {
    /// An error that blames the source.
    pub(crate) fn wrong(&self, what: &str) -> Error {
        Error::usage(format!("{} {what}", self.source.name()))
    }

    /// All values as texts, none of them empty.
    pub(crate) fn texts(&self) -> Result<Vec<&str>> {
        fn text<'v>(found: &RawValue, value: &'v OsString) -> Result<&'v str> {
            let text = value.to_str().ok_or_else(|| found.wrong("is not UTF-8"))?;
            // A variable that was read from a file may begin with a byte order mark.
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            if text.is_empty() {
                return Err(found.wrong("is empty"));
            }
            Ok(text)
        }
        self.values.iter().map(|value| text(self, value)).collect()
    }

    /// The one value as text.
    pub(crate) fn text(&self) -> Result<&str> {
        self.texts()?
            .into_iter()
            .next()
            .ok_or_else(|| self.wrong("is empty"))
    }

    /// The one value as the name of somebody: no line end and no other control character may travel
    /// in it.
    pub(crate) fn name(&self) -> Result<&str> {
        let text = self.text()?;
        if text.contains("-----BEGIN") {
            return Err(self.wrong("holds the content of a file (-----BEGIN …), and no name"));
        }
        match control_character(text) {
            None => Ok(text),
            Some((what, hint)) => Err(self
                .wrong(&format!("{what}, which no name can have"))
                .hint(hint)),
        }
    }

    /// The one value as a path, a leading `~` expanded.
    pub(crate) fn path(&self, environment: &Environment) -> Result<PathBuf> {
        a_path(self)?;
        let value = self.values.first().ok_or_else(|| self.wrong("is empty"))?;
        environment.expand(value.as_ref())
    }

    /// An error with the value, where that may be shown: what stands in a file may be a secret in
    /// the wrong place.
    fn quoting(&self, what: &str, text: &str) -> Error {
        let from_file = matches!(self.source, Source::Profile(..) | Source::EnvFile(..));
        if from_file || text.chars().count() > 100 || text.contains(char::is_control) {
            return self.wrong(what);
        }
        self.wrong(&format!("{what}: `{text}`"))
    }

    /// A port, 1 to 65535.
    pub(crate) fn port(&self) -> Result<u16> {
        let text = self.text()?;
        parse_port(text).ok_or_else(|| {
            self.quoting("is no port", text)
                .hint("a port is a number from 1 to 65535")
        })
    }

    /// `1`, `true`, `yes` or `0`, `false`, `no`. Other words are an error rather than a guess: some
    /// of these guard the network.
    pub(crate) fn boolean(&self) -> Result<bool> {
        let text = self.text()?;
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" => Ok(true),
            "0" | "false" | "no" => Ok(false),
            _ => Err(self
                .quoting("is neither yes nor no", text)
                .hint("write 1, true or yes; or 0, false or no")),
        }
    }

    /// A time-out: a span of more than nothing.
    pub(crate) fn timeout(&self) -> Result<Duration> {
        let text = self.text()?;
        let span = duration::parse(text).map_err(|error| {
            let named = self.quoting("is no length of time", text);
            match error.hint_text() {
                Some(hint) => named.hint(hint),
                None => named,
            }
        })?;
        if span.is_zero() {
            return Err(self.wrong("is no time at all").hint(
                "a time-out of nothing would fail every time; leave it out for the default",
            ));
        }
        Ok(span)
    }

    /// A SHA-256 fingerprint: 64 hexadecimal digits, colons between bytes allowed (as `openssl x509
    /// -fingerprint` prints them).
    pub(crate) fn fingerprint(&self) -> Result<[u8; 32]> {
        let digits: Vec<u8> = self.text()?.bytes().filter(|byte| *byte != b':').collect();
        parse_hex(&digits).ok_or_else(|| {
            self.wrong("is no SHA-256 fingerprint").hint(
                "64 hexadecimal digits of the certificate's SHA-256, as `openssl x509 -noout -fingerprint -sha256` prints them",
            )
        })
    }

    /// Hosts: names, IPv4, IPv6 with or without brackets; each with a port beside it, or without.
    /// As [`authority::parse`] gives them.
    pub(crate) fn hosts(&self) -> Result<Vec<(String, Option<u16>)>> {
        self.texts()?
            .into_iter()
            .map(|text| self.host(text))
            .collect()
    }

    fn host(&self, text: &str) -> Result<(String, Option<u16>)> {
        if text.contains('/') || text.contains('@') {
            return Err(self.no_url(text));
        }
        authority::parse(text).ok_or_else(|| {
            self.quoting("is no host", text)
                .hint("write ise.example.com, 10.0.0.1 or [2001:db8::1]; with a port, ise.example.com:443")
        })
    }

    /// Not quoted, since a URL may hold a password; the hint shows what of it is wanted.
    fn no_url(&self, text: &str) -> Error {
        let after_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
        let before_path = after_scheme.split(['/', '?', '#']).next().unwrap_or("");
        let host = before_path
            .rsplit_once('@')
            .map_or(before_path, |(_, host)| host);
        let error = self.wrong("is a URL; a host name is wanted");
        match authority::parse(host) {
            Some(_) => error.hint(format!("write {host}")),
            None => error.hint("write the host alone, as in ise.example.com"),
        }
    }
}

fn parse_hex(digits: &[u8]) -> Option<[u8; 32]> {
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        if !pair.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use proptest::prelude::*;

    fn raw_value(value: &str) -> RawValue {
        RawValue {
            values: vec![value.into()],
            source: Source::Environment("ISE_MNT_FQDN".to_owned()),
        }
    }

    fn host(text: &str) -> Result<(String, Option<u16>)> {
        Ok(raw_value(text).hosts()?.remove(0))
    }

    #[test]
    fn hosts_with_and_without_port() {
        for (text, name, port) in [
            ("ise.example.com", "ise.example.com", None),
            ("ise.example.com:9443", "ise.example.com", Some(9443)),
            ("10.0.0.1:1", "10.0.0.1", Some(1)),
            ("2001:db8::1", "2001:db8::1", None),
            ("[2001:db8::1]", "2001:db8::1", None),
            ("[2001:db8::1]:443", "2001:db8::1", Some(443)),
        ] {
            assert_eq!(host(text).unwrap(), (name.to_owned(), port), "{text}");
        }
        for text in [
            "a b", "a:", "a:0", "a:70000", "a:+1", "a:x", "a:1:2", "[::1", "[a]", "[::1]x", ":443",
            "", "a?b", "a#b", "a\n", "ä",
        ] {
            assert_eq!(host(text).unwrap_err().kind(), Kind::Usage, "{text:?}");
        }
    }

    #[test]
    fn a_url_is_mended_in_the_hint_and_its_password_never_shown() {
        for (text, hint) in [
            ("https://ise/admin/API", "write ise"),
            ("https://ise:9443/", "write ise:9443"),
            ("https://u:hunter2@ise", "write ise"),
            ("ise/admin", "write ise"),
            ("https://[::1]:8443/", "write [::1]:8443"),
            ("https:///", "write the host alone, as in ise.example.com"),
        ] {
            let error = host(text).unwrap_err();
            assert_eq!(
                error.message(),
                "ISE_MNT_FQDN is a URL; a host name is wanted"
            );
            assert_eq!(error.hint_text(), Some(hint), "{text}");
        }
    }

    #[test]
    fn fingerprints() {
        let plain = "ab".repeat(32);
        assert_eq!(raw_value(&plain).fingerprint().unwrap(), [0xab; 32]);
        let colons = vec!["AB"; 32].join(":");
        assert_eq!(raw_value(&colons).fingerprint().unwrap(), [0xab; 32]);
        for text in [
            "",
            "ab",
            &"g".repeat(64),
            &"+1".repeat(32),
            &"ab".repeat(33),
        ] {
            assert!(raw_value(text).fingerprint().is_err(), "{text}");
        }
    }

    #[test]
    fn booleans_ports_and_timeouts() {
        assert!(raw_value("YES").boolean().unwrap() && raw_value("1").boolean().unwrap());
        assert!(!raw_value("0").boolean().unwrap() && !raw_value("no").boolean().unwrap());
        assert!(raw_value("on").boolean().is_err() && raw_value("2").boolean().is_err());
        assert!(raw_value("0").port().is_err() && raw_value("65536").port().is_err());
        assert_eq!(raw_value("8910").port().unwrap(), 8910);
        assert!(raw_value("0s").timeout().is_err());
        let error = raw_value("10").timeout().unwrap_err();
        assert_eq!(error.message(), "ISE_MNT_FQDN is no length of time: `10`");
        assert!(error.hint_text().unwrap().contains("`10s`"));
    }

    proptest! {
        #[test]
        fn hosts_never_panic_and_hold_nothing_that_ends_a_url(text in "[a-z0-9:/@.\\[\\]?#%é -]{0,20}") {
            if let Ok((name, _)) = host(&text) {
                prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte)));
            }
        }
    }
}
