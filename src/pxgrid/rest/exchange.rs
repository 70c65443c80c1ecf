//! One operation as a request, and what its answers mean (reference pxgrid-api, sections 2, 3 and
//! 5). It sends nothing.

use std::fmt;

use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::pxgrid::answer;
use crate::pxgrid::catalogue::{self, REST_BASE_URL, Reply};
use crate::pxgrid::control::{Account, NodeName, ServiceNode};
use crate::record::JsonText;
use crate::record::encoding::{self, Format};
use crate::transport::{Basic, Effect, Method, Request};

/// One operation of one service with its body.
pub(super) struct Exchange<'a> {
    /// The service's full name.
    pub(super) service: &'a str,
    operation: &'a str,
    body: Vec<u8>,
    /// Read or change.
    pub(super) effect: Effect,
}

impl fmt::Display for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.operation, self.service)
    }
}

impl<'a> Exchange<'a> {
    /// Errors: [`Kind::Usage`] for an operation's name that would change the URL's meaning.
    pub(super) fn new(service: &'a str, operation: &'a str, body: &Value) -> Result<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if operation.is_empty() || !operation.bytes().all(allowed) {
            return Err(
                Error::usage(format!("'{operation}' is not an operation's name"))
                    .hint("an operation is one word, such as getSessions"),
            );
        }
        Ok(Self {
            service,
            operation,
            body: body.to_string().into_bytes(),
            effect: catalogue::effect(service, operation),
        })
    }

    /// The operation's URL at a replica.
    ///
    /// Errors: [`Kind::Malformed`] for a missing base or one that is not HTTPS.
    pub(super) fn url(&self, node: &ServiceNode) -> Result<String> {
        let base = node.property(REST_BASE_URL).ok_or_else(|| {
            Error::new(
                Kind::Malformed,
                format!(
                    "node {} announces {} without {REST_BASE_URL}",
                    node.node_name, self.service
                ),
            )
            .hint("a service without it has no REST operations, only topics")
        })?;
        join(base, self.operation).ok_or_else(|| {
            Error::new(
                Kind::Malformed,
                format!(
                    "node {} announces {} at '{base}', which is no HTTPS address",
                    node.node_name, self.service
                ),
            )
            .hint("`netapi ise pxgrid services NAME` shows what each node announces; that node's own configuration is wrong")
        })
    }

    pub(super) fn request(&self, url: String, basic: Basic) -> Request {
        Request {
            method: Method::Post,
            url,
            accept: "application/json",
            basic: Some(basic),
            json: Some(self.body.clone()),
            effect: self.effect,
        }
    }

    /// What a status outside 200 to 299 means. By then the account is known to be enabled, which
    /// tells the causes apart.
    pub(super) fn refusal(
        &self,
        account: &NodeName,
        host: &str,
        status: u16,
        body: &[u8],
    ) -> Error {
        let said = answer::words(body)
            .map(|said| format!(": {said}"))
            .unwrap_or_default();
        let refused =
            |message: String| Error::new(Kind::Refused, message).host(host).status(status);
        match status {
            401 => refused(format!(
                "{host} refused the access secret of the account '{account}' at {self} (HTTP 401){said}"
            ))
            .hint("the account is enabled and a fresh secret was refused too: with a certificate, check that --client-name is the name it was issued for; else the node has not heard of the secret yet, try again in a minute"),
            403 => {
                let right = match self.effect {
                    Effect::Read => "gets",
                    Effect::Change => "sets",
                };
                refused(format!(
                    "{host} does not let the account '{account}' do {self} (HTTP 403){said}"
                ))
                .hint(format!("the account is enabled, so this is the policy: give its group the operation '{right}' of {} in ISE: Administration > pxGrid Services > Client Management > Policy", self.service))
            }
            409 => answer::plain_refusal(&self.to_string(), host, status, body)
                .hint("a thing of that name exists already"),
            404 => answer::plain_refusal(&self.to_string(), host, status, body)
                .hint(self.unknown()),
            _ => answer::plain_refusal(&self.to_string(), host, status, body),
        }
    }
}

impl Exchange<'_> {
    /// What a 404 may mean: the service was looked up, so it is there.
    fn unknown(&self) -> String {
        let Some(service) = catalogue::service(self.service) else {
            return format!(
                "is the operation's name right? The documentation of {} lists them",
                self.service
            );
        };
        if catalogue::operation(self.service, self.operation).is_some() {
            return "this release of ISE may not have the operation yet".to_owned();
        }
        let known: Vec<&str> = service.operations.iter().map(|known| known.name).collect();
        format!(
            "is the operation's name right? Those of {} are: {}",
            service.alias,
            known.join(", ")
        )
    }
}

/// Base and operation, whether or not the base ends with a slash (section 1: both are seen). `None`
/// unless it is HTTPS and plain.
fn join(base: &str, operation: &str) -> Option<String> {
    let url = url::Url::parse(base).ok()?;
    let plain = url.scheme() == "https"
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    plain.then(|| format!("{}/{operation}", url.as_str().trim_end_matches('/')))
}

/// The request as `--dry-run` shows it: what only a lookup and a secret could tell is a placeholder
/// (contract, section 8).
pub fn preview(service: &str, operation: &str, body: &Value, account: &Account) -> Result<Request> {
    let service = super::full_name(service);
    let exchange = Exchange::new(service, operation, body)?;
    Ok(exchange.request(
        format!("https://{{{REST_BASE_URL} of {service}}}/{operation}"),
        account.basic(),
    ))
}

/// Whether 204 can only mean that a change was taken, and nothing is said of it. Where a thing is
/// named that must be there, it means that it is not; of what we do not know, nobody knows.
pub(super) fn is_taken_by(service: &str, operation: &str) -> bool {
    catalogue::operation(service, operation)
        .is_some_and(|known| known.effect == Effect::Change && known.reply == Reply::Object)
}

/// What an answer without a body says.
pub(super) fn empty() -> JsonText {
    JsonText::from_value(Value::Object(serde_json::Map::new()))
}

/// 204 where one thing was asked for.
pub(super) fn nothing(service: &str, operation: &str, body: &Value, host: &str) -> Error {
    let asked: String = body.to_string().chars().take(200).collect();
    Error::new(
        Kind::NotFound,
        format!("{host} knows nothing for {asked} ({operation} of {service})"),
    )
    .host(host)
    .status(204)
}

/// A whole answer's body.
pub(super) fn json(
    bytes: Vec<u8>,
    charset: Option<&str>,
    operation: &str,
    host: &str,
) -> Result<JsonText> {
    let bytes = encoding::to_utf8(bytes, Format::Json, charset)
        .map_err(|error| with_host(error, operation, host))?;
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    if text.trim().is_empty() {
        return Ok(empty());
    }
    if text.trim_start().starts_with('<') {
        return Err(answer::wrong_shape(operation, host, "a web page, not JSON"));
    }
    JsonText::parse(text).map_err(|error| {
        if error.is_eof() {
            Error::new(
                Kind::Truncated,
                format!("{host} answered {operation} with JSON that breaks off"),
            )
            .hint("try again; a node that always does so is overloaded, or a proxy before it cuts")
            .host(host)
        } else {
            answer::wrong_shape(operation, host, &format!("no JSON ({error})"))
        }
    })
}

/// A stream's error with operation and host in it. Errors of the sink and of the transport have
/// their own words.
pub(super) fn with_host(error: Error, operation: &str, host: &str) -> Error {
    if !matches!(error.kind(), Kind::Malformed | Kind::Truncated) || error.host_name().is_some() {
        return error;
    }
    let named = Error::new(
        error.kind(),
        format!("{operation} at {host}: {}", error.message()),
    )
    .host(host);
    match error.hint_text() {
        Some(hint) => named.hint(hint),
        None => named,
    }
}

#[cfg(test)]
mod tests {
    use secrecy::{ExposeSecret, SecretString};
    use serde_json::json;

    use super::*;

    fn node(base: Option<&str>) -> ServiceNode {
        ServiceNode {
            name: "com.cisco.ise.session".into(),
            node_name: "~ise-mnt-1".into(),
            properties: base
                .map(|base| (REST_BASE_URL.to_owned(), base.to_owned()))
                .into_iter()
                .collect(),
        }
    }

    fn account() -> Account {
        Account {
            name: "our-client".parse().unwrap(),
            password: Some(SecretString::from("control-password")),
        }
    }

    #[test]
    fn bases_join_with_and_without_a_slash() {
        let exchange = Exchange::new("com.cisco.ise.session", "getSessions", &json!({})).unwrap();
        for base in [
            "https://ise:8910/pxgrid/ise/session",
            "https://ise:8910/pxgrid/ise/session/",
        ] {
            assert_eq!(
                exchange.url(&node(Some(base))).unwrap(),
                "https://ise:8910/pxgrid/ise/session/getSessions"
            );
        }
        for base in [
            None,
            Some(""),
            Some("http://ise:8910/x"),
            Some("https://u:p@ise/x"),
            Some("https://ise/x?y="),
            Some("https://ise/x#"),
            Some("/pxgrid/ise"),
            Some("https://"),
        ] {
            assert_eq!(
                exchange.url(&node(base)).unwrap_err().kind(),
                Kind::Malformed,
                "{base:?}"
            );
        }
    }

    #[test]
    fn an_operation_is_one_word() {
        for name in ["", "a/b", "../x", "a?b", "a b"] {
            assert_eq!(
                Exchange::new("s", name, &json!({})).err().unwrap().kind(),
                Kind::Usage
            );
        }
    }

    #[test]
    fn the_user_is_us_and_the_effect_the_tables() {
        let exchange = Exchange::new(
            "com.cisco.ise.config.anc",
            "applyEndpointByMacAddress",
            &json!({"a":1}),
        )
        .unwrap();
        let basic = account().basic_with(SecretString::from("secret-of-peer"));
        let request = exchange.request("https://x/y".into(), basic);
        assert_eq!(request.effect, Effect::Change);
        assert_eq!(request.json.as_deref(), Some(br#"{"a":1}"#.as_slice()));
        let basic = request.basic.unwrap();
        assert_eq!(basic.user, "our-client");
        assert_eq!(basic.password.expose_secret(), "secret-of-peer");
    }

    #[test]
    fn refusals_tell_secret_and_policy_apart() {
        let refusal = |operation, status| {
            Exchange::new("com.cisco.ise.config.anc", operation, &json!({}))
                .unwrap()
                .refusal(&account().name, "ise:8910", status, b"")
        };
        let secret = refusal("getPolicies", 401);
        let policy = refusal("getPolicies", 403);
        let change = refusal("createPolicy", 403);
        assert_eq!(
            (secret.kind(), policy.kind()),
            (Kind::Refused, Kind::Refused)
        );
        assert!(secret.message().contains("access secret"));
        assert!(policy.hint_text().unwrap().contains("'gets'"));
        assert!(change.hint_text().unwrap().contains("'sets'"));
        assert_eq!(refusal("getPolicies", 404).kind(), Kind::Server);
        assert_eq!(refusal("createPolicy", 409).kind(), Kind::Server);
        assert_eq!(refusal("getPolicies", 503).kind(), Kind::Overloaded);
    }

    #[test]
    fn a_preview_sends_nothing_and_shows_placeholders() {
        let request = preview("anc", "clearEndpointByMacAddress", &json!({}), &account()).unwrap();
        assert_eq!(
            request.url,
            "https://{restBaseUrl of com.cisco.ise.config.anc}/clearEndpointByMacAddress"
        );
        assert_eq!(request.effect, Effect::Change);
    }

    #[test]
    fn bodies_are_json_or_say_why_not() {
        let kind = |body: &[u8]| json(body.to_vec(), None, "x", "h").map_err(|error| error.kind());
        assert_eq!(
            kind(b" {\"a\":1.10}").unwrap().text("a").as_deref(),
            Some("1.10")
        );
        assert_eq!(kind(b"").unwrap().as_str(), "{}");
        assert_eq!(kind(b"{\"a\":").unwrap_err(), Kind::Truncated);
        assert_eq!(kind(b"{\"a\" 1}").unwrap_err(), Kind::Malformed);
        assert_eq!(kind(b"<html>").unwrap_err(), Kind::Malformed);
    }

    #[test]
    fn only_the_streams_own_errors_get_the_host() {
        let malformed = with_host(
            Error::new(Kind::Malformed, "no list").hint("h"),
            "getX",
            "ise",
        );
        assert_eq!(malformed.message(), "getX at ise: no list");
        assert_eq!(malformed.hint_text(), Some("h"));
        let pipe = Error::new(Kind::ClosedPipe, "closed");
        assert_eq!(with_host(pipe.clone(), "getX", "ise"), pipe);
    }
}
