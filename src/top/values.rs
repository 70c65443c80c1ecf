//! Texts that many sessions share (switches, groups, states), each held once with the number of
//! sessions that have it. Counting is done as sessions come and go, never by going through them.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::quality::RandomState;
use unicode_width::UnicodeWidthStr;

/// The place of a text among the values; 0 stands for none.
pub(super) type ValueId = u32;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Values {
    list: Vec<Value>,
    free: Vec<ValueId>,
    places: HashMap<Arc<str>, ValueId, RandomState>,
    /// Sessions without a value.
    none: usize,
    /// Columns of the widest text that there ever was.
    widest: usize,
}

#[derive(Debug)]
struct Value {
    text: Arc<str>,
    count: usize,
}

impl Values {
    /// Counts one more session with this text; an empty one is none.
    pub(super) fn add(&mut self, text: &str) -> ValueId {
        if text.is_empty() {
            self.none += 1;
            return 0;
        }
        if let Some(id) = self.places.get(text).copied() {
            if let Some(value) = self.value_mut(id) {
                value.count += 1;
            }
            return id;
        }
        let text: Arc<str> = text.into();
        let value = Value {
            text: Arc::clone(&text),
            count: 1,
        };
        let id = if let Some(id) = self.free.pop() {
            if let Some(place) = self.value_mut(id) {
                *place = value;
            }
            id
        } else {
            self.list.push(value);
            ValueId::try_from(self.list.len()).unwrap_or(ValueId::MAX)
        };
        self.widest = self.widest.max(text.width());
        self.places.insert(text, id);
        id
    }

    /// Counts one session less; a text that none has is forgotten.
    pub(super) fn remove(&mut self, id: ValueId) {
        if id == 0 {
            self.none = self.none.saturating_sub(1);
            return;
        }
        let Some(value) = self.value_mut(id) else {
            return;
        };
        value.count = value.count.saturating_sub(1);
        if value.count == 0 {
            let text = std::mem::replace(&mut value.text, Arc::from(""));
            self.places.remove(&text);
            self.free.push(id);
        }
    }

    /// The text; empty for none.
    pub(super) fn text(&self, id: ValueId) -> &str {
        let place = (id as usize).checked_sub(1);
        place
            .and_then(|place| self.list.get(place))
            .map_or("", |value| &value.text)
    }

    fn value_mut(&mut self, id: ValueId) -> Option<&mut Value> {
        self.list.get_mut((id as usize).checked_sub(1)?)
    }

    /// How many different values there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Columns that the widest text of all takes that there ever were: what is laid out by it does
    /// not go to and fro.
    pub(super) fn widest(&self) -> usize {
        self.widest
    }

    /// Whether no session has one.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// One past the largest id that is in use.
    pub(super) fn end(&self) -> usize {
        self.list.len() + 1
    }

    /// The values with most sessions, at most `count` of them, most first; sessions without any are
    /// told under an empty text.
    pub(super) fn most(&self, count: usize) -> Vec<(&str, usize)> {
        let none = (self.none > 0).then_some(("", self.none));
        let there = self.list.iter().filter(|value| value.count > 0);
        let there = there.map(|value| (&*value.text, value.count));
        let mut all: Vec<(&str, usize)> = there.chain(none).collect();
        crate::order::sort_by(&mut all, |a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        all.truncate(count);
        all
    }

    /// For each id, whether its text is wanted.
    pub(super) fn wanted(&self, wants: impl Fn(&str) -> bool) -> Vec<bool> {
        let each = self.list.iter().map(|value| wants(&value.text));
        std::iter::once(wants("")).chain(each).collect()
    }

    /// For each id, its place in the order of the texts.
    pub(super) fn ranks(&self) -> Vec<u32> {
        let mut order: Vec<usize> = (0..self.end()).collect();
        let text = |id: usize| self.text(ValueId::try_from(id).unwrap_or(0));
        order.sort_by(|a, b| text(*a).cmp(text(*b)));
        let mut ranks = vec![0; order.len()];
        for (rank, id) in (0..).zip(order) {
            if let Some(place) = ranks.get_mut(id) {
                *place = rank;
            }
        }
        ranks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_as_they_come_and_go() {
        let mut values = Values::default();
        let a = values.add("a");
        assert_eq!(values.add("a"), a);
        let b = values.add("b");
        assert_eq!(values.add(""), 0);
        assert_eq!(values.most(9), [("a", 2), ("", 1), ("b", 1)]);
        assert_eq!(values.most(1), [("a", 2)]);
        values.remove(a);
        values.remove(a);
        assert_eq!(values.text(a), "");
        assert_eq!((values.len(), values.text(b)), (1, "b"));
        // Its place is taken by the next one, and nothing grows.
        assert_eq!(values.add("c"), a);
        assert_eq!(values.end(), 3);
        assert_eq!(values.ranks(), [0, 2, 1]);
        assert_eq!(values.wanted(|text| text == "c"), [false, true, false]);
    }
}
