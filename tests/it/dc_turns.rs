//! What `netapi ise dc` does while it waits: it lets others have their turn, ends on a signal
//! whatever else could be asked, prints what came; and what it remembers of a refusal.

use jiff::Timestamp;
use rustix::process::Signal;

use crate::support::database::{Database, PASSWORD, Script, described, end, row};
use crate::support::lab::{TestLab, faulty, lab};
use crate::support::running::Running;
use crate::support::{stderr, stdout, wait_for};

const ONE: &str = "SELECT 1 AS one FROM dual";

/// The lab as one without pxGrid, and with a place of its own to remember in.
fn variables(lab: &TestLab, state: &tempfile::TempDir) -> Vec<(&'static str, String)> {
    let pxgrid = ["ISE_PXGRID_HOST", "ISE_PAN_FQDN", "ISE_PAN_IP"];
    let mut ours = lab.environment();
    ours.retain(|(name, _)| !pxgrid.contains(name));
    let state = state.path().to_str().unwrap().to_owned();
    ours.push(("XDG_STATE_HOME", state));
    ours
}

#[test]
fn a_signal_ends_what_asks_history_beside_others() {
    let lab = faulty(&["dc-slow:FAILED"]);
    let state = tempfile::tempdir().unwrap();
    let mut command = crate::support::process();
    command.envs(variables(&lab, &state));
    command.args(["ise", "failures", "--since", "5d"]);
    let running = Running::start(command);
    wait_for("the statement", || {
        lab.requests().iter().any(|one| one.contains("FAILED = 1"))
    });
    running.signal(Signal::INT);
    let (code, out, _) = running.end();
    assert_eq!((code, out), (130, Vec::new()));
    // What is shown only is shown, and nothing else is asked.
    let mut shown = crate::support::netapi();
    shown.envs(variables(&lab, &state));
    shown.args(["ise", "failures", "--since", "5d", "--dry-run"]);
    let shown = stdout(&shown.assert().success());
    assert_eq!(shown.lines().count(), 1, "{shown}");
    assert!(shown.starts_with("SELECT "), "{shown}");
}

/// The node has been busy with us for so long that a statement waits for minutes.
#[test]
fn who_waits_for_its_share_lets_others_have_their_turn() {
    let database = Database::start(Script::default());
    database.dc(&["sql", ONE]).assert().success();
    let file = std::fs::read_dir(database.state().join("netapi/data-connect"))
        .unwrap()
        .next();
    let file = file.unwrap().unwrap().path();
    let now = Timestamp::now().as_millisecond();
    std::fs::write(&file, format!("{{\"spent\":45000,\"at\":{now}}}")).unwrap();
    let waiting = Running::start(database.process(&["sql", ONE]));
    waiting.says("waiting 3");
    let held = std::fs::File::open(&file).unwrap();
    wait_for("our turn", || held.try_lock().is_ok());
    waiting.signal(Signal::INT);
    assert_eq!(waiting.end().0, 130);
    assert_eq!(database.statements(), 1);
}

/// A wrong password is not sent where nothing can be remembered of it.
#[test]
fn a_full_disk_costs_no_account_and_no_answer() {
    let database = Database::start(Script::default());
    let full = |blocks: &str, password: &str| {
        let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let netapi = database.process(&["sql", ONE, "--format", "csv"]);
        let mut command = assert_cmd::Command::new("/bin/sh");
        command.args(["-c", &limited]).arg(netapi.get_program());
        command.args(netapi.get_args()).env_clear();
        let set = netapi.get_envs();
        command.envs(set.filter_map(|(name, value)| Some((name, value?))));
        command.env("ISE_DC_PASS", password);
        command.assert()
    };
    let none = full("0", "Wrong-Password-1").code(1);
    let words = stderr(&none);
    assert!(words.contains("not tried: cannot remember"), "{words}");
    assert_eq!(database.logons(), 0);
    database.dc(&["sql", ONE]).assert().success();
    // The file is there in its full length.
    let answer = full("4", PASSWORD).success();
    assert_eq!(stdout(&answer), "A\nx\n");
    for words in ["ORA-01017", "not tried"] {
        let err = stderr(&full("4", "Wrong-Password-1").code(4));
        assert!(err.contains(words), "{err}");
    }
    assert_eq!(database.logons(), 3);
}

/// ISE suspends administrators after a few.
#[test]
fn a_wrong_password_of_the_administrator_is_sent_once() {
    let lab = lab();
    let state = tempfile::tempdir().unwrap();
    for (asked, words) in [(1, &["sql", ONE][..]), (2, &["live", "--interval", "1s"])] {
        let mut run = lab.netapi();
        run.env_remove("ISE_DC_HOST").env_remove("ISE_DC_PORT");
        run.env("XDG_STATE_HOME", state.path());
        run.env("ISE_MNT_PASS", "Wrong-Password-1");
        let run = run.args(["ise", "dc"]).args(words).assert().code(4);
        let err = stderr(&run);
        assert!(err.contains("refuses user or password"), "{err}");
        assert!(err.contains("ISE_DC_HOST"), "{err}");
        let details = "GET /api/v1/mnt/data-connect/details";
        let requests = lab.requests();
        let seen = requests.iter().filter(|one| *one == details).count();
        assert_eq!(seen, asked);
    }
}

/// Each answer is full, so that there are always more.
#[test]
fn pages_of_the_past_are_printed_as_they_come() {
    let mut first = described(&[("ID", 1)]);
    for number in 1..=1000 {
        first.extend(row(&[Some(format!("{number}").as_bytes())]));
    }
    first.extend(end(1403));
    let database = Database::start(Script {
        first,
        ..Script::default()
    });
    let words = ["live", "--since", "9d", "--json"];
    let live = Running::start(database.process(&words));
    live.prints(1000);
    wait_for("another page", || database.statements() > 1);
    live.signal(Signal::INT);
    assert_eq!(live.end_by_signal().0, Some(2));
}
