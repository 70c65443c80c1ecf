//! A line that is typed on the terminal and not shown.
//!
//! While it is typed Ctrl-C is no signal but one more end of the line: the terminal shows again
//! what is typed before the signal is raised, and so never stays mute behind a program that has
//! gone. Signals that others send are `echo_signals`'s affair.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result, Write};

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::echo_signals;
use crate::process::{Signal, signal_our_group};
use crate::unix::signals::{SIGINT, act_as_if_unhandled, is_listened_to};
use crate::unix::terminal::Modes;

/// A terminal hands over no longer line (`MAX_CANON`, 4096 on Linux).
const LONGEST: usize = 4096;

/// Asks on the process's terminal.
///
/// Errors: there is no terminal, the input ended, or it is no text. After Ctrl-C the process is
/// gone, unless somebody handles the signal; then it is [`ErrorKind::Interrupted`].
pub fn ask(prompt: &str) -> Result<SecretString> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let Some(line) = typed(&terminal, prompt)? else {
        // As the terminal would have done: to everyone in the foreground, also the script that we
        // stand in.
        signal_our_group(Signal::INT)?;
        // Ours need not have come yet, and the first process of a container is spared by its kernel.
        if std::process::id() != 1 && !is_listened_to(SIGINT) {
            act_as_if_unhandled(SIGINT);
        }
        return Err(ErrorKind::Interrupted.into());
    };
    let text = std::str::from_utf8(&line).map_err(|_| ErrorKind::InvalidData)?;
    Ok(SecretString::from(text))
}

/// The line, without control characters; `None` after Ctrl-C (or what the user has set in its
/// place).
fn typed(terminal: &File, prompt: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let mut terminal = terminal;
    let hidden = Hidden::begin(terminal, prompt)?;
    terminal.write_all(prompt.as_bytes())?;
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut buffer = Zeroizing::new([0; LONGEST]);
    loop {
        let read = match terminal.read(buffer.as_mut_slice()) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => buffer.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if line.len() + read.len() > LONGEST {
            return Err(Error::new(ErrorKind::InvalidData, "the line is too long"));
        }
        line.extend_from_slice(read);
        match line.last() {
            Some(b'\n') => {
                line.retain(|byte| !byte.is_ascii_control());
                return Ok(Some(line));
            }
            Some(last) if *last == hidden.before.interrupt() => {
                terminal.write_all(b"\n")?;
                return Ok(None);
            }
            // Ctrl-D behind something typed hands over what there is; the line goes on.
            _ => {}
        }
    }
}

/// A terminal that does not show what is typed; dropped, it is as it was before.
struct Hidden<'t> {
    terminal: &'t File,
    before: Modes,
}

impl<'t> Hidden<'t> {
    fn begin(terminal: &'t File, prompt: &str) -> Result<Self> {
        let before = Modes::of(terminal)?;
        let modes = before.hidden();
        echo_signals::begin(echo_signals::Changed {
            terminal: terminal.try_clone()?,
            before: before.clone(),
            now: modes.clone(),
            prompt: prompt.to_owned(),
        })?;
        // Made before the change, so that a failure half way is undone too.
        let hidden = Self { terminal, before };
        modes.set(terminal)?;
        Ok(hidden)
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        echo_signals::end();
        // A terminal that has gone needs nothing.
        let _gone = self.before.set(self.terminal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unix::terminal;

    /// What is seen on the terminal, as soon as it ends like this.
    fn seen(person: &mut File, end: &str) -> String {
        let mut seen = Vec::new();
        while !seen.ends_with(end.as_bytes()) {
            let mut byte = [0];
            person.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        String::from_utf8(seen).unwrap()
    }

    /// Types `keys` when asked; what came of it and what was seen, its end included.
    fn asked(keys: &[u8], end: &str) -> (Result<Option<String>>, String) {
        let (mut person, ours) = terminal::pair();
        let before = Modes::of(&ours).unwrap();
        let (result, all) = std::thread::scope(|scope| {
            let typing = scope.spawn(|| {
                let mut all = seen(&mut person, "Password: ");
                person.write_all(keys).unwrap();
                all.push_str(&seen(&mut person, end));
                all
            });
            let result = typed(&ours, "Password: ");
            assert_eq!(Modes::of(&ours).unwrap(), before);
            (result, typing.join().unwrap())
        });
        let line = result.map(|line| line.map(|line| String::from_utf8(line.to_vec()).unwrap()));
        (line, all)
    }

    #[test]
    fn a_line_is_taken_and_not_shown() {
        for (keys, line) in [
            (&b"s3cret \xc3\xa9!\n"[..], "s3cret \u{e9}!"),
            (b"wronh\x7fg\n", "wrong"),
            (b"all of it\x15this\n", "this"),
            (b"\x1ahalf\x04 and half\x1c\n", "half and half"),
            (b"\r", ""),
        ] {
            let (result, all) = asked(keys, "\r\n");
            assert_eq!(result.unwrap().as_deref(), Some(line));
            assert_eq!(all, "Password: \r\n");
        }
    }

    #[test]
    fn an_interrupt_ends_it_at_once_and_the_terminal_is_as_before() {
        for keys in [&b"\x03"[..], b"s3cret\x03"] {
            let (result, all) = asked(keys, "\r\n");
            assert_eq!(result.unwrap(), None);
            assert_eq!(all, "Password: \r\n");
        }
    }

    #[test]
    fn the_end_of_the_input_is_no_password() {
        let (result, _) = asked(b"\x04", "");
        assert_eq!(result.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
