//! `--keep-running`: one long-lived child that gets every event as a line of JSON on its standard
//! input.
//!
//! An event counts as delivered when the child has read its line; the kernel tells how much of the
//! pipe is unread. Several are under way at once, so that a child that reads fast is not kept
//! waiting. A line is begun only while its event may be started; what lies in the pipe stays there.
//! A child that ends is started again after a pause that grows while it keeps ending early. Had it
//! read something, what it left unread is written to its successor first; had it read nothing, that
//! was an attempt for each of those events, and a failed one. What it had read and not dealt with is
//! its own affair. A child that reads nothing for the callback's time limit, once for each line that
//! it read last, is ended and started again.
//!
//! At most `WINDOW` events are asked for at a time, each waiting for its answer, so no queue here
//! is longer than that; a child that reads slowly keeps the others waiting in the spool.
//!
//! Which events fail for good is decided elsewhere ([`crate::delivery::endpoint_order`]).

mod unread;

use std::collections::VecDeque;
use std::io::{self, PipeReader};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::callback::{Callback, CallbackOutcome, PreparedCommand, end_group, ended};
use super::output::Output;
use crate::backoff::Backoff;
use crate::delivery::Listener;
use crate::delivery::gate::StartPermit;
use crate::delivery::scheduler::{Attempt, Scheduler, Unsettled};
use crate::delivery::stop::Stop;
use crate::event::{Delivery, Event};
use crate::unix::pipes::{self, Sender};
use unread::{Request, Unread};

/// How many events may be under way at once.
pub(super) const WINDOW: usize = 64;

/// Pauses between looks at what was read. Where the kernel says by itself that the pipe was
/// emptied, they serve a child that reads less than that at a time.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_millis(100);

/// The handle to the child's supervisor.
#[derive(Debug)]
pub struct LongLivedChild {
    requests: mpsc::Sender<Request>,
    supervisor: tokio::task::JoinHandle<()>,
}

/// Writes events; a clone goes with each delivery.
#[derive(Debug, Clone)]
pub struct Feeder(mpsc::Sender<Request>);

impl Feeder {
    /// Writes one event to the child and waits until it has read it, also while the child is being
    /// started again. A line is begun only while the permit holds.
    pub async fn deliver(
        &self,
        event: &Event,
        delivery: Delivery,
        permit: StartPermit,
    ) -> CallbackOutcome {
        let mut line = event.to_json(Some(delivery));
        line.push('\n');
        let (reply, outcome) = oneshot::channel();
        let request = Request {
            line,
            permit,
            reply,
        };
        if self.0.send(request).await.is_err() {
            return CallbackOutcome::Stopped;
        }
        outcome.await.unwrap_or(CallbackOutcome::Stopped)
    }

    /// Writes one event after the other, as long as there is one.
    pub(super) async fn feed_on(self, scheduler: Arc<Scheduler>, first: Attempt) {
        let mut next = Some(first);
        let mut unsettled = Unsettled::default();
        while let Some(attempt) = next {
            let permit = attempt.permit.clone();
            let outcome = self.deliver(&attempt.event, attempt.delivery, permit);
            let outcome = outcome.await;
            next = scheduler
                .settle_and_next(attempt, outcome, &mut unsettled, &mut || ())
                .await;
        }
    }
}

impl LongLivedChild {
    /// Starts the child. Runs on the current tokio runtime. `backoff` is that before a child is
    /// started again; one that lived as long as its longest pause starts over with the first.
    ///
    /// From [`Stop::Finish`] on no further line is begun: what the child has not read when it ends
    /// is answered with [`CallbackOutcome::Stopped`]. With [`Stop::AtOnce`] it is killed.
    pub fn start(
        callback: Callback,
        backoff: Backoff,
        listener: Arc<dyn Listener>,
        stop: watch::Receiver<Stop>,
    ) -> Self {
        let (requests, receiver) = mpsc::channel(WINDOW);
        let supervisor = ChildSupervisor {
            callback,
            backoff,
            listener,
            requests: receiver,
            stop,
            backlog: VecDeque::new(),
        };
        Self {
            requests,
            supervisor: tokio::spawn(supervisor.keep()),
        }
    }

    /// Something to write events with.
    pub fn feeder(&self) -> Feeder {
        Feeder(self.requests.clone())
    }

    /// Closes the child's standard input and waits for its end, which is brought about if it takes
    /// longer than a callback may.
    pub async fn close(self) {
        let Self {
            requests,
            supervisor,
        } = self;
        drop(requests);
        // The supervisor does not panic, and nobody aborts it; there is nothing to learn from its end.
        let _ended = supervisor.await;
    }
}

/// A child and our ends of its pipes.
struct ChildProcess {
    process: Child,
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
    /// Pauses between looks, and the next one.
    looks: Backoff,
    look_at: Instant,
}

/// Why the supervisor stopped feeding a child.
enum Over {
    /// It ended by itself, or was ended since it read nothing: the outcome for lines that it did
    /// not read.
    Child(CallbackOutcome),
    /// No more events will come.
    Closed,
}

struct ChildSupervisor {
    callback: Callback,
    backoff: Backoff,
    listener: Arc<dyn Listener>,
    requests: mpsc::Receiver<Request>,
    stop: watch::Receiver<Stop>,
    /// To be written before what comes next: what a dead child left unread, or what came while
    /// there was none.
    backlog: VecDeque<Request>,
}

impl ChildSupervisor {
    async fn keep(mut self) {
        let mut stop = self.stop.clone();
        loop {
            let begun = Instant::now();
            let pause;
            match self.start() {
                Ok(mut child) => {
                    let over = tokio::select! {
                        over = self.feed(&mut child) => over,
                        () = Stop::AtOnce.reached(&mut stop) => {
                            end_group(&mut child.process, &mut child.output).await;
                            Over::Closed
                        }
                    };
                    if begun.elapsed() >= self.backoff.longest() {
                        self.backoff.reset();
                    }
                    match over {
                        Over::Closed => {
                            // Who asked for what was not read is told by the end of the reply.
                            return child.rest().await;
                        }
                        Over::Child(outcome) => {
                            pause = self.backoff.next_pause();
                            self.say_ended(&outcome, pause);
                            self.give_back(child, outcome).await;
                        }
                    }
                }
                Err(error) => {
                    pause = self.backoff.next_pause();
                    self.not_started(&error);
                }
            }
            tokio::select! {
                more = self.rest(pause) => if !more { return },
                () = Stop::AtOnce.reached(&mut stop) => return,
            }
        }
    }

    fn start(&self) -> io::Result<ChildProcess> {
        let (pipe, writer) = io::pipe()?;
        pipes::make_smallest(&writer);
        let stdin = Sender::from_owned_fd(writer.into())?;
        let mut prepared = PreparedCommand::new(&self.callback, &self.listener)?;
        let process = prepared.start(pipe.try_clone()?)?;
        let now = Instant::now();
        Ok(ChildProcess {
            process,
            stdin: Some(stdin),
            pipe,
            output: prepared.output,
            unread: Unread::default(),
            written: 0,
            read: 0,
            lines_read: 0,
            limit: self.callback.timeout,
            deadline: now,
            looks: Backoff::new(FIRST_LOOK, LAST_LOOK),
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
                () = finished(&mut self.stop) => return false,
                request = self.requests.recv(), if self.backlog.is_empty() => match request {
                    Some(request) => self.backlog.push_back(request),
                    None => return false,
                },
            }
        }
    }

    /// Feeds the child until it ends or no more events come.
    async fn feed(&mut self, child: &mut ChildProcess) -> Over {
        let mut stop = self.stop.clone();
        loop {
            child.look();
            if let Some(late) = child.unread.take_back() {
                late.answer(CallbackOutcome::TakenBack);
            }
            let idle = child.unread.lines.is_empty();
            if !idle && Instant::now() >= child.deadline {
                let ChildProcess {
                    process, output, ..
                } = child;
                self.callback.end(process, output).await;
                return Over::Child(CallbackOutcome::TimedOut);
            }
            let free = child.unread.rest == 0;
            if free {
                if *stop.borrow() >= Stop::Finish {
                    return self.let_finish(child).await;
                }
                if let Some(request) = self.backlog.pop_front() {
                    child.begin(request);
                    continue;
                }
            }
            let wake_at = child.look_at.min(child.deadline);
            tokio::select! {
                status = ended(&mut child.process, &mut child.output) => return Over::Child(unread_at(status)),
                wrote = write(child.stdin.as_ref(), child.unread.rest()), if !idle => match wrote {
                    Ok(count) => child.wrote(count),
                    Err(error) => {
                        self.callback.end(&mut child.process, &mut child.output).await;
                        return Over::Child(CallbackOutcome::Unknown(error.to_string()));
                    }
                },
                request = self.requests.recv(), if free => match request {
                    Some(request) => child.begin(request),
                    None => return self.let_finish(child).await,
                },
                () = sleep_until(wake_at), if !idle => child.look_later(),
                () = finished(&mut stop), if free => {}
            }
        }
    }

    /// No more events: the child reads what is in the pipe, sees its end, and ends.
    async fn let_finish(&self, child: &mut ChildProcess) -> Over {
        child.stdin = None;
        let end = ended(&mut child.process, &mut child.output);
        if timeout(self.callback.timeout, end).await.is_err() {
            self.callback
                .end(&mut child.process, &mut child.output)
                .await;
        }
        Over::Closed
    }

    /// After a child's end: what it had not read goes to the next one, or, if it had read nothing
    /// at all, back to where it came from.
    async fn give_back(&mut self, mut child: ChildProcess, outcome: CallbackOutcome) {
        child.rest().await;
        if let Some(late) = child.unread.take_back() {
            late.answer(CallbackOutcome::TakenBack);
        }
        let mut unread = child.unread.lines;
        if child.lines_read > 0 {
            unread.append(&mut self.backlog);
            self.backlog = unread;
        } else {
            for request in unread {
                request.answer(outcome.clone());
            }
        }
    }

    fn say_ended(&self, outcome: &CallbackOutcome, pause: Duration) {
        let how = match outcome {
            CallbackOutcome::TimedOut => "stopped reading and was ended".to_owned(),
            other => format!("ended ({other})"),
        };
        self.listener.notice(&format!(
            "the callback {how}; starting it again in {:.1}s",
            pause.as_secs_f64()
        ));
    }
}

impl ChildProcess {
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
        let unread = pipes::unread(&self.pipe);
        let read = self.written.saturating_sub(unread);
        if read <= self.read {
            return;
        }
        self.read = read;
        let mut lines = 0;
        while let Some(request) = self.unread.next_read(unread) {
            request.answer(CallbackOutcome::Success);
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
        self.looks.reset();
        self.look_at = now + self.looks.next_pause();
    }

    fn look_later(&mut self) {
        self.look_at = Instant::now() + self.looks.next_pause();
    }

    /// After its end: the last of what it read, and of its output.
    async fn rest(&mut self) {
        self.look();
        self.output.rest().await;
    }
}

/// Writes as much as the pipe takes; when it takes nothing, or there is nothing to write, waits for
/// the kernel to say that it was read.
async fn write(stdin: Option<&Sender>, bytes: &[u8]) -> io::Result<usize> {
    let Some(stdin) = stdin else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    if !bytes.is_empty() {
        // Not by way of what the runtime knows: it hears of room only when there was none.
        match pipes::write(stdin, bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            written => return written,
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
fn unread_at(status: io::Result<ExitStatus>) -> CallbackOutcome {
    match status.map(CallbackOutcome::from) {
        Ok(CallbackOutcome::Success) | Err(_) => CallbackOutcome::Exit(0),
        Ok(other) => other,
    }
}

/// Waits until no further line is to be begun.
async fn finished(stop: &mut watch::Receiver<Stop>) {
    let finish = |stop: &Stop| *stop >= Stop::Finish;
    if stop.wait_for(finish).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
