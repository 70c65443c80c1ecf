//! Widths: which columns a terminal shows, how much of it each gets, and how a text is cut to it. A
//! pure function of what is known of the columns and of the width. Lists, lines of events and the
//! live screen's table all have their columns from here.
//!
//! Room goes to the columns that vary. A column that nobody fills is not shown. Where the screen is
//! too narrow, first what tells rows apart least is left out (identifiers made by machines, then
//! what is the same in all rows), then columns from the right; enumerations and sentences stay
//! longest. Words are cut, addresses, times, numbers and enumerations are not.

mod sharing;

use std::borrow::Cow;
use std::cmp::Reverse;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Spaces between a list's columns.
pub(super) const GAP: usize = 2;
/// What a column of words keeps while others are shortened.
const KEPT: usize = 8;
/// What a column of words that vary keeps while others are left out for it: as much as tells its
/// words apart, within these bounds.
const TOLD_APART: (usize, usize) = (10, 24);
/// What no column needs more than, however long its words are.
const COMFORTABLE: usize = 40;
/// What the header's count of columns left out takes behind a gap: a plus, two digits.
const MARK: usize = 3;
/// What every column keeps.
const LEAST: usize = 3;

/// How a column takes being narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Addresses, times, numbers: a part is worth little.
    Whole,
    /// One of a few words, which must be seen whole.
    Enumeration,
    /// Whom the row is about: a MAC address, or what stands in its place.
    Station,
    /// What the row is about, in words.
    Sentence,
    /// A name: its beginning will do.
    Words,
    /// Numbers made by machines (UUIDs), which tell a person nothing.
    Identifier,
}

/// What is known of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measure {
    /// How it takes being narrow.
    pub(crate) nature: Nature,
    /// The width of its heading.
    pub(crate) title: usize,
    /// The width of its widest cell.
    pub(crate) widest: usize,
    /// Some row has a value.
    pub(crate) filled: bool,
    /// All of several rows have the same.
    pub(crate) same: bool,
    /// How many columns tell nearly all values apart.
    pub(crate) apart: usize,
    /// How late it is left out, the highest last, where that is known better than by its nature.
    pub(crate) standing: Option<u8>,
}

impl Measure {
    /// What it would like.
    fn wish(&self) -> usize {
        self.widest.max(self.title)
    }

    /// What it needs before others are left out for it.
    fn need(&self, screen: usize) -> usize {
        let least = match self.nature {
            Nature::Whole | Nature::Enumeration | Nature::Station | Nature::Identifier => {
                usize::MAX
            }
            Nature::Sentence => (screen * 2 / 5).max(28),
            Nature::Words if self.same => KEPT,
            Nature::Words => self.apart.clamp(TOLD_APART.0, TOLD_APART.1),
        };
        self.wish().min(least.max(self.title))
    }

    /// What is left out first.
    fn rank(&self) -> u8 {
        if let Some(standing) = self.standing {
            return standing.saturating_add(3);
        }
        match self.nature {
            Nature::Identifier => 0,
            Nature::Sentence => 3,
            _ if self.same => 1,
            Nature::Enumeration | Nature::Station => 3,
            Nature::Whole | Nature::Words => 2,
        }
    }

    /// What it needs before columns that tell less are left out for it: a sentence is what the rows
    /// are about.
    fn need_beside_less(&self, screen: usize) -> usize {
        match self.nature {
            Nature::Sentence => self.wish().min(COMFORTABLE * 3 / 2).max(self.need(screen)),
            _ => self.need(screen),
        }
    }

    fn is_whole(&self) -> bool {
        matches!(
            self.nature,
            Nature::Whole | Nature::Enumeration | Nature::Station
        )
    }

    /// Whether room makes it tell more.
    fn varies(&self) -> bool {
        self.nature == Nature::Sentence || !self.same && self.nature == Nature::Words
    }
}

/// Which columns are shown, and how wide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The number and the width of each column that is shown.
    pub(crate) shown: Vec<(usize, usize)>,
    /// How many were left out for want of room.
    pub(crate) left_out: usize,
    /// Spaces between columns.
    gap: usize,
}

/// The layout of a list for a screen. `may_drop`: columns may be left out, which those that a user
/// named never are. The first column, which names the row, always stays, and two stay at least.
pub(super) fn layout(measures: &[Measure], screen: usize, may_drop: bool) -> Layout {
    layout_with_gap(measures, screen, GAP, may_drop)
}

/// The same with another number of spaces between columns.
pub(crate) fn layout_with_gap(
    measures: &[Measure],
    screen: usize,
    gap: usize,
    may_drop: bool,
) -> Layout {
    let all = measures.iter().enumerate();
    let mut shown: Vec<(usize, Measure)> = all
        .filter(|(index, measure)| !may_drop || measure.filled || *index == 0)
        .map(|(index, measure)| (index, *measure))
        .collect();
    // Room for columns of these widths, and between them.
    let total = |shown: &[(usize, Measure)], width: &dyn Fn(&Measure) -> usize| {
        let widths = shown.iter().map(|(_, measure)| width(measure));
        widths.sum::<usize>() + gap * shown.len().saturating_sub(1)
    };
    let mut left_out = 0;
    while may_drop && shown.len() > 2 {
        let behind_the_first = shown.iter().enumerate().skip(1);
        let weakest = behind_the_first
            .min_by_key(|(place, (_, measure))| (measure.rank(), Reverse(*place)))
            .map(|(place, (_, measure))| (place, measure.rank()));
        let Some((place, rank)) = weakest else {
            break;
        };
        let wanted = match rank {
            // No name is cut for an identifier.
            0 => total(&shown, &|measure| {
                measure.wish().min(COMFORTABLE).max(measure.need(screen))
            }),
            1 | 2 => total(&shown, &|measure| measure.need_beside_less(screen)),
            _ => total(&shown, &|measure| measure.need(screen)),
        };
        if wanted + mark(&shown, left_out, gap) <= screen {
            break;
        }
        shown.remove(place);
        left_out += 1;
    }
    let room = screen.saturating_sub(mark(&shown, left_out, gap));
    let measures: Vec<Measure> = shown.iter().map(|(_, measure)| *measure).collect();
    let widths = sharing::fit(&measures, room, gap);
    let shown = shown.iter().map(|(index, _)| *index).zip(widths).collect();
    Layout {
        shown,
        left_out,
        gap,
    }
}

/// Room for the count of what is left out, as far as it does not stand above the last column.
fn mark(shown: &[(usize, Measure)], left_out: usize, gap: usize) -> usize {
    if left_out == 0 {
        return 0;
    }
    let above = shown.last().map_or(0, |(_, last)| match last.nature {
        // Never narrower than its widest word, and at the left of its column.
        Nature::Enumeration | Nature::Station => last.wish() - last.title,
        _ => 0,
    });
    (gap + MARK).saturating_sub(above)
}

/// How many columns tell nine of ten values apart from the one that is most like them.
pub(super) fn apart<'t>(cells: impl Iterator<Item = &'t str>) -> usize {
    let mut cells: Vec<&str> = cells.collect();
    cells.sort_unstable();
    cells.dedup();
    let mut alike: Vec<usize> = cells
        .iter()
        .zip(cells.iter().skip(1))
        .map(|(a, b)| {
            let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
            same.map(|(c, _)| c.width().unwrap_or(0)).sum::<usize>()
        })
        .collect();
    alike.sort_unstable();
    let most = alike.get((alike.len() * 9).saturating_sub(1) / 10);
    // The letter that differs, and the ellipsis.
    most.map_or(0, |alike| alike + 2)
}

/// Gives columns of words some of the room that is left, for rows that are still to come.
pub(super) fn spread(layout: &mut Layout, measures: &[Measure], screen: usize) {
    let is_open = |column: usize| {
        let nature = measures.get(column).map(|measure| measure.nature);
        matches!(nature, Some(Nature::Words | Nature::Sentence))
    };
    let open = layout.shown.iter().filter(|(column, _)| is_open(*column));
    let share = layout.spare(screen) / open.count().max(1);
    for (column, width) in &mut layout.shown {
        if is_open(*column) {
            *width += share.min(KEPT);
        }
    }
}

impl Layout {
    /// The room behind the last column.
    pub(super) fn spare(&self, screen: usize) -> usize {
        let widths = self.shown.iter().map(|(_, width)| width).sum::<usize>();
        screen.saturating_sub(widths + self.gap * self.shown.len().saturating_sub(1))
    }
}

/// Cuts the text to `width` columns, the last of them an ellipsis.
pub(super) fn cut(text: &mut String, width: usize) {
    if let Cow::Owned(shorter) = shortened(text, width) {
        *text = shorter;
    }
}

/// The text in so many columns, the last of them an ellipsis where it was longer.
pub(crate) fn shortened(text: &str, width: usize) -> Cow<'_, str> {
    // A text is never wider than it has bytes.
    if text.len() <= width || text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut used = 0;
    let end = text
        .char_indices()
        .find(|(_, c)| {
            used += c.width().unwrap_or(0);
            used >= width
        })
        .map_or(text.len(), |(at, _)| at);
    Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default()))
}

/// The text in so many columns, cut in its middle: what tells switches and ports apart stands at
/// the end of their names.
pub(crate) fn shortened_in_the_middle(text: &str, width: usize) -> Cow<'_, str> {
    if text.len() <= width || text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut left = width.saturating_sub(1).div_ceil(2);
    let mut end = text.len();
    for (at, c) in text.char_indices().rev() {
        let wide = c.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        end = at;
    }
    let (head, tail) = text.split_at_checked(end).unwrap_or((text, ""));
    let mut kept = shortened(head, width.saturating_sub(tail.width())).into_owned();
    kept.push_str(tail);
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests;
