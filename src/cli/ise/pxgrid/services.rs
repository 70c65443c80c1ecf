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

/// How the path of every topic begins.
const TOPIC: &str = "/topic/";

const COLUMNS: &[Column] = &[
    column("SERVICE", "name"),
    column("NODE", "nodeName"),
    first_of("URL", &["properties.restBaseUrl", "properties.wsUrl"]),
    with("TOPICS", topics),
];

/// For a person: one row a service.
const BY_SERVICE: &[Column] = &[
    column("SERVICE", "name"),
    column("NODES", "nodes"),
    column("TOPICS", "topics"),
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
        if context.shows_a_person() {
            let records = by_service(&nodes);
            return context.print(&records, BY_SERVICE, Shape::List, "no services");
        }
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

/// The services with the nodes that provide them, and the topics of all.
fn by_service(nodes: &[ServiceNode]) -> Vec<Record> {
    let mut services: Vec<(&str, Vec<&str>, Vec<&str>)> = Vec::new();
    for node in nodes {
        let known = services.iter().position(|(name, ..)| *name == node.name);
        let place = known.unwrap_or_else(|| {
            services.push((&node.name, Vec::new(), Vec::new()));
            services.len() - 1
        });
        let Some((_, names, topics)) = services.get_mut(place) else {
            continue;
        };
        names.push(&node.node_name);
        crate::order::sort(names);
        for (_, value) in &node.properties {
            if value.starts_with(TOPIC) && !topics.contains(&value.as_str()) {
                topics.push(value);
            }
        }
    }
    let record = |(name, nodes, topics)| {
        Record::from_value(json!({ "name": name, "nodes": nodes, "topics": topics }))
    };
    services.into_iter().map(record).collect()
}

/// The paths among a service's properties; other values are none of these.
fn topics(record: &Record) -> Option<Cow<'_, str>> {
    let value = record.to_value();
    let paths: Vec<&str> = value
        .get("properties")?
        .as_object()?
        .values()
        .filter_map(Value::as_str)
        .filter(|value| value.starts_with(TOPIC))
        .collect();
    (!paths.is_empty()).then(|| Cow::Owned(paths.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_of_several_nodes_is_one_row() {
        let node = |name: &str, node: &str, topic: &str| ServiceNode {
            name: name.into(),
            node_name: node.into(),
            properties: vec![("t".into(), topic.into()), ("u".into(), "https://x".into())],
        };
        let nodes = [
            node("s", "b", "/topic/1"),
            node("r", "a", "/topic/3"),
            node("s", "a", "/topic/2"),
        ];
        let rows = by_service(&nodes);
        let shown = |row: &Record| {
            ["name", "nodes", "topics"].map(|name| row.text(name).unwrap_or_default().into_owned())
        };
        assert_eq!(rows.len(), 2);
        assert_eq!(shown(&rows[0]), ["s", "a, b", "/topic/1, /topic/2"]);
        assert_eq!(shown(&rows[1]), ["r", "a", "/topic/3"]);
    }

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
