//! Which topics can be caught up over REST, and how: one row a topic (reference pxgrid-api, section
//! 3).
//!
//! Topics that are not here lose what was published while we were away, and a subscription says so:
//! ANC status (its REST view holds the policies, not the operations), groups and downloads (no
//! times), posture (its REST calls did not work on ISE 3.4), endpoints (answer not published), and
//! topics of other providers.

use jiff::Timestamp;

/// How messages of a topic hold their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageShape {
    /// `{"sessions":[…]}`, cut to one session an event.
    Sessions,
    /// A list under this name, one event a message.
    List(&'static str),
    /// `{"operation":…,NAME:{…}}`.
    Operation(&'static str),
    /// The message is the row.
    Flat,
}

/// How one topic is caught up.
#[derive(Debug)]
pub(super) struct CatchUpPlan {
    pub(super) destination: &'static str,
    service: &'static str,
    /// What the answers call their list, and their list of deleted rows.
    list: &'static str,
    deleted: Option<&'static str>,
    pub(super) shape: MessageShape,
    /// Members that identify a row; for sessions see `topic`.
    pub(super) key: &'static [&'static str],
    /// Whether REST and topic spell a row alike, so that contents can be compared; otherwise only
    /// times are.
    pub(super) comparable: bool,
    /// Operations that take a start time, the best first; the next is used when the server does not
    /// know one.
    pub(super) since: &'static [&'static str],
    /// The operation that reads everything.
    pub(super) full: Option<&'static str>,
}

/// One REST read, for the shell to make and to answer row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The service to look up.
    pub service: &'static str,
    /// The operation.
    pub operation: &'static str,
    /// The start time; `None` reads everything.
    pub since: Option<Timestamp>,
    /// The reply's member that lists rows.
    pub list: &'static str,
    /// The reply's member that lists deleted rows, where there is one.
    pub deleted: Option<&'static str>,
    /// The subscription's server-side filter. Where [`body`](Self::body) cannot carry it
    /// ([`filtered_by_server`](Self::filtered_by_server) is false), whoever reads must apply it to
    /// the rows.
    pub filter: Option<String>,
}

impl Read {
    /// Whether the operation takes a filter (reference pxgrid-api, section 3.2).
    pub fn filtered_by_server(&self) -> bool {
        matches!(self.operation, "getSessions" | "getBindings")
    }

    /// The request's body. Times are sent with milliseconds, the finest that ISE writes.
    pub fn body(&self) -> String {
        let mut body = serde_json::Map::new();
        if let Some(since) = self.since {
            body.insert("startTimestamp".to_owned(), format!("{since:.3}").into());
        }
        if let (Some(filter), true) = (&self.filter, self.filtered_by_server()) {
            body.insert("filter".to_owned(), filter.clone().into());
        }
        serde_json::Value::Object(body).to_string()
    }
}

const SESSIONS: CatchUpPlan = CatchUpPlan {
    destination: "/topic/com.cisco.ise.session",
    service: "com.cisco.ise.session",
    list: "sessions",
    deleted: None,
    shape: MessageShape::Sessions,
    key: &[],
    comparable: true,
    since: &["getSessionsForRecovery", "getSessions"],
    full: Some("getSessions"),
};

const TRUSTSEC: CatchUpPlan = CatchUpPlan {
    destination: "/topic/com.cisco.ise.config.trustsec.security.group",
    service: "com.cisco.ise.config.trustsec",
    list: "securityGroups",
    deleted: Some("deletedSecurityGroups"),
    shape: MessageShape::Operation("securityGroup"),
    key: &["id"],
    comparable: true,
    since: &["getSecurityGroups"],
    full: None,
};

static PLANS: [CatchUpPlan; 9] = [
    SESSIONS,
    CatchUpPlan {
        destination: "/topic/com.cisco.ise.session.all",
        ..SESSIONS
    },
    CatchUpPlan {
        destination: "/topic/com.cisco.ise.radius.failure",
        service: "com.cisco.ise.radius",
        list: "failures",
        deleted: None,
        shape: MessageShape::List("failures"),
        key: &["id"],
        comparable: true,
        since: &["getFailures"],
        full: None,
    },
    TRUSTSEC,
    CatchUpPlan {
        destination: "/topic/com.cisco.ise.config.trustsec.security.group.acl",
        list: "securityGroupAcls",
        deleted: Some("deletedSecurityGroupAcls"),
        shape: MessageShape::Flat,
        comparable: false,
        since: &["getSecurityGroupAcls"],
        ..TRUSTSEC
    },
    CatchUpPlan {
        destination: "/topic/com.cisco.ise.config.trustsec.egress.policy",
        list: "egressPolicies",
        deleted: Some("deletedEgressPolicies"),
        shape: MessageShape::Flat,
        comparable: false,
        since: &["getEgressPolicies"],
        ..TRUSTSEC
    },
    CatchUpPlan {
        destination: "/topic/com.cisco.ise.sxp.binding",
        service: "com.cisco.ise.sxp",
        list: "bindings",
        deleted: None,
        shape: MessageShape::Operation("binding"),
        key: &["ipPrefix", "vpn", "source", "peerSequence"],
        comparable: true,
        since: &[],
        full: Some("getBindings"),
    },
    CatchUpPlan {
        destination: "/topic/com.cisco.ise.config.profiler",
        service: "com.cisco.ise.config.profiler",
        list: "profiles",
        deleted: None,
        shape: MessageShape::Operation("profile"),
        key: &["id"],
        comparable: true,
        since: &[],
        full: Some("getProfiles"),
    },
    CatchUpPlan {
        destination: "/topic/com.cisco.ise.mdm.endpoint",
        service: "com.cisco.ise.mdm",
        list: "endpoints",
        deleted: None,
        shape: MessageShape::Flat,
        key: &["macAddress"],
        comparable: true,
        since: &[],
        full: Some("getEndpoints"),
    },
];

impl CatchUpPlan {
    /// The plan for a topic's path.
    pub(super) fn of(destination: &str) -> Option<&'static Self> {
        PLANS.iter().find(|plan| plan.destination == destination)
    }

    /// The read that catches up from `since` (or reads everything), with the `fallback`-th
    /// operation that takes a time.
    pub(super) fn read(&self, since: Option<Timestamp>, fallback: usize) -> Option<Read> {
        let timed = since.and(self.since.get(fallback).copied());
        let (operation, since) = match (timed, self.full) {
            (Some(operation), _) => (operation, since),
            (None, Some(operation)) => (operation, None),
            (None, None) => return None,
        };
        Some(Read {
            service: self.service,
            operation,
            since,
            list: self.list,
            deleted: self.deleted,
            filter: None,
        })
    }

    /// Whether changes can only be found by comparing everything with what was there before.
    pub(super) fn compares(&self) -> bool {
        self.since.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_caught_up_from_a_time_or_whole() {
        let plan = CatchUpPlan::of("/topic/com.cisco.ise.session").unwrap();
        let since = Timestamp::from_millisecond(1_700_000_000_120).ok();
        let read = plan.read(since, 0).unwrap();
        assert_eq!(read.operation, "getSessionsForRecovery");
        assert_eq!(
            read.body(),
            r#"{"startTimestamp":"2023-11-14T22:13:20.120Z"}"#
        );
        assert_eq!(plan.read(since, 1).unwrap().operation, "getSessions");
        let mut whole = plan.read(None, 0).unwrap();
        assert_eq!(
            (whole.operation, whole.body().as_str()),
            ("getSessions", "{}")
        );
        whole.filter = Some("userName=='a'".to_owned());
        assert_eq!(whole.body(), r#"{"filter":"userName=='a'"}"#);
        assert!(CatchUpPlan::of("/topic/com.cisco.ise.config.anc.status").is_none());
        let bindings = CatchUpPlan::of("/topic/com.cisco.ise.sxp.binding").unwrap();
        assert_eq!(bindings.read(since, 0).unwrap().since, None);
    }
}
