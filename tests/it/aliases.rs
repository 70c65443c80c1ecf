//! Aliases, and programs `netapi-NAME` on the PATH: what they become, and what they may not.

use std::path::Path;

use crate::support::lab::lab;
use crate::support::{json, netapi, stderr, stdout};

fn with_config(text: &str) -> (tempfile::TempDir, assert_cmd::Command) {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("netapi/config.toml");
    std::fs::create_dir(config.parent().unwrap()).unwrap();
    std::fs::write(&config, text).unwrap();
    let command = in_home(home.path());
    (home, command)
}

fn in_home(home: &Path) -> assert_cmd::Command {
    let mut command = netapi();
    command.env("XDG_CONFIG_HOME", home);
    command
}

#[test]
fn an_alias_becomes_its_words_and_what_follows_it_follows_them() {
    let lab = lab();
    let home = tempfile::tempdir().unwrap();
    let set = |words: &[&str]| {
        let mut command = in_home(home.path());
        command.args(["alias", "set"]).args(words).assert()
    };
    set(&["active", "ise", "mnt", "count"]).success();
    set(&["kim", "netapi ise mnt sessions --user '*pat.kim*'"]).success();
    set(&["kims", "kim", "-o", "name"]).success();
    let run = |words: &[&str]| {
        let mut command = lab.netapi();
        command.env("XDG_CONFIG_HOME", home.path());
        stdout(&command.args(words).assert().success())
    };
    assert_eq!(run(&["active"]), "50\n");
    assert_eq!(run(&["--json", "active"]), run(&["active", "--json"]));
    let wanted = stdout(
        &lab.mnt(&["sessions", "--user", "*pat.kim*", "-o", "name"])
            .assert(),
    );
    assert!(!wanted.is_empty());
    assert_eq!(run(&["kims"]), wanted);
    let list = in_home(home.path())
        .args(["alias", "list", "--json"])
        .assert()
        .success();
    assert_eq!(
        json(&list)[1]["command"],
        "ise mnt sessions --user '*pat.kim*'"
    );
    in_home(home.path())
        .args(["alias", "remove", "kim"])
        .assert()
        .success();
    let gone = in_home(home.path()).args(["kim"]).assert().code(2);
    assert!(stderr(&gone).starts_with("netapi: unrecognized subcommand 'kim'"));
    let again = in_home(home.path())
        .args(["alias", "remove", "kim"])
        .assert()
        .code(2);
    assert!(stderr(&again).starts_with("netapi: there is no alias kim\n"));
}

#[test]
fn an_alias_takes_no_commands_place_and_leads_not_back_to_itself() {
    let (_home, mut command) = with_config("[aliases]\nise = 'man'\nhelp = 'man'\n");
    let run = command.args(["help", "exit-codes"]).assert().success();
    assert!(stdout(&run).starts_with("Exit status"));
    let (_home, mut command) = with_config("[aliases]\na = 'b --json'\nb = 'a'\n");
    let run = command.arg("a").assert().code(2);
    let text = stderr(&run);
    assert!(text.contains("a -> b -> a"), "{text}");
    for (words, wanted) in [
        (&["man", "ise"][..], "man is a command of netapi"),
        (&["a b", "man"], "'a b' is no name for an alias"),
        (&["q", "nonsense"], "'nonsense' is none"),
        (&["q", "man 'x"], "a quote in it has no end"),
    ] {
        let (_home, mut command) = with_config("");
        let run = command.args(["alias", "set"]).args(words).assert().code(2);
        assert!(stderr(&run).contains(wanted), "{}", stderr(&run));
    }
    let (_home, mut command) = with_config("[aliases]\nq = 7\n");
    let run = command.arg("q").assert().code(2);
    assert!(
        stderr(&run).contains("config.toml:2: the alias q wants the words"),
        "{}",
        stderr(&run)
    );
}

/// Nothing in an alias is run by a shell.
#[test]
fn an_alias_is_no_shell() {
    let (home, mut command) = with_config("[aliases]\nq = 'ise mnt count; touch x'\n");
    let run = command.current_dir(home.path()).arg("q").assert().code(2);
    assert!(
        stderr(&run).contains("unrecognized subcommand 'count;'"),
        "{}",
        stderr(&run)
    );
    assert!(!home.path().join("x").exists());
}

#[test]
fn a_program_on_the_path_has_the_settings_and_no_passwords() {
    use std::os::unix::fs::PermissionsExt;
    let (home, mut command) =
        with_config("[profiles.campus]\nmnt_host = 'mnt.example'\nmnt_port = 8443\n");
    let program = home.path().join("netapi-hello");
    let script = "#!/bin/sh\necho \"$@\"\necho $ISE_MNT_FQDN:$ISE_MNT_PORT $NETAPI_PROFILE\n\
                  echo pass=$ISE_MNT_PASS$ISE_PXGRID_PASSWORD\n\"$NETAPI\" --version\nexit 7\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!(
        "{}:{}",
        home.path().display(),
        std::env::var("PATH").unwrap()
    );
    let run = command
        .env("PATH", &path)
        .env("ISE_MNT_PASS", "geheim")
        .env("ISE_PXGRID_PASSWORD", "geheim")
        .args(["--profile", "campus", "hello", "--json", "x y"])
        .assert()
        .code(7);
    let version = format!("netapi {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        stdout(&run),
        format!("--json x y\nmnt.example:8443 campus\npass=\n{version}")
    );
    // A command of ours is ours, and a directory that depends on where one is is not looked into.
    std::fs::copy(&program, home.path().join("netapi-man")).unwrap();
    let run = in_home(home.path())
        .env("PATH", &path)
        .arg("man")
        .assert()
        .success();
    assert!(stdout(&run).contains(".TH"));
    let run = in_home(home.path())
        .env("PATH", ".")
        .current_dir(home.path())
        .arg("hello")
        .assert()
        .code(2);
    assert!(stderr(&run).starts_with("netapi: unrecognized subcommand 'hello'"));
}

#[test]
fn profiles_are_listed_chosen_and_changed() {
    let (home, _) = with_config("# mine\n[profiles.a]\nmnt_host = 'a.example'\n");
    let run = |words: &[&str]| in_home(home.path()).args(words).assert();
    run(&["config", "set", "mnt_host", "b.example", "--profile", "b"]).success();
    run(&["config", "use", "b"]).success();
    run(&["config", "set", "mnt_port", "8443"]).success();
    let list = json(&run(&["config", "profiles", "--json"]).success());
    assert_eq!(list[0]["default"], false);
    assert_eq!(list[1]["profile"], "b");
    assert_eq!(list[1]["default"], true);
    let text = std::fs::read_to_string(home.path().join("netapi/config.toml")).unwrap();
    assert!(
        text.starts_with("# mine\n") || text.contains("\n# mine\n"),
        "{text}"
    );
    assert!(text.contains("mnt_port = 8443"), "{text}");
    let refused = run(&["config", "set", "mnt_password", "hunter2"]).code(2);
    assert!(stderr(&refused).contains("secrets do not stand in this file"));
    assert!(!stderr(&refused).contains("hunter2"));
    let refused = run(&["config", "use", "c"]).code(2);
    assert!(
        stderr(&refused).contains("hint: it has: a, b"),
        "{}",
        stderr(&refused)
    );
}
