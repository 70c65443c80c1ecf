//! The control interface of Data Connect on the administration node: whether it is enabled, where
//! it is, and the few settings there are. HTTPS with an administrator's account that may use APIs.

use serde_json::{Value, json};

use crate::authority::Authority;
use crate::cli::Context;
use crate::error::{Error, Kind, Result};
use crate::record::read_bounded_json;
use crate::sanitize::terminal_safe;
use crate::transport::{Basic, Client, Effect, Method, Request};

const BASE: &str = "/api/v1/mnt/data-connect/";

/// No answer is longer.
const MOST: usize = 256 << 10;

/// Longest text of an error that is passed on.
const LONGEST_TEXT: usize = 300;

/// The settings as ISE has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServiceState {
    pub(super) enabled: bool,
    pub(super) password_set: bool,
    pub(super) expires_in_days: Option<i64>,
    /// Text for people, in the node's own zone.
    pub(super) expires_on: Option<String>,
}

/// Where the database is, as ISE says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Details {
    pub(super) node: Authority,
    pub(super) service: String,
}

/// The interface.
pub(super) struct Control {
    client: Client,
    node: Authority,
    basic: Basic,
}

impl Control {
    /// The interface with the administrator's account.
    pub(super) fn new(context: &Context) -> Result<Self> {
        let mnt = context.settings.mnt()?;
        let client = context.client(context.client_options(&mnt.connection, false))?;
        Ok(Self {
            client,
            node: context.settings.administration_node()?,
            basic: Basic {
                user: mnt.user,
                password: mnt.password,
            },
        })
    }

    /// The administration node.
    pub(super) fn host(&self) -> String {
        self.node.to_string()
    }

    /// The settings.
    pub(super) async fn state(&self) -> Result<ServiceState> {
        let answer = self.get("settings").await?;
        let member = |name: &str| answer.pointer(&format!("/response/{name}"));
        let yes = |name: &str| member(name).and_then(Value::as_bool);
        let enabled = yes("isEnabled").ok_or_else(|| self.malformed())?;
        Ok(ServiceState {
            enabled,
            password_set: yes("isPasswordChanged").unwrap_or_default(),
            expires_in_days: member("passwordExpiresInDays").and_then(Value::as_i64),
            expires_on: member("passwordExpiresOn")
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .map(|text| terminal_safe(text).into_owned()),
        })
    }

    /// Where the database is. A short name is looked up in the deployment.
    ///
    /// Errors: [`Kind::Server`] where Data Connect is not enabled.
    pub(super) async fn details(&self) -> Result<Details> {
        let answer = self.get("details").await?;
        let text = |name: &str| {
            let member = answer.pointer(&format!("/response/{name}"));
            member.and_then(Value::as_str).unwrap_or_default()
        };
        let host = text("hostname").trim().to_lowercase();
        let port = answer.pointer("/response/port").and_then(Value::as_u64);
        let port = port.and_then(|port| u16::try_from(port).ok());
        let port = port.filter(|port| *port > 0).unwrap_or(2484);
        if !crate::authority::is_host_name(&host) && host.parse::<std::net::IpAddr>().is_err() {
            return Err(self.malformed());
        }
        let host = if host.contains('.') || host.contains(':') {
            host
        } else {
            self.full_name(&host).await.unwrap_or(host)
        };
        let service = terminal_safe(text("servicename")).into_owned();
        Ok(Details {
            node: Authority::new(&host, port),
            service,
        })
    }

    /// The node of the database.
    pub(super) async fn node(&self) -> Result<Authority> {
        self.details().await.map(|details| details.node)
    }

    /// The name with its domain of a node of the deployment; `None` where ISE does not say.
    async fn full_name(&self, short: &str) -> Option<String> {
        let answer = self.ask(Method::Get, "/api/v1/deployment/node", None);
        let answer = answer.await.ok()?;
        let nodes = answer.pointer("/response")?.as_array()?;
        let of = |node: &Value, name: &str| {
            let text = node.get(name).and_then(Value::as_str);
            text.map(str::to_lowercase)
        };
        let node = nodes
            .iter()
            .find(|node| of(node, "hostname").as_deref() == Some(short))?;
        of(node, "fqdn").filter(|name| crate::authority::is_host_name(name))
    }

    /// Switches Data Connect on or off.
    pub(super) async fn enable(&self, enabled: bool) -> Result<String> {
        self.put("settings/status", &json!({ "isEnabled": enabled }))
            .await
    }

    /// Sets how long passwords last.
    pub(super) async fn set_expiry(&self, days: u16) -> Result<String> {
        let body = json!({ "passwordExpiresInDays": days });
        self.put("settings/password/expiry", &body).await
    }

    /// Sets the password.
    pub(super) async fn set_password(&self, password: &str) -> Result<String> {
        let body = json!({ "password": password });
        let said = self.put("settings/password", &body).await;
        // What ISE says of it could quote it.
        match said {
            Ok(said) => Ok(without(&said, password).unwrap_or_else(|| "done".to_owned())),
            Err(error) if without(error.message(), password).is_none() => {
                let words = format!("{} refuses the new password", self.host());
                Err(error.reworded(words))
            }
            Err(error) => Err(error),
        }
    }

    async fn get(&self, path: &str) -> Result<Value> {
        self.ask(Method::Get, &format!("{BASE}{path}"), None).await
    }

    /// What ISE says of a change.
    async fn put(&self, path: &str, body: &Value) -> Result<String> {
        let path = format!("{BASE}{path}");
        let answer = self.ask(Method::Put, &path, Some(body)).await?;
        let said = answer.pointer("/success/message").and_then(Value::as_str);
        Ok(terminal_safe(said.unwrap_or("done")).into_owned())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let effect = match method {
            Method::Get => Effect::Read,
            _ => Effect::Change,
        };
        let response = self
            .client
            .send(Request {
                method,
                url: self.node.url(path),
                accept: "application/json",
                basic: Some(self.basic.clone()),
                json: body.map(|body| body.to_string().into_bytes()),
                effect,
            })
            .await?;
        let status = response.status;
        let bytes = response.bytes(MOST).await?;
        let text = String::from_utf8_lossy(&bytes);
        let answer: std::result::Result<Value, _> = read_bounded_json(&text);
        if status == 200 {
            return answer.map_err(|_| self.malformed());
        }
        let said = answer.ok().and_then(|answer| {
            let said = answer
                .pointer("/error/message")
                .or_else(|| answer.get("message"))?;
            Some(
                said.as_str()?
                    .chars()
                    .take(LONGEST_TEXT)
                    .collect::<String>(),
            )
        });
        Err(self.refused(status, said.as_deref()))
    }

    fn malformed(&self) -> Error {
        let host = self.host();
        Error::new(
            Kind::Malformed,
            format!("{host} did not answer as the control interface of Data Connect does"),
        )
        .hint("is this the administration node (ISE_PAN_FQDN), of ISE 3.2 or later?")
        .host(host)
    }

    fn refused(&self, status: u16, said: Option<&str>) -> Error {
        let host = self.host();
        let said = said.map_or_else(String::new, |said| format!(": {said}"));
        let (kind, what, hint) = match status {
            401 => (
                Kind::Refused,
                "refuses user or password",
                "it must be an internal administrator of ISE, with the right password",
            ),
            403 => (
                Kind::Refused,
                "refuses this account",
                "the administrator needs API rights, and the Open API must be enabled (Administration > System > Settings > API Settings)",
            ),
            404 => (
                Kind::NotFound,
                "has no Data Connect",
                "it needs ISE 3.2 or later, and the administration node answers for it (ISE_PAN_FQDN)",
            ),
            400 => (
                Kind::Server,
                "refuses",
                "the order is: `netapi ise dc password`, then `expiry`, then `enable`; `netapi ise dc status` shows how far it is",
            ),
            502 | 503 => (
                Kind::Overloaded,
                "is overloaded or restarting",
                "try again in a minute",
            ),
            _ => (
                Kind::Server,
                "answers with an error",
                "see the log ise-psc.log on the administration node",
            ),
        };
        Error::new(kind, format!("{host} {what} (HTTP {status}){said}"))
            .hint(hint)
            .host(host)
            .status(status)
    }
}

/// A text, unless a secret stands in it.
fn without(text: &str, secret: &str) -> Option<String> {
    (secret.is_empty() || !text.contains(secret)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn a_text_that_quotes_a_secret_is_not_passed_on() {
        assert_eq!(without("done", "Lab-Password-1").as_deref(), Some("done"));
        assert_eq!(without("'Lab-Password-1' was used", "Lab-Password-1"), None);
    }
}
