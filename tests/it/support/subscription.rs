//! A subscription to be started: its options, and the directory that its callback, its spool and
//! its files lie in.

use std::path::PathBuf;

use tempfile::TempDir;

use super::callback;
use super::lab::TestLab;
use super::running::Running;

/// `netapi ise pxgrid subscribe --topic session`, with what is added to it.
pub(crate) struct Subscription {
    dir: TempDir,
    options: Vec<String>,
    callback_arguments: Vec<String>,
}

impl Subscription {
    pub(crate) fn new(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let none = Self {
            dir,
            options: Vec::new(),
            callback_arguments: Vec::new(),
        };
        none.with(options)
    }

    /// With further options.
    pub(crate) fn with(mut self, options: &[&str]) -> Self {
        self.options
            .extend(options.iter().map(|&option| option.to_owned()));
        self
    }

    /// With an option whose value is a file of this name in the directory.
    pub(crate) fn with_file(self, option: &str, name: &str) -> Self {
        let path = self.path(name);
        self.with(&[option, path.to_str().unwrap()])
    }

    /// With a spool, in `spool`.
    pub(crate) fn spool(self) -> Self {
        self.with_file("--spool", "spool")
    }

    /// With this script as callback, in `callback.sh`.
    pub(crate) fn callback(self, text: &str) -> Self {
        callback::script(self.dir.path(), text);
        self.with_file("--callback", "callback.sh")
    }

    /// The same; the script's `$1` is the path of a file of this name in the directory.
    pub(crate) fn callback_with(mut self, text: &str, name: &str) -> Self {
        let argument = self.path(name).to_str().unwrap().to_owned();
        self.callback_arguments.push(argument);
        self.callback(text)
    }

    /// A file in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The lines of a file in the directory, which need not be there.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        callback::lines(&self.path(name))
    }

    /// A named pipe in the directory.
    pub(crate) fn fifo(&self) -> PathBuf {
        let fifo = self.path("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        fifo
    }

    /// Its command line behind `netapi ise pxgrid`.
    fn arguments(&self) -> Vec<&str> {
        let mut arguments = vec!["subscribe", "--topic", "session"];
        arguments.extend(self.options.iter().map(String::as_str));
        if !self.callback_arguments.is_empty() {
            arguments.push("--");
            arguments.extend(self.callback_arguments.iter().map(String::as_str));
        }
        arguments
    }

    /// Starts it.
    pub(crate) fn start(&self, lab: &TestLab) -> Running {
        lab.start(&self.arguments())
    }

    /// Starts it, and waits until it is subscribed.
    pub(crate) fn subscribed(&self, lab: &TestLab) -> Running {
        let running = self.start(lab);
        running.says("subscribed");
        running
    }

    /// Starts it by a shell that does `first` before.
    pub(crate) fn start_after(&self, first: &str, lab: &TestLab) -> Running {
        lab.start_after(first, &self.arguments())
    }
}

/// One line of what was said has this in it.
#[track_caller]
pub(crate) fn assert_said(lines: &[String], part: &str) {
    assert!(lines.iter().any(|line| line.contains(part)), "{lines:?}");
}
