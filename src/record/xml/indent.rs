//! A document for a person's eyes: an element a line, indented. Nothing is checked, decoded or made
//! safe here.

use quick_xml::events::{BytesText, Event};
use quick_xml::{Reader, Writer};

use super::MAX_DEPTH;

/// The document with an element a line; `None` where it is no XML, not in UTF-8, or nested deeper
/// than any answer is.
pub fn indented(document: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(document).ok()?;
    let mut reader = Reader::from_str(text);
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let mut depth = 0_usize;
    let mut opened = false;
    loop {
        let event = reader.read_event().ok()?;
        let was_opened = std::mem::replace(&mut opened, matches!(event, Event::Start(_)));
        let event = match event {
            Event::Eof => break,
            Event::Text(text) if text.trim().is_empty() => {
                opened = was_opened;
                continue;
            }
            Event::GeneralRef(name) => {
                Event::Text(BytesText::from_escaped(format!("&{};", &*name)))
            }
            Event::End(end) => {
                if was_opened {
                    // Keeps both tags on one line.
                    writer.write_event(Event::Text(BytesText::new(""))).ok()?;
                }
                depth = depth.checked_sub(1)?;
                Event::End(end)
            }
            Event::Start(start) => {
                depth += 1;
                Event::Start(start)
            }
            other => other,
        };
        if depth > MAX_DEPTH {
            return None;
        }
        writer.write_event(event).ok()?;
    }
    (depth == 0).then(|| writer.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_has_a_line() {
        let document =
            b"<?xml version=\"1.0\"?><a n=\"1\"><b>x &amp; y</b><c></c><d/>\n  <e> z</e></a>\n";
        let shown = "<?xml version=\"1.0\"?>\n<a n=\"1\">\n  <b>x &amp; y</b>\n  <c></c>\n  <d/>\n  <e> z</e>\n</a>";
        assert_eq!(
            String::from_utf8(indented(document).unwrap()).unwrap(),
            shown
        );
    }

    #[test]
    fn what_is_no_document_is_left_alone() {
        let deep = "<a>".repeat(10_000) + &"</a>".repeat(10_000);
        for bytes in [
            &b"<a><b></a>"[..],
            b"<a>",
            b"</a>",
            b"<a>\xff</a>",
            deep.as_bytes(),
        ] {
            assert_eq!(indented(bytes), None);
        }
    }
}
