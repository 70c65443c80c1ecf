//! Which sessions the table shows and in which order: search, filters, sorting, groups, and the
//! place of the cursor, which stays on its session while the list moves under it.
//!
//! Only what is seen is sorted: of the rest it is known on which side of the window it lies.

mod narrowing;

use std::cmp::Ordering;

use super::session::Field;
use super::sessions::{Row, RowId, Sessions};
use super::values::ValueId;
use crate::record::conditions::Pattern;
use narrowing::Tests;

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// When the session changed last.
    Changed,
    /// The endpoint.
    Mac,
    /// Its address.
    Ip,
    /// The user.
    User,
    /// A fact that sessions share.
    Fact(Field),
}

impl Column {
    /// All, in the order in which `s` goes through them.
    pub(crate) const ALL: [Self; 12] = [
        Self::Changed,
        Self::Mac,
        Self::User,
        Self::Ip,
        Self::Fact(Field::Nas),
        Self::Fact(Field::Port),
        Self::Fact(Field::State),
        Self::Fact(Field::Method),
        Self::Fact(Field::Sgt),
        Self::Fact(Field::Posture),
        Self::Fact(Field::Profile),
        Self::Fact(Field::Server),
    ];

    /// As a heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Changed => "CHANGED",
            Self::Mac => "MAC",
            Self::Ip => "IP",
            Self::User => "USER",
            Self::Fact(field) => field.title(),
        }
    }

    /// As it is typed in a filter; when a session changed is no text.
    fn named(name: &str) -> Option<Self> {
        let known = Self::ALL.into_iter().skip(1);
        let name = name.to_ascii_uppercase();
        known.into_iter().find(|column| column.title() == name)
    }
}

/// What a column must be for a row to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(super) column: Column,
    pub(super) text: String,
    /// The text is meant as it is, and no pattern: it was taken from a group.
    exact: bool,
}

impl Filter {
    /// One value of a field; empty for those without.
    pub(super) fn exact(field: Field, text: &str) -> Self {
        Self {
            column: Column::Fact(field),
            text: text.to_owned(),
            exact: true,
        }
    }

    /// Reads `nas=sw-lab-02 method=mab`.
    ///
    /// Errors: what is wrong with it, in words.
    pub(super) fn parse(text: &str) -> Result<Vec<Self>, String> {
        let words = shlex::split(text).ok_or("a quotation mark is not closed")?;
        let each = words.iter().map(|word| {
            let names = || {
                let columns = Column::ALL.into_iter().skip(1);
                let names: Vec<_> = columns
                    .map(|column| column.title().to_lowercase())
                    .collect();
                format!("write NAME=VALUE: {}", names.join(" "))
            };
            let (name, value) = word.split_once('=').ok_or_else(names)?;
            let column = Column::named(name.trim()).ok_or_else(names)?;
            Ok(Self {
                column,
                text: value.trim().to_owned(),
                exact: false,
            })
        });
        each.collect()
    }

    /// Whether a text is as it is wanted.
    fn wants(&self, text: &str) -> bool {
        if self.exact || self.text.is_empty() {
            return text == self.text;
        }
        let pattern = Pattern::new(&self.text);
        pattern.matches(text)
            || (self.column == Column::Fact(Field::Nas) && pattern.matches_host(text))
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct View {
    pub(super) search: String,
    pub(super) filters: Vec<Filter>,
    pub(super) sort: Column,
    pub(super) descending: bool,
    /// Groups are shown instead of sessions.
    pub(super) group: Option<Field>,
    /// All rows that are shown; those of the window stand in order, those before and after it
    /// belong there.
    order: Vec<RowId>,
    /// The first row of the window, and how many it has.
    pub(super) first: usize,
    height: usize,
    /// The session under the cursor. `None`: the cursor is at the top, whatever comes there.
    cursor: Option<u64>,
    /// The place of the cursor in the order.
    pub(super) place: usize,
    /// The groups, those with most sessions first.
    pub(super) groups: Vec<(String, usize)>,
    /// The cursor among the groups.
    pub(super) group_place: usize,
    pub(super) group_first: usize,
    /// The user asked for another order.
    pub(super) stale: bool,
}

impl Default for View {
    fn default() -> Self {
        Self {
            search: String::new(),
            filters: Vec::new(),
            sort: Column::Changed,
            descending: true,
            group: None,
            order: Vec::new(),
            first: 0,
            height: 0,
            cursor: None,
            place: 0,
            groups: Vec::new(),
            group_place: 0,
            group_first: 0,
            stale: true,
        }
    }
}

impl View {
    /// How many rows are shown, of the window and beside it.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// How many rows the window has.
    pub(super) fn height(&self) -> usize {
        self.height
    }

    /// Whether rows are left out on purpose.
    pub(super) fn narrows(&self) -> bool {
        !self.search.is_empty() || !self.filters.is_empty()
    }

    /// The rows of the window, with their places.
    pub(super) fn window(&self) -> impl Iterator<Item = (usize, RowId)> + '_ {
        let rows = self.order.iter().copied().enumerate();
        rows.skip(self.first).take(self.height)
    }

    /// The session under the cursor.
    pub(super) fn current<'s>(&self, sessions: &'s Sessions) -> Option<&'s Row> {
        match self.cursor {
            Some(key) => sessions.row_of(key),
            None => sessions.row(*self.order.get(self.place)?),
        }
    }

    /// Moves the cursor by so many rows; at the top it is free again.
    pub(super) fn step(&mut self, by: isize, sessions: &Sessions) {
        if self.group.is_some() {
            let last = self.groups.len().saturating_sub(1);
            self.group_place = self.group_place.saturating_add_signed(by).min(last);
            let height = self.height.max(1);
            self.group_first = scrolled(self.group_first, self.group_place, height);
            return;
        }
        let last = self.len().saturating_sub(1);
        self.place = self.place.saturating_add_signed(by).min(last);
        let first = scrolled(self.first, self.place, self.height.max(1));
        if first != self.first {
            self.first = first;
            self.sort_window(sessions);
        }
        self.hold(sessions);
    }

    /// The session that is under the cursor keeps it; at the top none does.
    fn hold(&mut self, sessions: &Sessions) {
        let id = self.order.get(self.place).filter(|_| self.place > 0);
        let row = id.and_then(|id| sessions.row(*id));
        self.cursor = row.map(|row| row.key);
    }

    /// The cursor goes to the top, and no session holds it.
    pub(super) fn return_to_top(&mut self) {
        (self.first, self.place, self.cursor) = (0, 0, None);
        (self.group_first, self.group_place) = (0, 0);
        self.stale = true;
    }

    /// Takes the rows as they are now, for a window of this height.
    pub(super) fn arrange(&mut self, sessions: &Sessions, height: usize) {
        self.height = height;
        self.stale = false;
        let tests = Tests::new(self, sessions);
        let wanted = sessions.rows().filter(|(_, row)| tests.pass(row));
        if let Some(field) = self.group {
            let mut counts = vec![0_usize; sessions.values(field).end()];
            for (_, row) in wanted {
                if let Some(count) = counts.get_mut(row.fact(field) as usize) {
                    *count += 1;
                }
            }
            self.take_groups(&counts, sessions, field);
            return;
        }
        self.order = wanted.map(|(id, _)| id).collect();
        self.find_cursor(sessions);
        self.sort_window(sessions);
        if self.cursor.is_none() {
            self.hold(sessions);
        }
    }

    fn take_groups(&mut self, counts: &[usize], sessions: &Sessions, field: Field) {
        let under = self.groups.get(self.group_place);
        let under = under.map(|(text, _)| text.clone());
        let values = sessions.values(field);
        let there = (0..).zip(counts).filter(|(_, count)| **count > 0);
        let named = |(id, count): (ValueId, &usize)| (values.text(id).to_owned(), *count);
        self.groups = there.map(named).collect();
        crate::order::sort_by(&mut self.groups, |a, b| {
            b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0))
        });
        if self.group_place > 0
            && let Some(under) = under
            && let Some(place) = self.groups.iter().position(|(text, _)| *text == under)
        {
            self.group_place = place;
        }
        self.step(0, sessions);
        self.stale = false;
    }

    /// The cursor's session keeps its line on the screen, where it is still there.
    fn find_cursor(&mut self, sessions: &Sessions) {
        let line = self.place.saturating_sub(self.first);
        let last = self.len().saturating_sub(1);
        let held = self.cursor.and_then(|key| sessions.row_of(key));
        let held = held.filter(|row| Tests::new(self, sessions).pass(row));
        if let Some(row) = held {
            let order = Order::new(self, sessions);
            let rows = self.order.iter().filter_map(|id| sessions.row(*id));
            self.place = rows
                .filter(|other| order.compare(other, row) == Ordering::Less)
                .count();
            self.first = self.place.saturating_sub(line);
        } else {
            self.cursor = None;
        }
        self.place = self.place.min(last);
        let height = self.height.max(1);
        self.first = scrolled(self.first, self.place, height);
        // No blank lines at the end while there are rows before.
        self.first = self.first.min(self.len().saturating_sub(height));
    }

    /// Puts the rows of the window in order, and the others before and after it.
    fn sort_window(&mut self, sessions: &Sessions) {
        let order = Order::new(self, sessions);
        let (first, height) = (self.first, self.height);
        let mut rows = std::mem::take(&mut self.order);
        let compare = |a: &RowId, b: &RowId| match (sessions.row(*a), sessions.row(*b)) {
            (Some(a), Some(b)) => order.compare(a, b),
            // What has ended meanwhile comes last.
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        if first > 0 && first < rows.len() {
            rows.select_nth_unstable_by(first, compare);
        }
        let first = first.min(rows.len());
        let rest = rows.get_mut(first..).unwrap_or_default();
        if height < rest.len() {
            rest.select_nth_unstable_by(height, compare);
        }
        let end = height.min(rest.len());
        if let Some(window) = rest.get_mut(..end) {
            window.sort_unstable_by(compare);
        }
        self.order = rows;
    }
}

/// The first line of a window in which `place` is seen.
pub(super) fn scrolled(first: usize, place: usize, height: usize) -> usize {
    first.clamp((place + 1).saturating_sub(height), place)
}

/// How two rows are compared.
struct Order {
    column: Column,
    descending: bool,
    /// For a field: the place of each value among the others.
    ranks: Vec<u32>,
}

impl Order {
    fn new(view: &View, sessions: &Sessions) -> Self {
        let ranks = match view.sort {
            Column::Fact(field) => sessions.values(field).ranks(),
            _ => Vec::new(),
        };
        Self {
            column: view.sort,
            descending: view.descending,
            ranks,
        }
    }

    /// Rows that have nothing in the column come last, either way. No two rows are equal, so that
    /// the list does not tremble.
    fn compare(&self, a: &Row, b: &Row) -> Ordering {
        let order = match self.column {
            Column::Changed => a.changed.cmp(&b.changed),
            Column::Mac => (a.mac, &a.station).cmp(&(b.mac, &b.station)),
            Column::Ip => a.ip.cmp(&b.ip),
            Column::User => a.user.cmp(&b.user),
            Column::Fact(field) => {
                let rank = |row: &Row| self.ranks.get(row.fact(field) as usize);
                rank(a).cmp(&rank(b))
            }
        };
        let order = if self.descending {
            order.reverse()
        } else {
            order
        };
        let empty = self.is_empty(a).cmp(&self.is_empty(b));
        empty.then(order).then_with(|| a.key.cmp(&b.key))
    }

    fn is_empty(&self, row: &Row) -> bool {
        match self.column {
            Column::Changed => false,
            Column::Mac => row.mac.is_none(),
            Column::Ip => row.ip.is_none(),
            Column::User => row.user.is_empty(),
            Column::Fact(field) => row.fact(field) == 0,
        }
    }
}

#[cfg(test)]
mod tests;
