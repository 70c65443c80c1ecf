//! One JSON object as the text that came, parsed when somebody looks inside.
//!
//! The text is never re-encoded on its way out, so number spellings (`1.10`) and unknown members
//! survive; white space between tokens is dropped where one line per record is promised. Splitting
//! a document into elements is the stream reader's work, not done here.

use std::borrow::Cow;
use std::cell::OnceCell;

use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;
use serde_json::value::RawValue;

use super::MAX_DEPTH;
use super::json_scan::{Nesting, TOO_DEEP};

/// Reads JSON as serde_json does, but takes half of a surrogate pair for U+FFFD: a server that cuts
/// texts to a length, as Java counts it, leaves such halves behind (RFC 8259, section 8.2).
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| match without_halves(text) {
        Some(mended) => serde_json::from_str(&mended),
        None => Err(error),
    })
}

/// The same of text that nobody has looked at yet: what nests deeper than [`MAX_DEPTH`] is refused.
pub(crate) fn read_bounded<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    bounded(text)?;
    read(text)
}

fn bounded(text: &str) -> Result<(), serde_json::Error> {
    if Nesting::default().is_over(MAX_DEPTH, text.as_bytes()) {
        return Err(serde_json::Error::custom(TOO_DEEP));
    }
    Ok(())
}

/// JSON text without white space between its tokens; every value is spelled as it came.
pub(crate) fn compact(text: &str) -> Cow<'_, str> {
    // All white space of JSON is here, and nothing else that JSON allows. A fold without a way out
    // looks at many bytes at once; lists in events are short and nearly always compact.
    if text.bytes().fold(u8::MAX, u8::min) > b' ' {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    squeeze(text.as_bytes(), &mut out);
    // Only ASCII was taken out of what was a `str`.
    Cow::Owned(String::from_utf8(out).unwrap_or_else(|_| text.to_owned()))
}

/// Appends JSON text without white space between its tokens.
fn squeeze(bytes: &[u8], out: &mut Vec<u8>) {
    let mut in_string = false;
    let mut escaped = false;
    for &byte in bytes {
        if in_string {
            out.push(byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
        } else if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            in_string = byte == b'"';
            out.push(byte);
        }
    }
}

/// The text with each escape of half a surrogate pair replaced; `None` where there is none.
pub(crate) fn without_halves(text: &str) -> Option<String> {
    let mut mended = String::new();
    let mut rest = text;
    let mut done = 0;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let escape = rest.get(at..)?;
        let place = text.len() - escape.len();
        let length = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                mended.push_str(text.get(done..place)?);
                mended.push_str("\\ufffd");
                done = place + 6;
                6
            }
            _ => 2,
        };
        rest = escape.get(length..)?;
    }
    mended.push_str(text.get(done..)?);
    (done > 0).then_some(mended)
}

/// The UTF-16 unit of the `\uXXXX` that begins here.
fn unit(escape: &str) -> Option<u16> {
    u16::from_str_radix(escape.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// The text of one JSON value (for records: an object), known to be well formed.
#[derive(Debug, Clone)]
pub struct JsonText {
    text: String,
    parsed: OnceCell<Value>,
}

impl JsonText {
    /// Whether its values are held beside its text.
    #[cfg(test)]
    pub(crate) fn is_parsed(&self) -> bool {
        self.parsed.get().is_some()
    }

    /// Takes text that must be one well-formed JSON value, not nested deeper than [`MAX_DEPTH`].
    pub fn parse(text: String) -> Result<Self, serde_json::Error> {
        // A raw value is skipped over, at any depth; it is read when somebody looks, which is too
        // late to refuse it.
        bounded(&text)?;
        serde_json::from_str::<&serde_json::value::RawValue>(&text)?;
        Ok(Self::of_ours(text))
    }

    /// Takes text that this program wrote of values that were checked when they came; what it put
    /// around them may pass the bound of what comes.
    pub(crate) fn of_ours(text: String) -> Self {
        Self {
            text,
            parsed: OnceCell::new(),
        }
    }

    /// Takes text that the list splitter has found well formed; bytes that are no UTF-8 are
    /// replaced.
    pub(crate) fn from_split(bytes: &[u8]) -> Self {
        Self {
            text: String::from_utf8_lossy(bytes).into_owned(),
            parsed: OnceCell::new(),
        }
    }

    /// Like [`from_split`](Self::from_split), into the buffer that is already here.
    pub(crate) fn refill(&mut self, bytes: &[u8]) {
        self.parsed.take();
        self.text.clear();
        self.text.push_str(&String::from_utf8_lossy(bytes));
    }

    /// From a value of our own.
    pub fn from_value(value: Value) -> Self {
        Self {
            text: value.to_string(),
            parsed: OnceCell::from(value),
        }
    }

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The parsed value, see `read`. What was found well formed can be read, so the `null` is for
    /// nobody to see.
    pub fn value(&self) -> &Value {
        self.parsed
            .get_or_init(|| read(&self.text).unwrap_or(Value::Null))
    }

    /// The same object with a text in front, in place of what stands under that name.
    pub(super) fn led_by(&self, name: &str, text: &str) -> Self {
        let mut led = Vec::with_capacity(self.text.len() + name.len() + text.len() + 8);
        led.push(b'{');
        super::write_json_string(name, &mut led);
        led.push(b':');
        super::write_json_string(text, &mut led);
        // An escape may hide the name; then the object is read.
        let plain = !self.text.contains(name) && !self.text.contains("\\u");
        let object = self.text.trim_start().strip_prefix('{');
        if let Some(rest) = object.filter(|_| plain) {
            if !rest.trim_start().starts_with('}') {
                led.push(b',');
            }
            led.extend_from_slice(rest.as_bytes());
        } else {
            let members = self.value().as_object();
            for (key, value) in members.into_iter().flatten() {
                if key != name {
                    led.push(b',');
                    super::write_json_string(key, &mut led);
                    led.push(b':');
                    led.extend_from_slice(value.to_string().as_bytes());
                }
            }
            led.push(b'}');
        }
        // It was text before.
        Self::of_ours(String::from_utf8(led).unwrap_or_default())
    }

    /// The member names in order.
    pub fn names(&self) -> Vec<&str> {
        self.value()
            .as_object()
            .map(|object| object.keys().map(String::as_str).collect())
            .unwrap_or_default()
    }

    /// The text of a member, see [`Record::text`](super::Record::text).
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        cell(self.member(name)?)
    }

    /// The same as [`text`](Self::text), for one look: the object is walked and only this member
    /// read.
    pub(crate) fn peek(&self, name: &str) -> Option<Cow<'_, str>> {
        if self.parsed.get().is_some() {
            return self.text(name);
        }
        let mut found = None;
        let member = Member {
            name,
            found: &mut found,
        };
        let mut reader = serde_json::Deserializer::from_str(&self.text);
        let walked = serde::de::Deserializer::deserialize_map(&mut reader, member).is_ok();
        match found {
            Some(raw) if walked => match plain_string(raw.get()) {
                Some("") => None,
                Some(text) => Some(Cow::Borrowed(text)),
                None => {
                    let value: Value = read(raw.get()).ok()?;
                    cell(&value).map(|text| Cow::Owned(text.into_owned()))
                }
            },
            None if walked && !name.contains('.') => None,
            // A name that steps into members, or something that only a whole reading mends.
            _ => self.text(name),
        }
    }

    /// Appends the JSON of a member, see [`Record::write_member`](super::Record::write_member).
    pub(super) fn write_member(&self, name: &str, out: &mut Vec<u8>) -> bool {
        self.member(name)
            .is_some_and(|member| serde_json::to_writer(out, member).is_ok())
    }

    fn member(&self, name: &str) -> Option<&Value> {
        let value = self.value();
        if let Some(member) = value.get(name) {
            return Some(member);
        }
        name.split('.').try_fold(value, |at, step| at.get(step))
    }

    /// Appends the text without white space between tokens.
    pub fn write_compact(&self, out: &mut Vec<u8>) {
        let bytes = self.text.as_bytes();
        if memchr::memchr3(b'\n', b'\r', b'\t', bytes).is_none() {
            // Only line ends matter to line formats, and strings cannot hold raw ones.
            out.extend_from_slice(bytes);
            return;
        }
        squeeze(bytes, out);
    }
}

/// The text between the quotes of a JSON string that has no escapes.
fn plain_string(raw: &str) -> Option<&str> {
    let text = raw.strip_prefix('"')?.strip_suffix('"')?;
    memchr::memchr(b'\\', text.as_bytes())
        .is_none()
        .then_some(text)
}

/// Walks an object and keeps the last member of this name, as reading it whole does.
struct Member<'n, 'f, 'de> {
    name: &'n str,
    found: &'f mut Option<&'de RawValue>,
}

impl<'de> serde::de::Visitor<'de> for Member<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(wanted) = map.next_key_seed(IsName(self.name))? {
            if wanted {
                *self.found = Some(map.next_value()?);
            } else {
                map.next_value::<serde::de::IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Whether a member's name is this one.
struct IsName<'n>(&'n str);

impl<'de> serde::de::DeserializeSeed<'de> for IsName<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl serde::de::Visitor<'_> for IsName<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

/// A JSON value as a cell's text: strings bare, lists of plain values joined, the rest compact
/// JSON.
fn cell(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Array(list) if list.is_empty() => None,
        Value::Array(list)
            if list
                .iter()
                .all(|item| !item.is_array() && !item.is_object()) =>
        {
            Some(Cow::Owned(
                list.iter().filter_map(cell).collect::<Vec<_>>().join(", "),
            ))
        }
        other => Some(Cow::Owned(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server must not pass for another deployment, whatever way it writes the name.
    #[test]
    fn what_leads_stands_alone_under_its_name() {
        for (sent, led) in [
            (r#"{"a": 1.10}"#, r#"{"d":"us","a": 1.10}"#),
            ("{}", r#"{"d":"us"}"#),
            (" { }", r#"{"d":"us" }"#),
            (r#"{"d":"x","b":1.10}"#, r#"{"d":"us","b":1.10}"#),
            (r#"{"\u0064":"x","b":"\u00e9"}"#, r#"{"d":"us","b":"é"}"#),
        ] {
            let record = JsonText::parse(sent.to_owned()).unwrap();
            assert_eq!(record.led_by("d", "us").as_str(), led);
        }
    }

    #[test]
    fn numbers_and_unknown_members_keep_their_spelling() {
        let text = JsonText::parse("{\n \"v\": 1.10, \"s\": \"a \\\" b\\n\" }".to_owned()).unwrap();
        let mut out = Vec::new();
        text.write_compact(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"v":1.10,"s":"a \" b\n"}"#
        );
        assert_eq!(text.text("v").as_deref(), Some("1.10"));
    }

    #[test]
    fn one_look_finds_what_a_whole_reading_does() {
        for json in [
            r#"{"a":"x","b":1.10,"ips":["p","q"],"n":null,"e":"","o":{"id":7},"t":true}"#,
            r#"{"a":"x\ud83d","b":"\u0061\n","ips":[],"o":{"id":"\ud83d"}}"#,
            r#"{"a":"first","a":"last","b":{"a":"inner"},"o.id":"dotted"}"#,
            r#"{"\u0061":"escaped name","x\ud83d":1}"#,
            "{}",
        ] {
            let read = JsonText::of_ours(json.to_owned());
            let _ = read.value();
            for name in [
                "a", "b", "ips", "n", "e", "o", "o.id", "t", "b.a", "missing",
            ] {
                let peeked = JsonText::of_ours(json.to_owned());
                assert_eq!(peeked.peek(name), read.text(name), "{name} of {json}");
            }
        }
    }

    #[test]
    fn half_a_surrogate_pair_hides_nothing() {
        for (json, read_as) in [
            (r#"{"a":"x\ud83d","b":1}"#, "x\u{fffd}"),
            (r#"{"a":"\ude00\ud83dx"}"#, "\u{fffd}\u{fffd}x"),
            (r#"{"a":"\ud83d\ud83d\ude00"}"#, "\u{fffd}😀"),
            (r#"{"a":"\\ud83d\uD83D\u0041"}"#, "\\ud83d\u{fffd}A"),
            (r#"{"a":"\ud83d\n"}"#, "\u{fffd}\n"),
        ] {
            let text = JsonText::parse(json.to_owned()).unwrap();
            assert_eq!(text.text("a").as_deref(), Some(read_as), "{json}");
            assert_eq!(text.as_str(), json);
        }
        assert!(read::<Value>(r#"{"a":"\ud83d"#).is_err());
        assert!(read::<Value>(r#"{"a":"\u+83d"}"#).is_err());
    }

    #[test]
    fn what_nests_too_deep_is_refused_when_it_comes_and_fits_with_what_we_put_around_it() {
        let deep = |levels: usize| {
            format!(
                "{}{}",
                r#"{"a":["#.repeat(levels / 2),
                "]}".repeat(levels / 2)
            )
        };
        for levels in [102, 126, 130, 100_000] {
            let refused = JsonText::parse(deep(levels)).unwrap_err().to_string();
            assert!(refused.contains("100 levels"), "{refused}");
            assert!(read_bounded::<Value>(&deep(levels)).is_err());
        }
        let deepest = JsonText::parse(deep(MAX_DEPTH)).unwrap();
        assert!(deepest.value().is_object());
        let around = format!(r#"[{{"message":{{"sessions":[{}]}}}}]"#, deepest.as_str());
        assert!(JsonText::of_ours(around).value().is_array());
    }

    proptest::proptest! {
        /// Text that can be read is read the same; any string of units can be read.
        #[test]
        fn units_read_as_rust_reads_them(units in proptest::collection::vec(proptest::prelude::prop_oneof![
            proptest::prelude::any::<u16>(), 0xd700_u16..0xe100
        ], 0..9)) {
            let escapes: Vec<String> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let escaped = escapes.concat();
            let text: String = read(&format!("\"{escaped}\"")).unwrap();
            proptest::prop_assert_eq!(text, String::from_utf16_lossy(&units));
        }
    }

    #[test]
    fn cells_of_lists_and_nested_members() {
        let text =
            JsonText::parse(r#"{"ips":["a","b"],"none":[],"asset":{"id":7}}"#.to_owned()).unwrap();
        assert_eq!(text.text("ips").as_deref(), Some("a, b"));
        assert_eq!(text.text("none"), None);
        assert_eq!(text.text("asset.id").as_deref(), Some("7"));
    }
}
