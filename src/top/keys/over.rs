//! Keys at what lies over the table: something that is read, a choice, a question, a line that is
//! typed.

use ratatui::crossterm::event::KeyCode;

use crate::top::overlay::{Overlay, PromptKind, Scroll};
use crate::top::view::Filter;
use crate::top::{Action, Top, draw};

impl Top {
    /// A key at something that is read: it scrolls, closes, or does to its endpoint what it does
    /// at the table.
    pub(super) fn reading_key(&mut self, code: KeyCode) -> Option<Action> {
        let (most, page) = draw::scrolling(self);
        let (scroll, endpoint) = match &mut self.overlay {
            Overlay::Help(scroll) => (scroll, None),
            Overlay::Details(details) => (&mut details.scroll, Some(&details.endpoint)),
            Overlay::Text(text) => (&mut text.scroll, Some(&text.endpoint)),
            _ => return None,
        };
        match code {
            KeyCode::Down | KeyCode::Char('j') => scroll.by(1, most),
            KeyCode::Up | KeyCode::Char('k') => scroll.by(-1, most),
            KeyCode::PageDown | KeyCode::Char(' ') => scroll.by(page, most),
            KeyCode::PageUp => scroll.by(-page, most),
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

    pub(super) fn choice_key(&mut self, code: KeyCode) -> Option<Action> {
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
    pub(super) fn question_key(&mut self, code: KeyCode) -> Option<Action> {
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

    pub(super) fn prompt_key(&mut self, code: KeyCode) -> Option<Action> {
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

    pub(super) fn search_as_typed(&mut self) {
        if let Overlay::Prompt(prompt) = &self.overlay
            && prompt.kind == PromptKind::Search
            && self.view.search != prompt.text
        {
            self.view.search.clone_from(&prompt.text);
            self.view.return_to_top();
        }
    }
}
