//! The services: which nodes provide them, under which names and addresses, and who answers their
//! operations.
//!
//! Names, operations, required members and topics come from the client's catalogue, which is data;
//! a second table could only disagree with it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::json::text;
use super::listing::Facts;
use super::reply::Reply;
use super::{Grid, anc, devices, radius, sessions, system, trustsec};
use crate::lab::population::LabSession;
use crate::lab::session_directory::Directory;
use crate::lab::shared_changes::Changes;
use crate::pxgrid::catalogue::{
    FieldKind, PUBSUB_SERVICE, REST_BASE_URL, SERVICES, Service, WS_URL,
};
use crate::record::Mac;
use crate::record::jmespath::Filter;

/// The service that carries topics.
pub(super) const PUBSUB: &str = "com.cisco.ise.pubsub";
/// Where its WebSocket is.
pub(super) const PUBSUB_PATH: &str = "/pxgrid/ise/pubsub";
/// The service that outside providers register, which ISE itself does not provide.
const ASSET: &str = "com.cisco.endpoint.asset";

/// The name of the peer that provides `service` on node `number` (from 1).
pub(super) fn peer(service: &str, number: usize) -> String {
    let kind = match service {
        PUBSUB => "pubsub",
        "com.cisco.ise.session" | "com.cisco.ise.radius" | "com.cisco.ise.system" => "mnt",
        _ => "admin",
    };
    format!("~ise-{kind}-lab-{number}")
}

/// Where a service's operations are: its name after `com.cisco.` as a path.
fn path(service: &Service) -> String {
    let name = service
        .name
        .strip_prefix("com.cisco.")
        .unwrap_or(service.name);
    format!("/pxgrid/{}", name.replace('.', "/"))
}

/// What `ServiceLookup` says of the ISE service `name` on node `number`, which listens on `port`.
pub(super) fn announcement(name: &str, number: usize, port: u16) -> Option<Value> {
    let service = SERVICES
        .iter()
        .find(|service| service.name == name && service.name != ASSET)?;
    let mut properties = Map::new();
    if name == PUBSUB {
        let url = format!("wss://localhost:{port}{PUBSUB_PATH}");
        properties.insert(WS_URL.to_owned(), url.into());
    }
    if !service.operations.is_empty() {
        // The reference has this base both with and without the slash.
        let slash = if name == "com.cisco.ise.endpoint" {
            "/"
        } else {
            ""
        };
        let url = format!("https://localhost:{port}{}{slash}", path(service));
        // 3.3 announces the paths of before 2.3 as well, under a name that differs in case; nothing
        // answers there.
        if name == "com.cisco.ise.session" {
            let old = format!("https://localhost:{port}/pxgrid/mnt/sd");
            properties.insert("restBaseURL".to_owned(), old.into());
        }
        properties.insert(REST_BASE_URL.to_owned(), url.into());
    }
    if !service.topics.is_empty() {
        properties.insert(PUBSUB_SERVICE.to_owned(), PUBSUB.into());
    }
    for topic in service.topics {
        properties.insert(topic.property.to_owned(), topic.path.into());
    }
    Some(json!({ "name": name, "nodeName": peer(name, number), "properties": properties }))
}

/// What `ServiceLookup` says of the pubsub service when a broker outside carries the events.
pub(super) fn other_pubsub(url: &str) -> Value {
    json!({ "name": PUBSUB, "nodeName": peer(PUBSUB, 1), "properties": { WS_URL: url } })
}

/// The service that a path belongs to, and the operation.
pub(super) fn of_path(asked: &str) -> Option<(&'static Service, String)> {
    // A client that joins a base with a slash and an operation with another means the same.
    let asked = asked.replace("//", "/");
    let (base, operation) = asked.rsplit_once('/')?;
    let service = SERVICES
        .iter()
        .find(|service| !service.operations.is_empty() && path(service) == base)?;
    Some((service, operation.to_owned()))
}

/// One question to a service, as of `now` (milliseconds since 1970).
pub(super) struct Question<'a> {
    pub(super) grid: &'a Arc<Grid>,
    pub(super) directory: &'a Arc<Directory>,
    pub(super) request: &'a Value,
    pub(super) now: i64,
    /// What the faults want of ANC.
    pub(super) outcome: anc::ForcedOutcome,
}

impl Question<'_> {
    /// The answer of `service` to `operation`.
    pub(super) fn answer(&self, service: &Service, operation: &str) -> Reply {
        let Some(known) = service.operation(operation) else {
            return Reply::Status(404);
        };
        let lacking = known.fields.iter().any(|field| {
            let policy = service.alias == "anc" && field.name == "policyName";
            let there = self.request.get(field.name).is_some()
                || (policy && self.request.get("policy").is_some());
            let wrong_word = match (field.kind, text(self.request, field.name)) {
                (FieldKind::OneOf(words), Some(word)) => !words.contains(&word),
                _ => false,
            };
            // Cisco's own tool leaves the NAS out; the session's is meant then.
            let nas = service.alias == "anc" && field.name == "nasIpAddress";
            (field.required && !there && !nas) || wrong_word
        });
        if lacking {
            return Reply::BAD;
        }
        let reply = match service.alias {
            "session" => sessions::answer(self, operation),
            "anc" => anc::answer(self, operation),
            "trustsec-config" => trustsec::answer(self, operation),
            "sxp" => trustsec::bindings(self, operation),
            "radius" => radius::answer(self, operation),
            "system" => system::answer(self, operation),
            "profiler" | "mdm" | "endpoint" | "posture" => {
                devices::answer(self, service.alias, operation)
            }
            "echo" => Some(Reply::Json(self.request.clone())),
            _ => None,
        };
        reply.unwrap_or(Reply::Status(404))
    }

    /// The changes as of now.
    pub(super) fn changes(&self) -> Changes {
        self.directory.state.changes(self.now)
    }

    /// What a list is written from.
    pub(super) fn source(&self) -> Facts {
        Facts {
            directory: Arc::clone(self.directory),
            changes: self.changes(),
            now: self.now,
        }
    }

    /// The session of a MAC, upper case with colons.
    pub(super) fn session_of(&self, mac: &str) -> Option<LabSession> {
        self.directory
            .by_mac(Mac::from_canonical(mac)?.octets(), self.now)
    }

    /// The request's filter; `Err` when it cannot be read.
    pub(super) fn filter(&self) -> Result<Option<Filter>, ()> {
        text(self.request, "filter")
            .map(|filter| Filter::compile(filter).map_err(|_| ()))
            .transpose()
    }
}
