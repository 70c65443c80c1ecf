//! Names that only a server knows, for completion: asked of pxGrid by the program itself, in a
//! process that is ended after a second, and kept for a minute.
//!
//! The Monitoring node is never asked: enough wrong passwords there lock an administrator's
//! account. What cannot be had is no name, in silence, and is not asked for again within the
//! minute.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::Line;

/// Who presses Tab waits no longer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long an answer, or none, counts.
const KEPT: Duration = Duration::from_mins(1);
/// More is no help to choose from.
const MOST_BYTES: u64 = 256 * 1024;

/// The ANC policies.
pub(super) fn policies(line: &Line) -> Vec<String> {
    names("policies", line, &["anc", "policies", "--fields", "name"])
}

/// The nodes that pxGrid knows the health of.
pub(super) fn nodes(line: &Line) -> Vec<String> {
    names(
        "nodes",
        line,
        &["system", "health", "--fields", "serverName"],
    )
}

/// Whether a shell takes the name for one word that means itself.
pub(super) fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "_-.:/@+%,".contains(c);
    !name.is_empty() && !name.starts_with('-') && name.chars().all(plain)
}

fn names(what: &str, line: &Line, words: &[&str]) -> Vec<String> {
    let kept = cache(line).map(|directory| directory.join(what));
    if let Some(text) = kept.as_deref().and_then(read) {
        return sorted(&text);
    }
    let text = ask(line, words).unwrap_or_default();
    if let Some(file) = kept {
        // A cache that cannot be written costs time and nothing else.
        let _ = write(&file, &text);
    }
    sorted(&text)
}

fn sorted(text: &str) -> Vec<String> {
    let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
    names.retain(|name| is_plain(name));
    names.sort();
    names.dedup();
    names
}

/// What this program prints of it within the time.
fn ask(line: &Line, words: &[&str]) -> Option<String> {
    if super::settings(line).runs_commands() {
        return None;
    }
    let mut command = Command::new(std::env::current_exe().ok()?);
    for option in ["--profile", "--config", "--env-file", "--pxgrid-host"] {
        if let Some(value) = line.option(option) {
            command.arg(format!("{option}={value}"));
        }
    }
    let mut child = command
        .args(["ise", "pxgrid"])
        .args(words)
        .args(["--format", "table", "--no-input"])
        .env_remove(super::ASKED)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let stdout = child.stdout.take()?;
    let reader = std::thread::Builder::new().spawn(move || {
        let mut text = String::new();
        stdout.take(MOST_BYTES).read_to_string(&mut text).ok()?;
        Some(text)
    });
    let started = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status.success(),
            Ok(None) if started.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            _ => break false,
        }
    };
    if !ended {
        let _ = child.kill();
        let _ = child.wait();
        return None;
    }
    reader.ok()?.join().ok()?
}

/// Where answers are kept: a directory for each server that can be meant. None is kept for a
/// service user, whose home does not exist and is not ours to make.
fn cache(line: &Line) -> Option<PathBuf> {
    let caches = match std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from) {
        Some(caches) if caches.is_absolute() => caches,
        _ => std::env::home_dir()
            .filter(|home| home.is_dir())?
            .join(".cache"),
    };
    let mut digest = Sha256::new();
    let options = ["--profile", "--config", "--env-file", "--pxgrid-host"];
    for value in options.map(|name| line.option(name).unwrap_or_default()) {
        digest.update(value);
        digest.update([0]);
    }
    let mut variables: Vec<_> = std::env::vars_os()
        .filter(|(name, _)| {
            let name = name.as_encoded_bytes();
            [&b"ISE_"[..], b"PXGRID_", b"NETAPI_"]
                .iter()
                .any(|beginning| name.starts_with(beginning))
        })
        .collect();
    crate::order::sort(&mut variables);
    for (name, value) in variables {
        digest.update(name.as_encoded_bytes());
        digest.update([b'=']);
        digest.update(value.as_encoded_bytes());
        digest.update([0]);
    }
    let key = URL_SAFE_NO_PAD.encode(digest.finalize());
    Some(caches.join("netapi").join("completion").join(key))
}

fn read(file: &Path) -> Option<String> {
    let written = std::fs::metadata(file).ok()?.modified().ok()?;
    let age = SystemTime::now().duration_since(written).ok()?;
    (age < KEPT).then(|| std::fs::read_to_string(file).ok())?
}

fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    crate::unix::files::make_private_directory(directory)?;
    // A whole file takes the old one's place, whoever reads it meanwhile.
    let mut new = tempfile::NamedTempFile::new_in(directory)?;
    std::io::Write::write_all(&mut new, text.as_bytes())?;
    new.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_shell_would_take_apart_is_not_offered() {
        let text = "Quarantine\nbad name\n$(reboot)\na;b\n-x\nquiet\u{202e}\nQuarantine\nÄrger\n";
        assert_eq!(sorted(text), ["Quarantine", "Ärger"]);
    }
}
