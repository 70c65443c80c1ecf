//! `netapi ise top` without terminal and network: what the screen knows, what a key does to it, and
//! how it is drawn. What happens comes in by methods of [`Top`], what is to be done goes out as an
//! [`Action`], and a picture is a function of the state. No I/O, no clock, no thread.
//!
//! | part | holds |
//! | --- | --- |
//! | `session`, `values`, `sessions` | the sessions, and their counts kept as they come and go |
//! | `failures`, `rates` | the last hour |
//! | `feed` | the connection, in words |
//! | `view` | search, filters, order, groups, cursor |
//! | `overlay`, `details`, `change` | what lies over the table; changes of an endpoint and their questions |
//! | `keys`, `answers` | what a key does, what came of it |
//! | `pacer` | when a picture is due |
//! | `draw` | the picture |

mod answers;
mod change;
mod details;
mod draw;
mod failures;
mod feed;
mod keys;
mod overlay;
mod pacer;
mod rates;
mod session;
mod sessions;
#[cfg(test)]
mod tests;
mod values;
mod view;

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::error::Error;
use crate::event::Event;
use crate::record::{JsonText, Mac, Record};
pub(crate) use change::{Change, ChangeKind};
pub(crate) use draw::draw;
use failures::Failures;
pub(crate) use feed::Feed;
use overlay::{Endpoint, Overlay};
pub(crate) use pacer::Pacer;
use rates::{Minutes, Rate};
use session::readable;
pub(crate) use session::{Session, safe};
use sessions::{Came, Sessions};
use view::View;

/// How long the order of the table stays as it is, while nobody asks for another.
const ORDER_STAYS: Duration = Duration::from_secs(1);
/// Failures of one message that are looked at.
const MOST_FAILURES: usize = 10_000;

/// What is to be done outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// To end.
    Quit,
    /// To end as Ctrl-C does.
    Interrupt,
    /// To stop, as Ctrl-Z does.
    Suspend,
    /// To draw everything anew.
    Redraw,
    /// To put the address into the clipboard.
    Copy(Mac),
    /// To ask for the session in full: [`Top::detailed`].
    Detail(Mac),
    /// To ask for an explanation: [`Top::explained`].
    Explain(Mac),
    /// To ask which policies there are: [`Top::policies_are`].
    Policies(Mac),
    /// To ask for causes and remedies: [`Top::causes_are`].
    Causes,
    /// To change an endpoint, once: [`Top::changed`].
    Change(Change),
}

/// Where keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Focus {
    #[default]
    Sessions,
    Failures,
}

/// One line at the bottom, until the next key.
#[derive(Debug)]
struct Message {
    text: Box<str>,
    is_error: bool,
}

/// Cause and remedy of each reason, by its code.
type Causes = HashMap<Box<str>, (Box<str>, Box<str>)>;

/// What the screen is told at its start.
#[derive(Debug)]
pub(crate) struct Setup {
    /// Where the sessions come from.
    pub(crate) feed: Feed,
    /// Why nothing may be changed; `None` where it may.
    pub(crate) read_only: Option<String>,
    /// Why there is no explanation and no change of authorization; `None` where there is.
    pub(crate) no_mnt: Option<String>,
    /// Why there is no ANC; `None` where there is.
    pub(crate) no_anc: Option<String>,
    /// Whether to draw in colour.
    pub(crate) color: bool,
    /// The zone that times are shown in.
    pub(crate) zone: TimeZone,
    /// Now.
    pub(crate) now: Timestamp,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Top {
    setup: Setup,
    sessions: Sessions,
    failures: Failures,
    view: View,
    overlay: Overlay,
    /// Whose details or explanation a key was pressed at.
    subject: Option<Endpoint>,
    focus: Focus,
    /// Columns and lines of the last picture.
    size: (u16, u16),
    /// The cursor among the failures, and the failure that holds it.
    failure_place: usize,
    failure_first: usize,
    failure_held: Option<(Box<str>, Timestamp)>,
    failure_height: usize,
    message: Option<Message>,
    /// The order of the table stays until the user wants another.
    paused: bool,
    /// Causes and remedies by code; `None` until they were asked for.
    causes: Option<Causes>,
    events: Rate,
    came: Rate,
    went: Rate,
    minutes: Minutes,
    /// The longest that an event of the last second waited, and of this one.
    lag: Duration,
    lag_now: Duration,
    second: i64,
    /// Rates and lag as they were drawn last.
    told: (u64, u64, u64, Duration),
    now: Timestamp,
    /// When the table was put in order.
    arranged: Timestamp,
    /// Sessions changed since then.
    moved: bool,
    /// What is seen changed, or the user did something and waits.
    wanted: Option<Urgency>,
}

impl Top {
    /// Nothing is known yet.
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            now: setup.now,
            arranged: setup.now,
            second: setup.now.as_second(),
            setup,
            sessions: Sessions::default(),
            failures: Failures::default(),
            view: View::default(),
            overlay: Overlay::default(),
            subject: None,
            size: (80, 24),
            focus: Focus::default(),
            failure_place: 0,
            failure_first: 0,
            failure_held: None,
            failure_height: 0,
            message: None,
            paused: false,
            causes: None,
            events: Rate::default(),
            came: Rate::default(),
            went: Rate::default(),
            minutes: Minutes::default(),
            lag: Duration::ZERO,
            lag_now: Duration::ZERO,
            told: (0, 0, 0, Duration::ZERO),
            moved: false,
            wanted: Some(Urgency::Now),
        }
    }

    /// Where the sessions come from and how that goes.
    pub(crate) fn feed(&mut self) -> &mut Feed {
        self.soon();
        &mut self.setup.feed
    }

    /// Takes an event of the subscription; `wanted`: whether the user's filters let it through.
    pub(crate) fn event(&mut self, event: &Event, wanted: bool, now: Timestamp) {
        self.until(now);
        if !event.recovered {
            self.events.add(now, 1);
            self.minutes.add(event.received_at, now);
            let lag = now.duration_since(event.received_at);
            self.lag_now = self.lag_now.max(lag.try_into().unwrap_or_default());
        }
        self.soon();
        // The subscription has checked it.
        let record = JsonText::of_ours(event.message.object().to_owned());
        if !event.message.is_session() {
            if wanted {
                self.failures_of(&record, now);
            }
            return;
        }
        let record = Record::Json(record);
        let Some(session) = Session::read(&record, event.received_at) else {
            return;
        };
        let ended = event.event == "sessionDeleted" || Session::has_ended(&record);
        if ended || !wanted {
            self.end(&session.identity, now);
        } else {
            let came = self.sessions.put(&session);
            self.moved = true;
            if came == Came::New && !event.recovered {
                self.came.add(now, 1);
            }
        }
    }

    /// A message of failures: a list of them, or one alone.
    fn failures_of(&mut self, message: &JsonText, now: Timestamp) {
        let list = message.value().get("failures");
        match list.and_then(serde_json::Value::as_array) {
            Some(list) => {
                for failure in list.iter().take(MOST_FAILURES) {
                    self.failure(&Record::from_value(failure.clone()), now);
                }
            }
            None => self.failure(&Record::from_value(message.value().clone()), now),
        }
    }

    /// Takes a failed authentication.
    pub(crate) fn failure(&mut self, failure: &Record, now: Timestamp) {
        if self.failures.add(failure, now) {
            self.soon();
        }
    }

    /// Counts failed authentications of the last hour of which only the times are known.
    pub(crate) fn earlier_failures(&mut self, times: &[Timestamp], now: Timestamp) {
        for failed in times {
            self.failures.count(*failed, now);
        }
        self.soon();
    }

    fn end(&mut self, identity: &str, now: Timestamp) {
        if self.sessions.end(identity) {
            self.went.add(now, 1);
            self.moved = true;
        }
    }

    /// The Monitoring node's whole list begins.
    pub(crate) fn begin_list(&mut self) {
        self.sessions.begin_list();
    }

    /// Takes sessions of that list; `first`: it is the first list.
    pub(crate) fn listed(&mut self, sessions: &[Session], first: bool, now: Timestamp) {
        self.until(now);
        for session in sessions {
            if self.sessions.put(session) == Came::New && !first {
                self.came.add(now, 1);
                self.events.add(now, 1);
                self.minutes.add(now, now);
            }
        }
        self.moved = true;
        self.soon();
    }

    /// That list came to its end.
    pub(crate) fn end_list(&mut self, now: Timestamp) {
        let gone = self.sessions.end_list();
        self.went.add(now, gone);
        self.events.add(now, gone);
        self.moved = true;
        self.soon();
    }

    /// Time goes on. To be called about once a second also when nothing happens: rates fall.
    pub(crate) fn until(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        if now.as_second() <= self.second {
            return;
        }
        self.second = now.as_second();
        (self.lag, self.lag_now) = (self.lag_now, Duration::ZERO);
        for rate in [&mut self.events, &mut self.came, &mut self.went] {
            rate.until(now);
        }
        let minute = self.minutes.until(now) && self.minutes.sum() > 0;
        let failures = self.failures.until(now);
        let rates = [&self.events, &self.came, &self.went].map(Rate::per_second);
        let [events, came, went] = rates;
        let told = (events, came, went, self.lag);
        // The order of the table may be due.
        let moved = self.moved && !self.paused;
        if minute || failures || moved || told != self.told {
            self.soon();
        }
        self.told = told;
    }

    /// Says something on the last line.
    pub(crate) fn say(&mut self, text: &str, is_error: bool) {
        let text = readable(text);
        self.message = Some(Message { text, is_error });
        self.wanted = Some(Urgency::Now);
    }

    fn say_error(&mut self, error: &Error) {
        let hint = error.hint_text().map(|hint| format!("; {hint}"));
        let text = format!("{}{}", error.message(), hint.unwrap_or_default());
        self.say(&text, true);
    }

    /// Whether a picture is wanted, and whether somebody waits for it.
    pub(crate) fn wants_picture(&self) -> Option<Urgency> {
        self.wanted
    }

    /// Something that is seen changed.
    fn soon(&mut self) {
        self.wanted.get_or_insert(Urgency::Soon);
    }

    /// Everything is to be drawn, as after a change of size.
    pub(crate) fn touch(&mut self) {
        self.wanted = Some(Urgency::Now);
    }

    /// Puts the table in order for a picture of this size. To be called before [`draw()`].
    pub(crate) fn prepare(&mut self, width: u16, height: u16, now: Timestamp) {
        self.now = self.now.max(now);
        self.size = (width, height);
        let layout = draw::Layout::new(width, height);
        let waited = self.now.duration_since(self.arranged);
        let waited = Duration::try_from(waited).unwrap_or_default();
        let rows = layout.table_rows();
        let due = self.moved && !self.paused && waited >= ORDER_STAYS;
        if due || self.view.stale || self.view.height() != rows {
            self.view.arrange(&self.sessions, rows);
            self.arranged = self.now;
            self.moved = false;
        }
        self.failure_height = layout.failure_rows();
        self.find_failure();
        self.wanted = None;
    }

    /// The endpoint that keys are about: of what lies over the table, else under the cursor.
    fn endpoint(&self) -> Option<Endpoint> {
        let named = |mac, name: String, user: &str, nas: &str| {
            let user = if user.is_empty() {
                String::new()
            } else {
                format!(" ({user})")
            };
            let nas = if nas.is_empty() {
                String::new()
            } else {
                format!(" at {nas}")
            };
            let name = format!("{name}{user}{nas}");
            Some(Endpoint { mac, name })
        };
        match self.focus {
            _ if self.subject.is_some() => self.subject.clone(),
            Focus::Sessions if self.view.group.is_some() => None,
            Focus::Sessions => {
                let Some(row) = self.view.current(&self.sessions) else {
                    return self.without_session();
                };
                let nas = self.sessions.text(row, session::Field::Nas);
                named(row.mac, row.name(), &row.user, nas)
            }
            Focus::Failures => {
                let failure = self.failures.get(self.failure_place)?;
                let name = failure.endpoint.to_string();
                named(failure.mac, name, &failure.user, &failure.nas)
            }
        }
    }

    /// The endpoint whose whole address is searched for and found nowhere: who was quarantined has
    /// often no session any more, and is to be let in again.
    fn without_session(&self) -> Option<Endpoint> {
        // Beside a filter it may have a session after all.
        if self.view.len() > 0 || !self.view.filters.is_empty() {
            return None;
        }
        let mac: Mac = self.view.search.trim().parse().ok()?;
        let name = format!("{mac}, which has no session");
        Some(Endpoint {
            mac: Some(mac),
            name,
        })
    }
}

/// When a picture is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Somebody waits.
    Now,
    /// Something changed.
    Soon,
}
