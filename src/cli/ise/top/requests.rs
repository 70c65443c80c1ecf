//! What the live screen asks of ISE for one endpoint, and the changes it sends: each exactly once,
//! never repeated, its outcome in words.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::cli::change_under_way::{Attempt, Change as _};
use crate::cli::ise::interfaces::{Interfaces, MNT, PXGRID};
use crate::cli::ise::mnt::{coa, explain};
use crate::cli::ise::nodes;
use crate::error::{Error, Result};
use crate::joins::failure_facts;
use crate::mnt::MntClient;
use crate::pxgrid::ServiceClient;
use crate::pxgrid::anc::{self, OperationState, PolicyChange, Target};
use crate::record::{Mac, Record, RecordSink};
use crate::render::{Screen, Style};
use crate::top::{Change, ChangeKind};

/// How often the nodes are asked for.
pub(super) const NODES_EVERY: Duration = Duration::from_mins(1);
/// How long the outcome of an ANC operation is waited for.
const PATIENCE: Duration = Duration::from_mins(1);
/// The most rows of a list that is kept.
const MOST: usize = 2_000;
/// The most failures of which at least the time is kept.
const MOST_TIMES: usize = 1_000_000;

/// What came of a request.
pub(super) enum Answer {
    /// The session in full.
    Detail(Mac, Result<Record>),
    /// The explanation.
    Explain(Mac, Result<String>),
    /// The names of the ANC policies.
    Policies(Mac, Result<Vec<String>>),
    /// Code, cause and remedy of each reason.
    Causes(Result<Vec<(String, String, String)>>),
    /// The outcome of a change.
    Change(Change, Result<String>),
    /// How many nodes are measured and how many are known; `None` where nobody tells.
    Nodes(Option<(usize, usize)>),
    /// The failures of the last hour.
    Failures(Result<LastHour>),
}

/// See the module's documentation.
pub(super) struct Requests {
    mnt: Option<MntClient>,
    pxgrid: Option<Arc<ServiceClient>>,
    style: Style,
}

impl Requests {
    /// Through these clients; times are written as `style` has them.
    pub(super) fn new(interfaces: Interfaces, style: Style) -> Self {
        // Lines are broken where they are drawn.
        let screen = Screen {
            terminal: false,
            color: false,
            ..style.screen
        };
        Self {
            mnt: interfaces.mnt,
            pxgrid: interfaces.pxgrid.map(Arc::new),
            style: Style { screen, ..style },
        }
    }

    /// The Monitoring node.
    pub(super) fn mnt(&self) -> Result<&MntClient> {
        self.mnt
            .as_ref()
            .ok_or_else(|| Error::usage(format!("{MNT} is not set up")))
    }

    /// pxGrid, where it is set up.
    pub(super) fn pxgrid(&self) -> Option<&Arc<ServiceClient>> {
        self.pxgrid.as_ref()
    }

    fn services(&self) -> Result<&ServiceClient> {
        let services = self.pxgrid.as_deref();
        services.ok_or_else(|| Error::usage(format!("{PXGRID} is not set up")))
    }

    /// The session of an endpoint, from pxGrid where that is set up.
    pub(super) async fn detail(&self, mac: Mac) -> Answer {
        let ask = async {
            let Ok(services) = self.services() else {
                return Ok(self.mnt()?.session_by_mac(mac).await?.record);
            };
            let body = json!({ "macAddress": mac.to_string() });
            let answer = services.query("session", "getSessionByMacAddress", &body);
            Ok(Record::Json(answer.await?))
        };
        Answer::Detail(mac, ask.await)
    }

    /// The explanation of an endpoint.
    pub(super) async fn explain(&self, mac: Mac) -> Answer {
        let ask = async {
            let style = Style {
                now: Timestamp::now(),
                ..self.style.clone()
            };
            explain::text(self.mnt()?, mac, &style).await
        };
        Answer::Explain(mac, ask.await)
    }

    /// The names of the ANC policies.
    pub(super) async fn policies(&self, mac: Mac) -> Answer {
        let names: Result<Newest> = self.list("anc", "getPolicies", &json!({})).await;
        let name = |policy: &Record| Some(policy.text("name")?.into_owned());
        let names = names.map(|policies| policies.0.iter().filter_map(name).collect());
        Answer::Policies(mac, names)
    }

    /// The catalogue of failure reasons.
    pub(super) async fn causes(&self) -> Answer {
        let ask = async { Ok(self.mnt()?.failure_reasons().await?.records) };
        let text = |record: &Record, name: &str| record.text(name).unwrap_or_default().into_owned();
        let each = |record: &Record| {
            (
                text(record, "id"),
                text(record, "cause"),
                text(record, "resolution"),
            )
        };
        let records: Result<Vec<Record>> = ask.await;
        Answer::Causes(records.map(|records| records.iter().map(each).collect()))
    }

    /// The failures of the last hour.
    pub(super) async fn failures(&self) -> Answer {
        let now = Timestamp::now();
        let since = now.checked_sub(nodes::WINDOW).unwrap_or(now);
        let body = json!({ "startTimestamp": crate::cli::ise::pxgrid::wire_time(since) });
        Answer::Failures(self.list("radius", "getFailures", &body).await)
    }

    /// After a pause, how many nodes were measured lately.
    pub(super) async fn nodes(&self, pause: Duration) -> Answer {
        tokio::time::sleep(pause).await;
        let Ok(services) = self.services() else {
            // Nobody else tells: asked again only because the answer must come.
            return std::future::pending().await;
        };
        Answer::Nodes(nodes::up(services).await)
    }

    async fn list<S: RecordSink + Default + Send + 'static>(
        &self,
        service: &str,
        operation: &str,
        body: &serde_json::Value,
    ) -> Result<S> {
        let services = self.services()?;
        let (kept, outcome) = services.list(service, operation, body, S::default()).await;
        outcome.map(|_| kept)
    }

    /// Sends a change, once.
    pub(super) async fn change(&self, change: Change) -> Answer {
        let attempt = Attempt::default();
        let mac = change.mac;
        let outcome = match &change.kind {
            ChangeKind::Apply(policy) => {
                let order = PolicyChange::Apply(policy.clone());
                self.anc(&order, mac, &attempt).await
            }
            ChangeKind::Clear => self.anc(&PolicyChange::Clear, mac, &attempt).await,
            ChangeKind::Coa(kind) => match self.mnt() {
                Ok(client) => {
                    let coa = coa::alone(client.clone(), *kind);
                    let carried = coa.carry_out(mac, &attempt).await;
                    carried.map(|carried| carried.reason.unwrap_or_else(|| "sent".to_owned()))
                }
                Err(error) => Err(error),
            },
        };
        let words = change.words();
        let outcome =
            outcome.map_err(|error| attempt.explain_lost(error, &words, |_| change.look()));
        Answer::Change(change, outcome)
    }

    async fn anc(&self, order: &PolicyChange, mac: Mac, attempt: &Attempt<'_>) -> Result<String> {
        let services = self.services()?;
        attempt.sending()?;
        let answer = anc::start(services, order, &Target::Mac(mac)).await?;
        let first = anc::read_status(answer)?;
        let status = anc::wait(services, first, PATIENCE).await?;
        if status.state != OperationState::Running {
            attempt.settled();
        }
        anc::outcome(order, &status)?;
        Ok(match (status.state, status.failure_reason) {
            (OperationState::Failure, Some(reason)) => reason,
            _ => "done".to_owned(),
        })
    }
}

/// Keeps the last rows.
#[derive(Default)]
struct Newest(VecDeque<Record>);

impl RecordSink for Newest {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        let _before = keep(&mut self.0, record);
        Ok(ControlFlow::Continue(()))
    }
}

/// The failures of the last hour: the newest as they were told, of those before only the times.
#[derive(Default)]
pub(super) struct LastHour {
    pub(super) newest: VecDeque<Record>,
    pub(super) earlier: Vec<Timestamp>,
}

impl RecordSink for LastHour {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        let before = keep(&mut self.newest, record);
        let moment = before.as_ref().and_then(failure_facts::moment);
        if let Some((at, _)) = moment.filter(|_| self.earlier.len() < MOST_TIMES) {
            self.earlier.push(at);
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Keeps one more; what it took the place of.
fn keep(rows: &mut VecDeque<Record>, record: &Record) -> Option<Record> {
    let before = (rows.len() >= MOST).then(|| rows.pop_front()).flatten();
    rows.push_back(record.clone());
    before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_that_are_not_kept_are_counted() {
        let mut hour = LastHour::default();
        for second in 0..3_000 {
            let at = Timestamp::from_second(1_800_000_000 + second).unwrap();
            let failure = Record::from_value(json!({ "timestamp": at.to_string() }));
            let _ = hour.record(&failure).unwrap();
        }
        assert_eq!(
            (hour.newest.len(), hour.earlier.len()),
            (MOST, 3_000 - MOST)
        );
        assert_eq!(hour.earlier[0].as_second(), 1_800_000_000);
    }
}
