//! How the sessions are spread: states, methods, switches, groups, postures side by side, each
//! value with its number on a bar.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::{line, number, paint, put};
use crate::render::widths::{shortened, shortened_in_the_middle};
use crate::top::Top;
use crate::top::session::Field;

/// In the order of their importance.
const FIELDS: [Field; 7] = [
    Field::State,
    Field::Method,
    Field::Nas,
    Field::Sgt,
    Field::Posture,
    Field::Server,
    Field::Profile,
];
/// Between two of them.
const GAP: usize = 1;
/// The widest name.
const WIDEST: usize = 26;
/// In which order names are cut where there is no room for all fields, and how far: names of
/// things first, words of an enumeration last. A state is never cut.
const CUTS: [(&[Field], usize); 3] = [
    (&[Field::Nas, Field::Sgt, Field::Server, Field::Profile], 6),
    (&[Field::Method], 6),
    (&[Field::Posture], 8),
];
/// Fields that are left out rather than cut so far.
const DISPENSABLE: [Field; 2] = [Field::Server, Field::Profile];

/// One field's bars.
struct Panel<'t> {
    field: Field,
    values: Vec<(&'t str, usize)>,
    digits: usize,
    /// The room that its names want.
    names: usize,
}

/// Draws as many as there is room for; a field that nobody fills has none.
pub(super) fn draw(top: &Top, area: Rect, buffer: &mut Buffer) {
    let rows = usize::from(area.height.saturating_sub(1));
    if rows == 0 {
        return;
    }
    let filled = |field: &Field| !top.sessions.values(*field).is_empty();
    let panel = |field: Field| {
        let values = top.sessions.values(field).most(rows);
        let most = values.first().map_or(0, |(_, count)| *count as u64);
        let digits = number(most).len();
        let names = values.iter().map(|(name, _)| shown(name).width());
        let title = title(top, field, values.len()).width();
        let names = names.chain([title.saturating_sub(digits + 1)]);
        Panel {
            field,
            digits,
            names: names.max().unwrap_or(0).min(WIDEST),
            values,
        }
    };
    let mut panels: Vec<Panel<'_>> = FIELDS.into_iter().filter(filled).map(panel).collect();
    let width = usize::from(area.width);
    fit(&mut panels, width);
    let mut x = 0;
    for panel in &panels {
        let width = panel.width();
        let place = Rect {
            x: area.x + u16::try_from(x).unwrap_or(0),
            width: u16::try_from(width).unwrap_or(0),
            ..area
        };
        one(top, panel, place, buffer);
        x += width + GAP;
    }
}

/// Cuts names until all fit; where that is not enough the last field goes.
fn fit(panels: &mut Vec<Panel<'_>>, width: usize) {
    let wanted = |panels: &[Panel<'_>]| {
        let widths = panels.iter().map(|panel| panel.width() + GAP);
        widths.sum::<usize>().saturating_sub(GAP)
    };
    while wanted(panels) > width {
        let dispensable = |panel: &Panel<'_>| DISPENSABLE.contains(&panel.field);
        if panels.last().is_some_and(dispensable) {
            panels.pop();
        } else if !cut_one(panels) && panels.pop().is_none() {
            break;
        }
    }
    let spare = width.saturating_sub(wanted(panels));
    let each = spare / panels.len().max(1);
    for panel in panels {
        panel.names = (panel.names + each).min(WIDEST);
    }
}

/// Takes a column from the widest names that may be cut; whether there were any.
fn cut_one(panels: &mut [Panel<'_>]) -> bool {
    for (fields, least) in CUTS {
        let cuttable =
            |panel: &&mut Panel<'_>| fields.contains(&panel.field) && panel.names > least;
        let widest = panels.iter_mut().filter(cuttable);
        if let Some(panel) = widest.max_by_key(|panel| panel.names) {
            panel.names -= 1;
            return true;
        }
    }
    false
}

impl Panel<'_> {
    fn width(&self) -> usize {
        self.names + 1 + self.digits
    }
}

fn shown(name: &str) -> &str {
    if name.is_empty() { "-" } else { name }
}

/// With the number of values where more are there than shown.
fn title(top: &Top, field: Field, shown: usize) -> String {
    let all = top.sessions.values(field).len();
    if all > shown {
        format!("{} of {}", field.title(), number(all as u64))
    } else {
        field.title().to_owned()
    }
}

fn one(top: &Top, panel: &Panel<'_>, area: Rect, buffer: &mut Buffer) {
    let text = title(top, panel.field, panel.values.len());
    put(buffer, line(area, 0), &text, paint::heading(top));
    let all = top.sessions.len().max(1);
    for (at, (name, count)) in (1..).zip(&panel.values) {
        let place = line(area, at);
        let name = match panel.field {
            Field::Nas | Field::Server => shortened_in_the_middle(shown(name), panel.names),
            _ => shortened(shown(name), panel.names),
        };
        let blanks = panel.names.saturating_sub(name.width());
        let count_text = number(*count as u64);
        let text = format!("{name}{:blanks$} {count_text:>1$}", "", panel.digits);
        put(buffer, place, &text, Style::new());
        let cells = (usize::from(area.width) * count).div_ceil(all);
        let filled = Rect {
            width: u16::try_from(cells).unwrap_or(0).min(area.width),
            ..place
        };
        buffer.set_style(filled, paint::bar(top));
    }
}
