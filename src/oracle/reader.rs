//! Reads integers, texts and lists of bytes out of what a server has sent so far.
//!
//! Every length is a claim of the other side: it is held against a bound and against what is there.
//! What is not there yet is [`Fault::Incomplete`], with the number of bytes that it takes, so that
//! a caller does not read the same again for each packet.

/// No single value is longer; Data Connect's longest texts have 32,767 bytes, CLOBs some more.
pub(super) const MOST_VALUE: usize = 16 << 20;

/// Why something could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// So many bytes must be there, counted from the first.
    Incomplete(usize),
    /// It is not what the protocol has there.
    Malformed(&'static str),
    /// A value is longer than [`MOST_VALUE`].
    TooLong,
}

/// What reading comes to.
pub(super) type Read<T> = std::result::Result<T, Fault>;

/// Bytes, and how far they were read.
#[derive(Debug, Clone)]
pub(super) struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Read<&'b [u8]> {
        if count > MOST_VALUE {
            return Err(Fault::Malformed("a length is over 16 MiB"));
        }
        let end = self.at + count;
        let taken = self.bytes.get(self.at..end);
        let taken = taken.ok_or(Fault::Incomplete(end))?;
        self.at = end;
        Ok(taken)
    }

    /// The next bytes, as many as the array has.
    pub(super) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let taken = self.take(N)?;
        taken
            .try_into()
            .map_err(|_| Fault::Malformed("a fixed length"))
    }

    pub(super) fn u8(&mut self) -> Read<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16_be(&mut self) -> Read<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u16_le(&mut self) -> Read<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32_be(&mut self) -> Read<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// An integer with its length in front, at most `most` bytes long, and whether it is negative.
    fn signed(&mut self, most: u8) -> Read<(u64, bool)> {
        let head = self.u8()?;
        let length = head & 0x7f;
        if length > most {
            return Err(Fault::Malformed("an integer is too long"));
        }
        let bytes = self.take(usize::from(length))?;
        let value = bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte));
        Ok((value, head & 0x80 != 0))
    }

    fn unsigned(&mut self, most: u8) -> Read<u64> {
        match self.signed(most)? {
            (value, false) => Ok(value),
            (_, true) => Err(Fault::Malformed("a negative integer where none can be")),
        }
    }

    /// An unsigned integer of at most two bytes.
    pub(super) fn ub2(&mut self) -> Read<u16> {
        let value = self.unsigned(2)?;
        u16::try_from(value).map_err(|_| Fault::Malformed("an integer is too long"))
    }

    /// An unsigned integer of at most four bytes.
    pub(super) fn ub4(&mut self) -> Read<u32> {
        let value = self.unsigned(4)?;
        u32::try_from(value).map_err(|_| Fault::Malformed("an integer is too long"))
    }

    /// An unsigned integer of at most eight bytes.
    pub(super) fn ub8(&mut self) -> Read<u64> {
        self.unsigned(8)
    }

    /// A signed integer of at most four bytes.
    pub(super) fn sb4(&mut self) -> Read<i64> {
        let (value, negative) = self.signed(4)?;
        let value = i64::try_from(value).map_err(|_| Fault::Malformed("an integer is too long"))?;
        Ok(if negative { -value } else { value })
    }

    /// Passes over `count` integers of any length.
    pub(super) fn skip_integers(&mut self, count: usize) -> Read<()> {
        for _ in 0..count {
            self.signed(8)?;
        }
        Ok(())
    }

    /// A list of bytes with its length in front, or in parts, into `into`. `false`: it is null.
    pub(super) fn bytes(&mut self, into: &mut Vec<u8>) -> Read<bool> {
        into.clear();
        self.parts(|part| into.extend_from_slice(part))
    }

    /// Passes over a list of bytes.
    pub(super) fn skip_bytes(&mut self) -> Read<()> {
        self.parts(|_| {}).map(drop)
    }

    fn parts(&mut self, mut each: impl FnMut(&'b [u8])) -> Read<bool> {
        match self.u8()? {
            0 | 255 => return Ok(false),
            254 => {}
            length => {
                each(self.take(usize::from(length))?);
                return Ok(true);
            }
        }
        let mut whole = 0usize;
        loop {
            let length = usize::try_from(self.ub4()?).unwrap_or(usize::MAX);
            if length == 0 {
                return Ok(true);
            }
            whole = whole.saturating_add(length);
            // One part alone is never so long.
            if whole > MOST_VALUE && length <= MOST_VALUE {
                return Err(Fault::TooLong);
            }
            each(self.take(length)?);
        }
    }

    /// A list of bytes behind an integer that says whether there is one.
    pub(super) fn counted_bytes(&mut self) -> Read<Vec<u8>> {
        let mut bytes = Vec::new();
        if self.ub4()? > 0 {
            self.bytes(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// The same as text; a byte that is no UTF-8 is replaced.
    pub(super) fn counted_text(&mut self) -> Read<String> {
        let bytes = self.counted_bytes()?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Bytes up to a zero, which is passed over.
    pub(super) fn until_zero(&mut self) -> Read<&'b [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == 0);
        let end = end.ok_or(Fault::Incomplete(self.bytes.len() + 1))?;
        let text = self.take(end)?;
        self.take(1)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_their_length_in_front() {
        for (bytes, value) in [
            (&[0][..], 0),
            (&[1, 7][..], 7),
            (&[2, 1, 0][..], 256),
            (&[4, 0xff, 0xff, 0xff, 0xff][..], u32::MAX),
        ] {
            assert_eq!(Reader::new(bytes).ub4(), Ok(value));
        }
        assert_eq!(Reader::new(&[0x81, 5]).sb4(), Ok(-5));
        assert!(matches!(
            Reader::new(&[0x81, 5]).ub4(),
            Err(Fault::Malformed(_))
        ));
        assert!(matches!(
            Reader::new(&[5, 0, 0, 0, 0, 1]).ub4(),
            Err(Fault::Malformed(_))
        ));
        assert_eq!(Reader::new(&[2, 1]).ub4(), Err(Fault::Incomplete(3)));
    }

    #[test]
    fn bytes_come_whole_or_in_parts_and_lengths_that_lie_are_bounded() {
        let mut into = Vec::new();
        assert_eq!(Reader::new(&[2, b'a', b'b']).bytes(&mut into), Ok(true));
        assert_eq!(into, b"ab");
        let parts = [254, 1, 1, b'a', 1, 2, b'b', b'c', 0];
        assert_eq!(Reader::new(&parts).bytes(&mut into), Ok(true));
        assert_eq!(into, b"abc");
        assert_eq!(Reader::new(&[0]).bytes(&mut into), Ok(false));
        assert_eq!(Reader::new(&[255]).bytes(&mut into), Ok(false));
        let lies = [254, 4, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(
            Reader::new(&lies).bytes(&mut into),
            Err(Fault::Malformed(_))
        ));
        assert_eq!(
            Reader::new(&[200, 1]).bytes(&mut into),
            Err(Fault::Incomplete(201))
        );
        let part = [vec![2, 0x7f, 0xff], vec![b'a'; 0x7fff]].concat();
        let long = [vec![254], part.repeat(513)].concat();
        assert_eq!(Reader::new(&long).bytes(&mut into), Err(Fault::TooLong));
    }
}
