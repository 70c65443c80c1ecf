//! TNS packets: how the bytes of a connection are cut into packets. What they mean is not here.

/// Client to server: who wants what.
pub(super) const CONNECT: u8 = 1;
/// The connection stands.
pub(super) const ACCEPT: u8 = 2;
/// The listener does not want it.
pub(super) const REFUSE: u8 = 4;
/// The listener names another address.
pub(super) const REDIRECT: u8 = 5;
/// Carries messages.
pub(super) const DATA: u8 = 6;
/// The client is to send its CONNECT again.
pub(super) const RESEND: u8 = 11;
/// Break, reset, interrupt.
pub(super) const MARKER: u8 = 12;

/// Marker of the side that has an error while the other may still send.
pub(super) const BREAK: u8 = 1;
/// Marker that clears the line.
pub(super) const RESET: u8 = 2;
/// Marker of a client that wants no more of a statement.
pub(super) const INTERRUPT: u8 = 3;

/// Of a DATA packet: the answer ends with it.
const END_OF_RESPONSE: u16 = 0x2000;
/// Of a DATA packet: its sender leaves.
const END_OF_FILE: u16 = 0x0040;
/// Of a REDIRECT packet: address and connect data are two texts.
pub(super) const TWO_TEXTS: u8 = 0x02;
/// Of a CONNECT packet: it was redirected here.
pub(super) const REDIRECTED: u8 = 0x04;

const HEAD: usize = 8;
/// No packet of a client is longer.
const LONGEST: usize = 2 * 1024 * 1024;

/// A packet without its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) body: Vec<u8>,
}

impl Packet {
    /// What a DATA packet carries, and whether its sender leaves.
    pub(super) fn payload(&self) -> Option<(&[u8], bool)> {
        let (flags, payload) = self.body.split_first_chunk::<2>()?;
        let leaves = u16::from_be_bytes(*flags) & END_OF_FILE != 0;
        Some((payload, leaves))
    }
}

/// Bytes that are no packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Cuts what comes into packets. Before ACCEPT a length has two bytes, then four (`wide`).
#[derive(Debug, Default)]
pub(super) struct Framing {
    bytes: Vec<u8>,
}

impl Framing {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole packet.
    pub(super) fn next(&mut self, wide: bool) -> Result<Option<Packet>, Malformed> {
        let Some(head) = self.bytes.first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let [a, b, c, d, kind, flags, ..] = *head;
        let length = if wide {
            u32::from_be_bytes([a, b, c, d])
        } else {
            u32::from(u16::from_be_bytes([a, b]))
        };
        let length = usize::try_from(length).map_err(|_| Malformed)?;
        if !(HEAD..=LONGEST).contains(&length) {
            return Err(Malformed);
        }
        if self.bytes.len() < length {
            return Ok(None);
        }
        let rest = self.bytes.split_off(length);
        let whole = std::mem::replace(&mut self.bytes, rest);
        Ok(Some(Packet {
            kind,
            flags,
            body: whole.get(HEAD..).unwrap_or_default().to_vec(),
        }))
    }
}

/// A packet's bytes.
pub(super) fn packet(kind: u8, flags: u8, body: &[u8], wide: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + body.len());
    head(kind, flags, body.len(), wide, &mut bytes);
    bytes.extend_from_slice(body);
    bytes
}

/// What stands before a body of so many bytes.
fn head(kind: u8, flags: u8, body: usize, wide: bool, bytes: &mut Vec<u8>) {
    let length = u32::try_from(HEAD + body).unwrap_or(u32::MAX);
    if wide {
        bytes.extend_from_slice(&length.to_be_bytes());
    } else {
        let short = u16::try_from(length).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&short.to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
    }
    bytes.extend_from_slice(&[kind, flags, 0, 0]);
}

/// A MARKER packet.
pub(super) fn marker(what: u8) -> Vec<u8> {
    packet(MARKER, 0, &[1, 0, what], true)
}

/// `payload` in DATA packets of at most `sdu` bytes; the last says that the answer ends if
/// `says_end`.
pub(super) fn data(payload: &[u8], sdu: usize, wide: bool, says_end: bool) -> Vec<u8> {
    let room = sdu.saturating_sub(HEAD + 2).max(1);
    let count = payload.len().div_ceil(room);
    let mut bytes = Vec::with_capacity(payload.len() + count * (HEAD + 2));
    for (number, part) in payload.chunks(room).enumerate() {
        let last = number + 1 == count;
        let flags = if last && says_end { END_OF_RESPONSE } else { 0 };
        head(DATA, 0, 2 + part.len(), wide, &mut bytes);
        bytes.extend_from_slice(&flags.to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_whole_however_they_come_in() {
        for wide in [false, true] {
            let mut bytes = packet(CONNECT, 4, b"abc", wide);
            bytes.extend(packet(DATA, 0, &[0, 0x40], wide));
            let mut framing = Framing::default();
            let mut found = Vec::new();
            for byte in bytes {
                framing.push(&[byte]);
                found.extend(framing.next(wide).unwrap());
            }
            assert_eq!(found.len(), 2);
            assert_eq!((found[0].kind, found[0].flags), (CONNECT, 4));
            assert_eq!(found[0].body, b"abc");
            assert_eq!(found[1].payload(), Some((&[][..], true)));
        }
        let mut framing = Framing::default();
        framing.push(&[0, 7, 0, 0, 6, 0, 0, 0]);
        assert_eq!(framing.next(false), Err(Malformed));
        framing = Framing::default();
        framing.push(&[0xFF, 0, 0, 0, 6, 0, 0, 0]);
        assert_eq!(framing.next(true), Err(Malformed));
    }

    #[test]
    fn an_answer_is_cut_by_the_sdu_and_its_end_is_marked_once() {
        let bytes = data(&[7; 25], 20, true, true);
        let mut framing = Framing::default();
        framing.push(&bytes);
        let mut flags = Vec::new();
        while let Some(packet) = framing.next(true).unwrap() {
            flags.push(packet.body[0]);
        }
        assert_eq!(flags, [0, 0, 0x20]);
    }
}
