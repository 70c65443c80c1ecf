//! Where settings come from and which wins; what is said when they are wrong. Traffic goes to a
//! lab, so a value that was taken shows on the wire.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use netapi::testing::lab::PASSWORD;

use crate::support::lab::{TestLab, lab};
use crate::support::{json, netapi, stderr, stdout};

/// `netapi` with a configuration file, and nothing else to reach the lab.
fn with_profile(home: &Path, text: &str) -> Command {
    let directory = home.join("netapi");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("config.toml"), text).unwrap();
    let mut command = netapi();
    command.env("XDG_CONFIG_HOME", home);
    command
}

/// The lines of a profile that reach the lab, without the password.
fn profile(lab: &TestLab) -> String {
    format!(
        "[profiles.lab]\nmnt_host = \"localhost\"\nmnt_port = {}\nmnt_user = \"lab-admin\"\ncacert = \"{}\"\n",
        lab.variable("ISE_MNT_PORT"),
        lab.variable("ISE_CA_CERT")
    )
}

/// Value and source of a setting in `config show`.
fn shown(command: &mut Command, setting: &str) -> (String, String) {
    let run = command
        .args(["config", "show", "--json"])
        .assert()
        .success();
    let rows = json(&run);
    let row = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["setting"] == setting)
        .unwrap_or_else(|| panic!("no {setting} in {rows}"))
        .clone();
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    (text("value"), text("source"))
}

#[test]
fn a_flag_wins_over_the_environment_that_over_the_profile_that_over_the_default() {
    let home = tempfile::tempdir().unwrap();
    let text =
        "default_profile = \"a\"\n[profiles.a]\nmnt_host = \"profile.example\"\nmnt_port = 1111\n";
    let command = || with_profile(home.path(), text);
    let (value, source) = shown(
        command()
            .env("ISE_MNT_FQDN", "environment.example")
            .args(["--mnt-host", "flag.example"]),
        "mnt-host",
    );
    assert_eq!(
        (value.as_str(), source.contains("--mnt-host")),
        ("flag.example", true),
        "{source}"
    );
    let (value, source) = shown(
        command().env("ISE_MNT_FQDN", "environment.example"),
        "mnt-host",
    );
    assert_eq!(
        (value.as_str(), source.contains("ISE_MNT_FQDN")),
        ("environment.example", true)
    );
    let (value, source) = shown(&mut command(), "mnt-host");
    assert_eq!(
        (value.as_str(), source.contains("profile")),
        ("profile.example", true),
        "{source}"
    );
    assert_eq!(shown(&mut command(), "mnt-port").0, "1111");
    let (value, source) = shown(&mut netapi(), "mnt-port");
    assert_eq!((value.as_str(), source.as_str()), ("443", "default"));
}

#[test]
fn the_first_variable_that_is_set_wins() {
    let names = [
        "ISE_MNT_FQDN",
        "ISE_MNT_IP",
        "ISE_PAN_FQDN",
        "ISE_PAN_IP",
        "ISE_HOST",
    ];
    for first in 0..names.len() {
        let mut command = netapi();
        for name in &names[first..] {
            command.env(
                name,
                format!("{}.example", name.to_lowercase().replace('_', "-")),
            );
        }
        let (value, source) = shown(&mut command, "mnt-host");
        assert_eq!(
            value,
            format!("{}.example", names[first].to_lowercase().replace('_', "-"))
        );
        assert!(source.contains(names[first]), "{source}");
    }
}

#[test]
fn half_a_pair_names_both_variables() {
    for prefix in ["ISE_MNT", "ISE_API", "ISE"] {
        for (set, missing) in [("USER", "PASS"), ("PASS", "USER")] {
            let run = netapi()
                .args(["ise", "mnt", "count", "--no-input"])
                .env("ISE_HOST", "localhost")
                .env(format!("{prefix}_{set}"), "something")
                .assert()
                .code(2);
            let text = stderr(&run);
            assert!(
                text.contains(&format!(
                    "{prefix}_{set} is set, but {prefix}_{missing} is not"
                )),
                "{text}"
            );
            assert!(
                text.contains("\nhint: ") && !text.contains("something"),
                "{text}"
            );
        }
    }
}

/// A pair is taken whole: never a user from here and a password from there.
#[test]
fn a_later_pair_is_used_where_no_earlier_one_is_begun() {
    let lab = lab();
    lab.mnt(&["count"])
        .env_remove("ISE_MNT_USER")
        .env_remove("ISE_MNT_PASS")
        .env("ISE_API_USER", "lab-admin")
        .env("ISE_API_PASS", PASSWORD)
        .env("ISE_USER", "other")
        .env("ISE_PASS", "other")
        .assert()
        .success();
    assert_eq!(lab.entries()[0].user.as_deref(), Some("lab-admin"));
}

#[test]
fn a_password_comes_from_a_file_from_standard_input_or_from_a_command() {
    let lab = lab();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("password");
    fs::write(&file, format!("{PASSWORD}\nsecond line\n")).unwrap();
    let file = file.to_str().unwrap();
    for line in [
        format!("mnt_password_file = \"{file}\""),
        format!("mnt_password_command = [\"printf\", \"{PASSWORD}\"]"),
        format!("password_command = [\"cat\", \"{file}\"]"),
    ] {
        let mut command = with_profile(home.path(), &format!("{}{line}\n", profile(&lab)));
        command.args(["--profile", "lab", "ise", "mnt", "count"]);
        let run = command.assert();
        assert!(
            run.get_output().status.success(),
            "{line}: {}",
            stderr(&run)
        );
        assert_eq!(stdout(&run), "50\n");
    }
    let bare = |words: &[&str]| {
        let mut command = with_profile(home.path(), &profile(&lab));
        command
            .env("NETAPI_PROFILE", "lab")
            .args(["ise", "mnt", "count"])
            .args(words);
        command
    };
    bare(&["--mnt-user", "lab-admin", "--password-file", file])
        .assert()
        .success();
    bare(&["--mnt-user", "lab-admin", "--password-file", "-"])
        .write_stdin(format!("{PASSWORD}\n"))
        .assert()
        .success();
    assert_eq!(lab.requests().len(), 5);
    for words in [&["--no-input"][..], &[]] {
        let run = bare(words).assert().code(2);
        assert!(
            stderr(&run).contains("is missing, and "),
            "{}",
            stderr(&run)
        );
    }
    assert_eq!(
        lab.requests().len(),
        5,
        "without a password nothing is sent"
    );
}

#[test]
fn a_password_command_that_fails_is_named() {
    let lab = lab();
    let home = tempfile::tempdir().unwrap();
    for (command, words) in [
        ("[\"false\"]", "`false` failed"),
        ("[\"no-such-command\"]", "`no-such-command` cannot be run"),
        ("[\"true\"]", "`true`"),
    ] {
        let text = format!("{}mnt_password_command = {command}\n", profile(&lab));
        let run = with_profile(home.path(), &text)
            .args(["--profile", "lab", "ise", "mnt", "count"])
            .assert()
            .code(2);
        assert!(stderr(&run).contains(words), "{}", stderr(&run));
    }
    assert_eq!(lab.requests(), [""; 0]);
}

#[test]
fn an_env_file_is_read_and_the_environment_wins_over_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lab.env");
    fs::write(
        &file,
        "# the lab\nexport ISE_MNT_FQDN='file.example'\nISE_MNT_PORT=8443\n",
    )
    .unwrap();
    let path = file.to_str().unwrap();
    let (value, source) = shown(netapi().args(["--env-file", path]), "mnt-host");
    assert_eq!(value, "file.example");
    assert!(
        source.contains("ISE_MNT_FQDN") && source.contains("lab.env"),
        "{source}"
    );
    let (value, _) = shown(
        netapi()
            .args(["--env-file", path])
            .env("ISE_MNT_FQDN", "environment.example"),
        "mnt-host",
    );
    assert_eq!(value, "environment.example");
    fs::write(&file, "ISE_MNT_FQDN=ise\n=nonsense\n").unwrap();
    let run = netapi()
        .args(["--env-file", path, "ise", "mnt", "count"])
        .assert()
        .code(2);
    assert!(stderr(&run).contains("lab.env:2: "), "{}", stderr(&run));
}

#[test]
fn a_wrong_configuration_file_is_named_with_its_line() {
    let home = tempfile::tempdir().unwrap();
    for (text, words) in [
        (
            "[profiles.a]\nmnt_hots = \"x\"\n",
            "config.toml:2: unknown key mnt_hots\nhint: did you mean mnt_host?",
        ),
        ("[profiles.a]\nmnt_host = \n", "config.toml:2: no TOML"),
        (
            "[profiles.a\nmnt_host = \"x\"\n",
            "\nhint: a table is [profiles.NAME]",
        ),
        (
            "[profiles.a]\nmnt_password = \"hunter2\"\n",
            "config.toml:2: mnt_password: secrets do not stand in this file",
        ),
        ("[profiles.b]\n", "has no profile a\nhint: it has: b"),
    ] {
        let run = with_profile(home.path(), text)
            .args(["--profile", "a", "ise", "mnt", "count"])
            .assert()
            .code(2);
        assert!(stderr(&run).contains(words), "{}", stderr(&run));
        assert!(!stderr(&run).contains("hunter2"));
    }
}

#[test]
fn config_show_masks_secrets_and_names_sources() {
    let lab = lab();
    let run = lab.netapi().args(["config", "show"]).assert().success();
    let text = stdout(&run);
    assert!(!text.contains(PASSWORD));
    assert!(
        text.contains("password\t****\tenvironment ISE_MNT_PASS"),
        "{text}"
    );
    assert_eq!(lab.requests(), [""; 0]);
}

#[test]
fn config_init_writes_once_where_config_path_says() {
    let home = tempfile::tempdir().unwrap();
    let command = |word: &str| {
        let mut command = netapi();
        command
            .env("XDG_CONFIG_HOME", home.path())
            .args(["config", word]);
        if word == "init" {
            command.arg("--template");
        }
        command
    };
    let path = home.path().join("netapi/config.toml");
    assert_eq!(
        stdout(&command("path").assert().success()),
        format!("{}\n", path.display())
    );
    let run = command("init").assert().success();
    assert!(stderr(&run).contains(&format!("wrote {}", path.display())));
    assert!(fs::read_to_string(&path).unwrap().contains("mnt_host"));
    fs::write(&path, "# mine\n").unwrap();
    let run = command("init").assert().code(2);
    assert!(
        stderr(&run).contains("exists already\nhint: "),
        "{}",
        stderr(&run)
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "# mine\n");
}

#[test]
fn a_leading_tilde_is_the_home_directory() {
    let lab = lab();
    let home = tempfile::tempdir().unwrap();
    fs::copy(lab.variable("ISE_CA_CERT"), home.path().join("ca.pem")).unwrap();
    lab.mnt(&["count"])
        .env("HOME", home.path())
        .env("ISE_CA_CERT", "~/ca.pem")
        .assert()
        .success();
    let run = lab
        .mnt(&["count"])
        .env("HOME", home.path())
        .env("ISE_CA_CERT", "~/none.pem")
        .assert()
        .code(2);
    let whole = home.path().join("none.pem");
    assert!(
        stderr(&run).contains(whole.to_str().unwrap()),
        "{}",
        stderr(&run)
    );
}
