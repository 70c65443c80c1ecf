//! The XML that a MnT node writes: declaration, elements, typed verdicts, timestamps (reference
//! mnt-api, section 2).

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::lab::fast_text::push_number;

/// What every document begins with.
pub(super) const DECLARATION: &str =
    "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";

/// How booleans of the verdict are spelled (quirk 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// `true` and `false` of type `xs:boolean`.
    Boolean,
    /// `1` and `0` of type `xs:string`.
    Text,
}

/// A document in the making.
pub(super) struct Xml {
    out: String,
    zone: TimeZone,
}

impl Xml {
    pub(super) fn new() -> Self {
        Self {
            out: String::from(DECLARATION),
            zone: TimeZone::system(),
        }
    }

    /// A start tag, given with its attributes; attribute values come from us and need no escaping.
    pub(super) fn open(&mut self, tag: &str) {
        self.out.push('<');
        self.out.push_str(tag);
        self.out.push('>');
    }

    pub(super) fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    pub(super) fn element(&mut self, name: &str, text: &str) {
        self.open(name);
        push_escaped(&mut self.out, text);
        self.close(name);
    }

    /// An element whose text is pushed, not made first.
    pub(super) fn element_with(&mut self, name: &str, push: impl FnOnce(&mut String)) {
        let mut text = String::new();
        push(&mut text);
        self.element(name, &text);
    }

    /// An element, unless there is nothing to say.
    pub(super) fn optional(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.element(name, text);
        }
    }

    pub(super) fn number(&mut self, name: &str, value: u64) {
        self.open(name);
        push_number(&mut self.out, value, 1);
        self.close(name);
    }

    /// ISO 8601 with milliseconds and the node's offset (quirk 7).
    pub(super) fn time(&mut self, name: &str, at: i64) {
        let text = Timestamp::from_millisecond(at).map_or_else(
            |_| String::new(),
            |at| {
                at.to_zoned(self.zone.clone())
                    .strftime("%Y-%m-%dT%H:%M:%S%.3f%:z")
                    .to_string()
            },
        );
        self.element(name, &text);
    }

    /// A boolean with its type on the element itself, as the node writes it.
    pub(super) fn boolean(&mut self, name: &str, value: bool, verdict: Verdict) {
        let (kind, text) = match (verdict, value) {
            (Verdict::Boolean, true) => ("boolean", "true"),
            (Verdict::Boolean, false) => ("boolean", "false"),
            (Verdict::Text, true) => ("string", "1"),
            (Verdict::Text, false) => ("string", "0"),
        };
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str(" xsi:type=\"xs:");
        self.out.push_str(kind);
        self.out.push_str("\" xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">");
        self.out.push_str(text);
        self.close(name);
    }

    /// Markup made elsewhere.
    pub(super) fn raw(&mut self, push: impl FnOnce(&mut String)) {
        push(&mut self.out);
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// Appends `text` with markup escaped.
pub(super) fn push_escaped(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(position) = rest.find(['&', '<', '>']) {
        let (plain, special) = rest.split_at(position);
        out.push_str(plain);
        out.push_str(match special.as_bytes().first() {
            Some(b'&') => "&amp;",
            Some(b'<') => "&lt;",
            _ => "&gt;",
        });
        rest = special.get(1..).unwrap_or("");
    }
    out.push_str(rest);
}

/// Escapes what was appended to `out` from `start` on; mostly there is nothing to do.
pub(super) fn escape_from(out: &mut String, start: usize) {
    let needs = out
        .as_bytes()
        .get(start..)
        .is_some_and(|bytes| bytes.iter().any(|byte| matches!(byte, b'&' | b'<' | b'>')));
    if needs {
        let raw = out.split_off(start);
        push_escaped(out, &raw);
    }
}
