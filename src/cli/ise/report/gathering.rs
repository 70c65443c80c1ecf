//! What a report is made of, asked of both interfaces: one list after the other, each counted while
//! it comes. What fails is kept beside what came.

use std::io::IsTerminal;

use serde_json::json;

use crate::cli::Context;
use crate::cli::bulk::Jobs;
use crate::cli::ise::counting::Counting;
use crate::cli::ise::failures::attempts::{self, Question};
use crate::cli::ise::interfaces::{Failed, Interfaces, MNT, PXGRID};
use crate::cli::ise::nodes;
use crate::cli::ise::pxgrid::wire_time;
use crate::cli::ise::session_source;
use crate::error::{Error, Kind, Result};
use crate::joins::egress_matrix::EgressMatrix;
use crate::joins::failing_endpoints::FailingEndpoints;
use crate::joins::failure_facts::{self, By};
use crate::joins::failure_groups::FailureGroups;
use crate::joins::limits::Limits;
use crate::joins::nodes::NodeState;
use crate::joins::session_groups::{Facet, SessionGroups};
use crate::joins::trend::{Counts, Window};
use crate::mnt::MntClient;
use crate::pxgrid::ServiceClient;
use crate::record::Record;
use crate::record::selection::Selection;
use crate::render::Progress;
use crate::snapshot::Source;

/// Servers that sessions are counted by.
const MOST_SERVERS: usize = 1_000;
/// Of failures: the page shows the largest groups only.
const GROUPS: Limits = Limits {
    rows: 20_000,
    marks: 500_000,
    bytes: 8 << 20,
};
/// Of endpoints that fail.
const ENDPOINTS: Limits = Limits {
    rows: 10_000,
    marks: 0,
    bytes: 16 << 20,
};

/// All that a page is made of. What is `None` was not asked for, or did not come.
pub(super) struct Gathered {
    pub(super) window: Window,
    /// Hosts of both, as they are set.
    pub(super) hosts: [(&'static str, Option<String>); 2],
    pub(super) of_pxgrid: Option<SessionGroups>,
    pub(super) of_mnt: Option<SessionGroups>,
    pub(super) failures: Option<FailureCounts>,
    /// Who told of failures.
    pub(super) failures_from: &'static str,
    /// Why they are not all, where a part of the questions failed.
    pub(super) failures_lack: Option<String>,
    pub(super) nodes: Vec<NodeState>,
    pub(super) matrix: Option<EgressMatrix>,
    /// Why there is no matrix, where that is no failure.
    pub(super) no_matrix: Option<String>,
}

/// The numbers that are printed beside the file.
pub(super) struct Numbers {
    pub(super) sessions: Option<u64>,
    pub(super) failures: Option<u64>,
    pub(super) nodes: usize,
}

/// Failures, counted in each way that the page shows.
pub(super) struct FailureCounts {
    window: Window,
    pub(super) by_reason: FailureGroups,
    pub(super) by_nas: FailureGroups,
    pub(super) endpoints: FailingEndpoints,
    pub(super) attempts: u64,
    trend: Counts,
}

impl Gathered {
    /// The sessions that the page is of: pxGrid's, which tell more, else the Monitoring node's.
    pub(super) fn sessions(&self) -> Option<&SessionGroups> {
        self.of_pxgrid.as_ref().or(self.of_mnt.as_ref())
    }

    /// Whether an interface is set up.
    pub(super) fn has(&self, interface: &str) -> bool {
        let mut hosts = self.hosts.iter();
        hosts.any(|(name, host)| *name == interface && host.is_some())
    }

    /// Whether nobody told anything.
    pub(super) fn is_nothing(&self) -> bool {
        self.sessions().is_none()
            && self.failures.is_none()
            && self.nodes.is_empty()
            && self.matrix.is_none()
    }

    pub(super) fn counts(&self) -> Numbers {
        Numbers {
            sessions: self.sessions().map(SessionGroups::total),
            failures: self.failures.as_ref().map(|counts| counts.attempts),
            nodes: self.nodes.len(),
        }
    }
}

/// Asks for everything.
///
/// Errors: where nothing is sent at all (`--dry-run`), and wrong settings.
pub(super) async fn gather(
    context: &Context,
    interfaces: &Interfaces,
    window: Window,
    jobs: Jobs,
) -> Result<(Gathered, Failed)> {
    let mut failed = Failed::default();
    let (pxgrid, mnt) = (interfaces.pxgrid.as_ref(), interfaces.mnt.as_ref());
    let ((of_pxgrid, told), (of_mnt, listed)) = tokio::join!(
        sessions_of_pxgrid(context, pxgrid, window),
        sessions_of_mnt(mnt, window, pxgrid.is_none() && is_watched(context)),
    );
    // Who refuses is not asked on, and who is silent would be waited for five times more.
    let goes_on = |outcome: &Result<()>| {
        let ends = |error: &Error| {
            matches!(
                error.kind(),
                Kind::Refused | Kind::Pending | Kind::TimedOut | Kind::Resolve | Kind::Tls
            )
        };
        !outcome.as_ref().is_err_and(ends)
    };
    let pxgrid = pxgrid.filter(|_| goes_on(&told));
    let mnt = mnt.filter(|_| goes_on(&listed));
    for outcome in [&told, &listed] {
        if let Err(error) = outcome
            && (error.kind().is_quiet() || error.kind() == Kind::Usage)
        {
            return Err(error.clone());
        }
    }
    let of_pxgrid = failed.note(PXGRID, told).and(of_pxgrid);
    let of_mnt = failed.note(MNT, listed).and(of_mnt);
    let (failures, failures_from, failures_lack) =
        failures(context, (pxgrid, mnt), window, jobs, &mut failed).await;
    let (mut table, measured) = nodes::measure(pxgrid, window).await;
    failed.note(PXGRID, measured);
    if let Some(sessions) = &of_mnt {
        for (name, count) in sessions.counted(Facet::Server, MOST_SERVERS).groups {
            table.add_sessions(&name.unwrap_or_default(), count);
        }
        table.sessions_are_counted();
    }
    let nodes = table.finish(&[], window.until);
    let (matrix, no_matrix) = match pxgrid {
        None => (None, None),
        Some(client) => match egress_matrix(client).await {
            Ok(matrix) => (Some(matrix), None),
            // A deployment without TrustSec is no failure.
            Err(error) if error.kind() == Kind::Connect && of_pxgrid.is_some() => {
                (None, Some(error.message().to_owned()))
            }
            Err(error) => (failed.note(PXGRID, Err(error)), None),
        },
    };
    let host = |source| session_source::host(context, source);
    let gathered = Gathered {
        window,
        hosts: [
            (
                PXGRID,
                interfaces
                    .pxgrid
                    .as_ref()
                    .and_then(|_| host(Source::Pxgrid)),
            ),
            (MNT, interfaces.mnt.as_ref().and_then(|_| host(Source::Mnt))),
        ],
        of_pxgrid,
        of_mnt,
        failures,
        failures_from,
        failures_lack,
        nodes,
        matrix,
        no_matrix,
    };
    Ok((gathered, failed))
}

/// Whether a person waits who is to see that something happens.
fn is_watched(context: &Context) -> bool {
    !context.global.quiet && std::io::stderr().is_terminal()
}

async fn sessions_of_pxgrid(
    context: &Context,
    client: Option<&ServiceClient>,
    window: Window,
) -> (Option<SessionGroups>, Result<()>) {
    let Some(client) = client else {
        return (None, Ok(()));
    };
    let (sink, body) = (session_sink(window), json!({}));
    let (sink, outcome) = if is_watched(context) {
        let sink = Progress::new(sink, "sessions", std::io::stderr());
        let (progress, outcome) = client.list("session", "getSessions", &body, sink).await;
        (progress.finish(), outcome)
    } else {
        client.list("session", "getSessions", &body, sink).await
    };
    (Some(sink.counts), outcome.map(|_| ()))
}

/// `watched`: somebody is to see that it goes on.
async fn sessions_of_mnt(
    client: Option<&MntClient>,
    window: Window,
    watched: bool,
) -> (Option<SessionGroups>, Result<()>) {
    let Some(client) = client else {
        return (None, Ok(()));
    };
    let sink = session_sink(window);
    let (sink, outcome) = if watched {
        let sink = Progress::new(sink, "sessions", std::io::stderr());
        let (progress, outcome) = client.sessions(sink).await;
        (progress.finish(), outcome)
    } else {
        client.sessions(sink).await
    };
    (Some(sink.counts), outcome.map(|_| ()))
}

fn session_sink(window: Window) -> Counting<SessionGroups> {
    Counting {
        counts: SessionGroups::new(window),
        add: SessionGroups::add,
    }
}

/// The failures of the window, of pxGrid, else those that the Monitoring node can tell; who told;
/// and why they are not all.
async fn failures(
    context: &Context,
    (pxgrid, mnt): (Option<&ServiceClient>, Option<&MntClient>),
    window: Window,
    jobs: Jobs,
    failed: &mut Failed,
) -> (Option<FailureCounts>, &'static str, Option<String>) {
    let sink = || Counting {
        counts: FailureCounts::new(window),
        add: FailureCounts::add,
    };
    if let Some(client) = pxgrid {
        let body = json!({ "startTimestamp": wire_time(window.since) });
        let (sink, outcome) = client.list("radius", "getFailures", &body, sink()).await;
        if failed.note(PXGRID, outcome).is_some() {
            return (Some(sink.counts), PXGRID, None);
        }
    }
    let Some(client) = mnt else {
        return (None, PXGRID, None);
    };
    let question = Question {
        sessions: Selection::default(),
        attempts: Selection::default(),
        since: window.since,
        jobs,
    };
    let (sink, outcome) = attempts::failed(client, context, question, sink()).await;
    let Some(tally) = failed.note(MNT, outcome) else {
        return (None, MNT, None);
    };
    // What some endpoints did not tell takes nothing from what the others told.
    let all = tally.outcome();
    let lack = all.as_ref().err().map(|error| error.message().to_owned());
    failed.note(MNT, all);
    (Some(sink.counts), MNT, lack)
}

/// The policies, with what tells the names in them.
async fn egress_matrix(client: &ServiceClient) -> Result<EgressMatrix> {
    let add_name: fn(&mut EgressMatrix, &Record) = EgressMatrix::add_name;
    let mut matrix = EgressMatrix::default();
    for (operation, add) in [
        ("getSecurityGroups", add_name),
        ("getSecurityGroupAcls", add_name),
        ("getEgressMatrices", add_name),
        ("getEgressPolicies", EgressMatrix::add_policy),
    ] {
        let sink = Counting {
            counts: matrix,
            add,
        };
        let (sink, outcome) = client
            .list("trustsec-config", operation, &json!({}), sink)
            .await;
        outcome?;
        matrix = sink.counts;
    }
    Ok(matrix)
}

impl FailureCounts {
    fn new(window: Window) -> Self {
        Self {
            window,
            by_reason: FailureGroups::new(By::Reason, window, GROUPS),
            by_nas: FailureGroups::new(By::Nas, window, GROUPS),
            endpoints: FailingEndpoints::new(window, ENDPOINTS),
            attempts: 0,
            trend: Counts::default(),
        }
    }

    fn add(&mut self, failure: &Record) {
        self.attempts += 1;
        if let Some((at, _)) = failure_facts::moment(failure) {
            self.trend.add(&self.window, at);
        }
        self.by_reason.add(failure);
        self.by_nas.add(failure);
        self.endpoints.add(failure);
    }

    /// How many there were in each part of the window.
    pub(super) fn trend(&self) -> serde_json::Value {
        self.trend.value(&self.window)
    }
}
