//! What a key does to the state, and what it asks to be done outside: here at the table, in `over`
//! at what lies over it.
//!
//! What changes an endpoint is asked for in two steps, the second of which takes y alone; what is
//! pasted is text for a prompt and never a key.

mod over;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::change::{COA, Change, ChangeKind, coa_does, coa_name};
use super::overlay::{Choice, Endpoint, Overlay, Prompt, PromptKind, Question, Scroll, Text};
use super::session::{Field, safe};
use super::view::{Column, Filter};
use super::{Action, Focus, Top, Urgency};
use crate::record::Mac;

/// Keys and what they do, for the help and the last line.
pub(super) const HELP: [(&str, &str); 20] = [
    ("Up Down PgUp PgDn", "move the cursor (or k and j)"),
    ("Home End", "to the newest, to the end"),
    ("Tab", "between sessions and failures"),
    ("Enter", "details; of a group: its sessions"),
    ("Esc", "close, back to the newest"),
    ("/", "search in every column"),
    ("f", "filter: nas=sw-lab-02 method=mab"),
    ("s S", "sort by the next, the previous column"),
    ("r", "the other way round"),
    ("g", "group by switch, group, method, …"),
    ("x", "drop search, filters and groups"),
    ("Space", "hold the order still, let it go on"),
    ("y", "copy the MAC address (OSC 52)"),
    ("e", "explain: why it is, or is not, on the network"),
    ("a", "ANC: put a policy on the endpoint"),
    ("c", "ANC: take it off (session gone: search its MAC first)"),
    ("o", "change of authorization"),
    ("Ctrl-L", "draw everything anew"),
    ("?", "this help"),
    ("q", "quit"),
];

/// What `g` goes through.
const GROUPS: [Field; 7] = [
    Field::Nas,
    Field::Sgt,
    Field::Method,
    Field::State,
    Field::Posture,
    Field::Profile,
    Field::Server,
];

impl Top {
    /// A key was pressed.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Option<Action> {
        self.wanted = Some(Urgency::Now);
        self.message = None;
        // Esc and a key that a slow line brings together look like one with Alt.
        if key.modifiers.contains(KeyModifiers::ALT) {
            let esc = KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE);
            return self.key(esc);
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Some(Action::Interrupt),
                KeyCode::Char('z') => Some(Action::Suspend),
                KeyCode::Char('l') => Some(Action::Redraw),
                _ => None,
            };
        }
        match &self.overlay {
            Overlay::None => self.table_key(key.code),
            Overlay::Help(_) | Overlay::Details(_) | Overlay::Text(_) => self.reading_key(key.code),
            Overlay::Choice(_) => self.choice_key(key.code),
            Overlay::Question(_) => self.question_key(key.code),
            Overlay::Prompt(_) => self.prompt_key(key.code),
        }
    }

    /// Text was pasted.
    pub(crate) fn paste(&mut self, text: &str) {
        if let Overlay::Prompt(prompt) = &mut self.overlay {
            prompt.type_text(text);
            self.search_as_typed();
            self.wanted = Some(Urgency::Now);
        }
    }

    fn table_key(&mut self, code: KeyCode) -> Option<Action> {
        // Keys may come faster than pictures: what was typed before this one counts already.
        if self.view.stale {
            self.view.arrange(&self.sessions, self.view.height());
        }
        let page = isize::try_from(self.view.height().max(2) - 1).unwrap_or(1);
        match code {
            KeyCode::Char('q') => return Some(Action::Quit),
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => {
                self.overlay = Overlay::Help(Scroll::default());
            }
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::PageDown => self.step(page),
            KeyCode::PageUp => self.step(-page),
            KeyCode::Home => self.step(isize::MIN),
            KeyCode::End | KeyCode::Char('G') => self.step(isize::MAX),
            KeyCode::Tab | KeyCode::BackTab => self.switch_focus(),
            KeyCode::Esc => self.back(),
            KeyCode::Char('/') => self.prompt(PromptKind::Search),
            KeyCode::Char('f') => self.prompt(PromptKind::Filter),
            KeyCode::Char('s') => self.sort_by_next(1),
            KeyCode::Char('S') => self.sort_by_next(Column::ALL.len() - 1),
            KeyCode::Char('r') => {
                self.view.descending = !self.view.descending;
                self.view.return_to_top();
            }
            KeyCode::Char('g') => self.group_by_next(),
            KeyCode::Char('x') => {
                self.view.search.clear();
                self.view.filters.clear();
                self.view.group = None;
                self.view.return_to_top();
            }
            KeyCode::Char(' ') => self.pause(),
            KeyCode::Enter => return self.enter(),
            KeyCode::Char('y') => return self.copy(),
            KeyCode::Char('e') => return self.explain(),
            KeyCode::Char('a') => return self.choose_policy(),
            KeyCode::Char('c') => self.ask_to_clear(),
            KeyCode::Char('o') => self.choose_coa(),
            _ => {}
        }
        None
    }

    fn step(&mut self, by: isize) {
        match self.focus {
            Focus::Sessions => self.view.step(by, &self.sessions),
            Focus::Failures => {
                let last = self.failures.len().saturating_sub(1);
                self.failure_place = self.failure_place.saturating_add_signed(by).min(last);
                let failure = self.failures.get(self.failure_place);
                let held = failure.filter(|_| self.failure_place > 0);
                self.failure_held = held.map(|failure| (failure.id.clone(), failure.at));
            }
        }
    }

    fn switch_focus(&mut self) {
        self.focus = match self.focus {
            Focus::Sessions if self.failure_height > 0 => Focus::Failures,
            _ => Focus::Sessions,
        };
    }

    /// Esc at the table: one thing after the other is let go.
    fn back(&mut self) {
        if self.focus == Focus::Failures {
            self.focus = Focus::Sessions;
        } else if self.view.group.take().is_some() || self.view.place > 0 {
            self.view.return_to_top();
        } else if self.view.narrows() {
            self.view.search.clear();
            self.view.filters.clear();
            self.view.return_to_top();
        }
    }

    fn prompt(&mut self, kind: PromptKind) {
        self.focus = Focus::Sessions;
        self.overlay = Overlay::Prompt(Prompt {
            kind,
            text: match kind {
                PromptKind::Search => self.view.search.clone(),
                PromptKind::Filter => String::new(),
            },
            before: self.view.search.clone(),
        });
    }

    fn sort_by_next(&mut self, by: usize) {
        let sessions = &self.sessions;
        // A column that nobody fills is not shown either.
        let filled = |column: &Column| match column {
            Column::Fact(field) => !sessions.values(*field).is_empty(),
            _ => true,
        };
        let all = Column::ALL;
        let at = all.iter().position(|column| *column == self.view.sort);
        let steps = (1..=all.len()).map(|step| (at.unwrap_or(0) + by * step) % all.len());
        let mut columns = steps.filter_map(|place| all.get(place).copied());
        let column = columns.find(filled).unwrap_or(Column::Changed);
        self.view.sort = column;
        // Of times the newest are wanted first, of names the first.
        self.view.descending = column == Column::Changed;
        self.view.group = None;
        self.view.return_to_top();
        let way = if self.view.descending {
            "newest first"
        } else {
            "first to last"
        };
        self.say(&format!("sorted by {}, {way}", column.title()), false);
    }

    fn group_by_next(&mut self) {
        self.focus = Focus::Sessions;
        let filled = |field: &Field| !self.sessions.values(*field).is_empty();
        let mut fields = GROUPS.into_iter().filter(filled);
        self.view.group = match self.view.group {
            None => fields.next(),
            Some(group) => {
                let _before = fields.find(|field| *field == group);
                fields.next()
            }
        };
        self.view.return_to_top();
    }

    fn pause(&mut self) {
        self.paused = !self.paused;
        let text = if self.paused {
            "the order stays as it is; Space lets it go on"
        } else {
            "the order follows what happens"
        };
        self.view.stale |= !self.paused;
        self.say(text, false);
    }

    fn enter(&mut self) -> Option<Action> {
        if self.focus == Focus::Failures {
            let endpoint = self.endpoint()?;
            let failure = self.failures.get(self.failure_place)?;
            self.overlay = Overlay::Details(self.failure_details(failure, endpoint));
            self.add_cause();
            let ask = self.causes.is_none() && self.setup.no_mnt.is_none();
            return ask.then_some(Action::Causes);
        }
        if let Some(field) = self.view.group {
            let (text, _) = self.view.groups.get(self.view.group_place)?;
            let filter = Filter::exact(field, text);
            self.view.filters.push(filter);
            self.view.group = None;
            self.view.return_to_top();
            return None;
        }
        let endpoint = self.endpoint()?;
        let row = self.view.current(&self.sessions)?;
        let mac = row.mac;
        let details = self.row_details(row, endpoint);
        self.overlay = Overlay::Details(details);
        mac.map(Action::Detail)
    }

    /// The endpoint that is meant, with its MAC address; says why there is none.
    fn with_mac(&mut self) -> Option<(Mac, Endpoint)> {
        let Some(endpoint) = self.endpoint() else {
            self.say("there is no endpoint under the cursor", true);
            return None;
        };
        if let Some(mac) = endpoint.mac {
            return Some((mac, endpoint));
        }
        self.say(&format!("{} has no MAC address", endpoint.name), true);
        None
    }

    fn copy(&mut self) -> Option<Action> {
        let (mac, _) = self.with_mac()?;
        self.say(&format!("{mac} copied"), false);
        Some(Action::Copy(mac))
    }

    fn explain(&mut self) -> Option<Action> {
        if let Some(why) = self.setup.no_mnt.clone() {
            self.say(&format!("no explanation: {why}"), true);
            return None;
        }
        let (mac, endpoint) = self.with_mac()?;
        self.overlay = Overlay::Text(Text {
            title: format!("explain {mac}"),
            endpoint,
            awaited: true,
            lines: Vec::new(),
            scroll: Scroll::default(),
        });
        Some(Action::Explain(mac))
    }

    /// The endpoint that may be changed; says why none may.
    fn changeable(&mut self, what: &str, lacks: Option<String>) -> Option<(Mac, Endpoint)> {
        if let Some(why) = self.setup.read_only.clone().or(lacks) {
            self.say(&format!("no {what}: {why}"), true);
            return None;
        }
        self.with_mac()
    }

    fn choose_policy(&mut self) -> Option<Action> {
        let (mac, endpoint) = self.changeable("ANC", self.setup.no_anc.clone())?;
        self.overlay = Overlay::Choice(Choice {
            title: format!("ANC policy for {}", endpoint.name),
            endpoint,
            awaited: true,
            choices: Vec::new(),
            at: 0,
        });
        Some(Action::Policies(mac))
    }

    fn ask_to_clear(&mut self) {
        let Some((mac, endpoint)) = self.changeable("ANC", self.setup.no_anc.clone()) else {
            return;
        };
        let kind = ChangeKind::Clear;
        self.ask(Change { mac, kind }, &endpoint.name);
    }

    fn choose_coa(&mut self) {
        let lacks = self.setup.no_mnt.clone();
        let Some((mac, endpoint)) = self.changeable("change of authorization", lacks) else {
            return;
        };
        let choice = |coa| {
            let label = format!("{:14} {}", coa_name(coa), coa_does(coa));
            let kind = ChangeKind::Coa(coa);
            (label.into(), Change { mac, kind })
        };
        self.overlay = Overlay::Choice(Choice {
            title: format!("Change of authorization for {}", endpoint.name),
            endpoint,
            awaited: false,
            choices: COA.into_iter().map(choice).collect(),
            at: 0,
        });
    }

    fn ask(&mut self, change: Change, endpoint: &str) {
        let text = safe(&change.question(endpoint));
        self.overlay = Overlay::Question(Question { text, change });
    }
}
