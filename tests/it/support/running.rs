//! A process that runs beside the test: its lines as they come, signals, its end.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

use super::wait_for;

/// See the module's documentation. Dropped, it is killed.
pub(crate) struct Running {
    child: Child,
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

    fn whole(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.now()
    }
}

impl Running {
    pub(super) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            out: Lines::of(child.stdout.take().unwrap()),
            err: Lines::of(child.stderr.take().unwrap()),
            child,
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
        wait_for(text, || {
            self.err().iter().filter(|line| line.contains(text)).count() >= times
        });
    }

    /// Waits until standard output has that many lines.
    pub(crate) fn prints(&self, lines: usize) {
        wait_for("lines of standard output", || self.out().len() >= lines);
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end: exit status as the shell shows it, all lines of standard output and of standard error.
    pub(crate) fn end(mut self) -> (i32, Vec<String>, Vec<String>) {
        let mut status = None;
        wait_for("the end of the process", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let status = status.unwrap();
        let code = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap());
        (code, self.out.whole(), self.err.whole())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `end` there is nothing left to kill.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
