//! MnT documents from hostile bytes: never a panic, and the same records whatever the cuts.
//!
//! The first byte says how the rest is cut, and which document is expected.

#![no_main]

use std::io::BufReader;

use libfuzzer_sys::fuzz_target;
use netapi::testing::mnt::documents;
use netapi::testing::record::xml::{self, Document};
use netapi::testing::record::{Collect, Record};

fn read(bytes: &[u8], cut: usize, document: &Document) -> (Vec<String>, bool) {
    let reader = BufReader::with_capacity(cut.max(1), bytes);
    let (collected, outcome) = xml::stream(reader, document, Collect::default());
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
    let Some((&first, bytes)) = data.split_first() else {
        return;
    };
    let document = match first % 4 {
        0 => &documents::ACTIVE_LIST,
        1 => &documents::SESSION,
        2 => &documents::AUTH_STATUS,
        _ => &Document::ANY,
    };
    let whole = read(bytes, bytes.len(), document);
    assert_eq!(whole, read(bytes, usize::from(first), document));
    for line in &whole.0 {
        serde_json::from_str::<serde_json::Value>(line).expect("a record is JSON");
    }
});
