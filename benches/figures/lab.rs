//! netapi's own lab, as a process of its own.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A lab that runs until it is dropped, and its settings.
pub(crate) struct Lab {
    child: Child,
    _out: Lines<BufReader<ChildStdout>>,
    pub(crate) environment: Vec<(String, String)>,
}

impl Lab {
    /// `lab run` with these options and a program that prints its environment and waits for its
    /// input to end.
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_netapi"))
            .args(["ise", "lab", "run"])
            .args(options)
            .args(["--", "sh", "-c", "env; echo; cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut environment = Vec::new();
        let ours = ["ISE_", "PXGRID_", "NETAPI_"];
        for line in lines.by_ref().map_while(Result::ok) {
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once('=')
                && ours.iter().any(|ours| name.starts_with(ours))
            {
                environment.push((name.to_owned(), value.to_owned()));
            }
        }
        Self {
            child,
            _out: lines,
            environment,
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Its program reads to the end of its input, and the lab ends with it.
        drop(self.child.stdin.take());
        let _ended = self.child.wait();
    }
}
