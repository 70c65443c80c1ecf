//! The commands that read one service each: their tables and JSON, what they send, and pages.

use serde_json::{Value, json};

use crate::pxgrid_commands::{decoded, table};
use crate::pxgrid_node::plan;
use crate::support::{stderr, stdout};

#[test]
fn the_other_services_have_a_table_and_json_each() {
    let deployment = plan().start();
    for (arguments, first) in [
        (vec!["trustsec", "groups"], "4\tEmployees\td\t1\n"),
        (vec!["trustsec", "acls"], "Deny\tIPV4\t\t0\t2\n"),
        (
            vec!["trustsec", "policies", "--matrix", "m"],
            "cell\tENABLED\t\t\t2\tm\n",
        ),
        (vec!["trustsec", "matrices"], "Production\t\tfalse\t5\n"),
        (vec!["trustsec", "networks"], "Campus\t3\t\n"),
        (
            vec!["sxp", "bindings"],
            "10.0.0.1/32\t4\t10.0.0.9\t10.0.0.9\tdefault\n",
        ),
        (
            vec!["radius", "failures"],
            "2026-03-09T07:40:01Z\tC8:5B:76:00:00:09\tpat\t5440 Endpoint abandoned EAP session\t10.50.1.1\tise-psn-1\t77\n",
        ),
        (
            vec!["profiler", "profiles"],
            "Apple-Device\tApple-Device:x\t6\n",
        ),
        (
            vec!["mdm", "endpoints"],
            "C8:5B:76:00:00:01\ttrue\t\t\t17.1\t\t\n",
        ),
        (
            vec!["mdm", "endpoints", "--type", "non-compliant"],
            "C8:5B:76:00:00:02\t\t\tphone\t\t\t\n",
        ),
        (
            vec!["mdm", "endpoints", "--os", "ios"],
            "C8:5B:76:00:00:02\t\t\tphone\t\t\t\n",
        ),
        (
            vec!["system", "health"],
            "2026-03-09T07:40:01Z\tise-psn-1\t12.5\t40.0\t\t\t\t\n",
        ),
        (
            vec!["system", "performance"],
            "2026-03-09T07:40:01Z\tise-psn-1\t3.1\t9\t8\n",
        ),
    ] {
        assert_eq!(table(&deployment, &arguments), first, "{arguments:?}");
        assert_eq!(
            decoded(&deployment, &arguments).as_array().unwrap().len(),
            1,
            "{arguments:?}"
        );
    }
    assert_eq!(
        decoded(&deployment, &["radius", "failure", "77"])["id"],
        "77"
    );
    deployment
        .pxgrid(&["radius", "failure", "78"])
        .assert()
        .code(3);
    assert_eq!(
        decoded(&deployment, &["mdm", "endpoints", "C8:5B:76:00:00:01"])["registered"],
        true
    );
    let list = deployment
        .pxgrid(&["mdm", "endpoints", "-", "--json"])
        .write_stdin("c85b76000001\n02:00:00:00:00:98\n02:00:00:00:00:99\nC8:5B:76:00:00:01\n")
        .assert()
        .code(1);
    let rows: Value = serde_json::from_str(&stdout(&list)).unwrap();
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    assert_eq!(rows[0]["macAddress"], "C8:5B:76:00:00:01");
    let failed = stderr(&list);
    assert!(failed.contains("2 of 4 failed"), "{failed}");
    assert_eq!(
        failed.matches("lists the managed ones").count(),
        1,
        "{failed}"
    );
    deployment
        .pxgrid(&["mdm", "endpoints", "--os", "ios", "--report", "rows"])
        .assert()
        .code(2);
    assert_eq!(
        decoded(&deployment, &["posture", "macs"])["macAddresses"][0],
        "C8:5B:76:00:00:05"
    );
    let data = decoded(
        &deployment,
        &["posture", "data", "c85b76000005", "--category", "app"],
    );
    assert_eq!(
        data,
        json!({"category": "app", "macAddresses": ["C8:5B:76:00:00:05"]})
    );
}

#[test]
fn requests_carry_what_the_options_say() {
    let deployment = plan().start();
    for (arguments, body) in [
        (
            vec!["sxp", "bindings", "--filter", "tag == `5`"],
            json!({"filter": "tag == `5`"}),
        ),
        (
            vec!["radius", "failures", "--since", "2026-03-09T07:00:00Z"],
            json!({"startTimestamp": "2026-03-09T07:00:00Z"}),
        ),
        (
            vec!["system", "health", "--node", "n"],
            json!({"nodeName": "n"}),
        ),
        (
            vec!["mdm", "endpoints", "--type", "NON_COMPLIANT"],
            json!({"type": "NON_COMPLIANT"}),
        ),
        (
            vec!["mdm", "endpoints", "--os", "windows"],
            json!({"osType": "WINDOWS"}),
        ),
        (
            vec!["trustsec", "groups", "--limit", "5"],
            json!({"recordCount": 5, "startIndex": 0}),
        ),
    ] {
        deployment.pxgrid(&arguments).assert().success();
        assert_eq!(deployment.log().pop().unwrap().body, body, "{arguments:?}");
    }
}

#[test]
fn paged_services_are_read_to_the_end_unless_limited() {
    let deployment = plan().start();
    assert_eq!(table(&deployment, &["endpoints"]).lines().count(), 2500);
    let starts: Vec<u64> = deployment
        .log()
        .iter()
        .filter(|one| one.operation == "getEndpoints")
        .map(|one| one.body["startIndex"].as_u64().unwrap())
        .collect();
    assert_eq!(starts, [0, 1000, 2000]);
    let limited = plan().start();
    assert_eq!(
        table(&limited, &["endpoints", "--limit", "7"])
            .lines()
            .count(),
        7
    );
    let log = limited.log();
    assert_eq!(log.len(), 4);
    assert_eq!(
        log[3].body,
        json!({"order": "ASC", "startIndex": 0, "count": 7})
    );
}
