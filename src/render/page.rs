//! What every HTML page of ours has: the policy that forbids it everything but its own style and
//! script, and texts of strangers made visible. Escaping is the templates' own affair.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::sanitize::terminal_safe;

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
