//! JSON and JSON lines. A list is one bare array with one compact object a line; a single thing is
//! one object; JSON lines are objects alone.
//!
//! Every member is written as the record holds it. `--fields` chooses members, in its order; one
//! that a record lacks is `null`, so that all objects have the same shape. On a terminal JSON is
//! indented and coloured, and unsafe characters are `\u` escapes.

use std::io::Write;

use super::Screen;
use super::column::Chosen;
use super::output::{Body, BufferedOutput};
use super::pretty;
use crate::error::Result;
use crate::record::{Record, write_json_string};
use crate::sanitize::json_safe;

/// What stands around the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    /// One array.
    Array,
    /// Nothing: a single object, indented on a terminal.
    Objects,
    /// Nothing, and one line each wherever it goes.
    Lines,
}

/// Writes JSON.
pub(super) struct Json<W> {
    output: BufferedOutput<W>,
    members: Option<Vec<Chosen>>,
    frame: Frame,
    screen: Screen,
    started: bool,
    line: Vec<u8>,
}

impl<W: Write> Json<W> {
    /// `members`: the chosen ones, or `None` for all.
    pub(super) fn new(
        output: BufferedOutput<W>,
        members: Option<Vec<Chosen>>,
        frame: Frame,
        screen: Screen,
    ) -> Self {
        Self {
            output,
            members,
            frame,
            screen,
            started: false,
            line: Vec::new(),
        }
    }

    fn object(&mut self, record: &Record) {
        let members = self.members.as_deref();
        let buffer = &mut self.output.buffer;
        if !self.screen.terminal {
            write_members(record, members, buffer);
            return;
        }
        self.line.clear();
        write_members(record, members, &mut self.line);
        let text = String::from_utf8_lossy(&self.line);
        if self.frame == Frame::Lines {
            buffer.extend_from_slice(json_safe(&text).as_bytes());
        } else {
            let level = usize::from(self.frame == Frame::Array);
            if level > 0 {
                buffer.extend_from_slice(b"  ");
            }
            pretty::write(&text, level, self.screen.color, buffer);
        }
    }
}

impl<W: Write + Send> Body for Json<W> {
    fn record(&mut self, record: &Record) -> Result<()> {
        if self.frame == Frame::Array {
            let before: &[u8] = if self.started { b",\n" } else { b"[\n" };
            self.output.buffer.extend_from_slice(before);
        }
        self.started = true;
        self.object(record);
        if self.frame != Frame::Array {
            self.output.buffer.push(b'\n');
        }
        self.output.line_end()
    }

    fn pause(&mut self) -> Result<()> {
        self.output.flush()
    }

    fn end(&mut self, whole: bool) -> Result<()> {
        if self.frame == Frame::Array {
            let close: &[u8] = match (self.started, whole) {
                (true, true) => b"\n]\n",
                (false, true) => b"[]\n",
                (true, false) => b"\n",
                (false, false) => b"",
            };
            self.output.buffer.extend_from_slice(close);
        }
        self.output.flush()
    }
}

/// Appends the record, or the chosen members of it, as one compact object.
pub(super) fn write_members(record: &Record, members: Option<&[Chosen]>, out: &mut Vec<u8>) {
    let Some(members) = members else {
        record.write_json(out);
        return;
    };
    out.push(b'{');
    for (index, chosen) in members.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_json_string(&chosen.key(), out);
        out.push(b':');
        let written = chosen
            .member(record)
            .is_some_and(|name| record.write_member(name, out));
        if !written {
            match chosen.text(record) {
                Some(text) => write_json_string(&text, out),
                None => out.extend_from_slice(b"null"),
            }
        }
    }
    out.push(b'}');
}
