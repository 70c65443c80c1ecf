//! Rows reach their reader when they have come: a server that pauses keeps back what it has not
//! sent, and nothing else.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use crate::support::scripted::{Connection, Scripted, head};

const ALL: usize = 300;
/// Rows before the pause.
const SENT: usize = 150;

fn row(number: usize) -> String {
    format!(
        "<activeSession><user_name>user-{number}</user_name>\
         <calling_station_id>00:00:5E:00:{:02X}:{:02X}</calling_station_id>\
         <server>psn-a</server></activeSession>",
        number / 256,
        number % 256
    )
}

fn first_half() -> String {
    let rows: String = (0..SENT).map(row).collect();
    format!("<?xml version=\"1.0\"?><activeList noOfActiveSession=\"{ALL}\">{rows}")
}

fn second_half() -> String {
    let rows: String = (SENT..ALL).map(row).collect();
    format!("{rows}</activeList>")
}

/// Sends `first`, waits until the test has seen it, and sends `second`.
fn in_two(first: Vec<u8>, second: Vec<u8>, headers: &'static str) -> (Scripted, impl FnOnce()) {
    let (seen, wait) = channel::<()>();
    let wait: Arc<Mutex<Receiver<()>>> = Arc::new(Mutex::new(wait));
    let server = Scripted::start(move |_, out: &mut Connection| {
        out.write_all(head("200 OK", "application/xml", headers).as_bytes())?;
        out.write_all(&first)?;
        out.flush()?;
        let _ = wait.lock().unwrap().recv();
        out.write_all(&second)
    });
    (server, move || seen.send(()).unwrap())
}

#[test]
fn rows_are_there_before_the_server_goes_on() {
    for (format, ahead) in [
        ("jsonl", 0),
        ("tsv", 1),
        ("csv", 1),
        ("table", 0),
        ("yaml", 0),
        ("json", 1),
    ] {
        let (server, go_on) = in_two(first_half().into(), second_half().into(), "");
        let run = server.start_mnt(&["sessions", "--format", format]);
        let lines = match format {
            "yaml" => SENT * 3,
            // The line of the last one ends when another follows.
            "json" => SENT + ahead - 1,
            _ => SENT + ahead,
        };
        run.prints(lines);
        go_on();
        let (code, out, err) = run.end();
        assert_eq!(code, 0, "{format}: {err:?}");
        let all = match format {
            "yaml" => ALL * 3,
            "json" => ALL + 2,
            _ => ALL + ahead,
        };
        assert_eq!(out.len(), all, "{format}");
    }
}

#[test]
fn jq_over_each_object_does_not_wait_either() {
    let (server, go_on) = in_two(first_half().into(), second_half().into(), "");
    let run = server.start_mnt(&["sessions", "--format", "jsonl", "--jq", ".user_name"]);
    run.prints(SENT);
    go_on();
    assert_eq!(run.end().1.len(), ALL);
}

/// A document that is passed on as it came has no line to wait for.
#[test]
fn a_document_as_it_came_does_not_wait_either() {
    let (first, second) = (first_half(), second_half());
    let (server, go_on) = in_two(first.clone().into(), second.clone().into(), "");
    let mut child = server
        .process(&["get", "Session/ActiveList"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut come = vec![0; first.len()];
    out.read_exact(&mut come).unwrap();
    assert_eq!(String::from_utf8(come).unwrap(), first);
    go_on();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, second);
    assert!(child.wait().unwrap().success());
}

#[test]
fn compressed_rows_are_there_before_the_server_goes_on() {
    let (first, second) = (first_half().into_bytes(), second_half().into_bytes());
    let whole: Vec<u8> = first.iter().chain(&second).copied().collect();
    let mut begin = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    begin.extend(stored(&first, false));
    let mut end = stored(&second, true);
    end.extend(crc32(&whole).to_le_bytes());
    end.extend(u32::try_from(whole.len()).unwrap().to_le_bytes());
    let (server, go_on) = in_two(begin, end, "Content-Encoding: gzip\r\n");
    let run = server.start_mnt(&["sessions", "--format", "jsonl"]);
    run.prints(SENT);
    go_on();
    let (code, out, err) = run.end();
    assert_eq!(code, 0, "{err:?}");
    assert_eq!(out.len(), ALL);
}

/// Deflate without compression (RFC 1951, section 3.2.4).
fn stored(bytes: &[u8], last: bool) -> Vec<u8> {
    let chunks: Vec<&[u8]> = bytes.chunks(0xffff).collect();
    let mut out = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let length = u16::try_from(chunk.len()).unwrap();
        out.push(u8::from(last && index + 1 == chunks.len()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(*chunk);
    }
    out
}

/// The checksum of gzip (RFC 1952, section 8), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}
