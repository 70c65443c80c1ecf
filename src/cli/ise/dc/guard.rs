//! What keeps a node's database from harm, across all processes of this user: one statement at a
//! time, a share of its time, and one try of a wrong password.
//!
//! A file for each node and account holds it; its lock is the turn. The share: statements may keep
//! a node busy for [`ALLOWANCE`] at once, and for a tenth of the time that passes. A refused logon
//! is remembered with a salted hash of the password, so that no process tries it again, and one
//! with another password may.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use pbkdf2::pbkdf2_hmac;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha512;
use tokio::time::{Instant, sleep};

use crate::authority::Authority;
use crate::cli::{Context, state_directory};
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::transport::provider;
use crate::unix::files::{Links, make_private_directory, open_private};

/// How long a node may be kept busy without a pause.
const ALLOWANCE: Duration = Duration::from_secs(15);

/// What part of the time that passes is given back.
const SHARE: u64 = 10;

/// How long to wait for the turn.
const PATIENCE: Duration = Duration::from_secs(90);

const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// The file is small; what is longer is something else.
const MOST: u64 = 64 << 10;

/// Makes guessing passwords by the file slow.
const ROUNDS: u32 = 20_000;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    /// Milliseconds of the node's time that are not given back yet.
    spent: u64,
    /// When that was so, in milliseconds since 1970.
    at: i64,
    refused: Option<Refused>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Refused {
    salt: [u8; 16],
    hash: [u8; 16],
    why: String,
}

/// Our turn at a node. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Guard {
    file: File,
    host: String,
    state: State,
}

impl Guard {
    /// Waits for our turn.
    ///
    /// Errors: [`Kind::TimedOut`] when it does not come; [`Kind::Usage`] where there is no place
    /// for the file.
    pub(super) async fn take(context: &Context, node: &Authority, user: &str) -> Result<Self> {
        let path = path(node, user)?;
        let mut file = open(&path)?;
        let until = Instant::now() + PATIENCE;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    if !told {
                        context
                            .reporter
                            .step(&format!("waiting: another netapi is asking {node}"));
                        told = true;
                    }
                    sleep(LOOK_AGAIN).await;
                }
                Err(TryLockError::WouldBlock) => {
                    let shown = files::display_path(&path);
                    return Err(Error::new(
                        Kind::TimedOut,
                        format!("another netapi has been asking {node} for {PATIENCE:?}: one statement runs at a time"),
                    )
                    .hint(format!("wait for it, or end it; `fuser '{shown}'` names it")));
                }
                Err(TryLockError::Error(error)) => return Err(unusable(&path, &error)),
            }
        }
        let mut text = String::new();
        let read = (&mut file).take(MOST).read_to_string(&mut text);
        read.map_err(|error| unusable(&path, &error))?;
        Ok(Self {
            file,
            host: node.to_string(),
            // A file that is cut or of another version costs what was remembered.
            state: serde_json::from_str(&text).unwrap_or_default(),
        })
    }

    /// Refuses a password that was refused before.
    pub(super) fn may_log_on(&self, password: &SecretString) -> Result<()> {
        let Some(refused) = &self.state.refused else {
            return Ok(());
        };
        if hash(password, &refused.salt) != refused.hash {
            return Ok(());
        }
        Err(Error::new(
            Kind::Refused,
            format!(
                "not tried: {} refused this password before ({}), and a few wrong ones lock the account",
                self.host, refused.why
            ),
        )
        .hint("set the right password in ISE_DC_PASS or --dc-password-file, or a new one in ISE: `netapi ise dc password`")
        .host(self.host.clone())
        .nothing_sent())
    }

    /// Remembers that a password was refused.
    pub(super) fn remember_refusal(&mut self, password: &SecretString, why: &str) -> Result<()> {
        let mut salt = [0; 16];
        provider()
            .secure_random
            .fill(&mut salt)
            .map_err(|_| Error::new(Kind::Failed, "the system has no random numbers"))?;
        self.state.refused = Some(Refused {
            hash: hash(password, &salt),
            salt,
            why: why.to_owned(),
        });
        self.write()
    }

    /// Forgets a refusal: the account let us in.
    pub(super) fn forget_refusal(&mut self) -> Result<()> {
        match self.state.refused.take() {
            Some(_) => self.write(),
            None => Ok(()),
        }
    }

    /// How long to wait before the next statement, so that the node has its share.
    pub(super) fn pause(&self, now: Timestamp) -> Duration {
        let allowance = u64::try_from(ALLOWANCE.as_millis()).unwrap_or(u64::MAX);
        let over = self.spent(now).saturating_sub(allowance);
        Duration::from_millis(over.saturating_mul(SHARE))
    }

    /// What is not given back by `now`.
    fn spent(&self, now: Timestamp) -> u64 {
        let passed = now.as_millisecond().saturating_sub(self.state.at);
        // A clock that was set back gives nothing back.
        let passed = u64::try_from(passed).unwrap_or_default();
        self.state.spent.saturating_sub(passed / SHARE)
    }

    /// Notes how long a statement kept the node busy.
    pub(super) fn note(&mut self, busy: Duration, now: Timestamp) -> Result<()> {
        let busy = u64::try_from(busy.as_millis()).unwrap_or(u64::MAX);
        self.state.spent = self.spent(now).saturating_add(busy);
        self.state.at = now.as_millisecond();
        self.write()
    }

    fn write(&mut self) -> Result<()> {
        let text = serde_json::to_vec(&self.state).unwrap_or_default();
        let written = self.file.set_len(0);
        let written = written
            .and_then(|()| self.file.rewind())
            .and_then(|()| self.file.write_all(&text));
        written.map_err(|error| {
            Error::new(
                Kind::Failed,
                format!("cannot remember what {} was asked: {error}", self.host),
            )
            .hint("is the disk of the state directory full?")
        })
    }
}

fn hash(password: &SecretString, salt: &[u8; 16]) -> [u8; 16] {
    let mut hash = [0; 16];
    pbkdf2_hmac::<Sha512>(password.expose_secret().as_bytes(), salt, ROUNDS, &mut hash);
    hash
}

fn path(node: &Authority, user: &str) -> Result<PathBuf> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let name = format!("{node}_{user}").to_lowercase();
    let name: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    let directory = state_directory::of("data-connect").ok_or_else(|| {
        Error::usage("there is no home directory to remember in what a node was asked")
            .hint("set XDG_STATE_HOME to a directory")
    })?;
    Ok(directory.join(format!("{name}.json")))
}

fn open(path: &std::path::Path) -> Result<File> {
    let directory = path.parent().unwrap_or(path);
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    make_private_directory(directory)
        .and_then(|()| open_private(&mut options, path, Links::Refuse))
        .map_err(|error| unusable(path, &error))
}

fn unusable(path: &std::path::Path, error: &std::io::Error) -> Error {
    Error::usage(format!("cannot use {}: {error}", files::display_path(path)))
        .hint("set XDG_STATE_HOME to a directory that you may write to")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard {
            file: tempfile::tempfile().unwrap(),
            host: "ise:2484".to_owned(),
            state: State::default(),
        }
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    #[test]
    fn a_node_has_nine_tenths_of_its_time_to_itself() {
        let mut guard = guard();
        let now = 1_800_000_000_000;
        assert_eq!(guard.pause(at(now)), Duration::ZERO);
        guard.note(Duration::from_secs(15), at(now)).unwrap();
        assert_eq!(guard.pause(at(now)), Duration::ZERO);
        guard.note(Duration::from_secs(5), at(now)).unwrap();
        assert_eq!(guard.pause(at(now)), Duration::from_secs(50));
        assert_eq!(guard.pause(at(now + 20_000)), Duration::from_secs(30));
        assert_eq!(guard.pause(at(now + 50_000)), Duration::ZERO);
        // A clock that was set back.
        assert_eq!(guard.pause(at(now - 1_000_000)), Duration::from_secs(50));
    }

    #[test]
    fn a_refused_password_is_not_tried_again_and_another_is() {
        let mut guard = guard();
        let (wrong, other) = (SecretString::from("wrong"), SecretString::from("other"));
        guard.may_log_on(&wrong).unwrap();
        guard.remember_refusal(&wrong, "ORA-01017").unwrap();
        assert_eq!(guard.may_log_on(&wrong).unwrap_err().kind(), Kind::Refused);
        guard.may_log_on(&other).unwrap();
        let text = serde_json::to_string(&guard.state).unwrap();
        assert!(!text.contains("wrong"), "{text}");
        guard.forget_refusal().unwrap();
        guard.may_log_on(&wrong).unwrap();
    }
}
