//! The HTTP/1.1 client (skeleton, replaced by the transport work).

use std::sync::Arc;

use super::Request;
use crate::error::{Error, Kind, Result};

/// What happens to requests.
#[derive(Clone)]
pub enum Sending {
    /// Everything is sent.
    Everything,
    /// Nothing (or with `reads`, only what reads) is sent; the rest is shown with the function and ends in [`Kind::NotSent`].
    Show {
        /// As a curl command instead of as a request.
        curl: bool,
        /// Requests that only read are sent all the same.
        reads: bool,
        /// Receives the text.
        show: Arc<dyn Fn(&str) + Send + Sync>,
    },
}

/// How a client connects.
pub struct ClientOptions {}

/// An HTTP client for one set of options.
#[derive(Clone)]
pub struct Client {}

impl Client {
    /// Builds a client.
    pub fn new(_options: ClientOptions) -> Result<Self> {
        Ok(Self {})
    }

    /// Sends, or shows.
    pub async fn send(&self, _request: Request) -> Result<Response> {
        Err(Error::new(Kind::Failed, "skeleton"))
    }
}

/// Status and head of an answer, body still on the wire.
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, as sent.
    pub content_type: Option<String>,
    /// `Location`, as sent.
    pub location: Option<String>,
    /// `host:port` that answered, for messages.
    pub host: String,
}

impl Response {
    /// The whole body, at most `limit` bytes.
    pub async fn bytes(self, _limit: usize) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// The body for a parser on a blocking thread (must be called inside the runtime: it starts the task that feeds the reader).
    pub fn into_reader(self) -> BodyReader {
        BodyReader {}
    }
}

/// A body as `std::io::BufRead`.
pub struct BodyReader {}

impl std::io::Read for BodyReader {
    fn read(&mut self, _buf: &mut [u8]) -> std::io::Result<usize> {
        Ok(0)
    }
}

impl std::io::BufRead for BodyReader {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        Ok(&[])
    }

    fn consume(&mut self, _amount: usize) {}
}

impl BodyReader {
    /// The fact behind an `io::Error` that reading returned, if it was ours.
    pub fn error(_error: &std::io::Error) -> Option<Error> {
        None
    }
}
