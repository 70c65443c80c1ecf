//! `netapi ise snapshot` and `diff`: lists of sessions kept, chosen by time and compared.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::lab::{TestLab, faulty, lab};
use crate::support::terminal::Terminal;
use crate::support::{json, stderr, stdout};

const MAC: &str = "C8:5B:76:C6:59:62";

/// A command with a state directory of its own.
fn with_state(lab: &TestLab, state: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = lab.netapi();
    command
        .env("XDG_STATE_HOME", state)
        .arg("ise")
        .args(arguments);
    command
}

/// A snapshot as the program writes one, of another time.
fn made(directory: &Path, source: &str, taken: &str, sessions: &[Value]) -> PathBuf {
    std::fs::create_dir_all(directory).unwrap();
    let path = directory.join(format!("{}.jsonl.gz", taken.replace(':', "-")));
    let count = sessions.len();
    let comment = format!(
        "netapi-snapshot/1 {{\"source\":\"{source}\",\"host\":\"localhost\",\"taken\":\"{taken}\",\"sessions\":{count}}}"
    );
    let file = std::fs::File::create(&path).unwrap();
    let mut gzip = flate2::GzBuilder::new()
        .comment(comment)
        .write(file, flate2::Compression::fast());
    for session in sessions {
        writeln!(gzip, "{session}").unwrap();
    }
    gzip.finish().unwrap();
    path
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            files.extend(files_below(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files
}

#[test]
fn what_changed_since_a_snapshot_is_told_by_endpoint_and_member() {
    let (lab, state) = (lab(), tempfile::tempdir().unwrap());
    let run = |arguments: &[&str]| with_state(&lab, state.path(), arguments).assert();
    let kept = json(&run(&["snapshot", "--json"]).success());
    let file = PathBuf::from(kept["file"].as_str().unwrap());
    assert!(file.starts_with(state.path().join("netapi/snapshots/pxgrid-localhost")));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        (&kept["sessions"], &kept["source"]),
        (&50.into(), &"pxgrid".into())
    );
    let asked = |what: &str| {
        let requests = lab.requests();
        requests.iter().filter(|line| line.contains(what)).count()
    };
    assert_eq!((asked("getSessions"), asked("/admin/")), (1, 0));
    let same = run(&["diff", "yesterday", "--exit-code"])
        .success()
        .stdout("");
    let said = stderr(&same);
    assert!(
        said.contains("yesterday is the snapshot of") && said.contains("the oldest that is kept")
    );
    assert!(said.contains("now: 50 sessions of pxGrid"), "{said}");

    lab.mnt(&["coa", MAC, "-t", "disconnect"])
        .assert()
        .success();
    let order = [
        "anc",
        "apply",
        "--mac",
        "00:00:5E:00:53:02",
        "--policy",
        "Quarantine",
    ];
    lab.pxgrid(&order).assert().success();
    let found = json(&run(&["diff", "yesterday", "--json"]).success());
    let found = found.as_array().unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(
        (&found[0]["change"], &found[0]["mac"]),
        (&"went".into(), &MAC.into())
    );
    assert_eq!(found[0]["session"]["macAddress"], MAC);
    assert!(found[0].get("before").is_none());
    let changed = &found[1];
    assert_eq!(changed["change"], "changed");
    let pair = serde_json::json!([null, "Quarantine"]);
    assert_eq!(changed["changed"]["ancPolicy"], pair);
    assert!(changed["changed"].get("timestamp").is_none());
    assert_eq!(changed["before"]["ctsSecurityGroup"], "Employees");
    assert_eq!(
        changed["session"]["ctsSecurityGroup"],
        "Quarantined_Systems"
    );
    assert_eq!(
        stdout(&run(&["snapshot", "list", "--fields", "FILE"])),
        format!("{}\n", file.display())
    );
    assert_eq!(files_below(state.path()), [file]);
}

#[test]
fn differences_are_chosen_counted_and_printed_as_any_list() {
    let (lab, state) = (lab(), tempfile::tempdir().unwrap());
    let run = |arguments: &[&str]| with_state(&lab, state.path(), arguments).assert();
    run(&["snapshot"]).success();
    lab.mnt(&["coa", MAC, "-t", "disconnect"])
        .assert()
        .success();
    let order = [
        "anc",
        "apply",
        "--mac",
        "00:00:5E:00:53:02",
        "--policy",
        "Quarantine",
    ];
    lab.pxgrid(&order).assert().success();
    let all = json(&run(&[
        "diff",
        "yesterday",
        "--all-members",
        "--mac",
        "00:00:5E:00:53:02",
        "--json",
    ]));
    assert!(all[0]["changed"].get("timestamp").is_some(), "{all}");

    let row = stdout(&run(&[
        "diff",
        "yesterday",
        "--sgt",
        "Employees",
        "--fields",
        "CHANGE,MAC,WHAT",
    ]));
    assert!(
        row.starts_with("changed\t00:00:5E:00:53:02\t")
            && row.contains("ctsSecurityGroup Employees → Quarantined_Systems"),
        "{row}"
    );
    let only = run(&[
        "diff",
        "yesterday",
        "--members",
        "ancPolicy",
        "--where",
        "ancPolicy",
        "--fields",
        "WHAT",
    ]);
    assert_eq!(stdout(&only), "ancPolicy – → Quarantine\n");
    let counts = run(&["diff", "yesterday", "--by", "CHANGE", "--exit-code"]).code(1);
    assert_eq!(stdout(&counts), "changed\t1\nwent\t1\n");
    let backwards = run(&[
        "diff",
        "now",
        "1h",
        "--fields",
        "change,mac",
        "--format",
        "csv",
    ])
    .success();
    assert_eq!(
        stdout(&backwards),
        format!("CHANGE,MAC\ncame,{MAC}\nchanged,00:00:5E:00:53:02\n")
    );
}

#[test]
fn the_source_is_the_same_on_both_sides() {
    let (lab, state) = (lab(), tempfile::tempdir().unwrap());
    let path = |name: &str| state.path().join(name).display().to_string();
    let run = |arguments: &[&str]| with_state(&lab, state.path(), arguments).assert();
    let mnt = path("mnt.gz");
    run(&["snapshot", &mnt, "--source", "mnt"]).success();
    run(&["snapshot", &path("px.gz")]).success();
    let other = run(&["diff", &mnt, &path("px.gz")]).code(2);
    assert!(stderr(&other).contains("their members have other names"));
    // What is kept says where the live list is to come from.
    lab.mnt(&["delete", MAC, "--yes"]).assert().success();
    let found = json(&run(&["diff", &mnt, "--json"]).success());
    assert_eq!(found[0]["session"]["calling_station_id"], MAC);
    assert_eq!(found.as_array().unwrap().len(), 1);
    // A filter that rows of that source cannot meet.
    let refused = run(&["diff", &mnt, "--sgt", "Employees"]).code(2);
    assert!(
        stderr(&refused).contains("no security group"),
        "{}",
        stderr(&refused)
    );
    let alone = with_state(&lab, state.path(), &["snapshot", "--json"])
        .env_remove("ISE_PXGRID_HOST")
        .env_remove("PXGRID_CERT")
        .env_remove("PXGRID_KEY")
        .assert();
    assert_eq!(json(&alone.success())["source"], "mnt");
    // Nobody's file is lost by a slip.
    std::fs::write(path("notes.txt"), "mine").unwrap();
    let refused = run(&["snapshot", &path("notes.txt")]).code(2);
    assert!(stderr(&refused).contains("it stays as it is"));
    run(&["snapshot", &mnt]).success();
    assert_eq!(std::fs::read(path("notes.txt")).unwrap(), b"mine");
}

#[test]
fn a_time_means_the_newest_that_was_kept_by_then() {
    let (lab, state) = (lab(), tempfile::tempdir().unwrap());
    let kept = state.path().join("netapi/snapshots/pxgrid-localhost");
    let session = |user: &str| serde_json::json!({"macAddress": MAC, "userName": user});
    for (taken, user) in [
        ("2026-11-01T10:00:00Z", "one"),
        ("2026-11-02T10:00:00Z", "two"),
        ("2026-11-03T10:00:00Z", "three"),
    ] {
        made(&kept, "pxgrid", taken, &[session(user)]);
    }
    // Of another deployment, and no snapshot at all.
    made(
        &state.path().join("netapi/snapshots/pxgrid-other"),
        "pxgrid",
        "2026-11-02T11:00:00Z",
        &[],
    );
    std::fs::write(kept.join("2026-11-02T12-00-00Z.jsonl.gz"), "x").unwrap();
    let run = |arguments: &[&str]| with_state(&lab, state.path(), arguments).assert();
    for (a, b, users) in [
        (
            "2026-11-02T10:00:00Z",
            "2026-11-03T10:00:00Z",
            "[\"two\",\"three\"]\n",
        ),
        ("2026-11-02T09:59:59Z", "2026-11-03", "[\"one\",\"two\"]\n"),
        ("2026-10-01", "1d", "[\"one\",\"three\"]\n"),
    ] {
        let run = run(&["diff", a, b, "--jq", ".[].changed.userName", "--json"]);
        assert_eq!(
            stdout(&run).replace([' ', '\n'], ""),
            users.trim(),
            "{a} {b}"
        );
        assert!(stderr(&run).contains("12-00-00Z.jsonl.gz is no snapshot"));
    }
    let twice = run(&["diff", "2026-11-02", "2026-10-05"]).code(3);
    assert!(
        stderr(&twice).contains("are the same snapshot"),
        "{}",
        stderr(&twice)
    );
    let none = run(&["diff", "1h", "--source", "mnt"]).code(3);
    assert!(
        stderr(&none).contains("no snapshot of the Monitoring node's list is kept"),
        "{}",
        stderr(&none)
    );
    for (wrong, words) in [
        (
            &["diff", "soon"][..],
            "'soon' is neither 'now', nor a snapshot, nor a time",
        ),
        (&["diff", "now"], "A and B are both 'now'"),
        (&["diff", "./none.gz"], "cannot read the snapshot ./none.gz"),
    ] {
        let refused = run(wrong).code(2);
        assert!(stderr(&refused).contains(words), "{}", stderr(&refused));
    }
    assert_eq!(lab.requests(), Vec::<String>::new());
    let list = stdout(&run(&["snapshot", "list", "--fields", "TAKEN"]));
    assert_eq!(list.lines().count(), 4, "{list}");
    // The old ones go when a new one is there, and no other file does.
    run(&["snapshot", "--keep", "1d"]).success();
    let left = std::fs::read_dir(&kept).unwrap().count();
    assert_eq!(left, 2);
    assert_eq!(
        stdout(&run(&["snapshot", "list", "--by", "HOST"])),
        "localhost\t2\n"
    );
}

#[test]
fn a_list_that_breaks_off_is_no_snapshot() {
    let state = tempfile::tempdir().unwrap();
    for source in ["mnt", "pxgrid"] {
        let lab = faulty(&["truncated"]);
        let broken = with_state(&lab, state.path(), &["snapshot", "--source", source]).assert();
        broken.code(5).stdout("");
        let file = state.path().join("x.gz").display().to_string();
        with_state(&lab, state.path(), &["snapshot", &file, "--source", source])
            .assert()
            .code(5);
    }
    assert_eq!(files_below(state.path()), Vec::<PathBuf>::new());
    let lab = lab();
    // No home, as a service user has none.
    let homeless = lab.netapi().args(["ise", "snapshot"]).assert().code(2);
    assert!(stderr(&homeless).contains("XDG_STATE_HOME"));
    let file = state.path().join("x.gz").display().to_string();
    lab.netapi()
        .args(["ise", "snapshot", &file])
        .assert()
        .success();
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let half = lab.netapi().args(["ise", "diff", &file]).assert().code(5);
    assert!(
        stderr(&half).contains("x.gz breaks off"),
        "{}",
        stderr(&half)
    );
    let dry = lab
        .netapi()
        .args(["ise", "snapshot", &file, "--dry-run"])
        .assert();
    assert!(stdout(&dry.success()).contains("getSessions"));
    assert_eq!(std::fs::read(&file).unwrap(), bytes[..bytes.len() / 2]);
}

#[test]
fn a_person_reads_how_many_there_were() {
    let (lab, state) = (lab(), tempfile::tempdir().unwrap());
    with_state(&lab, state.path(), &["snapshot"])
        .assert()
        .success();
    lab.mnt(&["coa", MAC, "-t", "disconnect"])
        .assert()
        .success();
    let command = with_state(&lab, state.path(), &[]);
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_string_lossy().into_owned(), value?.to_owned())));
    let program = env!("CARGO_BIN_EXE_netapi");
    let Some(terminal) = Terminal::start(program, &["ise", "diff", "1h"], variables) else {
        return;
    };
    let (status, seen) = terminal.end();
    assert!(status.success(), "{seen}");
    assert!(
        seen.contains("0 came, 1 went, 0 changed; 50 sessions then, 49 now"),
        "{seen}"
    );
    assert!(seen.contains("CHANGE") && seen.contains(MAC), "{seen}");
}
