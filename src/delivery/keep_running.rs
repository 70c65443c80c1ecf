//! `--keep-running`: one long-lived child that gets every event as a line of JSON on its standard input.
//!
//! An event counts as delivered when its line is written. A child that ends is started again after a pause that grows
//! while it keeps ending early; lines that the dead one had not read from the pipe (the kernel knows how much that is) are
//! written to its successor first. What it had read and not dealt with is its own affair. A child that reads nothing for the
//! callback's time limit is ended and started again.
//!
//! Which events fail for good is decided elsewhere ([`super::order`]).

use std::collections::VecDeque;
use std::io::{self, PipeReader};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::Sender;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use super::callback::{Callback, Outcome, Slot, end_group, ended, killed};
use super::output::Output;
use super::{Envelope, Listener};

/// The handle to the child's keeper.
#[derive(Debug)]
pub struct KeepRunning {
    requests: mpsc::Sender<Request>,
    keeper: tokio::task::JoinHandle<()>,
}

/// One event to be written.
#[derive(Debug)]
struct Request {
    line: String,
    reply: oneshot::Sender<Outcome>,
}

/// Writes events; a clone goes with each delivery.
#[derive(Debug, Clone)]
pub struct Feeder(mpsc::Sender<Request>);

impl Feeder {
    /// Writes one event to the child; waits while the child is being started again.
    pub async fn deliver(&self, event: &Envelope) -> Outcome {
        let mut line = event.line().into_owned();
        line.push('\n');
        let (reply, outcome) = oneshot::channel();
        if self.0.send(Request { line, reply }).await.is_err() {
            return Outcome::Stopped;
        }
        outcome.await.unwrap_or(Outcome::Stopped)
    }
}

impl KeepRunning {
    /// Starts the child. Runs on the current tokio runtime; `kill` turns true when everything must end at once.
    pub fn start(
        callback: Callback,
        pauses: Pauses,
        listener: Arc<dyn Listener>,
        kill: watch::Receiver<bool>,
    ) -> Self {
        let (requests, receiver) = mpsc::channel(1);
        let keeper = Keeper {
            callback,
            pauses,
            listener,
            requests: receiver,
            held: None,
            backlog: VecDeque::new(),
            unread: Unread::default(),
        };
        Self {
            requests,
            keeper: tokio::spawn(keeper.keep(kill)),
        }
    }

    /// Something to write events with.
    pub fn feeder(&self) -> Feeder {
        Feeder(self.requests.clone())
    }

    /// Closes the child's standard input and waits for its end, which is brought about if it takes longer than a callback may.
    pub async fn close(self) {
        drop(self.requests);
        // The keeper does not panic, and nobody aborts it; there is nothing to learn from its end.
        let _ended = self.keeper.await;
    }
}

/// The pauses before a child is started again.
#[derive(Debug, Clone, Copy)]
pub struct Pauses {
    /// The first; each further one is twice as long.
    pub first: Duration,
    /// The longest. A child that lived that long starts over with the first.
    pub longest: Duration,
}

/// Lines that were written and perhaps not read, oldest first.
#[derive(Debug, Default)]
struct Unread {
    lines: VecDeque<String>,
    bytes: u64,
    /// Lines that were read to their end.
    read: u64,
}

impl Unread {
    fn push(&mut self, line: String) {
        self.bytes += line.len() as u64;
        self.lines.push_back(line);
    }

    /// Takes over the first line of `backlog`.
    fn lines_from(&mut self, backlog: &mut VecDeque<String>) {
        if let Some(line) = backlog.pop_front() {
            self.push(line);
        }
    }

    /// Only the last `unread` bytes lie in the pipe: forgets the lines that were read to their end.
    fn trim(&mut self, unread: u64) {
        while let Some(first) = self.lines.front() {
            let rest = self.bytes - first.len() as u64;
            if rest < unread {
                break;
            }
            self.bytes = rest;
            self.read += 1;
            self.lines.pop_front();
        }
    }
}

/// A child and our ends of its pipes.
struct Running {
    child: Child,
    /// `None` once no more events will come.
    stdin: Option<Sender>,
    /// How much of a line that was given up half way lies in the pipe.
    partial: u64,
    /// The end it reads from, kept to ask how much of it is unread.
    unread: PipeReader,
    output: Output,
}

/// Why the keeper stopped feeding a child.
enum Over {
    /// It ended by itself, or was ended since it read nothing.
    Child(Option<ExitStatus>),
    /// No more events will come.
    Closed,
}

struct Keeper {
    callback: Callback,
    pauses: Pauses,
    listener: Arc<dyn Listener>,
    requests: mpsc::Receiver<Request>,
    /// A request that came while no child ran.
    held: Option<Request>,
    /// Lines that a dead child left unread.
    backlog: VecDeque<String>,
    /// Lines written to the present child.
    unread: Unread,
}

impl Keeper {
    async fn keep(mut self, mut kill: watch::Receiver<bool>) {
        let mut pause = self.pauses.first;
        loop {
            let begun = Instant::now();
            match self.start() {
                Ok(mut running) => {
                    let over = tokio::select! {
                        over = self.feed(&mut running) => over,
                        () = killed(&mut kill) => {
                            end_group(&mut running.child, &mut running.output).await;
                            Over::Closed
                        }
                    };
                    let progress = self.settle(running).await;
                    match over {
                        // It ended before it had read everything, but it does read: another one gets the rest.
                        Over::Closed if progress && !self.backlog.is_empty() && !*kill.borrow() => {
                            sleep(pause).await;
                            pause = (pause * 2).min(self.pauses.longest);
                            continue;
                        }
                        Over::Closed => return self.say_unread(),
                        Over::Child(status) => self.say_ended(status, pause),
                    }
                }
                Err(error) => {
                    let program = self.callback.program().display();
                    self.listener
                        .notice(&format!("cannot start the callback {program}: {error}"));
                    if let Some(request) = self.held.take() {
                        answer(request.reply, Outcome::NotStarted(error.kind()));
                    }
                }
            }
            if begun.elapsed() >= self.pauses.longest {
                pause = self.pauses.first;
            }
            tokio::select! {
                more = self.rest(pause) => if !more { return self.say_unread() },
                () = killed(&mut kill) => return self.say_unread(),
            }
            pause = (pause * 2).min(self.pauses.longest);
        }
    }

    fn start(&self) -> io::Result<Running> {
        let (unread, writer) = io::pipe()?;
        let mut slot = Slot::new(&self.callback, &self.listener)?;
        let child = slot.start(unread.try_clone()?, &[])?;
        Ok(Running {
            child,
            stdin: Some(Sender::from_owned_fd(writer.into())?),
            partial: 0,
            unread,
            output: slot.output,
        })
    }

    /// Waits out the pause; a request that comes meanwhile is held. False when no more will come.
    async fn rest(&mut self, pause: Duration) -> bool {
        let pause = sleep(pause);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => return true,
                request = self.requests.recv(), if self.held.is_none() => match request {
                    Some(request) => self.held = Some(request),
                    None => return false,
                },
            }
        }
    }

    /// Feeds the child until it ends or no more events come.
    async fn feed(&mut self, running: &mut Running) -> Over {
        while let Some(line) = self.backlog.front() {
            match self.write(running, line).await {
                Written::Yes => self.unread.lines_from(&mut self.backlog),
                Written::No(_, over) => return over,
            }
        }
        loop {
            let request = if let Some(request) = self.held.take() {
                Some(request)
            } else {
                tokio::select! {
                    request = self.requests.recv() => request,
                    status = ended(&mut running.child, &mut running.output) => return Over::Child(status.ok()),
                }
            };
            let Some(Request { line, reply }) = request else {
                return self.let_finish(running).await;
            };
            // Each event has a fresh allowance of output.
            running.output.end_of_event();
            match self.write(running, &line).await {
                Written::Yes => {
                    self.unread.push(line);
                    self.unread.trim(unread(&running.unread));
                    answer(reply, Outcome::Success);
                }
                Written::No(outcome, over) => {
                    answer(reply, outcome);
                    return over;
                }
            }
        }
    }

    /// Writes one line within the time limit. A line that was written in part is written whole to the next child.
    async fn write(&self, running: &mut Running, line: &str) -> Written {
        let Running {
            child,
            stdin,
            partial,
            output,
            ..
        } = running;
        let written = timeout(self.callback.timeout, async {
            tokio::select! {
                written = write_line(stdin, line.as_bytes(), partial) => written.map(|()| None),
                status = ended(child, output) => status.map(Some),
            }
        });
        match written.await {
            Ok(Ok(None)) => Written::Yes,
            Ok(Ok(Some(status))) => {
                // An end with status 0 is no success here: the event was not written.
                let outcome = match Outcome::from(status) {
                    Outcome::Success => Outcome::Exit(0),
                    other => other,
                };
                Written::No(outcome, Over::Child(Some(status)))
            }
            Ok(Err(error)) => {
                self.callback
                    .end(&mut running.child, &mut running.output)
                    .await;
                Written::No(Outcome::NotStarted(error.kind()), Over::Child(None))
            }
            Err(_) => {
                self.callback
                    .end(&mut running.child, &mut running.output)
                    .await;
                Written::No(Outcome::TimedOut, Over::Child(None))
            }
        }
    }

    /// No more events: the child reads what is in the pipe, sees its end, and ends.
    async fn let_finish(&self, running: &mut Running) -> Over {
        running.stdin = None;
        let end = ended(&mut running.child, &mut running.output);
        if timeout(self.callback.timeout, end).await.is_err() {
            self.callback
                .end(&mut running.child, &mut running.output)
                .await;
        }
        Over::Closed
    }

    /// After a child's end: what it had not read is kept, and the last of its output passed on. Whether it read anything.
    async fn settle(&mut self, mut running: Running) -> bool {
        let whole = unread(&running.unread).saturating_sub(running.partial);
        self.unread.trim(whole);
        let Unread {
            mut lines, read, ..
        } = std::mem::take(&mut self.unread);
        lines.append(&mut self.backlog);
        self.backlog = lines;
        running.output.rest().await;
        read > 0
    }

    fn say_ended(&self, status: Option<ExitStatus>, pause: Duration) {
        let how = status.map_or_else(
            || "stopped reading and was ended".to_owned(),
            |status| format!("ended ({})", Outcome::from(status)),
        );
        self.listener.notice(&format!(
            "the callback {how}; starting it again in {:.1}s",
            pause.as_secs_f64()
        ));
    }

    /// The last word on lines that no child read.
    fn say_unread(&self) {
        if !self.backlog.is_empty() {
            self.listener.notice(&format!(
                "the callback ended without reading the last {} events written to it",
                self.backlog.len()
            ));
        }
    }
}

/// How a write ended.
enum Written {
    Yes,
    No(Outcome, Over),
}

/// Writes one line; `partial` says how much of it is in the pipe until all of it is.
async fn write_line(stdin: &mut Option<Sender>, line: &[u8], partial: &mut u64) -> io::Result<()> {
    let Some(stdin) = stdin else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let mut rest = line;
    while !rest.is_empty() {
        let count = stdin.write(rest).await?;
        *partial += count as u64;
        rest = rest.get(count..).unwrap_or_default();
    }
    *partial = 0;
    Ok(())
}

/// How many bytes of the pipe are unread; nothing, where the system does not say.
fn unread(pipe: &PipeReader) -> u64 {
    rustix::io::ioctl_fionread(pipe).unwrap_or(0)
}

/// Answers a request; whoever asked may be gone.
fn answer(reply: oneshot::Sender<Outcome>, outcome: Outcome) {
    let _gone = reply.send(outcome);
}

#[cfg(test)]
#[path = "keep_running_tests.rs"]
mod tests;
