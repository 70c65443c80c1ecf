//! What the tests share.

pub(crate) mod account;
pub(crate) mod browser;
pub(crate) mod callback;
pub(crate) mod database;
pub(crate) mod documents;
#[cfg(feature = "nats")]
pub(crate) mod fleet;
pub(crate) mod hostile;
pub(crate) mod lab;
pub(crate) mod leak;
pub(crate) mod mnt;
#[cfg(feature = "nats")]
pub(crate) mod nats;
#[cfg(feature = "nats")]
pub(crate) mod nats_cluster;
pub(crate) mod proxy;
pub(crate) mod pubsub;
pub(crate) mod running;
pub(crate) mod screen;
pub(crate) mod scripted;
#[cfg(feature = "nats")]
pub(crate) mod seeds;
pub(crate) mod sessions;
pub(crate) mod subscription;
pub(crate) mod terminal;

use std::time::Duration;

use assert_cmd::Command;
use assert_cmd::assert::Assert;

/// No command here may take longer; a hang is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Variables of the developer's own that a test must not see.
const KEPT: [&str; 3] = ["PATH", "TMPDIR", "LLVM_PROFILE_FILE"];

/// `netapi` with an empty home and only the environment that a test gives it.
pub(crate) fn netapi() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netapi"));
    let kept: Vec<_> = KEPT
        .iter()
        .filter_map(|name| Some((*name, std::env::var_os(name)?)))
        .collect();
    command
        .env_clear()
        .envs(kept)
        .env("HOME", "/nonexistent")
        .env("TZ", "UTC")
        .timeout(PATIENCE);
    command
}

/// The same as a plain process: for tests that read while it runs, signal it, or close its pipes.
pub(crate) fn process() -> std::process::Command {
    signals_as_ever();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_netapi"));
    command
        .env_clear()
        .envs(
            KEPT.iter()
                .filter_map(|name| Some((*name, std::env::var_os(name)?))),
        )
        .env("HOME", "/nonexistent")
        .env("TZ", "UTC")
        .stdin(std::process::Stdio::null());
    command
}

/// Whoever runs the tests in the background or under nohup has signals ignored, which a program
/// inherits and `netapi` respects. A signal that this process handles is the default one in what it
/// starts.
fn signals_as_ever() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT};
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        for signal in [SIGHUP, SIGINT, SIGQUIT] {
            let always = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
            signal_hook::flag::register_conditional_default(signal, always).unwrap();
        }
    });
}

/// Waits until `done`; a condition that never comes is a failure that says `what`.
pub(crate) fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Standard output as text.
pub(crate) fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).expect("standard output is UTF-8")
}

/// Standard error as text.
pub(crate) fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).expect("standard error is UTF-8")
}

/// Standard output as JSON.
pub(crate) fn json(assert: &Assert) -> serde_json::Value {
    let text = stdout(assert);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// Says why a test looked at nothing here.
#[allow(clippy::print_stderr, reason = "a word to whoever runs the tests")]
pub(crate) fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}
