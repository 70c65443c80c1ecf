//! The requests to one Monitoring node, as data: what `--dry-run` shows, `--curl` spells and the
//! client sends. Nothing is sent here.

use super::paths::{self, Coa, DeleteTarget};
use crate::authority::Authority;
use crate::error::Result;
use crate::record::Mac;
use crate::transport::{Basic, Effect, Method, Request};

/// Builds requests to one node with one account.
#[derive(Debug, Clone)]
pub struct Requests {
    node: Authority,
    basic: Basic,
}

impl Requests {
    /// Requests to `node`.
    pub fn new(node: Authority, basic: Basic) -> Self {
        Self { node, basic }
    }

    /// The node.
    pub fn node(&self) -> &Authority {
        &self.node
    }

    /// A GET of a path of [`paths`] that only reads.
    pub fn read(&self, path: &str) -> Request {
        self.request(Method::Get, path, Effect::Read)
    }

    /// The change of authorization of the endpoint `mac`, sent by the PSN `server`. A GET that
    /// changes the network: it must not be repeated.
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
            url: self.node.url(path),
            accept: "application/xml",
            basic: Some(self.basic.clone()),
            json: None,
            effect,
        }
    }
}
