//! What every HTML page of ours has: the policy that forbids it everything but its own style and
//! script, texts of strangers made visible, and where their lines break. Escaping is the templates'
//! own affair.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use unicode_width::UnicodeWidthStr;

use crate::sanitize::terminal_safe;

/// Columns of text that stay on one line: a host's name, an address, a time.
const ONE_LINE: usize = 28;
/// Columns of a table that fit on paper with whole words in them.
const FIT_ON_PAPER: usize = 12;

/// The style that all pages share.
pub const STYLE: &str = include_str!("html/page.css");

/// The Content-Security-Policy of a page: no request of any kind, and of styles and scripts only
/// these texts, each known by its hash.
pub fn policy(style: &str, script: Option<&str>) -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let script = script.map_or(String::new(), |script| {
        format!("; script-src {}", hash(script))
    });
    format!(
        "default-src 'none'; style-src {}{script}; base-uri 'none'; form-action 'none'",
        hash(style)
    )
}

/// A stranger's text for a page: what could hide or reorder is a visible escape, as on a terminal.
pub fn visible(text: &str) -> Cow<'_, str> {
    terminal_safe(text)
}

/// The class that says where a cell's lines may break: `words` between words, `long` anywhere,
/// since some word has no room of its own. None for what is short: a name or an address stays
/// whole, its hyphens and slashes too.
pub fn line_breaks(text: &str) -> Option<&'static str> {
    // A text is never wider than it has bytes.
    if text.len() <= ONE_LINE || text.width() <= ONE_LINE {
        return None;
    }
    let fits = |word: &str| word.width() <= ONE_LINE;
    let class = if text.split_whitespace().all(fits) {
        "words"
    } else {
        "long"
    };
    Some(class)
}

/// The class of a table with so many columns: `many` where paper has no room for whole words.
pub fn table_class(columns: usize) -> Option<&'static str> {
    (columns > FIT_ON_PAPER).then_some("many")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_have_no_room_are_broken() {
        for (text, class) in [
            ("", None),
            ("54:BF:64:41:BB:AA", None),
            ("host/WS2000721.lab.example", None),
            ("2026-03-01 10:00", None),
            ("jörg müller", None),
            ("22056 Subject not found in the store", Some("words")),
            ("a-name-that-is-longer-than-a-column", Some("long")),
            ("the a-name-that-is-longer-than-a-column", Some("long")),
            ("one two three four five six seven", Some("words")),
            ("山田山田山田山田山田山田山田", None),
            ("山田山田山田山田山田山田山田山", Some("long")),
        ] {
            assert_eq!(line_breaks(text), class, "{text}");
        }
        assert_eq!((table_class(12), table_class(13)), (None, Some("many")));
    }
}
