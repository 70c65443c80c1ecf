//! Two subscribers that fill one stream, and what happens to one of them: nothing is lost, nothing
//! is there twice, and endpoints are in order. Judged by what the lab published.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::jetstream::stream;
use jiff::Timestamp;
use netapi::testing::lab::{EventRate, LabOptions};
use rustix::process::Signal;

use crate::support::account::{published, stop};
use crate::support::lab::{self, TestLab};
use crate::support::nats::{JETSTREAM, NatsServer, Servers, Stored, holds, in_order, server};
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
        // What comes first waits for what the other one stores.
        for member in [&one, &two] {
            member.until("that to be over", || {
                std::thread::sleep(Duration::from_millis(100));
                member.signal(Signal::USR1);
                let said = member.err();
                let said = said.iter().rev().find(|line| line.starts_with("received "));
                said.is_some_and(|line| !line.contains("delivered 0,") && line.contains(" lag 0."))
            });
        }
        members.since = Timestamp::now();
        members.more(100);
        Some((members, one, two))
    }

    fn first(&self) -> Running {
        self.member(&[])
    }

    fn second(&self) -> Running {
        self.second_with(&["--to", &self.server.to()])
    }

    fn member(&self, variables: &[(&str, &str)]) -> Running {
        self.member_with(&["--to", &self.server.to()], variables)
    }

    fn member_with(&self, more: &[&str], variables: &[(&str, &str)]) -> Running {
        let arguments = ["ise", "pxgrid", "subscribe", "--topic", "session"];
        let arguments = [&arguments[..], more].concat();
        let running = self.lab.start_netapi(&arguments, variables);
        running.says("subscribed");
        running
    }

    /// The second one, with these options.
    fn second_with(&self, more: &[&str]) -> Running {
        let second = self.lab.second_member();
        let second: Vec<(&str, &str)> = second.iter().map(|(n, v)| (*n, v.as_str())).collect();
        self.member_with(more, &second)
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

/// Two subscribers, of which the second was there first, and nothing happens by itself.
fn quiet() -> Option<Members> {
    let server = server(JETSTREAM)?;
    server.make_stream(|_| {});
    let lab = lab::with(LabOptions {
        events_per_second: EventRate::PerSecond(0),
        ..LabOptions::default()
    });
    let since = Timestamp::now();
    Some(Members { server, lab, since })
}

const MAC: &str = "00:00:5E:00:53:01";

/// Where subscribers tell of themselves, as if somebody had made it already.
const SIGNS: &str = "KV_NETAPI_EVENTS_subscribers";

fn make_signs(members: &Members, no_ack: bool) {
    let config = stream::Config {
        name: SIGNS.to_owned(),
        subjects: vec!["$KV.NETAPI_EVENTS_subscribers.>".to_owned()],
        max_messages_per_subject: 1,
        no_ack,
        ..stream::Config::default()
    };
    members.server.ask(async |jetstream| {
        jetstream.create_stream(config).await.unwrap();
    });
}

#[test]
fn a_subscriber_that_others_cannot_see_yet_stores_nothing() {
    let Some(members) = quiet() else { return };
    make_signs(&members, true);
    let one = members.first();
    members.lab.listened_to(SESSIONS, 1);
    publish(&members.lab, &[session(MAC, "pat", "AUTHENTICATED")]);
    one.says("no answer from the bucket NETAPI_EVENTS_subscribers, by which subscribers see each");
    assert_eq!(members.server.count(), 0);
    // It makes it again.
    members.server.ask(async |jetstream| {
        jetstream.delete_stream(SIGNS).await.unwrap();
    });
    one.until("the event", || members.server.count() == 1);
    stop(one);
    members.holds_all();
}

#[test]
fn a_subscriber_that_begins_waits_for_what_another_has_under_way() {
    let Some(members) = quiet() else { return };
    make_signs(&members, false);
    members.server.ask(async |jetstream| {
        let another = "$KV.NETAPI_EVENTS_subscribers.ise.YW5vdGhlcg";
        let told = jetstream.publish(another, "{}".into()).await.unwrap();
        told.await.unwrap();
    });
    let began = Instant::now();
    let one = members.first();
    members.lab.listened_to(SESSIONS, 1);
    publish(&members.lab, &[session(MAC, "pat", "AUTHENTICATED")]);
    one.until("the event", || members.server.count() == 1);
    assert!(began.elapsed() > Duration::from_secs(3));
    stop(one);
}

/// The second one stores an event alone, then the first one comes; the second is kept `away`, and
/// receives what the first one misses. Then the first one stores what followed.
fn overtakes(members: &Members, two: &Running, away: impl FnOnce()) {
    members.lab.listened_to(SESSIONS, 1);
    publish(&members.lab, &[session(MAC, "pat", "AUTHENTICATED")]);
    two.until("an event", || members.server.count() == 1);
    let one = members.first();
    members.lab.listened_to(SESSIONS, 2);
    away();
    one.signal(Signal::KILL);
    let (_, _) = one.end_by_signal();
    publish(&members.lab, &[session(MAC, "pat", "POSTURED")]);
    let one = members.first();
    members.lab.listened_to(SESSIONS, 3);
    publish(&members.lab, &[session(MAC, "pat", "STARTED")]);
    one.until("another event", || members.server.count() == 2);
    stop(one);
}

/// What was overtaken is there, behind what overtook it, and says so.
fn overtaken_is_marked(members: &Members) {
    let stored = holds(&members.server, &published(&members.lab, members.since));
    let states: Vec<_> = stored
        .iter()
        .map(|message| {
            let state = &message.body["message"]["sessions"][0]["state"];
            let marked = message.header("Netapi-Overtaken").is_some();
            (state.as_str().unwrap(), marked)
        })
        .collect();
    assert_eq!(
        states,
        [
            ("AUTHENTICATED", false),
            ("STARTED", false),
            ("POSTURED", true)
        ]
    );
}

#[test]
fn what_a_stopped_subscriber_stores_behind_newer_states_is_marked() {
    let Some(members) = quiet() else { return };
    let two = members.second();
    overtakes(&members, &two, || two.signal(Signal::STOP));
    two.signal(Signal::CONT);
    two.until("the last event", || members.server.count() == 3);
    stop(two);
    overtaken_is_marked(&members);
}

#[test]
fn what_a_subscriber_without_nats_stores_behind_newer_states_is_marked() {
    let Some(members) = quiet() else { return };
    let relay = Relay::start(members.server.host());
    let two = members.second_with(&["--to", &format!("nats://{}/EVENTS", relay.host)]);
    overtakes(&members, &two, || relay.cut());
    relay.connect();
    two.until("the last event", || members.server.count() == 3);
    stop(two);
    overtaken_is_marked(&members);
}

/// A way to a server that can be cut.
struct Relay {
    host: String,
    /// What goes through it; `None`: it is cut.
    open: Arc<Mutex<Option<Vec<TcpStream>>>>,
}

impl Relay {
    fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let open = Arc::new(Mutex::new(Some(Vec::new())));
        let kept = Arc::clone(&open);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let mut kept = kept.lock().unwrap();
                let Some(open) = &mut *kept else { continue };
                let Ok(client) = client else { return };
                let Ok(server) = TcpStream::connect(&server) else {
                    continue;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || {
                        let _cut = io::copy(&mut from, &mut to);
                        let _closed = to.shutdown(Shutdown::Both);
                    });
                }
                open.extend([client, server]);
            }
        });
        Self { host, open }
    }

    fn cut(&self) {
        for stream in self.open.lock().unwrap().take().into_iter().flatten() {
            let _gone = stream.shutdown(Shutdown::Both);
        }
    }

    fn connect(&self) {
        *self.open.lock().unwrap() = Some(Vec::new());
    }
}

/// A few sessions that end and begin again, so that a subscriber that comes back finds ends that
/// nobody told it.
fn restless() -> Option<Members> {
    let server = server(JETSTREAM)?;
    server.make_stream(|config| config.duplicate_window = WINDOW);
    let lab = lab::with(LabOptions {
        sessions: 20,
        events_per_second: EventRate::PerSecond(50),
        ..LabOptions::default()
    });
    let since = Timestamp::now();
    Some(Members { server, lab, since })
}

/// How many ends were found, not told; how many of them are marked.
fn found_ends(stored: &[Stored]) -> (usize, usize) {
    in_order(stored);
    let found = stored
        .iter()
        .filter(|message| message.body["message"]["sessions"][0]["timestamp"].is_null());
    let marked = |message: &&Stored| message.header("Netapi-Overtaken").is_some();
    (found.clone().count(), found.filter(marked).count())
}

#[test]
fn ends_that_a_subscriber_finds_behind_newer_sessions_are_marked() {
    let Some(mut members) = restless() else {
        return;
    };
    let spool = tempfile::tempdir().unwrap();
    let to = members.server.to();
    let options = ["--to", &to, "--spool", spool.path().to_str().unwrap()];
    let (one, two) = (members.member_with(&options, &[]), members.second());
    members.lab.listened_to(SESSIONS, 2);
    members.since = Timestamp::now();
    members.more(100);
    stop(one);
    members.more(400);
    let one = members.member_with(&options, &[]);
    members.lab.listened_to(SESSIONS, 3);
    one.says("fetched, ");
    // Whatever it found is stored then.
    stop(one);
    members.more(100);
    let stored = holds(&members.server, &published(&members.lab, members.since));
    let (found, marked) = found_ends(&stored);
    assert!(marked > 0, "{marked} of {found}");
    stop(two);
}

/// They have no time, and come when the stream has long forgotten that the other one stored them.
#[test]
fn ends_that_two_subscribers_find_one_after_the_other_are_stored_once() {
    let Some(mut members) = restless() else {
        return;
    };
    let spools = tempfile::tempdir().unwrap();
    let to = members.server.to();
    let spool = |name| spools.path().join(name).to_str().unwrap().to_owned();
    let (spool_one, spool_two) = (spool("one"), spool("two"));
    let options_one = ["--to", &to, "--spool", &spool_one];
    let options_two = ["--to", &to, "--spool", &spool_two];
    let one = members.member_with(&options_one, &[]);
    let two = members.second_with(&options_two);
    members.lab.listened_to(SESSIONS, 2);
    members.since = Timestamp::now();
    members.more(100);
    stop(two);
    stop(one);
    let published = members.lab.event_log().len();
    wait_for("changes", || {
        members.lab.event_log().len() > published + 200
    });
    let one = members.member_with(&options_one, &[]);
    members.lab.listened_to(SESSIONS, 3);
    one.says("fetched, ");
    members.more(50);
    stop(one);
    // Until the stream has forgotten them.
    std::thread::sleep(2 * WINDOW);
    let two = members.second_with(&options_two);
    members.lab.listened_to(SESSIONS, 4);
    two.says("fetched, ");
    members.more(50);
    stop(two);
    let (found, _) = found_ends(&members.server.stored());
    assert!(found > 0);
}
