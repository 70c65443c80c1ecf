//! Packets (TNS): a length, a type, flags, and what they carry. Messages lie in data packets and
//! may begin and end in the middle of one.

use super::reader::{Fault, Read, Reader};
use super::writer::Writer;

/// The head of every packet.
pub(super) const HEAD: usize = 8;

/// What a data packet has behind its head: its own flags.
const DATA_FLAGS: usize = 2;

/// Flag of a data packet: its sender leaves.
const END_OF_FILE: u8 = 0x40;

/// No packet is longer: the largest that both sides can agree on.
pub(super) const MOST_PACKET: usize = 2 << 20;

pub(super) const CONNECT: u8 = 1;
pub(super) const ACCEPT: u8 = 2;
pub(super) const REFUSE: u8 = 4;
pub(super) const REDIRECT: u8 = 5;
pub(super) const DATA: u8 = 6;
pub(super) const RESEND: u8 = 11;
pub(super) const MARKER: u8 = 12;
pub(super) const CONTROL: u8 = 14;

/// No packet has a higher type.
const LAST_KIND: u8 = 19;

/// Flag of a packet: the connection was redirected here.
pub(super) const REDIRECTED: u8 = 0x04;

/// Flag of a packet: shake hands again on the same connection.
pub(super) const TLS_AGAIN: u8 = 0x08;

/// What a marker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// The server stops what it does.
    Break,
    /// Both begin anew.
    Reset,
    /// The client wants it to stop.
    Interrupt,
}

impl Marker {
    const fn byte(self) -> u8 {
        match self {
            Self::Break => 1,
            Self::Reset => 2,
            Self::Interrupt => 3,
        }
    }

    /// Out of a marker packet's content.
    pub(super) fn read(content: &[u8]) -> Self {
        match content.get(2) {
            Some(2) => Self::Reset,
            // Older servers send a marker that says nothing when they stop.
            Some(_) | None => Self::Break,
        }
    }
}

/// A packet that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// Without the head; of a data packet, without its flags.
    pub(super) content: Vec<u8>,
}

/// A packet that lies in a buffer.
pub(super) struct PacketIn<'b> {
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// Without the head; of a data packet, without its flags.
    pub(super) content: &'b [u8],
    /// With the head.
    pub(super) length: usize,
}

impl<'b> PacketIn<'b> {
    /// Reads the packet that `bytes` begin with. `long`: lengths have four bytes, as from the
    /// server's acceptance on.
    pub(super) fn read(bytes: &'b [u8], long: bool) -> Read<Self> {
        let mut reader = Reader::new(bytes);
        let length = if long {
            usize::try_from(reader.u32_be()?).unwrap_or(usize::MAX)
        } else {
            let length = usize::from(reader.u16_be()?);
            reader.u16_be()?;
            length
        };
        let kind = reader.u8()?;
        // Another protocol is told by its first bytes: what follows them need not be waited for.
        if !(CONNECT..=LAST_KIND).contains(&kind) {
            return Err(Fault::Malformed("it speaks another protocol"));
        }
        let flags = reader.u8()?;
        reader.u16_be()?;
        if !(HEAD..=MOST_PACKET).contains(&length) {
            return Err(Fault::Malformed("a packet's length"));
        }
        let mut content = reader.take(length - HEAD)?;
        if kind == DATA {
            content = content
                .get(DATA_FLAGS..)
                .ok_or(Fault::Malformed("a data packet is too short"))?;
        }
        Ok(Self {
            kind,
            flags,
            content,
            length,
        })
    }
}

impl Packet {
    /// The same, kept beyond the buffer, and how long it is.
    pub(super) fn read(bytes: &[u8], long: bool) -> Read<(Self, usize)> {
        let packet = PacketIn::read(bytes, long)?;
        let kept = Self {
            kind: packet.kind,
            flags: packet.flags,
            content: packet.content.to_vec(),
        };
        Ok((kept, packet.length))
    }
}

/// One packet of `kind`, as bytes.
pub(super) fn write(kind: u8, flags: u8, content: &[u8], long: bool) -> Vec<u8> {
    let own = if kind == DATA { DATA_FLAGS } else { 0 };
    let length = HEAD + own + content.len();
    let mut writer = Writer(Vec::with_capacity(length));
    if long {
        writer.u32_be(u32::try_from(length).unwrap_or(u32::MAX));
    } else {
        writer.u16_be(u16::try_from(length).unwrap_or(u16::MAX));
        writer.u16_be(0);
    }
    writer.u8(kind);
    writer.u8(flags);
    writer.u16_be(0);
    writer.zeros(own);
    writer.raw(content);
    writer.0
}

/// A message in as many data packets as it takes, each at most `most` bytes long.
pub(super) fn write_message(message: &[u8], most: usize) -> Vec<u8> {
    let room = most.saturating_sub(HEAD + DATA_FLAGS).max(1);
    let parts = message.chunks(room);
    parts.flat_map(|part| write(DATA, 0, part, true)).collect()
}

/// A marker's packet.
pub(super) fn write_marker(marker: Marker) -> Vec<u8> {
    write(MARKER, 0, &[1, 0, marker.byte()], true)
}

/// The packet that says that nothing more will come.
pub(super) fn write_end() -> Vec<u8> {
    let mut packet = write(DATA, 0, &[], true);
    if let [.., flags] = packet.as_mut_slice() {
        *flags = END_OF_FILE;
    }
    packet
}

/// For a fuzzer: packets of either form, and what a listener answers.
pub(super) fn read_anything(bytes: &[u8]) {
    for long in [false, true] {
        let mut rest = bytes;
        while let Ok((packet, length)) = Packet::read(rest, long) {
            let _ = Marker::read(&packet.content);
            super::greeting::read_anything(&packet);
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_to_the_agreed_length_and_comes_back_whole() {
        let message: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let bytes = write_message(&message, 100);
        let (mut rest, mut back) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let (packet, length) = Packet::read(rest, true).unwrap();
            assert!(length <= 100 && packet.kind == DATA);
            back.extend(packet.content);
            rest = &rest[length..];
        }
        assert_eq!(back, message);
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let lies = |length: u32| [&length.to_be_bytes()[..], &[6, 0, 0, 0, 0, 0]].concat();
        for length in [0, 7, 3 << 20, u32::MAX] {
            let read = Packet::read(&lies(length), true);
            assert!(matches!(read, Err(Fault::Malformed(_))), "{length}");
        }
        assert_eq!(Packet::read(&lies(100), true), Err(Fault::Incomplete(100)));
        // A data packet without room for its flags.
        assert!(matches!(
            Packet::read(&lies(9), true),
            Err(Fault::Malformed(_))
        ));
    }
}
