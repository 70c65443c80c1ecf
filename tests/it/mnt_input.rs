//! Command lines that no request can be formed from: what is said, and that nothing is sent.

use crate::support::mnt::MAC;
use crate::support::{lab, netapi, stderr, stdout};

/// A command line, and a part of what is said about it.
const BAD_INPUT: &[(&[&str], &str)] = &[
    (
        &["session", "C8:5B:76:C6:59"],
        "'C8:5B:76:C6:59' is not a MAC address; write it as C8:5B:76:C6:59:62",
    ),
    (&["explain", "zz"], "'zz' is not a MAC address"),
    (
        &["coa", "10.0.0.1"],
        "'10.0.0.1' is an IP address, not a MAC address",
    ),
    (
        &["session", "--ip", "10.0.0.300"],
        "'10.0.0.300' is not an IP address",
    ),
    (
        &["session", "--nas", "switch"],
        "'switch' is not an IP address",
    ),
    (
        &["sessions", "--ip", "10.0.0"],
        "'10.0.0' is neither an IP address nor a network",
    ),
    (
        &["sessions", "--mac", "xyz"],
        "'xyz' is not a MAC address or the beginning of one; write it as C8:5B:76",
    ),
    (
        &["session"],
        "<MAC|--ip <IP>|--user <USER>|--nas <IP>|--session-id <ID>>",
    ),
    (
        &["session", MAC, "--ip", "10.0.0.1"],
        "'[MAC]' cannot be used with '--ip <IP>'",
    ),
    (
        &["session", "--user", "a", "--nas", "10.0.0.1"],
        "'--user <USER>' cannot be used with '--nas <IP>'",
    ),
    (&["coa"], "<MAC|--mac <MAC>>"),
    (
        &["coa", MAC, "--type", "nudge"],
        "[possible values: reauth, disconnect, port-bounce, port-shutdown]",
    ),
    (
        &["delete", MAC, "--all"],
        "'[MAC]' cannot be used with '--all'",
    ),
    (
        &["count", "--posture", "--profiler"],
        "'--posture' cannot be used with '--profiler'",
    ),
    (
        &["auth-list", "--since", "tomorrow"],
        "`tomorrow` is no point in time\nhint: write how long ago",
    ),
    (
        &["auth-list", "--since", "2026-03-01T08:00:00"],
        "`2026-03-01T08:00:00` has no time zone",
    ),
    (
        &["auth-list", "--since", "1h", "--until", "2h"],
        "the window is empty: --since ",
    ),
    (
        &["auth-status", MAC, "--since", "6d"],
        "'6d' is out of range: the node looks back from 1s to 5d",
    ),
    (
        &["auth-status", MAC, "--since", "0s"],
        "'0s' is out of range",
    ),
    (
        &["auth-status", MAC, "--since", "10"],
        "add a unit: `10s`, `10m`, `10h`",
    ),
    (
        &["auth-status", MAC, "--records", "many"],
        "invalid value 'many' for '--records <N>'",
    ),
    (
        &["acct-status", MAC, "--since", "soon"],
        "`soon` is no length of time",
    ),
    (&["failure-reasons", "0"], "0 is not in 1.."),
    (&["sessions", "--limit", "-1"], "unexpected argument '-1'"),
    (
        &["sessions", "--limit", "ten"],
        "invalid value 'ten' for '--limit <N>'",
    ),
    (
        &["sessions", "--detail", "--jobs", "11"],
        "11 is not in 1..=10",
    ),
    (
        &["sessions", "--format", "pdf"],
        "[possible values: table, tsv, csv, json, jsonl, yaml, xml, html, md, wide, name]",
    ),
    (
        &["sessions", "--jq", ".["],
        "the --jq expression is wrong at character 3",
    ),
    (
        &["sessions", "--format", "xml", "--nas", "10.50.1.10"],
        "--format xml is the document as the server sent it",
    ),
    (
        &["watch", "--interval", "10ms"],
        "'10ms' is too short: at least 1s",
    ),
    (
        &["count", "--timeout", "soon"],
        "--timeout is no length of time: `soon`\nhint: write it as `500ms`",
    ),
    (
        &["count", "--timeout", "0"],
        "--timeout is no length of time: `0`\nhint: write it as `500ms`",
    ),
    (
        &["count", "--mnt-port", "99999"],
        "99999 is not in 0..=65535",
    ),
    (&["count", "--mnt-host", "https://ise/x"], "--mnt-host"),
    (
        &["count", "--cacert", "/nonexistent/ca.pem"],
        "CA bundle: cannot read /nonexistent/ca.pem: No such file",
    ),
    (
        &["count", "--cacert", "/dev/null"],
        "CA bundle: /dev/null: the file is empty",
    ),
    (
        &["count", "--pin-sha256", "abc"],
        "--pin-sha256 is no SHA-256 fingerprint",
    ),
    (
        &["count", "--resolve", "a:b"],
        "cannot use --resolve (or NETAPI_RESOLVE, or resolve of the profile): it does not have three parts",
    ),
    (
        &["count", "--password-file", "/nonexistent/p"],
        "/nonexistent/p",
    ),
];

/// What is wrong before a request is formed: the message says what and how it is written, and
/// nothing is sent.
#[test]
fn bad_input_is_refused_before_anything_is_sent() {
    let lab = lab::lab();
    for (arguments, message) in BAD_INPUT {
        let run = lab.mnt(arguments).assert();
        let text = stderr(&run);
        assert_eq!(
            run.get_output().status.code(),
            Some(2),
            "{arguments:?}: {text}"
        );
        assert!(text.contains(message), "{arguments:?}: {text}");
        assert_eq!(stdout(&run), "", "{arguments:?}");
    }
    assert_eq!(lab.requests(), [""; 0]);
}

#[test]
fn an_unknown_field_is_said_at_the_end_with_the_valid_ones() {
    let lab = lab::lab();
    for (arguments, name, offer) in [
        (["sessions", "--fields", "MAC,NOPE"], "NOPE", "the fields"),
        (["sessions", "--sort", "NOPE"], "NOPE", "the fields"),
        (
            ["sessions", "--fields", "auditSessionID"],
            "auditSessionID",
            "did you mean audit_session_id? The fields",
        ),
    ] {
        let run = lab.mnt(&arguments).assert().success();
        assert_eq!(
            stderr(&run),
            format!(
                "warning: unknown field '{name}': no row had it; {offer} here are: MAC, IP, USER, NAS, SERVER, \
                 user_name, calling_station_id, orig_calling_station_id, nas_ip_address, nas_ipv6_address, \
                 acct_session_id, audit_session_id, cpmsession_id, server, framed_ip_address, framed_ipv6_address, \
                 device_ip_address\n"
            )
        );
        assert_eq!(stdout(&run).lines().count(), 50);
    }
    let run = lab
        .mnt(&["session", MAC, "--fields", "nope", "--json"])
        .assert()
        .success();
    assert_eq!(stdout(&run), "{\"nope\":null}\n");
    let said: serde_json::Value = serde_json::from_str(&stderr(&run)).unwrap();
    let words = said["warning"].as_str().unwrap();
    assert!(words.starts_with("unknown field 'nope'"), "{words}");
}

/// Where all of a command's records are its own, another name is refused.
#[test]
fn an_unknown_field_of_what_netapi_itself_makes_is_refused() {
    let lab = lab::lab();
    let run = lab
        .mnt(&["version", "--fields", "elsewhere"])
        .assert()
        .code(2);
    let text = stderr(&run);
    assert!(
        text.contains("unknown field 'elsewhere'\nhint: the fields here are: "),
        "{text}"
    );
    assert_eq!(stdout(&run), "");
}

/// No row has them here, and the catalogue knows them.
#[test]
fn a_member_of_the_catalogue_is_a_field_though_no_row_has_it() {
    let lab = lab::lab();
    for (api, command, name) in [
        ("mnt", "sessions", "device_ip_address"),
        ("mnt", "auth-list", "cpmsession_id"),
        ("mnt", "failure-reasons", "resolution"),
        ("pxgrid", "sessions", "endpointCheckTime"),
        ("pxgrid", "sessions", "postureStatus"),
    ] {
        for words in [
            &["--fields", name][..],
            &["--fields", name, "--json"],
            &["--sort", name],
        ] {
            let mut run = lab.netapi();
            run.args(["ise", api, command]).args(words);
            let run = run.assert().success();
            assert_eq!(stderr(&run), "", "{command} {words:?}");
            assert!(!stdout(&run).is_empty(), "{command} {words:?}");
        }
    }
}

#[test]
fn without_any_settings_the_way_in_is_shown() {
    let run = netapi().args(["ise", "mnt", "count"]).assert().code(2);
    let text = stderr(&run);
    assert!(
        text.starts_with(
            "netapi: no MnT host is set\nhint: give `--mnt-host HOST`, set ISE_MNT_FQDN"
        )
    );
    assert!(text.contains("netapi ise lab run --"));
    assert_eq!(stdout(&run), "");
}
