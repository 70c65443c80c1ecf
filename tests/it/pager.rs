//! Long lists and help go through a pager on a terminal, and nowhere else.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use netapi::testing::lab::LabOptions;

use crate::support::lab::{TestLab, lab, with};
use crate::support::stdout;

/// A pager that says that it was there, with what it read.
const COUNTS: &str = "#!/bin/sh\necho \"paged $(wc -l) $LESS $*\"\n";
/// One that is left after the first line.
const LEAVES: &str = "#!/bin/sh\nread -r line\necho left\n";

fn script(directory: &Path, text: &str) -> OsString {
    let path = directory.join("pager");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.into_os_string()
}

fn on_terminal(
    lab: &TestLab,
    args: &[&str],
    pager: &[(&str, OsString)],
) -> Option<(Option<i32>, String)> {
    let (status, shown) = lab.on_terminal(args, pager)?.end();
    Some((status.code(), shown))
}

#[test]
fn a_list_longer_than_the_screen_is_paged_and_a_short_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let pager = [("NETAPI_PAGER", script(directory.path(), COUNTS))];
    let lab = lab();
    let list = ["ise", "mnt", "sessions"];
    let Some((code, shown)) = on_terminal(&lab, &list, &pager) else {
        return;
    };
    assert_eq!((code, shown.trim()), (Some(0), "paged 51 FRX"));
    let short = [&list[..], &["--limit", "3"]].concat();
    let (code, shown) = on_terminal(&lab, &short, &pager).unwrap();
    assert_eq!(code, Some(0));
    assert!(
        shown.contains("MAC ") && shown.contains("3 of 50 rows"),
        "{shown}"
    );
    let (_, shown) = on_terminal(&lab, &["ise", "mnt", "sessions", "--help"], &pager).unwrap();
    assert!(shown.contains("paged"), "{shown}");
}

#[test]
fn words_of_the_variable_are_arguments() {
    let directory = tempfile::tempdir().unwrap();
    let mut pager = script(directory.path(), COUNTS);
    pager.push(" -x 'a b'");
    let lab = lab();
    let Some((_, shown)) = on_terminal(&lab, &["ise", "mnt", "sessions"], &[("PAGER", pager)])
    else {
        return;
    };
    assert_eq!(shown.trim(), "paged 51 FRX -x a b");
}

#[test]
fn no_pager_where_none_is_wanted_or_there_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let pager = script(directory.path(), COUNTS);
    let lab = lab();
    let list = ["ise", "mnt", "sessions"];
    let no_pager = ["ise", "mnt", "sessions", "--no-pager"];
    for (args, pager) in [
        (&list[..], vec![("PAGER", OsString::from("cat"))]),
        (
            &list,
            vec![("NETAPI_PAGER", OsString::new()), ("PAGER", pager.clone())],
        ),
        (&list, vec![("PAGER", "/nowhere/to/be/found".into())]),
        (
            &list,
            vec![("PAGER", pager.clone()), ("TERM", "dumb".into())],
        ),
        (&no_pager, vec![("PAGER", pager.clone())]),
    ] {
        let Some((code, shown)) = on_terminal(&lab, args, &pager) else {
            return;
        };
        assert_eq!(code, Some(0), "{pager:?}");
        assert_eq!(shown.lines().count(), 51, "{pager:?}: {shown}");
        assert!(shown.contains("MAC "), "{pager:?}: {shown}");
    }
    let mut piped = lab.mnt(&["sessions"]);
    let piped = piped.env("PAGER", &pager).assert().success();
    assert_eq!(stdout(&piped).lines().count(), 50);
}

#[test]
fn a_pager_that_is_left_ends_the_list_well() {
    let directory = tempfile::tempdir().unwrap();
    let pager = [("PAGER", script(directory.path(), LEAVES))];
    let lab = with(LabOptions {
        sessions: 20_000,
        ..LabOptions::default()
    });
    let Some((code, shown)) = on_terminal(&lab, &["ise", "mnt", "sessions"], &pager) else {
        return;
    };
    assert_eq!((code, shown.trim()), (Some(0), "left"));
}
