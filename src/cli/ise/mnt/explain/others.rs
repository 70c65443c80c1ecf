//! Who else fails at the same switch for the same reason: one endpoint's trouble, or the switch's.
//! Only pxGrid's list of RADIUS failures tells it, of the last hour; without pxGrid nothing is
//! said.

use std::collections::HashSet;
use std::ops::ControlFlow;

use serde_json::{Value, json};

use crate::cli::Context;
use crate::cli::ise::doctor::is_set;
use crate::error::Result;
use crate::joins::endpoints::key;
use crate::record::{Record, RecordSink};

/// More endpoints than this are not told apart.
const MOST: usize = 100_000;

/// Counts the failures of other endpoints, where pxGrid is set up and a failure is explained; else
/// null. Trouble on the way is said and is no error: the explanation stands without it.
pub(super) async fn count(context: &Context, explanation: &Value) -> Value {
    let text = |value: Option<&Value>| {
        let text = value.and_then(Value::as_str).unwrap_or_default();
        text.to_owned()
    };
    let why = |name: &str| text(explanation.get("why").and_then(|why| why.get(name)));
    let (failure, nas) = (why("failure"), why("nas"));
    if failure.is_empty() || nas.is_empty() || !is_set(context, "pxgrid-host") {
        return Value::Null;
    }
    let others = Others {
        code: code_of(&failure).to_owned(),
        nas,
        endpoint: endpoint(&text(explanation.get("mac")), &why("user")),
        endpoints: HashSet::new(),
        attempts: 0,
    };
    let asked = async {
        let client = context.pxgrid()?;
        let (others, outcome) = client
            .list("radius", "getFailures", &json!({}), others)
            .await;
        outcome.map(|_| others)
    };
    let asked: Result<Others> = asked.await;
    let others = match asked {
        Ok(others) => others,
        Err(error) => {
            let why = error.message();
            let text = format!("who else fails at this switch is not known: {why}");
            context.reporter.step(&text);
            return Value::Null;
        }
    };
    json!({
        "endpoints": others.endpoints.len(),
        "attempts": others.attempts,
        "nas": others.nas,
        "code": others.code,
        "since": "1h",
    })
}

/// By what failures of the endpoint that is explained are known.
fn endpoint(station: &str, user: &str) -> Option<String> {
    key(&Record::from_value(
        json!({ "callingStationId": station, "userName": user }),
    ))
}

/// The number that a reason begins with.
fn code_of(reason: &str) -> &str {
    reason.split_whitespace().next().unwrap_or_default()
}

struct Others {
    code: String,
    nas: String,
    endpoint: Option<String>,
    endpoints: HashSet<String>,
    attempts: u64,
}

impl RecordSink for Others {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        let at_nas = match self.nas.parse() {
            Ok(nas) => record.has_address("nasIpAddress", nas),
            Err(_) => record.text("nasIpAddress").as_deref() == Some(&self.nas),
        };
        let reason = record.text("failureReason").unwrap_or_default();
        if code_of(&reason) != self.code || !at_nas {
            return Ok(ControlFlow::Continue(()));
        }
        let failed = key(record);
        if failed != self.endpoint {
            self.attempts += 1;
            if self.endpoints.len() < MOST {
                self.endpoints.insert(failed.unwrap_or_default());
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_fail_there_for_the_same_reason() {
        let mut others = Others {
            code: "22040".into(),
            nas: "10.0.0.1".into(),
            endpoint: endpoint("00:00:5E:00:53:F0", "robin"),
            endpoints: HashSet::new(),
            attempts: 0,
        };
        for (mac, nas, reason) in [
            ("00-00-5e-00-53-f0", "10.0.0.1", "22040 Wrong"),
            ("0000.5e00.53f0", "10.0.0.1", "22040 Wrong"),
            ("00:00:5E:00:53:01", "10.0.0.1", "22040 Wrong"),
            ("00:00:5E:00:53:01", "10.0.0.1", "22040 Wrong"),
            ("00:00:5E:00:53:02", "10.0.0.2", "22040 Wrong"),
            ("00:00:5E:00:53:03", "10.0.0.1", "12514 Other"),
        ] {
            let row = json!({"macAddress": mac, "nasIpAddress": nas, "failureReason": reason});
            assert!(
                others
                    .record(&Record::from_value(row))
                    .unwrap()
                    .is_continue()
            );
        }
        assert_eq!((others.endpoints.len(), others.attempts), (1, 2));
    }
}
