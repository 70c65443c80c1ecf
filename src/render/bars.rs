//! What a terminal shows of counted rows: one field as bars with shares, two as a cross table, more
//! as columns. No line is wider than the terminal.

use unicode_width::UnicodeWidthStr;

use super::Screen;
use super::counts::{Counted, Group};
use super::paint::bold;
use super::widths::cut;
use crate::sanitize::terminal_safe;

/// The longest bar, in cells.
const BAR: usize = 20;
/// Parts of a cell, an eighth each.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/// The widest a name of a cross table's column may be.
const WIDEST_HEAD: usize = 16;
/// How the absence of a value is shown.
const MISSING: &str = "-";

/// The lines, each with its end.
pub(super) fn draw(counted: &Counted, names: &[String], screen: Screen, header: bool) -> String {
    let width = usize::from(screen.width).max(20);
    let mut lines = match names.len() {
        2 => cross_table(&counted.groups, names, width),
        _ => bars(counted, names, width),
    };
    if !header && !lines.is_empty() {
        lines.remove(0);
    } else if let Some(first) = lines.first_mut() {
        *first = bold(first, screen.color).into_owned();
    }
    let (groups, rows) = counted.others;
    if groups > 0 {
        let plural = if groups == 1 { "" } else { "s" };
        lines.push(format!("and {groups} more group{plural} with {rows} rows"));
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

/// A value as a cell.
fn cell(value: Option<&str>) -> String {
    terminal_safe(value.unwrap_or(MISSING)).into_owned()
}

fn pad(text: &str, width: usize) -> String {
    let mut text = text.to_owned();
    cut(&mut text, width.max(1));
    let blanks = width.saturating_sub(text.width());
    text.extend(std::iter::repeat_n(' ', blanks));
    text
}

fn bars(counted: &Counted, names: &[String], width: usize) -> Vec<String> {
    let groups = &counted.groups;
    let rows: u64 = groups.iter().map(|group| group.count).sum::<u64>() + counted.others.1;
    let most = groups.iter().map(|group| group.count).max().unwrap_or(0);
    let digits = most.to_string().len().max("COUNT".len());
    // COUNT, the bar, and the share, with two blanks before each.
    let beside = 2 + digits + 2 + BAR + 2 + "100%".len();
    let room = width.saturating_sub(beside) / names.len().max(1);
    let widths: Vec<usize> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let values = groups.iter().filter_map(|group| group.values.get(at));
            let values = values.map(|value| cell(value.as_deref()).width());
            let widest = values.chain([name.width()]).max().unwrap_or(1);
            widest.min(room.saturating_sub(2 * usize::from(at > 0)).max(4))
        })
        .collect();
    let row = |cells: Vec<String>, count: &str| {
        let cells = cells.iter().zip(&widths);
        let cells: Vec<String> = cells.map(|(text, width)| pad(text, *width)).collect();
        format!("{}  {count:>digits$}", cells.join("  "))
    };
    let head = names.iter().map(|name| cell(Some(name))).collect();
    let mut lines = vec![row(head, "COUNT")];
    for group in groups {
        let cells = group.values.iter().map(|value| cell(value.as_deref()));
        let line = row(cells.collect(), &group.count.to_string());
        let share = share(group.count, rows);
        let (bar, blank) = bar_and_blanks(group.count, most);
        let line = format!("{line}  {bar}{blank}  {share:>4}");
        lines.push(line);
    }
    lines
}

/// The share in percent; what is there is never nothing.
fn share(count: u64, of: u64) -> String {
    let percent = (u128::from(count) * 200 + u128::from(of)) / (u128::from(of.max(1)) * 2);
    match percent {
        0 if count > 0 => "<1%".to_owned(),
        percent => format!("{percent}%"),
    }
}

/// A bar, and the blanks behind it.
fn bar_and_blanks(count: u64, most: u64) -> (String, String) {
    let bar = bar(count, most, BAR);
    let blanks = BAR.saturating_sub(bar.width());
    (bar, " ".repeat(blanks))
}

/// A bar of at most `cells` columns, which `most` fills; what is there is never nothing.
#[must_use]
pub fn bar(count: u64, most: u64, cells: usize) -> String {
    let eighths = u128::from(count) * (cells as u128) * 8 / u128::from(most.max(1));
    let eighths = usize::try_from(eighths)
        .unwrap_or(0)
        .min(cells.saturating_mul(8))
        .max(usize::from(count > 0));
    let mut bar = "█".repeat(eighths / 8);
    bar.push_str(EIGHTHS.get(eighths % 8).copied().unwrap_or_default());
    bar
}

/// Values with their totals, most first.
fn totals(groups: &[Group], at: usize) -> Vec<(Option<&str>, u64)> {
    let mut order: Vec<(Option<&str>, u64)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for group in groups {
        let value = group.values.get(at).and_then(Option::as_deref);
        let place = *places.entry(value).or_insert_with(|| {
            order.push((value, 0));
            order.len() - 1
        });
        if let Some((_, total)) = order.get_mut(place) {
            *total += group.count;
        }
    }
    crate::order::sort_by(&mut order, |(_, a), (_, b)| b.cmp(a));
    order
}

/// The first field's values down, the second's across, as many as there is room for.
fn cross_table(groups: &[Group], names: &[String], width: usize) -> Vec<String> {
    let (down, across) = (totals(groups, 0), totals(groups, 1));
    let counts: std::collections::HashMap<(Option<&str>, Option<&str>), u64> = groups
        .iter()
        .map(|group| {
            let value = |at: usize| group.values.get(at).and_then(Option::as_deref);
            ((value(0), value(1)), group.count)
        })
        .collect();
    let total: u64 = groups.iter().map(|group| group.count).sum();
    let digits = total.to_string().len();
    let title = names.join(" / ");
    let widest = down.iter().map(|(value, _)| cell(*value).width());
    let first = widest
        .chain([title.width()])
        .max()
        .unwrap_or(1)
        .min(width / 3);
    let head = |value: Option<&str>| {
        let mut text = cell(value);
        cut(&mut text, WIDEST_HEAD);
        text
    };
    let wide = |text: &str| text.width().max(digits);
    // What stays free for columns beside the names and the total.
    let mut room = width.saturating_sub(first + 2 + wide("TOTAL"));
    let mut columns: Vec<(Option<&str>, String)> = Vec::new();
    for (value, _) in &across {
        let text = head(*value);
        let last = columns.len() + 1 == across.len();
        let kept = if last { 0 } else { 2 + wide("others") };
        if room < 2 + wide(&text) + kept {
            break;
        }
        room -= 2 + wide(&text);
        columns.push((*value, text));
    }
    let cut_off = columns.len() < across.len();
    let line = |name: &str, cells: Vec<(String, usize)>| {
        let cells = cells.into_iter().map(|(text, width)| {
            let blanks = width.saturating_sub(text.width());
            format!("  {}{text}", " ".repeat(blanks))
        });
        format!("{}{}", pad(name, first), cells.collect::<String>())
    };
    let with_ends = |cells: Vec<String>, others: String, total: String| {
        let heads = columns.iter().map(|(_, head)| wide(head));
        let mut cells: Vec<(String, usize)> = cells.into_iter().zip(heads).collect();
        if cut_off {
            cells.push((others, wide("others")));
        }
        cells.push((total, wide("TOTAL")));
        cells
    };
    let heads = columns.iter().map(|(_, head)| head.clone()).collect();
    let heads = with_ends(heads, "others".to_owned(), "TOTAL".to_owned());
    let mut lines = vec![line(&cell(Some(&title)), heads)];
    for (value, total) in down {
        let mut left = total;
        let cells = columns.iter().map(|(column, _)| {
            let count = counts.get(&(value, *column)).copied().unwrap_or(0);
            left = left.saturating_sub(count);
            plain(count)
        });
        let cells = cells.collect();
        let cells = with_ends(cells, plain(left), total.to_string());
        lines.push(line(&cell(value), cells));
    }
    lines
}

/// A count; nothing is a dot, so that what is there stands out.
fn plain(count: u64) -> String {
    if count == 0 {
        "·".to_owned()
    } else {
        count.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(rows: &[(&[Option<&str>], u64)]) -> Counted {
        let groups = rows.iter().map(|(values, count)| Group {
            values: values
                .iter()
                .map(|value| value.map(str::to_owned))
                .collect(),
            count: *count,
        });
        Counted {
            groups: groups.collect(),
            others: (0, 0),
        }
    }

    fn drawn(counted: &Counted, names: &[&str], width: u16) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let screen = Screen {
            terminal: true,
            width,
            color: false,
        };
        draw(counted, &names, screen, true)
    }

    #[test]
    fn one_field_has_bars_and_shares() {
        let mut counted = groups(&[
            (&[Some("Employees")], 811),
            (&[Some("BYOD\u{202e}")], 262),
            (&[None], 1),
        ]);
        counted.others = (2, 926);
        assert_eq!(
            drawn(&counted, &["SGT"], 80),
            "\
SGT           COUNT
Employees       811  ████████████████████   41%
BYOD\\u{202e}    262  ██████▍                13%
-                 1  ▏                      <1%
and 2 more groups with 926 rows
"
        );
        for line in drawn(&counted, &["SGT"], 40).lines() {
            assert!(line.width() <= 40, "{line}");
        }
    }

    #[test]
    fn two_fields_make_a_cross_table_that_fits() {
        let counted = groups(&[
            (&[Some("sw-1"), Some("dot1x")], 30),
            (&[Some("sw-2"), Some("mab")], 12),
            (&[Some("sw-1"), Some("mab")], 4),
            (&[Some("sw-2"), Some("a method with a long name")], 1),
        ]);
        assert_eq!(
            drawn(&counted, &["NAS", "METHOD"], 80),
            "\
NAS / METHOD  dot1x  mab  a method with a…  TOTAL
sw-1             30    4                 ·     34
sw-2              ·   12                 1     13
"
        );
        assert_eq!(
            drawn(&counted, &["NAS", "METHOD"], 42),
            "\
NAS / METHOD  dot1x  mab  others  TOTAL
sw-1             30    4       ·     34
sw-2              ·   12       1     13
"
        );
    }
}
