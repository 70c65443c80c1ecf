//! Widths: which columns a terminal shows, how much of it each gets, and how a text is cut to it. A
//! pure function of what is known of the columns and of the width.
//!
//! Room goes to the columns that vary. A column that nobody fills is not shown. Where the screen is
//! too narrow, first what tells rows apart least is left out (identifiers made by machines, then
//! what is the same in all rows), then columns from the right; enumerations and sentences stay
//! longest. Words are cut, addresses, times, numbers and enumerations are not.

mod sharing;

use std::cmp::Reverse;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Spaces between columns.
pub(super) const GAP: usize = 2;
/// What a column of words keeps while others are shortened.
const KEPT: usize = 8;
/// What a column of words that vary keeps while others are left out for it: as much as tells its
/// words apart, within these bounds.
const TOLD_APART: (usize, usize) = (10, 24);
/// What no column needs more than, however long its words are.
const COMFORTABLE: usize = 40;
/// What the header's count of columns left out takes: a gap, a plus, two digits.
pub(super) const MARK: usize = GAP + 3;
/// What every column keeps.
const LEAST: usize = 3;

/// How a column takes being narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
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
pub(super) struct Measure {
    /// How it takes being narrow.
    pub(super) nature: Nature,
    /// The width of its heading.
    pub(super) title: usize,
    /// The width of its widest cell.
    pub(super) widest: usize,
    /// Some row has a value.
    pub(super) filled: bool,
    /// All of several rows have the same.
    pub(super) same: bool,
    /// How many columns tell nearly all values apart.
    pub(super) apart: usize,
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
pub(super) struct Layout {
    /// The number and the width of each column that is shown.
    pub(super) shown: Vec<(usize, usize)>,
    /// How many were left out for want of room.
    pub(super) left_out: usize,
}

/// The layout for a screen. `may_drop`: columns may be left out, which those that a user named
/// never are. The first column, which names the row, always stays, and two stay at least.
pub(super) fn layout(measures: &[Measure], screen: usize, may_drop: bool) -> Layout {
    let all = measures.iter().enumerate();
    let mut shown: Vec<(usize, Measure)> = all
        .filter(|(index, measure)| !may_drop || measure.filled || *index == 0)
        .map(|(index, measure)| (index, *measure))
        .collect();
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
            0 => total(&shown, |measure| {
                measure.wish().min(COMFORTABLE).max(measure.need(screen))
            }),
            1 | 2 => total(&shown, |measure| measure.need_beside_less(screen)),
            _ => total(&shown, |measure| measure.need(screen)),
        };
        if wanted + mark(&shown, left_out) <= screen {
            break;
        }
        shown.remove(place);
        left_out += 1;
    }
    let room = screen.saturating_sub(mark(&shown, left_out));
    let measures: Vec<Measure> = shown.iter().map(|(_, measure)| *measure).collect();
    let widths = sharing::fit(&measures, room);
    let shown = shown.iter().map(|(index, _)| *index).zip(widths).collect();
    Layout { shown, left_out }
}

/// Room for columns of these widths, and between them.
fn total(shown: &[(usize, Measure)], width: impl Fn(&Measure) -> usize) -> usize {
    let widths = shown.iter().map(|(_, measure)| width(measure));
    widths.sum::<usize>() + GAP * shown.len().saturating_sub(1)
}

/// Room for the count of what is left out, as far as it does not stand above the last column.
fn mark(shown: &[(usize, Measure)], left_out: usize) -> usize {
    if left_out == 0 {
        return 0;
    }
    let above = shown.last().map_or(0, |(_, last)| match last.nature {
        // Never narrower than its widest word, and at the left of its column.
        Nature::Enumeration | Nature::Station => last.wish() - last.title,
        _ => 0,
    });
    MARK.saturating_sub(above)
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
        screen.saturating_sub(widths + GAP * self.shown.len().saturating_sub(1))
    }
}

/// Cuts the text to `width` columns, the last of them an ellipsis.
pub(super) fn cut(text: &mut String, width: usize) {
    // A text is never wider than it has bytes.
    if text.len() <= width || text.width() <= width {
        return;
    }
    let mut used = 0;
    let end = text
        .char_indices()
        .find(|(_, c)| {
            used += c.width().unwrap_or(0);
            used >= width
        })
        .map_or(text.len(), |(at, _)| at);
    text.truncate(end);
    text.push('…');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn measure(nature: Nature, title: &str, widest: usize) -> Measure {
        Measure {
            nature,
            title: title.len(),
            widest,
            filled: true,
            same: false,
            apart: 0,
        }
    }

    fn same(measure: Measure) -> Measure {
        Measure {
            same: true,
            ..measure
        }
    }

    use Nature::{Enumeration, Identifier, Sentence, Station, Whole, Words};

    #[test]
    fn what_fits_is_as_wide_as_it_is() {
        let columns = [
            measure(Whole, "MAC", 17),
            measure(Words, "USER", 20),
            measure(Words, "SERVER", 3),
        ];
        let layout = layout(&columns, 80, true);
        assert_eq!(layout.shown, [(0, 17), (1, 20), (2, 6)]);
        assert_eq!(layout.left_out, 0);
    }

    #[test]
    fn a_column_nobody_fills_is_not_shown_unless_it_was_named() {
        let empty = Measure {
            filled: false,
            ..measure(Words, "SGT", 1)
        };
        let columns = [measure(Whole, "MAC", 17), empty, measure(Words, "USER", 5)];
        assert_eq!(layout(&columns, 80, true).shown, [(0, 17), (2, 5)]);
        assert_eq!(layout(&columns, 80, true).left_out, 0);
        assert_eq!(layout(&columns, 80, false).shown, [(0, 17), (1, 3), (2, 5)]);
    }

    #[test]
    fn room_goes_to_what_varies() {
        // The group is the same in all rows, the name is what differs.
        let columns = [
            measure(Whole, "MAC", 17),
            same(measure(Words, "GROUP", 30)),
            measure(Words, "NAME", 40),
        ];
        assert_eq!(
            layout(&columns, 80, true).shown,
            [(0, 17), (1, 19), (2, 40)]
        );
        assert_eq!(layout(&columns, 60, true).shown, [(0, 17), (1, 8), (2, 31)]);
    }

    #[test]
    fn attempts_of_one_endpoint_keep_their_reason() {
        // TIME RESULT REASON USER NAS PORT METHOD SERVER MAC
        let columns = [
            measure(Whole, "TIME", 18),
            measure(Enumeration, "RESULT", 4),
            measure(Sentence, "REASON", 45),
            same(measure(Words, "USER", 5)),
            same(measure(Whole, "NAS", 10)),
            same(measure(Whole, "PORT", 7)),
            same(measure(Enumeration, "METHOD", 5)),
            measure(Words, "SERVER", 5),
            same(measure(Whole, "MAC", 17)),
        ];
        let narrow = layout(&columns, 80, true);
        assert_eq!(narrow.shown, [(0, 18), (1, 6), (2, 45)]);
        assert_eq!(narrow.left_out, 6);
        let wide = layout(&columns, 160, true);
        assert!(wide.shown.contains(&(2, 45)));
        assert_eq!(wide.left_out, 0);
    }

    #[test]
    fn whom_a_row_is_about_stays_beside_what_happened() {
        // TIME REASON MAC USER NAS
        let columns = [
            measure(Whole, "TIME", 19),
            measure(Sentence, "REASON", 47),
            measure(Station, "MAC", 17),
            measure(Words, "USER", 28),
            measure(Whole, "NAS", 10),
        ];
        let narrow = layout(&columns, 80, true);
        assert_eq!(narrow.shown, [(0, 19), (1, 40), (2, 17)]);
        assert_eq!(narrow.left_out, 2);
    }

    #[test]
    fn identifiers_go_first_and_enumerations_stay_whole() {
        let columns = [
            measure(Words, "NAME", 45),
            measure(Enumeration, "STATUS", 8),
            measure(Identifier, "SOURCE", 36),
            measure(Identifier, "MATRIX", 36),
            measure(Words, "DESCRIPTION", 60),
        ];
        let narrow = layout(&columns, 80, true);
        let shown: Vec<usize> = narrow.shown.iter().map(|(column, _)| *column).collect();
        assert_eq!(shown, [0, 1, 4], "{narrow:?}");
        for screen in 30..200 {
            for (column, width) in layout(&columns, screen, true).shown {
                assert!(column != 1 || width == 8, "{screen}");
            }
        }
    }

    #[test]
    fn names_keep_what_tells_them_apart() {
        let names = [
            "com.cisco.ise.config.anc",
            "com.cisco.ise.config.profiler",
            "x",
        ];
        assert_eq!(apart(names.into_iter()), "com.cisco.ise.config.".len() + 2);
        // One pair in ten may be alike.
        let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k1", "k2"];
        assert_eq!(apart(letters.into_iter()), 2);
        assert_eq!(apart(["a", "a"].into_iter()), 0);
        assert_eq!(apart([].into_iter()), 0);
    }

    #[test]
    fn cut_counts_columns_not_characters() {
        for (text, width, expected) in [
            ("short", 5, "short"),
            ("longer", 5, "long…"),
            ("山田太郎", 5, "山田…"),
            ("Zoe\u{308}lle", 4, "Zoe\u{308}…"),
            ("x", 1, "x"),
            ("xy", 1, "…"),
        ] {
            let mut cell = text.to_owned();
            cut(&mut cell, width);
            assert_eq!(cell, expected);
        }
    }

    fn any_measure() -> impl Strategy<Value = Measure> {
        let natures =
            prop::sample::select(&[Whole, Enumeration, Station, Sentence, Words, Identifier][..]);
        (
            natures,
            1_usize..12,
            1_usize..500,
            any::<bool>(),
            any::<bool>(),
            0_usize..60,
        )
            .prop_map(|(nature, title, widest, filled, same, apart)| Measure {
                nature,
                title,
                widest,
                filled,
                same,
                apart,
            })
    }

    proptest! {
        #[test]
        fn never_wider_than_allowed(text in any::<String>(), width in 1_usize..40) {
            let mut cell = crate::sanitize::terminal_safe(&text).into_owned();
            cut(&mut cell, width);
            prop_assert!(cell.width() <= width);
        }

        #[test]
        fn a_table_fits_its_screen(
            measures in prop::collection::vec(any_measure(), 1..10),
            screen in 60_usize..250,
            may_drop in any::<bool>(),
            more in any::<bool>(),
        ) {
            let mut layout = layout(&measures, screen, may_drop);
            if more {
                spread(&mut layout, &measures, screen);
            }
            let widths = layout.shown.iter().map(|(_, width)| width).sum::<usize>();
            prop_assert!(widths + GAP * (layout.shown.len() - 1) <= screen);
            prop_assert!(layout.shown.iter().all(|(_, width)| *width > 0));
            if !may_drop {
                prop_assert_eq!(layout.shown.len(), measures.len());
            }
        }
    }
}
