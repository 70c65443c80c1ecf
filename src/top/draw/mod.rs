//! The picture: a function of the state and of the terminal's size. Nothing here changes anything.
//!
//! | part | holds |
//! | --- | --- |
//! | `layout` | which lines belong to what |
//! | `paint` | the few styles; without colour nothing is told by colour alone anyway |
//! | `header`, `bars`, `table`, `failures`, `overlay` | the panes |

mod bars;
mod failures;
mod header;
mod layout;
mod overlay;
mod paint;
mod table;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Top;
use crate::render::widths::shortened;
pub(super) use layout::Layout;
pub(super) use overlay::scrolling;

/// The smallest terminal that there is a picture for.
const LEAST: (u16, u16) = (40, 10);

/// Draws the state over the whole of `buffer`.
pub(crate) fn draw(top: &Top, buffer: &mut Buffer) {
    let area = *buffer.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let (width, height) = LEAST;
        let text = format!("too small: {width}x{height} at least; q quits");
        put(buffer, area, &text, Style::new());
        return;
    }
    let layout = Layout::new(area.width, area.height);
    header::draw(top, layout.header, buffer);
    bars::draw(top, layout.bars, buffer);
    header::sparklines(top, layout.sparklines, buffer);
    table::draw(top, layout.table, buffer);
    failures::draw(top, layout.failures, buffer);
    overlay::draw(top, &layout, buffer);
    overlay::last_line(top, layout.footer, buffer);
}

/// Writes a text into the first line of `area`, cut with `…` where it is longer.
fn put(buffer: &mut Buffer, area: Rect, text: &str, style: Style) {
    if area.width == 0 || area.height == 0 {
        return;
    }
    let text = shortened(text, area.width.into());
    buffer.set_stringn(area.x, area.y, text, area.width.into(), style);
}

/// One line of `area`, counted from its top.
fn line(area: Rect, at: u16) -> Rect {
    let at = at.min(area.height);
    Rect {
        y: area.y + at,
        height: u16::from(at < area.height),
        ..area
    }
}

/// A number with commas: `12,034`.
fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// When it was, in the user's zone and in eight columns: the time of day, the day of what is older.
fn clock(top: &Top, time: jiff::Timestamp) -> String {
    let of_today = top.now.duration_since(time) < jiff::SignedDuration::from_hours(24);
    let form = if of_today { "%H:%M:%S" } else { "%b %d" };
    time.to_zoned(top.setup.zone.clone())
        .strftime(form)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        for (is, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(number(is), text);
        }
    }
}
