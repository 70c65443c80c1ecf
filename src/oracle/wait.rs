//! A connection that packets travel on: reading with time limits and the stage named, the exchange
//! of markers after which both sides begin anew.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use super::packet::{self, Marker, Packet, PacketIn};
use super::reader::{Fault, Read, Reader};
use crate::error::{Error, Kind, Result};
use crate::transport::{Connection, HandshakeNotes, tls_error};

/// Most bytes of a message that is not whole yet.
const MOST_UNREAD: usize = 64 << 20;

/// After so many readings of one thing, none of which was enough, the clock is looked at.
const MANY_READINGS: u32 = 64;

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

    /// Whether it is over, also where there is always something to read.
    fn check(&self) -> std::result::Result<(), Halt> {
        let stopped = self.stopped.as_ref();
        match stopped.map_or(0, |stopped| *stopped.borrow()) {
            0 if Instant::now() < self.until => Ok(()),
            0 => Err(Halt::Late),
            signal => Err(Halt::Stopped(signal)),
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
    /// What came, as far as it was not taken in.
    incoming: Unread,
    /// What the data packets carried.
    messages: Unread,
}

/// Bytes of which the first were read already.
#[derive(Debug, Default)]
struct Unread {
    bytes: Vec<u8>,
    at: usize,
}

impl Unread {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn pass(&mut self, count: usize) {
        self.at = (self.at + count).min(self.bytes.len());
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.at = 0;
    }

    /// The buffer, for more to be read into. What was read is dropped as soon as it is the larger part: each
    /// byte is moved once at most.
    fn room(&mut self) -> &mut Vec<u8> {
        if self.at >= self.len() {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
        &mut self.bytes
    }

    /// Whether there is room for them.
    fn append(&mut self, bytes: &[u8]) -> bool {
        let fits = self.len() + bytes.len() <= MOST_UNREAD;
        if fits {
            self.room().extend_from_slice(bytes);
        }
        fits
    }
}

impl Wire {
    pub(super) fn new(stream: TlsStream<Connection>, seen: HandshakeNotes, host: String) -> Self {
        Self {
            stream,
            seen,
            host,
            long: false,
            most: usize::from(super::greeting::SDU),
            incoming: Unread {
                bytes: Vec::with_capacity(64 << 10),
                at: 0,
            },
            messages: Unread::default(),
        }
    }

    /// From the server's acceptance on.
    pub(super) fn accepted(&mut self, most: usize) {
        self.long = true;
        self.most = most;
    }

    /// The stream, for another handshake on it; nothing may have come beyond what was read.
    pub(super) fn into_stream(self) -> Result<TlsStream<Connection>> {
        if self.incoming.len() == 0 {
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

    /// What cannot be read, nor will be when more has come.
    fn unreadable(&self, fault: Fault) -> Error {
        match fault {
            Fault::Malformed(what) => self.malformed(what),
            Fault::Incomplete(_) => self.malformed("it is too short"),
            Fault::TooLong => Error::new(
                Kind::Malformed,
                format!(
                    "{}: a value is over 16 MiB, and no longer one is read",
                    self.host
                ),
            )
            .hint("leave its column out, or read a part of it: DBMS_LOB.SUBSTR(column, 4000)")
            .host(self.host.clone()),
        }
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
            match Packet::read(self.incoming.rest(), self.long) {
                Ok((packet, length)) => {
                    self.incoming.pass(length);
                    return Ok(packet);
                }
                Err(Fault::Incomplete(_)) => self.read(patience).await?,
                Err(fault) => return Err(self.unreadable(fault).into()),
            }
        }
    }

    async fn read(&mut self, patience: &mut Patience<'_>) -> std::result::Result<(), Halt> {
        // What has always something to read would never come to look at the clock.
        patience.check()?;
        let into = self.incoming.room();
        let reading = timeout_at(patience.until, self.stream.read_buf(into));
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
            if self.data_at_hand()? {
                return Ok(Came::Data);
            }
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
        if self.messages.append(content) {
            Ok(())
        } else {
            Err(self.malformed("a message is over 64 MiB"))
        }
    }

    /// Takes in the data packet that is there whole, if one is: straight out of the buffer.
    fn data_at_hand(&mut self) -> Result<bool> {
        let packet = match PacketIn::read(self.incoming.rest(), self.long) {
            Ok(packet) if packet.kind == packet::DATA => packet,
            _ => return Ok(false),
        };
        let (length, fits) = (packet.length, self.messages.append(packet.content));
        self.incoming.pass(length);
        if fits {
            Ok(true)
        } else {
            Err(self.malformed("a message is over 64 MiB"))
        }
    }

    /// After the server's marker: ours, what is left of before, the server's, and the error.
    async fn begin_anew(
        &mut self,
        first: &Packet,
        patience: &mut Patience<'_>,
    ) -> std::result::Result<(), Halt> {
        self.messages.clear();
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

    /// Reads one thing out of the messages, if it is there whole.
    pub(super) fn at_hand<T>(
        &mut self,
        read: impl FnOnce(&mut Reader<'_>) -> Read<T>,
    ) -> Result<Option<T>> {
        let mut reader = Reader::new(self.messages.rest());
        match read(&mut reader) {
            Ok(one) => {
                let length = reader.position();
                self.messages.pass(length);
                Ok(Some(one))
            }
            Err(Fault::Incomplete(_)) => Ok(None),
            Err(fault) => Err(self.unreadable(fault)),
        }
    }

    /// Reads one thing out of the messages, as soon as it is there. `None`: the server broke off,
    /// and what follows is an error.
    pub(super) async fn read_one<T>(
        &mut self,
        patience: &mut Patience<'_>,
        mut read: impl FnMut(&mut Reader<'_>) -> Read<T>,
    ) -> std::result::Result<Option<T>, Halt> {
        let mut readings = 0;
        loop {
            let mut reader = Reader::new(self.messages.rest());
            match read(&mut reader) {
                Ok(one) => {
                    let length = reader.position();
                    self.messages.pass(length);
                    return Ok(Some(one));
                }
                Err(Fault::Incomplete(needed)) => {
                    // What is read again and again for each small packet takes time, too.
                    readings += 1;
                    if readings > MANY_READINGS {
                        patience.check()?;
                    }
                    while self.messages.len() < needed {
                        if self.more(patience).await? == Came::Reset {
                            return Ok(None);
                        }
                    }
                }
                Err(fault) => return Err(self.unreadable(fault).into()),
            }
        }
    }

    /// Whether there is something to read without waiting.
    pub(super) fn has_unread(&self) -> bool {
        self.messages.len() > 0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_comes_out_once_however_it_is_read() {
        let whole: Vec<u8> = (0..=255).cycle().take(20_000).collect();
        for (part, step) in [(1, 1), (7, 300), (300, 7), (8192, 280)] {
            let (mut unread, mut read) = (Unread::default(), Vec::new());
            for part in whole.chunks(part) {
                assert!(unread.append(part));
                while unread.len() >= step {
                    read.extend_from_slice(&unread.rest()[..step]);
                    unread.pass(step);
                }
                // What was read does not pile up.
                assert!(unread.bytes.len() <= 2 * (step + part.len()));
            }
            read.extend_from_slice(unread.rest());
            assert_eq!(read, whole);
        }
        let mut unread = Unread::default();
        assert!(unread.append(&vec![0; MOST_UNREAD]));
        assert!(!unread.append(&[0]));
        unread.pass(1);
        assert!(unread.append(&[0]));
    }
}
