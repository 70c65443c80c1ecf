//! The pager: long lists and help on a terminal go through `less`, as those of git and gh do.
//!
//! `NETAPI_PAGER`, else `PAGER`, else `less`; words as a shell splits them, and no shell is
//! started. It is started when more is there than the screen holds, so what is short is printed at
//! once. Nothing of it is on a pipe, with `--no-pager`, where the variable is empty or `cat`, or
//! where the terminal is dumb; a pager that is missing is done without. What goes on for ever is
//! never paged, and neither is what asks or changes something.
//!
//! Ctrl-C is the pager's while it runs. Where it ends before the list does, nobody reads on, and
//! the program ends as well: only commands that read are paged.

use std::io::{IsTerminal, Stdout, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::unix::signals::{SIGINT, Unheard, that_ended};
use crate::unix::terminal;

/// How long a list that comes slowly is held for the rest of its first screen.
const PATIENCE: Duration = Duration::from_secs(1);

/// How `less` behaves where the user has no wish of his own, as git has it: it ends by itself where
/// all fits the screen, shows colours, and leaves what it showed.
const LESS: (&str, &str) = ("LESS", "FRX");

/// Standard output, on a terminal behind a pager.
pub(crate) struct PagedOutput {
    way: PagerState,
}

enum PagerState {
    /// No pager, or none yet.
    Direct(Stdout),
    /// Not yet a screen full.
    Held(Held),
    Paged(Running),
}

/// What was written so far, and what it will be shown with if it grows.
struct Held {
    pager: Vec<String>,
    bytes: Vec<u8>,
    room: ScreenRoom,
    since: Instant,
}

/// What a screen has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ScreenRoom {
    lines: usize,
    columns: usize,
    /// How far the last line has come.
    at: usize,
}

struct Running {
    /// Closed to end it.
    input: Option<ChildStdin>,
    /// All was written: it may end.
    complete: Arc<AtomicBool>,
    waiting: Option<JoinHandle<()>>,
}

impl PagedOutput {
    /// Standard output as it is.
    pub(crate) fn direct() -> Self {
        let way = PagerState::Direct(std::io::stdout());
        Self { way }
    }

    /// Behind a pager, where there is to be one.
    pub(crate) fn new(no_pager: bool) -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let is_terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
        let dumb = variable("TERM").is_some_and(|name| name == "dumb");
        if no_pager || dumb || !is_terminal {
            return Self::direct();
        }
        let wish = variable("NETAPI_PAGER").or_else(|| variable("PAGER"));
        let (Some(pager), Some(size)) = (words(wish.as_deref()), terminal::size(std::io::stdout()))
        else {
            return Self::direct();
        };
        // Some terminals do not tell their size: nothing is known of what fits.
        if size.rows == 0 {
            return Self::direct();
        }
        let way = PagerState::Held(Held {
            pager,
            bytes: Vec::new(),
            // The prompt takes a line.
            room: ScreenRoom {
                lines: usize::from(size.rows).saturating_sub(1),
                columns: usize::from(size.columns).max(1),
                at: 0,
            },
            since: Instant::now(),
        });
        Self { way }
    }

    /// What was held goes to a pager, or out where there is none.
    fn let_go(&mut self, to_a_pager: bool) -> std::io::Result<()> {
        let PagerState::Held(held) = &mut self.way else {
            return Ok(());
        };
        let bytes = std::mem::take(&mut held.bytes);
        let running = to_a_pager.then(|| start(&held.pager)).flatten();
        self.way = running.map_or_else(|| PagerState::Direct(std::io::stdout()), PagerState::Paged);
        self.write_all(&bytes)?;
        self.flush()
    }
}

impl Write for PagedOutput {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match &mut self.way {
            PagerState::Direct(stdout) => stdout.write(bytes),
            PagerState::Held(held) => {
                held.bytes.extend_from_slice(bytes);
                if !held.room.take(bytes) {
                    self.let_go(true)?;
                }
                Ok(bytes.len())
            }
            PagerState::Paged(running) => match &mut running.input {
                Some(input) => input.write(bytes),
                None => Err(std::io::ErrorKind::BrokenPipe.into()),
            },
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match &mut self.way {
            PagerState::Direct(stdout) => stdout.flush(),
            // The rest of a short list is nearly there.
            PagerState::Held(held) if held.since.elapsed() < PATIENCE => Ok(()),
            PagerState::Held(_) => self.let_go(true),
            PagerState::Paged(running) => running.input.as_mut().map_or(Ok(()), Write::flush),
        }
    }
}

impl Drop for PagedOutput {
    /// What is short is printed; a pager is waited for.
    fn drop(&mut self) {
        // A terminal that is gone reads nothing.
        let _unread = self.let_go(false);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.complete.store(true, Ordering::Release);
        self.input = None;
        if let Some(waiting) = self.waiting.take() {
            let _ended = waiting.join();
        }
    }
}

/// Prints a text through the pager.
pub(crate) fn write_out(text: &str, no_pager: bool) -> std::io::Result<()> {
    let mut output = PagedOutput::new(no_pager);
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// The pager's words; `None` where there is to be none.
fn words(wish: Option<&str>) -> Option<Vec<String>> {
    let words = shlex::split(wish.unwrap_or("less"))?;
    let first = words.first()?;
    (first != "cat").then_some(words)
}

fn start(pager: &[String]) -> Option<Running> {
    let (program, arguments) = pager.split_first()?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped());
    if std::env::var_os(LESS.0).is_none() {
        command.env(LESS.0, LESS.1);
    }
    // What is ignored would be ignored in the pager, too.
    let ours = Unheard::begin(SIGINT).ok();
    let started = command.spawn().and_then(|mut child| {
        let input = child.stdin.take();
        let complete = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&complete);
        let waiting = crate::threads::spawn("pager", move || wait(child, &seen));
        let waiting = waiting.map_err(|error| std::io::Error::other(error.message().to_owned()))?;
        Ok(Running {
            input,
            complete,
            waiting: Some(waiting),
        })
    });
    if started.is_err()
        && let Some(ours) = ours
    {
        ours.end();
    }
    started.ok()
}

/// Waits for the pager's end. Where it ends first, so does the program, whatever it waits for.
#[allow(
    clippy::exit,
    reason = "the main thread may wait for a server, and holds nothing that must be put away"
)]
fn wait(mut child: Child, complete: &AtomicBool) {
    let ended = child.wait();
    if complete.load(Ordering::Acquire) {
        return;
    }
    if let Some(signal) = ended.ok().and_then(that_ended) {
        super::long_running::end_by(signal);
    }
    std::process::exit(0);
}

impl ScreenRoom {
    /// Takes what is written; whether the screen holds it. A line that is too long goes on in the
    /// next; bytes count as columns, which is enough for when to start.
    fn take(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if *byte == b'\n' {
                self.at = 0;
            } else {
                self.at += 1;
                if self.at <= self.columns {
                    continue;
                }
                self.at = 1;
            }
            match self.lines.checked_sub(1) {
                Some(left) => self.lines = left,
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_pager_is_wanted() {
        let words = |wish| words(wish).map(|words| words.join("|"));
        assert_eq!(words(None).as_deref(), Some("less"));
        assert_eq!(
            words(Some("less -S '+/a b'")).as_deref(),
            Some("less|-S|+/a b")
        );
        for none in ["", "  ", "cat", "cat -v", "'"] {
            assert_eq!(words(Some(none)), None, "{none}");
        }
    }

    #[test]
    fn a_screen_holds_lines_and_what_is_too_long_takes_several() {
        let room = || ScreenRoom {
            lines: 3,
            columns: 10,
            at: 0,
        };
        assert!(room().take(b"one\ntwo\nthree\n"));
        assert!(!room().take(b"one\ntwo\nthree\nfour\n"));
        assert!(room().take(b"exactly 10\nx\ny\n"));
        assert!(!room().take(b"exactly 10.\nx\ny\n"));
        assert!(!room().take(&[b'x'; 50]));
    }
}
