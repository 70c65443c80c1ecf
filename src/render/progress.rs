//! Progress: one line on standard error that shows a slow list is alive, drawn at most ten times a
//! second and erased at the end.
//!
//! The caller wraps a sink in [`Progress`] only where standard error is a terminal and standard
//! output is not the same one, since rows and the line would overwrite each other. Errors of
//! drawing are ignored: progress must never end a run.

use std::io::Write;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::record::{Record, RecordSink};
use crate::sanitize::terminal_safe;

/// The pause between two drawings.
const PAUSE: Duration = Duration::from_millis(100);
const FRAMES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const ERASE: &str = "\r\x1b[K";

/// What is known of a running list.
#[derive(Debug, Clone)]
pub struct Meter {
    what: String,
    started: Instant,
    drawn: Option<Instant>,
    rows: u64,
    announced: Option<u64>,
    turn: usize,
}

impl Meter {
    /// A list of `what` (`sessions`) that starts now.
    #[must_use]
    pub fn new(what: &str, now: Instant) -> Self {
        Self {
            what: terminal_safe(what).into_owned(),
            started: now,
            drawn: None,
            rows: 0,
            announced: None,
            turn: 0,
        }
    }

    /// The same for a list of which the length is known: it tells the time that is left, too.
    #[must_use]
    pub fn of(mut self, announced: u64) -> Self {
        self.announced = Some(announced);
        self
    }

    /// What takes the line away.
    pub const ERASE: &str = ERASE;

    /// One more row; the line to draw, if it is time for one.
    pub fn row(&mut self, now: Instant) -> Option<String> {
        self.rows += 1;
        let last = self.drawn.unwrap_or(self.started);
        if now.saturating_duration_since(last) < PAUSE {
            return None;
        }
        self.drawn = Some(now);
        Some(self.line(now))
    }

    fn line(&mut self, now: Instant) -> String {
        self.turn = (self.turn + 1) % FRAMES.len();
        let frame = FRAMES.get(self.turn).copied().unwrap_or('*');
        let millis = now.saturating_duration_since(self.started).as_millis();
        let rate = u128::from(self.rows) * 1000 / millis.max(1);
        let of = match self.announced {
            Some(all) => format!(" of {}", grouped(u128::from(all))),
            None => String::new(),
        };
        let left = self
            .announced
            .and_then(|all| all.checked_sub(self.rows))
            .filter(|left| *left > 0 && self.rows > 0)
            .map(|left| u128::from(left) * millis / u128::from(self.rows) / 1000);
        let left = match left.map(u64::try_from) {
            Some(Ok(seconds)) => format!(", {} left", spoken(seconds)),
            _ => String::new(),
        };
        format!(
            "{frame} {}{of} {}, {}/s{left}",
            grouped(u128::from(self.rows)),
            self.what,
            grouped(rate)
        )
    }
}

/// `17s`, `3m20s`, `2h05m`.
fn spoken(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{:02}s", seconds % 60),
        _ => format!("{hours}h{:02}m", minutes % 60),
    }
}

/// `1,234,567`.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A sink that passes everything on and shows how far it is.
pub struct Progress<S, E: Write> {
    inner: S,
    meter: Meter,
    err: E,
    shown: bool,
}

impl<S, E: Write> Progress<S, E> {
    /// Shows on `err` (a terminal) how many `what` passed.
    pub fn new(inner: S, what: &str, err: E) -> Self {
        Self {
            inner,
            meter: Meter::new(what, Instant::now()),
            err,
            shown: false,
        }
    }

    /// Erases the line and gives the sink back; call it at the end, also after an error.
    pub fn finish(mut self) -> S {
        self.erase();
        self.inner
    }

    fn draw(&mut self, line: &str) {
        let _ = write!(self.err, "{ERASE}{line}").and_then(|()| self.err.flush());
        self.shown = true;
    }

    /// Takes the line away, so that something else can be said; it comes back with a later row.
    pub fn erase(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(self.err, "{ERASE}").and_then(|()| self.err.flush());
        }
    }
}

impl<S: RecordSink, E: Write + Send + 'static> RecordSink for Progress<S, E> {
    fn begin(&mut self, announced: Option<u64>) -> Result<()> {
        self.meter.announced = announced;
        self.inner.begin(announced)
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        if let Some(line) = self.meter.row(Instant::now()) {
            self.draw(&line);
        }
        self.inner.record(record)
    }

    fn pause(&mut self) -> Result<()> {
        self.inner.pause()
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.inner.raw(bytes)
    }

    fn wants_raw(&self) -> bool {
        self.inner.wants_raw()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Collect;

    #[test]
    fn at_most_ten_lines_a_second() {
        let start = Instant::now();
        let mut meter = Meter::new("sessions", start);
        meter.announced = Some(200_000);
        let lines: Vec<String> = (1..=2000_u32)
            .filter_map(|row| meter.row(start + Duration::from_millis(1) * row))
            .collect();
        assert_eq!(lines.len(), 20);
        assert_eq!(lines[9], "⠋ 1,000 of 200,000 sessions, 1,000/s, 3m19s left");
    }

    #[test]
    fn nothing_is_left_of_it() {
        let mut err = Vec::new();
        let mut progress = Progress::new(Collect::default(), "sessions", &mut err);
        progress.draw("⠋ 12 sessions");
        let sink = progress.finish();
        assert!(sink.records.is_empty());
        assert!(String::from_utf8(err).unwrap().ends_with(ERASE));
        let mut err = Vec::new();
        Progress::new(Collect::default(), "sessions", &mut err).finish();
        assert!(err.is_empty());
    }
}
