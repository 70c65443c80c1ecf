//! `--keep-running`: one long-lived child that gets every event as a line of JSON on its standard
//! input.
//!
//! An event counts as delivered when the child has read its line; the kernel tells how much of the
//! pipe is unread. Several are under way at once, so that a child that reads fast is not kept
//! waiting. A child that ends is started again after a pause that grows while it keeps ending
//! early. Had it read something, what it left unread is written to its successor first; had it read
//! nothing, that was an attempt for each of those events, and a failed one. What it had read and
//! not dealt with is its own affair. A child that reads nothing for the callback's time limit, once
//! for each line that it read last, is ended and started again.
//!
//! At most `WINDOW` events are asked for at a time, each waiting for its answer, so no queue here
//! is longer than that; a child that reads slowly keeps the others waiting in the spool.
//!
//! Which events fail for good is decided elsewhere ([`super::order`]).

use std::collections::VecDeque;
use std::io::{self, PipeReader, PipeWriter};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::unix::pipe::Sender;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Listener;
use super::callback::{Callback, Outcome, Slot, end_group, ended, killed};
use super::output::Output;
use crate::event::{Delivery, Event};

/// How many events may be under way at once.
pub(super) const WINDOW: usize = 64;

/// Pauses between looks at what was read. Where the kernel says by itself that the pipe was
/// emptied, they serve a child that reads less than that at a time.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_millis(100);

/// The handle to the child's keeper.
#[derive(Debug)]
pub struct KeepRunning {
    requests: mpsc::Sender<Request>,
    finish: watch::Sender<bool>,
    keeper: tokio::task::JoinHandle<()>,
}

/// One event to be written.
#[derive(Debug)]
struct Request {
    line: String,
    reply: oneshot::Sender<Outcome>,
}

impl Request {
    /// Answers it; whoever asked may be gone.
    fn answer(self, outcome: Outcome) {
        let _gone = self.reply.send(outcome);
    }
}

/// Writes events; a clone goes with each delivery.
#[derive(Debug, Clone)]
pub struct Feeder(mpsc::Sender<Request>);

impl Feeder {
    /// Writes one event to the child and waits until it has read it, also while the child is being
    /// started again.
    pub async fn deliver(&self, event: &Event, delivery: Delivery) -> Outcome {
        let mut line = event.to_json(Some(delivery));
        line.push('\n');
        let (reply, outcome) = oneshot::channel();
        if self.0.send(Request { line, reply }).await.is_err() {
            return Outcome::Stopped;
        }
        outcome.await.unwrap_or(Outcome::Stopped)
    }
}

impl KeepRunning {
    /// Starts the child. Runs on the current tokio runtime; `kill` turns true when everything must
    /// end at once.
    pub fn start(
        callback: Callback,
        pauses: Pauses,
        listener: Arc<dyn Listener>,
        kill: watch::Receiver<bool>,
    ) -> Self {
        let (requests, receiver) = mpsc::channel(WINDOW);
        let (finish, finished) = watch::channel(false);
        let keeper = Keeper {
            callback,
            pauses,
            listener,
            requests: receiver,
            finish: finished,
            backlog: VecDeque::new(),
        };
        Self {
            requests,
            finish,
            keeper: tokio::spawn(keeper.keep(kill)),
        }
    }

    /// Something to write events with.
    pub fn feeder(&self) -> Feeder {
        Feeder(self.requests.clone())
    }

    /// No further line is begun: what the child has not read when it ends is answered with
    /// [`Outcome::Stopped`].
    pub fn finish(&self) {
        self.finish.send_replace(true);
    }

    /// Closes the child's standard input and waits for its end, which is brought about if it takes
    /// longer than a callback may.
    pub async fn close(self) {
        let Self {
            requests,
            finish,
            keeper,
        } = self;
        drop(requests);
        // The keeper does not panic, and nobody aborts it; there is nothing to learn from its end.
        let _ended = keeper.await;
        drop(finish);
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

/// Lines that were written, or begun, and perhaps not read, oldest first.
#[derive(Debug, Default)]
struct Unread {
    lines: VecDeque<Request>,
    /// How many of their bytes were written.
    bytes: u64,
    /// How many bytes of the last one were not.
    rest: usize,
}

impl Unread {
    /// Begins a line, after the one before was written whole.
    fn begin(&mut self, request: Request) {
        self.rest = request.line.len();
        self.lines.push_back(request);
    }

    /// What is to be written of the last line.
    fn rest(&self) -> &[u8] {
        let last = self.lines.back().map_or("", |request| &request.line);
        let done = last.len().saturating_sub(self.rest);
        last.as_bytes().get(done..).unwrap_or_default()
    }

    fn wrote(&mut self, count: usize) {
        self.rest = self.rest.saturating_sub(count);
        self.bytes += count as u64;
    }

    /// Only the last `unread` bytes lie in the pipe: gives the next line that was read to its end.
    fn next_read(&mut self, unread: u64) -> Option<Request> {
        let first = self.lines.front()?;
        let left = self.bytes.checked_sub(first.line.len() as u64)?;
        if left < unread {
            return None;
        }
        self.bytes = left;
        self.lines.pop_front()
    }
}

/// A child and our ends of its pipes.
struct Running {
    child: Child,
    /// `None` once no more events will come.
    stdin: Option<Sender>,
    /// The end it reads from, kept to ask how much of it is unread.
    pipe: PipeReader,
    output: Output,
    unread: Unread,
    /// How many bytes were written, and read.
    written: u64,
    read: u64,
    /// Lines that were read to their end.
    lines_read: u32,
    /// How long it may take over a line, and until when it must have read more.
    limit: Duration,
    deadline: Instant,
    /// The pause before the next look, and its end.
    pause: Duration,
    look_at: Instant,
}

/// Why the keeper stopped feeding a child.
enum Over {
    /// It ended by itself, or was ended since it read nothing: the outcome for lines that it did
    /// not read.
    Child(Outcome),
    /// No more events will come.
    Closed,
}

struct Keeper {
    callback: Callback,
    pauses: Pauses,
    listener: Arc<dyn Listener>,
    requests: mpsc::Receiver<Request>,
    finish: watch::Receiver<bool>,
    /// To be written before what comes next: what a dead child left unread, or what came while
    /// there was none.
    backlog: VecDeque<Request>,
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
                    if begun.elapsed() >= self.pauses.longest {
                        pause = self.pauses.first;
                    }
                    match over {
                        Over::Closed => {
                            // Who asked for what was not read is told by the end of the reply.
                            return running.rest().await;
                        }
                        Over::Child(outcome) => {
                            self.say_ended(&outcome, pause);
                            self.give_back(running, outcome).await;
                        }
                    }
                }
                Err(error) => self.not_started(&error),
            }
            tokio::select! {
                more = self.rest(pause) => if !more { return },
                () = killed(&mut kill) => return,
            }
            pause = (pause * 2).min(self.pauses.longest);
        }
    }

    fn start(&self) -> io::Result<Running> {
        let (pipe, writer) = io::pipe()?;
        one_page(&writer);
        let stdin = Sender::from_owned_fd(writer.into())?;
        let mut slot = Slot::new(&self.callback, &self.listener)?;
        let child = slot.start(pipe.try_clone()?, &[])?;
        let now = Instant::now();
        Ok(Running {
            child,
            stdin: Some(stdin),
            pipe,
            output: slot.output,
            unread: Unread::default(),
            written: 0,
            read: 0,
            lines_read: 0,
            limit: self.callback.timeout,
            deadline: now,
            pause: FIRST_LOOK,
            look_at: now,
        })
    }

    /// The child could not be started, which is no attempt: what is to be written goes back to
    /// where it came from, to come again. Whoever takes it back says why; where nothing waits,
    /// nobody needs to know.
    fn not_started(&mut self, error: &io::Error) {
        let outcome = self.callback.not_started(error);
        while let Ok(request) = self.requests.try_recv() {
            self.backlog.push_back(request);
        }
        for request in self.backlog.drain(..) {
            request.answer(outcome.clone());
        }
    }

    /// Waits out the pause; one request that comes meanwhile is kept. False when no more will come.
    async fn rest(&mut self, pause: Duration) -> bool {
        let pause = sleep(pause);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => return true,
                () = finished(&mut self.finish) => return false,
                request = self.requests.recv(), if self.backlog.is_empty() => match request {
                    Some(request) => self.backlog.push_back(request),
                    None => return false,
                },
            }
        }
    }

    /// Feeds the child until it ends or no more events come.
    async fn feed(&mut self, running: &mut Running) -> Over {
        let mut finish = self.finish.clone();
        loop {
            running.look();
            let idle = running.unread.lines.is_empty();
            if !idle && Instant::now() >= running.deadline {
                let Running { child, output, .. } = running;
                self.callback.end(child, output).await;
                return Over::Child(Outcome::TimedOut);
            }
            let free = running.unread.rest == 0;
            if free {
                if *finish.borrow() {
                    return self.let_finish(running).await;
                }
                if let Some(request) = self.backlog.pop_front() {
                    running.begin(request);
                    continue;
                }
            }
            let wake_at = running.look_at.min(running.deadline);
            tokio::select! {
                status = ended(&mut running.child, &mut running.output) => return Over::Child(unread_at(status)),
                wrote = write(running.stdin.as_ref(), running.unread.rest()), if !idle => match wrote {
                    Ok(count) => running.wrote(count),
                    Err(error) => {
                        self.callback.end(&mut running.child, &mut running.output).await;
                        return Over::Child(Outcome::Unknown(error.to_string()));
                    }
                },
                request = self.requests.recv(), if free => match request {
                    Some(request) => running.begin(request),
                    None => return self.let_finish(running).await,
                },
                () = sleep_until(wake_at), if !idle => running.look_later(),
                () = finished(&mut finish), if free => {}
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

    /// After a child's end: what it had not read goes to the next one, or, if it had read nothing
    /// at all, back to where it came from.
    async fn give_back(&mut self, mut running: Running, outcome: Outcome) {
        running.rest().await;
        let mut unread = running.unread.lines;
        if running.lines_read > 0 {
            unread.append(&mut self.backlog);
            self.backlog = unread;
        } else {
            for request in unread {
                request.answer(outcome.clone());
            }
        }
    }

    fn say_ended(&self, outcome: &Outcome, pause: Duration) {
        let how = match outcome {
            Outcome::TimedOut => "stopped reading and was ended".to_owned(),
            other => format!("ended ({other})"),
        };
        self.listener.notice(&format!(
            "the callback {how}; starting it again in {:.1}s",
            pause.as_secs_f64()
        ));
    }
}

impl Running {
    /// Begins to write a line.
    fn begin(&mut self, request: Request) {
        let now = Instant::now();
        if self.unread.lines.is_empty() {
            self.deadline = self.deadline.max(now + self.limit);
        }
        self.unread.begin(request);
        self.look_soon(now);
        // Each event has a fresh allowance of output.
        self.output.end_of_event();
    }

    fn wrote(&mut self, count: usize) {
        self.unread.wrote(count);
        self.written += count as u64;
    }

    /// Answers the lines that were read.
    fn look(&mut self) {
        let unread = rustix::io::ioctl_fionread(&self.pipe).unwrap_or(0);
        let read = self.written.saturating_sub(unread);
        if read <= self.read {
            return;
        }
        self.read = read;
        let mut lines = 0;
        while let Some(request) = self.unread.next_read(unread) {
            request.answer(Outcome::Success);
            lines += 1;
        }
        self.lines_read = self.lines_read.saturating_add(lines);
        let now = Instant::now();
        // What it read at once it may deal with one line after the other.
        let allowed = self.limit.saturating_mul(lines.max(1));
        self.deadline = self.deadline.max(now + allowed);
        self.look_soon(now);
    }

    fn look_soon(&mut self, now: Instant) {
        self.pause = FIRST_LOOK;
        self.look_at = now + self.pause;
    }

    fn look_later(&mut self) {
        self.pause = (self.pause * 2).min(LAST_LOOK);
        self.look_at = Instant::now() + self.pause;
    }

    /// After its end: the last of what it read, and of its output.
    async fn rest(&mut self) {
        self.look();
        self.output.rest().await;
    }
}

/// The smallest pipe there is: the kernel says that it takes more only when all of it was read.
/// Where it cannot be had, looking serves.
fn one_page(writer: &PipeWriter) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _larger = rustix::pipe::fcntl_setpipe_size(writer, 1);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = writer;
}

/// Writes as much as the pipe takes; when it takes nothing, or there is nothing to write, waits for
/// the kernel to say that it was read.
async fn write(stdin: Option<&Sender>, bytes: &[u8]) -> io::Result<usize> {
    let Some(stdin) = stdin else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    if !bytes.is_empty() {
        // Not by way of what the runtime knows: it hears of room only when there was none.
        match rustix::io::write(stdin, bytes) {
            Err(Errno::AGAIN) => {}
            written => return Ok(written?),
        }
    }
    // Whatever was read before this shows when one looks, and what is read after it makes it ready
    // again.
    stdin.writable().await?;
    let _ready_no_more = stdin.try_io(|| Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    Ok(0)
}

/// The outcome for lines that a child did not read before it ended: status 0 is no success for
/// them.
fn unread_at(status: io::Result<ExitStatus>) -> Outcome {
    match status.map(Outcome::from) {
        Ok(Outcome::Success) | Err(_) => Outcome::Exit(0),
        Ok(other) => other,
    }
}

/// Waits until no further line is to be begun.
async fn finished(finish: &mut watch::Receiver<bool>) {
    if finish.wait_for(|finish| *finish).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
