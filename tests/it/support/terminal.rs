//! A program on a terminal of its own, and a person who types and reads there.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::{PATIENCE, skipped, wait_for};

/// See the module's documentation.
pub(crate) struct Terminal {
    person: File,
    child: Child,
    seen: String,
    bytes: Receiver<Vec<u8>>,
    /// Held, nobody reads.
    reading: Arc<Mutex<()>>,
}

impl Terminal {
    /// Starts `program` with this environment alone, 80 columns by 24 lines. `None`, and a word,
    /// where it or `setsid` is not there.
    pub(crate) fn start(
        program: &str,
        args: &[&str],
        environment: impl IntoIterator<Item = (String, std::ffi::OsString)>,
    ) -> Option<Self> {
        let there = Command::new("sh")
            .args(["-c", "command -v setsid && command -v \"$0\"", program])
            .output();
        if !there.is_ok_and(|run| run.status.success()) {
            skipped(&format!("{program} or setsid (util-linux) is not there"));
            return None;
        }
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&person, size).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let open = || -> File {
            let flags = OFlags::RDWR | OFlags::NOCTTY;
            rustix::fs::open(name.as_c_str(), flags, Mode::empty())
                .unwrap()
                .into()
        };
        let child = Command::new("setsid")
            .args(["--ctty", program])
            .args(args)
            .env_clear()
            .envs(environment)
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn()
            .unwrap();
        let person: File = person.into();
        let mut reader = person.try_clone().unwrap();
        let (sender, bytes) = channel();
        let reading = Arc::new(Mutex::new(()));
        let may_read = Arc::clone(&reading);
        std::thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut block) {
                drop(may_read.lock());
                if sender.send(block[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Some(Self {
            person,
            child,
            seen: String::new(),
            bytes,
            reading,
        })
    }

    /// Types.
    pub(crate) fn types(&mut self, text: &str) {
        self.person.write_all(text.as_bytes()).unwrap();
    }

    /// What is written next; `None` where nothing is within this time, or ever.
    pub(crate) fn read(&mut self, patience: std::time::Duration) -> Option<Vec<u8>> {
        self.bytes.recv_timeout(patience).ok()
    }

    /// Makes the window another size.
    pub(crate) fn resize(&mut self, columns: u16, lines: u16) {
        let size = Winsize {
            ws_row: lines,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.person, size).unwrap();
    }

    /// Sends a signal (`TERM`) to the program.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success(), "{name}");
    }

    /// Waits until the program is stopped, as by Ctrl-Z.
    pub(crate) fn is_stopped(&self) {
        let path = format!("/proc/{}/stat", self.child.id());
        wait_for("a stopped process", || {
            let stat = std::fs::read_to_string(&path).unwrap();
            let after_name = stat.rsplit(')').next().unwrap_or_default();
            after_name.trim_start().starts_with('T')
        });
    }

    /// Types, and waits for the program's end, while nobody reads what it writes.
    pub(crate) fn ends_unread(mut self, typed: &[&str]) -> ExitStatus {
        let reading = Arc::clone(&self.reading);
        let _unread = reading.lock().unwrap();
        for text in typed {
            self.types(text);
        }
        let mut status = None;
        wait_for("the end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Reads until `wanted` stands there; gives what came up to it, and forgets it.
    pub(crate) fn until(&mut self, wanted: &str) -> String {
        let started = Instant::now();
        loop {
            if let Some(at) = self.seen.find(wanted) {
                return self.seen.drain(..at + wanted.len()).collect();
            }
            match self
                .bytes
                .recv_timeout(PATIENCE.saturating_sub(started.elapsed()))
            {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Timeout) => panic!("no {wanted:?} in {}", self.seen),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("it ended without {wanted:?}: {}", self.seen)
                }
            }
        }
    }

    /// Waits for its end; the status, and what was not read yet.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let mut status = None;
        wait_for("the end", || {
            while let Ok(bytes) = self.bytes.try_recv() {
                self.seen.push_str(&String::from_utf8_lossy(&bytes));
            }
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        while let Ok(bytes) = self
            .bytes
            .recv_timeout(std::time::Duration::from_millis(100))
        {
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        (status.unwrap(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
