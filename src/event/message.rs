//! What an event is about: one JSON object on one line, in the server's own words, shared with the
//! frame it came in where it can be.

use bytes::Bytes;

use crate::record::compact_json;

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Whether `text` is one session of a message that listed several.
    session: bool,
    /// UTF-8. Often a part of the frame it came in, which is not copied.
    text: Bytes,
}

/// What stands around a session that was cut out of its message.
const AROUND: (&str, &str) = (r#"{"sessions":["#, "]}");

impl Message {
    /// A whole message.
    pub fn whole(text: impl Into<Text>) -> Self {
        Self {
            session: false,
            text: text.into().on_one_line(),
        }
    }

    /// One session of a message.
    pub fn session(text: impl Into<Text>) -> Self {
        Self {
            session: true,
            text: text.into().on_one_line(),
        }
    }

    /// The session, or else the whole message.
    pub fn object(&self) -> &str {
        // It was a `str` when it came in.
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// Whether it is one session of a message that listed several; else it is a whole message.
    pub fn is_session(&self) -> bool {
        self.session
    }

    /// How long it is written, in bytes.
    pub fn written_length(&self) -> usize {
        AROUND.0.len() + self.text.len() + AROUND.1.len()
    }

    /// The same as bytes, without a look at them.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// What stands around it in the message: a session stands alone in its list.
    pub(super) fn around(&self) -> (&'static str, &'static str) {
        if self.session { AROUND } else { ("", "") }
    }
}

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (before, after) = self.around();
        write!(f, "{before}{}{after}", self.object())
    }
}

/// JSON text on its way into a [`Message`].
#[derive(Debug)]
pub struct Text(Bytes);

impl Text {
    /// A part of `body`, shared and not copied; `part` must lie in it.
    pub fn part_of(body: &Bytes, part: &str) -> Self {
        Self(body.slice_ref(part.as_bytes()))
    }

    /// As it is, unless there are line ends between its tokens.
    fn on_one_line(self) -> Bytes {
        if memchr::memchr2(b'\n', b'\r', &self.0).is_none() {
            return self.0;
        }
        let text = String::from_utf8_lossy(&self.0).into_owned();
        Bytes::from(one_line(text))
    }
}

impl From<&Bytes> for Text {
    /// All of a body, shared and not copied.
    fn from(body: &Bytes) -> Self {
        Self(body.clone())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

/// JSON text on one line: as it came, unless there are line ends between its tokens.
pub(crate) fn one_line(json: String) -> String {
    if memchr::memchr2(b'\n', b'\r', json.as_bytes()).is_none() {
        return json;
    }
    compact_json(&json).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pretty_message_becomes_one_line() {
        let body = Bytes::from_static(b"{\"sessions\":[{\n \"a\": 1 }, {\"b\": 2}]}");
        let text = std::str::from_utf8(&body).unwrap();
        let session = |part: &str| {
            let part = text.find(part).and_then(|at| text.get(at..at + part.len()));
            Message::session(Text::part_of(&body, part.unwrap())).to_string()
        };
        assert_eq!(session("{\n \"a\": 1 }"), r#"{"sessions":[{"a":1}]}"#);
        assert_eq!(session("{\"b\": 2}"), r#"{"sessions":[{"b": 2}]}"#);
        assert_eq!(
            one_line("{\n \"a\": \"x y\" }".to_owned()),
            r#"{"a":"x y"}"#
        );
        assert_eq!(one_line(r#"{"a": 1}"#.to_owned()), r#"{"a": 1}"#);
    }
}
