//! Where the sessions come from and how that goes: what the header tells of the connection, of what
//! was missed and fetched, and of the nodes. Notices of a subscription go in, words come out.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::session::safe;
use crate::pxgrid::subscription::Notice;

/// Nodes that are told by name.
const MOST_NODES: usize = 64;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// The deployment, by the host that is asked.
    pub(crate) deployment: String,
    /// Whether pxGrid is the source; else the Monitoring node is polled.
    pub(crate) pxgrid: bool,
    /// What is connected to; nothing while no connection stands.
    node: Option<Box<str>>,
    /// Whether a connection ever stood.
    stood: bool,
    reconnects: u64,
    gaps: u64,
    missed: u64,
    recovered: u64,
    lost: u64,
    /// Nodes that could not be used, until they can.
    down: BTreeMap<Box<str>, Timestamp>,
    /// The sessions were read once.
    read: bool,
    /// What is under way.
    doing: Option<String>,
    /// When the next try is due.
    next_try: Option<Timestamp>,
    /// The last trouble, and when it was.
    trouble: Option<(Timestamp, Box<str>)>,
    /// Nodes that were measured lately, and all that are known.
    pub(crate) nodes: Option<(usize, usize)>,
    /// Why nothing is told of failures.
    pub(crate) no_failures: Option<Box<str>>,
}

impl Feed {
    /// Nothing has come yet.
    pub(crate) fn new(deployment: String, pxgrid: bool) -> Self {
        Self {
            deployment,
            pxgrid,
            no_failures: (!pxgrid).then(|| "pxGrid is not the source".into()),
            ..Self::default()
        }
    }

    /// Takes a notice of the subscription that came `at` this time.
    pub(crate) fn hear(&mut self, notice: &Notice, at: Timestamp) {
        match notice {
            Notice::Subscribed { node, .. } => {
                self.reconnects += u64::from(self.stood);
                self.stood = true;
                let node = safe(node);
                self.down.remove(&node);
                self.connected_to(node);
            }
            Notice::ConnectionLost { node, .. } | Notice::NodeFailed { node, .. } => {
                self.is_down(node, at);
                self.trouble_is(notice, at);
            }
            Notice::LookupFailed(_) | Notice::NoNodes | Notice::CatchUpFailed { .. } => {
                self.trouble_is(notice, at);
            }
            Notice::Pause { pause, .. } => self.waits_for(*pause, at),
            Notice::Gap { missed, .. } => {
                self.gaps += 1;
                self.missed = self.missed.saturating_add(*missed);
                self.trouble_is(notice, at);
            }
            Notice::CatchingUp { .. } => {
                let read = if self.read {
                    "fetching what was missed"
                } else {
                    "reading the sessions"
                };
                self.doing = Some(read.to_owned());
            }
            // The first read is of the sessions that there are: nothing was missed.
            Notice::CaughtUp { events, .. } => {
                self.recovered += if self.read { *events } else { 0 };
                self.read = true;
                self.doing = None;
            }
            Notice::PossiblyLost { .. } => {
                self.lost += 1;
                self.trouble_is(notice, at);
            }
            Notice::Again { last, times } => {
                if let Notice::Gap { missed, .. } = &**last {
                    self.gaps += times;
                    self.missed = self.missed.saturating_add(*missed);
                }
                self.trouble_is(notice, at);
            }
            Notice::Stopping | Notice::NoReceipt => {}
            other => self.trouble_is(other, at),
        }
    }

    fn is_down(&mut self, node: &str, at: Timestamp) {
        if self.node.as_deref() == Some(node) {
            self.node = None;
        }
        if self.down.len() < MOST_NODES {
            self.down.insert(safe(node), at);
        }
    }

    fn trouble_is(&mut self, notice: &Notice, at: Timestamp) {
        self.trouble = Some((at, safe(&notice.to_string())));
    }

    /// A poll of the Monitoring node ended well.
    pub(crate) fn polled(&mut self, host: &str) {
        self.reconnects += u64::from(self.stood && self.node.is_none());
        self.stood = true;
        self.connected_to(safe(host));
    }

    /// Nobody answered; it is tried again after a pause.
    pub(crate) fn no_answer(&mut self, why: &str, pause: Duration, at: Timestamp) {
        self.node = None;
        self.waits_for(pause, at);
        self.trouble = Some((at, safe(why)));
    }

    fn connected_to(&mut self, node: Box<str>) {
        self.node = Some(node);
        (self.doing, self.next_try) = (None, None);
    }

    /// Told as a time of day: a number of seconds would stand still.
    fn waits_for(&mut self, pause: Duration, at: Timestamp) {
        self.doing = None;
        self.next_try = at.checked_add(pause).ok();
    }

    /// Whether a connection stands.
    pub(crate) fn is_connected(&self) -> bool {
        self.node.is_some()
    }

    /// Whether something is to be looked at.
    pub(crate) fn is_in_trouble(&self) -> bool {
        !self.is_connected() || !self.down.is_empty()
    }

    /// One line: whether a connection stands, what is down, what was missed and fetched, the last
    /// trouble. `time` writes a time.
    pub(crate) fn line(&self, time: impl Fn(Timestamp) -> String) -> String {
        let mut parts = Vec::new();
        parts.push(match &self.node {
            Some(node) if self.pxgrid => format!("pxGrid: on {node}"),
            Some(node) => format!("MnT: polling {node}"),
            None if self.stood => "NOT CONNECTED".to_owned(),
            None => format!("connecting to {}", self.deployment),
        });
        parts.extend(self.doing.clone());
        let trouble = self.trouble.as_ref();
        let trouble = trouble.map(|(at, what)| format!("{} {what}", time(*at)));
        // Without a connection the reason comes first: a narrow line is cut at its end.
        if self.node.is_none() {
            if !self.down.is_empty() {
                parts.push(format!("down: {}", self.down.len()));
            }
            parts.extend(self.next_try.map(|at| format!("again at {}", time(at))));
            parts.extend(trouble.clone());
        }
        if !self.down.is_empty() && self.node.is_some() {
            let names: Vec<&str> = self.down.keys().map(|name| &**name).collect();
            parts.push(format!("down: {}", names.join(", ")));
        }
        let counts = [
            (self.reconnects, "reconnects"),
            (self.gaps, "gaps"),
            (self.missed, "missed"),
            (self.recovered, "fetched"),
            (self.lost, "perhaps lost"),
        ];
        let counted = counts.iter().filter(|(count, _)| *count > 0);
        parts.extend(counted.map(|(count, what)| format!("{what} {count}")));
        if self.node.is_some() {
            parts.extend(trouble);
        }
        parts.join(" · ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, Kind};
    use crate::pxgrid::subscription::Why;

    #[test]
    fn the_header_tells_the_way_of_a_connection() {
        let mut feed = Feed::new("ise.example.com".to_owned(), true);
        let clock = |at: Timestamp| at.strftime("%H:%M:%S").to_string();
        let line = |feed: &Feed| feed.line(clock);
        let at = "2026-03-01T02:00:00Z".parse().unwrap();
        assert_eq!(line(&feed), "connecting to ise.example.com");
        let refused = Error::new(Kind::Connect, "refused");
        feed.hear(&Notice::LookupFailed(refused), at);
        let pause = Duration::from_mins(1);
        let lookup = true;
        feed.hear(&Notice::Pause { pause, lookup }, at);
        let told = line(&feed);
        assert!(told.starts_with("connecting to ise.example.com · again at 02:01:00 · 02:00:00 "));
        assert!(told.contains("refused"), "{told}");
        feed.trouble = None;
        let subscribed = |node: &str| Notice::Subscribed {
            node: node.to_owned(),
            topics: 2,
        };
        feed.hear(&subscribed("a"), at);
        assert_eq!(line(&feed), "pxGrid: on a");
        assert!(!feed.is_in_trouble());
        let why = Why::Error(Error::new(Kind::Connect, "reset\u{1b}[2J"));
        let node = "a".to_owned();
        feed.hear(&Notice::ConnectionLost { node, why }, at);
        assert_eq!(
            line(&feed),
            "NOT CONNECTED · down: 1 · 02:00:00 connection to a lost: reset\\x1b[2J"
        );
        feed.hear(&subscribed("b"), at);
        let topic = || "/topic/t".to_owned();
        let events = 900;
        feed.hear(
            &Notice::CaughtUp {
                topic: topic(),
                events,
            },
            at,
        );
        let events = 7;
        feed.hear(
            &Notice::CaughtUp {
                topic: topic(),
                events,
            },
            at,
        );
        feed.hear(
            &Notice::Gap {
                topic: topic(),
                missed: 3,
            },
            at,
        );
        assert!(feed.is_in_trouble());
        assert_eq!(
            line(&feed),
            "pxGrid: on b · down: a · reconnects 1 · gaps 1 · missed 3 · fetched 7 · 02:00:00 /topic/t: 3 messages were missed"
        );
        feed.hear(&subscribed("a"), at);
        assert!(!feed.is_in_trouble());
    }
}
