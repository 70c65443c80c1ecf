//! A connection that packets travel on: reading with time limits and the stage named, the exchange
//! of markers after which both sides begin anew.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use super::packet::{self, Marker, Packet};
use super::reader::{Fault, Read, Reader};
use crate::error::{Error, Kind, Result};
use crate::transport::{Connection, HandshakeNotes, tls_error};

/// Most bytes of a message that is not whole yet.
const MOST_UNREAD: usize = 64 << 20;

/// Bytes that were read are dropped when there are so many.
const DROP_FROM: usize = 256 << 10;

/// How long a server may take to obey an interrupt.
pub(super) const OBEYING: Duration = Duration::from_millis(400);

/// How long a statement may keep us waiting, and who may stop it.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The time for which a statement may keep us waiting, all its rows together.
    pub statement: Duration,
    /// The number of the signal that asks to stop; 0: none has.
    pub stopped: watch::Receiver<i32>,
}

/// Why waiting ended.
#[derive(Debug)]
pub(super) enum Halt {
    /// It failed.
    Failed(Error),
    /// The time is over.
    Late,
    /// A signal came.
    Stopped(i32),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What to wait for, and until when.
pub(super) struct Patience<'p> {
    /// What the server is to do.
    pub(super) stage: &'static str,
    pub(super) until: Instant,
    pub(super) stopped: Option<&'p mut watch::Receiver<i32>>,
}

impl Patience<'_> {
    pub(super) fn until(stage: &'static str, until: Instant) -> Self {
        Self {
            stage,
            until,
            stopped: None,
        }
    }
}

/// What a packet brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// Bytes of messages.
    Data,
    /// The server broke off, and begins anew with an error.
    Reset,
}

/// The connection.
pub(super) struct Wire {
    stream: TlsStream<Connection>,
    seen: HandshakeNotes,
    /// For messages.
    host: String,
    /// Whether lengths have four bytes.
    long: bool,
    /// Longest packet to send.
    most: usize,
    incoming: Vec<u8>,
    messages: Vec<u8>,
    at: usize,
}

impl Wire {
    pub(super) fn new(stream: TlsStream<Connection>, seen: HandshakeNotes, host: String) -> Self {
        Self {
            stream,
            seen,
            host,
            long: false,
            most: usize::from(super::greeting::SDU),
            incoming: Vec::with_capacity(64 << 10),
            messages: Vec::new(),
            at: 0,
        }
    }

    /// From the server's acceptance on.
    pub(super) fn accepted(&mut self, most: usize) {
        self.long = true;
        self.most = most;
    }

    /// The stream, for another handshake on it; nothing may have come beyond what was read.
    pub(super) fn into_stream(self) -> Result<TlsStream<Connection>> {
        if self.incoming.is_empty() {
            Ok(self.stream)
        } else {
            Err(self.malformed("bytes where a new TLS handshake was to begin"))
        }
    }

    /// An answer that breaks the protocol's rules.
    pub(super) fn malformed(&self, what: &str) -> Error {
        Error::new(
            Kind::Malformed,
            format!("the answer of {} is not what Data Connect's is: {what}", self.host),
        )
        .hint("is this the port of Data Connect (2484)? `netapi ise dc status --verbose` shows what the server says of itself")
        .host(self.host.clone())
    }

    /// It did not answer in time; `allowed` is the whole time it had.
    pub(super) fn late(&self, stage: &str, allowed: Duration) -> Error {
        Error::new(
            Kind::TimedOut,
            format!("{} did not answer within {allowed:?} ({stage})", self.host),
        )
        .host(self.host.clone())
    }

    fn lost(&self, stage: &str, error: Option<&std::io::Error>) -> Error {
        if let Some(told) =
            error.and_then(|error| tls_error::explain_io(&self.host, error, &self.seen))
        {
            return told;
        }
        let why = match error {
            Some(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
                format!("the connection broke: {error}")
            }
            _ => "the connection was closed".to_owned(),
        };
        Error::new(Kind::Connect, format!("{}: {why} ({stage})", self.host))
            .hint("does Data Connect run on this node, and is it the one that ISE names? `netapi ise dc status`")
            .host(self.host.clone())
    }

    pub(super) async fn send(
        &mut self,
        bytes: &[u8],
        patience: &Patience<'_>,
    ) -> std::result::Result<(), Halt> {
        let sending = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match timeout_at(patience.until, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.lost(patience.stage, Some(&error)).into()),
            Err(_) => Err(Halt::Late),
        }
    }

    /// Sends a message in packets.
    pub(super) async fn send_message(
        &mut self,
        message: &[u8],
        patience: &Patience<'_>,
    ) -> std::result::Result<(), Halt> {
        let bytes = packet::write_message(message, self.most);
        self.send(&bytes, patience).await
    }

    /// The next packet, of whatever kind.
    pub(super) async fn packet(
        &mut self,
        patience: &mut Patience<'_>,
    ) -> std::result::Result<Packet, Halt> {
        loop {
            match Packet::read(&self.incoming, self.long) {
                Ok((packet, length)) => {
                    self.incoming.drain(..length);
                    return Ok(packet);
                }
                Err(Fault::Malformed(what)) => return Err(self.malformed(what).into()),
                Err(Fault::Incomplete(_)) => self.read(patience).await?,
            }
        }
    }

    async fn read(&mut self, patience: &mut Patience<'_>) -> std::result::Result<(), Halt> {
        let reading = timeout_at(patience.until, self.stream.read_buf(&mut self.incoming));
        let came = match &mut patience.stopped {
            None => reading.await,
            Some(stopped) => tokio::select! {
                biased;
                signal = stopped_by(stopped) => return Err(Halt::Stopped(signal)),
                came = reading => came,
            },
        };
        match came {
            Ok(Ok(0)) => Err(self.lost(patience.stage, None).into()),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.lost(patience.stage, Some(&error)).into()),
            Err(_) => Err(Halt::Late),
        }
    }

    /// Takes in one more packet of messages.
    pub(super) async fn more(
        &mut self,
        patience: &mut Patience<'_>,
    ) -> std::result::Result<Came, Halt> {
        loop {
            let packet = self.packet(patience).await?;
            match packet.kind {
                packet::DATA => {
                    self.take_in(&packet.content)?;
                    return Ok(Came::Data);
                }
                packet::MARKER => {
                    self.begin_anew(&packet, patience).await?;
                    return Ok(Came::Reset);
                }
                // The server says that it will not take more work, or something of out-of-band
                // data; the error itself comes with the next answer.
                packet::CONTROL => {}
                _ => return Err(self.malformed("a packet of another kind").into()),
            }
        }
    }

    fn take_in(&mut self, content: &[u8]) -> Result<()> {
        if self.at == self.messages.len() || self.at > DROP_FROM {
            self.messages.drain(..self.at);
            self.at = 0;
        }
        if self.messages.len() - self.at + content.len() > MOST_UNREAD {
            return Err(self.malformed("a message is over 64 MiB"));
        }
        self.messages.extend_from_slice(content);
        Ok(())
    }

    /// After the server's marker: ours, what is left of before, the server's, and the error.
    async fn begin_anew(
        &mut self,
        first: &Packet,
        patience: &mut Patience<'_>,
    ) -> std::result::Result<(), Halt> {
        self.messages.clear();
        self.at = 0;
        self.send(&packet::write_marker(Marker::Reset), patience)
            .await?;
        let mut packet = first.clone();
        while packet.kind != packet::MARKER || Marker::read(&packet.content) != Marker::Reset {
            packet = self.packet(patience).await?;
        }
        while packet.kind != packet::DATA {
            packet = self.packet(patience).await?;
        }
        self.take_in(&packet.content)?;
        Ok(())
    }

    /// Asks the server to stop what it does.
    pub(super) async fn interrupt(&mut self, until: Instant) -> std::result::Result<(), Halt> {
        let patience = Patience::until("the interrupt", until);
        self.send(&packet::write_marker(Marker::Interrupt), &patience)
            .await
    }

    /// Reads one thing out of the messages, as soon as it is there. `None`: the server broke off,
    /// and what follows is an error.
    pub(super) async fn read_one<T>(
        &mut self,
        patience: &mut Patience<'_>,
        mut read: impl FnMut(&mut Reader<'_>) -> Read<T>,
    ) -> std::result::Result<Option<T>, Halt> {
        loop {
            let unread = self.messages.get(self.at..).unwrap_or_default();
            let mut reader = Reader::new(unread);
            match read(&mut reader) {
                Ok(one) => {
                    self.at += reader.position();
                    return Ok(Some(one));
                }
                Err(Fault::Malformed(what)) => return Err(self.malformed(what).into()),
                Err(Fault::Incomplete(needed)) => {
                    while self.messages.len() - self.at < needed {
                        if self.more(patience).await? == Came::Reset {
                            return Ok(None);
                        }
                    }
                }
            }
        }
    }

    /// Whether there is something to read without waiting.
    pub(super) fn has_unread(&self) -> bool {
        self.at < self.messages.len()
    }

    /// Ends the connection in good order.
    pub(super) async fn shut_down(mut self, until: Instant) {
        let _ = timeout_at(until, self.stream.shutdown()).await;
    }
}

async fn stopped_by(stopped: &mut watch::Receiver<i32>) -> i32 {
    match stopped.wait_for(|signal| *signal != 0).await {
        Ok(signal) => *signal,
        // Nobody is left who could ask.
        Err(_) => std::future::pending().await,
    }
}
