//! What the README shows is what comes, but for ports, times and the terminal's layout.

use std::path::Path;
use std::process::Command;

use netapi::testing::lab::LabOptions;

use crate::support::lab::{TestLab, lab, with};

const README: &str = include_str!("../../README.md");

/// What the README shows below this command.
fn shown(command: &str) -> Vec<&'static str> {
    let after = README
        .split_once(&format!("\n$ {command}\n"))
        .unwrap_or_else(|| panic!("the README does not show {command}"));
    let lines = after.1.lines();
    lines
        .take_while(|line| !line.starts_with("$ ") && !line.starts_with("```"))
        .collect()
}

/// What really comes.
fn comes(lab: &TestLab, command: &str) -> String {
    comes_with(lab, command, &[])
}

/// The same with these variables of the lab as well, and a place to remember in.
fn comes_with(lab: &TestLab, command: &str, more: &[&'static str]) -> String {
    let state = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_netapi"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let run = Command::new("/bin/sh")
        .args(["-c", command])
        .envs(
            [
                "ISE_MNT_FQDN",
                "ISE_MNT_PORT",
                "ISE_MNT_USER",
                "ISE_MNT_PASS",
            ]
            .map(|name| (name, lab.variable(name))),
        )
        .envs(
            [
                "ISE_CA_CERT",
                "ISE_PXGRID_HOST",
                "PXGRID_CERT",
                "PXGRID_KEY",
            ]
            .map(|name| (name, lab.variable(name))),
        )
        .env("PATH", path)
        .envs(more.iter().map(|name| (name, lab.variable(name))))
        .env("XDG_STATE_HOME", state.path())
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    assert!(run.status.success(), "{command}: {run:?}");
    String::from_utf8(run.stdout).unwrap()
}

/// Without the white space of layouts.
fn bare(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn records_and_answers() {
    let lab = lab();
    for (command, header) in [
        (
            "netapi ise mnt sessions --jq 'group_by(.server)[] | {server: .[0].server, n: length}' --json",
            0,
        ),
        (
            "netapi ise mnt sessions --fields calling_station_id,user_name --sort user --limit 2",
            1,
        ),
        ("netapi ise who pat.kim --fields MAC,USER,NAS,SGT", 1),
        ("netapi ise mnt coa C8:5B:76:C6:59:62", 0),
        (
            "netapi ise pxgrid anc apply --mac C8:5B:76:C6:59:62 --policy Quarantine",
            0,
        ),
        (
            "netapi ise mnt session C8:5B:76:C6:59:62 --fields cts_security_group,selected_azn_profiles",
            0,
        ),
        ("netapi ise pxgrid anc clear --mac C8:5B:76:C6:59:62", 0),
    ] {
        let rows = &shown(command)[header..];
        assert_eq!(
            bare(&rows.concat()),
            bare(&comes(&lab, command)),
            "{command}"
        );
    }
}

#[test]
fn history() {
    let lab = lab();
    let database = ["ISE_DC_HOST", "ISE_DC_PORT", "ISE_DC_PASS"];
    for command in [
        "netapi ise dc history C8:5B:76:C6:59:62 --since 30m --fields WHAT,USER,NAS,DETAIL",
        "netapi ise who 10.50.10.101 --at 23h --fields MAC,USER,NAS,CERTAIN",
        "netapi ise dc endpoints --host WorkStation.example.com --fields MAC,IP,PROFILE",
        "netapi ise dc sql \"SELECT HOSTNAME, NODE_TYPE, NODE_ROLE, PDP_SERVICES FROM NODE_LIST\"",
    ] {
        // A table on a terminal has a dash where a pipe has nothing.
        let rows = shown(command)[1..].join("\n");
        let rows = rows.replace("  -\n", "\n");
        let come = comes_with(&lab, command, &database);
        assert_eq!(bare(&rows), bare(&come), "{command}");
    }
}

/// Jobs of several steps, each with a lab of its own.
#[test]
fn a_list_from_a_spreadsheet_a_wait_and_a_comparison() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display();
    let csv =
        "owner,MAC\ndesk 4,00-00-5e-00-53-02\ndesk 6,C8:5B:76:C6:59:6\ndesk 7,C85B.76C6.5962\n";
    std::fs::write(directory.path().join("stolen.csv"), csv).unwrap();
    let quarantine =
        "cut -d, -f2 stolen.csv | netapi ise pxgrid anc apply --mac - --policy Quarantine";
    let wait = "netapi ise mnt coa C8:5B:76:C6:59:62 --wait-for \"cts_security_group=='Linux_Workstations'\"";
    let diff = "netapi ise diff yesterday --members ctsSecurityGroup --fields CHANGE,MAC,WHAT";
    let order = "netapi ise pxgrid anc apply --mac 00:00:5E:00:53:02 --policy Quarantine";
    let gone = "netapi ise mnt coa C8:5B:76:C6:59:62 -t disconnect";
    for (command, header, before, after) in [
        (quarantine, 0, format!("cd {at}"), "; true"),
        (wait, 0, "true".to_owned(), ""),
        (
            diff,
            1,
            format!(
                "export XDG_STATE_HOME={at}; (netapi ise snapshot; {order}; {gone}) >/dev/null"
            ),
            "",
        ),
    ] {
        let come = comes(&lab(), &format!("{before}; {command}{after}"));
        let rows = &shown(command)[header..];
        assert_eq!(bare(&rows.concat()), bare(&come), "{command}");
    }
}

/// Values and counts, without bars and shares, which are a terminal's.
fn counted(command: &str, lab: &TestLab) {
    let text = comes(lab, command);
    let come: Vec<String> = text
        .lines()
        .map(|line| line.replace('\t', " ").trim().to_owned())
        .collect();
    let shown = shown(command).into_iter().skip(1);
    let shown: Vec<String> = shown
        .filter(|line| !line.starts_with("and "))
        .map(|line| {
            let mut cells = line.split_whitespace().take(2);
            let value = cells.next().unwrap();
            let value = if value == "-" { "" } else { value };
            format!("{value} {}", cells.next().unwrap())
                .trim()
                .to_owned()
        })
        .collect();
    assert_eq!(shown, come, "{command}");
}

#[test]
fn rows_counted_by_a_field() {
    counted("netapi ise pxgrid sessions --by SGT", &lab());
}

/// The questions of the lab with 2,000 sessions: counts, the endpoints, the order of reasons and
/// nodes; what depends on the minute is not compared.
#[test]
fn questions_of_two_thousand_sessions() {
    let lab = with(LabOptions {
        sessions: 2000,
        ..LabOptions::default()
    });
    for field in ["method", "posture", "NAS --top 3"] {
        counted(&format!("netapi ise pxgrid sessions --by {field}"), &lab);
    }
    let first = |line: &str| line.split_whitespace().next().unwrap_or("").to_owned();
    for command in [
        "netapi ise who pat.kim",
        "netapi ise pxgrid sessions --older-than 3d --limit 3",
        "netapi ise failures sw-lab-02 --top 4",
        "netapi ise nodes",
    ] {
        let come: Vec<String> = comes(&lab, command).lines().map(first).collect();
        let shown: Vec<String> = shown(command).into_iter().skip(1).map(first).collect();
        assert_eq!(shown, come, "{command}");
    }
    let at_switch = comes(&lab, "netapi ise failures sw-lab-02 --top 4");
    let reason = "5411 Supplicant stopped responding to ISE";
    assert!(
        at_switch.lines().all(|line| line.contains(reason)),
        "{at_switch}"
    );
    let command = "netapi ise failures --top 3";
    let come = comes(&lab, command);
    let shown = shown(command);
    assert_eq!(
        come.lines().map(first).next(),
        shown.get(1).map(|line| first(line))
    );
    let all = comes(&lab, "netapi ise failures");
    for line in &shown[1..] {
        assert!(all.lines().any(|come| first(come) == first(line)), "{line}");
    }
    let sessions = |line: &str, at: usize| line.split_whitespace().nth(at).map(str::to_owned);
    let nodes = comes(&lab, "netapi ise nodes --fields NODE,SESSIONS");
    let come: Vec<_> = nodes.lines().map(|line| sessions(line, 1)).collect();
    let shown: Vec<_> = self::shown("netapi ise nodes")
        .into_iter()
        .skip(1)
        .map(|line| sessions(line, 1))
        .collect();
    assert_eq!(shown, come);
}

/// Addresses and servers of each row; names and ports are shortened on a terminal.
#[test]
fn sessions_with_their_details() {
    let command = "netapi ise mnt sessions --nas 10.50.1.10 --detail";
    let chosen = |line: &str, cells: Vec<&str>| {
        let cell = |at: usize| match cells.get(at) {
            Some(&"-") | None => String::new(),
            Some(text) => (*text).to_owned(),
        };
        assert!(cells.len() > 4, "{line}");
        [0, 1, 3, 4, 6].map(cell)
    };
    let shown: Vec<_> = shown(command)
        .into_iter()
        .skip(1)
        .map(|line| chosen(line, line.split_whitespace().collect()))
        .collect();
    let text = comes(&lab(), command);
    let come: Vec<_> = text
        .lines()
        .map(|line| chosen(line, line.split('\t').collect()))
        .collect();
    assert_eq!(shown, come);
}

#[test]
fn an_explanation() {
    let command = "netapi ise mnt explain 00:00:5E:00:53:F0";
    let without_times = |text: &str| {
        let kept = text.lines().filter(|line| !line.starts_with("  when"));
        let kept = kept.take_while(|line| *line != "last attempts");
        bare(&kept.collect::<Vec<_>>().join("\n"))
    };
    let text = comes(&lab(), command);
    assert_eq!(
        without_times(&shown(command).join("\n")),
        without_times(&text)
    );
    assert!(text.contains("last attempts\n  fail  10 times"), "{text}");
}

#[test]
fn the_walk_of_pxgrid_test() {
    let steps: Vec<String> = shown("netapi ise pxgrid test")
        .iter()
        .map(|line| format!("{}\t{}\n", line[6..17].trim(), line[..4].trim()))
        .collect();
    let come = comes(&lab(), "netapi ise pxgrid test --fields STEP,RESULT");
    assert_eq!(steps.concat(), come);
}

/// The lines that install completions and man pages, in a home directory in which nothing is yet.
#[test]
fn what_installs_completions_works_in_a_fresh_home() {
    let (_, block) = README
        .split_once("cargo install --locked --path .\n")
        .unwrap();
    let (lines, _) = block.split_once("```").unwrap();
    let home = tempfile::tempdir().unwrap();
    let help = crate::support::netapi()
        .args(["completion", "--help"])
        .assert()
        .success();
    let help = crate::support::stdout(&help);
    let (_, help) = help.split_once("Examples:\n").unwrap();
    let (help, _) = help.split_once("\n\nUsage: ").unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_netapi")).parent().unwrap();
    for lines in [lines, help] {
        assert!(lines.contains("netapi completion bash"), "{lines}");
        let run = Command::new("/bin/sh")
            .args(["-euc", lines])
            .env("HOME", home.path())
            .env(
                "PATH",
                format!("{}:{}", program.display(), std::env::var("PATH").unwrap()),
            )
            .output()
            .unwrap();
        assert!(run.status.success(), "{lines}: {run:?}");
    }
    for file in [
        ".local/share/bash-completion/completions/netapi",
        ".local/share/man/man1/netapi.1",
        ".zfunc/_netapi",
        ".config/fish/completions/netapi.fish",
    ] {
        assert!(home.path().join(file).is_file(), "{file}");
    }
}
