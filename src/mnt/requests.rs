//! The requests to one Monitoring node, as data: what `--dry-run` shows, `--curl` spells and the client sends. Nothing is sent here.

use super::paths::{self, Coa, DeleteTarget};
use crate::error::{Error, Kind, Result};
use crate::record::Record;
use crate::transport::{Basic, Effect, Method, Request};

/// Builds requests to one node with one account.
#[derive(Debug, Clone)]
pub struct Requests {
    base_url: String,
    basic: Basic,
}

impl Requests {
    /// Requests to the node at `base_url` (`https://host:port`).
    pub fn new(base_url: impl Into<String>, basic: Basic) -> Self {
        let mut base_url = base_url.into();
        base_url.truncate(base_url.trim_end_matches('/').len());
        Self { base_url, basic }
    }

    /// The node as `host:port`, for messages.
    pub fn host(&self) -> &str {
        let url = self.base_url.as_str();
        url.split_once("://").map_or(url, |(_, host)| host)
    }

    /// A GET of a path of [`paths`] that only reads.
    pub fn read(&self, path: &str) -> Request {
        self.request(Method::Get, path, Effect::Read)
    }

    /// The change of authorization of the endpoint of `session`, sent by the PSN `server` or else the session's own. A GET that changes
    /// the network: it must not be repeated.
    ///
    /// Errors: [`Kind::Server`] where the session has no MAC address or no PSN.
    pub fn coa(&self, session: &Record, coa: Coa, server: Option<&str>) -> Result<Request> {
        let mac = session.mac().ok_or_else(|| {
            let station = session.text("calling_station_id").unwrap_or_default();
            Error::new(
                Kind::Server,
                format!("the session's calling station '{station}' is no MAC address"),
            )
            .hint("a change of authorization needs one; a VPN session has none")
        })?;
        let own = session.server();
        let node = server.or(own.as_deref()).ok_or_else(|| {
            Error::new(
                Kind::Server,
                format!("the session of {mac} does not name its PSN"),
            )
            .hint("name the PSN yourself: --server PSN")
        })?;
        Ok(self.request(Method::Get, &paths::coa(node, mac, coa)?, Effect::Change))
    }

    /// The deletion of session records.
    pub fn delete(&self, target: &DeleteTarget) -> Result<Request> {
        Ok(self.request(Method::Delete, &paths::delete(target)?, Effect::Change))
    }

    fn request(&self, method: Method, path: &str, effect: Effect) -> Request {
        Request {
            method,
            url: format!("{}{path}", self.base_url),
            accept: "application/xml",
            basic: Some(self.basic.clone()),
            json: None,
            effect,
        }
    }
}
