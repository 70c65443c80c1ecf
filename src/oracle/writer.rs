//! Writes integers, texts and lists of bytes as the server reads them.

/// Longest list of bytes that is sent in one piece; length bytes above mean other things.
const LONGEST_SHORT: usize = 252;

/// Length of each part of a longer one.
const PART: usize = 32_767;

/// Bytes of a message.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u16_be(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn u16_le(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u32_be(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// `count` zero bytes: pointers that point nowhere, integers of 0.
    pub(super) fn zeros(&mut self, count: usize) {
        self.0.resize(self.0.len() + count, 0);
    }

    /// An unsigned integer with its length in front.
    pub(super) fn integer(&mut self, value: u64) {
        let bytes = value.to_be_bytes();
        let leading = bytes.iter().take_while(|byte| **byte == 0).count();
        let short = bytes.get(leading..).unwrap_or_default();
        self.0.push(u8::try_from(short.len()).unwrap_or_default());
        self.0.extend_from_slice(short);
    }

    /// The length of something, as an integer.
    pub(super) fn length(&mut self, length: usize) {
        self.integer(u64::try_from(length).unwrap_or(u64::MAX));
    }

    /// A list of bytes with its length in front.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        if bytes.len() <= LONGEST_SHORT {
            self.0.push(u8::try_from(bytes.len()).unwrap_or_default());
            self.0.extend_from_slice(bytes);
            return;
        }
        self.0.push(254);
        for part in bytes.chunks(PART) {
            self.length(part.len());
            self.0.extend_from_slice(part);
        }
        self.0.push(0);
    }

    /// The same behind an integer that says how long it is.
    pub(super) fn counted_bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        if !bytes.is_empty() {
            self.bytes(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::reader::Reader;

    #[test]
    fn what_is_written_is_read_back() {
        for value in [0, 1, 255, 256, 65_536, u64::from(u32::MAX)] {
            let mut writer = Writer::default();
            writer.integer(value);
            assert_eq!(Reader::new(&writer.0).ub8(), Ok(value));
        }
        for length in [0, 1, 252, 253, 32_767, 32_768, 100_000] {
            let bytes = vec![b'x'; length];
            let mut writer = Writer::default();
            writer.bytes(&bytes);
            let mut back = Vec::new();
            assert_eq!(Reader::new(&writer.0).bytes(&mut back), Ok(length > 0));
            assert_eq!(back, bytes);
        }
    }
}
