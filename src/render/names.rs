//! Which names `--fields` and `--sort` may use: columns, members that the records are known to
//! have, and members that turn up.
//!
//! A list is printed while it arrives, so its first row cannot tell which members the others have:
//! null ones are simply not sent. A name that is in no catalogue is therefore taken, and watched
//! for: where it stood in no row at all, that is said at the end, as a warning, since what was
//! printed is true and a member may be absent today. Records that we put together ourselves are
//! closed: all of their names are known, and another is refused before anything is sent.

use std::cell::RefCell;

use super::column::{Chosen, Column};
use crate::error::{Error, Result};
use crate::record::Record;

/// What filters call a fact and no document does, and the members that tell it: what `--posture`
/// chooses by is counted `--by posture`.
const FACTS: &[(&str, &[&str])] = &[
    ("posture", &["postureStatus", "posture_status"]),
    ("port", &["nasPortId", "nas_port_id"]),
    ("anc", &["ancPolicy"]),
];

/// What is known of the records before all have come.
pub(super) struct Known<'a> {
    /// The command's columns.
    pub(super) columns: &'a [Column],
    /// Members that the catalogue knows.
    pub(super) members: &'a [&'a str],
    /// The first record, where there is one.
    pub(super) first: Option<&'a Record>,
    /// There can be no others.
    pub(super) closed: bool,
    /// A member's own name wins over a column's title (JSON and YAML).
    pub(super) members_first: bool,
}

impl Known<'_> {
    /// What a name stands for: a column by its title in any case, the member that a column reads,
    /// or a member. `unseen` takes the name that is only hoped for.
    ///
    /// Errors: [`Kind::Usage`](crate::error::Kind::Usage) for a name that closed records cannot
    /// have.
    pub(super) fn find(&self, name: &str, unseen: &mut Vec<Unseen>) -> Result<Chosen> {
        let known = self.members.contains(&name);
        let sent = self.first.is_some_and(|record| record.has(name)) || self.closed && known;
        if self.members_first && sent {
            return Ok(Chosen::of_member(name, self.columns));
        }
        let by_title = || {
            let is = |column: &&Column| column.title.eq_ignore_ascii_case(name);
            self.columns.iter().find(is)
        };
        let by_member = || self.columns.iter().find(|column| column.is_member(name));
        if let Some(column) = by_title().or_else(by_member) {
            return Ok(Chosen::of_column(column));
        }
        if !(sent || known) {
            if let Some(member) = self.of_fact(name) {
                return Ok(Chosen::of_member(member, self.columns));
            }
            if self.closed && !self.is_inside(name) {
                return Err(Error::usage(format!("unknown field '{name}'"))
                    .hint(offer(name, &self.names())));
            }
            if !self.closed {
                unseen.push(Unseen::new(name, self.names()));
            }
        }
        Ok(Chosen::of_member(name, self.columns))
    }

    /// The member that tells a fact, where the records are known to have one.
    fn of_fact(&self, name: &str) -> Option<&'static str> {
        let is = |(fact, _): &&(&str, _)| fact.eq_ignore_ascii_case(name);
        let (_, members) = FACTS.iter().find(is)?;
        let sent = |member: &str| self.first.is_some_and(|record| record.has(member));
        let has = |member: &&&str| self.members.contains(*member) || sent(member);
        members.iter().find(has).copied()
    }

    /// Whether the name steps into a member that is known: what is in there is the server's own.
    fn is_inside(&self, name: &str) -> bool {
        name.split_once('.').is_some_and(|(head, _)| {
            self.members.contains(&head) || self.first.is_some_and(|record| record.has(head))
        })
    }

    /// All names, columns first.
    fn names(&self) -> Vec<String> {
        let titles = self.columns.iter().map(|column| column.title);
        let sent = self.first.map(Record::names).unwrap_or_default();
        let mut names: Vec<String> = Vec::new();
        for name in titles.chain(self.members.iter().copied()).chain(sent) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }
}

/// A name that stood in no row so far.
pub(super) struct Unseen {
    name: String,
    known: Vec<String>,
    scratch: RefCell<Vec<u8>>,
}

impl Unseen {
    fn new(name: &str, known: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            known,
            scratch: RefCell::default(),
        }
    }

    /// Whether the record has it, also when it is empty.
    pub(super) fn is_in(&self, record: &Record) -> bool {
        let mut scratch = self.scratch.borrow_mut();
        scratch.clear();
        record.has(&self.name) || record.write_member(&self.name, &mut scratch)
    }

    /// What to say when it never came; nothing where no name is known that could be offered.
    pub(super) fn words(&self) -> Option<String> {
        if self.known.is_empty() {
            return None;
        }
        let (name, offer) = (&self.name, offer(&self.name, &self.known));
        Some(format!("unknown field '{name}': no row had it; {offer}"))
    }
}

/// The name that was meant, where one is near, and all of them.
fn offer(name: &str, known: &[String]) -> String {
    let plain = |text: &str| {
        let letters = text.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
        letters.collect::<String>().to_lowercase()
    };
    let wanted = plain(name);
    let distance = |known: &String| strsim::damerau_levenshtein(&plain(known), &wanted);
    let nearest = known.iter().map(|known| (distance(known), known)).min();
    let all = known.join(", ");
    match nearest {
        Some((distance, known)) if distance <= 1 + known.len() / 5 => {
            format!("did you mean {known}? The fields here are: {all}")
        }
        _ => format!("the fields here are: {all}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::column::{CellKind, column, first_of};
    use super::*;

    const COLUMNS: &[Column] = &[
        column("MAC", "calling_station_id"),
        first_of("IP", &["framed_ip_address", "ip"]),
        column("TIME", "at").kind(CellKind::Time),
    ];

    fn known(first: Option<&Record>, members_first: bool) -> Known<'_> {
        Known {
            columns: COLUMNS,
            members: &["posture_status", "other"],
            first,
            closed: false,
            members_first,
        }
    }

    fn record() -> Record {
        Record::from_value(
            json!({"calling_station_id": "AA", "ip": "10.0.0.1", "mac": "x", "nested": {"id": 1}}),
        )
    }

    #[test]
    fn names_are_titles_or_members() {
        let record = record();
        for (name, members_first, key, text) in [
            ("mac", false, "calling_station_id", Some("AA")),
            ("mac", true, "mac", Some("x")),
            (
                "calling_station_id",
                false,
                "calling_station_id",
                Some("AA"),
            ),
            ("Ip", false, "ip", Some("10.0.0.1")),
            ("nested.id", false, "nested.id", Some("1")),
            ("at", true, "at", None),
            ("posture_status", false, "posture_status", None),
            ("Posture", false, "posture_status", None),
            ("posture", true, "posture_status", None),
        ] {
            let mut unseen = Vec::new();
            let chosen = known(Some(&record), members_first)
                .find(name, &mut unseen)
                .unwrap();
            assert_eq!(chosen.key(), key);
            assert_eq!(chosen.text(&record).as_deref(), text);
            assert!(unseen.iter().all(|unseen| unseen.is_in(&record)), "{name}");
        }
    }

    #[test]
    fn a_name_nobody_knows_is_watched_for() {
        let record = record();
        let mut unseen = Vec::new();
        let name = "postureStatsu";
        known(Some(&record), false).find(name, &mut unseen).unwrap();
        assert!(!unseen[0].is_in(&record));
        assert!(unseen[0].is_in(&Record::from_value(json!({name: null}))));
        assert_eq!(
            unseen[0].words().unwrap(),
            "unknown field 'postureStatsu': no row had it; did you mean posture_status? The fields here are: MAC, IP, TIME, posture_status, other, calling_station_id, ip, mac, nested"
        );
    }

    #[test]
    fn closed_records_have_no_other_names() {
        let closed = Known {
            closed: true,
            ..known(None, false)
        };
        let mut unseen = Vec::new();
        let error = closed.find("nope", &mut unseen).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Usage);
        assert_eq!(
            error.hint_text(),
            Some("the fields here are: MAC, IP, TIME, posture_status, other")
        );
        assert!(closed.find("other.inside", &mut unseen).is_ok());
        assert!(unseen.is_empty());
    }
}
