//! What history adds to other commands, and that all of them tell one story of an endpoint.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::lab::{TestLab, faulty, lab};
use crate::support::mnt::MAC;
use crate::support::{stderr, stdout, wait_for};

/// Commands at a lab that remember in a place of their own.
struct Asked {
    lab: TestLab,
    state: tempfile::TempDir,
}

impl Asked {
    fn of(lab: TestLab) -> Self {
        let state = tempfile::tempdir().unwrap();
        Self { lab, state }
    }

    fn ise(&self, words: &[&str]) -> assert_cmd::Command {
        let mut command = self.lab.netapi();
        command.env("XDG_STATE_HOME", self.state.path());
        command.arg("ise").args(words);
        command
    }

    fn json(&self, words: &[&str]) -> Value {
        let assert = self.ise(words).arg("--json").assert().success();
        serde_json::from_str(&stdout(&assert)).unwrap()
    }
}

#[test]
fn one_endpoint_has_one_story_in_session_explain_history_and_who() {
    let lab = Asked::of(lab());
    // Newer than everything else that happened to it.
    lab.ise(&["mnt", "coa", MAC]).assert().success();
    let session = lab.json(&["mnt", "session", MAC]);
    let explained = lab.json(&["mnt", "explain", MAC]);
    let who = lab.json(&["who", MAC]);
    let who = &who[0];
    let known = &who["history"]["authentication"];
    let history = lab.json(&["dc", "history", MAC]);
    let newest = history.as_array().unwrap().iter();
    let newest = newest.clone().find(|row| row["what"] == "pass").unwrap();
    assert_eq!(newest, known);
    let past = &explained["history"];
    assert_eq!(newest, &past["lastPass"]);
    assert_eq!(past["days"], 7);
    let time = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    for (ours, theirs) in [
        ("user", "user_name"),
        ("nas", "network_device_name"),
        ("port", "nas_port_id"),
        ("method", "authentication_method"),
        ("sessionId", "audit_session_id"),
    ] {
        assert_eq!(newest[ours], session[theirs], "{ours}");
        assert_eq!(newest[ours], who["mnt"]["session"][theirs], "{ours}");
    }
    let why = &explained["why"];
    for (ours, theirs) in [
        ("what", "result"),
        ("user", "user"),
        ("nas", "device"),
        ("port", "port"),
        ("policySet", "policySet"),
        ("rule", "authorizationRule"),
        ("server", "server"),
    ] {
        assert_eq!(newest[ours], why[theirs], "{ours}");
    }
    assert_eq!(
        time(&newest["time"]).as_second(),
        time(&why["time"]).as_second()
    );
    let addresses = &who["pxgrid"]["session"]["ipAddresses"];
    let address = session["framed_ip_address"].clone();
    assert!(addresses.as_array().unwrap().contains(&address));
    assert_eq!(who["history"]["endpoint"]["ip"], address);
}

/// The node tells attempts of minutes, history those of a month.
#[test]
fn an_endpoint_that_only_history_knows_is_explained() {
    let lab = Asked::of(lab());
    let sql = "SELECT CALLING_STATION_ID AS MAC, MAX(TIMESTAMP_TIMEZONE) AS LATEST \
               FROM RADIUS_AUTHENTICATIONS WHERE TIMESTAMP >= SYSDATE - 7 \
               GROUP BY CALLING_STATION_ID HAVING MIN(FAILED) = 1 \
               AND MAX(TIMESTAMP) < SYSDATE - 1 / 1440";
    let endpoints = lab.json(&["dc", "sql", sql]);
    let mac = endpoints[0]["MAC"].as_str().unwrap();
    let explain = ["mnt", "explain", mac, "--since", "1s"];
    let explained = lab.json(&explain);
    assert_eq!(explained["verdict"], "refused");
    assert_eq!(explained["session"], Value::Null);
    assert_eq!(explained["history"]["days"], 30);
    assert_eq!(explained["why"]["time"], endpoints[0]["LATEST"]);
    assert_eq!(
        explained["why"]["failure"],
        explained["history"]["lastFailure"]["reason"]
    );
    assert!(explained["why"]["cause"].is_string(), "{explained}");
    let screen = stdout(&lab.ise(&explain).assert().success());
    assert!(screen.contains("refused: "), "{screen}");
    assert!(
        screen.contains(" failed in 30 days; last failure "),
        "{screen}"
    );
    // Nobody knows this one; and without history the node alone decides.
    let nobody = ["mnt", "explain", "02:00:00:00:00:77"];
    let words = stderr(&lab.ise(&nobody).assert().code(3));
    assert!(words.contains("nor any in 30 days of history"), "{words}");
    let mut alone = lab.ise(&explain);
    let words = stderr(&alone.env_remove("ISE_DC_PASS").assert().code(3));
    assert!(!words.contains("history"), "{words}");
    // What cannot be asked costs its part, and no more.
    let mut wrong = lab.ise(&["mnt", "explain", MAC]);
    let wrong = wrong.env("ISE_DC_PASS", "Wrong-Password-1").assert();
    let wrong = wrong.success();
    assert!(!stdout(&wrong).contains("  history "), "{}", stdout(&wrong));
    assert!(stderr(&wrong).contains("ORA-01017"), "{}", stderr(&wrong));
}

/// Who looks up an endpoint does not wait for somebody's long statement.
#[test]
fn another_ones_statement_costs_history_and_no_minute() {
    let lab = Asked::of(faulty(&["dc-slow:A_MINUTE"]));
    let minute = "SELECT COUNT(*) A_MINUTE FROM lab_rows WHERE n <= 3";
    let home = lab.state.path().to_str().unwrap();
    let running = lab.lab.start_netapi(
        &["ise", "dc", "sql", minute, "--timeout", "60s"],
        &[("XDG_STATE_HOME", home)],
    );
    wait_for("the statement", || {
        let requests = lab.lab.requests();
        requests.iter().any(|one| one.contains("A_MINUTE"))
    });
    let run = lab.ise(&["mnt", "explain", MAC]).assert().success();
    let words = stderr(&run);
    assert!(words.contains("another netapi has been asking"), "{words}");
    assert!(!stdout(&run).contains("  history "), "{}", stdout(&run));
    running.signal(rustix::process::Signal::INT);
    assert_eq!(running.end().0, 130);
}

#[test]
fn the_history_of_an_address_is_of_whom_had_it_then() {
    let lab = Asked::of(lab());
    let session = lab.json(&["mnt", "session", MAC]);
    let ip = session["framed_ip_address"].as_str().unwrap();
    let run = lab.ise(&["dc", "history", "--ip", ip, "--since", "4d", "--json"]);
    let run = { run }.assert().success();
    let rows: Value = serde_json::from_str(&stdout(&run)).unwrap();
    let rows = rows.as_array().unwrap();
    let said = lab.ise(&["dc", "history", "--ip", ip, "--since", "4d"]);
    let said = stderr(&{ said }.assert().success());
    let others: Vec<&Value> = rows.iter().filter(|row| row["mac"] != MAC).collect();
    assert!(!others.is_empty(), "another had it on one of the days");
    // Each accounting record has this address, whoever it is of.
    for row in rows.iter().filter(|row| row["acctSessionId"].is_string()) {
        assert_eq!(row["ip"], ip, "{row}");
    }
    // And all of whoever had it happened while it had it.
    let sql = format!(
        "SELECT CALLING_STATION_ID AS MAC, MIN(TIMESTAMP_TIMEZONE) AS BEGAN, \
         MAX(TIMESTAMP_TIMEZONE) AS ENDED FROM RADIUS_ACCOUNTING \
         WHERE FRAMED_IP_ADDRESS = '{ip}' AND CALLING_STATION_ID <> '{MAC}' \
         AND TIMESTAMP >= SYSDATE - 4 GROUP BY CALLING_STATION_ID"
    );
    let had = lab.json(&["dc", "sql", &sql]);
    let time = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    let (began, ended) = (time(&had[0]["BEGAN"]), time(&had[0]["ENDED"]));
    for row in others {
        assert_eq!(row["mac"], had[0]["MAC"], "{row}");
        let at = time(&row["time"]);
        let lead = SignedDuration::from_mins(5);
        assert!(at >= began - lead && at <= ended, "{row}: {began} {ended}");
    }
    assert!(said.contains(&format!("until {ended}")), "{said}");
}

#[test]
fn who_is_told_of_an_endpoint_that_only_history_knows() {
    let lab = Asked::of(lab());
    let sql = "SELECT MAC_ADDRESS, HOSTNAME FROM ENDPOINTS_DATA WHERE HOSTNAME LIKE 'WS-%'";
    let endpoints = lab.json(&["dc", "sql", sql]);
    let host = endpoints[0]["HOSTNAME"].as_str().unwrap();
    // A name of a host is no name of a user: no live interface finds it.
    let found = lab.json(&["who", host]);
    let found = found.as_array().unwrap().iter();
    let mut found = found.filter(|row| row["history"]["endpoint"]["host"] == host);
    assert_eq!(
        found.next().unwrap()["endpoint"],
        endpoints[0]["MAC_ADDRESS"]
    );
    let nobody = lab.ise(&["who", "nobody-at-all"]).assert().code(3);
    assert!(!stderr(&nobody).contains("was not asked"));
    let many = lab.ise(&["who", "nobody*"]).assert().code(3);
    let words = stderr(&many);
    assert!(words.contains("it takes whole names"), "{words}");
}

#[test]
fn history_that_cannot_be_asked_costs_its_part_only() {
    let lab = Asked::of(faulty(&["dc-locked"]));
    let run = lab.ise(&["who", MAC, "--fields", "MAC"]).assert().code(1);
    assert!(stdout(&run).contains(MAC));
    let words = stderr(&run);
    assert!(words.contains("ORA-28000"), "{words}");
    assert!(words.contains("Data Connect could not be asked"), "{words}");
}

#[test]
fn who_had_an_address_at_a_time_is_known_by_accounting() {
    let lab = Asked::of(lab());
    let session = lab.json(&["mnt", "session", MAC]);
    let ip = session["framed_ip_address"].as_str().unwrap();
    let sql = format!(
        "SELECT CALLING_STATION_ID, TIMESTAMP_TIMEZONE FROM RADIUS_ACCOUNTING \
         WHERE FRAMED_IP_ADDRESS = '{ip}' AND ACCT_STATUS_TYPE = 'Start' \
         AND TIMESTAMP >= SYSDATE - 4 AND TIMESTAMP <= SYSDATE - 1 ORDER BY TIMESTAMP"
    );
    let starts = lab.json(&["dc", "sql", &sql]);
    let mut owners = std::collections::BTreeSet::new();
    for start in starts.as_array().unwrap() {
        let began: Timestamp = start["TIMESTAMP_TIMEZONE"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let at = began + SignedDuration::from_hours(1);
        let at = at.to_string();
        let holders = lab.json(&["who", ip, "--at", &at]);
        assert_eq!(holders.as_array().unwrap().len(), 1, "{holders}");
        assert_eq!(holders[0]["mac"], start["CALLING_STATION_ID"], "{at}");
        assert_eq!(holders[0]["certain"], true);
        // The same moment, whatever its digits.
        let from: Timestamp = holders[0]["from"].as_str().unwrap().parse().unwrap();
        assert_eq!(from, began);
        owners.insert(start["CALLING_STATION_ID"].to_string());
        // Before it began, the former had ended.
        let before = (began - SignedDuration::from_mins(5)).to_string();
        lab.ise(&["who", ip, "--at", &before]).assert().code(3);
    }
    assert_eq!(owners.len(), 2, "two had it in turn: {starts}");
    for (words, code) in [
        (&["who", "pat.kim", "--at", "2026-11-24T03:00"][..], 2),
        (&["who", ip, "--at", "2999-01-01"], 2),
        (&["who", ip, "--at", "noon"], 2),
        (&["who", "203.0.113.254", "--at", "2h"], 3),
    ] {
        lab.ise(words).assert().code(code);
    }
}

#[test]
fn failures_of_days_are_those_of_pxgrid_and_before_them_of_history() {
    let lab = Asked::of(lab());
    let attempts = |groups: &Value| -> u64 {
        let groups = groups.as_array().unwrap().iter();
        groups
            .map(|group| group["attempts"].as_u64().unwrap())
            .sum()
    };
    let sql = "SELECT TIMESTAMP_TIMEZONE FROM RADIUS_AUTHENTICATIONS \
               WHERE FAILED = 1 AND TIMESTAMP >= SYSDATE - 10";
    let all = lab.json(&["dc", "sql", sql]);
    let all: Vec<Timestamp> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["TIMESTAMP_TIMEZONE"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(!all.is_empty());
    let live = lab.json(&["pxgrid", "radius", "failures", "--since", "10d"]);
    let live: Vec<Timestamp> = live
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["timestamp"].as_str().unwrap().parse().unwrap())
        .collect();
    let oldest = live.iter().min().unwrap();
    let before = all.iter().filter(|at| *at < oldest).count();
    let groups = lab.json(&["failures", "--since", "10d"]);
    assert_eq!(attempts(&groups), (live.len() + before) as u64);
    // Where pxGrid is not set up, history has all of them, also of those who never got in.
    let mut alone = lab.ise(&["failures", "--since", "10d", "--json"]);
    for variable in ["ISE_PXGRID_HOST", "ISE_PAN_FQDN", "ISE_PAN_IP"] {
        alone.env_remove(variable);
    }
    let alone = alone.assert().success();
    let groups: Value = serde_json::from_str(&stdout(&alone)).unwrap();
    assert_eq!(attempts(&groups), all.len() as u64);
    let asked = lab.lab.requests();
    assert!(asked.iter().all(|path| !path.contains("/AuthStatus/")));
}
