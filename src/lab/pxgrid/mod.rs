//! The pxGrid nodes: mutual TLS, the control API, every service's REST operations, and the events
//! that they publish (reference pxgrid-api).
//!
//! | part | holds |
//! | --- | --- |
//! | `server` | connections, who is asking, which faults meet a request |
//! | `control`, `accounts` | accounts, lookups, secrets, registrations |
//! | `services` | which node provides what, and who answers an operation |
//! | `sessions`, `anc`, `trustsec`, `radius`, `system`, `devices` | the services |
//! | `listing`, `json`, `reply` | how answers are written |
//! | [`hub`], `event_log` | events, and the log of what was published |
//! | `churn`, `other_topics` | what happens by itself: sessions come and go, and the rest now and then |
//! | `pubsub` | the WebSocket that carries events |
//!
//! It answers as ISE 3.4 would where the reference knows how.

mod accounts;
mod anc;
pub(super) mod churn;
mod control;
mod devices;
pub(super) mod hub;
mod json;
mod listing;
mod other_topics;
mod published_log;
pub(super) mod pubsub;
mod radius;
mod reply;
mod server;
mod services;
mod sessions;
mod system;
mod trustsec;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::certificates::CLIENT_NAMES;
use super::faults::{FaultKind, Faults};
use super::log::RequestLog;
use super::session_directory::Directory;
use accounts::{AccountState, Accounts};
use anc::Anc;
use hub::Events;
use listing::Facts;
use pubsub::Bodies;

pub(super) use server::{PxGridNode, Tls, serve};

/// What the pxGrid nodes of a deployment share.
#[derive(Debug)]
pub(super) struct Grid {
    directory: Arc<Directory>,
    /// Ports of the nodes, first node first.
    ports: Vec<u16>,
    /// Where events are said to be, when not here.
    pubsub_url: Option<String>,
    accounts: Accounts,
    anc: Anc,
    events: Events,
    number: AtomicU64,
}

impl Grid {
    /// A grid of nodes that listen on `ports`, and leave events to the broker at `pubsub_url` if
    /// there is one.
    pub(super) fn new(
        directory: Arc<Directory>,
        ports: Vec<u16>,
        pubsub_url: Option<String>,
        seed: u64,
        log: Arc<RequestLog>,
        faults: Arc<Faults>,
    ) -> Self {
        let accounts = Accounts::new(seed);
        // An administrator approved the clients that the lab has certificates for.
        if !faults.has(FaultKind::AccountPending) && !faults.has(FaultKind::AccountDisabled) {
            for name in CLIENT_NAMES {
                accounts.activate(name, AccountState::Enabled);
            }
        }
        Self {
            directory,
            ports,
            pubsub_url,
            accounts,
            anc: Anc::default(),
            events: Events::new(log, faults),
            number: AtomicU64::new(seed),
        }
    }

    /// Where changes are published.
    pub(super) fn events(&self) -> &Events {
        &self.events
    }

    /// What subscribers are flooded with: the sessions as of `now`.
    pub(super) fn bodies(&self, now: i64) -> Bodies {
        Bodies::new(&Facts {
            directory: Arc::clone(&self.directory),
            changes: self.directory.state.changes(now),
            now,
        })
    }

    /// Tells subscribers what became of the session `index`: now, and once more when it is only
    /// away for a moment.
    pub(super) fn session_changed(self: &Arc<Self>, index: u64) {
        let now = Timestamp::now().as_millisecond();
        let source = Facts {
            directory: Arc::clone(&self.directory),
            changes: self.directory.state.changes(now),
            now,
        };
        sessions::publish(&source, &self.events, index);
        if let Some(back_at) = source.changes.back_at(index) {
            let grid = Arc::clone(self);
            let away = u64::try_from(back_at - now).unwrap_or(0);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(away)).await;
                grid.session_changed(index);
            });
        }
    }

    /// A number that was not used before.
    fn next_number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }
}
