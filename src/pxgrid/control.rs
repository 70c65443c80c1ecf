//! The control API: accounts, service lookup, access secrets, registration (reference pxgrid-api,
//! section 1).
//!
//! Calls are data (`Call`); `Control` sends them to the first node that answers. It keeps no
//! secrets and caches nothing: that is `rest`'s work.

mod call;

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};

use secrecy::SecretString;
use serde_json::Value;

pub use call::Call;

use super::answer;
use super::failover::{joined, may_try_next};
use crate::authority::Authority;
use crate::error::{Error, Kind, Result};
use crate::transport::{Basic, Client};

/// Longest description of an account (section 1).
const MAX_DESCRIPTION: usize = 50;

/// Our own name on the grid: at most 100 letters, digits, `-`, `_`, `.` (section 1). Names of peers
/// may hold more, they are plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeName(String);

impl FromStr for NodeName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if text.is_empty() || text.len() > 100 || !text.bytes().all(allowed) {
            return Err(Error::usage(format!("'{text}' is not a pxGrid client name")).hint(
                "at most 100 letters, digits, '-', '_' and '.'; set it with --client-name or ISE_PXGRID_CLIENT_NAME",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl NodeName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who we are on the grid.
#[derive(Debug, Clone)]
pub struct Account {
    /// Our node name.
    pub name: NodeName,
    /// The password of a password account; with a client certificate there is none.
    pub password: Option<SecretString>,
}

impl Account {
    /// The Basic header of control calls: it is needed with a certificate too, and then its
    /// password is ignored (section 1).
    pub fn basic(&self) -> Basic {
        self.basic_with(self.password.clone().unwrap_or_default())
    }

    /// The Basic header of service calls: our own name and the access secret (section 2).
    pub fn basic_with(&self, secret: SecretString) -> Basic {
        Basic {
            user: self.name.to_string(),
            password: secret,
        }
    }
}

/// State of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    /// Approved.
    Enabled,
    /// Waits for an administrator (also `INIT`, just made).
    Pending,
    /// Switched off by an administrator.
    Disabled,
}

/// What `AccountActivate` answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// The state.
    pub state: AccountState,
    /// pxGrid's version, as sent.
    pub version: Option<String>,
}

/// What `AccountCreate` answered. `Debug` shows no password.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The account's name.
    pub node_name: String,
    /// Its password; the first activation freezes it.
    pub password: SecretString,
}

/// One provider of a service, from a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceNode {
    /// The service's name.
    pub name: String,
    /// The node that provides it: opaque, and the peer of the access secret.
    pub node_name: String,
    /// Its properties, in the server's order.
    pub properties: Vec<(String, String)>,
}

impl ServiceNode {
    /// A property's value.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What `ServiceRegister` answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The registration's id.
    pub id: String,
    /// Register again before this time has passed.
    pub reregister_after: std::time::Duration,
}

/// Sends control calls to the nodes of one deployment.
#[derive(Clone)]
pub struct Control {
    client: Client,
    nodes: std::sync::Arc<[Authority]>,
    account: Account,
    /// The node that answered last: asked first, so that one connection serves a whole run.
    current: std::sync::Arc<AtomicUsize>,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("nodes", &self.nodes)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl Control {
    /// `nodes` in order of preference.
    ///
    /// Errors: [`Kind::Usage`] without one.
    pub fn new(client: Client, nodes: Vec<Authority>, account: Account) -> Result<Self> {
        if nodes.is_empty() {
            return Err(Error::usage("no pxGrid node is configured")
                .hint("give one with --pxgrid-host or ISE_PXGRID_HOST"));
        }
        Ok(Self {
            client,
            nodes: nodes.into(),
            account,
            current: std::sync::Arc::default(),
        })
    }

    /// The HTTP client, for what goes over the same connections.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Who we are.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The configured nodes.
    pub fn nodes(&self) -> &[Authority] {
        &self.nodes
    }

    /// Sends a call to the first node that answers it; the node's `host:port` comes with the
    /// answer.
    pub async fn call(&self, call: &Call) -> Result<(String, Value)> {
        let mut failures = Vec::new();
        let first = self.current.load(Ordering::Relaxed);
        let order = (0..self.nodes.len()).map(|step| (first + step) % self.nodes.len());
        for (index, node) in order.filter_map(|index| Some((index, self.nodes.get(index)?))) {
            match self.call_at(node, call).await {
                Ok(answer) => {
                    self.current.store(index, Ordering::Relaxed);
                    return Ok((node.to_string(), answer));
                }
                Err(error) => {
                    let go_on = may_try_next(call.effect, &error);
                    failures.push(error);
                    if !go_on {
                        break;
                    }
                }
            }
        }
        Err(joined(call.method, failures))
    }

    /// Sends a call to one node.
    pub async fn call_at(&self, node: &Authority, call: &Call) -> Result<Value> {
        let response = self.client.send(call.request(node, &self.account)).await?;
        let status = response.status;
        if (200..300).contains(&status) {
            return answer::object(response, call.method).await;
        }
        let host = response.host.to_string();
        // The status is the fact; a body that cannot be read takes nothing from it.
        let body = response
            .bytes(answer::MAX_CONTROL)
            .await
            .unwrap_or_default();
        Err(call.refusal(&self.account.name, &host, status, &body))
    }

    /// Makes a password account of our name.
    pub async fn create_account(&self) -> Result<NewAccount> {
        let (host, answer) = self.call(&Call::account_create(&self.account.name)).await?;
        read_new_account(&answer, &host)
    }

    /// Tells ISE that we are here, and reads our account's state. Any state is an answer, see
    /// [`require_enabled`].
    pub async fn activate(&self, description: Option<&str>) -> Result<Activation> {
        if let Some(text) = description {
            check_description(text)?;
        }
        let (host, answer) = self.call(&Call::account_activate(description)).await?;
        read_activation(&answer, &host)
    }

    /// Who provides a service now; nobody is an empty list.
    pub async fn lookup(&self, service: &str) -> Result<Vec<ServiceNode>> {
        let (host, answer) = self.call(&Call::service_lookup(service)).await?;
        read_lookup(&answer, &host)
    }

    /// The secret between us and a peer node.
    pub async fn access_secret(&self, peer: &str) -> Result<SecretString> {
        let (host, answer) = self.call(&Call::access_secret(peer)).await?;
        secret(&answer, "AccessSecret", &host, "secret")
    }

    /// Registers a service of our own.
    pub async fn register(
        &self,
        service: &str,
        properties: &[(String, String)],
    ) -> Result<Registration> {
        let (host, answer) = self
            .call(&Call::service_register(service, properties))
            .await?;
        read_registration(&answer, &host)
    }

    /// Keeps a registration alive.
    pub async fn reregister(&self, id: &str) -> Result<()> {
        self.call(&Call::service_reregister(id)).await.map(|_| ())
    }

    /// Ends a registration.
    pub async fn unregister(&self, id: &str) -> Result<()> {
        self.call(&Call::service_unregister(id)).await.map(|_| ())
    }

    /// As a provider: may the consumer do the operation?
    pub async fn authorization(
        &self,
        consumer: &str,
        service: &str,
        operation: &str,
    ) -> Result<bool> {
        let (host, answer) = self
            .call(&Call::authorization(consumer, service, operation))
            .await?;
        match text(&answer, "authorization") {
            Some("PERMIT") => Ok(true),
            Some("DENY") => Ok(false),
            _ => Err(missing("Authorization", &host, "authorization")),
        }
    }
}

/// PENDING and DISABLED as errors, for whatever needs an approved account (contract, section 8).
pub fn require_enabled(activation: &Activation, account: &NodeName) -> Result<()> {
    match activation.state {
        AccountState::Enabled => Ok(()),
        AccountState::Pending => Err(Error::new(
            Kind::Pending,
            format!("the pxGrid account '{account}' awaits approval"),
        )
        .hint("approve it in ISE: Administration > pxGrid Services > Client Management > Clients; `netapi ise pxgrid account activate --wait 10m` waits for it")),
        AccountState::Disabled => Err(Error::new(
            Kind::Refused,
            format!("the pxGrid account '{account}' is disabled"),
        )
        .hint("enable it in ISE: Administration > pxGrid Services > Client Management > Clients")),
    }
}

fn check_description(text: &str) -> Result<()> {
    let allowed = |letter: char| {
        letter.is_ascii_alphanumeric() || matches!(letter, ' ' | '_' | ',' | '-' | '.')
    };
    if text.chars().count() > MAX_DESCRIPTION || !text.chars().all(allowed) {
        return Err(
            Error::usage("the account's description is not one that ISE takes")
                .hint("at most 50 letters, digits, spaces, '_', ',', '-' and '.'"),
        );
    }
    Ok(())
}

fn text<'a>(answer: &'a Value, name: &str) -> Option<&'a str> {
    answer.get(name).and_then(Value::as_str)
}

fn missing(method: &str, host: &str, member: &str) -> Error {
    answer::wrong_shape(method, host, &format!("an object without '{member}'"))
}

/// A secret that a call answers. What was no UTF-8 in it was replaced when it was read; it would be
/// refused where it is used, and nobody could tell why.
fn secret(answer: &Value, call: &str, host: &str, name: &str) -> Result<SecretString> {
    let secret = text(answer, name).ok_or_else(|| missing(call, host, name))?;
    if secret.contains(char::REPLACEMENT_CHARACTER) {
        let found = format!("a '{name}' that is no UTF-8");
        return Err(answer::wrong_shape(call, host, &found));
    }
    Ok(SecretString::from(secret))
}

fn read_new_account(answer: &Value, host: &str) -> Result<NewAccount> {
    let call = "AccountCreate";
    let name = text(answer, "nodeName").ok_or_else(|| missing(call, host, "nodeName"))?;
    Ok(NewAccount {
        node_name: name.to_owned(),
        password: secret(answer, call, host, "password")?,
    })
}

fn read_activation(answer: &Value, host: &str) -> Result<Activation> {
    let state = match text(answer, "accountState") {
        Some("ENABLED") => AccountState::Enabled,
        Some("PENDING" | "INIT") => AccountState::Pending,
        Some("DISABLED") => AccountState::Disabled,
        Some(other) => {
            return Err(answer::wrong_shape(
                "AccountActivate",
                host,
                &format!("the unknown account state '{other}'"),
            ));
        }
        None => return Err(missing("AccountActivate", host, "accountState")),
    };
    Ok(Activation {
        state,
        version: text(answer, "version").map(str::to_owned),
    })
}

fn read_lookup(answer: &Value, host: &str) -> Result<Vec<ServiceNode>> {
    let list = match answer.get("services") {
        Some(Value::Array(list)) => list.as_slice(),
        // Absent members are ISE's nulls (section 3): nobody provides it.
        None | Some(Value::Null) => &[],
        Some(_) => {
            return Err(answer::wrong_shape(
                "ServiceLookup",
                host,
                "no list of services",
            ));
        }
    };
    list.iter()
        .map(|entry| {
            let member =
                |name| text(entry, name).ok_or_else(|| missing("ServiceLookup", host, name));
            let properties = entry
                .get("properties")
                .and_then(Value::as_object)
                .map(|members| {
                    members
                        .iter()
                        .map(|(name, value)| {
                            let value = value
                                .as_str()
                                .map_or_else(|| value.to_string(), str::to_owned);
                            (name.clone(), value)
                        })
                        .collect()
                })
                .unwrap_or_default();
            Ok(ServiceNode {
                name: member("name")?.to_owned(),
                node_name: member("nodeName")?.to_owned(),
                properties,
            })
        })
        .collect()
}

fn read_registration(answer: &Value, host: &str) -> Result<Registration> {
    let id = text(answer, "id").ok_or_else(|| missing("ServiceRegister", host, "id"))?;
    let millis = answer
        .get("reregisterTimeMillis")
        .and_then(Value::as_u64)
        .filter(|millis| *millis > 0)
        .ok_or_else(|| missing("ServiceRegister", host, "reregisterTimeMillis"))?;
    Ok(Registration {
        id: id.to_owned(),
        reregister_after: std::time::Duration::from_millis(millis),
    })
}

#[cfg(test)]
mod tests;
