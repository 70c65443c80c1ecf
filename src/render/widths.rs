//! Widths: how much of a terminal each column gets, and how a text is cut to it.

use std::ops::RangeInclusive;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Spaces between columns.
pub(super) const GAP: usize = 2;
/// What a column of words keeps while one of addresses is still whole.
const KEPT: usize = 8;
/// What the header's count of columns left out takes: a gap, a plus, two digits.
pub(super) const MARK: usize = GAP + 3;
/// What every column keeps.
const LEAST: usize = 3;

/// What a column would like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    /// Its widest cell.
    pub(super) width: usize,
    /// It holds addresses, times or numbers, of which a part is worth little: cut last.
    pub(super) firm: bool,
}

/// The widths that columns get on a screen: their own where all fit. Else the widest columns of
/// words give first, then all but the first column, which names the row, then all.
pub(super) fn fit(wishes: &[Wish], screen: usize) -> Vec<usize> {
    let gaps = GAP * wishes.len().saturating_sub(1);
    let room = screen.saturating_sub(gaps);
    let widest = wishes.iter().map(|wish| wish.width).max().unwrap_or(0);
    let words = |_: usize, wish: &Wish| !wish.firm;
    let others = |index: usize, _: &Wish| index > 0;
    let all = |_: usize, _: &Wish| true;
    let mut widths = try_caps(wishes, room, KEPT..=widest.max(KEPT), words)
        .or_else(|| try_caps(wishes, room, KEPT..=widest.max(KEPT), others))
        .or_else(|| try_caps(wishes, room, LEAST..=widest.max(LEAST), all))
        .unwrap_or_else(|| wishes.iter().map(|wish| wish.width.min(LEAST)).collect());
    // What the last step of the cap left over goes to those that were cut.
    let mut spare = room.saturating_sub(widths.iter().sum());
    for (width, wish) in widths.iter_mut().zip(wishes) {
        if spare > 0 && *width < wish.width {
            *width += 1;
            spare -= 1;
        }
    }
    widths
}

/// How many columns, from the left, a screen has room for when words are cut short and nothing else
/// is; at least two, and room is kept to count the others.
pub(super) fn how_many(wishes: &[Wish], screen: usize) -> usize {
    let least = |wish: &Wish| {
        if wish.firm {
            wish.width
        } else {
            wish.width.min(KEPT)
        }
    };
    let room_for = |count: usize| {
        let shown: usize = wishes.iter().take(count).map(least).sum();
        let mark = if count < wishes.len() { MARK } else { 0 };
        shown + GAP * count.saturating_sub(1) + mark <= screen
    };
    (3..=wishes.len())
        .rev()
        .find(|count| room_for(*count))
        .unwrap_or(wishes.len().min(2))
}

/// The widths under the highest cap, laid on the columns that `gives` names, with which the row
/// fits the room.
fn try_caps(
    wishes: &[Wish],
    room: usize,
    caps: RangeInclusive<usize>,
    gives: impl Fn(usize, &Wish) -> bool,
) -> Option<Vec<usize>> {
    caps.rev()
        .map(|cap| {
            let capped = wishes.iter().enumerate().map(|(index, wish)| {
                if gives(index, wish) {
                    wish.width.min(cap)
                } else {
                    wish.width
                }
            });
            capped.collect::<Vec<usize>>()
        })
        .find(|widths| widths.iter().sum::<usize>() <= room)
}

/// Gives columns some of the room that is left, for rows that are still to come.
pub(super) fn spread(widths: &mut [usize], screen: usize) {
    let used = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
    let share = screen
        .saturating_sub(used)
        .checked_div(widths.len())
        .unwrap_or(0)
        .min(KEPT);
    for width in widths {
        *width += share;
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

    fn wishes(widths: &[usize]) -> Vec<Wish> {
        let firm = |width| [13, 15, 17].contains(&width);
        widths
            .iter()
            .map(|&width| Wish {
                width,
                firm: firm(width),
            })
            .collect()
    }

    #[test]
    fn words_give_before_addresses() {
        // MAC, IP, USER, NAS, SERVER
        let sessions = wishes(&[17, 15, 25, 15, 30]);
        assert_eq!(fit(&sessions, 200), [17, 15, 25, 15, 30]);
        assert_eq!(fit(&sessions, 80), [17, 15, 13, 15, 12]);
        assert_eq!(fit(&sessions, 60), [17, 9, 9, 9, 8]);
        assert_eq!(fit(&wishes(&[17; 9]), 20), [3; 9]);
        assert_eq!(fit(&[], 80), [0_usize; 0]);
    }

    #[test]
    fn columns_are_left_out_from_the_right() {
        // MAC, IP, USER, NAS, SERVER, PORT, METHOD, PROFILE, SGT
        let details = wishes(&[17, 13, 28, 10, 6, 9, 6, 22, 18]);
        assert_eq!(how_many(&details, 200), 9);
        assert_eq!(how_many(&details, 80), 6);
        assert_eq!(how_many(&details, 10), 2);
        assert_eq!(how_many(&wishes(&[17]), 10), 1);
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

    proptest! {
        #[test]
        fn never_wider_than_allowed(text in any::<String>(), width in 1_usize..40) {
            let mut cell = crate::sanitize::terminal_safe(&text).into_owned();
            cut(&mut cell, width);
            prop_assert!(cell.width() <= width);
        }

        #[test]
        fn a_fitting_table_fits(natural in prop::collection::vec(1_usize..500, 1..10), screen in 60_usize..250) {
            let widths = fit(&wishes(&natural), screen);
            prop_assert!(widths.iter().sum::<usize>() + GAP * (widths.len() - 1) <= screen);
            prop_assert!(widths.iter().zip(&natural).all(|(width, wanted)| width <= wanted));
        }
    }
}
