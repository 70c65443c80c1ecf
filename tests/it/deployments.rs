//! Several deployments asked side by side: one output, failures named, nothing of one sent to
//! another.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;

use netapi::testing::lab::LabOptions;
use serde_json::Value;

use crate::support::lab::{TestLab, faulty, lab, with};
use crate::support::mnt::MAC;
use crate::support::terminal::Terminal;
use crate::support::{json, netapi, process, stderr, stdout};

/// A configuration with a profile for each lab, and the program that reads it.
struct Home {
    directory: tempfile::TempDir,
}

impl Home {
    fn of(labs: &[(&str, &TestLab)]) -> Self {
        let home = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        let mut text = String::new();
        for (name, lab) in labs {
            let password = home.directory.path().join(format!("{name}.password"));
            std::fs::write(&password, lab.variable("ISE_MNT_PASS")).unwrap();
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&password, private).unwrap();
            let _ = writeln!(text, "[profiles.{name}]");
            for (key, variable) in [
                ("mnt_host", "ISE_MNT_FQDN"),
                ("mnt_user", "ISE_MNT_USER"),
                ("cacert", "ISE_CA_CERT"),
                ("client_name", "ISE_PXGRID_CLIENT_NAME"),
                ("cert", "PXGRID_CERT"),
                ("key", "PXGRID_KEY"),
            ] {
                let _ = writeln!(text, "{key} = '{}'", lab.variable(variable));
            }
            let hosts = lab.variable("ISE_PXGRID_HOST").replace(',', "', '");
            let _ = writeln!(text, "pxgrid_hosts = ['{hosts}']");
            let _ = writeln!(text, "mnt_port = {}", lab.variable("ISE_MNT_PORT"));
            let _ = writeln!(text, "mnt_password_file = '{}'", password.display());
        }
        home.write(&text);
        home
    }

    fn write(&self, text: &str) {
        let config = self.directory.path().join("netapi/config.toml");
        std::fs::create_dir_all(config.parent().unwrap()).unwrap();
        std::fs::write(config, text).unwrap();
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("netapi/config.toml")).unwrap()
    }

    fn run(&self, words: &[&str]) -> assert_cmd::Command {
        let mut command = netapi();
        command
            .env("XDG_CONFIG_HOME", self.directory.path())
            .args(words);
        command
    }
}

fn of<'a>(rows: &'a Value, deployment: &str) -> Vec<&'a Value> {
    let rows = rows.as_array().unwrap().iter();
    rows.filter(|row| row["deployment"] == deployment).collect()
}

#[test]
fn lists_meet_in_one_and_each_row_says_whose_it_is() {
    let (one, two) = (
        lab(),
        with(LabOptions {
            sessions: 7,
            ..LabOptions::default()
        }),
    );
    let home = Home::of(&[("campus", &one), ("plant", &two)]);
    for branch in ["mnt", "pxgrid"] {
        let words = ["ise", branch, "sessions", "--all-profiles", "--json"];
        let rows = json(&home.run(&words).assert().success());
        let alone = ["ise", branch, "sessions", "--profile", "plant", "--json"];
        let alone = json(&home.run(&alone).assert().success());
        assert_eq!(of(&rows, "campus").len(), 50, "{branch}");
        let mut plant: Vec<Value> = of(&rows, "plant").into_iter().cloned().collect();
        for row in &mut plant {
            let first = row.as_object().unwrap().keys().next().unwrap();
            assert_eq!(first, "deployment");
            row.as_object_mut().unwrap().shift_remove("deployment");
        }
        // Every member that the server sent is there as it was.
        assert_eq!(Value::from(plant), alone, "{branch}");
    }
    let mut table = home.run(&[
        "ise",
        "mnt",
        "sessions",
        "--profile",
        "campus,plant",
        "-o",
        "tsv",
    ]);
    let table = stdout(&table.assert().success());
    assert!(table.starts_with("DEPLOYMENT\tMAC\t"), "{table}");
    assert_eq!(
        table
            .lines()
            .filter(|line| line.starts_with("plant\t"))
            .count(),
        7
    );
    // What is said of a whole list is said of all of them.
    let counted = [
        "ise",
        "mnt",
        "sessions",
        "--all-profiles",
        "--by",
        "deployment",
        "--json",
    ];
    let counted = json(&home.run(&counted).assert().success());
    assert_eq!(counted[0]["deployment"], "campus");
    assert_eq!(counted[1]["count"], 7);
    let first = [
        "ise",
        "mnt",
        "sessions",
        "--all-profiles",
        "-n",
        "5",
        "-o",
        "name",
    ];
    let first = stdout(&home.run(&first).assert().success());
    assert_eq!(first.lines().count(), 5, "{first}");
    let jq = ["ise", "mnt", "sessions", "--all-profiles", "--jq", "length"];
    assert_eq!(stdout(&home.run(&jq).assert().success()), "57\n");
}

#[test]
fn single_things_become_a_row_for_each_deployment_in_the_profiles_order() {
    let (one, two) = (
        lab(),
        with(LabOptions {
            sessions: 7,
            ..LabOptions::default()
        }),
    );
    let home = Home::of(&[("campus", &one), ("plant", &two)]);
    let count = ["ise", "mnt", "count", "--profile", "plant,campus"];
    assert_eq!(
        stdout(&home.run(&count).assert().success()),
        "plant\t7\ncampus\t50\n"
    );
    let count = json(&home.run(&[&count[..], &["--json"]].concat()).assert());
    assert_eq!(
        count.to_string(),
        r#"[{"deployment":"plant","count":7},{"deployment":"campus","count":50}]"#
    );
    // An endpoint is on one network or the other: that one of them lacks it is no failure.
    let far = one.mnt(&["sessions", "-o", "name"]).assert().success();
    let far = stdout(&far).lines().last().unwrap().to_owned();
    let mut run = home.run(&["ise", "mnt", "session", &far, "--all-profiles", "--json"]);
    let run = run.assert().success();
    assert_eq!(json(&run).as_array().unwrap().len(), 1);
    let nobody = [
        "ise",
        "mnt",
        "session",
        "02:00:00:00:00:01",
        "--all-profiles",
    ];
    let run = home.run(&nobody).assert().code(3);
    assert!(
        stderr(&run).contains("netapi: campus: "),
        "{}",
        stderr(&run)
    );
    assert!(stderr(&run).contains("netapi: plant: "), "{}", stderr(&run));
    for words in [
        &["ise", "mnt", "version"][..],
        &["ise", "mnt", "explain", MAC],
        &["ise", "who", MAC],
        &["ise", "doctor"],
        &["ise", "pxgrid", "services"],
        &["ise", "pxgrid", "account", "show"],
        &["ise", "pxgrid", "call", "anc", "getPolicies"],
        &["ise", "mnt", "get", "Version"],
    ] {
        let words = [words, &["--all-profiles", "--json"]].concat();
        let run = home.run(&words).assert().success();
        let rows = json(&run);
        assert!(!of(&rows, "campus").is_empty(), "{words:?}: {rows}");
        assert!(!of(&rows, "plant").is_empty(), "{words:?}: {rows}");
    }
    // Everybody gets the whole of standard input.
    let list = ["ise", "mnt", "session", "-", "--all-profiles", "-o", "tsv"];
    let run = home.run(&list).write_stdin(format!("{MAC}\n")).assert();
    let text = stdout(&run.success());
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn one_that_fails_hides_no_other_and_is_named() {
    let (one, two) = (lab(), faulty(&["unauthorized"]));
    let home = Home::of(&[("campus", &one), ("plant", &two)]);
    let mut text = home.text();
    text.push_str("[profiles.nowhere]\nmnt_host = 'localhost:1'\nmnt_user = 'a'\n");
    let password = home.directory.path().join("campus.password");
    let _ = writeln!(text, "mnt_password_file = '{}'", password.display());
    home.write(&text);
    let words = ["ise", "mnt", "sessions", "--all-profiles", "--json"];
    let run = home.run(&words).assert().code(1);
    // What is printed is whole: the others are no part of it.
    assert_eq!(of(&json(&run), "campus").len(), 50);
    let said: Vec<Value> = stderr(&run)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<_> = said
        .iter()
        .map(|line| (line["deployment"].as_str(), line["error"]["kind"].as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            (Some("nowhere"), Some("connect")),
            (Some("plant"), Some("refused"))
        ]
    );
    // A refusal stops the one that refused, after one attempt.
    assert_eq!(two.requests().len(), 1);
    let list = ["ise", "mnt", "session", "-", "--profile", "plant,campus"];
    let mut run = home.run(&list);
    run.write_stdin(format!("{MAC}\n5C:5A:C7:00:00:01\n"));
    run.assert().code(1);
    assert_eq!(two.requests().len(), 2);
    assert!(one.requests().len() > 2);
    let mut run = home.run(&["ise", "mnt", "count", "--profile", "plant,nowhere"]);
    let run = run.assert().code(1);
    assert_eq!(stdout(&run), "");
}

/// A list that broke off is not passed off as whole, as with one deployment.
#[test]
fn a_list_that_breaks_off_leaves_the_array_open() {
    let (one, two) = (lab(), faulty(&["truncated"]));
    let home = Home::of(&[("campus", &one), ("plant", &two)]);
    let words = ["ise", "mnt", "sessions", "--all-profiles"];
    let run = home
        .run(&[&words[..], &["--json"]].concat())
        .assert()
        .code(1);
    assert!(serde_json::from_str::<Value>(&stdout(&run)).is_err());
    let mut run = home.run(&[&words[..], &["-o", "jsonl"]].concat());
    let lines = stdout(&run.assert().code(1));
    let campus = lines
        .lines()
        .filter(|line| line.starts_with(r#"{"deployment":"campus""#));
    assert_eq!(campus.count(), 50);
}

#[test]
fn a_notice_says_of_which_deployment_it_is() {
    let (one, two) = (lab(), lab());
    let home = Home::of(&[("campus", &one), ("plant", &two)]);
    let text = home.text();
    let without = text
        .lines()
        .filter(|line| !line.starts_with("pxgrid_hosts"));
    home.write(&without.collect::<Vec<_>>().join("\n"));
    let run = home.run(&["ise", "nodes", "--all-profiles"]).assert();
    let said = stderr(&run.success());
    for name in ["campus", "plant"] {
        let notice = format!("{name}: pxGrid was not asked: not set up");
        assert!(said.contains(&notice), "{said}");
    }
}

#[test]
fn what_the_environment_has_of_one_deployment_is_sent_to_none() {
    let (one, two) = (lab(), lab());
    let home = Home::of(&[("campus", &one), ("plant", &two)]);
    let third = lab();
    let words = ["ise", "mnt", "count", "--all-profiles"];
    let mut run = home.run(&words);
    run.env("ISE_MNT_FQDN", "localhost")
        .env("ISE_MNT_PORT", third.variable("ISE_MNT_PORT"))
        .env("ISE_MNT_USER", "other")
        .env("ISE_MNT_PASS", "geheim");
    let run = run.assert().success();
    assert_eq!(stdout(&run), "campus\t50\nplant\t50\n");
    assert_eq!(
        stderr(&run),
        "of several deployments each has its profile's settings; not used: \
         ISE_MNT_FQDN, ISE_MNT_PASS, ISE_MNT_PORT, ISE_MNT_USER\n"
    );
    assert_eq!(third.requests().len(), 0);
    for lab in [&one, &two] {
        assert_eq!(lab.entries()[0].status, Some(200));
    }
    // The same of a file of variables, and of a profile that lacks what the environment has.
    let file = home.directory.path().join("variables");
    std::fs::write(
        &file,
        "ISE_USER=other\nISE_PASS=geheim\nISE_HOST=localhost\n",
    )
    .unwrap();
    let mut text = home.text();
    text.push_str("[profiles.bare]\nread_only = true\n");
    home.write(&text);
    let run = home
        .run(&words)
        .arg("--env-file")
        .arg(&file)
        .assert()
        .code(1);
    assert!(
        stderr(&run).contains(
            "netapi: bare: no MnT host is set\n\
             hint: `netapi config set mnt_host VALUE --profile bare`"
        ),
        "{}",
        stderr(&run)
    );
    for options in [
        &["--password-file", "x"][..],
        &["--mnt-host", "x"],
        &["--cert", "x"],
        &["--insecure"],
    ] {
        let run = home.run(&words).args(options).assert().code(2);
        let wanted = format!("netapi: {} says how to reach one deployment", options[0]);
        assert!(stderr(&run).starts_with(&wanted), "{}", stderr(&run));
    }
}

#[test]
fn what_changes_and_what_goes_on_is_for_one() {
    let (one, two) = (lab(), lab());
    let home = Home::of(&[("campus", &one), ("plant", &two)]);
    for words in [
        &["ise", "mnt", "coa", MAC][..],
        &["ise", "mnt", "delete", MAC, "--yes"],
        &["ise", "mnt", "watch"],
        &["ise", "pxgrid", "subscribe", "--topic", "session"],
        &[
            "ise",
            "pxgrid",
            "anc",
            "apply",
            "--mac",
            MAC,
            "--policy",
            "Quarantine",
        ],
        &["ise", "pxgrid", "call", "anc", "applyEndpointPolicy", "{}"],
        &["ise", "pxgrid", "account", "activate"],
        &["ise", "lab", "faults"],
        &["config", "set", "mnt_port", "8443"],
        &["config", "show"],
        &["alias", "list"],
    ] {
        for several in [&["--all-profiles"][..], &["--profile", "campus,plant"]] {
            let run = home.run(&[words, several].concat()).assert().code(2);
            let text = stderr(&run);
            assert!(
                text.contains("several profiles are named"),
                "{words:?}: {text}"
            );
            assert_eq!(text.matches("hint: ").count(), 1, "{text}");
        }
    }
    // The variable is heard where a deployment is asked, and stops nothing else.
    let several = |words: &[&str]| {
        let mut run = home.run(words);
        run.env("NETAPI_PROFILE", "campus,plant");
        run.assert()
    };
    several(&["ise", "mnt", "coa", MAC]).code(2);
    several(&["config", "path"]).success();
    assert_eq!(one.requests().len() + two.requests().len(), 0);
    let count = several(&["ise", "mnt", "count"]).success();
    assert_eq!(stdout(&count), "campus\t50\nplant\t50\n");
    let run = several(&["ise", "mnt", "sessions", "-o", "xml"]).code(2);
    assert!(stderr(&run).contains("--format xml"), "{}", stderr(&run));
    let mut run = home.run(&["ise", "mnt", "count", "--profile", "campus,,plant"]);
    assert!(stderr(&run.assert().code(2)).contains("a name is missing"));
    let mut run = home.run(&["ise", "mnt", "count", "--profile", "campus,plnat"]);
    let text = stderr(&run.assert().code(1));
    assert!(text.contains("netapi: plnat: "), "{text}");
    // What is wrong for all is said once.
    let mut run = home.run(&[
        "ise",
        "mnt",
        "sessions",
        "--all-profiles",
        "--fields",
        "nonsense",
    ]);
    let text = stderr(&run.assert());
    assert_eq!(text.matches("nonsense").count(), 1, "{text}");
    let empty = Home::of(&[]);
    let mut run = empty.run(&["ise", "mnt", "count", "--all-profiles"]);
    assert!(stderr(&run.assert().code(2)).contains("has no profiles"));
}

/// Questions come one at a time and say whose password is wanted.
#[test]
fn a_missing_password_is_asked_for_by_name() {
    let (one, two) = (lab(), lab());
    let home = Home::of(&[("campus", &one), ("plant", &two)]);
    let text = home.text();
    let text: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("mnt_password_file"))
        .collect();
    home.write(&text.join("\n"));
    let process = process();
    let environment = process.get_envs().filter_map(|(name, value)| {
        let name = name.to_str()?.to_owned();
        Some((name, value?.to_owned()))
    });
    let home_variable = ("XDG_CONFIG_HOME".to_owned(), home.directory.path().into());
    let Some(mut terminal) = Terminal::start(
        env!("CARGO_BIN_EXE_netapi"),
        &["ise", "mnt", "count", "--all-profiles"],
        environment.chain([home_variable]),
    ) else {
        return;
    };
    let password = one.variable("ISE_MNT_PASS");
    let mut names = Vec::new();
    for _ in 0..2 {
        let asked = terminal.until("): ");
        assert_eq!(asked.matches("Password of ").count(), 1, "{asked}");
        let name = asked.rsplit("(profile ").next().unwrap();
        names.push(name.trim_end_matches("): ").to_owned());
        terminal.types(&format!("{password}\n"));
    }
    names.sort();
    assert_eq!(names, ["campus", "plant"]);
    let (status, seen) = terminal.end();
    assert!(status.success(), "{seen}");
    assert!(seen.contains("campus") && seen.contains("plant"), "{seen}");
}
