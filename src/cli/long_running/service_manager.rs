//! What a service manager is told: ready, status, alive, stopping; by the protocol of sd_notify(3),
//! a datagram to the socket that `NOTIFY_SOCKET` names.
//!
//! Without that variable nothing is sent. A datagram that finds no room is left out, and what it
//! said is said again with the next tick. Callbacks never get the variable (`delivery::sink::callback`).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::sanitize::terminal_safe;

/// How often the status is looked at, where no watchdog wants to hear of us more often.
const STATUS: Duration = Duration::from_secs(5);

/// See the module's documentation.
pub(super) struct ServiceManager(Option<Notifier>);

struct Notifier {
    socket: UnixDatagram,
    address: SocketAddr,
    watchdog: bool,
    ticks: Interval,
    /// The command is ready, and whether that was sent.
    ready: bool,
    ready_sent: bool,
    /// What was last sent as status.
    status: String,
}

impl ServiceManager {
    /// The one of this process's environment, if there is one. Must be called inside a runtime.
    pub(super) fn find() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let notifier = variable("NOTIFY_SOCKET").and_then(|name| {
            let watchdog = watchdog(
                variable("WATCHDOG_USEC"),
                variable("WATCHDOG_PID"),
                std::process::id(),
            );
            Notifier::to(&name, watchdog)
        });
        Self(notifier)
    }

    /// Waits for the next time to say how things stand; for ever, where nobody wants to know. That
    /// the command's loop waits here is what keeps the watchdog quiet. Safe to drop.
    pub(super) async fn tick(&mut self) {
        let Some(notifier) = &mut self.0 else {
            return std::future::pending().await;
        };
        notifier.ticks.tick().await;
        if notifier.watchdog {
            notifier.send("WATCHDOG=1");
        }
        notifier.send_ready();
    }

    /// The command does what it is there for. Later calls change nothing.
    pub(super) fn ready(&mut self) {
        if let Some(notifier) = &mut self.0 {
            notifier.ready = true;
            notifier.send_ready();
        }
    }

    /// How things stand, in a line.
    pub(super) fn status(&mut self, text: &str) {
        if let Some(notifier) = &mut self.0
            && notifier.status != text
            && notifier.send(&format!("STATUS={}", terminal_safe(text)))
        {
            text.clone_into(&mut notifier.status);
        }
    }

    /// The end has begun.
    pub(super) fn stopping(&self) {
        if let Some(notifier) = &self.0 {
            notifier.send("STOPPING=1");
        }
    }
}

impl Notifier {
    fn to(name: &OsStr, watchdog: Option<Duration>) -> Option<Self> {
        let address = address(name)?;
        let socket = UnixDatagram::unbound().ok()?;
        // The one who is told is never waited for.
        socket.set_nonblocking(true).ok()?;
        // Half the time that it allows, as sd_watchdog_enabled(3) recommends.
        let every = watchdog.map_or(STATUS, |allowed| STATUS.min(allowed / 2));
        let mut ticks = interval(every.max(Duration::from_millis(10)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Some(Self {
            socket,
            address,
            watchdog: watchdog.is_some(),
            ticks,
            ready: false,
            ready_sent: false,
            status: String::new(),
        })
    }

    fn send_ready(&mut self) {
        if self.ready && !self.ready_sent {
            self.ready_sent = self.send("READY=1");
        }
    }

    /// Whether it went out.
    fn send(&self, state: &str) -> bool {
        self.socket
            .send_to_addr(state.as_bytes(), &self.address)
            .is_ok()
    }
}

/// A path, or with `@` a name in Linux's abstract namespace. Others (vsock) are not for us.
fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(name).ok(),
        #[cfg(target_os = "linux")]
        [b'@', rest @ ..] => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(rest).ok()
        }
        _ => None,
    }
}

/// How long the watchdog waits for a sign of life, where it is our life that it watches.
fn watchdog(
    microseconds: Option<OsString>,
    process: Option<OsString>,
    ours: u32,
) -> Option<Duration> {
    let number = |text: OsString| text.to_str()?.parse::<u64>().ok();
    if let Some(process) = process
        && number(process) != Some(u64::from(ours))
    {
        return None;
    }
    let microseconds = number(microseconds?)?;
    (microseconds > 0).then(|| Duration::from_micros(microseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_ours_only_with_our_number() {
        let text = |text: &str| Some(OsString::from(text));
        let second = Some(Duration::from_secs(1));
        assert_eq!(watchdog(text("1000000"), None, 7), second);
        assert_eq!(watchdog(text("1000000"), text("7"), 7), second);
        assert_eq!(watchdog(text("1000000"), text("8"), 7), None);
        assert_eq!(watchdog(text("0"), text("7"), 7), None);
        assert_eq!(watchdog(text("soon"), None, 7), None);
        assert_eq!(watchdog(None, text("7"), 7), None);
    }

    #[test]
    fn sockets_are_paths_or_abstract_names() {
        assert!(address(OsStr::new("/run/notify")).is_some());
        assert!(address(OsStr::new("@abstract")).is_some());
        assert!(address(OsStr::new("vsock:2:1")).is_none());
        assert!(address(OsStr::new("relative")).is_none());
    }
}
