//! A full-screen program as a person sees it: what a terminal shows after all that was written, by
//! a terminal emulator.

use std::num::NonZero;
use std::process::ExitStatus;
use std::time::Instant;

use super::PATIENCE;
use super::terminal::Terminal;

/// See the module's documentation.
pub(crate) struct Screen {
    terminal: Terminal,
    emulator: vt100::Parser,
    /// All that was written.
    written: String,
}

impl Screen {
    /// What is on this terminal, which is 80 by 24.
    pub(crate) fn of(terminal: Terminal) -> Self {
        Self {
            terminal,
            emulator: vt100::Parser::new(cells(24), cells(80), 0),
            written: String::new(),
        }
    }

    /// The terminal.
    pub(crate) fn terminal(&mut self) -> &mut Terminal {
        &mut self.terminal
    }

    /// Types.
    pub(crate) fn types(&mut self, text: &str) {
        self.terminal.types(text);
    }

    /// Makes the window another size.
    pub(crate) fn resize(&mut self, columns: u16, lines: u16) {
        self.emulator
            .screen_mut()
            .set_size(cells(lines), cells(columns));
        self.terminal.resize(columns, lines);
    }

    /// What is seen now.
    pub(crate) fn text(&self) -> String {
        self.emulator.screen().contents()
    }

    /// Waits until `wanted` is seen.
    pub(crate) fn shows(&mut self, wanted: &str) {
        self.until(wanted, |screen| screen.text().contains(wanted));
    }

    /// Waits until it is as `is` says.
    pub(crate) fn until(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !is(self) {
            let left = PATIENCE.saturating_sub(started.elapsed());
            let Some(bytes) = self.terminal.read(left) else {
                panic!("no {what}:\n{}", self.text());
            };
            self.take(&bytes);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.emulator.process(bytes);
        self.written.push_str(&String::from_utf8_lossy(bytes));
    }

    /// Whether the program holds the terminal: its other screen, its cursor, its pastes.
    pub(crate) fn is_taken(&self) -> bool {
        let screen = self.emulator.screen();
        screen.alternate_screen() || screen.hide_cursor() || screen.bracketed_paste()
    }

    /// All that was written until now.
    pub(crate) fn written(&self) -> &str {
        &self.written
    }

    /// Waits for its end; the status, and whether the terminal was given back.
    pub(crate) fn end(mut self) -> (ExitStatus, bool, String) {
        while let Some(bytes) = self.terminal.read(PATIENCE) {
            self.take(&bytes);
        }
        let (taken, text) = (self.is_taken(), self.text());
        let (status, _) = self.terminal.end();
        (status, !taken, text)
    }
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}
