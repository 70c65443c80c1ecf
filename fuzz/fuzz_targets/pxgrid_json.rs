//! pxGrid lists from hostile bytes: never a panic, the same elements whatever the cuts, and each
//! element is JSON.
//!
//! The first byte says how the rest is cut.

#![no_main]

use std::io::BufReader;

use libfuzzer_sys::fuzz_target;
use netapi::testing::record::{Collect, Record, json_list};

fn read(bytes: &[u8], cut: usize) -> (Vec<String>, bool) {
    let reader = BufReader::with_capacity(cut.max(1), bytes);
    let (collected, outcome) = json_list::stream(reader, "sessions", Collect::default());
    let text = |record: &Record| {
        let mut out = Vec::new();
        record.write_json(&mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    };
    (
        collected.records.iter().map(text).collect(),
        outcome.is_ok(),
    )
}

fuzz_target!(|data: &[u8]| {
    let Some((&cut, bytes)) = data.split_first() else {
        return;
    };
    let whole = read(bytes, bytes.len());
    assert_eq!(whole, read(bytes, usize::from(cut)));
    for line in &whole.0 {
        assert!(line.starts_with('{') && line.ends_with('}'));
    }
});
