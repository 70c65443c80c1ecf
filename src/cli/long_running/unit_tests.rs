use super::*;

fn words(line: &[&str]) -> Vec<String> {
    let line = line.iter().map(OsString::from);
    let words = texts(command_line(line).unwrap()).unwrap();
    words[1..].to_vec()
}

#[test]
fn a_command_line_is_written_anew_with_whole_paths() {
    let here = std::env::current_dir().unwrap();
    let spool = here.join("spool");
    assert_eq!(
        words(&[
            "netapi",
            "--no-input",
            "ise",
            "pxgrid",
            "subscribe",
            "--print-unit",
            "--topic",
            "session",
            "--topic=anc",
            "--callback",
            "/bin/sh",
            "--spool",
            "./spool",
            "--key",
            "/k.pem",
            "--",
            "-c",
            "exit",
        ]),
        [
            "ise",
            "pxgrid",
            "subscribe",
            "--topic",
            "session",
            "--topic",
            "anc",
            "--callback",
            "/bin/sh",
            "--spool",
            spool.to_str().unwrap(),
            "--no-input",
            "--key",
            "/k.pem",
            "--",
            "-c",
            "exit",
        ]
    );
}

#[test]
fn values_that_begin_with_a_dash_stay_values() {
    assert_eq!(
        words(&[
            "netapi", "ise", "mnt", "watch", "--fields", "a,b", "--sort", "-mac"
        ]),
        [
            "ise",
            "mnt",
            "watch",
            "--fields",
            "a",
            "--fields",
            "b",
            "--sort=-mac"
        ]
    );
}

#[test]
fn standard_input_is_refused() {
    let line = ["netapi", "ise", "mnt", "watch", "--password-file", "-"];
    let error = command_line(line.iter().map(OsString::from)).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(error.message().contains("--password-file"), "{error}");
}

#[test]
fn words_are_quoted_as_systemd_reads_them() {
    for (word, text) in [
        ("plain-1.2/x:y=z", "plain-1.2/x:y=z"),
        ("", "\"\""),
        ("two words", "\"two words\""),
        ("100%", "\"100%%\""),
        ("a\"b\\c'd;", "\"a\\\"b\\\\c'd;\""),
        ("line\nend\t\u{1}", "\"line\\nend\\t\\x01\""),
        ("größer", "\"größer\""),
    ] {
        assert_eq!(quoted(word), text);
    }
}
