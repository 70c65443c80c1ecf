//! What is gathered of a table's columns while rows go by, in the memory of one cell a column: how
//! wide, how much alike, of what nature. The layout is made of it (`widths`).

use unicode_width::UnicodeWidthStr;

use super::column::CellKind;
use super::table::EMPTY;
use super::widths::{Measure, Nature, apart};

/// An enumeration is as wide as the server's longest word, but no wider than this: a longer text is
/// no word of a list.
const LONGEST_WORD: usize = 24;

/// One column.
pub(super) struct Gathered {
    kind: CellKind,
    title: usize,
    live: bool,
    widest: usize,
    rows: usize,
    /// The first cell, while all are like it.
    same: Option<String>,
    values: Values,
    apart: usize,
}

/// What all values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    /// None came.
    None,
    /// MAC and IP addresses.
    Addresses,
    /// UUIDs, one or several in a cell.
    Identifiers,
    /// Anything else, or some of each.
    Words,
}

impl Gathered {
    /// A column of which nothing was seen. `title`: the width of its heading; `live`: what comes is
    /// not known from what came; whether there is room for it.
    pub(super) fn new(kind: CellKind, title: usize, live: Option<bool>) -> Self {
        Self {
            kind,
            title,
            live: live.is_some(),
            widest: live.map_or(1, |roomy| room_to_come(kind, roomy)),
            rows: 0,
            same: None,
            values: Values::None,
            apart: 0,
        }
    }

    /// Looks at the next rows' cells.
    pub(super) fn take<'c>(&mut self, cells: impl Iterator<Item = &'c String> + Clone) {
        let is_first = self.rows == 0;
        if is_first {
            self.apart = apart(cells.clone().map(String::as_str));
        }
        for cell in cells {
            if self.rows == 0 {
                self.same = Some(cell.clone());
            } else if self.same.as_ref().is_some_and(|first| first != cell) {
                self.same = None;
            }
            self.rows = self.rows.saturating_add(1);
            // A text is never wider than it has bytes.
            if cell.len() > self.widest {
                self.widest = self.widest.max(cell.width());
            }
            if cell != EMPTY {
                self.values = self.values.and(Values::of(cell));
            }
        }
    }

    /// Whether the column is worth showing: some row has a value. Where rows are still to come, a
    /// remark waits for the first that has one, and other columns are expected to be filled.
    pub(super) fn is_filled(&self) -> bool {
        self.values != Values::None || self.live && self.kind != CellKind::Sentence
    }

    /// The width of the widest cell.
    pub(super) fn widest(&self) -> usize {
        self.widest
    }

    /// Whether a cell that is cut would be worth little.
    pub(super) fn must_be_whole(&self) -> bool {
        matches!(
            self.nature(),
            Nature::Whole | Nature::Enumeration | Nature::Station
        )
    }

    /// What the layout is made of.
    pub(super) fn measure(&self) -> Measure {
        Measure {
            nature: self.nature(),
            title: self.title,
            widest: self.widest,
            filled: self.is_filled(),
            same: !self.live && self.rows > 1 && self.same.is_some(),
            apart: self.apart,
            standing: None,
        }
    }

    fn nature(&self) -> Nature {
        match self.kind {
            CellKind::Sentence => Nature::Sentence,
            CellKind::Mac if self.widest <= LONGEST_WORD => Nature::Station,
            CellKind::Verdict | CellKind::Event | CellKind::Enumeration(_) => {
                if self.widest > LONGEST_WORD {
                    Nature::Words
                } else {
                    Nature::Enumeration
                }
            }
            CellKind::Text => match self.values {
                Values::Identifiers => Nature::Identifier,
                Values::Addresses => Nature::Whole,
                Values::None | Values::Words => Nature::Words,
            },
            _ => Nature::Whole,
        }
    }
}

/// What a column of a live table wants whatever its first row holds: the rows that decide the
/// layout of others are still to come.
fn room_to_come(kind: CellKind, roomy: bool) -> usize {
    match kind {
        CellKind::Addresses if roomy => "10.200.100.10 +2".len(),
        CellKind::Addresses => "10.200.10.10".len(),
        CellKind::Text if roomy => "host/ws-0042.lab.example".len(),
        CellKind::Text => "host/ws-0042.x".len(),
        CellKind::Mac => "C8:5B:76:C6:59:62".len(),
        CellKind::Event => "created".len(),
        CellKind::Enumeration(longest) => longest,
        CellKind::Age => "59m ago".len(),
        CellKind::Time
        | CellKind::Number
        | CellKind::Threshold { .. }
        | CellKind::Verdict
        | CellKind::Port
        | CellKind::Trend
        | CellKind::Sentence => 0,
    }
}

impl Values {
    fn of(cell: &str) -> Self {
        let is_uuid = |text: &str| {
            text.len() == 36
                && text.bytes().enumerate().all(|(at, byte)| match at {
                    8 | 13 | 18 | 23 => byte == b'-',
                    _ => byte.is_ascii_hexdigit(),
                })
        };
        let in_address = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'-');
        if cell.split(", ").all(is_uuid) {
            Self::Identifiers
        } else if cell.bytes().all(in_address) {
            Self::Addresses
        } else {
            Self::Words
        }
    }

    fn and(self, other: Self) -> Self {
        if self == Self::None || self == other {
            other
        } else {
            Self::Words
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(kind: CellKind, cells: &[&str]) -> Measure {
        let cells: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
        let mut gathered = Gathered::new(kind, 3, None);
        gathered.take(cells.iter());
        gathered.measure()
    }

    #[test]
    fn what_a_column_is_shows_in_its_cells() {
        let uuid = "bc09e6ea-193b-98d3-bcaa-7a4362a0653b";
        let two = format!("{uuid}, {uuid}");
        for (kind, cells, nature) in [
            (CellKind::Text, vec!["10.0.0.1", "-"], Nature::Whole),
            (CellKind::Text, vec!["10.0.0.1", "pat"], Nature::Words),
            (CellKind::Text, vec!["-", "-"], Nature::Words),
            (CellKind::Text, vec![uuid, &two], Nature::Identifier),
            (CellKind::Text, vec![uuid, "x"], Nature::Words),
            (
                CellKind::Enumeration(13),
                vec!["STARTED"],
                Nature::Enumeration,
            ),
            (CellKind::Verdict, vec!["fail"], Nature::Enumeration),
            (CellKind::Enumeration(0), vec![&two], Nature::Words),
            (CellKind::Sentence, vec!["10.0.0.1"], Nature::Sentence),
            (CellKind::Time, vec!["now"], Nature::Whole),
        ] {
            assert_eq!(gathered(kind, &cells).nature, nature, "{cells:?}");
        }
    }

    #[test]
    fn what_is_alike_in_all_rows_is_seen_and_one_row_is_not_alike() {
        assert!(gathered(CellKind::Text, &["a", "a"]).same);
        assert!(!gathered(CellKind::Text, &["a"]).same);
        assert!(!gathered(CellKind::Text, &["a", "a", "b"]).same);
        assert!(!gathered(CellKind::Text, &["-", "-"]).filled);
        assert!(gathered(CellKind::Text, &["-", "a"]).filled);
    }

    #[test]
    fn a_live_remark_waits_for_its_first_row() {
        let mut remark = Gathered::new(CellKind::Sentence, 4, Some(false));
        assert!(!remark.is_filled());
        assert!(Gathered::new(CellKind::Text, 4, Some(false)).is_filled());
        remark.take(["-".to_owned()].iter());
        assert!(!remark.is_filled());
        remark.take(["recovered".to_owned()].iter());
        assert!(remark.is_filled());
    }
}
