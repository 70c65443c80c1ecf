//! What Data Connect adds to an explanation, where it is set up: how the endpoint fared in the last
//! days, its attempts where the node does not tell them, and the whole story of an endpoint that the
//! live interface no longer knows. Trouble on the way is said and is no error: the explanation
//! stands without it.

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::{NEVER_SEEN, verdict};
use crate::cli::Context;
use crate::cli::ise::dc::known;
use crate::cli::ise::interfaces::HISTORY;
use crate::error::{Error, Result};
use crate::record::{Mac, Record};

/// How far back of an endpoint that the node knows.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// And of one that only history knows.
const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is told of an attempt: history's member, ours.
const FACTS: [(&str, &str); 16] = [
    ("time", "time"),
    ("what", "result"),
    ("reason", "failure"),
    ("user", "user"),
    ("nas", "device"),
    ("nasAddress", "nas"),
    ("port", "port"),
    ("server", "server"),
    ("method", "method"),
    ("protocol", "protocol"),
    ("policySet", "policySet"),
    ("rule", "authorizationRule"),
    ("profiles", "profiles"),
    ("securityGroup", "sgt"),
    ("postureStatus", "posture"),
    ("responseTime", "latencyMs"),
];

/// The authentications of an endpoint, the newest first.
pub(super) struct Past {
    authentications: Vec<Record>,
    /// There are older ones in the window.
    cut: bool,
    days: i64,
}

/// What history has of an endpoint; `None` where it is not set up, or could not be asked, which is
/// said.
///
/// Errors: those that end the whole command.
async fn ask(context: &Context, mac: &str, window: SignedDuration) -> Result<Option<Past>> {
    let asked = async {
        if !context.settings.has_data_connect()? {
            return Ok(None);
        }
        known::authentications(context, mac, window).await.map(Some)
    };
    match asked.await {
        Ok(Some((authentications, cut))) => Ok(Some(Past {
            authentications,
            cut,
            days: window.as_hours() / 24,
        })),
        Ok(None) => Ok(None),
        Err(error) if error.kind().ends_the_command() => Err(error),
        Err(error) => {
            let text = format!("{HISTORY} was not asked: {}", error.message());
            context.reporter.step(&text);
            Ok(None)
        }
    }
}

/// Adds to an explanation what history knows: `history`, and `attempts` where the node has none to
/// tell.
pub(super) async fn add(context: &Context, explanation: &mut Value) -> Result<()> {
    let mac = explanation.get("mac").and_then(Value::as_str);
    let mac = mac.and_then(Mac::from_canonical);
    let past = match mac {
        Some(mac) => ask(context, &mac.to_string(), WEEK).await?,
        // A VPN client: it is known by its address.
        None => None,
    };
    let Value::Object(members) = explanation else {
        return Ok(());
    };
    let missing = members.get("attemptsMissing").is_some_and(Value::is_string);
    if let Some(past) = past.as_ref().filter(|_| missing) {
        members.insert("attempts".to_owned(), past.attempts());
        members.insert("attemptsMayContinue".to_owned(), past.cut.into());
    }
    let history = past.map_or(Value::Null, |past| past.summary());
    members.insert("history".to_owned(), history);
    Ok(())
}

/// The explanation of an endpoint of which the node says that it is `unknown`.
///
/// Errors: `unknown`, where history knows nothing either.
pub(super) async fn alone(context: &Context, mac: Mac, unknown: Error) -> Result<Value> {
    let mac = mac.to_string();
    let Some(past) = ask(context, &mac, MONTH).await? else {
        return Err(unknown);
    };
    let Some(newest) = past.authentications.first() else {
        let words = format!(
            "{}, nor any in {} days of history",
            unknown.message(),
            past.days
        );
        return Err(unknown.reworded(words).hint(NEVER_SEEN));
    };
    let passed = is(newest, "pass");
    Ok(json!({
        "mac": mac,
        "verdict": verdict(None, Some(passed), false),
        "quarantine": null,
        "why": facts(newest),
        "session": null,
        "attempts": past.attempts(),
        "attemptsMayContinue": past.cut,
        "attemptsMissing": null,
        "catalogueMissing": null,
        "history": past.summary(),
    }))
}

impl Past {
    /// Counts, and the newest of both kinds.
    fn summary(&self) -> Value {
        let newest = |what: &str| {
            let mut records = self.authentications.iter();
            let found = records.find(|record| is(record, what));
            found.map_or(Value::Null, Record::to_value)
        };
        let count = |what: &str| {
            let records = self.authentications.iter();
            records.filter(|record| is(record, what)).count()
        };
        json!({
            "days": self.days,
            "passed": count("pass"),
            "failed": count("fail"),
            "mayContinue": self.cut,
            "lastPass": newest("pass"),
            "lastFailure": newest("fail"),
        })
    }

    fn attempts(&self) -> Value {
        self.authentications.iter().map(facts).collect()
    }
}

fn is(record: &Record, what: &str) -> bool {
    record.text("what").as_deref() == Some(what)
}

/// The facts of one attempt, under the names of the others; absent ones are left out.
fn facts(record: &Record) -> Value {
    let mut members = Map::new();
    for (theirs, ours) in FACTS {
        if let Some(text) = record.text(theirs).filter(|text| !text.is_empty()) {
            members.insert(ours.to_owned(), Value::String(text.into_owned()));
        }
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past() -> Past {
        let rows = [
            json!({"time": "t3", "what": "fail", "reason": "22040 Wrong", "nas": "sw-1", "rule": ""}),
            json!({"time": "t2", "what": "pass", "rule": "Staff", "nasAddress": "10.0.0.1"}),
            json!({"time": "t1", "what": "fail", "reason": "5440 Left"}),
        ];
        Past {
            authentications: rows.map(Record::from_value).into(),
            cut: true,
            days: 7,
        }
    }

    #[test]
    fn history_is_counted_and_its_newest_told() {
        let summary = past().summary();
        assert_eq!(
            (&summary["passed"], &summary["failed"]),
            (&json!(1), &json!(2))
        );
        assert_eq!(summary["lastFailure"]["time"], "t3");
        assert_eq!(summary["lastPass"]["rule"], "Staff");
        assert_eq!(summary["mayContinue"], true);
    }

    #[test]
    fn attempts_of_history_have_the_names_of_the_others() {
        let attempts = past().attempts();
        let wanted =
            json!({"time": "t3", "result": "fail", "failure": "22040 Wrong", "device": "sw-1"});
        assert_eq!(attempts[0], wanted);
        assert_eq!(attempts[1]["nas"], "10.0.0.1");
        assert_eq!(attempts[1]["authorizationRule"], "Staff");
    }
}
