//! Signals that come to us: waiting for them, holding them back, ending by one. Sending them is
//! `process`'s affair, and what each asks for that of who listens.

use std::io::Result;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::SignalKind;

pub(crate) use signal_hook::consts::{
    SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGXCPU,
};

/// One signal, waited for in a runtime.
pub(crate) struct Arrivals(tokio::signal::unix::Signal);

impl Arrivals {
    /// From now on it does nothing else. Must be called inside a runtime.
    pub(crate) fn of(signal: i32) -> Result<Self> {
        tokio::signal::unix::signal(SignalKind::from_raw(signal)).map(Self)
    }

    /// Waits for the next one. Safe to drop and to call again.
    pub(crate) async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// Hands over each of these signals as it comes, on a thread of its own, to the program's end. What
/// is ignored stays ignored, as HUP under nohup.
pub(crate) fn hand_over(signals: &[i32], to: fn(i32)) -> Result<()> {
    let ignored = Ignored::read().unwrap_or_default();
    let caught = signals.iter().filter(|signal| !ignored.has(**signal));
    let mut signals = signal_hook::iterator::Signals::new(caught)?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || signals.forever().for_each(to))?;
    Ok(())
}

/// Does what the signal does where nobody handles it: it ends or stops the process, or nothing.
pub(crate) fn act_as_if_unhandled(signal: i32) {
    // An error means that it is no signal.
    let _unknown = signal_hook::low_level::emulate_default_handler(signal);
}

/// A handler that does nothing. A signal that is ignored is ignored in the programs that we start,
/// too; one that is handled is not.
pub(crate) struct Unheard(signal_hook::SigId);

impl Unheard {
    /// From now on.
    pub(crate) fn begin(signal: i32) -> Result<Self> {
        signal_hook::flag::register(signal, Arc::default()).map(Self)
    }

    /// No more.
    pub(crate) fn end(self) {
        signal_hook::low_level::unregister(self.0);
    }
}

/// Signals that would end the program, held back while it writes.
pub(crate) struct Held {
    came: [(i32, Arc<AtomicBool>); 3],
    free: Arc<AtomicBool>,
}

impl Held {
    /// From now on HUP, INT and TERM wait.
    pub(crate) fn begin() -> Result<Self> {
        let free = Arc::new(AtomicBool::new(false));
        let came = [SIGHUP, SIGINT, SIGTERM].map(|signal| (signal, Arc::default()));
        for (signal, came) in &came {
            // Once they are free again, signals do what they always do.
            signal_hook::flag::register_conditional_default(*signal, Arc::clone(&free))?;
            signal_hook::flag::register(*signal, Arc::clone(came))?;
        }
        Ok(Self { came, free })
    }

    /// Lets signals through, also one that came meanwhile.
    pub(crate) fn end(self) {
        self.free.store(true, Ordering::SeqCst);
        for (signal, came) in self.came {
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
