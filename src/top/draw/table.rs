//! The table of sessions, or of groups of them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::{clock, line, number, paint, put};
use crate::top::session::Field;
use crate::top::sessions::Row;
use crate::top::view::Column;
use crate::top::{Focus, Top};

/// A column with the room it needs and the most it takes.
struct Room {
    column: Column,
    least: u16,
    most: u16,
}

const fn room(column: Column, least: u16, most: u16) -> Room {
    Room {
        column,
        least,
        most,
    }
}

/// In the order in which they stand.
const PLACES: [Room; 12] = [
    room(Column::Mac, 17, 17),
    room(Column::User, 13, 32),
    room(Column::Ip, 15, 26),
    room(Column::Fact(Field::Nas), 12, 24),
    room(Column::Fact(Field::Port), 12, 24),
    room(Column::Fact(Field::State), 13, 13),
    room(Column::Fact(Field::Method), 8, 10),
    room(Column::Fact(Field::Sgt), 14, 24),
    room(Column::Fact(Field::Posture), 12, 14),
    room(Column::Fact(Field::Profile), 14, 26),
    room(Column::Fact(Field::Server), 8, 20),
    room(Column::Changed, 8, 8),
];

/// The more important one stays where there is room for one.
const IMPORTANCE: [Column; 12] = [
    Column::Mac,
    Column::User,
    Column::Ip,
    Column::Fact(Field::Nas),
    Column::Fact(Field::State),
    Column::Changed,
    Column::Fact(Field::Method),
    Column::Fact(Field::Sgt),
    Column::Fact(Field::Port),
    Column::Fact(Field::Posture),
    Column::Fact(Field::Profile),
    Column::Fact(Field::Server),
];

/// The columns that are shown in this width, each with its own; the first place of a line is a
/// mark's.
fn columns(top: &Top, width: u16) -> Vec<(Column, u16)> {
    let place = |column: Column| PLACES.iter().find(|room| room.column == column);
    let filled = |column: &Column| match column {
        Column::Fact(field) => !top.sessions.values(*field).is_empty(),
        _ => true,
    };
    let mut left = width.saturating_sub(1);
    let mut chosen = Vec::new();
    for column in IMPORTANCE.into_iter().filter(filled) {
        let Some(room) = place(column) else { continue };
        if left < room.least + 1 {
            break;
        }
        left -= room.least + 1;
        chosen.push(column);
    }
    let shown = PLACES.iter().filter(|room| chosen.contains(&room.column));
    let mut shown: Vec<(Column, u16, u16)> = shown
        .map(|room| (room.column, room.least, room.most))
        .collect();
    while left > 0 {
        let before = left;
        for (_, width, most) in &mut shown {
            if left > 0 && *width < *most {
                *width += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    shown
        .into_iter()
        .map(|(column, width, _)| (column, width))
        .collect()
}

/// Draws the table.
pub(super) fn draw(top: &Top, area: Rect, buffer: &mut Buffer) {
    put(buffer, line(area, 0), &title(top), paint::heading(top));
    let below = Rect {
        y: area.y + 1,
        height: area.height.saturating_sub(1),
        ..area
    };
    match top.view.group {
        Some(field) => groups(top, field, below, buffer),
        None => rows(top, below, buffer),
    }
}

/// What is shown, and why not all.
fn title(top: &Top) -> String {
    let view = &top.view;
    let all = top.sessions.len() as u64;
    let mut parts = Vec::new();
    if let Some(field) = view.group {
        let groups = number(view.groups.len() as u64);
        parts.push(format!("BY {} ({groups})", field.title()));
    }
    if view.narrows() && view.group.is_none() {
        let shown = number(view.len() as u64);
        parts.push(format!("SESSIONS {shown} of {}", number(all)));
    } else {
        parts.push(format!("SESSIONS {}", number(all)));
    }
    if !view.search.is_empty() {
        parts.push(format!("search \"{}\"", crate::top::safe(&view.search)));
    }
    for filter in &view.filters {
        let name = filter.column.title().to_lowercase();
        parts.push(format!("{name}={}", crate::top::safe(&filter.text)));
    }
    if top.paused {
        parts.push("order held".to_owned());
    }
    if view.group.is_none() && view.len() > 0 {
        let place = number(view.place as u64 + 1);
        parts.push(format!("row {place}"));
    }
    parts.join(" · ")
}

fn rows(top: &Top, area: Rect, buffer: &mut Buffer) {
    let columns = columns(top, area.width);
    let head = Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED);
    let mut x = area.x + 1;
    for (column, width) in &columns {
        let way = if top.view.descending { "▼" } else { "▲" };
        let way = if top.view.sort == *column { way } else { "" };
        let place = Rect::new(x, area.y, *width, 1);
        put(buffer, place, &format!("{}{way}", column.title()), head);
        x += width + 1;
    }
    let focused = top.focus == Focus::Sessions;
    if top.view.len() == 0 {
        let text = if top.view.narrows() {
            "no session is so; x drops search and filters"
        } else if top.setup.feed.is_connected() {
            "no sessions"
        } else {
            "waiting for the first answer"
        };
        put(buffer, line(area, 1), &format!(" {text}"), paint::faint());
    }
    for (at, (place, id)) in (1..).zip(top.view.window()) {
        let line = line(area, at);
        match top.sessions.row(id) {
            Some(row) => one(top, row, &columns, line, buffer),
            None => put(buffer, line, " (ended)", paint::faint()),
        }
        if place == top.view.place {
            buffer.set_style(line, paint::cursor(focused));
        }
    }
}

fn one(top: &Top, row: &Row, columns: &[(Column, u16)], area: Rect, buffer: &mut Buffer) {
    if row.quarantined {
        put(buffer, area, "Q", paint::word(top, "quarantined"));
    }
    let mut x = area.x + 1;
    for (column, width) in columns {
        let text = cell(top, row, *column);
        let style = match column {
            Column::Fact(Field::State | Field::Posture) => paint::word(top, &text),
            _ => Style::new(),
        };
        put(buffer, Rect::new(x, area.y, *width, 1), &text, style);
        x += width + 1;
    }
}

fn cell<'t>(top: &'t Top, row: &'t Row, column: Column) -> std::borrow::Cow<'t, str> {
    match column {
        Column::Changed => clock(top, row.changed).into(),
        Column::Mac => row.name().into(),
        Column::Ip => row.ip.map(|ip| ip.to_string()).unwrap_or_default().into(),
        Column::User => (&*row.user).into(),
        Column::Fact(field) => top.sessions.text(row, field).into(),
    }
}

fn groups(top: &Top, field: Field, area: Rect, buffer: &mut Buffer) {
    let head = Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED);
    let view = &top.view;
    let all: usize = view.groups.iter().map(|(_, count)| count).sum();
    let most = view.groups.first().map_or(0, |(_, count)| *count);
    let width = usize::from(area.width);
    let names = (width / 2).min(40);
    let bar = width.saturating_sub(names + 20);
    let title = format!(
        " {:names$} {:>9}  {:>5}",
        field.title(),
        "SESSIONS",
        "SHARE"
    );
    put(buffer, line(area, 0), &title, head);
    let shown = view.groups.iter().enumerate().skip(view.group_first);
    for (at, (place, (name, count))) in (1..area.height).zip(shown) {
        let name = if name.is_empty() { "-" } else { name };
        let name = super::cut(name, names);
        let blanks = names.saturating_sub(unicode_width::UnicodeWidthStr::width(&*name));
        let share = count * 100 / all.max(1);
        let bar = crate::render::bar(*count as u64, most as u64, bar);
        let count = number(*count as u64);
        let text = format!(" {name}{:blanks$} {count:>9}  {share:>4}%  {bar}", "");
        let line = line(area, at);
        put(buffer, line, &text, Style::new());
        if place == view.group_place {
            buffer.set_style(line, paint::cursor(top.focus == Focus::Sessions));
        }
    }
}
