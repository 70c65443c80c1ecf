//! Control calls as data: the request, and what a refusal of it means (reference pxgrid-api,
//! sections 1 and 5).

use serde_json::{Map, Value, json};

use super::{Account, NodeName};
use crate::authority::Authority;
use crate::error::{Error, Kind};
use crate::pxgrid::answer;
use crate::transport::{Effect, Method, Request};

/// One control call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The method's name, last segment of the URL.
    pub method: &'static str,
    /// The body.
    pub body: Value,
    /// Activation, lookup and secret are idempotent and count as reads; creating and registering
    /// change something.
    pub effect: Effect,
}

impl Call {
    fn new(method: &'static str, body: Value, effect: Effect) -> Self {
        Self {
            method,
            body,
            effect,
        }
    }

    /// Makes a password account.
    pub fn account_create(name: &NodeName) -> Self {
        Self::new(
            "AccountCreate",
            json!({"nodeName": name.as_str()}),
            Effect::Change,
        )
    }

    /// Activates our account and tells its state.
    pub fn account_activate(description: Option<&str>) -> Self {
        let body = description.map_or_else(|| json!({}), |text| json!({"description": text}));
        Self::new("AccountActivate", body, Effect::Read)
    }

    /// Who provides a service.
    pub fn service_lookup(service: &str) -> Self {
        Self::new("ServiceLookup", json!({"name": service}), Effect::Read)
    }

    /// The secret between us and a peer.
    pub fn access_secret(peer: &str) -> Self {
        Self::new("AccessSecret", json!({"peerNodeName": peer}), Effect::Read)
    }

    /// Registers a service.
    pub fn service_register(service: &str, properties: &[(String, String)]) -> Self {
        let properties: Map<String, Value> = properties
            .iter()
            .map(|(name, value)| (name.clone(), Value::String(value.clone())))
            .collect();
        Self::new(
            "ServiceRegister",
            json!({"name": service, "properties": properties}),
            Effect::Change,
        )
    }

    /// Keeps a registration alive.
    pub fn service_reregister(id: &str) -> Self {
        Self::new("ServiceReregister", json!({"id": id}), Effect::Change)
    }

    /// Ends a registration.
    pub fn service_unregister(id: &str) -> Self {
        Self::new("ServiceUnregister", json!({"id": id}), Effect::Change)
    }

    /// Asks what a consumer may do.
    pub fn authorization(consumer: &str, service: &str, operation: &str) -> Self {
        Self::new(
            "Authorization",
            json!({"requestNodeName": consumer, "serviceName": service, "serviceOperation": operation}),
            Effect::Read,
        )
    }

    /// The request to one node. `AccountCreate` alone goes without credentials.
    pub fn request(&self, node: &Authority, account: &Account) -> Request {
        Request {
            method: Method::Post,
            url: node.url(&format!("/pxgrid/control/{}", self.method)),
            accept: "application/json",
            basic: (self.method != "AccountCreate").then(|| account.basic()),
            json: Some(self.body.to_string().into_bytes()),
            effect: self.effect,
        }
    }

    /// What a status outside 200 to 299 means.
    pub(super) fn refusal(
        &self,
        account: &NodeName,
        host: &str,
        status: u16,
        body: &[u8],
    ) -> Error {
        let said = |kind, message: String| Error::new(kind, message).host(host).status(status);
        match (self.method, status) {
            // Sources disagree on the status for "not allowed" (section 10, question 8): both mean
            // it.
            ("AccountCreate", 403 | 503) => said(
                Kind::Refused,
                format!("{host} does not allow password accounts (HTTP {status})"),
            )
            .hint("allow them in ISE: Administration > pxGrid Services > Settings, or use a client certificate"),
            ("AccountCreate", 409) => said(
                Kind::Server,
                format!("{host} has an account '{account}' already (HTTP 409)"),
            )
            .hint("choose another name, use that account's password, or delete it in ISE: Administration > pxGrid Services > Client Management > Clients"),
            (_, 401) => said(
                Kind::Refused,
                format!(
                    "{host} refused the account '{account}' at {} (HTTP 401): no such account, a wrong password, or a certificate of another name",
                    self.method
                ),
            )
            .hint("with a certificate, --client-name must be the name it was issued for; a password account is made with `netapi ise pxgrid account create`"),
            (_, 403) => said(
                Kind::Refused,
                format!(
                    "{host} refused {} to the account '{account}' (HTTP 403): it is pending, disabled, or not allowed to",
                    self.method
                ),
            )
            .hint("look at it in ISE: Administration > pxGrid Services > Client Management > Clients"),
            _ => answer::plain_refusal(self.method, host, status, body),
        }
    }
}
