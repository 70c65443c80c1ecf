//! A value as a tree, for a person: members by name, the items of a list marked, each level
//! indented. For answers whose shape nobody publishes.

use serde_json::Value;

use super::wrap::hang;
use super::{Screen, paint};
use crate::sanitize::terminal_safe;

/// How far a level stands to the right of the one above.
const STEP: usize = 2;
/// Deeper levels stand below each other.
const DEEPEST: usize = 12;

/// The lines, each with its end; none is wider than the terminal.
#[must_use]
pub fn tree(value: &Value, screen: Screen) -> String {
    let mut out = String::new();
    branch(value, 0, screen, &mut out);
    out
}

fn branch(value: &Value, level: usize, screen: Screen, out: &mut String) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                member(name, value, level, screen, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                leaf_or_branch("-", item, level, screen, out);
            }
        }
        plain => line("", &text(plain), level, screen, out),
    }
}

fn member(name: &str, value: &Value, level: usize, screen: Screen, out: &mut String) {
    leaf_or_branch(&terminal_safe(name), value, level, screen, out);
}

/// A plain value stands beside its name; what has parts stands below it.
fn leaf_or_branch(name: &str, value: &Value, level: usize, screen: Screen, out: &mut String) {
    match value {
        Value::Object(_) | Value::Array(_) => {
            line(name, "", level, screen, out);
            branch(value, level + 1, screen, out);
        }
        plain => line(name, &text(plain), level, screen, out),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => terminal_safe(text).into_owned(),
        other => terminal_safe(&other.to_string()).into_owned(),
    }
}

fn line(name: &str, value: &str, level: usize, screen: Screen, out: &mut String) {
    let width = usize::from(screen.width);
    let indent = (level.min(DEEPEST) * STEP).min(width / 2);
    let head = format!(
        "{:indent$}{name}{}",
        "",
        if value.is_empty() { "" } else { "  " }
    );
    let mut text = String::new();
    hang(&mut text, &head, value, indent + STEP, width);
    if screen.color && !name.is_empty() && name != "-" {
        // Measured first, painted then: a colour takes no room.
        text = text.replacen(name, &paint::bold(name, true), 1);
    }
    for line in text.lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use unicode_width::UnicodeWidthStr;

    use super::*;

    fn screen(width: u16) -> Screen {
        Screen {
            terminal: true,
            width,
            color: false,
        }
    }

    #[test]
    fn parts_stand_below_their_names() {
        let value = json!({"mac": "AA", "data": [
            {"os": "Windows", "attributes": {"name": "USB \u{1b}[2J"}}, {"os": null}
        ], "list": ["a", 7], "none": {}});
        let shown = "\
mac  AA
data
  -
    os  Windows
    attributes
      name  USB \\x1b[2J
  -
    os  -
list
  -  a
  -  7
none
";
        assert_eq!(tree(&value, screen(80)), shown);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let mut value = json!("a value of some words that is long");
        for _ in 0..50 {
            value = json!({ "a member with a name": [value] });
        }
        for width in [20, 40, 80] {
            let shown = tree(&value, screen(width));
            assert!(
                shown.lines().all(|line| line.width() <= usize::from(width)),
                "{shown}"
            );
        }
    }
}
