//! STOMP frames from hostile bytes: never a panic, never more than the bounds, and the same frames
//! whatever the cuts.
//!
//! The first byte says how the rest is cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use netapi::testing::pxgrid::stomp::{Decoder, Frame, MAX_HEAD, MalformedFrame, Reading};

const MAX_BODY: usize = 4096;

fn read(bytes: &[u8], reading: Reading, cut: usize) -> (Vec<Frame>, Option<MalformedFrame>) {
    let mut decoder = Decoder::new(reading).max_body(MAX_BODY);
    let mut frames = Vec::new();
    for piece in bytes.chunks(cut.max(1)) {
        decoder.push(piece.to_vec());
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(malformed) => return (frames, Some(malformed)),
            }
        }
    }
    (frames, None)
}

fuzz_target!(|data: &[u8]| {
    let Some((&cut, bytes)) = data.split_first() else {
        return;
    };
    for reading in [Reading::Server, Reading::Client] {
        let whole = read(bytes, reading, bytes.len());
        assert_eq!(whole, read(bytes, reading, usize::from(cut)));
        for frame in &whole.0 {
            assert!(frame.body.len() <= MAX_BODY && frame.headers.len() <= MAX_HEAD);
        }
    }
});
