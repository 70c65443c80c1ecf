//! The first lines: deployment, nodes, sessions, rates, lag; the connection; events and failures by
//! minute.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::widgets::{Sparkline, Widget};

use unicode_width::UnicodeWidthStr;

use super::{clock, line, number, paint, put};
use crate::top::Top;
use crate::top::rates::{MINUTES, Minutes};

/// How many events came; left out first.
const EVENTS: &str = "events ";

/// Two lines.
pub(super) fn draw(top: &Top, area: Rect, buffer: &mut Buffer) {
    let feed = &top.setup.feed;
    let mut parts = vec![feed.deployment.clone()];
    if let Some((up, known)) = feed.nodes {
        parts.push(format!("nodes {up}/{known}"));
    }
    let sessions = top.sessions.len() as u64;
    parts.push(format!("sessions {}", number(sessions)));
    if top.sessions.beyond > 0 {
        parts.push("and more that do not fit".to_owned());
    }
    let (events, came, went, lag) = top.told;
    parts.push(format!("in {}/s out {}/s", number(came), number(went)));
    if feed.pxgrid {
        parts.push(format!("{EVENTS}{}/s", number(events)));
        parts.push(format!("lag {}", lag_in_words(lag)));
    }
    if top.setup.read_only.is_some() {
        parts.push("read-only".to_owned());
    }
    // The sparkline below tells of the events as well.
    let wide = parts.iter().map(|part| part.width() + 2).sum::<usize>();
    if wide.saturating_sub(2) > area.width.into() {
        parts.retain(|part| !part.starts_with(EVENTS));
    }
    let style = Style::new().add_modifier(Modifier::BOLD);
    put(buffer, line(area, 0), &parts.join("  "), style);
    let style = if feed.is_in_trouble() {
        paint::alarm(top)
    } else {
        Style::new()
    };
    let text = feed.line(|time| clock(top, time));
    put(buffer, line(area, 1), &text, style);
}

fn lag_in_words(lag: Duration) -> String {
    match lag.as_millis() {
        milliseconds @ ..10_000 => format!("{milliseconds} ms"),
        _ => format!("{} s", lag.as_secs()),
    }
}

/// Events at the left, failures at the right.
pub(super) fn sparklines(top: &Top, area: Rect, buffer: &mut Buffer) {
    let half = area.width / 2;
    let left = Rect {
        width: half.saturating_sub(1),
        ..area
    };
    let right = Rect {
        x: area.x + half,
        width: area.width - half,
        ..area
    };
    let style = paint::sparkline(top, Color::Green);
    one(top, "events/min", &top.minutes, style, left, buffer);
    let failures = &top.failures.minutes;
    let style = paint::sparkline(top, Color::Red);
    if top.setup.feed.no_failures.is_none() {
        one(top, "failures/min", failures, style, right, buffer);
    }
}

fn one(top: &Top, label: &str, minutes: &Minutes, style: Style, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let total = format!("{} in 1h", number(minutes.sum()));
    let beside = u16::try_from(label.len() + total.len() + 2).unwrap_or(u16::MAX);
    let room = usize::from(area.width.saturating_sub(beside)).min(MINUTES);
    let last = area.height - 1;
    put(buffer, line(area, last), label, paint::heading(top));
    let data: Vec<u64> = minutes.oldest_first().skip(MINUTES - room).collect();
    let width = u16::try_from(room).unwrap_or(0);
    let x = area.x + u16::try_from(label.len() + 1).unwrap_or(0);
    let chart = Rect { x, width, ..area };
    Sparkline::default()
        .data(data)
        .style(style)
        .render(chart.intersection(area), buffer);
    let after = Rect {
        x: x + width + 1,
        width: area.width.saturating_sub(x + width + 1 - area.x),
        ..line(area, last)
    };
    put(buffer, after, &total, Style::new());
}
