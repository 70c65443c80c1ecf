//! What the arguments of several commands have in common: a MAC address or `-`, lists on standard
//! input, a question before harm. It sends nothing.

use std::io::{BufRead, IsTerminal, Write};
use std::net::IpAddr;

use crate::error::{Error, Result};
use crate::record::Mac;
use crate::record::conditions::Stations;
use crate::sanitize::terminal_safe;

/// Longest line taken from a list: a MAC address and a comment fit; a binary file does not.
const LINE_LIMIT: u64 = 4096;

/// A MAC address, or `-` for a list on standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MacOrList {
    /// One endpoint.
    One(Mac),
    /// One a line on standard input.
    List,
}

/// One endpoint as a list of sessions shows it: by its MAC address, or a VPN client by the address
/// that stands in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Station {
    /// By its MAC address.
    Mac(Mac),
    /// By an address: the endpoint's own, or the one a VPN client comes from.
    Address(IpAddr),
}

impl Station {
    /// The address, where it is not known by its MAC address.
    pub(crate) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Mac(_) => None,
            Self::Address(address) => Some(address),
        }
    }
}

impl std::fmt::Display for Station {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mac(mac) => mac.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl From<Mac> for Station {
    fn from(mac: Mac) -> Self {
        Self::Mac(mac)
    }
}

impl std::str::FromStr for Station {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match ip(text) {
            Ok(address) => Ok(Self::Address(address)),
            Err(_) => text.parse().map(Self::Mac),
        }
    }
}

/// An endpoint, or `-` for a list on standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StationOrList {
    /// One endpoint.
    One(Station),
    /// One a line on standard input.
    List,
}

/// For clap: a MAC address in any spelling, or an IP address.
pub(crate) fn station(text: &str) -> Result<Station, String> {
    text.parse().map_err(with_hint)
}

/// For clap: the same, or `-`.
pub(crate) fn station_or_list(text: &str) -> Result<StationOrList, String> {
    if text == "-" {
        return Ok(StationOrList::List);
    }
    station(text).map(StationOrList::One)
}

/// For clap: a MAC address in any spelling.
pub(crate) fn mac(text: &str) -> Result<Mac, String> {
    text.parse().map_err(with_hint)
}

/// For clap: a MAC address, or `-`.
pub(crate) fn mac_or_list(text: &str) -> Result<MacOrList, String> {
    if text == "-" {
        return Ok(MacOrList::List);
    }
    mac(text).map(MacOrList::One)
}

/// For clap: a MAC address or the beginning of one, or a whole IP address.
pub(crate) fn stations(text: &str) -> Result<Stations, String> {
    if let Ok(address) = ip(text) {
        return Ok(Stations::Address(address));
    }
    let prefix = text.parse().map(Stations::Prefix);
    prefix.map_err(|error: Error| {
        let message = with_hint(error);
        if text.trim().starts_with(|c: char| c.is_ascii_digit()) && text.contains('.') {
            return format!("{message}; an IP address is given whole");
        }
        message
    })
}

/// For clap: one name of `--fields`; blanks around it are no part of it.
pub(crate) fn field(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a name is empty; write them with one comma between, as in MAC,USER".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// For clap: an IP address, v4 or v6, without zone. A v4 address written as v6 is the v4 one.
pub(crate) fn ip(text: &str) -> Result<IpAddr, String> {
    text.trim()
        .parse()
        .map(|ip: IpAddr| ip.to_canonical())
        .map_err(|_| format!("'{text}' is not an IP address"))
}

/// For clap: a duration such as `90s` or `1h30m`.
pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    crate::settings::duration::parse(text).map_err(with_hint)
}

/// For clap: a duration of more than nothing.
pub(crate) fn some_time(text: &str) -> Result<std::time::Duration, String> {
    match duration(text)? {
        std::time::Duration::ZERO => Err(format!("'{text}' is no time at all")),
        some => Ok(some),
    }
}

/// The shortest pause between two requests of the same kind that a user may ask for: less would
/// hammer a server that is in trouble already.
const SHORTEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// For clap: a pause or an interval, which is a duration of at least a second.
pub(crate) fn pause(text: &str) -> Result<std::time::Duration, String> {
    let duration = duration(text)?;
    if duration < SHORTEST_PAUSE {
        return Err(format!("'{text}' is too short: at least 1s"));
    }
    Ok(duration)
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "handed to map_err, which gives the error away"
)]
fn with_hint(error: Error) -> String {
    match error.hint_text() {
        Some(hint) => format!("{}; {hint}", error.message()),
        None => error.message().to_owned(),
    }
}

/// One line of a list that has something on it.
pub(crate) struct ListLine {
    /// The line's number, from 1.
    pub number: u64,
    /// What stands on it, without blanks around it and without a comment.
    pub text: String,
}

/// Reads a list, one entry a line; blank lines, what follows `#` and a byte order mark are passed
/// over.
pub(crate) fn list_lines(mut input: impl BufRead) -> impl Iterator<Item = Result<ListLine>> {
    let mut number = 0;
    std::iter::from_fn(move || {
        loop {
            number += 1;
            let mut bytes = Vec::new();
            match std::io::Read::take(&mut input, LINE_LIMIT).read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(read) if read as u64 == LINE_LIMIT => {
                    return Some(Err(Error::usage(format!(
                        "line {number} of standard input is longer than {LINE_LIMIT} bytes"
                    ))
                    .hint("give one MAC address a line")));
                }
                Ok(_) => {}
                Err(error) => {
                    return Some(Err(Error::usage(format!(
                        "cannot read standard input: {error}"
                    ))));
                }
            }
            let line = String::from_utf8_lossy(&bytes);
            let line = match number {
                1 => line.strip_prefix('\u{feff}').unwrap_or(&line),
                _ => &line,
            };
            let text = line.split('#').next().unwrap_or_default().trim();
            if !text.is_empty() {
                return Some(Ok(ListLine {
                    number,
                    text: text.to_owned(),
                }));
            }
        }
    })
}

/// Asks on a terminal whether to delete `what`; elsewhere, or with `--no-input`, `--yes` is the
/// only way.
pub(crate) fn confirm_deletion(what: &str, yes: bool, no_input: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    if no_input || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Error::usage(format!(
            "deleting {what} needs --yes where nobody can be asked"
        ))
        .hint("add --yes if that is what you want"));
    }
    let mut stderr = std::io::stderr();
    let asked = write!(stderr, "{}", question(what)).and_then(|()| stderr.flush());
    let mut answer = String::new();
    if asked.is_ok() && std::io::stdin().read_line(&mut answer).is_ok() && answer.trim() == "yes" {
        return Ok(());
    }
    Err(Error::usage(
        "nothing was changed: the answer was not 'yes'",
    ))
}

/// Asks on the process's terminal before many are changed; standard input holds the list.
///
/// Errors: [`Kind::Usage`](crate::error::Kind::Usage) where nobody can be asked, or says no;
/// nothing was sent then.
pub(crate) fn confirm_many(question: &str, no_input: bool) -> Result<()> {
    let nobody = || {
        Error::usage(format!("{question} Nobody can be asked here"))
            .hint("add --yes if that is what you want")
    };
    if no_input {
        return Err(nobody());
    }
    let terminal = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty");
    let mut terminal = terminal.map_err(|_| nobody())?;
    write!(terminal, "{question} Type 'yes' to go on: ").map_err(|_| nobody())?;
    let mut answer = String::new();
    let typed = std::io::BufReader::new(std::io::Read::take(&terminal, LINE_LIMIT));
    let read = { typed }.read_line(&mut answer);
    if read.is_ok() && answer.trim() == "yes" {
        return Ok(());
    }
    Err(Error::usage("nothing was sent: the answer was not 'yes'"))
}

fn question(what: &str) -> String {
    format!("Delete {}? Type 'yes' to go on: ", terminal_safe(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_reads_as_one() {
        assert_eq!(
            question("the session record of C8:5B:76:C6:59:62"),
            "Delete the session record of C8:5B:76:C6:59:62? Type 'yes' to go on: "
        );
    }

    #[test]
    fn what_a_mac_column_shows_is_taken_whole_or_as_a_beginning() {
        assert!(matches!(stations("c8-5b-76"), Ok(Stations::Prefix(_))));
        assert!(matches!(
            stations("203.113.190.145"),
            Ok(Stations::Address(_))
        ));
        assert!(stations("2001:DB8::0:7").unwrap().contain("2001:db8::7"));
        assert_eq!(ip("::ffff:10.0.0.1"), ip("10.0.0.1"));
        let begun = stations("10.50.").unwrap_err();
        assert!(begun.ends_with("an IP address is given whole"), "{begun}");
        assert!(stations("xyz").is_err() && stations("").is_err());
    }

    #[test]
    fn lists_pass_over_blank_lines_and_comments_and_name_the_line() {
        let text = "C8:5B:76:C6:59:62\n\n# later\nc85b.76c6.5963 # desk 4\nnot-a-mac\n";
        let lines: Vec<_> = list_lines(text.as_bytes()).map(Result::unwrap).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(
            lines[1].text.parse::<Mac>().unwrap().to_string(),
            "C8:5B:76:C6:59:63"
        );
        assert_eq!(
            (lines[2].number, lines[2].text.parse::<Mac>().is_err()),
            (5, true)
        );
    }

    #[test]
    fn an_endless_line_is_refused() {
        let text = "A".repeat(10_000);
        assert!(list_lines(text.as_bytes()).next().unwrap().is_err());
    }
}
