//! Names in place of UUIDs: egress policies name groups, ACLs and matrices by what nobody knows by
//! heart. For a person's table only; what a program reads stays as the server sent it.

use std::collections::HashMap;
use std::ops::ControlFlow;

use serde_json::{Value, json};

use super::SERVICE;
use crate::cli::Context;
use crate::error::Result;
use crate::pxgrid::ServiceClient;
use crate::record::{Collect, Record, RecordSink};

/// The members that hold UUIDs.
const REFERENCES: [&str; 4] = [
    "sourceSecurityGroupId",
    "destinationSecurityGroupId",
    "sgaclIds",
    "matrixId",
];

/// What tells the names.
const OPERATIONS: [&str; 3] = [
    "getSecurityGroups",
    "getSecurityGroupAcls",
    "getEgressMatrices",
];

/// Names by UUID.
#[derive(Default)]
pub(super) struct Names(HashMap<String, String>);

impl Names {
    /// Asks for them; what cannot be told is said, and stays a UUID.
    pub(super) async fn ask(client: &ServiceClient, context: &Context) -> Self {
        let mut names = HashMap::new();
        for operation in OPERATIONS {
            let sink = Collect::default();
            let (rows, outcome) = client.list(SERVICE, operation, &json!({}), sink).await;
            if let Err(error) = outcome {
                let warning = format!("UUIDs are shown, not names: {}", error.message());
                context.reporter.warn(&warning);
                break;
            }
            let pairs = rows.records.iter().filter_map(|row| {
                Some((row.text("id")?.into_owned(), row.text("name")?.into_owned()))
            });
            names.extend(pairs);
        }
        Self(names)
    }

    fn put_into(&self, value: &mut Value) {
        match value {
            Value::String(id) => {
                if let Some(name) = self.0.get(id.as_str()) {
                    id.clone_from(name);
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|item| self.put_into(item)),
            _ => {}
        }
    }
}

/// Passes on policies with names in them.
pub(super) struct Named<S> {
    pub(super) names: Names,
    pub(super) inner: S,
}

impl<S: RecordSink> RecordSink for Named<S> {
    fn begin(&mut self, announced: Option<u64>) -> Result<()> {
        self.inner.begin(announced)
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        let mut policy = record.to_value();
        for member in REFERENCES {
            if let Some(value) = policy.get_mut(member) {
                self.names.put_into(value);
            }
        }
        self.inner.record(&Record::from_value(policy))
    }

    fn pause(&mut self) -> Result<()> {
        self.inner.pause()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_name_is_shown_by_it() {
        let known = [("1", "Employees"), ("2", "Deny")].map(|(id, name)| (id.into(), name.into()));
        let mut named = Named {
            names: Names(known.into()),
            inner: Collect::default(),
        };
        let policy = json!({
            "name": "1", "sourceSecurityGroupId": "1", "destinationSecurityGroupId": "9",
            "sgaclIds": ["2", "3"],
        });
        assert!(
            named
                .record(&Record::from_value(policy))
                .unwrap()
                .is_continue()
        );
        assert_eq!(
            named.inner.records[0].to_value(),
            json!({
                "name": "1", "sourceSecurityGroupId": "Employees",
                "destinationSecurityGroupId": "9", "sgaclIds": ["Deny", "3"],
            })
        );
    }
}
