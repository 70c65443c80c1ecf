//! Signals that come to us: waiting for them, holding them back, ending by one. Sending them is
//! `process`'s affair, and what each asks for that of who listens.
//!
//! A handler of the system's stays for good. So it is counted here who listens to each signal, and
//! a signal to which nobody listens any more does again what it does without a handler.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io::Result;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::signal::unix::SignalKind;

use signal_hook::consts::{
    SIGABRT, SIGALRM, SIGPROF, SIGQUIT, SIGSYS, SIGTRAP, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ,
};
pub(crate) use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGUSR1};

/// What ends a process that does not handle it, and can be handled: whoever has changed a terminal
/// puts it back before. PIPE is ignored by Rust's runtime; faults of the program itself (SEGV,
/// BUS) leave nobody to put it back.
pub(crate) const ENDING: [i32; 14] = [
    SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGQUIT, SIGABRT, SIGALRM, SIGPROF, SIGSYS, SIGTRAP, SIGUSR2,
    SIGVTALRM, SIGXCPU, SIGXFSZ,
];

/// Who listens to one signal.
#[derive(Default)]
struct Listeners {
    number: usize,
    /// A thread does what the system would do; see [`hand_over`].
    handed_over: bool,
    /// Whether the handler does what the system would do.
    default: Arc<AtomicBool>,
    /// It came, and none of [`Arrivals`] has heard it yet.
    came: Arc<AtomicBool>,
    registered: bool,
}

impl Listeners {
    fn settle(&self) {
        let default = self.number == 0 && !self.handed_over;
        self.default.store(default, Ordering::SeqCst);
    }
}

static LISTENERS: Mutex<BTreeMap<i32, Listeners>> = Mutex::new(BTreeMap::new());

fn listeners() -> MutexGuard<'static, BTreeMap<i32, Listeners>> {
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the handler do what the system would do while nobody listens. It must stand in front of what
/// wakes who listens: who hears a signal may end to listen while its handler still runs, and it
/// would end the program with the signal that was heard.
fn prepare(signal: i32) -> Result<()> {
    let mut all = listeners();
    let listeners = all.entry(signal).or_default();
    if !listeners.registered {
        listeners.settle();
        // In front of the rest: a signal that finds somebody listening has left its mark when that
        // one looks after its end.
        signal_hook::flag::register(signal, Arc::clone(&listeners.came))?;
        let default = Arc::clone(&listeners.default);
        if std::process::id() == 1 {
            // The system spares the first process of a container: without a handler it goes on.
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, default)?;
        } else {
            signal_hook::flag::register_conditional_default(signal, default)?;
        }
        listeners.registered = true;
    }
    Ok(())
}

/// One more listens. Gives the mark of a signal that nobody has heard.
fn begin_to_listen(signal: i32) -> Result<Arc<AtomicBool>> {
    prepare(signal)?;
    let mut all = listeners();
    let listeners = all.entry(signal).or_default();
    if listeners.number == 0 {
        listeners.came.store(false, Ordering::SeqCst);
    }
    listeners.number += 1;
    listeners.settle();
    Ok(Arc::clone(&listeners.came))
}

/// One listens no longer.
fn end_to_listen(signal: i32) {
    if let Some(listeners) = listeners().get_mut(&signal) {
        listeners.number = listeners.number.saturating_sub(1);
        listeners.settle();
    }
}

/// Whether somebody listens.
pub(crate) fn is_listened_to(signal: i32) -> bool {
    let all = listeners();
    all.get(&signal)
        .is_some_and(|listeners| listeners.number > 0)
}

/// One signal, waited for in a runtime. Where nobody waits for it any more it does again what it
/// does without a handler.
pub(crate) struct Arrivals {
    signal: i32,
    stream: tokio::signal::unix::Signal,
    came: Arc<AtomicBool>,
}

impl Arrivals {
    /// From now on it does nothing else. Must be called inside a runtime.
    pub(crate) fn of(signal: i32) -> Result<Self> {
        prepare(signal)?;
        let stream = tokio::signal::unix::signal(SignalKind::from_raw(signal))?;
        Ok(Self {
            signal,
            stream,
            came: begin_to_listen(signal)?,
        })
    }

    /// Waits for the next one. Safe to drop and to call again.
    pub(crate) async fn next(&mut self) {
        if self.stream.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        self.came.store(false, Ordering::SeqCst);
    }

    /// Listens no longer. The signal, if it came, nobody heard it, and nobody else listens: what it
    /// does without a handler is then left to do.
    pub(crate) fn end(self) -> Option<i32> {
        let (signal, came) = (self.signal, Arc::clone(&self.came));
        drop(self);
        let unheard = came.swap(false, Ordering::SeqCst) && !is_listened_to(signal);
        unheard.then_some(signal)
    }
}

/// Waits for the next of any of these: its number. Safe to drop and to call again.
pub(crate) async fn next_of(all: &mut [Arrivals]) -> i32 {
    poll_fn(|context| {
        let mut came = all.iter_mut().filter_map(|one| {
            let arrival = one.stream.poll_recv(context);
            let heard = matches!(arrival, Poll::Ready(Some(())));
            heard.then(|| {
                one.came.store(false, Ordering::SeqCst);
                one.signal
            })
        });
        came.next().map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        end_to_listen(self.signal);
    }
}

/// Hands over each of these signals as it comes, on a thread of its own, to the program's end: `to`
/// does what each does where nobody listens. What is ignored stays ignored, as HUP under nohup.
pub(crate) fn hand_over(signals: &[i32], to: fn(i32)) -> Result<()> {
    let ignored = Ignored::read().unwrap_or_default();
    let caught = signals.iter().filter(|signal| !ignored.has(**signal));
    let mut arriving = signal_hook::iterator::Signals::new(caught.clone())?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || arriving.forever().for_each(to))?;
    let mut all = listeners();
    for signal in caught {
        let listeners = all.entry(*signal).or_default();
        listeners.handed_over = true;
        listeners.settle();
    }
    Ok(())
}

/// Does what the signal does where nobody handles it: it ends or stops the process, or nothing.
pub(crate) fn act_as_if_unhandled(signal: i32) {
    // An error means that it is no signal.
    let _unknown = signal_hook::low_level::emulate_default_handler(signal);
}

/// A handler that does nothing. A signal that is ignored is ignored in the programs that we start,
/// too; one that is handled is not.
pub(crate) struct Unheard(i32);

impl Unheard {
    /// From now on, to the program's end or to [`Self::end`].
    pub(crate) fn begin(signal: i32) -> Result<Self> {
        begin_to_listen(signal).map(|_| Self(signal))
    }

    /// No more.
    pub(crate) fn end(self) {
        end_to_listen(self.0);
    }
}

/// Signals that would end the program, held back while it writes.
pub(crate) struct Held {
    came: [(i32, Arc<AtomicBool>); 3],
}

impl Held {
    /// From now on HUP, INT and TERM wait.
    pub(crate) fn begin() -> Result<Self> {
        let came = [SIGHUP, SIGINT, SIGTERM].map(|signal| (signal, Arc::default()));
        for (signal, came) in &came {
            prepare(*signal)?;
            signal_hook::flag::register(*signal, Arc::clone(came))?;
            begin_to_listen(*signal)?;
        }
        Ok(Self { came })
    }

    /// Lets signals through, also one that came meanwhile.
    pub(crate) fn end(self) {
        for (signal, came) in self.came {
            end_to_listen(signal);
            if came.load(Ordering::SeqCst) {
                act_as_if_unhandled(signal);
            }
        }
    }
}

/// The signal that ended a process.
pub(crate) fn that_ended(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// Which signals are ignored.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ignored(u64);

impl Ignored {
    /// As the system says; `None` where it does not.
    pub(crate) fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/status").ok()?)
    }

    /// From the text of proc(5): a mask in hexadecimal, in which HUP is the lowest bit.
    fn parse(status: &str) -> Option<Self> {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        u64::from_str_radix(mask?.trim(), 16).ok().map(Self)
    }

    /// Whether this one is.
    pub(crate) fn has(self, signal: i32) -> bool {
        let bit = u32::try_from(signal - 1).ok();
        bit.and_then(|bit| self.0.checked_shr(bit)).unwrap_or(0) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By URG, which does nothing where nobody handles it.
    #[tokio::test]
    async fn a_signal_that_nobody_heard_is_known_at_the_end() {
        let listen = || Arrivals::of(signal_hook::consts::SIGURG).unwrap();
        let send = async |to: &Arrivals| {
            let ourselves = rustix::process::getpid();
            rustix::process::kill_process(ourselves, rustix::process::Signal::URG).unwrap();
            while !to.came.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
        };
        let mut heard = listen();
        send(&heard).await;
        heard.next().await;
        assert_eq!(heard.end(), None);
        let (first, last) = (listen(), listen());
        send(&first).await;
        assert_eq!(first.end(), None);
        send(&last).await;
        assert_eq!(last.end(), Some(signal_hook::consts::SIGURG));
        assert_eq!(listen().end(), None);
    }

    #[test]
    fn what_is_ignored_is_known_from_the_mask() {
        let parse =
            |mask: &str| Ignored::parse(&format!("Name:\tx\nSigBlk:\t1\nSigIgn:\t{mask}\n"));
        let piped = parse("0000000000001000").unwrap();
        assert!(!piped.has(SIGHUP) && piped.has(13) && !piped.has(0) && !piped.has(99));
        let both = parse("0000000000001001").unwrap();
        assert!(both.has(SIGHUP) && both.has(13) && !both.has(SIGINT));
        assert!(parse("x").is_none() && Ignored::parse("Name:\tx\n").is_none());
        assert!(Ignored::read().is_some() || cfg!(not(target_os = "linux")));
    }
}
