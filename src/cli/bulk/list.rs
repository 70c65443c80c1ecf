//! The list of a bulk run: the whole of standard input, read and checked before anything is sent.
//! It sends nothing.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::io::{BufRead, Read as _};
use std::str::FromStr;

use super::SaidHints;
use crate::cli::Context;
use crate::cli::input::list_lines;
use crate::cli::report::Reporter;
use crate::error::{Error, Result};
use crate::files;

/// Lines with something on them that a list may have: far more than a deployment has endpoints, and
/// bounded in memory.
const MOST: usize = 2_000_000;

/// Bytes of a list in UTF-16, which is decoded whole.
const MOST_UTF16: u64 = 128 << 20;

/// Invalid lines that are named one by one.
const NAMED: usize = 20;

/// How a command takes its endpoints: by MAC address alone, or also by the address that a row shows
/// in its place.
pub(crate) trait Address: FromStr<Err = Error> + Display + Copy + Eq + Hash {}

impl<A: FromStr<Err = Error> + Display + Copy + Eq + Hash> Address for A {}

/// One line that has something on it.
#[derive(Debug)]
pub(super) struct Entry<A> {
    /// The line's number, from 1.
    pub(super) number: u64,
    /// The text, without blanks around it and without its comment.
    pub(super) text: String,
    /// What it says.
    pub(super) kind: EntryKind<A>,
}

/// What a line says.
#[derive(Debug)]
pub(super) enum EntryKind<A> {
    /// An address that comes for the first time.
    First(A),
    /// The same address as that of an earlier entry (its index), in whatever spelling.
    Repeat(usize),
    /// No address.
    Invalid(Error),
}

/// The list in its order.
#[derive(Debug)]
pub(super) struct List<A> {
    pub(super) entries: Vec<Entry<A>>,
}

impl<A: Address> List<A> {
    /// Reads standard input to its end.
    ///
    /// Errors: what cannot be read, or is too long, as [`Kind::Usage`](crate::error::Kind::Usage).
    pub(super) fn from_stdin(context: &Context) -> Result<Self> {
        Self::read(context.stdin()?)
    }

    /// The same of any input: UTF-8, or UTF-16 with its mark, as PowerShell writes it.
    pub(super) fn read(mut input: impl BufRead) -> Result<Self> {
        if !input.fill_buf().is_ok_and(files::is_utf16) {
            return Self::read_lines(input);
        }
        let mut bytes = Vec::new();
        let read = input.take(MOST_UTF16).read_to_end(&mut bytes);
        match read.ok().and_then(|_| files::utf16(&bytes)) {
            Some(Ok(text)) => Self::read_lines(text.as_bytes()),
            _ => Err(Error::usage("standard input is damaged UTF-16 text")
                .hint("write the list as UTF-8 (in PowerShell: Out-File -Encoding utf8)")),
        }
    }

    fn read_lines(input: impl BufRead) -> Result<Self> {
        let mut entries: Vec<Entry<A>> = Vec::new();
        let mut seen: HashMap<A, usize> = HashMap::new();
        let mut first = true;
        for line in list_lines(input) {
            let line = line?;
            if entries.len() >= MOST {
                return Err(Error::usage(format!("the list has more than {MOST} lines"))
                    .hint("give it in parts"));
            }
            if std::mem::take(&mut first) && is_header(&line.text) {
                continue;
            }
            let index = entries.len();
            let kind = match unquoted(&line.text).parse::<A>() {
                Ok(address) => match *seen.entry(address).or_insert(index) {
                    first if first < index => EntryKind::Repeat(first),
                    _ => EntryKind::First(address),
                },
                Err(error) => EntryKind::Invalid(one_column::<A>(&line.text, error)),
            };
            entries.push(Entry {
                number: line.number,
                text: line.text,
                kind,
            });
        }
        Ok(Self { entries })
    }

    /// The different addresses.
    pub(super) fn addresses(&self) -> impl Iterator<Item = A> {
        self.entries.iter().filter_map(|entry| match entry.kind {
            EntryKind::First(address) => Some(address),
            _ => None,
        })
    }

    fn invalid(&self) -> impl Iterator<Item = (&Entry<A>, &Error)> {
        self.entries.iter().filter_map(|entry| match &entry.kind {
            EntryKind::Invalid(error) => Some((entry, error)),
            _ => None,
        })
    }

    /// `398 addresses, 2 invalid: lines 8, 56`.
    pub(super) fn summary(&self) -> String {
        let addresses = self.addresses().count();
        let repeats = self.entries.len() - addresses - self.invalid().count();
        let mut parts = vec![match addresses {
            1 => "1 address".to_owned(),
            many => format!("{many} addresses"),
        }];
        if repeats > 0 {
            parts.push(format!("{repeats} repeated"));
        }
        let lines = self.invalid().map(|(entry, _)| entry.number.to_string());
        let (count, named): (usize, Vec<String>) =
            (self.invalid().count(), lines.take(NAMED).collect());
        if count > 0 {
            let lines = if count == 1 { "line" } else { "lines" };
            let more = match count - named.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            parts.push(format!(
                "{count} invalid: {lines} {}{more}",
                named.join(", ")
            ));
        }
        parts.join(", ")
    }

    /// Says what is wrong with the list, if anything is: what there is in it, and each line that is
    /// no address, the same hint once.
    pub(super) fn say_what_is_wrong(&self, reporter: &Reporter) {
        let mut invalid = self.invalid().peekable();
        if invalid.peek().is_none() {
            return;
        }
        reporter.note(&self.summary());
        let mut hints = SaidHints::default();
        for (entry, error) in invalid.take(NAMED) {
            let error = hints.once(error.clone());
            reporter.error(&error.reworded(reason(entry)));
        }
    }
}

/// The names under which our own tables and documents show endpoints: a list that begins with one
/// has its header, as `--format tsv` and `csv` write it, and it is no endpoint.
const HEADERS: [&str; 10] = [
    "MAC",
    "IP",
    "INPUT",
    "calling_station_id",
    "orig_calling_station_id",
    "framed_ip_address",
    "framed_ipv6_address",
    "callingStationId",
    "macAddress",
    "ipAddresses",
];

fn is_header(text: &str) -> bool {
    let name = unquoted(text);
    HEADERS
        .iter()
        .any(|header| header.eq_ignore_ascii_case(name))
}

/// The text of a cell that a spreadsheet put in quotes.
fn unquoted(text: &str) -> &str {
    let inside = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inside.unwrap_or(text)
}

/// Whoever gives a whole row is told how to give its column.
fn one_column<A: Address>(text: &str, error: Error) -> Error {
    let mut cells = text.split(['\t', ',', ';']);
    let is_address = |cell: &str| unquoted(cell.trim()).parse::<A>().is_ok();
    match (cells.any(is_address), text.contains('\t')) {
        (false, _) => error,
        (true, true) => error.hint(
            "a list has one column: `cut -f1` takes the first, and --fields MAC shows no other",
        ),
        (true, false) => error.hint("a list has one column: `cut -d, -f1` takes the first"),
    }
}

/// Why a line is no address.
pub(super) fn reason<A>(entry: &Entry<A>) -> String {
    let Entry { number, text, .. } = entry;
    match &entry.kind {
        EntryKind::Invalid(error) => {
            format!("line {number} of standard input: {}", error.message())
        }
        _ => format!("line {number} of standard input: '{text}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Mac;

    fn list(text: &str) -> List<Mac> {
        List::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn repeats_are_found_in_every_spelling_and_a_mark_is_no_part_of_a_line() {
        let list = list(
            "\u{feff}C8:5B:76:C6:59:62\r\n\nc85b.76c6.5962 # again\nnope\n00:00:5E:00:53:01\n",
        );
        assert!(matches!(list.entries[0].kind, EntryKind::First(_)));
        assert_eq!(list.entries[0].text, "C8:5B:76:C6:59:62");
        assert!(matches!(list.entries[1].kind, EntryKind::Repeat(0)));
        assert!(matches!(list.entries[2].kind, EntryKind::Invalid(_)));
        assert_eq!(list.summary(), "2 addresses, 1 repeated, 1 invalid: line 4");
    }

    #[test]
    fn the_header_of_a_table_of_ours_is_no_line_of_the_list_and_only_the_first_one_is() {
        for header in [
            "MAC",
            "mac",
            "\u{feff}INPUT",
            "# all\n\ncallingStationId",
            "\"MAC\"",
        ] {
            let list = list(&format!("{header}\nC8:5B:76:C6:59:62\n"));
            assert_eq!(list.summary(), "1 address", "{header}");
        }
        let twice = list("MAC\nMAC\nC8:5B:76:C6:59:62\n");
        assert_eq!(twice.summary(), "1 address, 1 invalid: line 2");
        assert_eq!(list("USER\n").summary(), "0 addresses, 1 invalid: line 1");
    }

    #[test]
    fn lists_of_spreadsheets_and_of_powershell_are_read() {
        let text = "\"MAC\"\r\n\"C8:5B:76:C6:59:62\"\r\nc85b.76c6.5963\r\n";
        assert_eq!(list(text).summary(), "2 addresses");
        for big in [false, true] {
            let unit = |unit: u16| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            };
            let marked = format!("\u{feff}{text}");
            let bytes: Vec<u8> = marked.encode_utf16().flat_map(unit).collect();
            let read = List::<Mac>::read(bytes.as_slice()).unwrap();
            assert_eq!(read.summary(), "2 addresses");
            let cut = List::<Mac>::read(&bytes[..bytes.len() - 1]).unwrap_err();
            assert!(cut.message().contains("damaged UTF-16"), "{cut}");
        }
        for (row, advice) in [
            ("C8:5B:76:C6:59:62\t10.0.0.1", "cut -f1"),
            ("desk 4,C8:5B:76:C6:59:62", "cut -d, -f1"),
            ("desk 4, floor 2", "write it as"),
        ] {
            let list = list(row);
            let (_, error) = list.invalid().next().unwrap();
            assert!(error.hint_text().unwrap().contains(advice), "{error}");
        }
    }

    #[test]
    fn a_summary_of_many_invalid_lines_stays_one_line() {
        let text: String =
            (0..50).fold(String::new(), |text, number| text + &format!("x{number}\n"));
        let summary = list(&text).summary();
        assert!(summary.starts_with("0 addresses, 50 invalid: lines 1, 2, "));
        assert!(summary.ends_with(", 20 and 30 more"), "{summary}");
        assert_eq!(list("").summary(), "0 addresses");
    }
}
