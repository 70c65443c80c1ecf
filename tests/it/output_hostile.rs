//! What strangers choose, in what has a structure: errors as JSON, TSV, MAC addresses as a NAS
//! spells them, a terminal that gets pieces.

use std::io::Write;

use crate::support::scripted::{Scripted, head};
use crate::support::{json, stderr, stdout};

/// Steers, reorders, hides, is no space, is nothing.
const HOSTILE: &str = "\u{9b}31m\u{202e}\u{200b}\u{2800}\u{3164}\u{e000}";

fn answering(
    status: &'static str,
    document: impl Fn(&str) -> String + Send + Sync + 'static,
) -> Scripted {
    Scripted::start(move |path, out| {
        out.write_all(head(status, "application/xml", "").as_bytes())?;
        out.write_all(document(path).as_bytes())
    })
}

#[test]
fn errors_as_json_can_be_read_whatever_the_server_says() {
    let server = answering("500 Internal Server Error", |_| {
        format!(
            "<mnt-rest-result><http-code>500</http-code><internal-error-info>no {HOSTILE} \"db\"</internal-error-info></mnt-rest-result>"
        )
    });
    let run = server.mnt(&["sessions", "--json"]).assert().code(5);
    let text = stderr(&run);
    let error: serde_json::Value = serde_json::from_str(&text).unwrap();
    let message = error["error"]["message"].as_str().unwrap();
    assert!(
        message.ends_with(&format!("no {HOSTILE} \"db\"")),
        "{message:?}"
    );
    assert!(
        text.trim_end()
            .bytes()
            .all(|byte| (0x20..0x7f).contains(&byte)),
        "{text}"
    );
    let run = server.mnt(&["sessions"]).assert().code(5);
    let text = stderr(&run);
    let shown = "no \\x9b31m\\u{202e}\\u{200b}\\u{2800}\\u{3164}\\u{e000} \"db\"";
    assert!(text.contains(shown), "{text}");
    let run = server.mnt(&["count", "--trace"]).assert().code(5);
    assert!(
        !stderr(&run).contains(['\u{9b}', '\u{202e}']),
        "{}",
        stderr(&run)
    );
}

/// A script passes on a name that a stranger chose.
#[test]
fn a_refused_argument_steers_nothing() {
    for arguments in [["session", HOSTILE], ["sessions", "--color=always"]] {
        let mut command = crate::support::netapi();
        command.args(["ise", "mnt"]).args(arguments).arg(HOSTILE);
        let run = command.assert().code(2);
        let text = stderr(&run);
        assert!(text.contains("\\x9b31m\\u{202e}"), "{text:?}");
        assert!(
            !text.contains(['\u{9b}', '\u{202e}', '\u{2800}']),
            "{text:?}"
        );
    }
}

#[test]
fn warnings_as_json_can_be_read_too() {
    let server = answering("200 OK", |_| {
        "<activeList noOfActiveSession=\"1\"><activeSession><user_name>a</user_name></activeSession></activeList>".to_owned()
    });
    let run = server
        .mnt(&["sessions", "--json", "--fields", HOSTILE])
        .assert()
        .success();
    let said: serde_json::Value = serde_json::from_str(&stderr(&run)).unwrap();
    assert!(
        said["warning"].as_str().unwrap().contains(HOSTILE),
        "{said}"
    );
}

/// A list as a Monitoring node with different kinds of NAS has it: its own output can be given back
/// to it.
#[test]
fn a_column_of_macs_can_be_given_back() {
    let server = answering("200 OK", |path| {
        if path.contains("/Session/MACAddress/") {
            let mac = path.rsplit('/').next().unwrap();
            return format!(
                "<sessionParameters><calling_station_id>{mac}</calling_station_id></sessionParameters>"
            );
        }
        let rows = [
            "c8-5b-76-c6-59-62",
            "",
            "c85b.76c6.5963",
            "C8:5B:76:C6:59:64",
        ];
        let rows = rows.map(|mac| {
            format!("<activeSession><user_name>LAB\\pat\t</user_name><calling_station_id>{mac}</calling_station_id></activeSession>")
        });
        format!(
            "<activeList noOfActiveSession=\"4\">{}</activeList>",
            rows.concat()
        )
    });
    let macs = "C8:5B:76:C6:59:62\n\nC8:5B:76:C6:59:63\nC8:5B:76:C6:59:64\n";
    let list = stdout(
        &server
            .mnt(&["sessions", "--fields", "MAC"])
            .assert()
            .success(),
    );
    assert_eq!(list, macs);
    let tsv = stdout(
        &server
            .mnt(&["sessions", "--fields", "MAC", "--format", "tsv"])
            .assert()
            .success(),
    );
    assert_eq!(tsv, format!("MAC\n{macs}"));
    let run = server
        .mnt(&[
            "session",
            "-",
            "--format",
            "tsv",
            "--fields",
            "MAC",
            "--no-header",
        ])
        .write_stdin(list)
        .assert()
        .success();
    assert_eq!(stderr(&run), "");
    assert_eq!(stdout(&run), macs.replace("\n\n", "\n"));
    // One TSV: what a pipe gets, with a header.
    let piped = stdout(
        &server
            .mnt(&["sessions", "--fields", "USER,MAC"])
            .assert()
            .success(),
    );
    assert!(
        piped.starts_with("LAB\\pat\\t\tC8:5B:76:C6:59:62\nLAB\\pat\\t\t\n"),
        "{piped}"
    );
    let tsv = stdout(
        &server
            .mnt(&["sessions", "--fields", "USER,MAC", "--format", "tsv"])
            .assert()
            .success(),
    );
    assert_eq!(tsv, format!("USER\tMAC\n{piped}"));
    let sent = json(&server.mnt(&["sessions", "--json"]).assert().success());
    assert_eq!(
        sent[0]["calling_station_id"], "c8-5b-76-c6-59-62",
        "JSON keeps the server's text"
    );
}

/// More than a piece of letters of two bytes, so that pieces end inside of some.
#[test]
fn letters_stay_whole_at_the_border_of_pieces() {
    const LETTERS: usize = 100_000;
    let server = answering("200 OK", |_| {
        format!("<a>{}\u{9b}</a>\n", "\u{eb}".repeat(LETTERS))
    });
    let Some(shown) = server.on_a_terminal("get Version", 80) else {
        // `script` is not installed here; the tests of `sanitize` cover the same.
        return;
    };
    assert_eq!(shown, format!("<a>{}\\x9b</a>\n", "\u{eb}".repeat(LETTERS)));
}

#[test]
fn one_session_on_a_terminal_of_80_columns_is_no_wider() {
    let server = answering("200 OK", |path| {
        if path.contains("AuthStatus") {
            return "<authStatusOutputList/>".to_owned();
        }
        if path.contains("FailureReasons") {
            return "<failureReasonList/>".to_owned();
        }
        format!(
            "<sessionParameters><passed>false</passed><user_name>{}</user_name>\
             <calling_station_id>00-00-5e-00-53-01</calling_station_id>\
             <failure_reason>24408 {}</failure_reason><nas_ip_address>192.0.2.1</nas_ip_address>\
             <nas_port_id>GigabitEthernet1/0/7</nas_port_id><acs_server>psn-a</acs_server>\
             <auth_acs_timestamp>2026-03-09T08:14:55.207+01:00</auth_acs_timestamp>\
             <execution_steps>{}</execution_steps>\
             <other_attr_string>:!:AuthorizationPolicyMatchedRuleOfAVeryLongName={}:!:StepData=1</other_attr_string>\
             </sessionParameters>",
            "u".repeat(200),
            "failed since the user has entered the wrong password ".repeat(4),
            ["11001"; 40].join(","),
            "r".repeat(90),
        )
    });
    for words in [
        "session 00:00:5E:00:53:01",
        "explain 00:00:5E:00:53:01",
        "session 00:00:5E:00:53:01 --fields execution_steps,user_name",
    ] {
        let Some(shown) = server.on_a_terminal(words, 80) else {
            return;
        };
        for line in shown.lines() {
            assert!(line.chars().count() <= 80, "{words}: {line:?}");
        }
        assert!(shown.matches('u').count() >= 200, "nothing is cut: {shown}");
    }
}
