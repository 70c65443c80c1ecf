//! What lies over the table, and the last line: a message, what is typed, the keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::layout::Layout;
use super::{line, paint, put};
use crate::render::widths::shortened;
use crate::render::wrap;
use crate::top::Top;
use crate::top::keys::HELP;
use crate::top::overlay::{Overlay, PromptKind, Scroll};

/// So wide a terminal has room for the table beside it.
const WIDE: u16 = 110;
/// Its width there.
const SIDE: u16 = 60;
/// Names of details.
const NAMES: usize = 24;
/// Keys of the help.
const KEYS: usize = 18;

const AWAITED: &str = "asking …";

/// Where it lies: at the right where there is room, else over all below the header where it is
/// `read`, so that as few lines as possible have to be scrolled, and over the body where it is not.
fn place(layout: &Layout, read: bool) -> Rect {
    let body = layout.body;
    if body.width < WIDE {
        return if read { layout.below_header } else { body };
    }
    Rect {
        x: body.x + body.width - SIDE,
        width: SIDE,
        ..body
    }
}

/// The lines of something that is read, each no wider than `width`.
fn lines(top: &Top, width: usize) -> Vec<String> {
    let mut out = String::new();
    let mut named = |head: usize, name: &str, text: &str| {
        let head = head.min(width / 3);
        let name = shortened(name, head);
        let blanks = head.saturating_sub(unicode_width::UnicodeWidthStr::width(&*name));
        let head = format!(" {name}{:blanks$} ", "");
        wrap::hang(&mut out, &head, text, head.len(), width);
        if !out.ends_with('\n') {
            out.push('\n');
        }
    };
    match &top.overlay {
        Overlay::Help(_) => {
            for (keys, does) in HELP {
                named(KEYS, keys, does);
            }
        }
        Overlay::Details(details) => {
            for (name, value) in &details.lines {
                named(NAMES, name, value);
            }
        }
        Overlay::Text(text) => {
            for line in &text.lines {
                let indent = line.len() - line.trim_start().len();
                let head = " ".repeat(indent + 1);
                wrap::hang(&mut out, &head, line.trim(), indent + 3, width);
                if !out.ends_with('\n') {
                    out.push('\n');
                }
            }
        }
        _ => {}
    }
    out.lines().map(str::to_owned).collect()
}

/// How far what is read can be scrolled in the last picture's size, and by how much at once.
pub(in crate::top) fn scrolling(top: &Top) -> (usize, isize) {
    let (width, height) = top.size;
    let place = place(&Layout::new(width, height), true);
    let shown = usize::from(place.height.saturating_sub(1));
    let most = lines(top, place.width.into()).len().saturating_sub(shown);
    let page = isize::try_from(shown.saturating_sub(1)).unwrap_or(1);
    (most, page.max(1))
}

/// Draws what lies over the table.
pub(super) fn draw(top: &Top, layout: &Layout, buffer: &mut Buffer) {
    let area = place(layout, top.overlay.is_read());
    match &top.overlay {
        Overlay::None | Overlay::Prompt(_) => {}
        Overlay::Help(scroll) => read(top, "KEYS", "", *scroll, area, buffer),
        Overlay::Details(details) => {
            let awaited = if details.awaited { AWAITED } else { "" };
            read(top, &details.title, awaited, details.scroll, area, buffer);
        }
        Overlay::Text(text) => {
            let awaited = if text.awaited { AWAITED } else { "" };
            read(top, &text.title, awaited, text.scroll, area, buffer);
        }
        Overlay::Choice(choice) => {
            let title = crate::top::safe(&choice.title);
            clear(
                top,
                &title,
                if choice.awaited { AWAITED } else { "" },
                area,
                buffer,
            );
            let room = usize::from(area.height.saturating_sub(1)).max(1);
            let first = crate::top::view::scrolled(0, choice.at, room);
            let shown = choice.choices.iter().enumerate().skip(first);
            for (row, (at, (label, _))) in (1..area.height).zip(shown) {
                let line = line(area, row);
                put(buffer, line, &format!("  {label}"), Style::new());
                if at == choice.at {
                    buffer.set_style(line, paint::cursor(true));
                }
            }
        }
        Overlay::Question(question) => {
            let mut text = String::new();
            wrap::hang(&mut text, " ", &question.text, 1, area.width.into());
            let lines: Vec<&str> = text.lines().collect();
            let area = Rect {
                height: u16::try_from(lines.len() + 3)
                    .unwrap_or(u16::MAX)
                    .min(area.height),
                ..area
            };
            clear(top, "SURE?", "", area, buffer);
            let bold = Style::new().add_modifier(Modifier::BOLD);
            for (row, text) in (1..area.height).zip(lines) {
                put(buffer, line(area, row), text, bold);
            }
            let last = line(area, area.height - 1);
            put(
                buffer,
                last,
                " y: yes, send it   any other key: no",
                paint::alarm(top),
            );
        }
    }
}

/// A blank place with a title.
fn clear(top: &Top, title: &str, beside: &str, area: Rect, buffer: &mut Buffer) {
    for row in 0..area.height {
        let blank = " ".repeat(area.width.into());
        let line = line(area, row);
        // What was drawn below is gone, with its style.
        buffer.set_style(line, Style::reset());
        buffer.set_stringn(line.x, line.y, blank, area.width.into(), Style::reset());
    }
    let text = format!(" {title}  {beside}");
    let head = line(area, 0);
    put(buffer, head, &text, paint::heading(top));
    buffer.set_style(head, Modifier::REVERSED);
}

fn read(top: &Top, title: &str, beside: &str, scroll: Scroll, area: Rect, buffer: &mut Buffer) {
    let lines = lines(top, area.width.into());
    let room = usize::from(area.height.saturating_sub(1));
    let first = scroll.0.min(lines.len().saturating_sub(room));
    let more = if lines.len() > room {
        let last = (first + room).min(lines.len());
        format!("{beside} {last}/{} lines", lines.len())
    } else {
        beside.to_owned()
    };
    clear(top, title, &more, area, buffer);
    for (row, text) in (1..area.height).zip(lines.iter().skip(first)) {
        put(buffer, line(area, row), text, Style::new());
    }
}

/// The last line, and of a prompt the line above it, which says what is wrong with it.
pub(super) fn last_line(top: &Top, area: Rect, buffer: &mut Buffer) {
    if let Overlay::Prompt(prompt) = &top.overlay {
        if let Some(message) = &top.message {
            let above = Rect {
                y: area.y.saturating_sub(1),
                ..area
            };
            buffer.set_style(above, Style::reset());
            let text = format!("{:width$}", message.text, width = area.width.into());
            put(buffer, above, &text, paint::alarm(top));
        }
        let head = match prompt.kind {
            PromptKind::Search => "search: ",
            PromptKind::Filter => "filter (NAME=VALUE …): ",
        };
        // The end of a long line is what is typed.
        let room = usize::from(area.width).saturating_sub(head.len() + 1);
        let skipped = prompt.text.chars().count().saturating_sub(room);
        let shown: String = prompt.text.chars().skip(skipped).collect();
        put(buffer, area, &format!("{head}{shown}▏"), Style::new());
        return;
    }
    if let Some(message) = &top.message {
        let style = if message.is_error {
            paint::alarm(top)
        } else {
            Style::new().add_modifier(Modifier::BOLD)
        };
        put(buffer, area, &message.text, style);
        return;
    }
    let keys = match &top.overlay {
        Overlay::Help(_) => "Esc close  Up Down PgUp PgDn scroll",
        Overlay::Details(_) | Overlay::Text(_) => {
            "Esc close  Up Down PgUp PgDn scroll  y copy  e explain  a c ANC  o CoA"
        }
        Overlay::Choice(_) => "Up Down choose  Enter go on  Esc no",
        Overlay::Question(_) => "y yes  any other key no",
        _ if area.width < WIDE => {
            "? help  / search  f filter  s sort  g group  Enter details  e explain  q quit"
        }
        _ => {
            "? help  / search  f filter  s sort  g group  Enter details  e explain  a c ANC  o CoA  y copy  q quit"
        }
    };
    put(buffer, area, keys, paint::faint());
}
