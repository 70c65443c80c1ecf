//! Filters and times: one set for every list, `watch` and `subscribe`.

use netapi::testing::lab::LabOptions;

use crate::support::lab::{TestLab, faulty, lab, with};
use crate::support::{stderr, stdout};

/// The first cell of each row that a command prints.
fn rows(lab: &TestLab, arguments: &[&str]) -> Vec<String> {
    let assert = lab.netapi().args(arguments).assert().success();
    let text = stdout(&assert);
    let rows = text.lines().map(|line| line.split('\t').next());
    rows.map(|cell| cell.unwrap().to_owned()).collect()
}

fn ise(words: &str) -> Vec<&str> {
    let mut all = vec!["ise"];
    all.extend(words.split(' '));
    all
}

fn large() -> TestLab {
    with(LabOptions {
        sessions: 2000,
        ..LabOptions::default()
    })
}

#[test]
fn a_user_in_any_spelling_is_found_in_both_interfaces() {
    let lab = large();
    let both = ["00:00:5E:00:53:01", "00:00:5E:00:53:06"];
    for list in [
        "mnt sessions",
        "pxgrid sessions",
        "mnt auth-list --since 9h",
    ] {
        for (user, found) in [
            ("pat.kim", &both[..]),
            ("PAT.KIM", &both),
            (r"LAB\pat.kim", &both),
            ("pat.ki", &[]),
            (r"BRANCH\pat.kim", &[]),
        ] {
            let words = format!("{list} --user {user} --fields MAC --sort MAC");
            assert_eq!(rows(&lab, &ise(&words)), found, "{words}");
        }
    }
}

#[test]
fn a_switch_is_found_by_address_network_and_name() {
    let lab = lab();
    let by_address = rows(&lab, &ise("pxgrid sessions --nas 10.50.1.11"));
    assert_eq!(by_address.len(), 7);
    for nas in ["sw-lab-02", "SW-LAB-02", "*-lab-02", "10.50.1.11/32"] {
        let words = format!("pxgrid sessions --nas {nas}");
        assert_eq!(rows(&lab, &ise(&words)), by_address, "{nas}");
    }
    let sessions = rows(&lab, &ise("mnt sessions --nas 10.50.1.11"));
    assert_eq!(
        sessions,
        rows(&lab, &ise("mnt sessions --nas 10.50.1.11/32"))
    );
    let some = rows(&lab, &ise("mnt sessions --nas 10.50.0.0/16"));
    assert_eq!(some.len(), 49, "one session of the lab has no switch");
    let details = rows(&lab, &ise("mnt sessions --detail --nas sw-lab-02"));
    let at = details.iter().position(|mac| *mac == "00:00:5E:00:53:01");
    assert!(at.is_some(), "{details:?}");
    assert!(rows(&lab, &ise("pxgrid sessions --nas sw-lab")).is_empty());
    let failures = rows(
        &lab,
        &ise("pxgrid radius failures --since 5d --nas sw-lab-01"),
    );
    let all = rows(&lab, &ise("pxgrid radius failures --since 5d"));
    assert!(!failures.is_empty() && failures.len() < all.len());
}

#[test]
fn groups_profiles_postures_methods_and_states() {
    let lab = large();
    let count = |words: &str| rows(&lab, &ise(words)).len();
    let sessions = |filter: &str| count(&format!("pxgrid sessions {filter}"));
    let methods = ["dot1x", "MAB", "pap_ascii"].map(|word| sessions(&format!("--method {word}")));
    assert!(methods.iter().all(|count| *count > 200), "{methods:?}");
    assert_eq!(methods.iter().sum::<usize>(), 2000);
    assert_eq!(
        sessions("--posture compliant") + sessions("--posture non-compliant"),
        79
    );
    assert_eq!(sessions("--posture non_COMPLIANT"), 20);
    assert_eq!(sessions("--state postured"), 79);
    assert!(sessions("--sgt employees") > 100 && sessions("--sgt employee") == 0);
    assert!(sessions("--profile-is windows*") > sessions("--profile-is windows11*"));
    // The same sessions, one detail call for each that the list has not already left out.
    let before = lab.requests().len();
    let detail = "mnt sessions --detail --nas 10.50.1.10 --posture compliant --server psn-a";
    let found = count(detail);
    assert!(found > 0 && found < 10, "{found}");
    let called = lab.requests().len() - before;
    assert!(
        called < 80,
        "{called} requests for a switch's sessions at one server"
    );
    assert_eq!(count(&format!("{detail} --limit 1")), 1);
}

#[test]
fn times_are_spans_days_and_instants() {
    let lab = large();
    let count = |words: &str| rows(&lab, &ise(words)).len();
    let old = count("pxgrid sessions --older-than 3d");
    assert_eq!(old, 49);
    assert_eq!(count("pxgrid sessions --until 3d"), old);
    assert!(count("pxgrid sessions --older-than 1w") < old);
    assert!(count("pxgrid sessions --since 3d") >= 2000 - old);
    assert!(count("pxgrid sessions --since 1w --until 2d --older-than yesterday") > 0);
    // The server is asked for what it can do itself.
    let shown = lab.pxgrid(&[
        "sessions",
        "--since",
        "2026-03-09T08:00:00+01:00",
        "--dry-run",
    ]);
    let shown = stdout(&{ shown }.assert().success());
    assert!(
        shown.contains(r#"{"startTimestamp":"2026-03-09T07:00:00Z"}"#),
        "{shown}"
    );
    assert_eq!(
        count("mnt auth-status 00:00:5E:00:53:F0 --since 5d --until 1s"),
        20
    );
    let day = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let today = rows(&lab, &ise("pxgrid sessions --since today"));
    assert_eq!(
        rows(&lab, &ise(&format!("pxgrid sessions --since {day}"))),
        today
    );
    for (words, says) in [
        (
            "pxgrid sessions --since 1h --until 2h",
            "the window is empty",
        ),
        ("pxgrid sessions --older-than tomorrow", "no point in time"),
        ("mnt auth-list --since 2026-02-30", "no point in time"),
    ] {
        let sent = lab.requests().len();
        let assert = lab.netapi().args(ise(words)).assert().code(2);
        assert!(stderr(&assert).contains(says), "{words}");
        assert_eq!(lab.requests().len(), sent, "{words}");
    }
}

#[test]
fn what_a_row_never_tells_is_refused_before_anything_is_sent_and_says_where_it_works() {
    let lab = lab();
    for (words, lacks, works) in [
        (
            "mnt sessions --nas sw-lab-02",
            "by address only",
            "mnt sessions --detail",
        ),
        (
            "mnt sessions --posture compliant",
            "no posture",
            "`netapi ise pxgrid sessions`",
        ),
        (
            "mnt watch --older-than 3d",
            "--older-than: ",
            "pxgrid sessions",
        ),
        (
            "mnt auth-list --sgt Employees",
            "no security group",
            "pxgrid sessions",
        ),
        (
            "pxgrid sessions --server psn-a",
            "no policy service node",
            "mnt sessions",
        ),
        (
            "pxgrid sessions --server psn-a",
            "no policy service node",
            "ise diff --source mnt",
        ),
        (
            "mnt sessions --older-than 3d",
            "--older-than: ",
            "ise diff --source pxgrid",
        ),
        (
            "pxgrid radius failures --state started",
            "no state",
            "pxgrid sessions",
        ),
        ("pxgrid anc endpoints --user pat", "no user", "mnt sessions"),
        (
            "mnt auth-status 00:00:5E:00:53:F0 --state started",
            "no state",
            "subscribe",
        ),
    ] {
        let assert = lab.netapi().args(ise(words)).assert().code(2).stdout("");
        let (message, hint) = (stderr(&assert), stderr(&assert));
        assert!(message.contains(lacks), "{words}: {message}");
        assert!(
            hint.contains("hint: it works with") && hint.contains(works),
            "{hint}"
        );
    }
    // A comparison has no window.
    let windowed = lab.netapi().args(ise("mnt watch --since 3d")).assert();
    let hint = stderr(&windowed.code(2));
    assert!(
        hint.contains("it works with") && !hint.contains("diff"),
        "{hint}"
    );
    for (words, says) in [
        ("mnt sessions --mac 10.50.", "an IP address is given whole"),
        ("mnt sessions --nas 10.50.1.300", "nor a name"),
        (
            "pxgrid sessions --ip 10.50.0.0/64",
            "neither an IP address nor a network",
        ),
        ("pxgrid sessions --where a=='x", "is not a filter"),
    ] {
        let assert = lab.netapi().args(ise(words)).assert().code(2);
        assert!(
            stderr(&assert).contains(says),
            "{words}: {}",
            stderr(&assert)
        );
    }
    assert!(lab.requests().is_empty(), "{:?}", lab.requests());
}

#[test]
fn an_expression_over_each_row_of_either_interface() {
    let lab = lab();
    let quoted = |words: &[&str]| rows(&lab, words);
    let mnt = [
        "ise",
        "mnt",
        "sessions",
        "--where",
        "server=='psn-b' && nas_ip_address",
    ];
    let pxgrid = [
        "ise",
        "pxgrid",
        "sessions",
        "--where",
        "mdmCompliant && state=='STARTED'",
    ];
    assert!(quoted(&mnt).len() > 10 && !quoted(&pxgrid).is_empty());
    let attempts = [
        "ise",
        "mnt",
        "auth-status",
        "00:00:5E:00:53:02",
        "--since",
        "5d",
    ];
    let failed = [&attempts[..], &["--where", "failed=='true'"]].concat();
    assert_eq!(quoted(&failed).len(), 3);
    let wrong = [
        "ise",
        "pxgrid",
        "sessions",
        "--where",
        "contains(usrName,'x')",
    ];
    let assert = lab.netapi().args(wrong).assert().success().stdout("");
    let words = stderr(&assert);
    assert_eq!(
        words.matches("--where failed on a row").count(),
        1,
        "{words}"
    );
    assert!(words.contains("\"usrName\", which no row had"), "{words}");
    lab.netapi()
        .args([
            "ise", "mnt", "sessions", "--format", "xml", "--user", "pat.kim",
        ])
        .assert()
        .code(2);
}

#[test]
fn names_that_strangers_choose_are_compared_and_never_run() {
    let lab = faulty(&["hostile-names"]);
    let all = lab.pxgrid(&["sessions", "--json"]).assert().success();
    let all: serde_json::Value = serde_json::from_str(&stdout(&all)).unwrap();
    let hostile = all.as_array().unwrap().iter().filter_map(|row| {
        let user = row["userName"].as_str()?;
        user.contains(|c: char| c.is_control()).then_some(user)
    });
    let hostile: Vec<&str> = hostile.collect();
    assert!(!hostile.is_empty());
    for user in hostile {
        let found = lab.pxgrid(&["sessions", "--user", user]).assert().success();
        assert_eq!(stdout(&found).lines().count(), 1, "{user:?}");
    }
}

#[test]
fn events_are_chosen_by_the_same_filters() {
    let lab = lab();
    let snapshot = [
        "--snapshot",
        "--nas",
        "sw-lab-02",
        "--user",
        "pat.kim",
        "--count",
        "1",
    ];
    let running = lab.start(
        &[
            &["subscribe", "--topic", "session", "--json"],
            &snapshot[..],
        ]
        .concat(),
    );
    let (status, out, _) = running.end();
    assert_eq!(status, 0);
    let event: serde_json::Value = serde_json::from_str(&out[0]).unwrap();
    let session = &event["message"]["sessions"][0];
    assert_eq!(session["userName"], r"LAB\pat.kim");
    // The rows of a message of another topic are looked at one by one.
    let running = lab.subscribed(
        "radius-failure",
        &["--nas", "sw-lab-02", "--count", "1", "--json"],
    );
    let topic = "/topic/com.cisco.ise.radius.failure";
    for name in ["sw-lab-01", "sw-lab-02"] {
        let body = serde_json::json!({"failures": [
            {"id": name, "timestamp": "2026-03-09T06:40:01Z", "networkDeviceName": name}
        ]});
        lab.publish(topic, &body);
    }
    let (status, out, _) = running.end();
    assert_eq!((status, out.len()), (0, 1));
    assert!(out[0].contains("sw-lab-02"), "{out:?}");
}
