//! How faults are read, and whom they meet.

use super::*;

#[test]
fn every_name_is_read_and_written() {
    for (kind, name, description) in Fault::ALL {
        let text = match kind {
            FaultKind::NodeDown => format!("{name}:1"),
            FaultKind::DcMissing => format!("{name}:RADIUS_ERRORS_VIEW"),
            _ => (*name).to_owned(),
        };
        let fault: Fault = text.parse().unwrap();
        assert_eq!(fault.kind(), *kind);
        assert_eq!(fault.to_string(), text);
        assert!(!description.is_empty());
    }
    for text in [
        "reset@3:Session/ActiveList",
        "ws-close@2~0.5:session",
        "node-down~30:2",
    ] {
        assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for text in [
        "",
        "no-such",
        "reset@",
        "reset@0",
        "reset@x",
        "hostile-names@1",
        "hostile-names:x",
        "tls-expired:x",
        "Reset",
        "node-down",
        "node-down:0",
        "node-down:x",
        "node-down@2:1",
        "ws-close~",
        "ws-close~-1",
        "ws-close~1e9",
        "ws-close~1~2",
        "hostile-names~1",
    ] {
        assert!(text.parse::<Fault>().is_err(), "{text}");
    }
}

#[test]
fn limits_count_only_requests_that_are_met() {
    let faults = Faults::new(vec![
        "overload-503@2:ActiveList".parse().unwrap(),
        "coa-false@1".parse().unwrap(),
        "tls-expired@1".parse().unwrap(),
    ]);
    assert_eq!(faults.of_request("/Version"), []);
    assert_eq!(faults.of_request("/ActiveList"), [FaultKind::Overload503]);
    assert_eq!(faults.of_request("/ActiveList"), [FaultKind::Overload503]);
    assert_eq!(faults.of_request("/ActiveList"), []);
    assert_eq!(faults.of_request("/CoA/x"), [FaultKind::CoaFalse]);
    assert_eq!(faults.of_request("/CoA/x"), []);
    assert_eq!(faults.of_connection(), Flavour::Expired);
    assert_eq!(faults.of_connection(), Flavour::Good);
}

#[test]
fn connections_are_met_once_each_and_by_topic() {
    let faults = Faults::new(vec!["ws-close@1~3:anc".parse().unwrap()]);
    assert_eq!(faults.of_subscription("/topic/session"), None);
    let struck = faults.of_subscription("/topic/anc").unwrap();
    assert_eq!(struck.kind, FaultKind::WsClose);
    assert_eq!(struck.after, Duration::from_secs(3));
    assert_eq!(faults.of_subscription("/topic/anc"), None);
    assert_eq!(faults.of_request("/pxgrid/ise/pubsub"), []);
}

#[test]
fn faults_come_and_go() {
    let faults = Faults::new(Vec::new());
    assert_eq!(faults.of_request("/x"), []);
    faults.arm("overload-503".parse().unwrap()).unwrap();
    faults.arm("node-down:2".parse().unwrap()).unwrap();
    assert_eq!(faults.of_request("/x"), [FaultKind::Overload503]);
    assert!(faults.down_from(2).is_some());
    assert!(faults.down_from(1).is_none());
    assert!(!faults.clear("node-down:1"));
    assert_eq!(faults.outages(2), 0);
    assert!(faults.clear("node-down:2"));
    assert_eq!((faults.outages(1), faults.outages(2)), (0, 1));
    assert!(faults.clear("overload-503"));
    assert!(faults.down_from(2).is_none());
    assert_eq!(faults.of_request("/x"), []);
    assert!(faults.arm("tls-expired".parse().unwrap()).is_err());
}

#[test]
fn what_begins_later_is_not_there_yet() {
    let faults = Faults::new(vec!["overload-503~3600".parse().unwrap()]);
    assert_eq!(faults.of_request("/x"), []);
    faults.arm("node-down~3600:1".parse().unwrap()).unwrap();
    assert!(faults.clear("node-down~3600:1"));
    assert_eq!(faults.outages(1), 0, "it never was down");
    assert!(!faults.strikes(FaultKind::Duplicate, "/topic/x"));
}
