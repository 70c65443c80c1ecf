//! What happens to an event after the subscription emitted it: it is written to the spool, waits its turn behind the
//! earlier events of its endpoint, is handed to the callback, and leaves the spool, or goes to the dead letters.
//!
//! [`Deliverer`] is the way in; the other modules are its parts, each usable and tested alone:
//!
//! | module | holds |
//! | --- | --- |
//! | [`spool`] | the durable queue (one redb file) and the marks of what was last seen |
//! | `backend` | the file under a temporary one |
//! | `recent` | the part of it that is in memory as well |
//! | [`lock`] | who holds a spool's directory |
//! | `identity` | whether a path still names what was opened |
//! | `running` | callbacks that outlived a killed run |
//! | [`order`] | whose turn it is: a state machine without I/O |
//! | `desk` | what becomes of a delivery that ended, and which one follows it |
//! | `worker`, `starters` | the loop, and the threads on which callbacks run |
//! | [`callback`] | one run of the callback: its input, environment, time limit and outcome |
//! | [`output`] | the callback's output, cut into bounded lines |
//! | [`keep_running`] | the long-lived child of `--keep-running` |
//! | [`dead_letters`] | what could not be delivered |
//! | [`letter_file`], [`retry`] | the same read back, rewritten, delivered again |
//! | [`counters`] | the figures said at the end |
//!
//! This room subscribes to nothing, prints nothing and knows no clap: words for people go to a [`Listener`].

mod backend;
pub mod callback;
pub mod counters;
pub mod dead_letters;
mod deliverer;
mod desk;
mod identity;
pub mod keep_running;
pub mod letter_file;
pub mod lock;
pub mod order;
pub mod output;
mod recent;
pub mod retry;
mod running;
pub mod spool;
mod starters;
mod worker;

use std::borrow::Cow;

pub use deliverer::{Deliverer, Ending, Options, Print, Sink, Stop};

/// One event on its way to the callback: the text that the callback reads and what delivery has to know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The event as one JSON object (contract, section 4); what the callback gets on its standard input.
    pub json: String,
    /// Events of one key are delivered in order: the endpoint (MAC or calling station), else the topic.
    pub key: String,
    /// The topic's path.
    pub topic: String,
    /// `sessionCreated`, `sessionUpdated`, `sessionDeleted`, or the server's operation.
    pub event: String,
    /// The server's sequence number, where the topic has one.
    pub sequence: Option<i64>,
    /// The endpoint's MAC address, as the server sent it.
    pub mac: Option<String>,
    /// The session's state, as the server sent it.
    pub state: Option<String>,
    /// Whether the event was fetched after a gap, or comes again after a restart.
    pub recovered: bool,
    /// When we received it.
    pub received_at: jiff::Timestamp,
}

impl Envelope {
    /// The JSON on one line. A line end in JSON text can only stand between tokens (inside a string it is escaped), so a
    /// blank says the same.
    pub fn line(&self) -> Cow<'_, str> {
        if self.json.contains(['\n', '\r']) {
            Cow::Owned(self.json.replace(['\n', '\r'], " "))
        } else {
            Cow::Borrowed(&self.json)
        }
    }

    /// Marks the event as one that may come a second time (it was spooled by an earlier run).
    ///
    /// The flag stands before the message in the documented envelope; only that part is looked at, so that the message
    /// stays the text the server sent. The member cannot be mistaken: a quote inside a JSON string is escaped.
    pub fn mark_recovered(&mut self) {
        const FALSE: &str = "\"recovered\":false";
        const TRUE: &str = "\"recovered\":true";
        self.recovered = true;
        let head = self.json.find("\"message\":").unwrap_or(self.json.len());
        if let Some(at) = self.json.get(..head).and_then(|head| head.find(FALSE)) {
            self.json.replace_range(at..at + FALSE.len(), TRUE);
        }
    }
}

/// Who hears what delivery has to say. The caller writes it to standard error and makes it safe for a terminal: the lines
/// hold text that strangers chose.
pub trait Listener: Send + Sync + 'static {
    /// One line of the callback's output, without its line end.
    fn callback_line(&self, line: &str);
    /// One line about delivery itself: a failed callback, a retry, a child that ended.
    fn notice(&self, text: &str);
    /// One dead letter, a JSON object without line end, where no file was named for them.
    fn dead_letter(&self, json: &str);
    /// Whether there is room for another dead letter. While there is none no delivery begins; nothing waits for a notice or a line of
    /// output.
    fn has_room(&self) -> bool {
        true
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! What the tests of this room share.

    use std::path::{Path, PathBuf};
    use std::sync::Mutex;

    use super::{Envelope, Listener};

    /// Remembers everything that was said.
    #[derive(Debug, Default)]
    pub(crate) struct Heard {
        pub(crate) lines: Mutex<Vec<String>>,
        pub(crate) notices: Mutex<Vec<String>>,
        pub(crate) letters: Mutex<Vec<String>>,
    }

    impl Listener for Heard {
        fn callback_line(&self, line: &str) {
            self.lines.lock().unwrap().push(line.to_owned());
        }
        fn notice(&self, text: &str) {
            self.notices.lock().unwrap().push(text.to_owned());
        }
        fn dead_letter(&self, json: &str) {
            self.letters.lock().unwrap().push(json.to_owned());
        }
    }

    /// An event of the endpoint `key` whose sequence number is `sequence`.
    pub(crate) fn event(key: &str, sequence: i64) -> Envelope {
        Envelope {
            json: format!(
                r#"{{"type":"MESSAGE","event":"sessionCreated","sequenceNumber":{sequence},"topic":"/topic/com.cisco.ise.session","recovered":false,"message":{{"sessions":[{{"macAddress":"{key}","recovered":false}}]}}}}"#
            ),
            key: key.to_owned(),
            topic: "/topic/com.cisco.ise.session".to_owned(),
            event: "sessionCreated".to_owned(),
            sequence: Some(sequence),
            mac: Some(key.to_owned()),
            state: Some("STARTED".to_owned()),
            recovered: false,
            received_at: jiff::Timestamp::now(),
        }
    }

    /// Writes an executable file.
    ///
    /// Another process writes it: a script that this one holds open for writing, if only in a child that a test beside us is
    /// just starting, cannot be executed ("text file busy").
    pub(crate) fn script(dir: &Path, name: &str, text: &str) -> PathBuf {
        let path = dir.join(name);
        let status = std::process::Command::new("sh")
            .args(["-c", "printf %s \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"])
            .arg(&path)
            .arg(text)
            .status()
            .unwrap();
        assert!(status.success());
        path
    }
}

#[cfg(test)]
mod tests {
    use super::testing::event;

    #[test]
    fn marking_touches_the_flag_and_never_the_message() {
        let mut event = event("C8:5B:76:C6:59:62", 7);
        event.mark_recovered();
        assert!(event.recovered);
        assert!(event.json.contains(r#""recovered":true,"message""#));
        assert!(
            event
                .json
                .contains(r#""C8:5B:76:C6:59:62","recovered":false"#)
        );
    }

    #[test]
    fn an_envelope_over_several_lines_becomes_one() {
        let mut event = event("a", 1);
        event.json = "{\"a\":1,\r\n \"b\":\"x\\ny\"}".to_owned();
        assert_eq!(event.line(), "{\"a\":1,   \"b\":\"x\\ny\"}");
    }
}
