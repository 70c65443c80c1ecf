//! Fields that are nothing but `<name>text</name>`, read in place: almost all of a list is such,
//! and three events for each cost three times as much.
//!
//! Whatever is the least unusual (attributes, prefixes, references, children, an unfinished piece)
//! is left to the tokenizer.

use super::super::MAX_NAME;
use super::text::{is_blank, is_layout};
use super::{LIST, Parser};
use crate::error::Result;

impl Parser<'_> {
    /// Takes the run of plain fields and lists that `rest`, which begins directly inside a row,
    /// begins with; says how long it was.
    pub(super) fn plain_fields(&mut self, rest: &str, at: u64) -> Result<usize> {
        let mut used = 0;
        if !self.text.is_empty() {
            return Ok(used);
        }
        loop {
            let here = rest.get(used..).unwrap_or_default();
            let field = self
                .fields
                .expected()
                .and_then(|name| named_field(here, name));
            if let Some((name, text, length)) = field.or_else(|| plain_field(here)) {
                self.count(name.len() + text.len(), at)?;
                let text = if is_blank(text) { "" } else { text };
                self.fields.put_text(name, text);
                used += length;
            } else if let Some((items, length)) = plain_list(here) {
                for item in plain_items(items) {
                    self.count(item.len(), at)?;
                }
                self.count(LIST.len(), at)?;
                self.fields.put_list(LIST, plain_items(items));
                used += length;
            } else {
                return Ok(used);
            }
        }
    }
}

/// What stands between the tags of a [`LIST`] that holds nothing but plain fields, and the whole
/// length.
fn plain_list(rest: &str) -> Option<(&str, usize)> {
    let start = rest.strip_prefix('<')?.strip_prefix(LIST)?;
    let inner = start.strip_prefix('>')?;
    let mut at = 0;
    while let Some((_, _, length)) = plain_field(inner.get(at..)?) {
        at += length;
    }
    let after = inner.get(at..)?.strip_prefix("</")?.strip_prefix(LIST)?;
    let after = after.strip_prefix('>')?;
    Some((inner.get(..at)?, rest.len() - after.len()))
}

/// The texts of a run of plain fields, trimmed; empty ones are left out (reference mnt-api, section
/// 2.3, quirk 8).
fn plain_items(mut items: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        loop {
            let (_, text, length) = plain_field(items)?;
            items = items.get(length..)?;
            let text = text.trim();
            if !text.is_empty() {
                return Some(text);
            }
        }
    })
}

/// The same as [`plain_field`] for a field that begins at once and has the name that stood here in
/// the record before: rows are alike, and comparing a name costs less than finding its end.
fn named_field<'w>(rest: &'w str, name: &str) -> Option<(&'w str, &'w str, usize)> {
    let start = rest.strip_prefix('<')?;
    let tail = start.strip_prefix(name)?.strip_prefix('>')?;
    if name == LIST {
        return None;
    }
    let length = memchr::memchr2(b'<', b'&', tail.as_bytes())?;
    let (text, end) = tail.split_at_checked(length)?;
    let after = end
        .strip_prefix("</")?
        .strip_prefix(name)?
        .strip_prefix('>')?;
    Some((start.get(..name.len())?, text, rest.len() - after.len()))
}

/// The name, the text and the whole length of a field that is nothing but `<name>text</name>`,
/// perhaps with layout before it.
fn plain_field(rest: &str) -> Option<(&str, &str, usize)> {
    let bytes = rest.as_bytes();
    let blank = bytes.iter().position(|&byte| !is_layout(byte))?;
    let start = blank + 1;
    if bytes.get(blank) != Some(&b'<') {
        return None;
    }
    let tag = bytes.get(start..bytes.len().min(start + MAX_NAME))?;
    let length = tag
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')?;
    let name = rest.get(start..start + length)?;
    if length == 0 || tag.get(length) != Some(&b'>') || name == LIST {
        return None;
    }
    let text_start = start + length + 1;
    let text_length = memchr::memchr2(b'<', b'&', bytes.get(text_start..)?)?;
    let text_end = text_start + text_length;
    let after = bytes
        .get(text_end..)?
        .strip_prefix(b"</")?
        .strip_prefix(name.as_bytes())?;
    let text = rest.get(text_start..text_end)?;
    (after.first() == Some(&b'>')).then_some((name, text, bytes.len() - after.len() + 1))
}
