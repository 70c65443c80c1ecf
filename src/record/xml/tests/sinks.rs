//! What a sink gets beside its records (raw bytes, reused buffers), and that it can stop.

use std::io::BufReader;
use std::ops::ControlFlow;

use super::*;

/// Keeps raw bytes; stops after `limit` records.
#[derive(Default)]
struct Raw {
    bytes: Vec<u8>,
    begun: Vec<Option<u64>>,
    records: u64,
    limit: u64,
}

impl RecordSink for Raw {
    fn begin(&mut self, announced: Option<u64>) -> Result<()> {
        self.begun.push(announced);
        Ok(())
    }
    fn record(&mut self, _record: &Record) -> Result<ControlFlow<()>> {
        self.records += 1;
        Ok(if self.records == self.limit {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }
    fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        assert_eq!(self.begun.len(), 1);
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
    fn wants_raw(&self) -> bool {
        true
    }
}

#[test]
fn raw_bytes_come_as_they_were_and_only_from_the_document_asked_for() {
    let text = b"\xef\xbb\xbf<?xml version='1.0'?> <activeList noOfActiveSession='1'><activeSession><u>\xff</u></activeSession></activeList>\n";
    for chunk in 1..20 {
        let reader = BufReader::with_capacity(chunk, text.as_slice());
        let (sink, outcome) = stream(reader, &LIST, Raw::default());
        outcome.unwrap();
        assert_eq!(sink.bytes, text);
        assert_eq!(sink.begun, [Some(1)]);
    }
    let (sink, outcome) = stream(b"<html>x</html>".as_slice(), &LIST, Raw::default());
    assert!(outcome.is_err());
    assert!(sink.bytes.is_empty() && sink.begun.is_empty());
}

#[test]
fn a_sink_can_stop() {
    let sink = Raw {
        limit: 2,
        ..Raw::default()
    };
    let mut given = 0;
    let endless = Endless {
        head: b"<activeList noOfActiveSession='1000000'>",
        piece: b"<activeSession><a>1</a></activeSession>",
        given: &mut given,
    };
    let (sink, outcome) = stream(BufReader::new(endless), &LIST, sink);
    let summary = outcome.unwrap();
    assert!(summary.stopped_early);
    assert_eq!((summary.rows, sink.records), (2, 2));
    assert!(given < 100_000);
}

/// Where the buffers of each record's texts lie.
#[derive(Default)]
struct Addresses(Vec<Vec<usize>>);

impl RecordSink for Addresses {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }
    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        let Record::Fields(fields) = record else {
            panic!("not fields")
        };
        let mut addresses = Vec::new();
        for (name, value) in fields.iter() {
            addresses.push(name.as_ptr().addr());
            addresses.extend(value.text().map(|text| text.as_ptr().addr()));
        }
        self.0.push(addresses);
        Ok(ControlFlow::Continue(()))
    }
}

#[test]
fn rows_after_the_first_reuse_its_buffers() {
    let row = "<activeSession><user_name>a&amp;b</user_name><server>psn</server><framed_ipv6_address><i>::1</i></framed_ipv6_address></activeSession>";
    let text = format!("<activeList>{}</activeList>", row.repeat(5));
    let (sink, outcome) = stream(text.as_bytes(), &LIST, Addresses::default());
    outcome.unwrap();
    assert_eq!(sink.0[0].len(), 6);
    assert!(sink.0.iter().all(|addresses| *addresses == sink.0[0]));
}
