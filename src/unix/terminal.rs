//! Terminals: their size, whose the input is, and typing that is not shown.

use std::fs::File;
use std::io::Result;
use std::os::fd::AsFd;

use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr,
    tcgetwinsize, tcsetattr,
};

/// A terminal's rows and columns. Some tell 0 for what they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) rows: u16,
    pub(crate) columns: u16,
}

/// The size; `None` where it is no terminal.
pub(crate) fn size(stream: impl AsFd) -> Option<Size> {
    let size = tcgetwinsize(stream).ok()?;
    Some(Size {
        rows: size.ws_row,
        columns: size.ws_col,
    })
}

/// Drops what was written and the terminal has not taken.
pub(crate) fn drop_output(stream: impl AsFd) {
    // Where the terminal has gone there is nothing to drop.
    let _gone = tcflush(stream, QueueSelector::OFlush);
}

/// The process group that the terminal's keys belong to; `None` where it is no terminal, or not
/// ours.
#[cfg(feature = "lab")]
pub(crate) fn foreground(stream: impl AsFd) -> Option<i32> {
    let group = rustix::termios::tcgetpgrp(stream).ok()?;
    Some(group.as_raw_nonzero().get())
}

/// How a terminal treats what is typed.
#[derive(Debug, Clone)]
pub(crate) struct Modes(Termios);

impl Modes {
    /// As they are.
    pub(crate) fn of(terminal: &File) -> Result<Self> {
        Ok(Self(tcgetattr(terminal)?))
    }

    /// Lets them hold from now on.
    pub(crate) fn set(&self, terminal: &File) -> Result<()> {
        Ok(tcsetattr(terminal, OptionalActions::Now, &self.0)?)
    }

    /// The same with nothing shown but the line's end, and erasing still done by the terminal.
    /// Ctrl-C is a character that ends the line.
    pub(crate) fn hidden(&self) -> Self {
        let mut modes = self.0.clone();
        modes
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ISIG);
        modes
            .local_modes
            .insert(LocalModes::ECHONL | LocalModes::ICANON);
        modes.special_codes[SpecialCodeIndex::VEOL] = self.interrupt();
        Self(modes)
    }

    /// The character of Ctrl-C, or what the user has set in its place.
    pub(crate) fn interrupt(&self) -> u8 {
        self.0.special_codes[SpecialCodeIndex::VINTR]
    }
}

#[cfg(test)]
impl PartialEq for Modes {
    /// Whether what [`Modes::hidden`] changes is the same.
    fn eq(&self, other: &Self) -> bool {
        let end = |modes: &Self| modes.0.special_codes[SpecialCodeIndex::VEOL];
        self.0.local_modes == other.0.local_modes && end(self) == end(other)
    }
}

/// A pair for tests: the end that a person sits at, and ours.
#[cfg(test)]
pub(crate) fn pair() -> (File, File) {
    use rustix::fs::{Mode, OFlags};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    let ours = rustix::fs::open(name.as_c_str(), flags, Mode::empty()).unwrap();
    (person.into(), ours.into())
}
