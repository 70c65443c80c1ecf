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

const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// The file is small; what is longer is something else.
const MOST: u64 = 64 << 10;

/// So long is the file at least: spaces fill it. Later writes need no more room on the disk, so
/// that a refusal can be remembered on one that is full by then.
const ROOM: usize = 2048;

/// Longest text of a refusal that is remembered.
const LONGEST_WHY: usize = 200;

/// Makes guessing passwords by the file slow.
const ROUNDS: u32 = 20_000;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct GuardState {
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
    /// Its path, for messages.
    shown: String,
    host: String,
    state: GuardState,
}

impl Guard {
    /// Waits for our turn, so long at most.
    ///
    /// Errors: [`Kind::TimedOut`] when it does not come; [`Kind::Usage`] where there is no place
    /// for the file.
    pub(super) async fn take(
        context: &Context,
        node: &Authority,
        user: &str,
        patience: Duration,
    ) -> Result<Self> {
        let path = path(node, user)?;
        let mut file = open(&path)?;
        let until = Instant::now() + patience;
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
                        format!("another netapi has been asking {node} for {patience:?}: one statement runs at a time"),
                    )
                    .hint(format!("its statement runs, or whoever reads its rows is slow; `fuser '{shown}'` names it")));
                }
                Err(TryLockError::Error(error)) => return Err(unusable(&path, &error)),
            }
        }
        let mut text = String::new();
        let read = (&mut file).take(MOST).read_to_string(&mut text);
        read.map_err(|error| unusable(&path, &error))?;
        Ok(Self {
            file,
            shown: files::display_path(&path).into_owned(),
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
        .hint(format!("set the right password in ISE_DC_PASS or --dc-password-file, or a new one in ISE: `netapi ise dc password`; if this one is right since (unlocked, or its time was made longer), remove {}", self.shown))
        .host(self.host.clone())
        .nothing_sent())
    }

    /// The same before a logon, and makes sure that a refusal could be remembered.
    pub(super) fn prepare_logon(&mut self, password: &SecretString) -> Result<()> {
        self.may_log_on(password)?;
        self.write().map_err(|error| {
            let words = format!("not tried: {}", error.message());
            error.reworded(words).nothing_sent()
        })
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
            why: why.chars().take(LONGEST_WHY).collect(),
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

    /// In place: what was remembered before is not lost where there is no room.
    fn write(&mut self) -> Result<()> {
        let mut text = serde_json::to_vec(&self.state).unwrap_or_default();
        text.resize(text.len().max(ROOM), b' ');
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let written = self.file.rewind();
        let written = written
            .and_then(|()| self.file.write_all(&text))
            .and_then(|()| self.file.set_len(length));
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
    let directory = state_directory::of("data-connect").ok_or_else(|| {
        Error::usage("there is no home directory to remember in what a node was asked")
            .hint("set XDG_STATE_HOME to a directory")
    })?;
    Ok(directory.join(file_name(node, user)))
}

/// One for each spelling of a node but for the letters' case and the dot at its end: names are not
/// resolved before our turn has come.
fn file_name(node: &Authority, user: &str) -> String {
    let host = node.host().trim_end_matches('.');
    let name = format!("{}_{user}", Authority::new(host, node.port()));
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let name = name.to_lowercase();
    let name = name.chars().map(|c| if plain(c) { c } else { '_' });
    name.chain(".json".chars()).collect()
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
            shown: "state.json".to_owned(),
            host: "ise:2484".to_owned(),
            state: GuardState::default(),
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

    #[test]
    fn a_node_has_one_file_however_its_name_ends() {
        let name = |host: &str| file_name(&Authority::new(host, 2484), "dataconnect");
        let plain = name("mnt.example.com");
        assert_eq!(plain, "mnt.example.com_2484_dataconnect.json");
        assert_eq!(name("MNT.example.com."), plain);
        assert_eq!(name("2001:db8::1"), "_2001_db8__1__2484_dataconnect.json");
    }

    #[test]
    fn the_file_keeps_its_length_so_that_a_full_disk_can_hold_a_refusal() {
        let mut guard = guard();
        let wrong = SecretString::from("wrong");
        guard.prepare_logon(&wrong).unwrap();
        let length = |guard: &Guard| guard.file.metadata().unwrap().len();
        let before = length(&guard);
        // Each takes six bytes.
        let why = "\u{1}".repeat(2 * LONGEST_WHY);
        guard.remember_refusal(&wrong, &why).unwrap();
        assert_eq!(length(&guard), before);
        guard
            .note(Duration::from_secs(7), at(1_800_000_000_000))
            .unwrap();
        assert_eq!(length(&guard), before);
        guard.file.rewind().unwrap();
        let mut text = String::new();
        guard.file.read_to_string(&mut text).unwrap();
        let read: GuardState = serde_json::from_str(&text).unwrap();
        assert_eq!((read.spent, read.refused.is_some()), (7000, true));
        assert_eq!(
            guard.prepare_logon(&wrong).unwrap_err().kind(),
            Kind::Refused
        );
    }
}
