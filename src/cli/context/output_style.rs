//! How to print: what the options say, with the facts of this terminal (its width, whether it takes
//! colour). Nothing is printed here.

use super::Context;
use crate::cli::global::{Color, Global, Layout};
use crate::error::Result;
use crate::render::{self, JqFilter, Style};
use crate::unix::terminal;

/// Width of a terminal that does not tell its own.
const DEFAULT_WIDTH: u16 = 80;

/// How to print, with the facts of this terminal.
pub(in crate::cli) fn style(global: &Global) -> Result<Style> {
    let terminal = Context::on_terminal();
    let color = match global.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && environment_allows_color(),
    };
    Ok(Style {
        format: global.chosen_format(),
        fields: global.fields.clone(),
        sort: global.sort.clone(),
        limit: global.limit,
        by: global.by.clone(),
        top: global.top,
        header: !global.no_header && global.format != Some(Layout::Name),
        name_only: global.format == Some(Layout::Name),
        jq: global.jq.as_deref().map(JqFilter::compile).transpose()?,
        screen: render::Screen {
            terminal,
            width: match global.format {
                Some(Layout::Wide) => u16::MAX,
                _ => terminal_width(),
            },
            color,
        },
        now: jiff::Timestamp::now(),
        zone: jiff::tz::TimeZone::system(),
    })
}

/// Whether neither `NO_COLOR` nor a dumb terminal forbids colour.
pub(in crate::cli) fn environment_allows_color() -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    !no_color && !dumb
}

/// The width that `COLUMNS` sets.
pub(super) fn width_from_environment() -> Option<u16> {
    std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok())
}

/// The terminal's width: `COLUMNS` where it is set, else what the terminal says.
pub(super) fn terminal_width() -> u16 {
    let columns = |size: terminal::Size| size.columns;
    width_from_environment()
        .or_else(|| terminal::size(std::io::stdout()).map(columns))
        .or_else(|| terminal::size(std::io::stderr()).map(columns))
        .or_else(|| terminal::size(std::io::stdin()).map(columns))
        .filter(|width| *width > 0)
        .unwrap_or(DEFAULT_WIDTH)
}
