//! The control API (reference pxgrid-api, section 1): accounts, lookups, secrets, registrations.

use serde_json::{Value, json};

use super::Grid;
use super::accounts::{AccountState, REREGISTER, is_name};
use super::json::text;
use super::reply::Reply;
use super::services;
use crate::lab::fast_text::mix;
use crate::lab::faults::FaultKind;

/// Where the control API is.
pub(super) const BASE: &str = "/pxgrid/control/";
/// A port of loopback on which nothing listens.
const DEAD_PORT: u16 = 1;
/// What recent releases answer.
const VERSION: &str = "2.0.2.1";

/// Who asks.
pub(super) struct Caller<'a> {
    /// User and password of the Basic header.
    pub(super) credentials: Option<&'a (String, String)>,
    /// The common name of the connection's client certificate; `None` without one.
    pub(super) certificate: Option<&'a str>,
}

/// One call.
pub(super) struct Call<'a> {
    pub(super) grid: &'a Grid,
    pub(super) caller: Caller<'a>,
    pub(super) request: &'a Value,
    pub(super) faults: &'a [FaultKind],
    pub(super) now: i64,
}

impl Call<'_> {
    /// The answer to `method`.
    pub(super) fn answer(&self, method: &str) -> Reply {
        if method == "AccountCreate" {
            return self.create();
        }
        let Some(name) = self.caller_name() else {
            return Reply::Status(401);
        };
        if method == "AccountActivate" {
            return self.activate(name);
        }
        match self.grid.accounts.state(name) {
            Some(AccountState::Enabled) => {}
            Some(_) => return Reply::Status(403),
            None => return Reply::Status(401),
        }
        match method {
            "ServiceLookup" => self.lookup(),
            "AccessSecret" => match text(self.request, "peerNodeName") {
                Some(peer) => {
                    Reply::Json(json!({ "secret": self.grid.accounts.secret(name, peer) }))
                }
                None => Reply::BAD,
            },
            "ServiceRegister" => self.register(name),
            "ServiceReregister" => {
                let id = text(self.request, "id").unwrap_or("");
                done(self.grid.accounts.renew(name, id, self.now))
            }
            "ServiceUnregister" => {
                let id = text(self.request, "id").unwrap_or("");
                done(self.grid.accounts.unregister(name, id))
            }
            "Authorization" => self.authorize(),
            _ => Reply::Status(404),
        }
    }

    /// The name in the Basic header, if its bearer may use it: with a certificate whatever the
    /// password, else with the account's. A certificate without a Basic header speaks for itself,
    /// as recipes in circulation rely on.
    fn caller_name(&self) -> Option<&str> {
        let Some((name, password)) = self.caller.credentials else {
            let lenient = !self.has(FaultKind::OwnNameOnly);
            return self.caller.certificate.filter(|_| lenient);
        };
        let welcome =
            self.caller.certificate.is_some() || self.grid.accounts.is_password(name, password);
        (welcome && is_name(name)).then_some(name)
    }

    fn has(&self, fault: FaultKind) -> bool {
        self.faults.contains(&fault)
    }

    fn create(&self) -> Reply {
        if self.has(FaultKind::AccountCreateForbidden) {
            return Reply::Status(403);
        }
        if self.has(FaultKind::AccountCreateUnavailable) {
            return Reply::Status(503);
        }
        let Some(name) = text(self.request, "nodeName").filter(|name| is_name(name)) else {
            return Reply::BAD;
        };
        self.grid
            .accounts
            .create(name)
            .map_or(Reply::Status(409), |password| {
                Reply::Json(json!({ "nodeName": name, "password": password, "userName": name }))
            })
    }

    fn activate(&self, name: &str) -> Reply {
        let state = if self.has(FaultKind::AccountDisabled) {
            AccountState::Disabled
        } else if self.has(FaultKind::AccountPending) {
            AccountState::Pending
        } else {
            AccountState::Enabled
        };
        self.grid.accounts.activate(name, state);
        Reply::Json(json!({ "accountState": state.as_str(), "version": VERSION }))
    }

    /// Providers, in another order each time.
    fn lookup(&self) -> Reply {
        let Some(name) = text(self.request, "name") else {
            return Reply::BAD;
        };
        if self.has(FaultKind::LookupEmpty) {
            return Reply::Json(json!({ "services": [] }));
        }
        let mut services: Vec<Value> = match &self.grid.pubsub_url {
            Some(url) if name == services::PUBSUB => vec![services::other_pubsub(url)],
            _ => (1..)
                .zip(&self.grid.ports)
                .filter_map(|(number, port)| services::announcement(name, number, *port))
                .collect(),
        };
        let dead = services::announcement(name, services.len() + 1, DEAD_PORT);
        if self.has(FaultKind::DeadReplicaShuffled) {
            services.extend(dead.clone());
        }
        let registered = self.grid.accounts.providers(name, self.now);
        services.extend(registered.into_iter().map(|(node, properties)| {
            json!({ "name": name, "nodeName": node, "properties": properties })
        }));
        let chance = mix(self.grid.next_number());
        let count = services.len();
        for (position, step) in (1..count).rev().zip(1..) {
            let bound = u64::try_from(position + 1).unwrap_or(1);
            let other = usize::try_from(mix(chance ^ step) % bound).unwrap_or(0);
            services.swap(position, other);
        }
        if self.has(FaultKind::DeadReplica)
            && let Some(dead) = dead
        {
            services.insert(0, dead);
        }
        Reply::Json(json!({ "services": services }))
    }

    fn register(&self, owner: &str) -> Reply {
        let Some(service) = text(self.request, "name") else {
            return Reply::BAD;
        };
        let properties = self.request.get("properties").cloned();
        let properties = properties.unwrap_or_else(|| json!({}));
        let id = self
            .grid
            .accounts
            .register(owner, service, properties, self.now);
        Reply::Json(json!({ "id": id, "reregisterTimeMillis": REREGISTER }))
    }

    /// Whoever has an enabled account may do everything in the lab.
    fn authorize(&self) -> Reply {
        let node = text(self.request, "requestNodeName").unwrap_or("");
        let enabled = self.grid.accounts.state(node) == Some(AccountState::Enabled);
        let word = if enabled { "PERMIT" } else { "DENY" };
        Reply::Json(json!({ "authorization": word }))
    }
}

/// What a change of a registration answers.
fn done(done: bool) -> Reply {
    if done {
        Reply::Json(json!({}))
    } else {
        Reply::Status(404)
    }
}
