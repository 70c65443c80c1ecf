//! pxGrid's services, their operations and their topics as data (reference pxgrid-api, section 3):
//! one table that `call`, `services`, the commands for each service and the subscriber all read.
//!
//! A service that is not in the table can still be called and subscribed to; the table only knows
//! more about those that are. It sends nothing and checks no request.

mod members;
mod row;
mod table;
mod trustsec;

pub(crate) use table::ANC_POLICY_KEY;
pub use table::SERVICES;

use crate::transport::Effect;

/// One service.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// The name that `ServiceLookup` takes.
    pub name: &'static str,
    /// The short name on our command line.
    pub alias: &'static str,
    /// Its REST operations, in the reference's order.
    pub operations: &'static [Operation],
    /// Its topics.
    pub topics: &'static [Topic],
}

/// One REST operation: `POST <restBaseUrl>/<name>`.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// The operation's name, last segment of its URL.
    pub name: &'static str,
    /// Members of the request.
    #[cfg_attr(
        not(feature = "lab"),
        allow(dead_code, reason = "the lab checks requests by it")
    )]
    pub fields: &'static [Field],
    /// What a 200 answers.
    pub reply: Reply,
    /// The members that a table shows, in order; empty where the rows' members are not published.
    pub columns: &'static [&'static str],
    /// The members that a row, or the one thing, is known to have; empty where they are not
    /// published.
    pub members: &'static [&'static str],
    /// Whether it changes the network. ISE's policy calls the two `gets` and `sets`.
    pub effect: Effect,
    /// How it is read page by page, if it is.
    pub paging: Option<Paging>,
}

/// One member of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The member's name.
    pub name: &'static str,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether the operation needs it.
    pub required: bool,
}

/// What a member of a request holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Any text.
    Text,
    /// A MAC address, upper case with colons.
    Mac,
    /// An IP address.
    Ip,
    /// A time, ISO 8601 with `Z` or an offset.
    Time,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Flag,
    /// A `JMESPath` expression over one object (ISE 3.4; section 3.2).
    Filter,
    /// A list of MAC addresses.
    MacList,
    /// An object that is matched by example.
    Object,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of these words.
    ListOf(&'static [&'static str]),
}

/// What a 200 answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// `{"<member>":[ … ]}`.
    List(&'static str),
    /// One object, or 204 for none.
    Object,
    /// Nothing that matters.
    Empty,
}

/// How a paged operation is read: `{start: first row's index from 0, count: most rows}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// The member for the index of the first row.
    pub start: &'static str,
    /// The member for the number of rows.
    pub count: &'static str,
    /// Rows a page that we ask for.
    pub rows: u64,
}

/// One topic.
#[derive(Debug, Clone, Copy)]
pub struct Topic {
    /// The name on our command line (contract, section 4).
    pub alias: &'static str,
    /// The service's property that holds the path.
    pub property: &'static str,
    /// The path as ISE announces it; the property in the lookup is what counts.
    pub path: &'static str,
    /// The member of a message that counts messages, where there is one (section 4).
    #[cfg_attr(
        not(feature = "lab"),
        allow(dead_code, reason = "the lab numbers by it")
    )]
    pub sequence: Option<&'static str>,
    /// The member of a message that holds a list of objects, where there is one.
    pub list: Option<&'static str>,
    /// What tells one occurrence on it from another.
    pub occurrence: Occurrence,
}

/// What tells one occurrence on a topic from another with the same row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrence {
    /// The server's time in the row.
    Time,
    /// The number of an operation, and its status.
    Operation,
    /// The number of the message, where the publisher sends one; else nothing: of CREATE, DELETE,
    /// CREATE of one row the first and the third look alike.
    Number,
}

impl Occurrence {
    /// That of a topic by its path; of one that is not known here only the number can be.
    pub fn of_topic(path: &str) -> Self {
        match TopicName::parse(path) {
            Some(TopicName::Known(_, topic)) => topic.occurrence,
            _ => Self::Number,
        }
    }
}

/// Property of a service: where its REST operations are.
pub const REST_BASE_URL: &str = "restBaseUrl";
/// Property of a service: the name of the publish-subscribe service that carries its topics.
pub const PUBSUB_SERVICE: &str = "wsPubsubService";
/// Property of a publish-subscribe service: its WebSocket.
pub const WS_URL: &str = "wsUrl";

/// The service called `name`, or with that alias.
pub fn service(name: &str) -> Option<&'static Service> {
    SERVICES
        .iter()
        .find(|service| service.name == name || service.alias == name)
}

/// An operation of a known service (by name or alias).
pub fn operation(service_name: &str, operation_name: &str) -> Option<&'static Operation> {
    service(service_name)?.operation(operation_name)
}

/// Whether an operation reads or changes. One that is not in the table is taken to change something
/// unless its name begins with `get`: better not to repeat a read than to repeat a change.
pub fn effect(service_name: &str, operation_name: &str) -> Effect {
    match operation(service_name, operation_name) {
        Some(operation) => operation.effect,
        None if operation_name.starts_with("get") => Effect::Read,
        None => Effect::Change,
    }
}

impl Service {
    /// The operation of this name.
    pub fn operation(&self, name: &str) -> Option<&'static Operation> {
        self.operations
            .iter()
            .find(|operation| operation.name == name)
    }
}

/// What somebody wrote for a topic.
#[derive(Debug, Clone)]
pub enum TopicName {
    /// A topic of the table.
    Known(&'static Service, &'static Topic),
    /// `service:property`, not in the table; only a lookup tells the path.
    Property {
        /// The service's name.
        service: String,
        /// The property that holds the path.
        property: String,
    },
    /// A path, not in the table.
    Path(String),
}

impl TopicName {
    /// Reads an alias, a `service:property` pair or a path (contract, section 4). `None` when it is
    /// none of them.
    pub fn parse(text: &str) -> Option<Self> {
        let known = |wanted: &dyn Fn(&Service, &Topic) -> bool| {
            SERVICES.iter().find_map(|service| {
                service
                    .topics
                    .iter()
                    .find(|topic| wanted(service, topic))
                    .map(|topic| Self::Known(service, topic))
            })
        };
        if text.starts_with('/') {
            return Some(
                known(&|_, topic| topic.path == text)
                    .unwrap_or_else(|| Self::Path(text.to_owned())),
            );
        }
        if let Some((name, property)) = text.split_once(':') {
            if name.is_empty() || property.is_empty() {
                return None;
            }
            return Some(
                known(&|service, topic| {
                    (service.name == name || service.alias == name) && topic.property == property
                })
                .unwrap_or_else(|| Self::Property {
                    service: service(name).map_or(name, |known| known.name).to_owned(),
                    property: property.to_owned(),
                }),
            );
        }
        known(&|_, topic| topic.alias == text)
    }

    /// Every alias, in the table's order, for messages and completion.
    pub fn aliases() -> impl Iterator<Item = &'static str> {
        SERVICES
            .iter()
            .flat_map(|service| service.topics.iter().map(|topic| topic.alias))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_and_aliases_are_unique() {
        let names: Vec<_> = SERVICES
            .iter()
            .flat_map(|service| [service.name, service.alias])
            .collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        let topics: Vec<_> = TopicName::aliases().collect();
        assert_eq!(topics.iter().collect::<HashSet<_>>().len(), topics.len());
        for service in SERVICES {
            let operations: HashSet<_> = service.operations.iter().map(|one| one.name).collect();
            assert_eq!(operations.len(), service.operations.len());
        }
    }

    #[test]
    fn columns_are_members_that_rows_have() {
        for operation in SERVICES.iter().flat_map(|service| service.operations) {
            let known = |name| operation.members.contains(name);
            assert!(operation.columns.iter().all(known), "{}", operation.name);
            let names: HashSet<_> = operation.members.iter().collect();
            assert_eq!(names.len(), operation.members.len(), "{}", operation.name);
        }
    }

    #[test]
    fn the_contracts_topics_are_all_there() {
        for alias in [
            "session",
            "session-all",
            "group",
            "anc",
            "radius-failure",
            "trustsec-groups",
            "trustsec-acls",
            "trustsec-policies",
            "trustsec-download",
            "sxp",
            "profiler",
            "mdm",
            "endpoint",
            "posture",
            "asset",
        ] {
            assert!(
                matches!(TopicName::parse(alias), Some(TopicName::Known(..))),
                "{alias}"
            );
        }
        assert!(TopicName::parse("sessions").is_none());
        assert!(TopicName::parse(":x").is_none());
    }

    #[test]
    fn a_topic_is_known_under_each_of_its_names() {
        for text in [
            "session",
            "com.cisco.ise.session:sessionTopic",
            "session:sessionTopic",
            "/topic/com.cisco.ise.session",
        ] {
            let Some(TopicName::Known(service, topic)) = TopicName::parse(text) else {
                panic!("{text}");
            };
            assert_eq!(
                (service.name, topic.property),
                ("com.cisco.ise.session", "sessionTopic")
            );
        }
        assert!(matches!(
            TopicName::parse("com.example.custom:customTopic"),
            Some(TopicName::Property { .. })
        ));
        assert!(matches!(
            TopicName::parse("/topic/com.example.custom"),
            Some(TopicName::Path(_))
        ));
    }

    #[test]
    fn topics_whose_occurrences_only_a_number_tells_apart_are_known() {
        let numbered = SERVICES
            .iter()
            .flat_map(|service| service.topics)
            .filter(|topic| topic.occurrence == Occurrence::Number);
        let aliases: Vec<_> = numbered.map(|topic| topic.alias).collect();
        assert_eq!(aliases, ["group", "sxp", "profiler", "asset", "echo"]);
        assert_eq!(Occurrence::of_topic("/topic/other"), Occurrence::Number);
        let session = Occurrence::of_topic("/topic/com.cisco.ise.session");
        assert_eq!(session, Occurrence::Time);
    }

    #[test]
    fn what_changes_the_network_is_marked() {
        for name in [
            "applyEndpointByMacAddress",
            "clearEndpointPolicy",
            "createPolicy",
            "deletePolicyByName",
        ] {
            assert_eq!(effect("anc", name), Effect::Change, "{name}");
        }
        assert_eq!(effect("anc", "getOperationStatus"), Effect::Read);
        assert_eq!(effect("com.example", "getThings"), Effect::Read);
        assert_eq!(effect("com.example", "purge"), Effect::Change);
        for service in SERVICES {
            for operation in service.operations {
                let reads = operation.name.starts_with("get") || operation.name == "query";
                assert_eq!(
                    operation.effect == Effect::Read,
                    reads,
                    "{}",
                    operation.name
                );
            }
        }
    }
}
