//! `netapi ise mnt …` against a lab: what it printed, and what it asked.

use serde_json::Value;

use super::lab::TestLab;
use super::{stderr, stdout};

/// The first session of a lab.
pub(crate) const MAC: &str = "C8:5B:76:C6:59:62";
/// Its audit session id.
pub(crate) const ID: &str = "0A32010A000000A1910A2DEC";

/// Runs a command that must succeed without a word on standard error, without Data Connect.
pub(crate) fn said(lab: &TestLab, arguments: &[&str]) -> String {
    let run = lab.mnt(arguments).env_remove("ISE_DC_PASS").assert();
    assert!(
        run.get_output().status.success(),
        "{arguments:?}: {}",
        stderr(&run)
    );
    assert_eq!(stderr(&run), "", "{arguments:?}");
    stdout(&run)
}

/// The same with `--json`.
pub(crate) fn object(lab: &TestLab, arguments: &[&str]) -> Value {
    let mut arguments = arguments.to_vec();
    arguments.push("--json");
    serde_json::from_str(&said(lab, &arguments)).unwrap()
}

/// The requests so far, without method and base.
pub(crate) fn paths(lab: &TestLab) -> Vec<String> {
    lab.requests()
        .iter()
        .map(|request| request.replace("GET /admin/API/mnt/", ""))
        .collect()
}

/// A cell of `name<TAB>value` lines.
pub(crate) fn cell<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'))
}
