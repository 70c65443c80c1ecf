//! Colour: little of it, and never the only sign of anything.

use std::borrow::Cow;

/// A heading.
pub(super) fn bold(text: &str, color: bool) -> Cow<'_, str> {
    painted("1", text, color)
}

/// Pass green, fail red, anything else as it is.
pub(super) fn verdict(text: &str, color: bool) -> Cow<'_, str> {
    const PASS: [&str; 7] = ["pass", "passed", "true", "ok", "yes", "up", "success"];
    const FAIL: [&str; 7] = ["fail", "failed", "false", "no", "down", "failure", "error"];
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(&PASS) {
        painted("32", text, color)
    } else if is(&FAIL) {
        painted("31", text, color)
    } else {
        Cow::Borrowed(text)
    }
}

fn painted<'t>(code: &str, text: &'t str, color: bool) -> Cow<'t, str> {
    if color {
        Cow::Owned(format!("\x1b[{code}m{text}\x1b[0m"))
    } else {
        Cow::Borrowed(text)
    }
}
