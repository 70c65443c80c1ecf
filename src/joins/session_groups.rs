//! Sessions counted by what they have in common, when each was heard of last, and which have been
//! silent longest. Only groups are held, within bounds, however many sessions there are.

use std::borrow::Cow;
use std::collections::{BinaryHeap, HashMap};

use foldhash::quality::RandomState;
use jiff::Timestamp;
use serde_json::Value;

use super::trend::{Counts, Window};
use crate::record::{Record, time};

/// Groups of one facet that may be held.
const MOST_GROUPS: usize = 50_000;
/// Bytes of a facet's values that may be held.
const MOST_BYTES: usize = 4 << 20;
/// Bytes of a value that are kept of a silent session.
const LONGEST_VALUE: usize = 256;
/// Silent sessions that are kept.
const MOST_SILENT: usize = 50;

/// What sessions are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facet {
    /// How far it came: started, postured, …
    State,
    /// dot1x, mab, …
    Method,
    /// The switch or controller, by name where it has one.
    Nas,
    /// The security group.
    SecurityGroup,
    /// The policy service node.
    Server,
    /// What the profiler takes the endpoint for.
    Profile,
}

impl Facet {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::State,
        Self::Method,
        Self::Nas,
        Self::SecurityGroup,
        Self::Server,
        Self::Profile,
    ];

    /// The members that tell it, the one that counts first.
    fn members(self) -> &'static [&'static str] {
        match self {
            Self::State => &["state"],
            Self::Method => &["authMethod"],
            Self::Nas => &[
                "nasName",
                "nasIdentifier",
                "nasIpAddress",
                "nas_ip_address",
                "nas_ipv6_address",
            ],
            Self::SecurityGroup => &["ctsSecurityGroup"],
            Self::Server => &["server", "acs_server"],
            Self::Profile => &["endpointProfile"],
        }
    }
}

/// See the module's documentation.
pub struct SessionGroups {
    window: Window,
    facets: [(Facet, Groups); 6],
    total: u64,
    ended: u64,
    heard: Counts,
    silent: BinaryHeap<(Timestamp, SilentSession)>,
}

/// One session that was not heard of for long; texts as they were sent, long ones cut.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SilentSession {
    /// When it was heard of last.
    pub heard: String,
    /// MAC address, or what the NAS calls the endpoint.
    pub endpoint: String,
    /// The user's name.
    pub user: String,
    /// The switch or controller.
    pub nas: String,
    /// Its port.
    pub port: String,
    /// The state.
    pub state: String,
}

#[derive(Default)]
struct Groups {
    counts: HashMap<Box<str>, u64, RandomState>,
    bytes: usize,
    missing: u64,
    beyond: u64,
}

/// The groups of one facet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// Values with how many sessions have them, most first; `None`: those without a value.
    pub groups: Vec<(Option<String>, u64)>,
    /// How many more groups there are, at least.
    pub more: usize,
    /// The sessions in them.
    pub rest: u64,
}

impl SessionGroups {
    /// None yet.
    pub fn new(window: Window) -> Self {
        Self {
            window,
            facets: Facet::ALL.map(|facet| (facet, Groups::default())),
            total: 0,
            ended: 0,
            heard: Counts::default(),
            silent: BinaryHeap::new(),
        }
    }

    /// Counts a session; one that ended is no session any more.
    pub fn add(&mut self, session: &Record) {
        let state = text(session, Facet::State.members());
        if state.is_some_and(|state| state == "DISCONNECTED") {
            self.ended += 1;
            return;
        }
        self.total += 1;
        for (facet, groups) in &mut self.facets {
            groups.add(text(session, facet.members()));
        }
        let Some(heard) = text(session, &["timestamp"]) else {
            return;
        };
        let Some(at) = time::instant(&heard) else {
            return;
        };
        self.heard.add(&self.window, at);
        let full = self.silent.len() >= MOST_SILENT;
        if full && self.silent.peek().is_some_and(|(newest, _)| *newest <= at) {
            return;
        }
        let of = |names: &[&'static str]| {
            text(session, names)
                .map(|text| cut(&text))
                .unwrap_or_default()
        };
        let silent = SilentSession {
            endpoint: of(&["macAddress", "callingStationId"]),
            user: of(&["userName"]),
            nas: of(Facet::Nas.members()),
            port: of(&["nasPortId"]),
            state: of(Facet::State.members()),
            heard: cut(&heard),
        };
        self.silent.push((at, silent));
        if self.silent.len() > MOST_SILENT {
            self.silent.pop();
        }
    }

    /// How many sessions there are.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many of the list had ended.
    pub fn ended(&self) -> u64 {
        self.ended
    }

    /// In which part of the window each was heard of last.
    pub fn heard(&self) -> Value {
        self.heard.value(&self.window)
    }

    /// Those that were not heard of for longest, longest first.
    pub fn silent(&self) -> Vec<(Timestamp, SilentSession)> {
        self.silent.clone().into_sorted_vec()
    }

    /// How many different values there are, and whether there are more than could be told apart.
    pub fn different(&self, facet: Facet) -> (usize, bool) {
        let groups = self.groups(facet);
        groups.map_or((0, false), |groups| {
            (groups.counts.len(), groups.beyond > 0)
        })
    }

    /// The largest groups of a facet; nothing where no session has a value.
    pub fn counted(&self, facet: Facet, top: usize) -> Counted {
        self.groups(facet)
            .map_or_else(Counted::default, |groups| groups.largest(top))
    }

    fn groups(&self, facet: Facet) -> Option<&Groups> {
        let found = self.facets.iter().find(|(known, _)| *known == facet);
        found.map(|(_, groups)| groups)
    }
}

impl Groups {
    fn add(&mut self, value: Option<Cow<'_, str>>) {
        let Some(value) = value else {
            self.missing += 1;
            return;
        };
        if let Some(count) = self.counts.get_mut(value.as_ref()) {
            *count += 1;
        } else if self.counts.len() >= MOST_GROUPS || self.bytes + value.len() > MOST_BYTES {
            self.beyond += 1;
        } else {
            self.bytes += value.len();
            self.counts.insert(value.into(), 1);
        }
    }

    fn largest(&self, top: usize) -> Counted {
        if self.counts.is_empty() {
            return Counted::default();
        }
        let mut all: Vec<(Option<&str>, u64)> = self
            .counts
            .iter()
            .map(|(value, count)| (Some(value.as_ref()), *count))
            .collect();
        if self.missing > 0 {
            all.push((None, self.missing));
        }
        crate::order::sort_by(&mut all, |(a, many), (b, more)| {
            more.cmp(many).then_with(|| a.cmp(b))
        });
        let others = all.split_off(all.len().min(top));
        let owned = |(value, count): (Option<&str>, u64)| (value.map(str::to_owned), count);
        Counted {
            groups: all.into_iter().map(owned).collect(),
            more: others.len() + usize::from(self.beyond > 0),
            rest: others.iter().map(|(_, count)| count).sum::<u64>() + self.beyond,
        }
    }
}

/// The first of the members that has a text; a JSON text is not read whole for it.
fn text<'r>(session: &'r Record, names: &[&'static str]) -> Option<Cow<'r, str>> {
    let found = match session {
        Record::Json(json) => names
            .iter()
            .filter_map(|name| json.peek(name))
            .find(|text| !text.is_empty()),
        Record::Fields(_) => session.first(names),
    };
    found.filter(|text| !text.is_empty())
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(LONGEST_VALUE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn groups() -> SessionGroups {
        SessionGroups::new(Window {
            since: "2026-03-01T10:00:00Z".parse().unwrap(),
            until: "2026-03-01T11:00:00Z".parse().unwrap(),
            parts: 4,
        })
    }

    fn session(mac: u8, state: &str, minute: u32) -> Record {
        Record::from_value(json!({
            "macAddress": format!("00:00:5E:00:53:{mac:02X}"), "state": state, "authMethod": "dot1x",
            "nasIpAddress": "10.50.1.10", "nasIdentifier": "sw-1", "userName": "pat",
            "timestamp": format!("2026-03-01T10:{minute:02}:00Z"),
        }))
    }

    #[test]
    fn sessions_are_counted_by_each_facet_and_ended_ones_are_none() {
        let mut groups = groups();
        for (mac, state, minute) in [
            (1, "STARTED", 1),
            (2, "STARTED", 50),
            (3, "POSTURED", 59),
            (4, "DISCONNECTED", 2),
        ] {
            groups.add(&session(mac, state, minute));
        }
        let row = |nas: &str| {
            let mut fields = crate::record::Fields::new();
            fields.push_text("nas_ip_address", nas);
            fields.push_text("server", "psn-a");
            Record::Fields(fields)
        };
        groups.add(&row("10.50.1.10"));
        assert_eq!((groups.total(), groups.ended()), (4, 1));
        let counted = |facet| groups.counted(facet, 9).groups;
        let of = |name: &str, count| (Some(name.to_owned()), count);
        assert_eq!(
            counted(Facet::State),
            [of("STARTED", 2), (None, 1), of("POSTURED", 1)]
        );
        assert_eq!(counted(Facet::Nas), [of("sw-1", 3), of("10.50.1.10", 1)]);
        assert_eq!(counted(Facet::Server), [(None, 3), of("psn-a", 1)]);
        // What nobody has is not counted as a group of those without it.
        assert_eq!(groups.counted(Facet::Profile, 9), Counted::default());
        assert_eq!(groups.heard(), json!([1, 0, 0, 2]));
        assert_eq!(groups.different(Facet::Nas), (2, false));
        let top = groups.counted(Facet::State, 1);
        assert_eq!((top.groups.len(), top.more, top.rest), (1, 2, 2));
    }

    #[test]
    fn the_longest_silent_are_kept_and_no_more() {
        let mut groups = groups();
        for minute in (0..60).rev() {
            groups.add(&session(7, "STARTED", minute));
        }
        let silent = groups.silent();
        assert_eq!(silent.len(), MOST_SILENT);
        assert_eq!(silent[0].1.heard, "2026-03-01T10:00:00Z");
        assert_eq!(silent[MOST_SILENT - 1].1.heard, "2026-03-01T10:49:00Z");
        assert_eq!(silent[0].1.nas, "sw-1");
    }

    #[test]
    fn what_is_beyond_the_bounds_is_counted() {
        let mut groups = groups();
        let long = "é".repeat(MOST_BYTES / 2);
        for name in ["a", long.as_str(), "b", "a"] {
            groups.add(&Record::from_value(
                json!({"endpointProfile": name, "timestamp": "2026-03-01T10:00:00Z", "userName": long}),
            ));
        }
        let counted = groups.counted(Facet::Profile, 9);
        assert_eq!(counted.groups.len(), 2);
        assert_eq!((counted.more, counted.rest), (1, 1));
        assert!(groups.different(Facet::Profile).1);
        assert!(groups.silent()[0].1.user.len() <= LONGEST_VALUE);
    }
}
