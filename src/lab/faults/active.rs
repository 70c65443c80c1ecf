//! The faults in force: whom they meet, what is left of their `@N`, and how they come and go while
//! the lab runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Fault, FaultKind};
use crate::error::{Error, Result};
use crate::lab::certificates::Flavour;

/// When a fault of connections strikes, counted from the first subscription, if nothing else was
/// said.
const SOON: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Armed {
    fault: Fault,
    at: Instant,
    left: AtomicU64,
}

impl Armed {
    fn new(fault: Fault) -> Self {
        Self {
            left: AtomicU64::new(fault.first.unwrap_or(u64::MAX)),
            at: Instant::now(),
            fault,
        }
    }

    fn begins_at(&self) -> Instant {
        self.at + self.fault.after.unwrap_or_default()
    }

    /// Whether its time has come, and if so takes one of what is left.
    fn take(&self) -> bool {
        self.begins_at() <= Instant::now() && take(&self.left)
    }

    /// Whether `subject` has the part that it is limited to.
    fn fits(&self, subject: &str) -> bool {
        let part = self.fault.path_part.as_ref();
        part.is_none_or(|part| subject.contains(part.as_str()))
    }
}

/// What will happen to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// What.
    pub kind: FaultKind,
    /// How long from now.
    pub after: Duration,
}

/// The faults of one lab.
#[derive(Debug)]
pub struct Faults {
    active: RwLock<Vec<Armed>>,
    /// How often a node (by what was written behind `node-down:`) was down and is to be up again.
    outages: Mutex<BTreeMap<String, u64>>,
    changed: watch::Sender<()>,
}

impl Faults {
    /// Arms `faults`.
    pub fn new(faults: Vec<Fault>) -> Self {
        Self {
            active: RwLock::new(faults.into_iter().map(Armed::new).collect()),
            outages: Mutex::default(),
            changed: watch::Sender::new(()),
        }
    }

    /// Arms one more, while the lab runs. Not one of TLS or of the population, for which it is too
    /// late.
    pub fn arm(&self, fault: Fault) -> Result<()> {
        if fault.kind.is_of_the_start() {
            return Err(
                Error::usage(format!("{fault} cannot begin while the lab runs"))
                    .hint("give it with --fault when the lab starts"),
            );
        }
        let mut active = self.active.write().unwrap_or_else(PoisonError::into_inner);
        active.push(Armed::new(fault));
        drop(active);
        self.changed.send_replace(());
        Ok(())
    }

    /// Ends every fault that is written like `text`, or has it as its name; false when there is
    /// none.
    pub fn clear(&self, text: &str) -> bool {
        let mut active = self.active.write().unwrap_or_else(PoisonError::into_inner);
        let before = active.len();
        active.retain(|armed| {
            let ends = armed.fault.to_string() == text || armed.fault.kind.name() == text;
            if ends {
                self.note_outage(armed);
            }
            !ends
        });
        let cleared = active.len() < before;
        drop(active);
        self.changed.send_replace(());
        cleared
    }

    /// A fault ends: if it took a node away, that was an outage, however short.
    fn note_outage(&self, armed: &Armed) {
        let Some(number) = &armed.fault.path_part else {
            return;
        };
        if armed.fault.kind == FaultKind::NodeDown && armed.begins_at() <= Instant::now() {
            let mut outages = self.outages.lock().unwrap_or_else(PoisonError::into_inner);
            *outages.entry(number.clone()).or_default() += 1;
        }
    }

    /// How often node `number` was down and brought back: whoever serves it may have slept through
    /// an outage.
    pub fn outages(&self, number: usize) -> u64 {
        let outages = self.outages.lock().unwrap_or_else(PoisonError::into_inner);
        outages.get(&number.to_string()).copied().unwrap_or(0)
    }

    /// Says whenever faults were armed or cleared.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Armed>> {
        self.active.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `kind` was asked for.
    pub fn has(&self, kind: FaultKind) -> bool {
        self.read().iter().any(|armed| armed.fault.kind == kind)
    }

    /// The faults that a request for `path` meets, in the order they were asked for. Uses up their
    /// `@N`.
    pub fn of_request(&self, path: &str) -> Vec<FaultKind> {
        self.read()
            .iter()
            .filter(|armed| {
                armed.fault.kind.concerns(path)
                    && (armed.fault.kind == FaultKind::AncFailure || armed.fits(path))
                    && armed.take()
            })
            .map(|armed| armed.fault.kind)
            .collect()
    }

    /// What happens to a connection that subscribed to `topic`. Uses up the `@N`.
    pub fn of_subscription(&self, topic: &str) -> Option<Strike> {
        self.read()
            .iter()
            .find(|armed| {
                armed.fault.kind.is_of_websocket() && armed.fits(topic) && take(&armed.left)
            })
            .map(|armed| Strike {
                kind: armed.fault.kind,
                after: armed.fault.after.unwrap_or(SOON),
            })
    }

    /// Whether a numbered message of `topic` is one that `kind` strikes. Uses up the `@N`.
    pub fn strikes(&self, kind: FaultKind, topic: &str) -> bool {
        self.read()
            .iter()
            .any(|armed| armed.fault.kind == kind && armed.fits(topic) && armed.take())
    }

    /// Whether `kind` strikes a connection of Data Connect at `subject`, a stage or a statement. Uses
    /// up the `@N`.
    pub fn of_data_connect(&self, kind: FaultKind, subject: &str) -> bool {
        self.read()
            .iter()
            .any(|armed| armed.fault.kind == kind && armed.fits(subject) && armed.take())
    }

    /// Everything that was written behind the `:` of faults of `kind`.
    pub fn texts_of(&self, kind: FaultKind) -> Vec<String> {
        self.read()
            .iter()
            .filter(|armed| armed.fault.kind == kind && armed.begins_at() <= Instant::now())
            .filter_map(|armed| armed.fault.path_part.clone())
            .collect()
    }

    /// From when on node `number` is down; `None` when it is to be up.
    pub fn down_from(&self, number: usize) -> Option<Instant> {
        let number = number.to_string();
        self.read()
            .iter()
            .filter(|armed| armed.fault.kind == FaultKind::NodeDown)
            .filter(|armed| armed.fault.path_part.as_deref() == Some(&number))
            .map(Armed::begins_at)
            .min()
    }

    /// What was written behind the `:` of `kind`.
    pub fn text_of(&self, kind: FaultKind) -> Option<String> {
        self.read()
            .iter()
            .find(|armed| armed.fault.kind == kind)
            .and_then(|armed| armed.fault.path_part.clone())
    }

    /// How a pxGrid node treats client certificates on a new connection, if not as it should. Uses
    /// up the `@N`.
    pub fn of_client_authentication(&self) -> Option<FaultKind> {
        self.read()
            .iter()
            .filter(|armed| armed.fault.kind.is_client_authentication())
            .find(|armed| armed.take())
            .map(|armed| armed.fault.kind)
    }

    /// The certificate that a new connection gets to see. Uses up the `@N` of the TLS faults.
    pub fn of_connection(&self) -> Flavour {
        self.read()
            .iter()
            .filter_map(|armed| Some((armed.fault.kind.flavour()?, armed)))
            .find(|(_, armed)| armed.take())
            .map_or(Flavour::Good, |(flavour, _)| flavour)
    }
}

/// Takes one of what is left; `u64::MAX` is without end.
fn take(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| match left {
        0 => None,
        u64::MAX => Some(u64::MAX),
        left => Some(left - 1),
    })
    .is_ok()
}
