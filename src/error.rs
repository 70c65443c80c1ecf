//! The closed set of things that can go wrong, and the exit status of each.
//!
//! An [`Error`] says what failed, on which host or file and why, in one line, and carries a hint:
//! what to do now. Its [`Kind`] is decided from facts (an HTTP status, an envelope's field, an
//! `io::ErrorKind`), never from the words of a message. The map from kind to exit status
//! ([`Kind::exit_status`]) is the only one in the program (contract, section 6).
//!
//! This module prints nothing: `cli::report` writes errors for people and as JSON.

use std::fmt;

/// What happened, as a fact. Each kind has one exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Something failed that has no kind of its own (a callback, a local file, an internal limit).
    Failed,
    /// The user's expression (`--jq`) failed on one record; it may do for the next.
    Expression,
    /// Some items of a bulk run failed; each was named as it failed.
    Partial,
    /// The command line or the settings are wrong; nothing was sent.
    Usage,
    /// The named thing (session, policy, account, code) does not exist.
    NotFound,
    /// Authentication or authorization was refused (HTTP 401, 403, account DISABLED).
    Refused,
    /// The server answered with an error, or the operation failed there (HTTP 4xx, 5xx, CoA
    /// `false`, ANC `FAILURE`).
    Server,
    /// The server says of itself that it is no Monitoring node.
    WrongNode,
    /// The server is overloaded or restarting (HTTP 502, 503).
    Overloaded,
    /// The answer is not what the reference describes: HTML, wrong root, malformed, over a bound.
    Malformed,
    /// The answer broke off before its end.
    Truncated,
    /// The server wanted to send us elsewhere; redirects are never followed.
    Redirected,
    /// The name does not resolve.
    Resolve,
    /// The connection was refused, reset or closed.
    Connect,
    /// The TLS handshake failed, in either direction.
    Tls,
    /// Nothing, or too little, came in the time allowed (also HTTP 504).
    TimedOut,
    /// Accepted but not done: account awaiting approval, ANC operation still running.
    Pending,
    /// This signal ended it, half-way or in good order; the process ends by the signal itself.
    Stopped(i32),
    /// Standard output was closed by its reader: success, and nothing more is said.
    ClosedPipe,
    /// The request was shown (`--dry-run`, `--curl`) and by intent not sent: success, and nothing
    /// more is said.
    NotSent,
}

impl Kind {
    /// The process's exit status for this kind (contract, section 6).
    #[must_use]
    pub fn exit_status(self) -> u8 {
        match self {
            Self::ClosedPipe | Self::NotSent => 0,
            Self::Failed | Self::Expression | Self::Partial => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Refused => 4,
            Self::Server
            | Self::WrongNode
            | Self::Overloaded
            | Self::Malformed
            | Self::Truncated
            | Self::Redirected => 5,
            Self::Resolve | Self::Connect | Self::Tls => 6,
            Self::TimedOut => 7,
            Self::Pending => 8,
            Self::Stopped(signal) => u8::try_from(signal.saturating_add(128)).unwrap_or(1),
        }
    }

    /// The kind's stable name in JSON errors.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Expression => "expression",
            Self::Partial => "partial",
            Self::Usage => "usage",
            Self::NotFound => "not-found",
            Self::Refused => "refused",
            Self::Server => "server-error",
            Self::WrongNode => "wrong-node",
            Self::Overloaded => "overloaded",
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::Redirected => "redirected",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::TimedOut => "timed-out",
            Self::Pending => "pending",
            Self::ClosedPipe => "closed-pipe",
            Self::NotSent => "not-sent",
            Self::Stopped(_) => "stopped",
        }
    }

    /// Whether this is an end that needs no word: the exit status is 0.
    #[must_use]
    pub fn is_quiet(self) -> bool {
        self.exit_status() == 0
    }

    /// Whether the whole command ends with it, whatever others could still be asked: a signal,
    /// `--dry-run`, a reader that went away.
    #[must_use]
    pub fn ends_the_command(self) -> bool {
        self.is_quiet() || matches!(self, Self::Stopped(_))
    }
}

/// What failed and what to do about it.
///
/// The message is one line without a final full stop; text that came from a server or a file may
/// stand in it raw, the printer makes it safe for a terminal. Never put a secret in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: String,
    hint: Option<String>,
    host: Option<String>,
    status: Option<u16>,
    nothing_sent: bool,
    answer: Option<String>,
}

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            host: None,
            status: None,
            nothing_sent: false,
            answer: None,
        }
    }

    /// A [`Kind::Usage`] error.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Adds what the user can do now.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same without a hint, where it was given already.
    #[must_use]
    pub fn without_hint(mut self) -> Self {
        self.hint = None;
        self
    }

    /// Adds what the server answered (JSON) before it went wrong: what a change that is lost can be
    /// asked by.
    #[must_use]
    pub fn answer(mut self, json: impl Into<String>) -> Self {
        self.answer = Some(json.into());
        self
    }

    /// Adds what to do about a file that could not be read.
    #[must_use]
    pub fn hint_of_file(self, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{IsADirectory, NotFound, PermissionDenied};
        match error.kind() {
            NotFound => {
                self.hint("check the path; a relative one is looked for in the current directory")
            }
            PermissionDenied => {
                self.hint("give this user the right to read it, or name another file")
            }
            IsADirectory => self.hint("name a file in that directory"),
            _ => self,
        }
    }

    /// The error of ours that an `io::Error` carries, as a reader of an answer's body returns it.
    pub fn inside(error: &std::io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Self>().cloned()
    }

    /// Names the host (and port) that the error is about; shown in JSON, and expected to stand in
    /// the message as well.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Records the HTTP status that the error was read from.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Records that the failure came before anything of the request was on the wire, so that it is
    /// certain that nothing was done.
    #[must_use]
    pub fn nothing_sent(mut self) -> Self {
        self.nothing_sent = true;
        self
    }

    /// The same error in other words.
    #[must_use]
    pub fn reworded(self, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ..self
        }
    }

    /// The fact.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The line for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do, where there is something.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// What the server answered, as JSON.
    pub fn answer_text(&self) -> Option<&str> {
        self.answer.as_deref()
    }

    /// The host the error is about.
    pub fn host_name(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The HTTP status, where one was received.
    pub fn http_status(&self) -> Option<u16> {
        self.status
    }

    /// Whether it is of the kind that passes: the server is overloaded, restarting or away.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(
            self.kind,
            Kind::Overloaded | Kind::TimedOut | Kind::Connect | Kind::Truncated
        ) || self.status.is_some_and(|status| status >= 500)
    }

    /// Whether it is certain that nothing of the request reached the server: only then may a change
    /// go to the next replica (contract, section 8).
    pub fn was_nothing_sent(&self) -> bool {
        self.nothing_sent
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// An error of writing to standard output: a closed pipe is its own kind, anything else is a
/// failure.
pub fn from_output(error: &std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        Error::new(Kind::ClosedPipe, "standard output was closed")
    } else {
        Error::new(
            Kind::Failed,
            format!("cannot write to standard output: {error}"),
        )
        .hint("is there room where it leads? what is printed is not complete")
    }
}
