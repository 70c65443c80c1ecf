//! What is Unix alone stands in `src/unix` and `src/process.rs`, and nowhere else.

use std::fs;
use std::path::{Path, PathBuf};

/// Crates and parts of others that a system without Unix's calls does not have.
const UNIX_ALONE: [&str; 8] = [
    "rustix::",
    "signal_hook::",
    "std::os::unix",
    "std::os::linux",
    "std::os::fd",
    "tokio::signal::unix",
    "tokio::net::unix",
    "libc::",
];

/// Where it may stand. The service manager's protocol is a Unix socket and nothing else.
const SEAMS: [&str; 3] = ["unix/", "process.rs", "cli/long_running/service_manager.rs"];

fn files_below(path: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

/// The code of a file: no comments, and not the tests at its end.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap());
    let lines = lines.take_while(|line| !line.starts_with("#[cfg(test)]"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_unix_alone_is_behind_its_seam() {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut files = Vec::new();
    files_below(source, &mut files);
    let mut found = [0; SEAMS.len()];
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.strip_prefix(source).unwrap().to_str().unwrap();
        let is_test = name.ends_with("tests.rs") || name.contains("/tests/");
        let text = code(&fs::read_to_string(file).unwrap());
        let words = UNIX_ALONE.iter().filter(|word| text.contains(**word));
        let words = words.collect::<Vec<_>>();
        match SEAMS.iter().position(|seam| name.starts_with(seam)) {
            Some(seam) => found[seam] += words.len(),
            None if is_test || words.is_empty() => {}
            None => wrong.push(format!("{name}: {words:?}")),
        }
    }
    assert!(wrong.is_empty(), "put it into src/unix: {wrong:#?}");
    assert!(found.iter().all(|count| *count > 0), "{SEAMS:?}: {found:?}");
}
