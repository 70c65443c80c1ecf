//! `netapi config init` as a person has it: a terminal, an empty home, a lab.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::lab::{faulty, lab};
use crate::support::mnt::MAC;
use crate::support::terminal::Terminal;
use crate::support::{netapi, process, stderr, stdout};

/// An empty home with nothing in the environment.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn environment(&self) -> Vec<(String, OsString)> {
        let process = process();
        let kept = process.get_envs().filter_map(|(name, value)| {
            let name = name.to_str()?.to_owned();
            Some((name, value?.to_owned()))
        });
        let mut kept: Vec<_> = kept.filter(|(name, _)| name != "HOME").collect();
        kept.push(("HOME".to_owned(), self.0.path().into()));
        kept.push(("NO_COLOR".to_owned(), "1".into()));
        kept
    }

    fn init(&self, more: &[&str]) -> Option<Terminal> {
        let words = [&["config", "init"], more].concat();
        Terminal::start(env!("CARGO_BIN_EXE_netapi"), &words, self.environment())
    }

    fn run(&self, words: &[&str]) -> assert_cmd::assert::Assert {
        let mut command = netapi();
        command.env("HOME", self.0.path()).args(words).assert()
    }

    fn directory(&self) -> PathBuf {
        self.0.path().join(".config/netapi")
    }

    fn config(&self) -> String {
        std::fs::read_to_string(self.directory().join("config.toml")).unwrap()
    }

    /// Every file below the home, by its name.
    fn files(&self) -> Vec<String> {
        fn walk(directory: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(directory).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    let mode = path.metadata().unwrap().permissions().mode() & 0o777;
                    assert_eq!(mode, 0o600, "{}", path.display());
                    found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        let mut found = Vec::new();
        walk(self.0.path(), &mut found);
        found.sort();
        found
    }
}

fn answer(terminal: &mut Terminal, question: &str, answer: &str) -> String {
    let seen = terminal.until(question);
    terminal.types(&format!("{answer}\n"));
    seen
}

#[test]
fn from_an_empty_home_to_the_first_quarantine() {
    let lab = lab();
    let home = Home::new();
    let Some(mut terminal) = home.init(&[]) else {
        return;
    };
    answer(&mut terminal, "Name of the profile [ise]: ", "");
    let node = format!("localhost:{}", lab.variable("ISE_MNT_PORT"));
    answer(
        &mut terminal,
        "Monitoring node (host or host:port): ",
        &node,
    );
    let shown = answer(&mut terminal, "Number [1]: ", "1");
    for wanted in [
        "subject  CN=ise-mnt.lab.example",
        "issuer   CN=netapi lab CA",
        "SHA-256  ",
        "valid    ",
        "is not trusted",
        "1  keep its CA",
        "3  keep this one certificate",
    ] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    // Nothing but handshakes went there so far.
    terminal.until("is reached and trusted");
    assert_eq!(lab.requests().len(), 0);
    // Back to the question before, and on again.
    answer(&mut terminal, "(role MnT Admin): ", "<");
    answer(
        &mut terminal,
        "Monitoring node (host or host:port): ",
        &node,
    );
    answer(&mut terminal, "Number [1]: ", "1");
    // A wrong password is tried once, and said.
    let user = lab.variable("ISE_MNT_USER");
    answer(&mut terminal, "(role MnT Admin): ", &user);
    answer(&mut terminal, "Number [1]: ", "");
    answer(&mut terminal, "(Enter goes back): ", "wrong");
    let refused = answer(&mut terminal, "Number [1]: ", "");
    assert!(refused.contains("refused"), "{refused}");
    assert_eq!(lab.requests().len(), 1);
    answer(&mut terminal, "(role MnT Admin): ", &user);
    answer(&mut terminal, "Number [1]: ", "");
    let password = lab.variable("ISE_MNT_PASS");
    answer(&mut terminal, "(Enter goes back): ", &password);
    terminal.until("is let in: Cisco Identity Services Engine");
    let hosts = lab.variable("ISE_PXGRID_HOST");
    answer(&mut terminal, "leave pxGrid out) [localhost]: ", &hosts);
    answer(&mut terminal, "Number [1]: ", "");
    answer(
        &mut terminal,
        "PKCS#12 with its key): ",
        &lab.variable("PXGRID_CERT"),
    );
    answer(
        &mut terminal,
        "in the same file) [-]: ",
        &lab.variable("PXGRID_KEY"),
    );
    terminal.until("is enabled.");
    assert_eq!(home.files(), [""; 0]);
    let summary = answer(&mut terminal, "config.toml? [Y/n]: ", "");
    assert!(!summary.contains(&password), "{summary}");
    let rest = terminal.until("anc apply --mac MAC --policy Quarantine");
    assert!(rest.contains("doctor: "), "{rest}");
    let (status, seen) = terminal.end();
    assert!(status.success(), "{rest}{seen}");
    assert!(!rest.contains("fail  "), "{rest}");
    assert_eq!(
        home.files(),
        ["config.toml", "ise.ca.pem", "ise.mnt-password"]
    );
    assert!(!home.config().contains(&password));
    // What it said to try, with nothing else set.
    let rows = stdout(
        &home
            .run(&["ise", "mnt", "sessions", "-o", "name"])
            .success(),
    );
    assert!(rows.contains(MAC), "{rows}");
    let order = ["anc", "apply", "--mac", MAC, "--policy", "Quarantine"];
    home.run(&[&["ise", "pxgrid"], &order[..]].concat())
        .success();
    let quarantined = stdout(&lab.pxgrid(&["anc", "endpoints", "-o", "tsv"]).assert());
    assert!(quarantined.contains(MAC), "{quarantined}");
}

/// An account with a password is made, its approval awaited, and its password kept.
#[test]
fn an_account_is_made_and_its_approval_awaited() {
    let lab = faulty(&["account-pending@2"]);
    let home = Home::new();
    let Some(mut terminal) = home.init(&["--profile", "plant"]) else {
        return;
    };
    answer(&mut terminal, "Name of the profile [plant]: ", "");
    let node = format!("localhost:{}", lab.variable("ISE_MNT_PORT"));
    answer(
        &mut terminal,
        "Monitoring node (host or host:port): ",
        &node,
    );
    answer(&mut terminal, "Number [1]: ", "2");
    answer(&mut terminal, "File: ", "/nowhere.pem");
    answer(&mut terminal, "File: ", &lab.variable("ISE_CA_CERT"));
    answer(
        &mut terminal,
        "(role MnT Admin): ",
        &lab.variable("ISE_MNT_USER"),
    );
    answer(&mut terminal, "Number [1]: ", "2");
    answer(&mut terminal, "Command: ", "false");
    let failed = answer(
        &mut terminal,
        "Command: ",
        &format!("printf '%s' {}", lab.variable("ISE_MNT_PASS")),
    );
    assert!(failed.contains("`false` failed"), "{failed}");
    let hosts = lab.variable("ISE_PXGRID_HOST");
    answer(&mut terminal, "leave pxGrid out) [localhost]: ", &hosts);
    answer(&mut terminal, "Number [1]: ", "2");
    answer(&mut terminal, "Our name on the grid [netapi]: ", "reporter");
    let pending = answer(&mut terminal, "Number [1]: ", "");
    assert!(pending.contains("'reporter' awaits approval"), "{pending}");
    answer(&mut terminal, "Number [1]: ", "");
    terminal.until("is enabled.");
    answer(&mut terminal, "config.toml? [Y/n]: ", "");
    let (status, seen) = terminal.end();
    assert!(status.success(), "{seen}");
    assert_eq!(home.files(), ["config.toml", "plant.client-password"]);
    let config = home.config();
    assert!(
        config.contains("mnt_password_command = [\"printf\""),
        "{config}"
    );
    assert!(config.contains("default_profile = \"plant\""), "{config}");
    let shown = home.run(&["ise", "pxgrid", "account", "show"]).success();
    assert!(stdout(&shown).contains("reporter"), "{}", stdout(&shown));
}

#[test]
fn an_end_in_the_middle_leaves_nothing_behind() {
    let lab = lab();
    for at in ["(role MnT Admin): ", "(Enter goes back): ", "[Y/n]: "] {
        let home = Home::new();
        let Some(mut terminal) = home.init(&[]) else {
            return;
        };
        answer(&mut terminal, "Name of the profile [ise]: ", "");
        let node = format!("localhost:{}", lab.variable("ISE_MNT_PORT"));
        answer(
            &mut terminal,
            "Monitoring node (host or host:port): ",
            &node,
        );
        answer(&mut terminal, "Number [1]: ", "");
        for (question, given) in [
            ("(role MnT Admin): ", lab.variable("ISE_MNT_USER")),
            ("Number [1]: ", String::new()),
            ("(Enter goes back): ", lab.variable("ISE_MNT_PASS")),
            ("leave pxGrid out) [localhost]: ", "none".to_owned()),
            ("[Y/n]: ", "\u{3}".to_owned()),
        ] {
            if question == at {
                terminal.until(question);
                terminal.types("\u{3}");
                break;
            }
            answer(&mut terminal, question, &given);
        }
        let (status, seen) = terminal.end();
        assert!(!status.success(), "{at}: {seen}");
        assert_eq!(home.files(), [""; 0], "{at}");
    }
}

/// What cannot be reached or was typed wrongly can be kept, repeated or gone back on; a profile
/// that is there is changed, and the rest of it stays.
#[test]
fn what_does_not_work_is_the_users_to_decide() {
    let lab = lab();
    let home = Home::new();
    std::fs::create_dir_all(home.directory()).unwrap();
    let config = home.directory().join("config.toml");
    std::fs::write(
        &config,
        "# mine\n[profiles.ise]\nmnt_host = 'old.invalid'\ninsecure = true\ntimeout = '5s'\n\
         [profiles.other]\nmnt_host = 'h'\n",
    )
    .unwrap();
    std::fs::set_permissions(&config, PermissionsExt::from_mode(0o600)).unwrap();
    let Some(mut terminal) = home.init(&["--profile", "ise"]) else {
        return;
    };
    answer(&mut terminal, "Name of the profile [ise]: ", "a b");
    answer(&mut terminal, "Name of the profile [ise]: ", "");
    let node = "Monitoring node (host or host:port) [old.invalid]: ";
    let known = answer(&mut terminal, node, "localhost:1");
    assert!(known.contains("is there already"), "{known}");
    let closed = answer(&mut terminal, "Number [1]: ", "3");
    assert!(closed.contains("connection was refused"), "{closed}");
    let reachable = format!("localhost:{}", lab.variable("ISE_MNT_PORT"));
    answer(&mut terminal, node, &reachable);
    answer(&mut terminal, "Number [1]: ", "9");
    // The one certificate.
    answer(&mut terminal, "Number [1]: ", "3");
    answer(&mut terminal, "(role MnT Admin): ", "nobody");
    answer(&mut terminal, "Number [1]: ", "3");
    answer(&mut terminal, "(Enter goes back): ", "wrong");
    answer(&mut terminal, "Number [1]: ", "2");
    answer(&mut terminal, "leave pxGrid out) [localhost]: ", "none");
    answer(&mut terminal, "no --profile is given? [Y/n]: ", "<");
    answer(&mut terminal, "leave pxGrid out) [localhost]: ", "none");
    answer(&mut terminal, "no --profile is given? [Y/n]: ", "y");
    answer(&mut terminal, "config.toml? [Y/n]: ", "y");
    // The doctor has the password asked for, as the profile says.
    answer(&mut terminal, "Password of nobody (profile ise): ", "wrong");
    let (status, seen) = terminal.end();
    assert_eq!(status.code(), Some(4), "{seen}");
    let text = home.config();
    for wanted in [
        "# mine\n",
        "timeout = '5s'",
        "default_profile = \"ise\"",
        "pin_sha256 = \"",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(!text.contains("insecure"), "{text}");
    assert_eq!(home.files(), ["config.toml"]);
}

#[test]
fn where_nobody_can_be_asked_it_says_what_to_do() {
    let home = Home::new();
    for words in [&["config", "init"][..], &["config", "init", "--no-input"]] {
        let run = home.run(words).code(2);
        let text = stderr(&run);
        assert!(
            text.starts_with("netapi: config init is a conversation, and "),
            "{text}"
        );
        assert!(text.contains("netapi config init --template"), "{text}");
    }
    assert_eq!(home.files(), [""; 0]);
}
