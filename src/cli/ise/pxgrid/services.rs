//! `netapi ise pxgrid services`: which services are up, on which nodes, with the properties that
//! they announce.

use std::borrow::Cow;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::Context;
use crate::error::Result;
use crate::pxgrid::catalogue::{SERVICES, service};
use crate::pxgrid::control::Call;
use crate::pxgrid::{ServiceClient, ServiceNode};
use crate::record::Record;
use crate::render::{Column, Shape, column, first_of, with};

const COLUMNS: &[Column] = &[
    column("SERVICE", "name"),
    column("NODE", "nodeName"),
    first_of("URL", &["properties.restBaseUrl", "properties.wsUrl"]),
    with("TOPICS", topics),
];

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid services
  netapi ise pxgrid services session
  netapi ise pxgrid services com.example.custom --json

Without NAME every service that netapi knows is looked up; a service of
somebody else's is only found by its name.")]
pub(crate) struct Services {
    /// One service, by its name or by the short one (session, anc, sxp, …)
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

impl Services {
    /// Looks up and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.pxgrid()?;
        if context.global.shows_only() {
            let name = self.name.as_deref().unwrap_or("session");
            let name = service(name).map_or(name, |known| known.name);
            client.control().call(&Call::service_lookup(name)).await?;
        }
        let nodes = match &self.name {
            Some(name) => client.lookup(name, true).await?,
            None => every(&client, context).await?,
        };
        let records: Vec<Record> = nodes.iter().map(record).collect();
        context.print(&records, COLUMNS, Shape::List, "no services")
    }
}

/// The providers of every service that the catalogue knows.
async fn every(client: &ServiceClient, context: &Context) -> Result<Vec<ServiceNode>> {
    client.ready().await?;
    let mut nodes = Vec::new();
    let mut down = Vec::new();
    for service in SERVICES {
        let found = client.control().lookup(service.name).await?;
        if found.is_empty() {
            down.push(service.name);
        }
        nodes.extend(found);
    }
    if !down.is_empty() && Context::on_terminal() {
        let down = down.join(", ");
        context
            .reporter
            .note(&format!("provided by nobody now: {down}"));
    }
    Ok(nodes)
}

fn record(node: &ServiceNode) -> Record {
    let properties: Map<String, Value> = node
        .properties
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    Record::from_value(
        json!({ "name": node.name, "nodeName": node.node_name, "properties": properties }),
    )
}

/// The paths among a service's properties; other values are none of these.
fn topics(record: &Record) -> Option<Cow<'_, str>> {
    let value = record.to_value();
    let paths: Vec<&str> = value
        .get("properties")?
        .as_object()?
        .values()
        .filter_map(Value::as_str)
        .filter(|value| value.starts_with("/topic/"))
        .collect();
    (!paths.is_empty()).then(|| Cow::Owned(paths.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_shown_with_its_properties_and_topics() {
        let node = ServiceNode {
            name: "com.cisco.ise.session".into(),
            node_name: "~ise-mnt-1".into(),
            properties: vec![
                (
                    "restBaseUrl".into(),
                    "https://ise:8910/pxgrid/ise/session".into(),
                ),
                ("sessionTopic".into(), "/topic/com.cisco.ise.session".into()),
            ],
        };
        let record = record(&node);
        assert_eq!(
            topics(&record).as_deref(),
            Some("/topic/com.cisco.ise.session")
        );
        assert_eq!(
            record.text("properties.restBaseUrl").as_deref(),
            Some("https://ise:8910/pxgrid/ise/session")
        );
    }
}
