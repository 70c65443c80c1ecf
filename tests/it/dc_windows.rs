//! Windows of time of `netapi ise dc`: beyond a change of the node's clocks, with an end alone, of
//! an address; and rows that are sorted before they are limited.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::Value;

use crate::support::database::Database;
use crate::support::lab::{TestLab, faulty, lab};
use crate::support::mnt::MAC;
use crate::support::{netapi, stderr, stdout};

fn ise(lab: &TestLab, state: &tempfile::TempDir, words: &[&str]) -> assert_cmd::Command {
    let mut command = lab.netapi();
    command.env("XDG_STATE_HOME", state.path());
    command.arg("ise").args(words);
    command
}

fn json(lab: &TestLab, state: &tempfile::TempDir, words: &[&str]) -> Value {
    let run = ise(lab, state, words).arg("--json").assert().success();
    serde_json::from_str(&stdout(&run)).unwrap()
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// A zone that left summer time an hour ago.
fn zone_that_changed() -> String {
    let summer = TimeZone::fixed(jiff::tz::offset(2));
    let change = (Timestamp::now() - SignedDuration::from_hours(1)).to_zoned(summer);
    let day = |date: Date| {
        // The 29th of February is never counted.
        let leap = i16::from(date.in_leap_year() && date.day_of_year() >= 60);
        (date.day_of_year() - leap).to_string()
    };
    let (begin, end) = (change.date().saturating_sub(180.days()), change.date());
    let time = change.strftime("%H:%M:%S");
    format!("CET-1CEST,J{},J{}/{time}", day(begin), day(end))
}

/// What the database has, and what commands say of a window that ends before the clocks changed.
#[test]
fn a_window_beyond_a_change_of_clocks_has_its_rows_and_their_times() {
    let now = Timestamp::now();
    let (since, until) = (
        now - SignedDuration::from_hours(8),
        now - SignedDuration::from_hours(2),
    );
    let window = format!("--since {since} --until {until}");
    let line = format!(
        "netapi ise dc sql 'SELECT CALLING_STATION_ID, PASSED, POLICY_SET_NAME, TIMESTAMP_TIMEZONE \
           FROM RADIUS_AUTHENTICATIONS WHERE TIMESTAMP >= SYSDATE - 1' --format jsonl && echo && \
         netapi ise dc history {MAC} {window} --format jsonl && echo && \
         netapi ise dc last {window} --format jsonl && echo && \
         netapi ise dc failures --by policy-set {window} --format jsonl"
    );
    let state = tempfile::tempdir().unwrap();
    let mut run = netapi();
    run.env("TZ", zone_that_changed());
    run.env("XDG_STATE_HOME", state.path());
    run.args(["ise", "lab", "run", "--", "sh", "-c", &line]);
    let out = stdout(
        &run.timeout(std::time::Duration::from_mins(3))
            .assert()
            .success(),
    );
    let parts: Vec<Vec<Value>> = out
        .split("\n\n")
        .map(|part| {
            let lines = part.lines().filter(|line| !line.is_empty());
            lines
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        })
        .collect();
    let [all, history, last, failures] = &parts[..] else {
        panic!("{out}");
    };
    let there: Vec<&Value> = all
        .iter()
        .filter(|row| (since..=until).contains(&time(&row["TIMESTAMP_TIMEZONE"])))
        .collect();
    let times = |rows: &mut dyn Iterator<Item = Timestamp>| {
        let mut times: Vec<Timestamp> = rows.collect();
        times.sort_unstable();
        times
    };
    let ours = there.iter().filter(|row| row["CALLING_STATION_ID"] == MAC);
    let ours = times(&mut ours.map(|row| time(&row["TIMESTAMP_TIMEZONE"])));
    assert!(!ours.is_empty());
    let told = history.iter().filter(|row| row["acctSessionId"].is_null());
    assert_eq!(times(&mut told.map(|row| time(&row["time"]))), ours);
    assert!(!last.is_empty());
    let counted: usize = last
        .iter()
        .map(|row| {
            row["authentications"]
                .as_str()
                .unwrap()
                .parse::<usize>()
                .unwrap()
        })
        .sum();
    assert_eq!(counted, there.len());
    assert!(!failures.is_empty());
    for group in failures {
        let of_group = there
            .iter()
            .filter(|row| row["PASSED"] == "Fail" && row["POLICY_SET_NAME"] == group["group"]);
        let newest = of_group.map(|row| time(&row["TIMESTAMP_TIMEZONE"])).max();
        assert_eq!(Some(time(&group["newest"])), newest, "{group}");
    }
}

#[test]
fn an_end_alone_has_the_usual_length_before_it() {
    let (lab, state) = (lab(), tempfile::tempdir().unwrap());
    let ids = |words: &[&str]| {
        let rows = json(&lab, &state, &[&["dc", "history", MAC], words].concat());
        let rows = rows.as_array().unwrap().clone();
        rows.iter().map(|row| row["id"].clone()).collect::<Vec<_>>()
    };
    let until = (Timestamp::now() - SignedDuration::from_hours(72)).to_string();
    let since = (Timestamp::now() - SignedDuration::from_hours(96)).to_string();
    let both = ids(&["--since", &since, "--until", &until]);
    assert!(!both.is_empty());
    assert_eq!(ids(&["--until", &until]), both);
}

#[test]
fn what_is_sorted_is_asked_for_whole_and_limited_then() {
    let (lab, state) = (lab(), tempfile::tempdir().unwrap());
    for (command, member) in [
        (&["dc", "endpoints"][..], "mac"),
        (&["dc", "last", "--nas"], "last"),
        (&["dc", "history", MAC, "--since", "9d"], "time"),
        (&["dc", "failures", "--since", "9d"], "attempts"),
    ] {
        let sorted = [command, &["--sort", member]].concat();
        let all = json(&lab, &state, &sorted);
        let few = json(&lab, &state, &[&sorted[..], &["--limit", "2"]].concat());
        let all = all.as_array().unwrap();
        assert!(all.len() > 2, "{command:?}");
        assert_eq!(few.as_array().unwrap()[..], all[..2], "{command:?}");
    }
    // Without an order the database limits.
    let database = Database::start(crate::support::database::Script::default());
    let limited = |words: &[&str]| {
        let mut run = database.dc(&[&["endpoints", "--limit", "2", "--dry-run"], words].concat());
        stdout(&run.assert().success())
    };
    assert!(limited(&[]).contains("FETCH FIRST 3 ROWS"));
    assert!(limited(&["--sort", "mac"]).contains("FETCH FIRST 50001 ROWS"));
}

/// The record of its end may lie behind the window, that of its begin long before it.
#[test]
fn an_address_was_its_holders_until_its_session_ended() {
    let (lab, state) = (lab(), tempfile::tempdir().unwrap());
    let session = json(&lab, &state, &["mnt", "session", MAC]);
    let ip = session["framed_ip_address"].as_str().unwrap();
    let sql = format!(
        "SELECT MIN(TIMESTAMP_TIMEZONE) AS BEGAN, MAX(TIMESTAMP_TIMEZONE) AS ENDED \
         FROM RADIUS_ACCOUNTING WHERE FRAMED_IP_ADDRESS = '{ip}' \
         AND CALLING_STATION_ID <> '{MAC}' AND TIMESTAMP >= SYSDATE - 4"
    );
    let had = json(&lab, &state, &["dc", "sql", &sql]);
    let (began, ended) = (time(&had[0]["BEGAN"]), time(&had[0]["ENDED"]));
    let until = (ended - SignedDuration::from_secs(30)).to_string();
    let since = (ended - SignedDuration::from_secs(60)).to_string();
    let words = [
        "dc", "history", "--ip", ip, "--since", &since, "--until", &until,
    ];
    let said = stderr(&ise(&lab, &state, &words).assert().success());
    assert!(said.contains(&format!(" until {ended}")), "{began}: {said}");
}

/// A release without the column of moments is asked by the node's own clock.
#[test]
fn a_window_is_kept_without_the_column_of_moments() {
    let lab = faulty(&["dc-missing:RADIUS_AUTHENTICATIONS.TIMESTAMP_TIMEZONE"]);
    let state = tempfile::tempdir().unwrap();
    let words = ["dc", "history", MAC, "--since", "5d", "--json"];
    let run = ise(&lab, &state, &words).assert().success();
    let rows: Value = serde_json::from_str(&stdout(&run)).unwrap();
    let mut rows = rows.as_array().unwrap().iter();
    assert!(rows.any(|row| row["what"] == "pass"));
    let said = stderr(&run);
    assert!(said.contains("has no column TIMESTAMP_TIMEZONE"), "{said}");
}
