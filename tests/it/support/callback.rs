//! Callback scripts, and the files that they write.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// An executable script in `dir`.
pub(crate) fn script(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("callback.sh");
    // A file that is written elsewhere: one that this process holds open for writing could not be
    // executed.
    let draft = dir.join("draft");
    std::fs::write(&draft, text).unwrap();
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o755)).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-p")
        .arg(&draft)
        .arg(&path)
        .status();
    assert!(copied.unwrap().success());
    path
}

/// The text of a file, which need not be there.
pub(crate) fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Its lines; one that is still being written is none yet.
pub(crate) fn lines(path: &Path) -> Vec<String> {
    let text = text(path);
    let whole = text
        .split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'));
    whole.map(str::to_owned).collect()
}
