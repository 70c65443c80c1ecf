//! Tests of the spool: what survives, and in which order. A failing disk is in `full_disk`.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::delivery::testing::event;
use crate::event::remembered::RememberedState;
use crate::event::{Memory, Message, Remembered};

mod full_disk;

fn ids(spool: &Spool) -> Vec<u64> {
    let mut ids: Vec<u64> = Vec::new();
    loop {
        let from = ids.last().map_or(0, |last| last + 1);
        let waiting = spool.waiting(from, usize::MAX).unwrap();
        if waiting.is_empty() {
            return ids;
        }
        ids.extend(waiting.iter().map(|waiting| waiting.id));
    }
}

/// A temporary spool that keeps about so many events in memory, and writes others together.
fn little_memory(events: usize, together: usize) -> Spool {
    let mut spool = Spool::temporary();
    spool.recent = Mutex::new(Recent::new(events * 1000, together * 1000));
    spool
}

fn mark(sequence: i64) -> Mark {
    Mark {
        topic: "/topic/com.cisco.ise.session".to_owned(),
        sequence: Some(sequence),
        newest: "2026-11-22T01:57:00.000Z".parse().unwrap(),
        compared: false,
    }
}

/// What a kill or a power cut leaves behind: the files as they are at this moment, without our
/// clean-up.
fn crash_copy(from: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in [FILE, "deliveries"] {
        if from.join(file).exists() {
            std::fs::copy(from.join(file), copy.path().join(file)).unwrap();
        }
    }
    copy
}

#[test]
fn undelivered_events_survive_a_crash_in_order_and_are_marked() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path()).unwrap();
    spool
        .append(
            vec![event("a", 1), event("b", 2), event("a", 3)],
            &[mark(3)],
        )
        .unwrap();
    assert_eq!(spool.delivery(1, 1), Delivery::FIRST);
    spool.delivered_event(0);
    spool.append(vec![event("c", 4)], &[mark(4)]).unwrap();
    // Delivered, though not written to the file yet; begun; and begun in vain.
    spool.begin(1).unwrap();
    spool.delivered_event(1);
    spool.begin(2).unwrap();
    spool.begin(3).unwrap();
    spool.not_begun(3).unwrap();
    assert_eq!(spool.count().unwrap(), 2);

    let copy = crash_copy(dir.path());
    let again = Spool::open(copy.path()).unwrap();
    assert_eq!(ids(&again), [2, 3]);
    assert_eq!(again.marks().unwrap(), [mark(4)]);
    let first = again.get(2).unwrap().unwrap();
    assert_eq!(
        (first.order_key().as_ref(), first.sequence, first.recovered),
        ("a", Some(3), false)
    );
    let second = Delivery {
        attempt: 2,
        repeated: true,
    };
    assert_eq!(again.delivery(2, 1), second);
    assert_eq!(again.delivery(3, 1), Delivery::FIRST);
    assert_eq!(first.mac.as_deref(), Some("a"));
    // New ones follow the old ones and are not marked.
    assert_eq!(again.append(vec![event("d", 5)], &[]).unwrap(), 5);
    assert_eq!(again.delivery(4, 1), Delivery::FIRST);
}

#[test]
fn attempts_are_counted_over_restarts_and_after_a_power_cut_nobody_knows() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path()).unwrap();
    spool
        .append(vec![event("a", 1), event("b", 2)], &[])
        .unwrap();
    spool.begin(0).unwrap();
    assert_eq!(spool.close().unwrap(), 2);
    let spool = Spool::open(dir.path()).unwrap();
    assert_eq!(spool.delivery(0, 1).attempt, 2);
    spool.begin(0).unwrap();
    let copy = crash_copy(dir.path());
    let again = Spool::open(copy.path()).unwrap();
    assert_eq!(again.delivery(0, 1).attempt, 3);
    assert_eq!(again.delivery(1, 1), Delivery::FIRST);

    let copy = crash_copy(dir.path());
    let journal = copy.path().join("deliveries");
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&journal, bytes).unwrap();
    let again = Spool::open(copy.path()).unwrap();
    assert!(again.delivery(1, 1).repeated && again.delivery(1, 1).attempt == 1);
    again.append(vec![event("c", 3)], &[]).unwrap();
    assert_eq!(again.delivery(2, 1), Delivery::FIRST);
    again.close().unwrap();
    let again = Spool::open(copy.path()).unwrap();
    assert!(again.delivery(1, 1).repeated && !again.delivery(2, 1).repeated);
}

/// A session that was told.
fn remembered(mac: &str, audit: &str, ended: bool) -> (usize, Remembered) {
    let state = RememberedState {
        newest: 1_900_000_000_000_000,
        digests: [1, 2, 3, u64::MAX],
        ended,
        recovered: true,
        passing: ended,
    };
    let remembered = Remembered {
        topic: "/topic/com.cisco.ise.session".into(),
        key: format!("\"{mac}\"\0\0\0\"{audit}\"").into(),
        state,
    };
    (0, remembered)
}

#[test]
fn what_was_told_is_written_with_the_events_and_found_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path()).unwrap();
    let all = vec![
        remembered("M", "1", true),
        remembered("M", "2", false),
        remembered("N", "3", false),
    ];
    let progress = Progress {
        marks: vec![mark(1)],
        remembered: all.clone(),
    };
    spool.append_with(vec![event("M", 1)], &progress).unwrap();
    let copy = crash_copy(dir.path());
    let again = Arc::new(Spool::open(copy.path()).unwrap());
    let memory = SpoolMemory::of(&again).unwrap();
    let topic = "/topic/com.cisco.ise.session";
    for (_, one) in &all {
        assert_eq!(memory.find(topic, &one.key), Some(one.state));
        assert_eq!(memory.find("/topic/other", &one.key), None);
    }
    assert_eq!(memory.find(topic, "\"M\"\0\0\0\"9\""), None);
    let mut of_endpoint = Vec::new();
    memory.find_endpoint(topic, "\"M\"", &mut |key, state| {
        of_endpoint.push((key.to_owned(), state.ended));
    });
    of_endpoint.sort();
    let key = |audit: &str| format!("\"M\"\0\0\0\"{audit}\"");
    assert_eq!(of_endpoint, [(key("1"), true), (key("2"), false)]);
    let mut count = 0;
    memory.walk(topic, &mut |_, _| count += 1);
    assert!(count == 3 && memory.is_whole(topic));
    // Nothing holds the spool open.
    assert!(Arc::into_inner(again).is_some());
    assert_eq!(memory.find(topic, &all[0].1.key), None);
}

#[test]
fn a_clean_close_forgets_what_was_delivered_and_says_what_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path()).unwrap();
    let sent = event("b", 2);
    spool
        .append(vec![event("a", 1), sent.clone()], &[])
        .unwrap();
    spool.delivered_event(0);
    assert_eq!(spool.close().unwrap(), 1);
    let again = Spool::open(dir.path()).unwrap();
    assert_eq!(ids(&again), [1]);
    let came = again.get(1).unwrap().unwrap();
    assert_eq!(
        came.received_at.as_microsecond(),
        sent.received_at.as_microsecond()
    );
    assert_eq!(again.get(0).unwrap(), None);
}

#[test]
fn a_window_of_the_waiting_is_read_from_where_one_stopped() {
    let spool = Spool::temporary();
    let batch: Vec<_> = (0..10).map(|n| event("a", n)).collect();
    assert_eq!(spool.append(batch.clone(), &[]).unwrap(), 10);
    let some = spool.waiting(4, 3).unwrap();
    assert_eq!(some.iter().map(|w| w.id).collect::<Vec<_>>(), [4, 5, 6]);
    assert_eq!(spool.directory(), None);
    assert_eq!(spool.close().unwrap(), 10);
}

#[test]
fn large_events_are_looked_at_a_few_at_a_time() {
    let spool = Spool::temporary();
    for n in 0..4 {
        let mut large = event("a", n);
        large.message = Message::whole("x".repeat(reading::SCAN_BYTES / 2 + 1));
        spool.append(vec![large], &[]).unwrap();
    }
    // Only the first is kept in memory.
    let first = spool.waiting(0, 9).unwrap();
    assert_eq!(first.iter().map(|w| w.id).collect::<Vec<_>>(), [0]);
    let some = spool.waiting(1, 9).unwrap();
    assert_eq!(some.iter().map(|w| w.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(ids(&spool), [0, 1, 2, 3]);
}

#[test]
fn appending_and_taking_out_at_the_same_time_lose_nothing() {
    // Half of them do not fit into memory.
    let spool = little_memory(100, 7);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 0..500 {
                let next = spool
                    .append(vec![event("a", n), event("a", n)], &[])
                    .unwrap();
                assert_eq!(next, 2 * u64::try_from(n + 1).unwrap());
            }
        });
        while !writer.is_finished() {
            for waiting in spool.waiting(0, 3).unwrap() {
                if waiting.id < 100 {
                    spool.delivered_event(waiting.id);
                }
            }
            spool.flush().unwrap();
        }
    });
    let first = ids(&spool).into_iter().find(|id| *id >= 100).unwrap();
    assert_eq!(first, 100);
    assert_eq!(ids(&spool).last(), Some(&999));
}

#[test]
fn a_file_that_is_no_spool_is_named_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    std::fs::write(&path, "not a database".repeat(1000)).unwrap();
    let error = Spool::open(dir.path()).unwrap_err();
    assert_eq!(error.kind(), Kind::Failed);
    assert!(error.message().contains("spool.redb"), "{error}");
    assert!(std::fs::read(&path).unwrap().starts_with(b"not a database"));
}

#[test]
fn another_format_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::create(dir.path().join(FILE)).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("meta");
    transaction
        .open_table(meta)
        .unwrap()
        .insert("format", 9)
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = Spool::open(dir.path()).unwrap_err();
    assert!(error.message().contains("format 9"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Any history of frames, deliveries and crashes: what waits is what was sent and not known to
    /// be delivered, in order, and a frame is there whole.
    #[test]
    fn nothing_is_lost_over_any_history(steps in proptest::collection::vec((0_usize..4, 0_usize..5), 1..25)) {
        let mut dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path()).unwrap();
        let mut sent = 0;
        // Sequence numbers that must be there, and those that were delivered and are not yet taken
        // out.
        let mut expected: Vec<i64> = Vec::new();
        let mut noted: BTreeSet<i64> = BTreeSet::new();
        for (what, size) in steps {
            match what {
                0 | 1 => {
                    let batch: Vec<_> = (0..size).map(|n| event("k", sent + i64::try_from(n).unwrap())).collect();
                    spool.append(batch.clone(), &[]).unwrap();
                    for event in &batch {
                        expected.push(event.sequence.unwrap());
                    }
                    sent += i64::try_from(size).unwrap();
                    expected.retain(|n| !noted.contains(n));
                    noted.clear();
                }
                2 => {
                    for waiting in spool.waiting(0, size).unwrap() {
                        noted.insert(spool.get(waiting.id).unwrap().unwrap().sequence.unwrap());
                        spool.delivered_event(waiting.id);
                    }
                }
                _ => {
                    let copy = crash_copy(dir.path());
                    drop(spool);
                    dir = copy;
                    spool = Spool::open(dir.path()).unwrap();
                    expected.retain(|n| !noted.contains(n));
                    noted.clear();
                }
            }
            let there: Vec<i64> = ids(&spool)
                .into_iter()
                .map(|id| spool.get(id).unwrap().unwrap().sequence.unwrap())
                .collect();
            prop_assert_eq!(&there, &expected);
        }
    }

    /// Wherever the events of a temporary spool lie, in memory or in the file: each waits once, in
    /// order, until it is noted as delivered, and is counted.
    #[test]
    fn a_temporary_spool_loses_nothing_between_memory_and_file(
        memory in 0_usize..5,
        together in 0_usize..9,
        steps in proptest::collection::vec((0_usize..4, 0_usize..5), 1..40),
    ) {
        let spool = little_memory(memory, together);
        let mut sent = 0;
        let mut expected: Vec<u64> = Vec::new();
        let mut noted: BTreeSet<u64> = BTreeSet::new();
        for (what, size) in steps {
            match what {
                0 | 1 => {
                    let batch: Vec<_> = (0..size).map(|n| event("k", i64::try_from(sent + n).unwrap())).collect();
                    spool.append(batch, &[]).unwrap();
                    expected.extend((sent..sent + size).map(|n| n as u64));
                    sent += size;
                }
                2 => {
                    for id in expected.drain(..size.min(expected.len())) {
                        noted.insert(id);
                        spool.delivered_event(id);
                    }
                }
                _ => spool.flush().unwrap(),
            }
            let mut there = ids(&spool);
            prop_assert!(there.is_sorted());
            for id in &there {
                let sequence = u64::try_from(spool.get(*id).unwrap().unwrap().sequence.unwrap()).unwrap();
                prop_assert_eq!(sequence, *id);
            }
            // What was delivered may lie in the file for a while.
            there.retain(|id| !noted.contains(id));
            prop_assert_eq!(&there, &expected);
            prop_assert_eq!(spool.count().unwrap(), expected.len() as u64);
        }
        prop_assert_eq!(spool.close().unwrap(), expected.len() as u64);
    }
}

/// How much the memory of many sessions takes: `NETAPI_SESSIONS=2000000`, in a release build for
/// the time.
#[test]
#[ignore = "minutes; the bounds of the contract, section 4"]
fn the_memory_of_many_sessions_is_bounded() {
    let sessions: u64 =
        std::env::var("NETAPI_SESSIONS").map_or(200_000, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path()).unwrap();
    let mac = |n: u64| {
        format!(
            "00:00:{:02X}:{:02X}:{:02X}:{:02X}",
            n >> 24 & 255,
            n >> 16 & 255,
            n >> 8 & 255,
            n & 255
        )
    };
    let one = |n: u64| {
        let (after, mut remembered) =
            remembered(&mac(n), &format!("0A3201BF{n:08X}DE9DC88F"), false);
        remembered.state.digests = [n, n + 1, 0, 0];
        (after, remembered)
    };
    for first in (0..sessions).step_by(1000) {
        let progress = Progress {
            marks: vec![mark(1)],
            remembered: (first..(first + 1000).min(sessions)).map(one).collect(),
        };
        spool.append_with(Vec::new(), &progress).unwrap();
    }
    spool.close().unwrap();
    let begun = std::time::Instant::now();
    let spool = Arc::new(Spool::open(dir.path()).unwrap());
    let start = begun.elapsed();
    let memory = SpoolMemory::of(&spool).unwrap();
    assert!(
        memory
            .find("/topic/com.cisco.ise.session", &one(7).1.key)
            .is_some()
    );
    let begun = std::time::Instant::now();
    let mut count = 0;
    memory.walk("/topic/com.cisco.ise.session", &mut |_, _| count += 1);
    let walk = begun.elapsed();
    assert_eq!(count, sessions);
    let file = dir.path().join(FILE).metadata().unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or_default();
    let (length, disk) = (file.len() / sessions, file.blocks() * 512 / sessions);
    let _said = writeln!(
        io::stderr(),
        "{sessions} sessions: {disk} bytes of disk each ({length} of length), start {start:?}, walk {walk:?}, {peak}"
    );
    assert!(disk <= 250 && start < std::time::Duration::from_secs(10));
}
