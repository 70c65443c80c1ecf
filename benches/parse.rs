//! How fast a list of sessions is read: 200,000 rows, 81 MB, in the shape that ISE 3.3 sends.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::BufReader;
use std::ops::ControlFlow;

use criterion::{Criterion, Throughput};
use netapi::testing::error::Result;
use netapi::testing::mnt::documents::ACTIVE_LIST;
use netapi::testing::record::xml::stream;
use netapi::testing::record::{Record, RecordSink};
use quick_xml::events::Event;

const ROWS: u32 = 200_000;

/// Looks at one field of each row, so that no work can be left out.
#[derive(Default)]
struct Look {
    length: usize,
}

impl RecordSink for Look {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        self.length += record.text("user_name").map_or(0, |text| text.len());
        Ok(ControlFlow::Continue(()))
    }
}

fn list() -> String {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<activeList noOfActiveSession=\"{ROWS}\">"
    );
    for row in 0..ROWS {
        let [_, a, b, c] = row.to_be_bytes();
        let user = if row % 5 == 0 { "R&amp;D" } else { "LAB" };
        let _ = write!(
            text,
            "<activeSession><user_name>{user}\\user{row:06}</user_name><calling_station_id>00:00:5E:{a:02X}:{b:02X}:{c:02X}</calling_station_id><nas_ip_address>192.0.2.{a}</nas_ip_address><acct_session_id>{row:08X}</acct_session_id><audit_session_id>C00002010000{row:012X}</audit_session_id><server>psn-{a}</server><framed_ip_address>10.{a}.{b}.{c}</framed_ip_address><framed_ipv6_address><ipv6_address>2001:db8::{b:x}:{c:x}</ipv6_address></framed_ipv6_address></activeSession>"
        );
    }
    text.push_str("</activeList>");
    text
}

fn main() {
    let text = list();
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("active list, 16 KiB pieces", |bencher| {
        bencher.iter(|| {
            let reader = BufReader::with_capacity(16 << 10, text.as_bytes());
            let (sink, outcome) = stream(reader, &ACTIVE_LIST, Look::default());
            black_box((sink.length, outcome.is_ok()))
        });
    });
    // For comparison: the tokenizer alone, over a document in memory, its events thrown away.
    group.bench_function("events alone", |bencher| {
        bencher.iter(|| {
            let mut reader = quick_xml::Reader::from_str(&text);
            let mut events = 0_u64;
            while !matches!(reader.read_event(), Ok(Event::Eof) | Err(_)) {
                events += 1;
            }
            black_box(events)
        });
    });
    group.finish();
    criterion.final_summary();
}
