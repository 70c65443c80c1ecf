//! Colour: little of it, by meaning, and never the only sign of anything.

use std::borrow::Cow;

use super::column::CellKind;

const GREEN: &str = "32";
const RED: &str = "31";
const YELLOW: &str = "33";
const FAINT: &str = "2";

/// Words that say that something is well, or new.
const WELL: [&str; 19] = [
    "pass",
    "passed",
    "true",
    "ok",
    "yes",
    "up",
    "success",
    "done",
    "came",
    "created",
    "started",
    "postured",
    "compliant",
    "enabled",
    "on",
    "active",
    "granted",
    "permit",
    "running",
];
/// Words that say that it is not, or gone.
const ILL: [&str; 16] = [
    "fail",
    "failed",
    "false",
    "no",
    "down",
    "failure",
    "error",
    "invalid",
    "went",
    "deleted",
    "noncompliant",
    "rejected",
    "refused",
    "timeout",
    "deny",
    "critical",
];
/// Words that say that it is on its way, or to be looked at.
const UNDECIDED: [&str; 15] = [
    "warn",
    "warning",
    "changed",
    "updated",
    "authenticating",
    "authenticated",
    "pending",
    "unknown",
    "already",
    "not-sent",
    "quarantined",
    "monitor",
    "partial",
    "high",
    "recovered",
];
/// Words that say that it is over.
const OVER: [&str; 4] = ["disconnected", "disabled", "off", "inactive"];

/// A heading.
pub(super) fn bold(text: &str, color: bool) -> Cow<'_, str> {
    painted("1", text, color)
}

/// The colour of what a cell says, where it says something good or bad.
pub(super) fn meaning(kind: CellKind, text: &str) -> Option<&'static str> {
    match kind {
        CellKind::Verdict | CellKind::Event | CellKind::Enumeration(_) => word(text),
        CellKind::Threshold { high, critical } => {
            let number = text.trim_end_matches(['%', ' ']).parse::<f64>().ok()?;
            if number >= f64::from(critical) {
                Some(RED)
            } else {
                (number >= f64::from(high)).then_some(YELLOW)
            }
        }
        _ => None,
    }
}

/// The colour of a word that says something good or bad, as the number of its escape (SGR).
#[must_use]
pub fn word(text: &str) -> Option<&'static str> {
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(&WELL) {
        Some(GREEN)
    } else if is(&ILL) {
        Some(RED)
    } else if is(&UNDECIDED) {
        Some(YELLOW)
    } else {
        is(&OVER).then_some(FAINT)
    }
}

/// The text in a colour, where colour is wanted.
pub(super) fn painted<'t>(code: &str, text: &'t str, color: bool) -> Cow<'t, str> {
    if color {
        Cow::Owned(format!("\x1b[{code}m{text}\x1b[0m"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_the_meaning() {
        let state = CellKind::Enumeration(13);
        let load = CellKind::Threshold {
            high: 80,
            critical: 95,
        };
        for (kind, text, code) in [
            (CellKind::Verdict, "fail", Some(RED)),
            (CellKind::Verdict, "true", Some(GREEN)),
            (state, "STARTED", Some(GREEN)),
            (state, "NonCompliant", Some(RED)),
            (state, "AUTHENTICATED", Some(YELLOW)),
            (state, "DISCONNECTED", Some(FAINT)),
            (state, "dot1x", None),
            (CellKind::Event, "deleted", Some(RED)),
            (CellKind::Text, "failed", None),
            (load, "63", None),
            (load, "80.5", Some(YELLOW)),
            (load, "96 %", Some(RED)),
            (load, "-", None),
        ] {
            assert_eq!(meaning(kind, text), code, "{text}");
        }
    }
}
