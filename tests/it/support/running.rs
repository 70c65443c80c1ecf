//! A process that runs beside the test: its lines as they come, signals, its end.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::PATIENCE;

/// See the module's documentation. Dropped, it is killed.
pub(crate) struct Running {
    child: Mutex<Child>,
    out: Lines,
    err: Lines,
}

struct Lines {
    seen: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let theirs = Arc::clone(&seen);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                theirs.lock().unwrap().push(line);
            }
        });
        Self {
            seen,
            reader: Some(reader),
        }
    }

    fn now(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// Whether no more will come.
    fn ended(&self) -> bool {
        self.reader.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn whole(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.now()
    }
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            out: Lines::of(child.stdout.take().unwrap()),
            err: Lines::of(child.stderr.take().unwrap()),
            child: Mutex::new(child),
        }
    }

    /// Lines of standard output so far.
    pub(crate) fn out(&self) -> Vec<String> {
        self.out.now()
    }

    /// Lines of standard output so far, but for the first `from`.
    pub(crate) fn out_from(&self, from: usize) -> Vec<String> {
        let seen = self.out.seen.lock().unwrap();
        seen.get(from..).unwrap_or_default().to_vec()
    }

    /// Lines of standard error so far.
    pub(crate) fn err(&self) -> Vec<String> {
        self.err.now()
    }

    /// Waits until a line of standard error contains `text`.
    pub(crate) fn says(&self, text: &str) {
        self.says_times(text, 1);
    }

    /// Waits until that many lines of standard error contain `text`.
    pub(crate) fn says_times(&self, text: &str, times: usize) {
        self.until(text, || {
            self.err().iter().filter(|line| line.contains(text)).count() >= times
        });
    }

    /// Waits until standard output has that many lines.
    pub(crate) fn prints(&self, lines: usize) {
        let what = format!("{lines} lines of standard output");
        self.until(&what, || self.out().len() >= lines);
    }

    /// Waits until `done`, which only the process can bring about: fails when it has ended without,
    /// or takes too long, with what it said.
    pub(crate) fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let started = Instant::now();
        loop {
            // Looked at first: what it did last is seen by `done`.
            let over = self.status().is_some() && self.out.ended() && self.err.ended();
            if done() {
                return;
            }
            if over || started.elapsed() > PATIENCE {
                let how = if over {
                    "it ended"
                } else {
                    "it takes too long"
                };
                panic!("never came: {what} ({how}){}", self.said());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How it ended, if it has.
    fn status(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap().try_wait().unwrap()
    }

    /// For a failure: how it ended and all of its standard error so far.
    fn said(&self) -> String {
        let status = self.status().map(|status| format!("\n{status}"));
        let err = self.err().join("\n");
        format!("{}\nstandard error:\n{err}", status.unwrap_or_default())
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        // Not to whoever may have its number now.
        assert!(self.status().is_none(), "already over{}", self.said());
        let pid = self.child.lock().unwrap().id();
        let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end: the number of the signal that ended it, if one did, and all lines of
    /// standard error.
    pub(crate) fn end_by_signal(mut self) -> (Option<i32>, Vec<String>) {
        self.until("the end of the process", || self.status().is_some());
        let status = self.status().unwrap();
        (status.signal(), self.err.whole())
    }

    /// Waits for the end: exit status as the shell shows it, all lines of standard output and of
    /// standard error.
    pub(crate) fn end(mut self) -> (i32, Vec<String>, Vec<String>) {
        self.until("the end of the process", || self.status().is_some());
        let status = self.status().unwrap();
        let code = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap());
        (code, self.out.whole(), self.err.whole())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Why a test fails may stand with another of its processes than the one that it waited for.
        if std::thread::panicking() {
            super::seeds::shown(&format!("a process of this test{}", self.said()));
        }
        // After `end` there is nothing left to kill.
        if let Ok(child) = self.child.get_mut() {
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}

#[test]
#[should_panic(expected = "standard error:\nnetapi: unrecognized subcommand 'nonsense'")]
fn a_wait_ends_with_its_process_and_shows_what_it_said() {
    let mut command = super::process();
    command.arg("nonsense");
    Running::start(command).says("something else");
}
