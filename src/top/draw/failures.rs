//! The failed authentications of the last hour, newest first, each with its reason in words.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{clock, line, number, paint, put};
use crate::render::short_interface_name;
use crate::render::widths::shortened_in_the_middle;
use crate::top::{Focus, Top};

/// A terminal that is so wide shows user and port as well.
const WIDE: u16 = 110;

/// How many have a reason: of all, or of those that are kept one by one.
fn share(count: u64, all: u64, kept: usize) -> String {
    let (kept, count) = (kept as u64, number(count));
    if all > kept {
        format!("{count} of the newest {}", number(kept))
    } else {
        count
    }
}

/// Draws them.
pub(super) fn draw(top: &Top, area: Rect, buffer: &mut Buffer) {
    let all = top.failures.minutes.sum();
    let title = match (&top.setup.feed.no_failures, top.failures.mostly()) {
        (Some(why), _) => format!("FAILURES are not told: {why}"),
        (None, Some((reason, count))) => format!(
            "FAILURES {} in 1h · mostly {reason} ({})",
            number(all),
            share(count, all, top.failures.len())
        ),
        (None, None) => "FAILURES none in 1h".to_owned(),
    };
    put(buffer, line(area, 0), &title, paint::heading(top));
    let focused = top.focus == Focus::Failures;
    let shown = top.failures.from(top.failure_first);
    for (at, (place, failure)) in (1..area.height).zip(shown) {
        let line = line(area, at);
        let user = if failure.user.is_empty() {
            "-"
        } else {
            &failure.user
        };
        let port = short_interface_name(&failure.port);
        let port = shortened_in_the_middle(&port, 12);
        let mut cells: Vec<(&str, u16)> = vec![(&failure.endpoint, 17)];
        if area.width >= WIDE {
            cells.push((user, 20));
            cells.push((&failure.nas, 16));
            cells.push((&port, 12));
        } else {
            cells.push((&failure.nas, 11));
        }
        let mut x = line.x + 1;
        let time = clock(top, failure.at);
        let time = std::iter::once((&*time, 8));
        let reason = std::iter::once((&*failure.reason, area.width));
        for (text, width) in time.chain(cells).chain(reason) {
            let width = width.min(area.width.saturating_sub(x - area.x));
            put(buffer, Rect { x, width, ..line }, text, Style::new());
            x = x.saturating_add(width + 1).min(area.x + area.width);
        }
        if focused && place == top.failure_place {
            buffer.set_style(line, paint::cursor(true));
        }
    }
}
