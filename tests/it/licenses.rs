//! `netapi version` and `netapi licenses`: what is in this program, and under which terms.

#[cfg(all(feature = "jq", feature = "pkcs12"))]
use std::collections::BTreeSet;

#[cfg(all(feature = "jq", feature = "pkcs12"))]
use crate::support::skipped;
use crate::support::{json, netapi, stderr, stdout};

/// The crates below us that are linked, as `name version`: what `cargo tree` has of `targets`.
#[cfg(all(feature = "jq", feature = "pkcs12"))]
fn linked(more: &[&str]) -> Option<BTreeSet<String>> {
    let run = std::process::Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal,no-proc-macro",
        ])
        .args(["--prefix", "none", "--format", "{p}"])
        .args(more)
        .output();
    let run = run.ok()?;
    if !run.status.success() {
        // Crates of other systems need not be on this computer.
        skipped(&String::from_utf8_lossy(&run.stderr));
        return None;
    }
    let text = String::from_utf8(run.stdout).unwrap();
    let crates = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        (name != "netapi").then(|| format!("{name} {version}"))
    });
    Some(crates.collect())
}

/// What `netapi licenses` lists, as `name version`.
#[cfg(all(feature = "jq", feature = "pkcs12"))]
fn listed() -> BTreeSet<String> {
    let run = netapi().args(["licenses", "--json"]).assert().success();
    let crates = json(&run);
    let crates = crates.as_array().unwrap();
    let listed: BTreeSet<String> = crates
        .iter()
        .map(|one| {
            let [name, version, license] =
                ["name", "version", "license"].map(|member| one[member].as_str().unwrap());
            assert!(!license.is_empty(), "{one}");
            format!("{name} {version}")
        })
        .collect();
    assert_eq!(listed.len(), crates.len(), "a crate is listed twice");
    listed
}

#[cfg(all(feature = "jq", feature = "pkcs12"))]
#[test]
fn every_crate_that_is_linked_is_listed_with_the_text_of_its_licence() {
    let listed = listed();
    let run = netapi().arg("licenses").assert().success();
    let text = stdout(&run);
    // The texts stand below the list, each with the crates it is of.
    let (_, texts) = text.split_once("\n----").unwrap();
    let Some(linked) = linked(&[]) else { return };
    assert!(linked.len() > 100, "{}", linked.len());
    for one in &linked {
        assert!(
            listed.contains(one),
            "{one} is not in src/cli/licenses.txt.gz: run deploy/licenses.sh"
        );
    }
    for one in &listed {
        assert!(
            texts.lines().any(|line| line.trim_start() == one),
            "no licence of {one} is printed"
        );
    }
}

/// What left the program leaves the notices too.
#[cfg(all(feature = "jq", feature = "pkcs12"))]
#[test]
fn no_crate_is_listed_that_no_build_has() {
    let lock = include_str!("../../Cargo.lock");
    for one in listed() {
        let (name, version) = one.split_once(' ').unwrap();
        let entry = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        assert!(
            lock.contains(&entry),
            "{one} is not in Cargo.lock: run deploy/licenses.sh"
        );
    }
}

#[test]
fn the_licences_are_whole_on_a_pipe_and_a_list_where_a_format_is_given() {
    let run = netapi().arg("licenses").assert().success();
    let text = stdout(&run);
    for words in [
        "Third-party software in netapi\n",
        "\n  rustls 0.23",
        "Permission is hereby granted, free of charge",
        "Apache License",
    ] {
        assert!(text.contains(words), "{words}");
    }
    assert_eq!(stderr(&run), "");
    let run = netapi()
        .args([
            "licenses", "--format", "tsv", "--sort", "name", "--limit", "1",
        ])
        .assert()
        .success();
    let text = stdout(&run);
    assert!(
        text.starts_with("name\tversion\tlicense\n") || text.starts_with("NAME\t"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn the_version_says_what_was_built() {
    let run = netapi().args(["version", "--json"]).assert().success();
    let version = json(&run);
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    let features: Vec<&str> = version["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert!(features.contains(&"lab"), "{features:?}");
    let provider = if features.contains(&"aws-lc") {
        "aws-lc"
    } else {
        "ring"
    };
    assert_eq!(version["tlsProvider"], provider);
    let target = version["target"].as_str().unwrap();
    assert!(target.starts_with(std::env::consts::ARCH), "{target}");
    assert!(
        ["static", "dynamic"].contains(&version["linking"].as_str().unwrap()),
        "{version}"
    );
    let commit = option_env!("NETAPI_COMMIT");
    assert_eq!(version["commit"].as_str(), commit);
    let run = netapi().arg("version").assert().success();
    assert!(stdout(&run).starts_with("version\t"), "{}", stdout(&run));
}
