//! Questions on the terminal and their answers. It knows nothing of what is asked.
//!
//! Lines are read from the terminal itself, one at a time, so that what is typed hidden comes from
//! the same place. Ctrl-C ends the program as everywhere.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Read, Write};

use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Kind, Result};
use crate::render::{terminal_safe, wrap};
use crate::settings::ask_hidden;
use crate::unix::signals::SIGINT;

/// A terminal hands over no longer line (`MAX_CANON`, 4096 on Linux).
const LONGEST: usize = 4096;

/// What is typed to go back to the question before.
const BACK: &str = "<";

/// Who is talked with. An answer of `None` goes back to the question before.
pub(super) struct Terminal {
    terminal: File,
    width: usize,
}

impl Terminal {
    /// The process's terminal.
    ///
    /// Errors: [`Kind::Usage`] where nobody can be asked, with what to
    /// do instead.
    pub(super) fn open(no_input: bool, width: u16) -> Result<Self> {
        let nobody = |why: &str| {
            Error::usage(format!("config init is a conversation, and {why}")).hint(
                "`netapi config set KEY VALUE --profile NAME` sets one key; `netapi config init --template` writes a file to fill in",
            )
        };
        if no_input {
            return Err(nobody("--no-input forbids questions"));
        }
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Err(nobody("there is no terminal to ask on"));
        }
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
        Ok(Self {
            terminal: terminal.map_err(|_| nobody("there is no terminal to ask on"))?,
            width: usize::from(width).clamp(40, 100),
        })
    }

    /// Says something, wrapped.
    pub(super) fn say(&mut self, text: &str) -> Result<()> {
        self.hang("", text, 0)
    }

    /// Says what went wrong.
    pub(super) fn error(&mut self, error: &Error) -> Result<()> {
        self.hang("  ", error.message(), 2)?;
        match error.hint_text() {
            Some(hint) => self.hang("  hint: ", hint, 2),
            None => Ok(()),
        }
    }

    /// Says a value under its name.
    pub(super) fn fact(&mut self, name: &str, value: &str) -> Result<()> {
        self.hang(&format!("  {name:<9}"), value, 11)
    }

    fn hang(&mut self, head: &str, text: &str, indent: usize) -> Result<()> {
        let mut lines = String::new();
        wrap::hang(&mut lines, head, &terminal_safe(text), indent, self.width);
        self.write(&lines)
    }

    /// Asks for a line; Enter takes `default`.
    pub(super) fn line(&mut self, question: &str, default: Option<&str>) -> Result<Option<String>> {
        loop {
            let offered = default.map(|text| format!(" [{}]", terminal_safe(text)));
            self.write(&format!("{question}{}: ", offered.unwrap_or_default()))?;
            let answer = self.read()?;
            match (answer.as_str(), default) {
                (BACK, _) => return Ok(None),
                ("", Some(default)) => return Ok(Some(default.to_owned())),
                ("", None) => self.say("An answer is needed; '<' goes back.")?,
                (answer, _) => return Ok(Some(answer.to_owned())),
            }
        }
    }

    /// Asks for a line until `read` takes it; what it says of others is shown.
    pub(super) fn checked<T>(
        &mut self,
        question: &str,
        default: Option<&str>,
        mut read: impl FnMut(&str) -> Result<T>,
    ) -> Result<Option<T>> {
        loop {
            let Some(answer) = self.line(question, default)? else {
                return Ok(None);
            };
            match read(&answer) {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) => self.error(&error)?,
            }
        }
    }

    /// Asks for a secret, which is not shown; Enter alone goes back.
    pub(super) fn secret(question: &str) -> Result<Option<SecretString>> {
        let asked = ask_hidden(&format!("{}: ", terminal_safe(question)));
        let secret = asked.map_err(|error| ended(&error))?;
        let back = matches!(secret.expose_secret(), "" | BACK);
        Ok((!back).then_some(secret))
    }

    /// Asks for one of several; its place among them.
    pub(super) fn choose(&mut self, question: &str, options: &[&str]) -> Result<Option<usize>> {
        self.say(question)?;
        for (place, option) in options.iter().enumerate() {
            self.hang(&format!("  {}  ", place + 1), option, 5)?;
        }
        loop {
            let Some(answer) = self.line("Number", Some("1"))? else {
                return Ok(None);
            };
            let number = answer.parse::<usize>().ok();
            let place = number.and_then(|number| number.checked_sub(1));
            match place.filter(|place| *place < options.len()) {
                Some(place) => return Ok(Some(place)),
                None => self.say(&format!(
                    "A number from 1 to {}; '<' goes back.",
                    options.len()
                ))?,
            }
        }
    }

    /// Asks for yes or no; Enter is yes.
    pub(super) fn yes(&mut self, question: &str) -> Result<Option<bool>> {
        loop {
            let Some(answer) = self.line(question, Some("Y/n"))? else {
                return Ok(None);
            };
            match answer.to_lowercase().as_str() {
                "y/n" | "y" | "yes" => return Ok(Some(true)),
                "n" | "no" => return Ok(Some(false)),
                _ => self.say("'y' or 'n'; '<' goes back.")?,
            }
        }
    }

    fn write(&mut self, text: &str) -> Result<()> {
        self.terminal
            .write_all(text.as_bytes())
            .map_err(|error| ended(&error))
    }

    /// One line: a terminal hands over one at a time.
    fn read(&mut self) -> Result<String> {
        let mut line = Vec::new();
        let mut block = [0; LONGEST];
        loop {
            let read = self
                .terminal
                .read(&mut block)
                .map_err(|error| ended(&error))?;
            line.extend_from_slice(block.get(..read).unwrap_or_default());
            if read == 0 {
                return Err(ended(&std::io::ErrorKind::UnexpectedEof.into()));
            }
            if line.ends_with(b"\n") {
                return Ok(String::from_utf8_lossy(&line).trim().to_owned());
            }
            if line.len() > LONGEST {
                return Err(Error::usage("the line is too long; nothing was written"));
            }
        }
    }
}

fn ended(error: &std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::Interrupted {
        return Error::new(Kind::Stopped(SIGINT), "interrupted; nothing was written");
    }
    Error::usage(format!(
        "the conversation ended ({error}); nothing was written"
    ))
}
