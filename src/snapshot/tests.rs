//! Snapshots that are made here and compared; files that are damaged in every place.

use std::fs::File;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::error::{Kind, Result};
use crate::record::Record;

fn head() -> Head {
    Head {
        source: Source::Pxgrid,
        host: "ise.example.com".to_owned(),
        taken: "2026-11-28T21:40:05.123Z".parse().unwrap(),
        sessions: 7,
    }
}

fn written(directory: &Path, name: &str, sessions: &[Value]) -> PathBuf {
    let path = directory.join(name);
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    let mut writer = SnapshotWriter::new(file, head());
    for session in sessions {
        writer.add(&Record::from_value(session.clone())).unwrap();
    }
    let head = writer.finish().unwrap();
    assert_eq!(head.sessions, sessions.len() as u64);
    path
}

fn compared(directory: &Path, before: &Path, after: &Path, by: &Compared) -> Result<Vec<Value>> {
    let pair = (Snapshot::open(before)?, Snapshot::open(after)?);
    let mut found = Vec::new();
    compare(pair, by, directory, |one| {
        found.push(one.record.to_value());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

fn differences(before: &[Value], after: &[Value], by: &Compared) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let (a, b) = (
        written(directory.path(), "a", before),
        written(directory.path(), "b", after),
    );
    compared(directory.path(), &a, &b, by).unwrap()
}

fn session(mac: &str, id: &str, port: &str) -> Value {
    json!({"macAddress": mac, "auditSessionId": id, "nasPortId": port, "timestamp": id})
}

/// `change mac id` of each.
fn words(found: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let word = |one: &Value| {
        let id = &one["session"]["auditSessionId"];
        [&one["change"], &one["mac"], id].map(text).join(" ")
    };
    found.iter().map(word).collect()
}

const ONE: &str = "00:00:5E:00:53:01";
const TWO: &str = "00:00:5E:00:53:02";
const THREE: &str = "00:00:5E:00:53:03";

#[test]
fn a_file_is_what_it_says_and_is_read_by_zcat() {
    let directory = tempfile::tempdir().unwrap();
    let sessions = [session(ONE, "A", "1"), session(TWO, "B", "2")];
    let path = written(directory.path(), "a", &sessions);
    let snapshot = Snapshot::open(&path).unwrap();
    let sessions = 2;
    assert_eq!(snapshot.head, Head { sessions, ..head() });
    let mut text = String::new();
    let mut gzip = flate2::read::GzDecoder::new(File::open(&path).unwrap());
    std::io::Read::read_to_string(&mut gzip, &mut text).unwrap();
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((first, text.lines().count()), (session(ONE, "A", "1"), 2));
}

#[test]
fn what_went_came_and_changed_member_by_member() {
    let before = [
        session(ONE, "A", "Gi1/0/3"),
        session(TWO, "B", "2"),
        session("00-00-5e-00-53-04", "D", "4"),
    ];
    let after = [
        session(THREE, "C", "3"),
        json!({"timestamp": "later", "nasPortId": "Gi1/0/7", "auditSessionId": "A",
               "macAddress": ONE, "userName": "pat", "tags": []}),
        // In another spelling, and at another time.
        json!({"macAddress": "0000.5e00.5304", "auditSessionId": "d", "nasPortId": "4"}),
    ];
    let found = differences(&before, &after, &Compared::Only(vec!["nasPortId".into()]));
    assert_eq!(
        words(&found),
        [
            format!("went {TWO} B"),
            format!("came {THREE} C"),
            format!("changed {ONE} A")
        ]
    );
    assert_eq!(
        found[2]["changed"],
        json!({"nasPortId": ["Gi1/0/3", "Gi1/0/7"]})
    );
    assert_eq!(found[2]["before"], before[0]);
    assert_eq!(found[2]["session"], after[1]);
    assert!(found[0].get("before").is_none() && found[0].get("changed").is_none());
    let usual = differences(&before[..1], &after[1..2], &Compared::Usual);
    let changed = json!({"nasPortId": ["Gi1/0/3", "Gi1/0/7"], "userName": [null, "pat"]});
    assert_eq!(usual[0]["changed"], changed);
    let all = differences(&before[..1], &after[1..2], &Compared::All);
    assert_eq!(all[0]["changed"]["timestamp"], json!(["A", "later"]));
    assert!(differences(&before, &before, &Compared::All).is_empty());
}

#[test]
fn what_moves_by_itself_is_no_change_and_lists_have_no_order() {
    let session = |time: &str, addresses: Value| {
        json!({"calling_station_id": ONE, "acct_session_time": time, "acct_input_octets": time,
               "auth_acs_timestamp": time, "mdmLastSyncTime": time, "ipAddresses": addresses})
    };
    let (before, after) = (
        session("1", json!(["10.0.0.1", "fe80::1"])),
        session("2", json!(["fe80::1", "10.0.0.1"])),
    );
    assert!(differences(std::slice::from_ref(&before), &[after], &Compared::Usual).is_empty());
    let moved = session("1", json!(["10.0.0.2"]));
    assert_eq!(differences(&[before], &[moved], &Compared::Usual).len(), 1);
}

#[test]
fn several_sessions_of_an_endpoint_are_told_apart() {
    let two = [session(ONE, "A", "1"), session(ONE, "B", "2")];
    // One of them ended; the other is as it was, wherever it stands.
    assert_eq!(
        words(&differences(&two, &two[1..], &Compared::Usual)),
        [format!("went {ONE} A")]
    );
    assert_eq!(
        words(&differences(&two[..1], &two, &Compared::Usual)),
        [format!("came {ONE} B")]
    );
    // It came back under a new id, beside one that stayed.
    let back = [session(ONE, "B", "2"), session(ONE, "N", "1")];
    let found = differences(&two, &back, &Compared::Usual);
    assert_eq!(words(&found), [format!("changed {ONE} N")]);
    assert_eq!(found[0]["changed"], json!({"auditSessionId": ["A", "N"]}));
}

#[test]
fn vpn_clients_of_one_address_are_known_by_their_users() {
    let vpn = |user: &str, ip: &str| json!({"callingStationId": "203.0.113.90", "userName": user, "ipAddresses": [ip]});
    let before = [vpn("pat", "10.9.0.1"), vpn("kim", "10.9.0.2")];
    let after = [vpn("sam", "10.9.0.3"), vpn("kim", "10.9.0.2")];
    let found = differences(&before, &after, &Compared::Usual);
    let users: Vec<(&str, &str)> = found
        .iter()
        .map(|one| {
            (
                one["change"].as_str().unwrap(),
                one["session"]["userName"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(users, [("went", "pat"), ("came", "sam")]);
    assert_eq!(found[0]["mac"], "203.0.113.90");
    // Without either, by the session.
    let rows = [json!({"auditSessionId": "A", "userName": "x"})];
    let found = differences(&rows, &[], &Compared::Usual);
    assert_eq!(found[0]["mac"], Value::Null);
}

#[test]
fn a_file_that_is_cut_or_damaged_anywhere_is_named_and_nothing_more() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let sessions: Vec<Value> = (0..50_u8)
        .map(|number| session(&format!("00:00:5E:00:53:{number:02X}"), "A", "1"))
        .collect();
    let good = written(directory.path(), "good", &sessions);
    let bytes = std::fs::read(&good).unwrap();
    let try_bytes = |bytes: &[u8]| {
        let bad = path("bad");
        std::fs::write(&bad, bytes).unwrap();
        compared(directory.path(), &bad, &good, &Compared::All)
    };
    for length in 0..bytes.len() {
        let error = try_bytes(&bytes[..length]).unwrap_err();
        assert!(
            matches!(error.kind(), Kind::Usage | Kind::Truncated),
            "{length}: {error}"
        );
        assert!(error.message().contains("/bad"), "{error}");
    }
    let mut wrong = 0;
    for place in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[place] ^= 0x55;
        if let Err(error) = try_bytes(&bytes) {
            wrong += 1;
            let kinds = [Kind::Usage, Kind::Truncated, Kind::Malformed];
            assert!(kinds.contains(&error.kind()), "{place}: {error}");
        }
    }
    assert!(wrong * 10 > bytes.len() * 8, "{wrong} of {}", bytes.len());
}

/// A small file may hold an endless text, or say of itself what is not so.
#[test]
fn what_a_hostile_file_can_cost_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let file = |sessions: u64, write: &dyn Fn(&mut dyn std::io::Write)| {
        let path = directory.path().join("hostile");
        let comment = format!(
            "netapi-snapshot/1 {{\"source\":\"mnt\",\"host\":\"x\",\"taken\":\"2026-11-28T00:00:00Z\",\"sessions\":{sessions}}}"
        );
        let mut gzip = flate2::GzBuilder::new()
            .comment(comment)
            .write(File::create(&path).unwrap(), flate2::Compression::fast());
        write(&mut gzip);
        gzip.finish().unwrap();
        let error = compared(directory.path(), &path, &path, &Compared::All).unwrap_err();
        assert_eq!(error.kind().exit_status(), 5, "{error}");
        error.message().to_owned()
    };
    let block = vec![b' '; 1 << 16];
    let endless = file(1, &|out| {
        (0..100).for_each(|_| out.write_all(&block).unwrap());
    });
    assert!(endless.contains("line 1 is no session"), "{endless}");
    let more = file(2, &|out| out.write_all(&b"{}\n".repeat(100_000)).unwrap());
    assert!(more.contains("line 3 is no session"), "{more}");
    let none = file(u64::MAX, &|out| out.write_all(b"{}\n").unwrap());
    assert!(none.contains("has 1 of its 18446744073709551615"), "{none}");
    for text in ["[1]\n", "null\n", "{\"a\":1}}\n", "\n", "{\"a\":\n"] {
        let said = file(1, &|out| out.write_all(text.as_bytes()).unwrap());
        assert!(said.contains("is no session"), "{text:?}: {said}");
    }
}

#[test]
fn what_is_no_snapshot_is_a_usage_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.gz");
    let open = |path: &Path| Snapshot::open(path).err().unwrap();
    assert_eq!(open(&path).kind(), Kind::Usage);
    std::fs::write(&path, "hello").unwrap();
    assert!(open(&path).message().ends_with("x.gz is no snapshot"));
    let mut plain = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    plain.write_all(b"{}\n").unwrap();
    std::fs::write(&path, plain.finish().unwrap()).unwrap();
    assert!(open(&path).message().ends_with("x.gz is no snapshot"));
    assert_eq!(open(directory.path()).kind(), Kind::Usage);
    assert_eq!(open(Path::new("/dev/zero")).kind(), Kind::Usage);
}
