//! An answer as the client's callers have it: its head read, its body still on the wire. It judges
//! no status.

use super::body::{Body, BodyReader};
use crate::authority::Authority;
use crate::error::Result;

/// Status and head of an answer, body still on the wire.
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, as sent.
    pub content_type: Option<String>,
    /// `Location`, as sent.
    pub location: Option<String>,
    /// The node that answered.
    pub host: Authority,
    pub(super) body: Body,
}

impl Response {
    /// The `charset` that the Content-Type names.
    pub fn charset(&self) -> Option<String> {
        charset(self.content_type.as_deref()?)
    }

    /// The whole body, at most `limit` bytes.
    ///
    /// Errors: `Malformed` above the limit, `Truncated`, `TimedOut`.
    pub async fn bytes(self, limit: usize) -> Result<Vec<u8>> {
        self.body.bytes(limit).await
    }

    /// The body for a parser on a blocking thread (must be called inside the runtime: it starts the
    /// task that feeds the reader).
    pub fn into_reader(self) -> BodyReader {
        self.body.into_reader()
    }
}

/// The `charset` among the parameters of a media type (RFC 9110, section 8.3.1).
fn charset(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("charset") && !value.is_empty()).then(|| value.to_owned())
    })
}
