//! What was told of each session, or row of a topic, over restarts: what a spool keeps beside the
//! events, and how a subscription looks into it.

use std::fmt;
use std::sync::Arc;

use super::Mark;

/// How many of the last contents are known by their digests: several events may carry one
/// timestamp, and an answer may be older than the last of them.
pub const DIGESTS: usize = 4;

/// The last told state of one session or row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RememberedState {
    /// The newest time it was seen with, in microseconds since the epoch; the least there is for
    /// none.
    pub newest: i64,
    /// Digests of its last contents, the latest first; 0 where there are fewer.
    pub digests: [u64; DIGESTS],
    /// Whether its end was told.
    pub ended: bool,
    /// Whether it was last seen over REST.
    pub recovered: bool,
    /// Whether it may be forgotten when it is old: nothing will be compared with it then.
    pub passing: bool,
}

/// A state that was told, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The topic's path.
    pub topic: Arc<str>,
    /// The identity of the session or row.
    pub key: Box<str>,
    /// Its state from now on.
    pub state: RememberedState,
}

/// What holds once the events beside it are safe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// How far each topic was followed.
    pub marks: Vec<Mark>,
    /// What was told, oldest first; each with the number of events of its batch that it follows.
    pub remembered: Vec<(usize, Remembered)>,
}

impl From<Vec<Mark>> for Progress {
    fn from(marks: Vec<Mark>) -> Self {
        Self {
            marks,
            remembered: Vec::new(),
        }
    }
}

/// A look into what was told. It never fails: whoever keeps it says elsewhere that it cannot be
/// read, and then nothing is found.
pub trait Memory: fmt::Debug + Send + Sync {
    /// What digests and hashes of identities begin with: chosen at random once, and kept.
    fn seed(&self) -> u64;
    /// What was told of one.
    fn find(&self, topic: &str, key: &str) -> Option<RememberedState>;
    /// What was told of an endpoint's sessions: those whose identities have the same
    /// [`endpoint`].
    fn find_endpoint(
        &self,
        topic: &str,
        endpoint: &str,
        found: &mut dyn FnMut(&str, RememberedState),
    );
    /// Everything that was told of a topic.
    fn walk(&self, topic: &str, found: &mut dyn FnMut(&str, RememberedState));
    /// Whether nothing of a topic that may not be forgotten was forgotten.
    fn is_whole(&self, topic: &str) -> bool;
}

/// The endpoint in an identity: its first value, else all of it.
pub fn endpoint(key: &str) -> &str {
    key.split('\0')
        .next()
        .filter(|first| !first.is_empty())
        .unwrap_or(key)
}
