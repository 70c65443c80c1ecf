//! The integers and byte strings of TTC messages, read and written. An integer is a byte of length
//! and so many bytes, big end first; a string is a byte of length and so many bytes, or 254 and
//! pieces, of which the last is empty.

/// Why a message could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReadError {
    /// The rest of it has not come yet.
    Short,
    /// It says something that this lab does not understand.
    Wrong(String),
}

/// Says that a string comes in pieces.
const PIECES: u8 = 254;
/// The longest string with one byte of length.
const SHORT: usize = 252;
/// The longest piece.
const PIECE: usize = 32_767;

type Read<T> = Result<T, ReadError>;

/// Reads a message from its beginning.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(ReadError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(ReadError::Short)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Read<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn u16(&mut self) -> Read<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// An integer with its length; a set first bit of the length makes it negative, which none of
    /// a request is.
    pub(super) fn integer(&mut self) -> Read<u64> {
        let length = self.u8()?;
        if length > 8 {
            return Err(ReadError::Wrong(format!("an integer of {length} bytes")));
        }
        let bytes = self.take(usize::from(length))?;
        Ok(bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// [`integer`](Self::integer) that counts something.
    pub(super) fn count(&mut self) -> Read<usize> {
        let value = self.integer()?;
        usize::try_from(value)
            .ok()
            .filter(|count| *count <= 65_535)
            .ok_or_else(|| ReadError::Wrong(format!("{value} of something")))
    }

    /// A string; `None` is NULL, which is also the empty one.
    pub(super) fn string(&mut self) -> Read<Option<Vec<u8>>> {
        match self.u8()? {
            0 | 255 => Ok(None),
            PIECES => {
                let mut whole = Vec::new();
                loop {
                    let length = usize::try_from(self.integer()?).unwrap_or(usize::MAX);
                    if length == 0 {
                        return Ok(Some(whole));
                    }
                    whole.extend_from_slice(self.take(length)?);
                }
            }
            length => Ok(Some(self.take(usize::from(length))?.to_vec())),
        }
    }

    /// A string behind another length, which is 0 for none.
    pub(super) fn counted_string(&mut self) -> Read<Option<Vec<u8>>> {
        if self.integer()? == 0 {
            return Ok(None);
        }
        self.string()
    }

    /// Up to a zero byte.
    pub(super) fn terminated(&mut self) -> Read<&'a [u8]> {
        let end = memchr::memchr(0, self.rest).ok_or(ReadError::Short)?;
        let text = self.take(end)?;
        self.u8()?;
        Ok(text)
    }
}

/// Writes a message.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn u16_little(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn integer(&mut self, value: u64) {
        let bytes = value.to_be_bytes();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        // Lengths that servers write: 0, 1, 2, 4, 8.
        let length = match 8 - zeros {
            3 => 4,
            5..=7 => 8,
            other => other,
        };
        self.u8(u8::try_from(length).unwrap_or(8));
        self.raw(bytes.get(8 - length..).unwrap_or_default());
    }

    pub(super) fn zeros(&mut self, count: usize) {
        self.bytes.resize(self.bytes.len() + count, 0);
    }

    pub(super) fn string(&mut self, bytes: &[u8]) {
        if let Ok(length @ 0..=252) = u8::try_from(bytes.len()) {
            self.u8(length);
            self.raw(bytes);
            return;
        }
        debug_assert!(bytes.len() > SHORT);
        self.u8(PIECES);
        for piece in bytes.chunks(PIECE) {
            self.integer(piece.len() as u64);
            self.raw(piece);
        }
        self.u8(0);
    }

    pub(super) fn counted_string(&mut self, bytes: &[u8]) {
        self.integer(bytes.len() as u64);
        if !bytes.is_empty() {
            self.string(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_a_part_of_it_is_short() {
        let long = vec![b'x'; 70_000];
        let mut writer = Writer::default();
        for value in [0, 1, 255, 256, 70_000, 1 << 40] {
            writer.integer(value);
        }
        writer.string(b"abc");
        writer.string(&long);
        writer.counted_string(b"");
        writer.counted_string(&long[..253]);
        assert_eq!(writer.bytes[..9], [0, 1, 1, 1, 255, 2, 1, 0, 4]);
        let mut reader = Reader::new(&writer.bytes);
        for value in [0, 1, 255, 256, 70_000, 1 << 40] {
            assert_eq!(reader.integer().unwrap(), value);
        }
        assert_eq!(reader.string().unwrap().unwrap(), b"abc");
        assert_eq!(reader.string().unwrap().unwrap(), long);
        assert_eq!(reader.counted_string().unwrap(), None);
        assert_eq!(reader.counted_string().unwrap().unwrap().len(), 253);
        assert_eq!(reader.u8(), Err(ReadError::Short));
        let mut cut = Reader::new(&writer.bytes[30..100]);
        assert_eq!(cut.string(), Err(ReadError::Short));
    }

    #[test]
    fn a_length_that_lies_is_wrong() {
        assert!(matches!(
            Reader::new(&[9, 0]).integer(),
            Err(ReadError::Wrong(_))
        ));
        assert!(matches!(
            Reader::new(&[4, 0xFF, 0xFF, 0xFF, 0xFF]).count(),
            Err(ReadError::Wrong(_))
        ));
    }
}
