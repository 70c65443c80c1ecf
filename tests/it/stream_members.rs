//! Two subscribers that fill one stream, and what happens to one of them: nothing is lost, nothing
//! is there twice, and endpoints are in order. Judged by what the lab published.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use netapi::testing::lab::{EventRate, LabOptions};
use rustix::process::Signal;

use crate::support::account::{published, stop};
use crate::support::lab::{self, TestLab};
use crate::support::nats::{JETSTREAM, NatsServer, Servers, holds, server};
use crate::support::running::Running;
use crate::support::seeds::{Seed, seeds};
use crate::support::sessions::{SESSIONS, publish, session};
use crate::support::wait_for;

/// Of a stream that soon forgets which events it has.
const WINDOW: Duration = Duration::from_secs(2);

/// The fault comes within this time.
const MOMENT: Duration = Duration::from_millis(500);

struct Members {
    server: NatsServer,
    lab: TestLab,
    since: Timestamp,
}

impl Members {
    /// Both of them, subscribed.
    fn start() -> Option<(Self, Running, Running)> {
        let server = server(JETSTREAM)?;
        server.make_stream(|_| {});
        let lab = lab::with(LabOptions {
            sessions: 200,
            events_per_second: EventRate::PerSecond(100),
            ..LabOptions::default()
        });
        let since = Timestamp::now();
        let mut members = Self { server, lab, since };
        let (one, two) = (members.first(), members.second());
        members.lab.listened_to(SESSIONS, 2);
        members.since = Timestamp::now();
        members.more(100);
        Some((members, one, two))
    }

    fn first(&self) -> Running {
        self.member(&[])
    }

    fn second(&self) -> Running {
        let second = self.lab.second_member();
        let second: Vec<(&str, &str)> = second.iter().map(|(n, v)| (*n, v.as_str())).collect();
        self.member(&second)
    }

    fn member(&self, variables: &[(&str, &str)]) -> Running {
        let to = self.server.to();
        let arguments = ["ise", "pxgrid", "subscribe", "--topic", "session"];
        let arguments = [&arguments[..], &["--to", &to]].concat();
        let running = self.lab.start_netapi(&arguments, variables);
        running.says("subscribed");
        running
    }

    /// Waits until so many more events are stored.
    fn more(&self, wanted: u64) {
        let before = self.server.count();
        wait_for("events", || self.server.count() > before + wanted);
    }

    fn holds_all(&self) {
        holds(&self.server, &published(&self.lab, self.since));
    }
}

/// With two subscribers, once for each seed; they have stored events already.
fn each_seed(fault: impl Fn(&mut Seed, &Members, Running, Running)) {
    for mut seed in seeds(20) {
        let Some((members, one, two)) = Members::start() else {
            return;
        };
        seed.moment(MOMENT);
        fault(&mut seed, &members, one, two);
    }
}

#[test]
fn one_of_two_subscribers_is_killed_and_comes_back_and_nothing_is_lost_or_twice() {
    each_seed(|seed, members, one, two| {
        one.signal(Signal::KILL);
        members.more(100);
        let again = members.first();
        members.lab.listened_to(SESSIONS, 3);
        seed.moment(MOMENT);
        two.signal(Signal::KILL);
        members.more(100);
        members.holds_all();
        stop(again);
    });
}

#[test]
fn one_of_two_subscribers_is_stopped_for_five_seconds_and_stores_nothing_twice() {
    each_seed(|_, members, one, two| {
        one.signal(Signal::STOP);
        let stopped = Instant::now();
        members.more(100);
        std::thread::sleep(Duration::from_secs(5).saturating_sub(stopped.elapsed()));
        one.signal(Signal::CONT);
        members.more(100);
        // Whatever it received is delivered, or was there.
        stop(one);
        members.holds_all();
        stop(two);
    });
}

/// What lay in the buffers of a stopped subscriber is older than it looks when it goes on.
#[test]
fn what_came_while_one_of_two_was_stopped_is_stored_once() {
    let Some(server) = server(JETSTREAM) else {
        return;
    };
    server.make_stream(|config| config.duplicate_window = WINDOW);
    let lab = lab::with(LabOptions {
        events_per_second: EventRate::PerSecond(0),
        ..LabOptions::default()
    });
    let since = Timestamp::now();
    let members = Members { server, lab, since };
    let (one, two) = (members.first(), members.second());
    members.lab.listened_to(SESSIONS, 2);
    one.signal(Signal::STOP);
    for number in 0..20 {
        let mac = format!("00:00:5E:00:53:{number:02X}");
        publish(&members.lab, &[session(&mac, "pat", "STARTED")]);
    }
    wait_for("events", || members.server.count() == 20);
    // Until the stream has forgotten them. Nothing is being sent when it is stopped: that cannot
    // be looked for any more.
    std::thread::sleep(2 * WINDOW);
    one.signal(Signal::CONT);
    one.until("the events", || {
        one.signal(Signal::USR1);
        one.err().iter().any(|line| line.contains("received 20"))
    });
    let (code, _, err) = terminated(one);
    assert_eq!(code, 143, "{err:?}");
    assert!(
        err.join("\n").contains("in the stream already 20"),
        "{err:?}"
    );
    assert_eq!(members.server.count(), 20);
    stop(two);
}

fn terminated(running: Running) -> (i32, Vec<String>, Vec<String>) {
    running.signal(Signal::TERM);
    running.end()
}

#[test]
fn a_subscriber_alone_is_stopped_for_five_seconds_and_nothing_is_lost() {
    each_seed(|_, members, one, two| {
        stop(two);
        one.signal(Signal::STOP);
        std::thread::sleep(Duration::from_secs(5));
        one.signal(Signal::CONT);
        members.more(100);
        members.holds_all();
        stop(one);
    });
}

#[test]
fn two_subscribers_are_restarted_one_after_the_other() {
    each_seed(|seed, members, one, two| {
        stop(one);
        members.more(50);
        let one = members.first();
        members.lab.listened_to(SESSIONS, 3);
        seed.moment(MOMENT);
        stop(two);
        members.more(50);
        let two = members.second();
        members.holds_all();
        stop(one);
        stop(two);
    });
}
