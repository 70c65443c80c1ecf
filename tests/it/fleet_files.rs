//! `deploy/fleet`: the files for several machines agree with the program, with each other, and with
//! nats-server.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{netapi, skipped, stdout};

fn path(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/fleet")).join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

/// A file of YAML as the same tree as JSON, merges (`<<`) done.
fn yaml(name: &str) -> Value {
    let mut value: yaml_serde::Value = yaml_serde::from_str(&text(name)).unwrap();
    value.apply_merge().unwrap();
    serde_json::to_value(value).unwrap()
}

fn words(list: &Value) -> Vec<&str> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    list.iter().map(|word| word.as_str().unwrap()).collect()
}

fn services(compose: &Value) -> &serde_json::Map<String, Value> {
    compose["services"].as_object().unwrap()
}

/// The services of compose.yaml whose command is ours, with its words.
fn ours(compose: &Value) -> Vec<(&str, Vec<&str>)> {
    let commands = services(compose)
        .iter()
        .map(|(name, service)| (name.as_str(), words(&service["command"])));
    commands
        .filter(|(_, words)| words.first() == Some(&"ise"))
        .collect()
}

#[test]
fn permissions_are_what_the_program_prints() {
    let run = netapi()
        .args(["ise", "pxgrid", "fleet", "permissions", "EVENTS"])
        .args(["--for", "subscriber,worker,fleet"])
        .assert()
        .success();
    assert_eq!(text("permissions.conf"), stdout(&run));
}

#[test]
fn nats_server_takes_its_configuration() {
    let tried = |password: &str| {
        Command::new("nats-server")
            .arg("-t")
            .arg("-c")
            .arg(path("nats.conf"))
            .env("SUBSCRIBER_PASSWORD", password)
            .env("WORKER_PASSWORD", password)
            .env("FLEET_PASSWORD", password)
            .output()
    };
    let Ok(run) = tried("p0123456789abcdef") else {
        skipped("there is no nats-server on PATH");
        return;
    };
    assert!(run.status.success(), "{run:?}");
    // It does look at what is in it.
    assert!(!tried("12").unwrap().status.success());
}

#[test]
fn commands_are_commands_of_the_program() {
    let compose = yaml("compose.yaml");
    let commands = ours(&compose);
    let known = ["subscribe", "worker"].map(|name| {
        let of = commands.iter().filter(|(_, words)| words[2] == name);
        of.count()
    });
    assert_eq!(known, [2, 2], "subscribers and workers");
    for (service, words) in &commands {
        let words = std::iter::once("netapi").chain(words.iter().copied());
        let tree = netapi::testing::command_tree();
        if let Err(error) = tree.try_get_matches_from(words) {
            panic!("{service}: {error}");
        }
    }
}

#[test]
fn what_one_service_names_another_place_has() {
    let compose = yaml("compose.yaml");
    let services = services(&compose);
    let has = |map: &Value, name: &str| map.as_object().unwrap().contains_key(name);
    for (name, service) in services {
        for secret in words(&service["secrets"]) {
            assert!(has(&compose["secrets"], secret), "{name}: {secret}");
        }
        for volume in words(&service["volumes"]) {
            let (from, _) = volume.split_once(':').unwrap();
            match from.strip_prefix("./") {
                // A script of the user's own.
                Some("callback") => {}
                Some(file) => assert!(path(file).exists(), "{name}: {file}"),
                None => assert!(has(&compose["volumes"], from), "{name}: {from}"),
            }
        }
        let waits_for = service["depends_on"].as_object();
        for other in waits_for.into_iter().flat_map(serde_json::Map::keys) {
            assert!(services.contains_key(other), "{name}: {other}");
        }
        let build = &service["build"];
        if let Some(file) = build["dockerfile"].as_str() {
            // Beside the context, which deploy/stage.sh makes.
            let context = path(build["context"].as_str().unwrap());
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            assert_eq!(context, path("../../target/stage"));
            let file = root.join("target/stage").join(file);
            let file = file.to_str().unwrap().replace("target/stage/../../", "");
            assert!(Path::new(&file).exists(), "{name}: {file}");
        }
    }
    for (name, words) in ours(&compose) {
        let service = &services[name];
        let files = words.iter().copied().chain(
            service["environment"]
                .as_object()
                .into_iter()
                .flat_map(|map| map.values().filter_map(Value::as_str)),
        );
        for file in files.filter_map(|word| word.strip_prefix("/run/secrets/")) {
            let secrets = service["secrets"].as_array().unwrap();
            assert!(
                secrets.iter().any(|secret| secret == file),
                "{name}: {file}"
            );
        }
        let address = words
            .iter()
            .find_map(|word| word.strip_prefix("nats://"))
            .unwrap();
        let (hosts, stream) = address.split_once('/').unwrap();
        assert_eq!(stream, "EVENTS");
        let hosts = hosts.split(',').collect::<Vec<_>>();
        assert_eq!(hosts, ["n1", "n2", "n3"], "{name}");
        let config = text("nats.conf");
        for host in hosts {
            assert!(services.contains_key(host) && config.contains(&format!("nats://{host}:6222")));
        }
    }
}

/// Docker fails where two services make one image.
#[test]
fn each_image_of_our_own_is_made_by_one_service() {
    let compose = yaml("compose.yaml");
    for image in ["netapi", "netapi-worker"] {
        let services = services(&compose).values();
        let services = services.filter(|service| service["image"] == image);
        let (makes, uses) =
            services.partition::<Vec<_>, _>(|service| service.get("build").is_some());
        assert_eq!((makes.len(), uses.len()), (1, 1), "{image}");
    }
}

/// Runs `deploy/stage.sh` on a copy of what it takes; beside it lies what users put there.
#[test]
fn what_is_staged_is_what_images_are_made_of_and_has_no_secrets() {
    const SECRET: &str = "geheim-4711";
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = tempfile::tempdir().unwrap();
    let at = |name: &str| copy.path().join(name);
    fs::create_dir_all(at("tests/it")).unwrap();
    for name in [
        "deploy",
        "tests/it/callbacks",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "Cargo.toml",
    ] {
        let copied = Command::new("cp")
            .arg("-R")
            .arg(root.join(name))
            .arg(at(name))
            .status();
        assert!(copied.unwrap().success(), "{name}");
    }
    for name in [
        ".env",
        "worker-password",
        "subscriber-1.key",
        "callback",
        "compose.yaml.orig",
    ] {
        fs::write(at("deploy/fleet").join(name), SECRET).unwrap();
    }
    let staged = Command::new(at("deploy/stage.sh"))
        .arg(env!("CARGO_BIN_EXE_netapi"))
        .output()
        .unwrap();
    assert!(staged.status.success(), "{staged:?}");
    let stage = at("target/stage");
    let found = Command::new("grep")
        .args(["-rlF", SECRET])
        .arg(&stage)
        .output()
        .unwrap();
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    assert!(stage.join("fleet/compose.yaml").exists());
    for image in ["Containerfile", "fleet/worker.Containerfile"] {
        let text = fs::read_to_string(at("deploy").join(image)).unwrap();
        let copies = text.lines().filter_map(|line| line.strip_prefix("COPY "));
        let words = copies.map(|line| line.split(' ').filter(|word| !word.starts_with("--")));
        let mut count = 0;
        for mut words in words {
            words.next_back();
            for file in words {
                assert!(stage.join(file).exists(), "{image}: {file}");
                count += 1;
            }
        }
        assert!(count > 3, "{image}: {count}");
    }
}

#[test]
fn prometheus_asks_those_that_answer() {
    let compose = yaml("compose.yaml");
    let answering = ours(&compose).into_iter().filter_map(|(name, words)| {
        let at = words.iter().position(|word| *word == "--metrics")?;
        let (_, port) = words[at + 1].rsplit_once(':').unwrap();
        Some(format!("{name}:{port}"))
    });
    let answering = answering.collect::<BTreeSet<_>>();
    let prometheus = yaml("prometheus.yml");
    let jobs = prometheus["scrape_configs"].as_array().unwrap();
    let asked = jobs
        .iter()
        .flat_map(|job| job["static_configs"].as_array().unwrap())
        .flat_map(|targets| words(&targets["targets"]))
        .map(str::to_owned)
        .collect::<BTreeSet<_>>();
    assert_eq!(asked, answering);
}

/// All strings under this name, wherever in the tree.
fn named<'v>(value: &'v Value, name: &str, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if key == name => found.push(text),
                    _ => named(value, name, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| named(value, name, found)),
        _ => {}
    }
}

/// The first words of a golden file's lines.
fn names(golden: &str) -> BTreeSet<&str> {
    let lines = golden.lines();
    lines
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

/// The golden file of metrics is what the program serves (`metrics.rs`).
#[test]
fn the_dashboard_has_metrics_of_the_program_alone() {
    let dashboard: Value = serde_json::from_str(&text("grafana.json")).unwrap();
    let golden = |name: &str| text(&format!("../../tests/golden/{name}.txt"));
    let (subscriber, worker) = (golden("metrics"), golden("metrics-worker"));
    let subscriber = subscriber.split("\npublish\n").next().unwrap();
    let known = [
        ("netapi-subscriber", names(subscriber)),
        ("netapi-worker", names(&worker)),
    ];
    let prometheus = yaml("prometheus.yml");
    let jobs = prometheus["scrape_configs"].as_array().unwrap();
    let jobs = jobs.iter().map(|job| job["job_name"].as_str().unwrap());
    let jobs = jobs.collect::<BTreeSet<_>>();
    let mut expressions = Vec::new();
    named(&dashboard, "expr", &mut expressions);
    assert!(expressions.len() > 10);
    for expression in expressions {
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let metrics = words
            .filter(|word| word.starts_with("netapi_"))
            .collect::<Vec<_>>();
        assert!(!metrics.is_empty(), "{expression}");
        let job = expression.split_once("job=\"").unwrap().1;
        let (job, _) = job.split_once('"').unwrap();
        assert!(jobs.contains(job), "{expression}");
        let (_, known) = known.iter().find(|(name, _)| *name == job).unwrap();
        for metric in metrics {
            assert!(known.contains(metric), "{expression}: {metric}");
        }
    }
    let panels = dashboard["panels"].as_array().unwrap();
    let ids = panels.iter().map(|panel| panel["id"].as_u64().unwrap());
    assert_eq!(ids.collect::<BTreeSet<_>>().len(), panels.len());
    let fits = |panel: &Value| {
        let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        at("x") + at("w") <= 24
    };
    assert!(panels.iter().all(fits));
}
