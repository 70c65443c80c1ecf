//! `--report FILE` and `--resume FILE`: one JSON object a line for each input, written as it is
//! known, so that a run that was cut off at any point can go on without sending anything twice.
//!
//! Before a change is sent its row is written (and on the disk) with the outcome `sending`; a run
//! that was killed leaves it so, and the run that goes on does not send it again. At the end the
//! file is written anew with one row for each input, in their order.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};

use super::row::{Row, RowOutcome};
use crate::cli::input::Station;
use crate::error::{Error, Kind, Result};

/// The longest line of a report that is read: a row with what a server sent.
const LONGEST: u64 = 1 << 20;

/// What an earlier run knows of an address.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Earlier {
    /// It is as it was wanted.
    Good,
    /// It was sent, and nobody knows what came of it; with what the server had answered until then.
    Unsure(Option<Value>),
}

/// A row of a report, as far as it is read again.
#[derive(Deserialize)]
struct Kept {
    input: String,
    outcome: String,
    answer: Option<Value>,
    #[serde(default)]
    unsure: bool,
    command: String,
}

/// What an earlier run left.
#[derive(Debug, Default)]
pub(super) struct Left(HashMap<Station, Earlier>);

impl Left {
    /// Reads a report. A last line that was cut off counts for nothing: its intent stands before
    /// it.
    ///
    /// Errors: [`Kind::Usage`] for what cannot be read, is no report, or is that of another command
    /// than `what`.
    pub(super) fn read(path: &Path, what: &str) -> Result<Self> {
        let name = path.display();
        let file = File::open(path).map_err(|error| {
            Error::usage(format!("cannot read the report {name}: {error}")).hint_of_file(&error)
        })?;
        let mut reader = BufReader::new(file);
        let mut left = HashMap::new();
        for number in 1_u64.. {
            let mut line = Vec::new();
            let mut bounded = std::io::Read::take(&mut reader, LONGEST);
            let read = bounded
                .read_until(b'\n', &mut line)
                .map_err(|error| Error::usage(format!("cannot read the report {name}: {error}")))?;
            if read == 0 {
                break;
            }
            let Ok(row) = serde_json::from_slice::<Kept>(&line) else {
                if line.ends_with(b"\n") || read as u64 >= LONGEST {
                    return Err(Error::usage(format!(
                        "line {number} of {name} is no row of a report"
                    ))
                    .hint("--resume takes the file that --report wrote"));
                }
                break;
            };
            if row.command != what {
                return Err(Error::usage(format!(
                    "{name} is the report of `{}`, not of `{what}`",
                    row.command
                ))
                .hint("give the command that wrote it, or another file"));
            }
            let Ok(station) = row.input.parse::<Station>() else {
                continue;
            };
            let outcome = row.outcome.as_str();
            let unsure = outcome == "sending" || row.unsure;
            match outcome {
                "done" | "already" => left.insert(station, Earlier::Good),
                _ if left.get(&station) == Some(&Earlier::Good) => None,
                _ if unsure => left.insert(station, Earlier::Unsure(row.answer)),
                _ => left.remove(&station),
            };
        }
        Ok(Self(left))
    }

    /// What is known of an address.
    pub(super) fn of(&self, station: impl Into<Station>) -> Option<&Earlier> {
        self.0.get(&station.into())
    }
}

/// A report that is being written.
pub(super) struct Ledger {
    path: PathBuf,
    command: String,
    file: Mutex<File>,
}

impl Ledger {
    /// Begins a report, or goes on with one (`resumed`). One that has rows is not overwritten: it
    /// may be all that is known of what was sent.
    pub(super) fn open(path: &Path, command: &str, resumed: bool) -> Result<Self> {
        let name = path.display();
        let cannot = |error: std::io::Error| {
            Error::usage(format!("cannot write the report {name}: {error}")).hint_of_file(&error)
        };
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(path)
            .map_err(cannot)?;
        let facts = file.metadata().map_err(cannot)?;
        if !facts.is_file() {
            return Err(Error::usage(format!("the report {name} is no file"))
                .hint("a report is read again by --resume: name a file"));
        }
        let length = facts.len();
        if length > 0 && !resumed {
            return Err(
                Error::usage(format!("the report {name} has rows already")).hint(format!(
                    "--resume {name} goes on with it; else name another file, or remove it"
                )),
            );
        }
        // What comes next must not stand behind half a row.
        let whole = whole_rows(&mut file, length).map_err(cannot)?;
        file.set_len(whole).map_err(cannot)?;
        Ok(Self {
            path: path.to_owned(),
            command: command.to_owned(),
            file: Mutex::new(file),
        })
    }

    /// Writes that a change is about to be sent, or what the server answered before its end; on the
    /// disk when this returns.
    pub(super) fn sending(&self, input: &str, answer: Option<&Value>) -> Result<()> {
        let line = json!({
            "input": input,
            "outcome": "sending",
            "reason": Value::Null,
            "answer": answer,
            "command": self.command,
        });
        self.write(&line, true)
    }

    /// Writes what became of an input.
    pub(super) fn row(&self, row: &Row) -> Result<()> {
        self.write(&self.line(row), false)
    }

    fn line(&self, row: &Row) -> Value {
        let mut line = json!({
            "input": row.input,
            "outcome": row.outcome.name(),
            "reason": row.reason,
            "answer": row.answer,
            "command": self.command,
        });
        if row.unsure
            && let Some(members) = line.as_object_mut()
        {
            members.insert("unsure".to_owned(), Value::Bool(true));
        }
        line
    }

    fn write(&self, line: &Value, to_disk: bool) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(format!("{line}\n").as_bytes())
            .and_then(|()| if to_disk { file.sync_data() } else { Ok(()) })
            .map_err(|error| self.cannot_write(&error))
    }

    /// Writes the file anew: one row for each input, in their order. What is no plain file (a pipe,
    /// `/dev/stderr`) stays as it is.
    pub(super) fn finish(self, rows: impl Iterator<Item = Row>) -> Result<()> {
        let plain = std::fs::symlink_metadata(&self.path).is_ok_and(|facts| facts.is_file());
        if !plain {
            return Ok(());
        }
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let anew = || -> std::io::Result<()> {
            let mut file = tempfile::Builder::new()
                .permissions(std::fs::metadata(&self.path)?.permissions())
                .tempfile_in(directory)?;
            let mut out = std::io::BufWriter::new(&mut file);
            for row in rows {
                writeln!(out, "{}", self.line(&row))?;
            }
            out.flush()?;
            drop(out);
            file.as_file().sync_all()?;
            file.persist(&self.path).map_err(|error| error.error)?;
            Ok(())
        };
        anew().map_err(|error| self.cannot_write(&error))
    }

    fn cannot_write(&self, error: &std::io::Error) -> Error {
        Error::new(
            Kind::Failed,
            format!("cannot write the report {}: {error}", self.path.display()),
        )
        .hint("nothing more was sent; make room, then go on with --resume")
    }
}

impl Row {
    /// The row that stands for one that an earlier run has finished.
    pub(super) fn finished_earlier(input: &str) -> Self {
        let reason = "done in an earlier run".to_owned();
        Self::new(input, RowOutcome::Already, reason)
    }
}

/// The length of a file of `length` bytes without the half of a row at its end.
fn whole_rows(file: &mut File, length: u64) -> std::io::Result<u64> {
    let tail = length.min(LONGEST);
    file.seek(SeekFrom::Start(length - tail))?;
    let mut bytes = Vec::new();
    std::io::Read::take(file, tail).read_to_end(&mut bytes)?;
    let half = bytes.iter().rev().take_while(|byte| **byte != b'\n');
    Ok(length.saturating_sub(half.count() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "C8:5B:76:C6:59:62";
    const TWO: &str = "00:00:5E:00:53:01";

    fn earlier(path: &Path, mac: &str) -> Option<Earlier> {
        let left = Left::read(path, "coa reauth").unwrap();
        left.of(mac.parse::<Station>().unwrap()).cloned()
    }

    #[test]
    fn a_run_that_was_killed_leaves_what_it_was_about_to_send() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.jsonl");
        let ledger = Ledger::open(&path, "coa reauth", false).unwrap();
        ledger.sending(ONE, None).unwrap();
        ledger.row(&Row::new(ONE, RowOutcome::Done, None)).unwrap();
        ledger.sending(TWO, None).unwrap();
        ledger.sending(TWO, Some(&json!({"id": 1}))).unwrap();
        // Killed in the middle of a row.
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"input\":\"00:00:5E").unwrap();
        assert_eq!(earlier(&path, ONE), Some(Earlier::Good));
        let unsure = Earlier::Unsure(Some(json!({"id": 1})));
        assert_eq!(earlier(&path, TWO), Some(unsure.clone()));
        // It goes on behind what was cut off, which is no reason to forget what comes then.
        let error = Ledger::open(&path, "coa reauth", false).err().unwrap();
        assert!(error.hint_text().unwrap().contains("--resume"));
        let rows = [
            Row::finished_earlier("c85b.76c6.5962"),
            Row {
                unsure: true,
                ..Row::new(TWO, RowOutcome::Failed, None)
            },
        ];
        let ledger = Ledger::open(&path, "coa reauth", true).unwrap();
        ledger.sending(TWO, None).unwrap();
        assert_eq!(earlier(&path, ONE), Some(Earlier::Good));
        ledger.finish(rows.into_iter()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert_eq!(earlier(&path, ONE), Some(Earlier::Good));
        assert_eq!(earlier(&path, TWO), Some(Earlier::Unsure(None)));
    }

    #[test]
    fn a_report_of_something_else_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.jsonl");
        let ledger = Ledger::open(&path, "coa reauth", false).unwrap();
        ledger
            .row(&Row::new(ONE, RowOutcome::NotSent, None))
            .unwrap();
        assert_eq!(earlier(&path, ONE), None);
        let error = Left::read(&path, "anc clear").unwrap_err();
        assert!(error.message().contains("`coa reauth`"), "{error}");
        std::fs::write(&path, "MAC\tIP\n").unwrap();
        assert_eq!(
            Left::read(&path, "anc clear").unwrap_err().kind(),
            Kind::Usage
        );
    }
}
