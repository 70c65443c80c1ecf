//! Tests of one callback run, with real scripts.

use std::time::Instant;

use super::*;
use crate::delivery::gate::testing::permit_for;
use crate::delivery::testing::{Heard, event, script};
use crate::error::Kind;
use crate::event::Message;
use crate::process::Pid;

struct Run {
    outcome: CallbackOutcome,
    lines: Vec<String>,
    took: Duration,
}

fn callback(program: &Path) -> Callback {
    Callback::new(
        program,
        Vec::new(),
        Duration::from_secs(20),
        Duration::from_secs(20),
    )
    .unwrap()
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn context(heard: &Arc<Heard>, stop: &watch::Receiver<Stop>) -> RunContext {
    RunContext {
        listener: heard.clone(),
        scratch: std::env::temp_dir(),
        stop: stop.clone(),
    }
}

fn run(callback: &Callback, event: &Event, stop: &watch::Receiver<Stop>) -> Run {
    let heard = Arc::new(Heard::default());
    let context = context(&heard, stop);
    let begun = Instant::now();
    let permit = StartPermit::default();
    let outcome = block_on(callback.run(event, AGAIN, &permit, &mut None, &context));
    let lines = heard.lines.lock().unwrap().clone();
    Run {
        outcome,
        lines,
        took: begun.elapsed(),
    }
}

const AGAIN: Delivery = Delivery {
    attempt: 2,
    repeated: true,
};

/// What the callback is given.
fn written(event: &Event) -> String {
    event.to_json(Some(AGAIN))
}

/// Runs a script of these lines for one event.
fn sh(body: &str, change: impl FnOnce(&mut Callback)) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let path = script(dir.path(), "callback", &format!("#!/bin/sh\n{body}\n"));
    let mut callback = callback(&path);
    change(&mut callback);
    let (_keep, stop) = watch::channel(Stop::No);
    run(&callback, &event("C8:5B:76:C6:59:62", 7), &stop)
}

fn plain(_: &mut Callback) {}

/// Whether the process has ended (an orphan that nobody reaps counts as ended).
fn is_gone(pid: &str) -> bool {
    match std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())) {
        Ok(stat) => stat.rsplit(')').next().unwrap().trim().starts_with('Z'),
        Err(_) => true,
    }
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < until, "it did not come to pass");
        std::thread::yield_now();
    }
}

#[test]
fn the_event_is_on_standard_input_and_both_outputs_come_in_order() {
    let run = sh("echo one; echo two >&2; cat; exit 0", plain);
    assert_eq!(run.outcome, CallbackOutcome::Success);
    assert_eq!(run.lines[..2], ["one", "two"]);
    let got = Event::parse(&run.lines[2]).unwrap();
    let sent = event("C8:5B:76:C6:59:62", 7);
    assert_eq!(
        (got.id, got.message.to_string()),
        (sent.id, sent.message.to_string())
    );
    assert!(run.lines[2].contains(r#""attempt":2,"repeated":true,"message""#));
}

#[test]
fn exit_status_and_signal_are_told_apart() {
    assert_eq!(sh("exit 3", plain).outcome, CallbackOutcome::Exit(3));
    assert_eq!(sh("kill -9 $$", plain).outcome, CallbackOutcome::Signal(9));
    assert_eq!(CallbackOutcome::Exit(3).to_string(), "exit 3");
}

#[test]
fn the_environment_is_ours_plus_what_fits_its_pattern() {
    let run = sh(
        "echo $NETAPI_ID $NETAPI_ATTEMPT $NETAPI_REPEATED; echo $NETAPI_TOPIC $NETAPI_EVENT $NETAPI_SEQUENCE $NETAPI_MAC $NETAPI_STATE; test -n \"$PATH\" && echo path",
        plain,
    );
    assert_eq!(
        run.lines,
        [
            "AAAAAAAAAAcAAAAAAAAAAA 2 true",
            "/topic/com.cisco.ise.session sessionCreated 7 C8:5B:76:C6:59:62 STARTED",
            "path"
        ]
    );
}

/// The variables that hold what came from the network.
fn chosen(event: &Event) -> Vec<(&'static str, String)> {
    let ours = ["NETAPI_ID", "NETAPI_ATTEMPT", "NETAPI_REPEATED"];
    let mut all = variables(event, Delivery::FIRST);
    all.retain(|(name, _)| !ours.contains(name));
    all
}

#[test]
fn what_a_stranger_chose_stays_out_of_the_environment() {
    let mut hostile = event("$(reboot)", 1);
    hostile.topic = "/topic/x;reboot".into();
    hostile.event = "a b".into();
    hostile.state = Some("\u{1b}[2J".into());
    hostile.sequence = None;
    assert_eq!(chosen(&hostile), []);
    hostile.mac = Some("c85b.76c6.5962".into());
    assert_eq!(
        chosen(&hostile),
        [("NETAPI_MAC", "C8:5B:76:C6:59:62".to_owned())]
    );
    hostile.mac = Some("10.0.0.1".into());
    assert_eq!(chosen(&hostile), []);
}

#[test]
fn a_withheld_variable_does_not_reach_the_script() {
    let inherited = [
        ("MARK", "here"),
        ("ISE_MNT_PASS", "tops3cret"),
        ("NETAPI_EVENT", "an older one"),
        ("https_proxy", "http://pat:tops3cret/@p@proxy.example:8080/"),
        ("ALL_PROXY", "pat:tops3cret@proxy.example"),
        ("NO_PROXY", "localhost,.example"),
    ];
    let inherited = inherited.map(|(name, value)| (name.into(), value.into()));
    let run = sh("/usr/bin/env; echo end", |callback| {
        callback.environment = Environment::of(inherited.into_iter());
        let shown = format!("{callback:?}");
        assert!(shown.contains("MARK") && !shown.contains("here"), "{shown}");
    });
    let has = |line: &str| run.lines.iter().any(|said| said == line);
    assert!(has("MARK=here") && has("NETAPI_EVENT=sessionCreated") && has("end"));
    assert!(has("https_proxy=http://proxy.example:8080/") && has("ALL_PROXY=proxy.example"));
    assert!(has("NO_PROXY=localhost,.example"));
    assert!(!run.lines.iter().any(|line| line.contains("tops3cret")));
}

#[test]
fn a_script_that_never_reads_a_big_event_does_not_block() {
    let dir = tempfile::tempdir().unwrap();
    let path = script(dir.path(), "callback", "#!/bin/sh\nexit 0\n");
    let mut big = event("a", 1);
    big.message = Message::whole(format!("{{\"a\":\"{}\"}}", "x".repeat(300 << 10)));
    let (_keep, stop) = watch::channel(Stop::No);
    assert_eq!(
        run(&callback(&path), &big, &stop).outcome,
        CallbackOutcome::Success
    );
}

#[test]
fn a_big_event_is_there_whole_and_can_be_read_again() {
    let dir = tempfile::tempdir().unwrap();
    // Each program opens the input anew, which a pipe would not allow; the last goes on where the
    // script stands.
    let path = script(
        dir.path(),
        "callback",
        "#!/bin/sh\nwc -c < /dev/stdin\ntail -c 4 /dev/stdin\ntest -f /dev/stdin && echo file\nhead -c 5 | wc -c\n",
    );
    let mut big = event("a", 1);
    big.message = Message::whole(format!("{{\"a\":\"{}\"}}", "x".repeat(300 << 10)));
    let (_keep, stop) = watch::channel(Stop::No);
    let run = run(&callback(&path), &big, &stop);
    assert_eq!(run.outcome, CallbackOutcome::Success);
    let lines: Vec<_> = run.lines.iter().map(|line| line.trim()).collect();
    let length = (written(&big).len() + 1).to_string();
    assert_eq!(lines, [length.as_str(), "\"}}", "file", "5"]);
}

#[test]
fn a_file_on_the_disk_serves_as_well() {
    let mut read = String::new();
    let mut file = write_input(tempfile::tempfile().unwrap(), "{}".to_owned()).unwrap();
    file.read_to_string(&mut read).unwrap();
    assert_eq!(read, "{}\n");
}

#[test]
fn a_hanging_script_is_asked_to_end_and_may_tidy_up() {
    let run = sh(
        "trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done",
        |callback| callback.timeout = Duration::from_millis(300),
    );
    assert_eq!(run.outcome, CallbackOutcome::TimedOut);
    assert!(
        run.lines.iter().any(|line| line == "bye"),
        "{:?}",
        run.lines
    );
    assert!(run.took < Duration::from_secs(10), "{:?}", run.took);
}

#[test]
fn one_that_ignores_term_is_killed_with_its_children() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let run = sh(
        &format!(
            "trap '' TERM; sleep 1000 & echo $! > {}; while :; do sleep 1; done",
            pid.display()
        ),
        |callback| {
            callback.timeout = Duration::from_millis(500);
            callback.grace = Duration::from_millis(200);
        },
    );
    assert_eq!(run.outcome, CallbackOutcome::TimedOut);
    assert!(run.took < Duration::from_secs(10), "{:?}", run.took);
    let pid = std::fs::read_to_string(pid).unwrap();
    wait_until(|| is_gone(&pid));
}

#[test]
fn a_flood_is_drained_and_cut() {
    let run = sh("head -c 3000000 /dev/zero | tr '\\0' 'y'; exit 4", plain);
    assert_eq!(run.outcome, CallbackOutcome::Exit(4));
    let bytes: usize = run.lines.iter().map(String::len).sum();
    assert!(bytes < 70_000, "{bytes}");
    assert!(run.lines.last().unwrap().starts_with("(cut: "));
}

#[test]
fn an_endless_flood_is_timed_out() {
    let run = sh(
        "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyy; done",
        |callback| {
            callback.timeout = Duration::from_millis(300);
        },
    );
    assert_eq!(run.outcome, CallbackOutcome::TimedOut);
    assert!(run.took < Duration::from_secs(10), "{:?}", run.took);
}

#[test]
fn a_grandchild_that_holds_the_pipe_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let run = sh(
        &format!("sleep 1000 & echo $! > {}; echo done", pid.display()),
        plain,
    );
    assert_eq!(
        (run.outcome, run.lines),
        (CallbackOutcome::Success, vec!["done".to_owned()])
    );
    assert!(run.took < Duration::from_secs(10), "{:?}", run.took);
    // What a successful script left running on purpose is left alone; the test tidies up.
    let pid = std::fs::read_to_string(pid).unwrap();
    assert!(!is_gone(&pid));
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn a_pipe_serves_one_run_after_the_other_until_something_is_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let body = format!(
        "#!/bin/sh\nprintf %s \"$NETAPI_SEQUENCE\"\nif [ $NETAPI_SEQUENCE = 2 ]; then sleep 1000 & echo $! > {}; fi\n",
        pid.display()
    );
    let callback = callback(&script(dir.path(), "callback", &body));
    let heard = Arc::new(Heard::default());
    let (_keep, stop) = watch::channel(Stop::No);
    let context = context(&heard, &stop);
    let permit = StartPermit::default();
    block_on(async {
        let mut prepared = None;
        for (sequence, free) in [(0, true), (1, true), (2, false), (3, true)] {
            let event = event("C8:5B:76:C6:59:62", sequence);
            let outcome = callback
                .run(&event, AGAIN, &permit, &mut prepared, &context)
                .await;
            assert_eq!(outcome, CallbackOutcome::Success);
            let prepared = prepared.as_ref().unwrap();
            assert_eq!(prepared.output.is_free(), free, "after {sequence}");
        }
    });
    // A line without its end is whole with the run's end.
    assert_eq!(*heard.lines.lock().unwrap(), ["0", "1", "2", "3"]);
    let pid = std::fs::read_to_string(pid).unwrap();
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn stopping_at_once_ends_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let begun = dir.path().join("begun");
    let path = script(
        dir.path(),
        "callback",
        &format!(
            "#!/bin/sh\ntrap '' TERM\n: > {}\nsleep 1000\n",
            begun.display()
        ),
    );
    let (asks, stop) = watch::channel(Stop::No);
    let watcher = std::thread::spawn(move || {
        wait_until(|| begun.exists());
        Stop::AtOnce.raise(&asks);
        asks
    });
    let run = run(&callback(&path), &event("a", 1), &stop);
    assert_eq!(run.outcome, CallbackOutcome::Stopped);
    assert!(run.took < Duration::from_secs(15), "{:?}", run.took);
    watcher.join().unwrap();
}

#[test]
fn escape_sequences_are_handed_on_as_they_are() {
    // Making them safe is the listener's part; here they must not break the lines.
    let run = sh(r"printf '\033]52;c;eA==\a\n\033[2J\n'", plain);
    assert_eq!(run.lines, ["\u{1b}]52;c;eA==\u{7}", "\u{1b}[2J"]);
}

#[test]
fn a_script_that_went_away_after_the_check_is_an_outcome() {
    let dir = tempfile::tempdir().unwrap();
    let path = script(dir.path(), "callback", "#!/bin/sh\n");
    let callback = callback(&path);
    std::fs::remove_file(&path).unwrap();
    let (_keep, stop) = watch::channel(Stop::No);
    let run = run(&callback, &event("a", 1), &stop);
    let why = format!(
        "cannot run the callback {}: No such file or directory (os error 2)",
        path.display()
    );
    assert_eq!(run.outcome, CallbackOutcome::NotStarted(why));
}

#[test]
fn what_cannot_be_run_is_said_before_anything_is_subscribed() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |path: &Path| {
        let error = check(path).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        error.message().to_owned()
    };
    let plain = dir.path().join("plain");
    std::fs::write(&plain, "#!/bin/sh\n").unwrap();
    assert!(refused(&plain).contains("is not executable"));
    assert!(refused(&dir.path().join("missing")).contains("No such file"));
    assert!(refused(dir.path()).contains("is not a file"));
    assert!(refused(Path::new("no-such-callback-anywhere")).contains("in PATH"));
    let bare = script(dir.path(), "bare", "echo hello\n");
    assert!(refused(&bare).contains("does not say what runs it"));
    let lost = script(dir.path(), "lost", "#!/no/such/interpreter -x\n");
    assert!(refused(&lost).contains("'/no/such/interpreter'"));
    let dos = script(dir.path(), "dos", "#!/bin/sh\r\nexit 0\r\n");
    assert!(refused(&dos).contains("Windows line ends"));
    assert!(check(Path::new("sh")).unwrap().is_absolute());
    assert!(check(Path::new("/bin/sh")).is_ok());
}

/// Who brought the event takes it back before the callback is started.
#[test]
fn what_was_taken_back_is_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = script(dir.path(), "callback", "#!/bin/sh\necho ran\n");
    let heard = Arc::new(Heard::default());
    let (_keep, stop) = watch::channel(Stop::No);
    let context = context(&heard, &stop);
    let callback = callback(&path);
    let mut prepared = None;
    block_on(async {
        for (times, expected) in [
            (0, CallbackOutcome::TakenBack),
            (9, CallbackOutcome::Success),
        ] {
            let (event, permit) = (event("a", 1), permit_for(times));
            let run = callback.run(&event, AGAIN, &permit, &mut prepared, &context);
            assert_eq!(run.await, expected);
            assert!(prepared.as_ref().unwrap().output.is_free());
        }
    });
    assert_eq!(*heard.lines.lock().unwrap(), ["ran"]);
}

/// We were stopped between the question and the start, or for no longer than it matters.
#[test]
fn what_began_long_after_it_might_is_ended_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let quick = script(dir.path(), "quick", "#!/bin/sh\nexit 0\n");
    let slow = script(dir.path(), "slow", "#!/bin/sh\ntrap '' TERM\nsleep 60\n");
    let heard: Arc<dyn Listener> = Arc::new(Heard::default());
    let (_keep, stop) = watch::channel(Stop::No);
    let now = clock::since_start();
    let (before, after) = (
        now.saturating_sub(2 * STOPPED),
        now + Duration::from_mins(1),
    );
    block_on(async {
        for (path, asked_at, times, expected) in [
            (&slow, before, 0, CallbackOutcome::TakenBack),
            (&quick, before, 1, CallbackOutcome::Success),
            (&quick, after, 0, CallbackOutcome::Success),
        ] {
            let callback = callback(path);
            let mut prepared = PreparedCommand::new(&callback, &heard).unwrap();
            let child = prepared.start(Stdio::null()).unwrap();
            let started = Started { child, asked_at };
            let (output, permit) = (&mut prepared.output, permit_for(times));
            let begun = Instant::now();
            let outcome = callback.finish(started, output, &permit, stop.clone());
            assert_eq!(outcome.await, expected);
            assert!(begun.elapsed() < Duration::from_secs(10));
        }
    });
}
