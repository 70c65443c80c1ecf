//! Outages beyond a broken connection: silence, refused upgrades, nodes that are all away, secrets
//! that keep changing, lookups that find nobody, and reads of what was missed that fail themselves.
//! In the end nothing is missing, nothing came twice, and each step was said.

use jiff::Timestamp;
use netapi::testing::lab::{EventRate, LabOptions};

use crate::support::account::{Account, published, stop};
use crate::support::lab::{self, TestLab};
use crate::support::running::Running;
use crate::support::sessions::HASTY;

/// Follows the lab through some trouble; `said` is what was heard of it.
fn follows(trouble: impl FnOnce(&TestLab, &Running), said: &[&str]) {
    follows_with(&[], trouble, said);
}

/// The same with further options.
fn follows_with(more: &[&str], trouble: impl FnOnce(&TestLab, &Running), said: &[&str]) {
    let lab = lab::with(LabOptions {
        sessions: 1000,
        events_per_second: EventRate::PerSecond(40),
        ..LabOptions::default()
    });
    let mut arguments = HASTY.to_vec();
    arguments.push("--json");
    arguments.extend(more);
    let running = lab.start(&arguments);
    running.says("subscribed");
    let since = Timestamp::now();
    running.prints(3);
    trouble(&lab, &running);
    for word in said {
        running.says(word);
    }
    let wanted = published(&lab, since);
    let mut account = Account::default();
    let seen = account.follow(&running, &wanted);
    let out = stop(running);
    out.iter().skip(seen).for_each(|line| account.note(line));
    assert_eq!(account.again, 0, "{:?}", account.unmarked);
}

/// Breaks the connection, and this goes wrong on the way back.
fn back_through(faults: &[&str], said: &[&str]) {
    follows(
        |lab, running| {
            for fault in faults {
                lab.order(&format!("fault {fault}"));
            }
            lab.order("fault ws-close@1");
            running.says_times("subscribed", 2);
        },
        said,
    );
}

#[test]
fn upgrades_that_are_refused() {
    back_through(&["ws-upgrade-refused@3"], &["cannot use", "503"]);
}

#[test]
fn a_secret_that_is_never_the_right_one_for_a_while() {
    back_through(&["secret-rotation@3"], &["refused our secret"]);
}

#[test]
fn reads_of_what_was_missed_that_fail() {
    back_through(
        &[
            "overload-503@2:Sessions",
            "reset@1:Sessions",
            "truncated@1:Sessions",
        ],
        &["fetching failed", "fetched,"],
    );
}

#[test]
fn lookups_that_find_nobody_meanwhile() {
    follows(
        |lab, running| {
            lab.order("fault lookup-empty");
            lab.order("fault ws-upgrade-refused@8");
            lab.order("fault ws-close@1");
            running.says_times("new lookup", 2);
            lab.order("clear lookup-empty");
            running.says_times("subscribed", 2);
        },
        &["lookup"],
    );
}

#[test]
fn a_node_that_falls_silent() {
    follows_with(
        &["--silence", "1s"],
        |lab, running| {
            lab.order("fault ws-silence@1");
            running.says_times("subscribed", 2);
        },
        &["neither data nor ping for 1s", "fetched,"],
    );
}

#[test]
fn all_nodes_gone_for_a_while() {
    follows(
        |lab, running| {
            lab.order("node-down 1");
            lab.order("node-down 2");
            running.says_times("new lookup", 3);
            lab.order("node-up 2");
            lab.order("node-up 1");
            running.says_times("subscribed", 2);
        },
        &["lost", "lookup failed"],
    );
}
