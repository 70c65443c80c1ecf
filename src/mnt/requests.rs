//! The requests to one Monitoring node, as data: what `--dry-run` shows, `--curl` spells and the client sends. Nothing is sent here.

use super::paths::{self, Coa, DeleteTarget};
use crate::error::Result;
use crate::record::Mac;
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

    /// The change of authorization of the endpoint `mac`, sent by the PSN `server`. A GET that changes the network: it must not be
    /// repeated.
    ///
    /// Errors: [`Kind::Usage`](crate::error::Kind::Usage) for what is no node's host name.
    pub fn coa(&self, mac: Mac, coa: Coa, server: &str) -> Result<Request> {
        Ok(self.request(Method::Get, &paths::coa(server, mac, coa)?, Effect::Change))
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
