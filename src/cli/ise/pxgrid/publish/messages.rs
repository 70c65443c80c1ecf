//! From a file or standard input to messages: JSON objects, one after the other, in one array, over
//! one line or several. Bounded by what the server takes of one message.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use crate::error::{Error, Kind, Result};
use crate::record::json_scan::TOO_DEEP;
use crate::record::read_bounded_json;
use crate::unix::files::{file_of, is_plain};

/// The largest message; the server's own limit (reference pxgrid-api, section 4).
const LARGEST: usize = 300 * 1000;

/// How long the first message of a pipe is waited for before anything is registered.
const FIRST: Duration = Duration::from_secs(1);

/// What to do about an input that was found wrong before anything was done.
const UNTOUCHED: &str =
    "nothing was registered or published: give JSON objects, one a line, or one array of them";

/// How many kilobytes of messages are read ahead; each counts at least one.
const ROOM: u32 = 4 * 1024;

/// Where messages come from.
pub(super) struct MessageSource {
    name: String,
    reader: Box<dyn BufRead + Send>,
    finite: bool,
}

/// Messages as they are read. Those that wait to be sent are bounded in bytes, not in number: the
/// end of an input is seen when all of it fits.
pub(super) struct Messages {
    /// Read already, to look at it.
    first: Option<Ahead>,
    read: mpsc::UnboundedReceiver<Ahead>,
    ended: Arc<AtomicBool>,
    finite: bool,
}

/// A message, and the room it takes until it is taken.
struct Ahead {
    message: Result<String>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Messages {
    /// The next one; an error is the last.
    pub(super) async fn next(&mut self) -> Option<Result<String>> {
        let ahead = match self.first.take() {
            Some(first) => Some(first),
            None => self.read.recv().await,
        };
        ahead.map(|ahead| ahead.message)
    }

    /// Waits a moment for the first message: one that cannot be published is an error while
    /// nothing is registered yet.
    pub(super) async fn look_at_first(&mut self) -> Result<()> {
        match timeout(FIRST, self.read.recv()).await {
            Ok(Some(Ahead {
                message: Err(error),
                ..
            })) => Err(error.hint(UNTOUCHED)),
            Ok(first) => {
                self.first = first;
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }

    /// Whether the input is known to end: it is a file, or was read to its end.
    pub(super) fn is_finite(&self) -> bool {
        self.finite || self.ended.load(Relaxed)
    }
}

/// Reads a whole file once and leaves it as it was, so that nothing is registered for what cannot
/// be published. What is no regular file is not touched.
pub(super) fn check(path: &Path, wrap: Option<&str>) -> Result<()> {
    let opened = if path == "-" {
        file_of(std::io::stdin())
    } else {
        File::open(path)
    };
    let Ok(mut file) = opened else {
        // Opening it to publish says why.
        return Ok(());
    };
    if !file.metadata().is_ok_and(|facts| facts.is_file()) {
        return Ok(());
    }
    let cannot = |error: &std::io::Error| {
        Error::usage(format!("cannot read {}: {error}", path.display())).hint_of_file(error)
    };
    // Standard input may stand anywhere, and is shared with whoever gave it to us.
    let start = file.stream_position().map_err(|error| cannot(&error))?;
    let mut reader = BufReader::new(&file);
    let read = objects(&mut reader, &mut |object| {
        message(object, wrap).map(|_| true)
    });
    file.seek(SeekFrom::Start(start))
        .map_err(|error| cannot(&error))?;
    read.map_err(|error| {
        let name = if path == "-" {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        Error::new(error.kind(), format!("{name}: {}", error.message())).hint(UNTOUCHED)
    })
}

impl MessageSource {
    /// Opens a file, or standard input for `-`.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path == "-" {
            let stdin = std::io::stdin();
            return Ok(Self {
                name: "standard input".to_owned(),
                finite: is_plain(&stdin),
                reader: Box::new(BufReader::new(stdin)),
            });
        }
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| {
            Error::usage(format!("cannot read {name}: {error}")).hint_of_file(&error)
        })?;
        Ok(Self {
            name,
            finite: is_plain(&file),
            reader: Box::new(BufReader::new(file)),
        })
    }

    /// Reads on a thread of its own; an error is the last. `wrap`: what is done with an asset
    /// that comes alone. Must be called inside a runtime.
    pub(super) fn read(self, wrap: Option<&'static str>) -> Messages {
        let (give, read) = mpsc::unbounded_channel();
        let Self {
            name,
            mut reader,
            finite,
        } = self;
        let ended = Arc::new(AtomicBool::new(false));
        let runtime = tokio::runtime::Handle::current();
        let room = Arc::new(Semaphore::new(ROOM as usize));
        // Not a task of the runtime: a read from a terminal cannot be interrupted, and must not
        // keep the program.
        let started = std::thread::Builder::new()
            .name("messages".to_owned())
            .spawn({
                let (give, ended) = (give.clone(), Arc::clone(&ended));
                move || {
                    let outcome = objects(&mut reader, &mut |object| {
                        let message = message(object, wrap)?;
                        let cost = u32::try_from(message.len() / 1024 + 1).unwrap_or(ROOM);
                        let taken = Arc::clone(&room).acquire_many_owned(cost.min(ROOM));
                        let ahead = Ahead {
                            message: Ok(message),
                            // The semaphore is never closed.
                            _room: runtime.block_on(taken).ok(),
                        };
                        Ok(give.send(ahead).is_ok())
                    });
                    ended.store(true, Relaxed);
                    if let Err(error) = outcome {
                        let said = Error::new(error.kind(), format!("{name}: {}", error.message()));
                        let said = match error.hint_text() {
                            Some(hint) => said.hint(hint),
                            None => said,
                        };
                        let _gone = give.send(Ahead {
                            message: Err(said),
                            _room: None,
                        });
                    }
                }
            });
        if let Err(error) = started {
            let error = Error::new(Kind::Failed, format!("cannot start reading: {error}"));
            let _gone = give.send(Ahead {
                message: Err(error),
                _room: None,
            });
        }
        Messages {
            first: None,
            read,
            ended,
            finite,
        }
    }
}

/// Hands every object of `reader` to `take` until that gives false.
fn objects(reader: &mut dyn BufRead, take: &mut dyn FnMut(&str) -> Result<bool>) -> Result<()> {
    let mut number = 0_u64;
    let mut text = Vec::new();
    loop {
        text.clear();
        // A line at a time, so that what comes live is sent when it comes; an object over several
        // lines ends with the line that closes it.
        let object = loop {
            let room = LARGEST.saturating_sub(text.len()) as u64 + 1;
            let read = Read::take(&mut *reader, room)
                .read_until(b'\n', &mut text)
                .map_err(|error| Error::usage(format!("cannot be read: {error}")))?;
            let trimmed = text.trim_ascii();
            if trimmed.is_empty() && read > 0 {
                text.clear();
                continue;
            }
            if trimmed.is_empty() {
                return Ok(());
            }
            match whole(trimmed) {
                Whole::Yes(list) => break list,
                Whole::NotYet if read > 0 && text.len() <= LARGEST => {}
                Whole::NotYet => {
                    return Err(wrong(
                        number + 1,
                        if read == 0 {
                            "it is not closed"
                        } else {
                            "it is longer than the 300 kB that the server takes"
                        },
                    ));
                }
                Whole::No(why) => return Err(wrong(number + 1, &why)),
            }
        };
        for one in object {
            number += 1;
            if !take(one.get()).map_err(|error| wrong(number, error.message()))? {
                return Ok(());
            }
        }
    }
}

/// Whether a text is one or more whole values.
enum Whole {
    Yes(Vec<Box<RawValue>>),
    NotYet,
    No(String),
}

fn whole(text: &[u8]) -> Whole {
    let mut values = Vec::new();
    for value in serde_json::Deserializer::from_slice(text).into_iter::<Box<RawValue>>() {
        match value {
            Ok(value) if value.get().starts_with('[') => {
                match serde_json::from_str::<Vec<Box<RawValue>>>(value.get()) {
                    Ok(list) => values.extend(list),
                    Err(error) => return Whole::No(error.to_string()),
                }
            }
            Ok(value) => values.push(value),
            Err(error) if error.is_eof() => return Whole::NotYet,
            Err(error) => return Whole::No(format!("it is no JSON: {error}")),
        }
    }
    Whole::Yes(values)
}

fn wrong(number: u64, why: &str) -> Error {
    Error::usage(format!("object {number} cannot be published: {why}"))
        .hint("give JSON objects, one a line, or one array of them; those before it were published")
}

/// The message for an object: itself on one line; an asset that comes alone is put into the shape
/// that ISE reads.
fn message(object: &str, wrap: Option<&str>) -> Result<String> {
    let text = crate::event::message::one_line(object.to_owned());
    let members: serde_json::Map<String, serde_json::Value> =
        read_bounded_json(&text).map_err(|error| {
            // The library's words for a wrong type may quote the text.
            let deep = error.to_string().contains(TOO_DEEP);
            Error::usage(if deep {
                TOO_DEEP
            } else {
                "it is no JSON object"
            })
        })?;
    let message = match wrap {
        Some(operation) if !members.contains_key("opType") => {
            if members.contains_key("asset") {
                return Err(Error::usage("it has an asset and no opType"));
            }
            format!(r#"{{"opType":"{operation}","asset":{text}}}"#)
        }
        _ => text,
    };
    if message.len() > LARGEST {
        return Err(Error::usage(
            "it is longer than the 300 kB that the server takes",
        ));
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, wrap: Option<&str>) -> Result<Vec<String>> {
        let mut all = Vec::new();
        objects(&mut text.as_bytes(), &mut |object| {
            all.push(message(object, wrap)?);
            Ok(true)
        })?;
        Ok(all)
    }

    #[test]
    fn objects_come_a_line_each_over_lines_or_in_an_array() {
        let all = ["{\"a\":1}", "{\"b\":2.50}"];
        assert_eq!(read("{\"a\":1}\n\n{\"b\":2.50}\n", None).unwrap(), all);
        assert_eq!(read("{\n\"a\":1\n}\n{\"b\":2.50}", None).unwrap(), all);
        assert_eq!(read("[{\"a\":1},\n{\"b\":2.50}]", None).unwrap(), all);
        assert!(read("", None).unwrap().is_empty());
    }

    #[test]
    fn an_asset_alone_is_wrapped() {
        assert_eq!(
            read(r#"{"assetId":1}"#, Some("CREATE")).unwrap(),
            [r#"{"opType":"CREATE","asset":{"assetId":1}}"#]
        );
        let whole = r#"{"opType":"DELETE","asset":{"assetId":1}}"#;
        assert_eq!(read(whole, Some("CREATE")).unwrap(), [whole]);
        assert!(read(r#"{"asset":{}}"#, Some("CREATE")).is_err());
    }

    #[test]
    fn what_is_no_object_is_named_by_its_number() {
        for text in ["{\"a\":1}\n7\n", "{\"a\":1}\n{\"b\":\n", "{\"a\":1}\nx\n"] {
            let error = read(text, None).unwrap_err();
            assert!(error.message().starts_with("object 2 "), "{error}");
        }
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(LARGEST));
        assert!(read(&long, None).unwrap_err().message().contains("300 kB"));
    }
}
