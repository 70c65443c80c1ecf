//! The names of the members that a topic's rows have, each looked at once: its rows nearly always
//! have the same ones in the same order. What is known of a name need not be found out again for
//! each of some forty members of an event.
//!
//! Names are the server's, so that only a bounded number of short ones is known; any other is read
//! and sorted by its text, which is only slower.

use std::collections::HashMap;

use foldhash::quality::RandomState;

use super::members::{Member, Members};
use crate::event::{HashedMembers, HashedName};

/// So many names are known at most; ISE's sessions have some sixty.
const MOST: usize = 256;

/// Room for so many members is made at once; a session has some forty.
const ROOM: usize = 48;

/// The longest name that is known, in bytes.
const LONGEST: usize = 64;

/// A known name's place, or that it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct NameId(Option<u16>);

/// See the module's documentation.
#[derive(Default)]
pub(super) struct MemberNames {
    known: Vec<KnownName>,
    places: HashMap<Box<str>, u16, RandomState>,
    /// The name that rows begin with.
    first: NameId,
    /// Of each known name, in order, the place of its member; kept for its room.
    taken: Vec<Option<usize>>,
    /// The names of the row that was hashed last, as they came.
    came: Vec<NameId>,
    /// Its members in the order of their names: place and name.
    sorted: Vec<(usize, u16)>,
    /// Room of a row that was looked at, for the next one's members.
    room: Vec<Member<'static>>,
}

struct KnownName {
    /// With its quotes and colon, as compact JSON has it.
    quoted: Box<str>,
    hashed: HashedName,
    /// How many known names are before it.
    rank: usize,
    /// The one that came after it last.
    next: NameId,
    meaning: Meaning,
}

/// Which members matter in any row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Mac,
    AssetMac,
    Calling,
    Addresses,
    AuditSession,
    State,
    Timestamp,
    Deleted,
    Other,
}

impl Meaning {
    fn of(name: &str) -> Self {
        match name {
            "macAddress" => Self::Mac,
            "assetMacAddress" => Self::AssetMac,
            "callingStationId" => Self::Calling,
            "ipAddresses" => Self::Addresses,
            "auditSessionId" => Self::AuditSession,
            "state" => Self::State,
            "timestamp" => Self::Timestamp,
            "deleted" | "isDeleted" => Self::Deleted,
            _ => Self::Other,
        }
    }
}

impl std::fmt::Debug for MemberNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemberNames({})", self.known.len())
    }
}

impl MemberNames {
    fn get(&self, id: NameId) -> Option<&KnownName> {
        self.known.get(usize::from(id.0?))
    }

    /// Room for a row's members; that of an earlier row, where it was [kept](Self::keep_room).
    pub(super) fn take_room<'a>(&mut self) -> Vec<Member<'a>> {
        let mut room = emptied(std::mem::take(&mut self.room));
        room.reserve(ROOM);
        room
    }

    /// Takes back the room of a row that was looked at.
    pub(super) fn keep_room(&mut self, members: Members<'_>) {
        self.room = emptied(members.into_room());
    }

    /// The name that came last after `before`, with its quotes and colon; `None`: at a row's
    /// beginning.
    pub(super) fn next(&self, before: Option<NameId>) -> Option<(NameId, &str)> {
        let next = match before {
            None => self.first,
            Some(before) => self.get(before)?.next,
        };
        Some((next, &self.get(next)?.quoted))
    }

    /// Takes in that `name` came after `before`, or begins a row.
    pub(super) fn learn(&mut self, name: &str, before: Option<NameId>) -> NameId {
        let place = self.places.get(name).copied();
        let id = NameId(place.or_else(|| self.add(name)));
        let next = match before {
            None => Some(&mut self.first),
            Some(NameId(place)) => place
                .and_then(|place| self.known.get_mut(usize::from(place)))
                .map(|known| &mut known.next),
        };
        if let Some(next) = next {
            *next = id;
        }
        id
    }

    fn add(&mut self, name: &str) -> Option<u16> {
        // Escapes are needed where a name holds what JSON cannot have as it is.
        let plain = |byte: u8| byte >= b' ' && !matches!(byte, b'"' | b'\\');
        if self.known.len() == MOST || name.len() > LONGEST || !name.bytes().all(plain) {
            return None;
        }
        let place = u16::try_from(self.known.len()).ok()?;
        let mut rank = 0;
        for (other, at) in &self.places {
            match self.known.get_mut(usize::from(*at)) {
                Some(known) if other.as_ref() > name => known.rank += 1,
                _ => rank += 1,
            }
        }
        self.known.push(KnownName {
            quoted: format!("\"{name}\":").into(),
            hashed: HashedName::of(name),
            rank,
            next: NameId::default(),
            meaning: Meaning::of(name),
        });
        self.places.insert(name.into(), place);
        Some(place)
    }

    /// What a member means.
    pub(super) fn meaning(&self, member: &Member<'_>) -> Meaning {
        let known = self.get(member.id).map(|known| known.meaning);
        known.unwrap_or_else(|| Meaning::of(&member.name))
    }

    /// Writes `members` as ids hash them, in the place of what `hashed` held.
    pub(super) fn hash(&mut self, members: &Members<'_>, hashed: &mut HashedMembers) {
        hashed.clear();
        let members = members.as_slice();
        if self.sort(members) {
            for (at, name) in &self.sorted {
                let known = self.known.get(usize::from(*name));
                if let (Some(member), Some(known)) = (members.get(*at), known) {
                    hashed.push(&known.hashed, member.value);
                }
            }
            return;
        }
        let mut sorted: Vec<&Member<'_>> = members.iter().collect();
        sorted.sort_by_key(|member| &member.name);
        for member in sorted {
            hashed.push(&HashedName::of(&member.name), member.value);
        }
    }

    /// Sorts the members by their names, which nearly always come as in the row before; false where
    /// one is not known, or comes twice.
    fn sort(&mut self, members: &[Member<'_>]) -> bool {
        let ids = || members.iter().map(|member| member.id);
        if !members.is_empty() && self.came.iter().copied().eq(ids()) {
            return true;
        }
        // Of what is not sorted, or of names that were not all known, nothing is kept.
        self.came.clear();
        self.taken.clear();
        self.taken.resize(self.known.len(), None);
        let all = members.iter().enumerate().all(|(at, member)| {
            let known = member.id.0.and_then(|id| self.known.get(usize::from(id)));
            let taken = known.and_then(|known| self.taken.get_mut(known.rank));
            taken.is_some_and(|taken| taken.replace(at).is_none())
        });
        if all {
            let taken = self.taken.iter().flatten();
            let named = taken.filter_map(|at| Some((*at, members.get(*at)?.id.0?)));
            self.sorted.clear();
            self.sorted.extend(named);
            self.came.extend(ids());
        }
        all
    }
}

/// The room without what lies in it, which is all that its lifetime is about. The standard library
/// collects into the room that is there.
fn emptied<'b>(mut room: Vec<Member<'_>>) -> Vec<Member<'b>> {
    room.clear();
    room.into_iter().map_while(|_| None).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bounded_number_of_short_names_is_known() {
        let mut names = MemberNames::default();
        for number in 0..2 * MOST {
            names.learn(&format!("n{number}"), None);
        }
        assert_eq!(names.known.len(), MOST);
        assert_eq!(names.learn("new", None), NameId(None));
        assert_ne!(names.learn("n7", None), NameId(None));
        let mut names = MemberNames::default();
        for odd in ["a\"b", "a\\b", "a\nb", &"x".repeat(LONGEST + 1)] {
            assert_eq!(names.learn(odd, None), NameId(None), "{odd}");
        }
    }

    /// Short ones, and long ones that differ in the middle or at an end.
    const NAME: &str =
        "[a-e]{1,2}|\\\\u0061|é|abcdef[xy]hijklm[xy]|[xy]bcdefghijklmnop[xy]rstuvwxyz[xy]|a{30,36}";
    const VALUES: [&str; 12] = [
        "0",
        "2",
        "-1",
        "10.50",
        "1e5",
        "12345678901234567890",
        "true",
        "false",
        "null",
        r#""text""#,
        r#""\"""#,
        r#"[{"b":0}]"#,
    ];

    proptest! {
        /// Whatever rows came before, a row is read, digested and sorted as if it were the first.
        #[test]
        fn what_is_known_changes_nothing(
            rows in prop::collection::vec(prop::collection::vec((NAME, prop::sample::select(&VALUES)), 0..6), 1..6),
            space in "[ \n]?",
        ) {
            let mut names = MemberNames::default();
            for row in rows {
                let members: Vec<String> =
                    row.iter().map(|(name, value)| format!("\"{name}\"{space}:{space}{value}")).collect();
                let text = format!("{{{}}}", members.join(","));
                let ours = Members::parse_row(&text, &mut names).unwrap();
                let fresh = Members::parse(&text).unwrap();
                prop_assert!(ours.iter().eq(fresh.iter()), "{}", text);
                let (mut hashed, mut expected) = (HashedMembers::default(), HashedMembers::default());
                names.hash(&ours, &mut hashed);
                MemberNames::default().hash(&fresh, &mut expected);
                prop_assert_eq!(&hashed, &expected, "{}", text);
                for member in ours.as_slice() {
                    prop_assert_eq!(names.meaning(member), Meaning::of(&member.name));
                }
            }
        }
    }
}
