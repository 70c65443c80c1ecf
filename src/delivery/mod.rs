//! What happens to an event after the subscription emitted it: it waits in the spool behind the
//! earlier events of its endpoint, is handed to the sink, and leaves the spool, or goes to the dead
//! letters.
//!
//! [`Deliverer`] is the way in; the other modules are its parts, each usable and tested alone:
//!
//! | module | holds |
//! | --- | --- |
//! | [`queue`] | where events wait: memory, then a file; the marks of how far topics were followed |
//! | [`lock`] | who holds a spool's directory |
//! | `file_identity` | whether a path still names what was opened |
//! | `earlier_callbacks` | callbacks that outlived a killed run |
//! | [`endpoint_order`] | which event is next, endpoint by endpoint: a state machine without I/O |
//! | `scheduler` | what becomes of a delivery that ended, and which one follows it |
//! | `delivery_loop` | from the spool to the sink, and out of the spool |
//! | [`gate`] | who has a say on events beside the queue |
//! | [`sink`] | where events go: printed, one process an event, one for all |
//! | [`dead_letters`] | what could not be delivered |
//! | [`dead_letter_file`], [`redelivery`] | the same read back, rewritten, delivered again |
//! | [`counters`] | what delivery counts of the figures said at the end |
//! | `stop` | how urgently to end |
//!
//! This room subscribes to nothing, prints nothing and knows no clap: words for people go to a
//! [`Listener`].

pub mod counters;
pub mod dead_letter_file;
pub mod dead_letters;
mod deliverer;
mod delivery_loop;
mod earlier_callbacks;
pub mod endpoint_order;
mod file_identity;
pub mod gate;
pub mod lock;
pub mod queue;
pub mod redelivery;
mod scheduler;
pub mod sink;
mod stop;

use std::time::Duration;

use crate::backoff::Backoff;
pub use deliverer::{Deliverer, DeliveryOptions};
pub use queue::spool;
pub use sink::Sink;
pub use stop::Stop;

/// The pauses before a failed callback is run again.
pub const RETRY_PAUSES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));

/// Who hears what delivery has to say. The caller writes it to standard error and makes it safe for
/// a terminal: the lines hold text that strangers chose.
pub trait Listener: Send + Sync + 'static {
    /// One line of the callback's output, without its line end.
    fn callback_line(&self, line: &str);
    /// One line about delivery itself: a failed callback, a retry, a child that ended.
    fn notice(&self, text: &str);
    /// One dead letter, a JSON object without line end, where no file was named for them.
    fn dead_letter(&self, json: &str);
    /// Whether there is room for another dead letter. While there is none no delivery begins;
    /// nothing waits for a notice or a line of output.
    fn has_room(&self) -> bool {
        true
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! What the tests of this room share.

    use std::path::{Path, PathBuf};
    use std::sync::Mutex;

    use super::Listener;
    use crate::event::{Event, EventId, Message};

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
    pub(crate) fn event(key: &str, sequence: i64) -> Event {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&sequence.to_be_bytes());
        Event {
            id: EventId::from(id).into(),
            event: "sessionCreated".into(),
            sequence: Some(sequence),
            topic: "/topic/com.cisco.ise.session".into(),
            node: "node".into(),
            received_at: jiff::Timestamp::now(),
            recovered: false,
            overtaken: false,
            mac: Some(key.into()),
            station: None,
            state: Some("STARTED".into()),
            message: Message::session(format!(r#"{{"macAddress":"{key}","recovered":false}}"#)),
        }
    }

    /// Writes an executable file.
    ///
    /// Another process writes it: a script that this one holds open for writing, if only in a child
    /// that a test beside us is just starting, cannot be executed ("text file busy").
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
