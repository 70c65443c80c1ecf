//! What a person sees: at each width of a terminal no line is wider, no enumeration is cut, and
//! without colour there is none.

use std::ffi::OsString;

use netapi::testing::lab::LabOptions;
use unicode_width::UnicodeWidthStr as _;

use crate::support::lab::with;

const REFUSED: &str = "00:00:5E:00:53:F0";
const MAC: &str = "C8:5B:76:C6:59:62";

/// What reads and ends.
const COMMANDS: &[&[&str]] = &[
    &["mnt", "sessions", "--limit", "40"],
    &["mnt", "sessions", "--detail", "--nas", "10.50.1.10"],
    &["mnt", "session", MAC],
    &["mnt", "auth-list", "--limit", "40"],
    &["mnt", "auth-status", REFUSED, "--since", "1d"],
    &["mnt", "acct-status", MAC],
    &["mnt", "failure-reasons"],
    &["mnt", "failure-reasons", "22040", "12514"],
    &["mnt", "explain", REFUSED],
    &["mnt", "explain", MAC],
    &["mnt", "count"],
    &["mnt", "version"],
    &["pxgrid", "services"],
    &["pxgrid", "sessions", "--limit", "300"],
    &["pxgrid", "session", MAC],
    &["pxgrid", "groups"],
    &["pxgrid", "anc", "policies"],
    &["pxgrid", "anc", "endpoints"],
    &["pxgrid", "trustsec", "groups"],
    &["pxgrid", "trustsec", "acls"],
    &["pxgrid", "trustsec", "policies"],
    &["pxgrid", "trustsec", "matrices"],
    &["pxgrid", "trustsec", "networks"],
    &["pxgrid", "sxp", "bindings"],
    &["pxgrid", "radius", "failures"],
    &["pxgrid", "profiler", "profiles"],
    &["pxgrid", "system", "health"],
    &["pxgrid", "system", "performance"],
    &["pxgrid", "endpoints", "--limit", "40"],
    &["pxgrid", "posture", "macs"],
    &["pxgrid", "account", "show"],
    &["who", "pat.kim"],
    &["who", MAC],
];

/// Words of enumerations that are longer than a column of words is when it is cut.
const ENUMERATIONS: [&str; 3] = ["STARTED", "AUTHENTICATED", "DISCONNECTED"];

#[test]
fn no_line_is_wider_than_the_terminal_and_no_enumeration_is_cut() {
    let lab = with(LabOptions {
        sessions: 300,
        ..LabOptions::default()
    });
    let state = tempfile::tempdir().unwrap();
    for width in ["80", "120", "200"] {
        for command in COMMANDS {
            let args = [&["ise"][..], command, &["--no-pager"]].concat();
            let variables = [
                ("COLUMNS", OsString::from(width)),
                ("NO_COLOR", "1".into()),
                // Data Connect is asked too, where it has something to add.
                ("XDG_STATE_HOME", state.path().into()),
            ];
            let Some(terminal) = lab.on_terminal(&args, &variables) else {
                return;
            };
            let (status, shown) = terminal.end();
            assert!(status.success(), "{command:?}: {shown}");
            assert!(!shown.contains('\u{1b}'), "{command:?} has colour: {shown}");
            // Notices are no part of the output; the terminal has no width of its own for them.
            let lines = shown.lines().map(|line| line.trim_end_matches('\r'));
            let lines = lines.filter(|line| !line.starts_with("provided by nobody"));
            for line in lines {
                let is = line.width();
                assert!(
                    is <= width.parse().unwrap(),
                    "{command:?} at {width}: {is}: {line}"
                );
                for word in line
                    .split_whitespace()
                    .filter_map(|word| word.strip_suffix('…'))
                {
                    let cut = ENUMERATIONS.iter().any(|whole| whole.starts_with(word));
                    assert!(!cut || word.len() < 4, "{command:?} at {width}: {line}");
                }
            }
        }
    }
}

/// Whoever sees the first rows is told how many there are, or that nobody counted them.
#[test]
fn a_limit_says_of_how_many() {
    let lab = with(LabOptions::default());
    for (command, said) in [
        (&["mnt", "sessions"][..], "3 of 50 rows (--limit)"),
        (
            &["pxgrid", "sessions", "--sort", "mac"],
            "3 of 50 rows (--limit)",
        ),
        (
            &["pxgrid", "sessions"],
            "the first 3 rows; no more were read (--limit)",
        ),
        (
            &["pxgrid", "endpoints"],
            "the first 3 rows; no more were read (--limit)",
        ),
    ] {
        let args = [&["ise"][..], command, &["--limit", "3", "--no-pager"]].concat();
        let Some(terminal) = lab.on_terminal(&args, &[("NO_COLOR", "1".into())]) else {
            return;
        };
        let (status, shown) = terminal.end();
        assert!(status.success(), "{command:?}: {shown}");
        assert!(shown.contains(said), "{command:?}: {shown}");
    }
}
