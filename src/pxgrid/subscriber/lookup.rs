//! From the topics that the user named to their paths and the nodes that carry them (reference
//! pxgrid-api, sections 1 and 4).

use std::collections::BTreeSet;

use crate::error::{Error, Kind, Result};
use crate::pxgrid::catalogue::{PUBSUB_SERVICE, TopicName, WS_URL};
use crate::pxgrid::control::ServiceNode;
use crate::pxgrid::rest::ServiceClient;
use crate::pxgrid::subscription::PubsubNode;

/// The service that carries ISE's own topics.
pub(crate) const ISE_PUBSUB: &str = "com.cisco.ise.pubsub";

/// What a lookup found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicLookup {
    /// The topics' paths, in the order they were asked for, each once.
    pub(crate) destinations: Vec<String>,
    /// The nodes of the pubsub service that carries them, in the server's order.
    pub(crate) nodes: Vec<PubsubNode>,
}

/// Looks everything up anew.
///
/// Errors: those of [`ServiceClient::lookup`]; [`Kind::NotFound`] for a service that does not
/// announce the topic; [`Kind::Usage`] for topics that no one connection carries.
pub(crate) async fn look_up(services: &ServiceClient, topics: &[TopicName]) -> Result<TopicLookup> {
    let mut destinations = Vec::with_capacity(topics.len());
    let mut carrier: Option<String> = None;
    for topic in topics {
        let (path, pubsub) = match topic {
            TopicName::Known(service, topic) => {
                match services.lookup(service.name, true).await {
                    Ok(nodes) => announced(&nodes, service.name, topic.property)?,
                    // Who publishes assets comes and goes; the topic is there without them.
                    Err(error) if error.kind() == Kind::Connect && service.alias == "asset" => {
                        (topic.path.to_owned(), ISE_PUBSUB.to_owned())
                    }
                    Err(error) => return Err(error),
                }
            }
            TopicName::Property { service, property } => {
                let nodes = services.lookup(service, true).await?;
                announced(&nodes, service, property)?
            }
            TopicName::Path(path) => (path.clone(), ISE_PUBSUB.to_owned()),
        };
        match &carrier {
            Some(other) if *other != pubsub => {
                return Err(Error::usage(format!(
                    "{path} is carried by {pubsub}, the topics before it by {other}"
                ))
                .hint("subscribe to them in two runs"));
            }
            Some(_) => {}
            None => carrier = Some(pubsub),
        }
        if !destinations.contains(&path) {
            destinations.push(path);
        }
    }
    let pubsub = carrier.unwrap_or_else(|| ISE_PUBSUB.to_owned());
    Ok(TopicLookup {
        destinations,
        nodes: carriers(services, &pubsub).await?,
    })
}

/// The nodes of a pubsub service.
///
/// Errors: [`Kind::Malformed`] when none of them says where its WebSocket is.
pub(crate) async fn carriers(services: &ServiceClient, pubsub: &str) -> Result<Vec<PubsubNode>> {
    let found = services.lookup(pubsub, true).await?;
    let nodes: Vec<PubsubNode> = found
        .iter()
        .filter_map(|node| {
            Some(PubsubNode {
                name: node.node_name.clone(),
                url: node.property(WS_URL)?.to_owned(),
            })
        })
        .collect();
    if nodes.is_empty() {
        return Err(Error::new(
            Kind::Malformed,
            format!("no node announces {pubsub} with a {WS_URL}"),
        )
        .hint("events need ISE's pubsub service: is pxGrid enabled on a node, and has it finished starting?"));
    }
    Ok(nodes)
}

/// The path of a topic, and the name of the pubsub service that carries it.
fn announced(nodes: &[ServiceNode], service: &str, property: &str) -> Result<(String, String)> {
    let node = nodes.iter().find(|node| node.property(property).is_some());
    let Some((node, path)) = node.and_then(|node| Some((node, node.property(property)?))) else {
        // Each node announces them again.
        let topics: BTreeSet<&str> = nodes
            .iter()
            .flat_map(|node| &node.properties)
            .filter(|(_, value)| value.starts_with("/topic/"))
            .map(|(name, _)| name.as_str())
            .collect();
        return Err(Error::new(
            Kind::NotFound,
            format!("{service} announces no {property} here"),
        )
        .hint(if topics.is_empty() {
            "this release of ISE may be too old for it; `netapi ise pxgrid services NAME` shows what there is".to_owned()
        } else {
            format!("it announces {}; this release of ISE may be too old for the other", topics.into_iter().collect::<Vec<_>>().join(", "))
        }));
    };
    let pubsub = node.property(PUBSUB_SERVICE).unwrap_or(ISE_PUBSUB);
    Ok((path.to_owned(), pubsub.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_where_its_service_says() {
        let node = ServiceNode {
            name: "com.example".into(),
            node_name: "n".into(),
            properties: vec![
                ("wsPubsubService".into(), "com.example.pubsub".into()),
                ("customTopic".into(), "/topic/com.example".into()),
            ],
        };
        let nodes = [node];
        assert_eq!(
            announced(&nodes, "com.example", "customTopic").unwrap(),
            ("/topic/com.example".into(), "com.example.pubsub".into())
        );
        let error = announced(&nodes, "com.example", "otherTopic").unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
        assert!(error.hint_text().unwrap().contains("customTopic"));
        let [node] = nodes;
        let error = announced(&[node.clone(), node], "com.example", "otherTopic").unwrap_err();
        assert_eq!(error.hint_text().unwrap().matches("customTopic").count(), 1);
    }
}
