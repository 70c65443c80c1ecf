//! The few styles of the picture. Colour says nothing that words or places do not say as well; the
//! cursor is in reverse.

use ratatui::style::{Color, Modifier, Style};

use crate::render::meaning_of_word;
use crate::top::Top;

/// A heading.
pub(super) fn heading(top: &Top) -> Style {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    colored(top, bold, Color::Cyan)
}

/// What is beside the point.
pub(super) fn faint() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

/// What is to be looked at.
pub(super) fn alarm(top: &Top) -> Style {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    colored(top, bold, Color::Red)
}

/// The cursor, where keys go; elsewhere it is only underlined.
pub(super) fn cursor(focused: bool) -> Modifier {
    if focused {
        Modifier::REVERSED
    } else {
        Modifier::UNDERLINED
    }
}

/// The filled part of a bar, which has text on it.
pub(super) fn bar(top: &Top) -> Style {
    if top.setup.color {
        Style::new().bg(Color::Blue).fg(Color::White)
    } else {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

/// A sparkline.
pub(super) fn sparkline(top: &Top, color: Color) -> Style {
    colored(top, Style::new(), color)
}

/// A word by its meaning, as tables have it.
pub(super) fn word(top: &Top, text: &str) -> Style {
    if !top.setup.color {
        return Style::new();
    }
    match meaning_of_word(text) {
        Some("32") => Style::new().fg(Color::Green),
        Some("31") => Style::new().fg(Color::Red),
        Some("33") => Style::new().fg(Color::Yellow),
        Some(_) => faint(),
        None => Style::new(),
    }
}

fn colored(top: &Top, style: Style, color: Color) -> Style {
    if top.setup.color {
        style.fg(color)
    } else {
        style
    }
}
