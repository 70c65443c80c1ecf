//! What stands between tags and in them: text in one piece or several, references, attributes.

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesRef, BytesStart};

use super::super::MAX_FIELD;
use super::errors::NOT_THE_API;
use super::{Parser, Phase};
use crate::error::Result;

/// The member for text that stands beside child elements.
const MIXED: &str = "#text";

impl Parser<'_> {
    /// Text that came; it stays where it is as long as it is the element's only piece.
    pub(super) fn characters<'w>(
        &mut self,
        text: &'w str,
        pending: &mut Option<&'w str>,
        at: u64,
    ) -> Result<()> {
        if !self.takes_text(text, at)? {
            return Ok(());
        }
        if pending.is_none() && self.text.is_empty() {
            *pending = Some(text);
            return Ok(());
        }
        self.keep(pending, at)?;
        self.append(text, at)
    }

    pub(super) fn owned(&mut self, text: &str, pending: &mut Option<&str>, at: u64) -> Result<()> {
        if !self.takes_text(text, at)? {
            return Ok(());
        }
        self.keep(pending, at)?;
        self.append(text, at)
    }

    /// Whether text means something here: inside a record. Outside of the root only layout may
    /// stand.
    pub(super) fn takes_text(&self, text: &str, at: u64) -> Result<bool> {
        if self.phase != Phase::Inside {
            if is_blank(text) {
                return Ok(false);
            }
            return Err(match self.phase {
                Phase::Before => self.malformed("not XML", at).hint(NOT_THE_API),
                _ => self.malformed("something follows its end", at),
            });
        }
        if self.row == 0 || self.skip > 0 {
            return Ok(false);
        }
        Ok(true)
    }

    /// Moves the piece that is still in the window to the element's text.
    pub(super) fn keep(&mut self, pending: &mut Option<&str>, at: u64) -> Result<()> {
        match pending.take() {
            Some(text) => self.append(text, at),
            None => Ok(()),
        }
    }

    pub(super) fn append(&mut self, text: &str, at: u64) -> Result<()> {
        if self.text.len() + text.len() > MAX_FIELD {
            return Err(self.malformed("a field is too long", at));
        }
        self.text.push_str(text);
        Ok(())
    }

    /// Text before or after a child element: kept as a member unless it is layout.
    pub(super) fn mixed(&mut self, mut pending: Option<&str>, at: u64) -> Result<()> {
        if self.text.is_empty() && pending.is_none_or(is_blank) {
            return Ok(());
        }
        self.keep(&mut pending, at)?;
        if !is_blank(&self.text) {
            self.count(self.text.len(), at)?;
            let text = std::mem::take(&mut self.text);
            self.target().put_text(MIXED, text.trim());
            self.text = text;
        }
        self.text.clear();
        Ok(())
    }

    pub(super) fn reference<'w>(
        &mut self,
        reference: &BytesRef<'w>,
        pending: &mut Option<&'w str>,
        at: u64,
    ) -> Result<()> {
        let name: &str = reference;
        if let Some(text) = resolve_predefined_entity(name) {
            return self.characters(text, pending, at);
        }
        if name.starts_with('#') {
            // A reference to no character (or to none that XML allows) is treated as a bad byte is.
            let character = reference.resolve_char_ref().ok().flatten();
            let mut buffer = [0; 4];
            let text = character
                .unwrap_or(char::REPLACEMENT_CHARACTER)
                .encode_utf8(&mut buffer);
            return self.owned(text, pending, at);
        }
        let is_name = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || "_-.:".contains(c));
        if is_name {
            let shown: String = name.chars().take(40).collect();
            return Err(self.malformed(&format!("unknown entity '&{shown};'"), at));
        }
        // A bare ampersand that happens to have a semicolon somewhere behind it.
        self.owned(&format!("&{name};"), pending, at)
    }

    /// The attributes of `tag` that become members, in the document's order of keeping.
    pub(super) fn kept(
        &self,
        tag: &BytesStart<'_>,
        at: u64,
    ) -> Result<Vec<(&'static str, String)>> {
        let mut members = Vec::new();
        for &name in self.document.keep {
            if let Some(value) = self.attribute(tag, name, at)? {
                members.push((name, value));
            }
        }
        Ok(members)
    }

    pub(super) fn attribute(
        &self,
        tag: &BytesStart<'_>,
        name: &str,
        at: u64,
    ) -> Result<Option<String>> {
        for attribute in tag.attributes().with_checks(false) {
            let attribute: Attribute<'_> =
                attribute.map_err(|error| self.malformed(&error.to_string(), at))?;
            if local(attribute.key.0) == name {
                let value = quick_xml::escape::unescape(&attribute.value)
                    .map_err(|error| self.malformed(&error.to_string(), at))?;
                return Ok(Some(value.into_owned()));
            }
        }
        Ok(None)
    }
}

/// A name without its namespace prefix.
pub(super) fn local(name: &str) -> &str {
    match memchr::memchr(b':', name.as_bytes()) {
        Some(colon) => name.get(colon + 1..).unwrap_or(name),
        None => name,
    }
}

/// Whether text is layout: nothing but XML white space.
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(is_layout)
}

/// XML white space.
pub(super) fn is_layout(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
