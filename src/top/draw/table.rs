//! The table of sessions, or of groups of them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::{clock, line, number, paint, put};
use crate::render::short_interface_name;
use crate::render::widths::{Measure, Nature, layout_with_gap, shortened, shortened_in_the_middle};
use crate::top::session::Field;
use crate::top::sessions::Row;
use crate::top::view::Column;
use crate::top::{Focus, Top};

/// Spaces between columns.
const GAP: u16 = 1;

/// A column, how it takes being narrow, and the room it needs and is comfortable with.
struct Place {
    column: Column,
    nature: Nature,
    least: usize,
    most: usize,
}

const fn place(column: Column, nature: Nature, least: usize, most: usize) -> Place {
    Place {
        column,
        nature,
        least,
        most,
    }
}

/// In the order in which they stand.
const PLACES: [Place; 12] = [
    place(Column::Mac, Nature::Station, 17, 17),
    place(Column::User, Nature::Words, 13, 32),
    // Of the sixth version the beginning will do.
    place(Column::Ip, Nature::Words, 15, 26),
    place(Column::Fact(Field::Nas), Nature::Words, 12, 24),
    place(Column::Fact(Field::Port), Nature::Words, 12, 24),
    place(Column::Fact(Field::State), Nature::Enumeration, 13, 13),
    place(Column::Fact(Field::Method), Nature::Enumeration, 10, 10),
    place(Column::Fact(Field::Sgt), Nature::Words, 14, 24),
    place(Column::Fact(Field::Posture), Nature::Enumeration, 14, 14),
    place(Column::Fact(Field::Profile), Nature::Words, 14, 26),
    place(Column::Fact(Field::Server), Nature::Words, 10, 20),
    place(Column::Changed, Nature::Whole, 8, 8),
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

/// The columns that are shown in this width, each with its own, as lists have them; the first place
/// of a line is a mark's.
fn columns(top: &Top, width: u16) -> Columns {
    let mut important = IMPORTANCE.to_vec();
    // Who sorts by a column wants to see it; that the newest come first is the usual order.
    let sorted = important.iter().position(|column| *column == top.view.sort);
    if let Some(at) = sorted.filter(|at| *at > 0 && top.view.sort != Column::Changed) {
        important.remove(at);
        important.insert(1, top.view.sort);
    }
    let standing = |column| {
        let behind = important.iter().rev().position(|other| *other == column);
        behind.and_then(|behind| u8::try_from(behind).ok())
    };
    let measures = PLACES.each_ref().map(|place| Measure {
        nature: place.nature,
        title: place.column.title().len(),
        widest: match (place.column, place.nature) {
            (Column::Ip, _) if !top.sessions.had_ipv6 => place.least,
            // Ports are shown by their short names.
            (Column::Fact(Field::Port), _) => place.most,
            (Column::Fact(field), Nature::Words) => {
                place.most.min(top.sessions.values(field).widest())
            }
            _ => place.most,
        },
        filled: match place.column {
            Column::Fact(field) => !top.sessions.values(field).is_empty(),
            _ => true,
        },
        // They stay where they are, whatever scrolls by.
        same: false,
        apart: place.least,
        standing: standing(place.column),
    });
    let room = usize::from(width.saturating_sub(1));
    let layout = layout_with_gap(&measures, room, GAP.into(), true);
    let shown = layout.shown.iter().filter_map(|(at, width)| {
        let place = PLACES.get(*at)?;
        Some((place.column, u16::try_from(*width).unwrap_or(u16::MAX)))
    });
    Columns {
        shown: shown.collect(),
        left_out: layout.left_out,
    }
}

/// The columns of a width.
struct Columns {
    shown: Vec<(Column, u16)>,
    /// How many there is no room for.
    left_out: usize,
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
    if view.narrows() {
        let shown = match view.group {
            Some(_) => view.groups.iter().map(|(_, count)| *count as u64).sum(),
            None => view.len() as u64,
        };
        parts.push(format!("SESSIONS {} of {}", number(shown), number(all)));
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
    if view.group.is_none() && view.sort == Column::Changed {
        // Where it is narrow the column itself is not there.
        let first = if view.descending { "newest" } else { "oldest" };
        parts.push(format!("{first} first"));
    }
    if view.group.is_none() && view.len() > 0 {
        let place = number(view.place as u64 + 1);
        parts.push(format!("row {place}"));
    }
    parts.join(" · ")
}

fn rows(top: &Top, area: Rect, buffer: &mut Buffer) {
    let columns = columns(top, area.width);
    let left_out = columns.left_out;
    let columns = columns.shown;
    let head = Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED);
    let mut x = area.x + 1;
    for (column, width) in &columns {
        let way = if top.view.descending { "▼" } else { "▲" };
        let way = if top.view.sort == *column { way } else { "" };
        let place = Rect::new(x, area.y, *width, 1);
        put(buffer, place, &format!("{}{way}", column.title()), head);
        x = x.saturating_add(width + GAP);
    }
    if left_out > 0 {
        let mark = format!("+{left_out}");
        let at = area
            .right()
            .saturating_sub(mark.len().try_into().unwrap_or(0));
        let place = Rect::new(at, area.y, area.right().saturating_sub(at), 1);
        put(buffer, place, &mark, Style::new());
    }
    let focused = top.focus == Focus::Sessions;
    if top.view.len() == 0 {
        let text = if top.without_session().is_some() {
            "no session of it; e explains, c takes its ANC policy off, x drops the search"
        } else if top.view.narrows() {
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
        let text = match column {
            Column::Fact(Field::Nas | Field::Port | Field::Server) => {
                shortened_in_the_middle(&text, usize::from(*width))
            }
            _ => text,
        };
        put(buffer, Rect::new(x, area.y, *width, 1), &text, style);
        x = x.saturating_add(width + GAP);
    }
}

fn cell<'t>(top: &'t Top, row: &'t Row, column: Column) -> std::borrow::Cow<'t, str> {
    match column {
        Column::Changed => clock(top, row.changed).into(),
        Column::Mac => row.name().into(),
        Column::Ip => row.ip.map(|ip| ip.to_string()).unwrap_or_default().into(),
        Column::User => (&*row.user).into(),
        Column::Fact(Field::Port) => short_interface_name(top.sessions.text(row, Field::Port)),
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
        let name = shortened(name, names);
        let blanks = names.saturating_sub(unicode_width::UnicodeWidthStr::width(&*name));
        let share = share(*count, all);
        let bar = crate::render::bar(*count as u64, most as u64, bar);
        let count = number(*count as u64);
        let text = format!(" {name}{:blanks$} {count:>9}  {share:>5}  {bar}", "");
        let line = line(area, at);
        put(buffer, line, &text, Style::new());
        if place == view.group_place {
            buffer.set_style(line, paint::cursor(top.focus == Focus::Sessions));
        }
    }
}

/// `12%`; below ten with a tenth, where whole ones tell nothing apart.
fn share(count: usize, all: usize) -> String {
    let tenths = count.saturating_mul(1_000) / all.max(1);
    if tenths < 100 {
        format!("{}.{}%", tenths / 10, tenths % 10)
    } else {
        format!("{}%", tenths / 10)
    }
}
