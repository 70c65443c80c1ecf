//! `netapi ise pxgrid test`: the whole path to pxGrid, step by step, as far as it goes.
//!
//! A step that needs one that failed is left out; every other is done, so that one run shows all
//! there is to mend.

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use crate::authority::Authority;
use crate::cli::Context;
use crate::cli::ise::steps::{Step, Steps, probe};
use crate::cli::pxgrid_context;
use crate::error::{Error, Kind, Result};
use crate::pxgrid::catalogue::REST_BASE_URL;
use crate::pxgrid::control::require_enabled;
use crate::pxgrid::socket::{Incoming, Socket};
use crate::pxgrid::stomp::{Command, Frame};
use crate::pxgrid::subscriber::lookup::{ISE_PUBSUB, carriers};
use crate::pxgrid::subscription::PubsubNode;
use crate::pxgrid::{Account, ServiceClient, ServiceNode};
use crate::settings::PxgridSettings;
use crate::transport::Client;
use crate::transport::identity::IdentityFacts;

/// The service that every deployment with pxGrid has.
const SERVICE: &str = "com.cisco.ise.session";

/// A question that costs the server nothing: nobody has this address.
const NOBODY: &str = "00:00:00:00:00:00";

/// How long a pubsub node may take to greet.
const GREETING: std::time::Duration = std::time::Duration::from_secs(10);

/// What to do about a pubsub node that lets us in and does not greet us.
const UNGREETED: &str = "the WebSocket is open, so name, certificate and secret are right: restart the pxGrid services on that node, or see pxgrid-server.log (Operations > Troubleshoot > Download Logs)";

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid test
  netapi ise pxgrid test --json

The exit status is that of the first step that failed (`netapi help
exit-codes`).")]
pub(crate) struct Test {}

impl Test {
    /// Walks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        if context.global.shows_only() {
            return context.pxgrid()?.ready().await.map(|_| ());
        }
        let mut steps = Steps::new(context)?;
        walk(context, &mut steps).await?;
        steps.end("pxgrid test")
    }
}

/// All steps of pxGrid.
pub(in crate::cli::ise) async fn walk(context: &Context, steps: &mut Steps<'_>) -> Result<()> {
    let settings = match context.settings.pxgrid() {
        Ok(settings) => settings,
        Err(error) => return steps.done(&Step::fail("pxgrid settings", error)),
    };
    let Some((client, account)) = who(context, &settings, steps)? else {
        return Ok(());
    };
    let nodes = &settings.nodes;
    let reached = probe(steps, &client, nodes).await?;
    let (Some(account), true) = (account, reached) else {
        return Ok(());
    };
    let control = pxgrid_context::control(&settings, client, account)?;
    let services = ServiceClient::new(control);
    let Some(providers) = account_and_lookup(&services, steps).await? else {
        return Ok(());
    };
    service(&services, nodes, &providers, steps).await
}

/// Certificate and name. Without a usable certificate the servers are still probed; without a
/// client at all (a CA bundle that cannot be read) nothing is.
fn who(
    context: &Context,
    settings: &PxgridSettings,
    steps: &mut Steps<'_>,
) -> Result<Option<(Client, Option<Account>)>> {
    let identity = context.identity(settings);
    let usable = identity.is_ok();
    let identity = match identity {
        Ok(identity) => identity,
        Err(error) => {
            steps.done(&Step::fail("certificate", error))?;
            None
        }
    };
    let facts = identity.as_ref().map(|(_, facts)| facts);
    if let Some(facts) = facts {
        for step in certificate(facts, settings.client_name.as_deref()) {
            steps.done(&step)?;
        }
    }
    let mut account = None;
    if usable {
        match context.account(settings, facts) {
            Ok(ours) => {
                let how = if facts.is_some() {
                    "certificate"
                } else {
                    "password"
                };
                steps.done(&Step::ok(
                    "client name",
                    format!("{} (account by {how})", ours.name),
                ))?;
                account = Some(ours);
            }
            Err(error) => steps.done(&Step::fail("client name", error))?,
        }
    }
    match context.pxgrid_http(settings, identity.map(|(identity, _)| identity)) {
        Ok(client) => Ok(Some((client, account))),
        Err(error) => {
            steps.done(&Step::fail("pxgrid settings", error))?;
            Ok(None)
        }
    }
}

fn certificate(facts: &IdentityFacts, client_name: Option<&str>) -> Vec<Step> {
    let mut steps: Vec<Step> = facts
        .warnings(Timestamp::now())
        .into_iter()
        .map(|warning| Step::warn("certificate", warning, Some("issue a new one in ISE: Administration > pxGrid Services > Client Management > Certificates")))
        .collect();
    if let (Some(name), Some(common_name)) = (client_name, facts.common_name.as_deref())
        && !name.eq_ignore_ascii_case(common_name)
    {
        steps.push(Step::warn(
            "certificate",
            format!("it was issued for '{common_name}', and our name is '{name}'"),
            Some("ISE may hold an account to the name in its certificate: leave out --client-name, or use the certificate of that name"),
        ));
    }
    if steps.is_empty() {
        steps.push(Step::ok(
            "certificate",
            format!(
                "{}, issued by {}, valid until {}",
                facts.subject, facts.issuer, facts.not_after
            ),
        ));
    }
    steps
}

/// The providers of the session service, when the account is enabled and there are some.
async fn account_and_lookup(
    services: &ServiceClient,
    steps: &mut Steps<'_>,
) -> Result<Option<Vec<ServiceNode>>> {
    let control = services.control();
    let enabled = match control.activate(None).await {
        Ok(activation) => {
            require_enabled(&activation, &control.account().name).map(|()| activation)
        }
        Err(error) => Err(error),
    };
    match enabled {
        Ok(activation) => {
            let version = activation.version.unwrap_or_else(|| "unknown".to_owned());
            steps.done(&Step::ok(
                "account",
                format!("enabled; pxGrid version {version}"),
            ))?;
        }
        Err(error) => {
            steps.done(&Step::fail("account", error))?;
            return Ok(None);
        }
    }
    match services.lookup(SERVICE, true).await {
        Ok(nodes) => {
            let names: Vec<&str> = nodes.iter().map(|node| node.node_name.as_str()).collect();
            steps.done(&Step::ok(
                "lookup",
                format!("{SERVICE} on {}", names.join(", ")),
            ))?;
            Ok(Some(nodes))
        }
        Err(error) => {
            steps.done(&Step::fail("lookup", error))?;
            Ok(None)
        }
    }
}

/// The way to the service's own nodes, a secret, and one request.
async fn service(
    services: &ServiceClient,
    probed: &[Authority],
    providers: &[ServiceNode],
    steps: &mut Steps<'_>,
) -> Result<()> {
    let mut servers: Vec<Authority> = Vec::new();
    for server in providers.iter().filter_map(address) {
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    // A server that was reached already is not probed again, and is enough to go on.
    let new: Vec<Authority> = servers
        .iter()
        .filter(|server| !probed.contains(server))
        .cloned()
        .collect();
    let known = new.len() < servers.len();
    let client = services.control().client();
    if !new.is_empty() && !probe(steps, client, &new).await? && !known {
        return Ok(());
    }
    if let Some(node) = providers.first() {
        match services.secret(&node.node_name, true).await {
            Ok(_) => steps.done(&Step::ok("secret", format!("given for {}", node.node_name)))?,
            Err(error) => return steps.done(&Step::fail("secret", error)),
        }
    }
    let body = json!({ "macAddress": NOBODY });
    let answer = services
        .query(SERVICE, "getSessionByMacAddress", &body)
        .await;
    let step = match answer {
        Ok(_) => Step::ok("rest", "the session directory answers"),
        Err(error) if error.kind() == Kind::NotFound => {
            Step::ok("rest", "the session directory answers")
        }
        Err(error) => Step::fail("rest", error),
    };
    steps.done(&step)?;
    events(services, steps).await
}

/// The way events come: each pubsub node's WebSocket, until one of them speaks STOMP with us.
async fn events(services: &ServiceClient, steps: &mut Steps<'_>) -> Result<()> {
    let nodes = match carriers(services, ISE_PUBSUB).await {
        Ok(nodes) => nodes,
        Err(error) => return steps.done(&Step::fail("websocket", error)),
    };
    let mut failed: Vec<Step> = Vec::new();
    for node in nodes {
        match open(services, &node).await {
            Ok(mut socket) => {
                for step in failed {
                    steps.done(&step.spared())?;
                }
                steps.done(&Step::ok(
                    "websocket",
                    format!("{} let us in at {}", node.name, node.url),
                ))?;
                let step = match greet(&mut socket, &node.name).await {
                    Ok(version) => Step::ok("stomp", format!("connected, version {version}")),
                    Err(error) => Step::fail("stomp", error),
                };
                socket.close().await;
                return steps.done(&step);
            }
            Err(error) => failed.push(Step::fail("websocket", error)),
        }
    }
    failed.iter().try_for_each(|step| steps.done(step))
}

async fn open(services: &ServiceClient, node: &PubsubNode) -> Result<Socket> {
    let secret = services.secret(&node.name, true).await?;
    let control = services.control();
    let basic = control.account().basic_with(secret);
    Socket::open(control.client(), &node.url, &basic).await
}

/// The STOMP handshake; the server's version of STOMP.
async fn greet(socket: &mut Socket, node: &str) -> Result<String> {
    let greeting = async {
        socket.send(&Frame::connect(node)).await?;
        loop {
            let frame = socket.receive().await?.into_iter().find_map(|incoming| {
                let Incoming::Frame(frame) = incoming else {
                    return None;
                };
                Some(frame)
            });
            match frame {
                None => {}
                Some(frame) if frame.command == Command::Connected => {
                    return Ok(frame.header("version").unwrap_or("unknown").to_owned());
                }
                Some(other) => {
                    return Err(Error::new(
                        Kind::Server,
                        format!(
                            "{node} answered CONNECT with {}{}",
                            other.command,
                            said(&other)
                        ),
                    )
                    .hint(UNGREETED));
                }
            }
        }
    };
    match tokio::time::timeout(GREETING, greeting).await {
        Ok(greeted) => greeted,
        Err(_) => Err(Error::new(
            Kind::TimedOut,
            format!("{node} did not answer CONNECT within {GREETING:?}"),
        )
        .hint(UNGREETED)),
    }
}

/// What a frame says in its header `message`, shortened.
fn said(frame: &Frame) -> String {
    let words = frame.header("message").unwrap_or_default();
    let words: String = words.chars().take(120).collect();
    if words.is_empty() {
        return words;
    }
    format!(": {words}")
}

/// Where a provider's REST operations are.
fn address(node: &ServiceNode) -> Option<Authority> {
    let url = url::Url::parse(node.property(REST_BASE_URL)?).ok()?;
    Authority::of_url(&url)
}
