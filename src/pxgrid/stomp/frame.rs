//! A STOMP frame: its command, headers and body, the frames that client and server send, and how
//! one is written.
//!
//! Reading is in `decoder`.

use std::fmt;

use bytes::Bytes;

use super::{Headers, MAX_SENT_LINE};
use crate::error::{Error, Result};

/// A frame's command (STOMP 1.2, "Client Frames" and "Server Frames"). Transactions and
/// acknowledgements are not in pxGrid's vocabulary (reference pxgrid-api, section 4) and read as
/// malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Client: opens the STOMP session.
    Connect,
    /// Client: the same as `CONNECT`, by its newer name.
    Stomp,
    /// Client: wants a topic's messages.
    Subscribe,
    /// Client: no longer wants them.
    Unsubscribe,
    /// Client: publishes a message.
    Send,
    /// Client: is about to go.
    Disconnect,
    /// Server: the STOMP session is open.
    Connected,
    /// Server: a message of a topic.
    Message,
    /// Server: has done what a frame with that receipt asked.
    Receipt,
    /// Server: something went wrong; it closes the connection next.
    Error,
}

impl Command {
    /// Every command.
    pub const ALL: [Self; 10] = [
        Self::Connect,
        Self::Stomp,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Send,
        Self::Disconnect,
        Self::Connected,
        Self::Message,
        Self::Receipt,
        Self::Error,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Stomp => "STOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Send => "SEND",
            Self::Disconnect => "DISCONNECT",
            Self::Connected => "CONNECTED",
            Self::Message => "MESSAGE",
            Self::Receipt => "RECEIPT",
            Self::Error => "ERROR",
        }
    }

    /// The command of a word on the wire.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|command| command.as_str() == word)
    }

    /// Whether headers of this frame carry escapes: all but those of the handshake (STOMP 1.2,
    /// "Value Encoding").
    pub(super) fn has_escapes(self) -> bool {
        !matches!(self, Self::Connect | Self::Stomp | Self::Connected)
    }

    /// Whether the frame may have a body (STOMP 1.2, "Body").
    fn has_body(self) -> bool {
        matches!(self, Self::Send | Self::Message | Self::Error)
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One frame. A read one has its headers as they came (unescaped), `content-length` among them; a
/// written one gets `content-length` from its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub command: Command,
    /// Its headers.
    pub headers: Headers,
    /// The body's octets; pxGrid's are JSON in UTF-8.
    pub body: Bytes,
}

impl Frame {
    fn new(command: Command, headers: &[(&str, &str)]) -> Self {
        Self {
            command,
            headers: headers.iter().copied().collect(),
            body: Bytes::new(),
        }
    }

    fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(name, value);
        self
    }

    /// `CONNECT` to the pubsub node called `host`. No heart-beat: the server's parser throws on the
    /// empty lines of one.
    pub fn connect(host: &str) -> Self {
        Self::new(
            Command::Connect,
            &[("accept-version", "1.2"), ("host", host)],
        )
    }

    /// `SUBSCRIBE` under our own `id`; `filter` is a `JMESPath` expression for the server (ISE
    /// 3.4).
    pub fn subscribe(id: &str, destination: &str, filter: Option<&str>) -> Self {
        let frame = Self::new(
            Command::Subscribe,
            &[("destination", destination), ("id", id)],
        );
        match filter {
            Some(filter) => frame.with_header("filter", filter),
            None => frame,
        }
    }

    /// `UNSUBSCRIBE` of the subscription `id`.
    pub fn unsubscribe(id: &str) -> Self {
        Self::new(Command::Unsubscribe, &[("id", id)])
    }

    /// `SEND`: publishes `body` on a topic.
    pub fn send(destination: &str, body: impl Into<Bytes>) -> Self {
        Self::new(Command::Send, &[("destination", destination)]).with_body(body)
    }

    /// `DISCONNECT`, to be answered by a `RECEIPT` of this id.
    pub fn disconnect(receipt: &str) -> Self {
        Self::new(Command::Disconnect, &[("receipt", receipt)])
    }

    /// The server's `CONNECTED`, as ISE 3.4 words it.
    pub fn connected() -> Self {
        Self::new(
            Command::Connected,
            &[("heart-beat", "0,0"), ("version", "1.2")],
        )
    }

    /// The server's `MESSAGE` to the subscription `id`. ISE 3.4 adds a `trace-id` in hexadecimal,
    /// older releases do not.
    pub fn message(
        id: &str,
        destination: &str,
        message_id: u64,
        trace_id: Option<&str>,
        body: impl Into<Bytes>,
    ) -> Self {
        let message_id = message_id.to_string();
        let mut frame = Self::new(Command::Message, &[]);
        if let Some(trace_id) = trace_id {
            frame = frame.with_header("trace-id", trace_id);
        }
        frame
            .with_header("destination", destination)
            .with_header("message-id", &message_id)
            .with_header("subscription", id)
            .with_body(body)
    }

    /// The server's `RECEIPT` for a frame whose `receipt` was `id`.
    pub fn receipt(id: &str) -> Self {
        Self::new(Command::Receipt, &[("receipt-id", id)])
    }

    /// The server's `ERROR`: a short text in the header, the long one in the body.
    pub fn error(message: &str, body: impl Into<Bytes>) -> Self {
        Self::new(Command::Error, &[("message", message)]).with_body(body)
    }

    /// The value of the first header called `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The frame's bytes, with its NUL. `content-length` is always written where a body may be.
    ///
    /// A header that cannot be written plain (a line end or NUL in it, a colon in its name) or
    /// whose line is 1 KB or longer is a usage error: such values come from what the user typed
    /// (`--filter`, a topic's path, a publisher's destination).
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(self.body.len() + 256);
        out.extend_from_slice(self.command.as_str().as_bytes());
        out.push(b'\n');
        for (name, value) in self.headers.iter() {
            if name == "content-length" {
                continue;
            }
            check(self.command, name, value)?;
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            out.extend_from_slice(value.as_bytes());
            out.push(b'\n');
        }
        if self.command.has_body() || !self.body.is_empty() {
            out.extend_from_slice(format!("content-length:{}\n", self.body.len()).as_bytes());
        }
        out.push(b'\n');
        out.extend_from_slice(&self.body);
        out.push(0);
        Ok(out)
    }
}

fn check(command: Command, name: &str, value: &str) -> Result<()> {
    let breaks = |text: &str| text.contains(['\n', '\r', '\0']);
    if name.is_empty() || name.contains(':') || breaks(name) || breaks(value) {
        return Err(Error::usage(format!(
            "the header '{}' of {command} cannot be sent: it holds a line end, a NUL, or has no proper name",
            name.escape_debug()
        ))
        .hint("write it on one line"));
    }
    let length = name.len() + 1 + value.len();
    if length > MAX_SENT_LINE {
        return Err(Error::usage(format!(
            "the header '{name}' of {command} is {length} bytes long; ISE reads at most {MAX_SENT_LINE}"
        ))
        .hint("shorten it; a longer filter can be applied on this side with --where"));
    }
    Ok(())
}
