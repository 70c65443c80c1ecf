//! `--env-file FILE`: `NAME=value` lines, as a shell would read them, but nothing is ever expanded
//! or run.
//!
//! `export NAME=value`, comments, single and double quotes and backslashes mean what they mean to a
//! shell. `$NAME`, `$(…)` and backquotes stay as they are written. The file's variables are only
//! read by `netapi`; they never reach a child process.
//!
//! Decided: where the process's environment and the file both set a variable, the environment wins,
//! as with docker compose and direnv: a variable exported for one call must be able to correct what
//! lies in a file.

use std::ffi::OsString;
use std::iter::Peekable;
use std::path::Path;
use std::str::Chars;

use super::environment::Environment;
use crate::error::{Error, Result};
use crate::files::{self, Access, display_path};

/// Reads and parses the file.
pub(crate) fn read(path: &Path) -> Result<(Environment, Access)> {
    let what = "--env-file";
    let file = files::read(path, what, files::SMALL)?;
    let text = files::text(&file.bytes, path, what)?;
    Ok((Environment::from_list(parse(&text, path)?), file.access))
}

/// The variables of `text`, in their order. `path` is for messages, which name file and line and
/// never a value.
fn parse(text: &str, path: &Path) -> Result<Vec<(String, OsString)>> {
    let mut reader = Reader {
        rest: text.chars().peekable(),
        line: 1,
        path,
    };
    let mut variables = Vec::new();
    while let Some(variable) = reader.variable()? {
        variables.push(variable);
    }
    Ok(variables)
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
    path: &'a Path,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        if next == Some('\n') {
            self.line += 1;
        }
        next
    }

    fn wrong(&self, line: usize, what: &str) -> Error {
        Error::usage(format!("{}:{line}: {what}", display_path(self.path)))
            .hint("write NAME=value, or NAME='value' where the value has spaces or signs")
    }

    /// The next assignment, past blank lines and comments; `None` at the end.
    fn variable(&mut self) -> Result<Option<(String, OsString)>> {
        loop {
            match self.rest.peek() {
                None => return Ok(None),
                Some('#') => self.skip_line(),
                Some(&c) if is_blank(c) || c == '\n' => {
                    self.next();
                }
                Some(_) => break,
            }
        }
        let line = self.line;
        let mut name = self.word();
        if name == "export" && self.skip_blanks() {
            name = self.word();
        }
        if !is_name(&name) {
            return Err(self.wrong(line, "a variable's name is wanted"));
        }
        if self.rest.next_if_eq(&'=').is_none() {
            let name = named(&name, "the variable's name");
            return Err(self.wrong(line, &format!("`=` is wanted directly after {name}")));
        }
        let shown = named(&name, "the variable");
        let value = self.value(shown)?;
        self.end_of_line(shown)?;
        Ok(Some((name, value.into())))
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self
            .rest
            .next_if(|c| c.is_ascii_alphanumeric() || *c == '_')
        {
            word.push(c);
        }
        word
    }

    fn skip_line(&mut self) {
        while self.next().is_some_and(|c| c != '\n') {}
    }

    /// Whether there was at least one blank.
    fn skip_blanks(&mut self) -> bool {
        let mut some = false;
        while self.rest.next_if(|c| is_blank(*c)).is_some() {
            some = true;
        }
        some
    }

    fn value(&mut self, name: &str) -> Result<String> {
        let mut value = String::new();
        while let Some(&c) = self.rest.peek() {
            let line = self.line;
            match c {
                c if is_blank(c) || c == '\n' => break,
                '\'' => self.single_quoted(&mut value, name)?,
                '"' => self.double_quoted(&mut value, name)?,
                '\\' => {
                    self.next();
                    match self.next() {
                        // A backslash before a line's end joins the lines.
                        Some('\n') => {}
                        Some(escaped) if escaped != '\0' => value.push(escaped),
                        _ => {
                            return Err(self
                                .wrong(line, &format!("the value of {name} ends in a backslash")));
                        }
                    }
                }
                ';' | '&' | '|' | '<' | '>' | '(' | ')' => {
                    return Err(self.wrong(
                        line,
                        &format!("`{c}` in the value of {name} must stand in quotes"),
                    ));
                }
                '\0' => return Err(self.wrong(line, "a NUL character")),
                c => {
                    self.next();
                    value.push(c);
                }
            }
        }
        Ok(value)
    }

    fn single_quoted(&mut self, value: &mut String, name: &str) -> Result<()> {
        let line = self.line;
        self.next();
        loop {
            match self.next() {
                Some('\'') => return Ok(()),
                Some(c) if c != '\0' => value.push(c),
                _ => return Err(self.unclosed(line, name)),
            }
        }
    }

    fn double_quoted(&mut self, value: &mut String, name: &str) -> Result<()> {
        let line = self.line;
        self.next();
        loop {
            match self.next() {
                Some('"') => return Ok(()),
                Some('\\') => match self.next() {
                    Some('\n') => {}
                    Some(c @ ('"' | '\\' | '$' | '`')) => value.push(c),
                    // Before anything else a shell keeps the backslash.
                    Some(c) if c != '\0' => value.extend(['\\', c]),
                    _ => return Err(self.unclosed(line, name)),
                },
                Some(c) if c != '\0' => value.push(c),
                _ => return Err(self.unclosed(line, name)),
            }
        }
    }

    fn unclosed(&self, line: usize, name: &str) -> Error {
        self.wrong(
            line,
            &format!("the quote in the value of {name} is never closed"),
        )
    }

    /// After a value only a comment may stand on the line.
    fn end_of_line(&mut self, name: &str) -> Result<()> {
        let line = self.line;
        self.skip_blanks();
        match self.rest.peek() {
            None | Some('\n') => Ok(()),
            Some('#') => {
                self.skip_line();
                Ok(())
            }
            Some(_) => Err(self.wrong(
                line,
                &format!("more text after the value of {name}; a value with spaces needs quotes"),
            )),
        }
    }
}

/// What parts words on a line; the carriage return stands before line ends written on Windows.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r')
}

/// The name for messages, where it looks like one: what stands in its place may be a secret that
/// lost its line.
fn named<'n>(name: &'n str, else_: &'n str) -> &'n str {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if name.len() <= 40 && name.chars().all(plain) {
        name
    } else {
        else_
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Vec<(String, String)>> {
        Ok(parse(text, Path::new("ise.env"))?
            .into_iter()
            .map(|(name, value)| (name, value.into_string().unwrap()))
            .collect())
    }

    #[test]
    fn reads_what_a_shell_reads() {
        for (text, value) in [
            ("A=b", "b"),
            ("A=", ""),
            ("export A=b", "b"),
            ("  export\tA=b  # why", "b"),
            ("A='b c'", "b c"),
            ("A=\"b c\"", "b c"),
            ("A='$HOME `x` \\n'", "$HOME `x` \\n"),
            ("A=\"$(id) $HOME\"", "$(id) $HOME"),
            ("A=$HOME", "$HOME"),
            ("A=\"\\\"\\\\\\$\\`\\n\"", "\"\\$`\\n"),
            ("A=a'b'\"c\"d", "abcd"),
            ("A='it'\\''s'", "it's"),
            ("A=a#b", "a#b"),
            ("A='a'#b", "a#b"),
            ("A= # c\nA=b", "b"),
            ("A=#b", "#b"),
            ("A=b=c", "b=c"),
            ("A=a\\ b", "a b"),
            ("A='1\n2'", "1\n2"),
            ("# x\r\n\r\nA=b\r\n", "b"),
            ("A=x\nA=b", "b"),
        ] {
            let variables = read(text).unwrap();
            assert_eq!(
                variables.last().unwrap(),
                &("A".to_owned(), value.to_owned()),
                "{text}"
            );
        }
        assert_eq!(read("A=1\n\nB='2'\n#\nC=3").unwrap().len(), 3);
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn errors_name_file_and_line_and_no_value() {
        for (text, message) in [
            (
                "A=1\nB=hunter2 x",
                "ise.env:2: more text after the value of B; a value with spaces needs quotes",
            ),
            ("A =1", "ise.env:1: `=` is wanted directly after A"),
            (
                "export",
                "ise.env:1: `=` is wanted directly after the variable's name",
            ),
            (
                "hunter2",
                "ise.env:1: `=` is wanted directly after the variable's name",
            ),
            ("1A=2", "ise.env:1: a variable's name is wanted"),
            ("A-B=2", "ise.env:1: `=` is wanted directly after A"),
            (
                "A='1\n2'\nB=\"hunter2",
                "ise.env:3: the quote in the value of B is never closed",
            ),
            (
                "A=hunter2;B=1",
                "ise.env:1: `;` in the value of A must stand in quotes",
            ),
            ("A=b\\", "ise.env:1: the value of A ends in a backslash"),
            ("=x", "ise.env:1: a variable's name is wanted"),
        ] {
            assert_eq!(read(text).unwrap_err().message(), message, "{text}");
        }
    }

    #[test]
    fn too_large_and_missing_files_are_usage_errors() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("big");
        std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
        let error = super::read(&path).unwrap_err();
        assert!(error.message().contains("larger than 1 MiB"), "{error}");
        assert!(super::read(&directory.path().join("none")).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "(?s).*") {
            let _ = read(&text);
        }

        #[test]
        fn near_misses_never_panic(text in "(A=|export |'|\"|\\\\|\n|#| |b|\\$|\u{0}){0,20}") {
            let _ = read(&text);
        }

        /// The quoting that `netapi ise lab up` and every shell's `printf %q` rely on.
        #[test]
        fn single_quotes_round_trip(values in prop::collection::vec("[^\u{0}]*", 0..5)) {
            let text: String = values
                .iter()
                .flat_map(|value| ["export A='".to_owned(), value.replace('\'', "'\\''"), "'\n".to_owned()])
                .collect();
            let back: Vec<String> = read(&text).unwrap().into_iter().map(|(_, value)| value).collect();
            prop_assert_eq!(back, values);
        }

        #[test]
        fn double_quotes_round_trip(value in "[^\u{0}]*") {
            let mut text = String::from("A=\"");
            for c in value.chars() {
                if matches!(c, '"' | '\\' | '$' | '`') {
                    text.push('\\');
                }
                text.push(c);
            }
            text.push('"');
            prop_assert_eq!(&read(&text).unwrap()[0].1, &value);
        }
    }
}
