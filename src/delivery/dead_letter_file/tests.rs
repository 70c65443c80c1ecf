use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::super::Listener;
use super::super::dead_letters::DeadLetters;
use super::super::testing::{Heard, event};
use super::*;

fn listener() -> Arc<dyn Listener> {
    Arc::new(Heard::default())
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The sequence numbers of the letters in a file; `None` for what is none.
fn read(letters: &mut DeadLetterFile) -> Vec<(Place, Option<i64>)> {
    let mut seen = Vec::new();
    letters
        .read(|place, letter| {
            seen.push((place, letter.and_then(|letter| letter.event.sequence)));
            Ok(())
        })
        .unwrap();
    seen
}

#[test]
fn a_letter_gives_its_event_back_word_by_word() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let sent = event("C8:5B:76:C6:59:62", 7);
    let mut out = DeadLetters::open(&path, true, &listener()).unwrap();
    out.write(&sent, 4, &"exit 3").unwrap();
    let letter = Letter::parse(text(&path).trim_end()).unwrap();
    let got = &letter.event;
    assert_eq!(got.to_json(None), sent.to_json(None));
    assert_eq!(got.order_key(), sent.order_key());
    assert_eq!((&got.event, got.sequence), (&sent.event, Some(7)));
    assert_eq!((&got.mac, letter.attempts), (&sent.mac, 4));
    assert!(letter.failed_at.is_some());
    for hostile in [
        "",
        "null",
        "{\"event\":null}",
        "{\"event\":{\"message\":1}}",
        "{\"failedAt\":7,\"event\":{}}",
        &format!("{{\"event\":{}", "[".repeat(100_000)),
    ] {
        assert!(Letter::parse(hostile).is_none(), "{hostile:.40}");
    }
}

#[test]
fn lines_are_taken_out_while_a_subscriber_appends_and_what_is_no_letter_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let mut out = DeadLetters::open(&path, true, &listener()).unwrap();
    let mut append = |number| out.write(&event("a", number), 1, &"exit 3").unwrap();
    append(0);
    append(1);
    std::fs::write(&path, text(&path) + "no letter\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    append(3);
    let mut letters = DeadLetterFile::open(dir.path()).unwrap();
    let seen = read(&mut letters);
    let numbers: Vec<_> = seen.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, [Some(0), Some(1), None, Some(3)]);
    append(4);
    letters.remove(&[0]).unwrap();
    append(5);
    letters.remove(&[3]).unwrap();
    append(6);
    // The snapshot goes on giving what it had.
    let again = letters.letter(seen[3].0).unwrap().unwrap();
    assert_eq!(again.event.sequence, Some(3));
    drop(letters);
    let left = read(&mut DeadLetterFile::open(&path).unwrap());
    let left: Vec<_> = left.into_iter().map(|(_, number)| number).collect();
    assert_eq!(left, [Some(1), None, Some(4), Some(5), Some(6)]);
    assert_eq!(files::mode(&path.metadata().unwrap()), 0o640);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_was_rotated_meanwhile_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let mut out = DeadLetters::open(&path, true, &listener()).unwrap();
    out.write(&event("a", 1), 1, &"exit 3").unwrap();
    let mut letters = DeadLetterFile::open(&path).unwrap();
    read(&mut letters);
    std::fs::rename(&path, dir.path().join("rotated")).unwrap();
    std::fs::write(&path, "other\n").unwrap();
    let error = letters.remove(&[0]).unwrap_err();
    assert!(
        error.message().contains("was replaced meanwhile"),
        "{error}"
    );
    assert_eq!(text(&path), "other\n");
}

#[test]
fn one_command_works_on_a_file_at_a_time_and_a_missing_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = DeadLetterFile::open(dir.path()).unwrap_err();
    assert_eq!(missing.kind(), Kind::NotFound);
    std::fs::write(dir.path().join(FILE), "").unwrap();
    let first = DeadLetterFile::open(dir.path()).unwrap();
    let second = DeadLetterFile::open(dir.path()).unwrap_err();
    assert!(second.message().contains("another command"), "{second}");
    drop(first);
    DeadLetterFile::open(dir.path()).unwrap();
}
