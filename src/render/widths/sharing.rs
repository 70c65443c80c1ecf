//! How columns that are shown share the room of a row: what each needs first, then what is over.
//! Which columns are shown is decided before, in `widths`.

use super::{KEPT, LEAST, Measure};

/// The widths of columns. Each gets what it needs, and what is over goes first to those that vary,
/// the narrowest of them first. Where even the needs do not fit, words give, then all but the first
/// column, then all.
pub(super) fn fit(measures: &[Measure], screen: usize, gap: usize) -> Vec<usize> {
    let room = screen.saturating_sub(gap * measures.len().saturating_sub(1));
    let wishes: Vec<usize> = measures.iter().map(Measure::wish).collect();
    let needs = measures.iter().map(|measure| measure.need(screen));
    let mut widths: Vec<usize> = needs.collect();
    if widths.iter().sum::<usize>() <= room {
        // The first column names the row.
        let half: Vec<usize> = wishes.iter().map(|wish| (*wish).min(room / 2)).collect();
        raise(&mut widths, &half, room, |column| column == 0);
        let varies = |column: usize| measures.get(column).is_some_and(Measure::varies);
        raise(&mut widths, &wishes, room, varies);
        raise(&mut widths, &wishes, room, |_| true);
        return widths;
    }
    let whole = |column: usize| measures.get(column).is_some_and(Measure::is_whole);
    let mut widths = under_a_cap(&wishes, room, KEPT, |column| !whole(column))
        .or_else(|| under_a_cap(&wishes, room, KEPT, |column| column > 0))
        .or_else(|| under_a_cap(&wishes, room, LEAST, |_| true))
        .unwrap_or_else(|| wishes.iter().map(|wish| LEAST.min(*wish)).collect());
    raise(&mut widths, &wishes, room, |_| true);
    widths
}

/// Raises the widths of the columns that `takes` names towards their wishes, the narrowest first,
/// until the room is full.
fn raise(widths: &mut [usize], wishes: &[usize], room: usize, takes: impl Fn(usize) -> bool) {
    let raised = |column: usize, width: usize, cap: usize| {
        let wish = wishes.get(column).copied().unwrap_or(0);
        let most = if takes(column) { wish.min(cap) } else { 0 };
        width.max(most)
    };
    let total = |widths: &[usize], cap: usize| {
        let each = widths.iter().enumerate();
        each.map(|(column, width)| raised(column, *width, cap))
            .sum::<usize>()
    };
    let widest = wishes.iter().copied().max().unwrap_or(0);
    let cap = (0..=widest).rev().find(|cap| total(widths, *cap) <= room);
    let mut left = room;
    for (column, width) in widths.iter_mut().enumerate() {
        *width = raised(column, *width, cap.unwrap_or(0));
        left = left.saturating_sub(*width);
    }
    // The cap's last step fits some of them.
    for (column, width) in widths.iter_mut().enumerate() {
        if left > 0 && raised(column, *width, widest) > *width {
            *width += 1;
            left -= 1;
        }
    }
}

/// The widths under the highest cap, not below `least`, laid on the columns that `gives` names,
/// with which the row fits the room.
fn under_a_cap(
    wishes: &[usize],
    room: usize,
    least: usize,
    gives: impl Fn(usize) -> bool,
) -> Option<Vec<usize>> {
    let widest = wishes.iter().copied().max().unwrap_or(0);
    (least..=widest.max(least))
        .rev()
        .map(|cap| {
            let each = wishes.iter().enumerate();
            each.map(|(column, wish)| if gives(column) { cap.min(*wish) } else { *wish })
                .collect::<Vec<usize>>()
        })
        .find(|widths| widths.iter().sum::<usize>() <= room)
}
