//! What an answer's status and body say, the same for control calls and for services. It sends
//! nothing.

use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::record::encoding::{self, Format};
use crate::record::read_bounded_json;
use crate::transport::Response;

/// Largest control answer and largest error body that is read.
pub(super) const MAX_CONTROL: usize = 1024 * 1024;

/// How much of a server's own words stands in a message.
const MAX_WORDS: usize = 200;

/// The body of a successful control answer, which must be a JSON object; members that nobody here
/// knows are left alone.
pub(super) async fn object(response: Response, what: &str) -> Result<Value> {
    let host = response.host.to_string();
    let charset = response.charset();
    let body = response.bytes(MAX_CONTROL).await?;
    let body = encoding::to_utf8(body, Format::Json, charset.as_deref()).map_err(|error| {
        let message = format!("{host} answered {what}: {}", error.message());
        error.reworded(message).host(&host)
    })?;
    parse_object(&body, what, &host)
}

fn parse_object(body: &[u8], what: &str, host: &str) -> Result<Value> {
    match read_bounded_json::<Value>(&String::from_utf8_lossy(body)) {
        Ok(value) if value.is_object() => Ok(value),
        // Unregistering and the like answer with nothing on some releases.
        Err(_) if body.iter().all(u8::is_ascii_whitespace) => Ok(Value::Object(serde_json::Map::new())),
        Ok(_) => Err(wrong_shape(what, host, "no JSON object")),
        Err(_) if body.trim_ascii_start().starts_with(b"<") => {
            Err(wrong_shape(what, host, "a web page, not JSON").hint(
                "is this a pxGrid node, and the right port? pxGrid answers on 8910, the web pages on 443",
            ))
        }
        Err(error) => Err(wrong_shape(what, host, &format!("no JSON ({error})"))),
    }
}

/// An answer that is not what the reference describes.
pub(super) fn wrong_shape(what: &str, host: &str, found: &str) -> Error {
    Error::new(
        Kind::Malformed,
        format!("{host} answered {what} with {found}"),
    )
    .hint("is this a pxGrid node, and the right port (8910)? `netapi ise pxgrid test` walks the whole path")
    .host(host)
}

/// What a server says in an error body: its `message` or `error`, or the first words of plain text;
/// nothing of a web page.
pub(super) fn words(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let said = match read_bounded_json::<Value>(&text) {
        Ok(value) => ["message", "error", "failureReason", "description"]
            .iter()
            .find_map(|name| value.get(name).and_then(Value::as_str).map(str::to_owned))?,
        Err(_) if text.trim_start().starts_with('<') => return None,
        Err(_) => text.into_owned(),
    };
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        None
    } else {
        Some(line.chars().take(MAX_WORDS).collect())
    }
}

/// A refusal that means the same everywhere: the kind is the status's, the words are the server's.
pub(super) fn plain_refusal(what: &str, host: &str, status: u16, body: &[u8]) -> Error {
    let said = words(body)
        .map(|said| format!(": {said}"))
        .unwrap_or_default();
    let error = Error::new(
        kind_of(status),
        format!("{host} answered {what} with HTTP {status}{said}"),
    )
    .host(host)
    .status(status);
    match status {
        400 => error.hint("--trace shows the request; another release of ISE may want it otherwise"),
        404 => error.hint("is the pxGrid persona on for this node, and is the port right?"),
        429 | 502 | 503 => {
            error.hint("the node is overloaded or restarting; try again in a minute")
        }
        401 | 403 => error.hint("does ISE know this client, and may it do this? See Administration > pxGrid Services > Client Management"),
        504 => error.hint("something behind the node, or a gateway before it, does not answer it: try again in a minute"),
        500 => error.hint("the node's own log says more: pxgrid-server.log (Operations > Troubleshoot > Download Logs)"),
        _ => error.hint("--trace shows the request; is this a pxGrid node, and the right port (8910)?"),
    }
}

fn kind_of(status: u16) -> Kind {
    match status {
        401 | 403 => Kind::Refused,
        429 | 502 | 503 => Kind::Overloaded,
        504 => Kind::TimedOut,
        _ => Kind::Server,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_facts() {
        for (status, kind) in [
            (400, Kind::Server),
            (401, Kind::Refused),
            (403, Kind::Refused),
            (404, Kind::Server),
            (409, Kind::Server),
            (500, Kind::Server),
            (502, Kind::Overloaded),
            (503, Kind::Overloaded),
            (504, Kind::TimedOut),
            (418, Kind::Server),
        ] {
            let error = plain_refusal("getSessions", "ise:8910", status, b"<html>");
            assert_eq!((error.kind(), error.http_status()), (kind, Some(status)));
            assert!(!error.message().contains("html"));
            assert!(error.hint_text().is_some(), "{status}");
        }
    }

    #[test]
    fn a_servers_words_are_one_short_line() {
        assert_eq!(
            words(br#"{"message":"no\nway"}"#).as_deref(),
            Some("no way")
        );
        assert_eq!(words(b"plain\r\ntext").as_deref(), Some("plain text"));
        assert_eq!(words(b" "), None);
        assert_eq!(words(br#"{"other":1}"#), None);
        assert_eq!(
            words("é".repeat(5000).as_bytes()).unwrap().chars().count(),
            200
        );
    }

    #[test]
    fn control_answers_are_objects_or_nothing() {
        assert!(parse_object(b"{\"new\":[1]}", "x", "h").is_ok());
        assert!(parse_object(b"", "x", "h").is_ok());
        for body in [b"[]".as_slice(), b"<html>", b"{\"a\":", b"\xff"] {
            let error = parse_object(body, "x", "h").unwrap_err();
            assert_eq!(error.kind(), Kind::Malformed);
            assert!(error.hint_text().unwrap().contains("8910"), "{error}");
        }
    }
}
