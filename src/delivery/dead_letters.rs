//! Dead letters written: events whose every attempt failed, one JSON object a line, in a file or
//! said to the listener.
//!
//! `{"failedAt":"…","attempts":4,"outcome":"exit 3","event":{…}}`. The event is the text that the
//! callback was given, so a line's `event` can be fed to the callback again. The file may be
//! rotated or rewritten under us: each letter goes to the file that the path names. Nothing here
//! reads the file back.

use std::fmt::Display;
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Listener;
use super::file_identity::{self, Identity};
use crate::error::{Error, Kind, Result};
use crate::event::{Delivery, Event};
use crate::unix::files;

/// The file's name inside a spool's directory.
pub const FILE: &str = "dead-letters.jsonl";

/// Where dead letters go.
pub enum DeadLetters {
    /// Appended to a file.
    File(Letters),
    /// Said to the listener.
    Listener(Arc<dyn Listener>),
}

/// The open file of dead letters.
pub struct Letters {
    file: File,
    identity: Identity,
    listener: Arc<dyn Listener>,
    /// What to do when a letter cannot be written.
    hint: &'static str,
    /// Whether a letter that cannot be written is said to the listener.
    falls_back: bool,
}

/// How long somebody else may hold the file's lock.
const LOCKED: Duration = Duration::from_secs(10);

impl DeadLetters {
    /// Opens `path` for appending; a new file is readable by its owner only, and a symbolic link
    /// is not followed. A line that was begun there and not ended is ended. `durable`: whether an
    /// event whose letter cannot be written lies in a spool that stays.
    pub fn open(path: &Path, durable: bool, listener: &Arc<dyn Listener>) -> Result<Self> {
        let (file, identity) = open(path).map_err(|error| {
            Error::usage(format!(
                "cannot open the dead letters {}: {error}",
                path.display()
            ))
            .hint("name a file that you may write to: --dead-letters FILE; a pipe needs its reader first")
        })?;
        Ok(Self::File(Letters {
            file,
            identity,
            listener: Arc::clone(listener),
            hint: if durable {
                "the event stays in the spool; mend the file and start again"
            } else {
                "mend the file and start again; what was not delivered is gone, which --spool DIR prevents"
            },
            falls_back: false,
        }))
    }

    /// Writes one letter. When it returns, the letter is on the disk (or was said), so the event
    /// may leave the spool.
    pub fn write(&mut self, event: &Event, attempts: u32, outcome: &dyn Display) -> Result<()> {
        let line = letter(event, attempts, outcome);
        match self {
            Self::Listener(listener) => {
                listener.dead_letter(&line);
                Ok(())
            }
            Self::File(letters) => letters.write(line),
        }
    }

    /// From now on a letter that cannot be written to its file is said to the listener: the
    /// directory of both is gone.
    pub fn fall_back(&mut self) {
        if let Self::File(letters) = self {
            letters.falls_back = true;
        }
    }

    /// Whether another letter can be written now: not while too many wait for the listener's
    /// reader.
    pub fn has_room(&self) -> bool {
        match self {
            Self::File(_) => true,
            Self::Listener(listener) => listener.has_room(),
        }
    }

    /// Writes the letter of an event that cannot be printed, and says so.
    pub fn unprinted(
        &mut self,
        event: &Event,
        error: &Error,
        listener: &dyn Listener,
    ) -> Result<()> {
        self.write(event, 1, error)?;
        listener.notice(&format!(
            "{} of {} was not printed ({error}); it is a dead letter",
            event.event,
            event.order_key()
        ));
        Ok(())
    }
}

impl Letters {
    fn write(&mut self, mut line: String) -> Result<()> {
        line.push('\n');
        match self.append(line.as_bytes()) {
            Ok(()) => Ok(()),
            Err(_) if self.falls_back => {
                self.listener.dead_letter(line.trim_end());
                Ok(())
            }
            Err(error) => Err(Error::new(
                Kind::Failed,
                format!(
                    "cannot write the dead letter to {}: {error}",
                    self.identity.path().display()
                ),
            )
            .hint(self.hint)),
        }
    }

    /// Writes a line to the file that the path names: the open one, or a new one where that was
    /// rotated away, rewritten or removed.
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if length(&self.file).is_none() {
            return append(&self.file, line);
        }
        loop {
            let locked = Locked::take(&self.file, LOCKED)?;
            if self.identity.change().is_none() {
                append(&self.file, line)?;
                // Removed in this very moment, the letter is nowhere.
                if files::has_name(&self.file.metadata()?) {
                    return Ok(());
                }
            }
            drop(locked);
            let path = self.identity.path().to_path_buf();
            (self.file, self.identity) = open(&path)?;
            self.listener.notice(&format!(
                "the dead letters {} were moved or removed; a new file is begun",
                path.display()
            ));
        }
    }
}

/// Opens for appending; what stands at the end is a whole line then.
fn open(path: &Path) -> io::Result<(File, Identity)> {
    let file = file_identity::open(File::options().append(true).create(true), path)?;
    end_line(&file, path)?;
    let identity = Identity::of(&file, path)?;
    Ok((file, identity))
}

/// The lock under which letters are appended, and the file rewritten. It is let go when dropped.
pub(super) struct Locked<'f>(&'f File);

impl<'f> Locked<'f> {
    /// Waits for it so long.
    pub(super) fn take(file: &'f File, patience: Duration) -> io::Result<Self> {
        let until = Instant::now() + patience;
        loop {
            match file.try_lock() {
                // A file system without locks: nobody else has one either.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::other("another process holds its lock"));
                }
            }
        }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // Closing the file would not do: a callback that is just being started holds a copy.
        let _unlocked = self.0.unlock();
    }
}

/// Writes a line and waits for the disk; when that fails, takes back what was written of it, so
/// that no half line stays.
fn append(mut file: &File, line: &[u8]) -> io::Result<()> {
    let before = length(file);
    let mut written = 0;
    let mut rest = line;
    let result = loop {
        match file.write(rest) {
            Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                written += count as u64;
                rest = rest.get(count..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
        if rest.is_empty() {
            break synced(file);
        }
    };
    if let (Err(_), Some(before), Some(now)) = (&result, before, length(file))
        // Nobody else has written behind it.
        && now == before + written
    {
        // What broke off the writing is the reason to tell.
        let _also_broken = file.set_len(before);
    }
    result
}

/// How long a file on a disk is.
fn length(file: &File) -> Option<u64> {
    let metadata = file.metadata().ok()?;
    metadata.is_file().then_some(metadata.len())
}

/// Ends the last line of a file, in which an earlier run broke off, say. A file that may not be
/// read is left as it is.
fn end_line(mut file: &File, path: &Path) -> io::Result<()> {
    let Some(last) = length(file).and_then(|length| length.checked_sub(1)) else {
        return Ok(());
    };
    let mut byte = [0];
    let read = File::open(path).and_then(|file| files::read_exact_at(&file, &mut byte, last));
    if read.is_ok() && byte != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(())
}

/// Waits for the disk; a terminal or a pipe has none, and says so.
fn synced(file: &File) -> io::Result<()> {
    match file.sync_data() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

/// The letter's line, without its end.
pub(super) fn letter(event: &Event, attempts: u32, outcome: &dyn Display) -> String {
    // The event as the last delivery saw it, where there was one.
    let delivery = (attempts > 0).then_some(Delivery {
        attempt: attempts,
        repeated: attempts > 1,
    });
    let outcome = serde_json::Value::from(outcome.to_string());
    format!(
        r#"{{"failedAt":"{:.3}","attempts":{attempts},"outcome":{outcome},"event":{}}}"#,
        Timestamp::now(),
        event.to_json(delivery),
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::testing::{Heard, event};
    use super::*;
    use crate::delivery::sink::callback::CallbackOutcome;
    use crate::event::Message;

    fn silent() -> Arc<dyn Listener> {
        Arc::new(Heard::default())
    }

    fn lines(path: &Path) -> usize {
        std::fs::read_to_string(path).unwrap().lines().count()
    }

    #[test]
    fn a_file_that_was_rotated_removed_or_replaced_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let rotated = dir.path().join("rotated");
        let heard = Arc::new(Heard::default());
        let listener: Arc<dyn Listener> = heard.clone();
        let mut letters = DeadLetters::open(&path, true, &listener).unwrap();
        let mut one = |number| letters.write(&event("a", number), 1, &"exit 1");
        one(1).unwrap();
        std::fs::rename(&path, &rotated).unwrap();
        one(2).unwrap();
        one(3).unwrap();
        assert_eq!((lines(&rotated), lines(&path)), (1, 2));
        std::fs::remove_file(&path).unwrap();
        one(4).unwrap();
        assert_eq!(lines(&path), 1);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "{\"half").unwrap();
        one(5).unwrap();
        assert_eq!(lines(&path), 2);
        assert_eq!(heard.notices.lock().unwrap().len(), 3);
        // Somebody wants it elsewhere.
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&rotated, &path).unwrap();
        let error = one(6).unwrap_err();
        assert!(error.message().contains("symbolic link"), "{error}");
        assert_eq!(lines(&rotated), 1);
    }

    #[test]
    fn letters_are_appended_lines_that_hold_the_event() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        for sequence in 1..=2 {
            let mut letters = DeadLetters::open(&path, true, &silent()).unwrap();
            let mut event = event("a", sequence);
            event.message = Message::whole("{\"a\":\n1}");
            letters.write(&event, 4, &CallbackOutcome::Exit(3)).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1]["outcome"], "exit 3");
        assert_eq!(lines[1]["attempts"], 4);
        assert_eq!(lines[1]["event"]["sequenceNumber"], 2);
        assert!(
            lines[0]["failedAt"]
                .as_str()
                .unwrap()
                .parse::<Timestamp>()
                .is_ok()
        );
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn without_a_file_the_letter_is_said() {
        let heard = Arc::new(Heard::default());
        let mut letters = DeadLetters::Listener(heard.clone());
        letters
            .write(&event("a", 1), 1, &CallbackOutcome::TimedOut)
            .unwrap();
        let said = heard.letters.lock().unwrap();
        assert!(said[0].contains(r#""outcome":"timed out""#), "{said:?}");
    }

    #[test]
    fn a_letter_begins_a_line_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        std::fs::write(&path, "{\"half").unwrap();
        for _ in 0..2 {
            let mut letters = DeadLetters::open(&path, true, &silent()).unwrap();
            letters
                .write(&event("a", 1), 1, &CallbackOutcome::Exit(3))
                .unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0], "{\"half");
        assert!(serde_json::from_str::<serde_json::Value>(lines[1]).is_ok());
    }

    #[test]
    fn what_to_do_depends_on_the_spool() {
        for (durable, word) in [(true, "stays in the spool"), (false, "is gone")] {
            let mut letters =
                DeadLetters::open(Path::new("/dev/full"), durable, &silent()).unwrap();
            let error = letters
                .write(&event("a", 1), 1, &CallbackOutcome::Exit(3))
                .unwrap_err();
            assert!(error.hint_text().unwrap().contains(word), "{error:?}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("missing/letters");
        let Err(error) = DeadLetters::open(&file, true, &silent()) else {
            panic!("opened")
        };
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.message().contains("missing/letters"));
    }
}
