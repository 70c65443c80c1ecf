//! `netapi ise report`: what the page holds, where it goes, what is said of sources that are away.
//! What a browser makes of it is in `report_browser`.

use std::fs;
use std::path::Path;

use netapi::testing::lab::LabOptions;

use crate::support::hostile::{Reply, node};
use crate::support::lab::{TestLab, faulty, lab, with};
use crate::support::{json, stderr, stdout};

/// The page that a report of this lab is.
fn page(lab: &TestLab) -> String {
    let run = lab.netapi().args(["ise", "report", "-"]).assert().success();
    stdout(&run)
}

/// The rows below a heading of the page, as their cells.
fn rows(page: &str, heading: &str) -> Vec<Vec<String>> {
    let part = page.split(&format!("<h3>{heading}</h3>")).nth(1).unwrap();
    let body = part.split("<tbody>").nth(1).unwrap();
    let body = body.split("</tbody>").next().unwrap();
    let text = |cell: &str| {
        let inside = cell.split_once('>').unwrap().1;
        inside.split("</td>").next().unwrap().to_owned()
    };
    body.lines()
        .filter(|line| line.starts_with("<tr>"))
        .map(|line| line.split("<td").skip(1).map(text).collect())
        .collect()
}

fn by(lab: &TestLab, words: &[&str]) -> Vec<Vec<String>> {
    let run = lab.netapi().args(words).assert().success();
    let text = stdout(&run);
    let lines = text.lines();
    lines
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect()
}

#[test]
fn the_page_has_the_numbers_that_the_lists_have() {
    let lab = lab();
    let page = page(&lab);
    for (heading, list) in [
        ("By state", &["ise", "pxgrid", "sessions", "--by", "state"]),
        (
            "By method",
            &["ise", "pxgrid", "sessions", "--by", "authMethod"],
        ),
        ("By PSN", &["ise", "mnt", "sessions", "--by", "server"]),
    ] {
        let shown: Vec<Vec<String>> = rows(&page, heading)
            .into_iter()
            .map(|row| row[..2].to_vec())
            .collect();
        assert_eq!(shown, by(&lab, list), "{heading}");
    }
    let groups = by(
        &lab,
        &[
            "ise",
            "failures",
            "--since",
            "24h",
            "--fields",
            "reason,endpoints",
        ],
    );
    let shown = rows(&page, "By reason, in endpoints");
    assert_eq!(shown.len(), groups.len());
    assert_eq!(shown[0][0], groups[0][0]);
    assert_eq!(shown[0][1], groups[0][1]);
    for heading in [
        "By security group (SGT)",
        "By switch or controller (NAS)",
        "By profile",
        "Last heard of",
        "Silent for longest",
        "Over time",
        "By switch or controller, in endpoints",
        "Endpoints that fail most",
    ] {
        assert!(!rows(&page, heading).is_empty(), "{heading}");
    }
    assert!(page.contains("<td class=\"deny\">Deny IP</td>"));
    for node in ["psn-a", "psn-b", "ise-mnt"] {
        assert!(page.contains(&format!("<tr><td>{node}</td>")), "{node}");
    }
    assert!(!page.contains("Not known") && !page.contains("Not whole"));
}

#[test]
fn a_file_is_whole_for_its_owner_and_replaces_reports_only() {
    let lab = lab();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("today.html");
    let path = file.to_str().unwrap();
    let run = lab
        .netapi()
        .args(["ise", "report", path, "--json"])
        .assert()
        .success();
    let told = json(&run);
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(told["bytes"], text.len());
    assert_eq!((&told["sessions"], &told["nodes"]), (&50.into(), &3.into()));
    assert_eq!(told["file"], path);
    assert!(text.starts_with("<!doctype html>") && text.ends_with("</html>"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    // Another report takes its place; anything else stays.
    lab.netapi()
        .args(["ise", "report", path])
        .assert()
        .success();
    fs::write(&file, "<!doctype html><title>mine</title>").unwrap();
    let run = lab.netapi().args(["ise", "report", path]).assert().code(2);
    assert!(
        stderr(&run).contains("is no report: it stays as it is"),
        "{}",
        stderr(&run)
    );
    assert!(fs::read_to_string(&file).unwrap().contains("mine"));
    let nowhere = folder.path().join("nowhere/x.html");
    let run = lab
        .netapi()
        .args(["ise", "report", nowhere.to_str().unwrap()])
        .assert()
        .code(2);
    assert!(
        stderr(&run).contains("cannot write a report in"),
        "{}",
        stderr(&run)
    );
    only(folder.path(), &["today.html"]);
}

/// Nothing else is left in a folder.
fn only(folder: &Path, names: &[&str]) {
    let found: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, names);
}

#[test]
fn a_source_that_is_away_is_named_in_the_page_and_by_the_exit_status() {
    let lab = lab();
    let run = lab
        .netapi()
        .args(["ise", "report", "-", "--mnt-port", "1"])
        .assert()
        .code(1);
    let page = stdout(&run);
    assert!(page.contains("Not whole: the Monitoring node: "), "{page}");
    assert!(page.contains("By PSN: not known"));
    assert!(!rows(&page, "By state").is_empty());
    assert!(
        stderr(&run).contains("the Monitoring node could not be asked"),
        "{}",
        stderr(&run)
    );

    let run = lab
        .netapi()
        .args(["ise", "report", "-", "--pxgrid-port", "1"])
        .assert()
        .code(1);
    let page = stdout(&run);
    assert!(page.contains("Not whole: pxGrid: "), "{page}");
    assert!(!rows(&page, "By PSN").is_empty());
    assert!(page.contains("those that never got in are missing"));
    assert!(page.contains("Not known: pxGrid did not tell it."));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("none.html");
    let run = lab
        .netapi()
        .args(["ise", "report", file.to_str().unwrap()])
        .args(["--pxgrid-port", "1", "--mnt-port", "1"])
        .assert()
        .code(6);
    assert!(!stderr(&run).is_empty());
    only(folder.path(), &[]);
}

#[test]
fn without_pxgrid_the_page_is_the_monitoring_nodes_and_no_failure() {
    let lab = lab();
    let run = lab
        .netapi()
        .args(["ise", "report", "-"])
        .env_remove("ISE_PXGRID_HOST")
        .env_remove("ISE_PAN_FQDN")
        .env_remove("ISE_PAN_IP")
        .assert()
        .success();
    let page = stdout(&run);
    assert!(
        page.contains("<dt>pxGrid</dt><dd>not set up, so not asked</dd>"),
        "{page}"
    );
    assert!(stderr(&run).contains("pxGrid was not asked: not set up"));
    assert!(!rows(&page, "By PSN").is_empty());
}

/// What one endpoint does not tell takes nothing from what the others told.
#[test]
fn a_failed_question_leaves_the_other_failures_in_the_page() {
    let node = node(|path| {
        if path.starts_with("Session/ActiveList") {
            let row = |mac| {
                format!(
                    "<activeSession><calling_station_id>00:00:5E:00:53:0{mac}</calling_station_id></activeSession>"
                )
            };
            let rows: String = (1..=3).map(row).collect();
            return Reply::xml(&format!(
                "<activeList noOfActiveSession=\"3\">{rows}</activeList>"
            ));
        }
        if path.contains("53:03/") {
            return Reply::status(500);
        }
        // Without a verdict: the reason is one.
        Reply::xml(&format!(
            "<authStatusOutputList><authStatusList><authStatusElements><failure_reason>22040 Wrong \
             password</failure_reason><acs_timestamp>{}</acs_timestamp></authStatusElements>\
             </authStatusList></authStatusOutputList>",
            jiff::Timestamp::now()
        ))
    });
    let run = node.ise(&["report", "-"]).assert().code(1);
    let page = stdout(&run);
    assert!(page.contains("Not all: 1 of 3 failed."), "{page}");
    assert!(page.contains("22040 Wrong password"), "{page}");
    assert!(page.contains("Not known: pxGrid is not set up."), "{page}");
    let words = stderr(&run);
    assert!(words.contains("did not answer every question"), "{words}");
    assert!(!words.contains("could not be asked"), "{words}");
    let run = node.ise(&["failures", "--json"]).assert().code(1);
    let groups: serde_json::Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!(groups[0]["attempts"], 2, "{groups}");
}

#[test]
fn an_empty_deployment_has_a_page_too() {
    let lab = with(LabOptions {
        sessions: 0,
        ..LabOptions::default()
    });
    let page = page(&lab);
    assert!(page.contains("<b>0</b> <span>active sessions</span>"));
    assert!(page.ends_with("</html>"));
}

#[test]
fn hostile_names_are_text_in_the_page() {
    let lab = faulty(&["hostile-names"]);
    let page = page(&lab);
    assert_eq!(page.matches("<script").count(), 1);
    assert!(!page.contains("<img") && !page.contains("<svg onload"));
    assert!(
        page.contains("&#60;svg onload="),
        "a name among the failures"
    );
    assert!(page.contains("\\u{202e}nimda"), "a name among the sessions");
    assert!(!page.contains(['\u{9b}', '\u{1b}', '\u{202e}', '\u{200b}']));
}

#[test]
fn a_dry_run_writes_nothing() {
    let lab = lab();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.html");
    let run = lab
        .netapi()
        .args(["ise", "report", file.to_str().unwrap(), "--dry-run"])
        .assert()
        .success();
    assert!(
        stdout(&run).contains("POST ") || stdout(&run).contains("GET "),
        "{}",
        stdout(&run)
    );
    only(folder.path(), &[]);
}
