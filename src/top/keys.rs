//! What a key does to the state, and what it asks to be done outside.
//!
//! What changes an endpoint is asked for in two steps, the second of which takes y alone; what is
//! pasted is text for a prompt and never a key.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::change::{COA, Change, ChangeKind, coa_does, coa_name};
use super::failures::Failure;
use super::overlay::{
    Choice, Details, Endpoint, Overlay, Prompt, PromptKind, Question, Scroll, Text,
};
use super::session::{Field, safe};
use super::sessions::Row;
use super::view::{Column, Filter, scrolled};
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
    ("c", "ANC: take the policy off"),
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

/// Lines of a page in what is scrolled.
const PAGE: isize = 10;

impl Top {
    /// A key was pressed.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Option<Action> {
        self.wanted = Some(Urgency::Now);
        self.message = None;
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

    /// A key at something that is read: it scrolls, closes, or does to its endpoint what it does
    /// at the table.
    fn reading_key(&mut self, code: KeyCode) -> Option<Action> {
        let most = super::draw::scroll_limit(self);
        let (scroll, endpoint) = match &mut self.overlay {
            Overlay::Help(scroll) => (scroll, None),
            Overlay::Details(details) => (&mut details.scroll, Some(&details.endpoint)),
            Overlay::Text(text) => (&mut text.scroll, Some(&text.endpoint)),
            _ => return None,
        };
        match code {
            KeyCode::Down | KeyCode::Char('j') => scroll.by(1, most),
            KeyCode::Up | KeyCode::Char('k') => scroll.by(-1, most),
            KeyCode::PageDown | KeyCode::Char(' ') => scroll.by(PAGE, most),
            KeyCode::PageUp => scroll.by(-PAGE, most),
            KeyCode::Home => scroll.by(isize::MIN, most),
            KeyCode::End => scroll.by(isize::MAX, most),
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => self.overlay = Overlay::None,
            KeyCode::Char('?') => self.overlay = Overlay::Help(Scroll::default()),
            KeyCode::Char('y' | 'e' | 'a' | 'c' | 'o') => {
                self.subject = Some(endpoint?.clone());
                if code != KeyCode::Char('y') {
                    self.overlay = Overlay::None;
                }
                let action = self.table_key(code);
                self.subject = None;
                return action;
            }
            _ => {}
        }
        None
    }

    fn table_key(&mut self, code: KeyCode) -> Option<Action> {
        let page = isize::try_from(self.view.height().max(2)).unwrap_or(PAGE) - 1;
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
        let columns = Column::ALL;
        let at = columns.iter().position(|column| *column == self.view.sort);
        let next = (at.unwrap_or(0) + by) % columns.len();
        let column = columns.get(next).copied().unwrap_or(Column::Changed);
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
            self.overlay = Overlay::Details(failure_details(failure, endpoint));
            add_cause(self);
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

    /// What is known of a session before the server answers.
    fn row_details(&self, row: &Row, endpoint: Endpoint) -> Details {
        let facts = Field::ALL.map(|field| (field.name(), self.sessions.text(row, field)));
        let known = [("user", &*row.user)].into_iter().chain(facts);
        let known = known.filter(|(_, value)| !value.is_empty());
        let mut lines: Vec<(Box<str>, Box<str>)> = known
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        if let Some(ip) = row.ip {
            lines.insert(0, ("ip".into(), ip.to_string().into()));
        }
        Details {
            title: row.name(),
            endpoint,
            code: Box::from(""),
            awaited: row.mac.is_some(),
            lines,
            scroll: Scroll::default(),
        }
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

    fn choice_key(&mut self, code: KeyCode) -> Option<Action> {
        let Overlay::Choice(choice) = &mut self.overlay else {
            return None;
        };
        let last = choice.choices.len().saturating_sub(1);
        match code {
            KeyCode::Down | KeyCode::Char('j') => choice.at = (choice.at + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => choice.at = choice.at.saturating_sub(1),
            KeyCode::Home => choice.at = 0,
            KeyCode::End => choice.at = last,
            KeyCode::Enter => {
                let (_, change) = choice.choices.get(choice.at)?;
                let (change, endpoint) = (change.clone(), choice.endpoint.name.clone());
                self.ask(change, &endpoint);
            }
            KeyCode::Esc | KeyCode::Char('q') => self.overlay = Overlay::None,
            _ => {}
        }
        None
    }

    /// y alone is yes.
    fn question_key(&mut self, code: KeyCode) -> Option<Action> {
        let Overlay::Question(question) = std::mem::take(&mut self.overlay) else {
            return None;
        };
        if code == KeyCode::Char('y') {
            self.say(&format!("{} …", question.change.words()), false);
            return Some(Action::Change(question.change));
        }
        self.say(
            &format!("nothing was sent: {}", question.change.words()),
            false,
        );
        None
    }

    fn prompt_key(&mut self, code: KeyCode) -> Option<Action> {
        let Overlay::Prompt(prompt) = &mut self.overlay else {
            return None;
        };
        match code {
            KeyCode::Char(c) => prompt.type_text(c.encode_utf8(&mut [0; 4])),
            KeyCode::Backspace => {
                prompt.text.pop();
            }
            KeyCode::Esc => {
                let before = std::mem::take(&mut prompt.before);
                if prompt.kind == PromptKind::Search {
                    self.view.search = before;
                }
                self.overlay = Overlay::None;
                self.view.return_to_top();
                return None;
            }
            KeyCode::Enter => {
                self.take_prompt();
                return None;
            }
            _ => {}
        }
        self.search_as_typed();
        None
    }

    fn take_prompt(&mut self) {
        let Overlay::Prompt(prompt) = std::mem::take(&mut self.overlay) else {
            return;
        };
        if prompt.kind == PromptKind::Filter {
            match Filter::parse(&prompt.text) {
                Ok(filters) => self.view.filters.extend(filters),
                Err(wrong) => {
                    self.say(&wrong, true);
                    self.overlay = Overlay::Prompt(prompt);
                }
            }
        }
        self.view.return_to_top();
    }

    fn search_as_typed(&mut self) {
        if let Overlay::Prompt(prompt) = &self.overlay
            && prompt.kind == PromptKind::Search
            && self.view.search != prompt.text
        {
            self.view.search.clone_from(&prompt.text);
            self.view.return_to_top();
        }
    }
}

fn failure_details(failure: &Failure, endpoint: Endpoint) -> Details {
    let all: [(&str, &str); 9] = [
        ("reason", &failure.reason),
        ("endpoint", &failure.endpoint),
        ("user", &failure.user),
        ("nas", &failure.nas),
        ("port", &failure.port),
        ("server", &failure.server),
        ("policy set", &failure.policy_set),
        ("profile", &failure.profile),
        ("time", &failure.at.to_string()),
    ];
    let told = all.iter().filter(|(_, value)| !value.is_empty());
    let lines = told.map(|(name, value)| ((*name).into(), (*value).into()));
    Details {
        title: format!("failure of {}", failure.endpoint),
        endpoint,
        code: failure.code.clone(),
        awaited: false,
        lines: lines.collect(),
        scroll: Scroll::default(),
    }
}

/// Adds cause and remedy to the failure that is looked at, where they are known.
pub(super) fn add_cause(top: &mut Top) {
    let Overlay::Details(details) = &mut top.overlay else {
        return;
    };
    let causes = top.causes.as_ref();
    let known = causes.and_then(|causes| causes.get(&details.code));
    let there = details.lines.iter().any(|(name, _)| &**name == "cause");
    if let Some((cause, remedy)) = known.filter(|_| !there) {
        for (name, text) in [("remedy", remedy), ("cause", cause)] {
            if !text.is_empty() {
                details.lines.insert(1, (name.into(), text.clone()));
            }
        }
    }
}

/// The cursor among the failures follows the failure that holds it.
pub(super) fn find_failure(top: &mut Top) {
    let held = top.failure_held.as_ref();
    let held = held.and_then(|(id, at)| top.failures.place_of(id, *at));
    let last = top.failures.len().saturating_sub(1);
    top.failure_place = held.unwrap_or(top.failure_place).min(last);
    let height = top.failure_height.max(1);
    top.failure_first = scrolled(top.failure_first, top.failure_place, height);
}
