//! What a client sends to have a statement run: execute with its binds, the forms that LOBs are
//! wanted in, more rows, closing.

use super::capabilities::{FIELDS_12_2, FIELDS_12_2_EXT, UTF8};
use super::column::{Column, types};
use super::writer::Writer;

const EXECUTE: u8 = 94;
const FETCH: u8 = 5;
const LOGOFF: u8 = 9;
const CLOSE_CURSORS: u8 = 105;

/// Longest value that a LOB may come as.
const LONGEST: u64 = 0x7fff_ffff;

const PARSE: u64 = 0x01;
const WITH_BINDS: u64 = 0x08;
const DEFINE: u64 = 0x10;
const RUN: u64 = 0x20;
const WITH_ROWS: u64 = 0x40;
const NO_PROCEDURE: u64 = 0x8000;

const IMPLICIT_RESULTS: u64 = 0x8000;

/// A value for a place that a statement holds open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    /// A text.
    Text(String),
}

impl Bind {
    fn bytes(&self) -> &[u8] {
        let Self::Text(text) = self;
        text.as_bytes()
    }

    /// The type, most bytes, and which characters.
    fn kind(&self) -> (u8, usize, u8) {
        // Four bytes for a character, as the server counts characters.
        (types::VARCHAR, (self.bytes().len() * 4).max(1), 1)
    }
}

/// Which form messages have, and the number of the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) field_version: u8,
    pub(super) sequence: u8,
}

/// Runs a statement that is new to the server, with `rows` of its rows in the first answer.
pub(super) fn execute(form: Form, sql: &str, binds: &[Bind], rows: u32, query: bool) -> Vec<u8> {
    let mut options = PARSE | RUN | NO_PROCEDURE;
    if query && rows > 0 {
        options |= WITH_ROWS;
    }
    if !binds.is_empty() {
        options |= WITH_BINDS;
    }
    let mut writer = Writer::default();
    let head = Head {
        options,
        cursor: 0,
        sql: Some(sql),
        rows: if query { rows } else { 1 },
        binds: binds.len(),
        defines: 0,
    };
    head.write(&mut writer, form);
    tail(
        &mut writer,
        Some(sql),
        u32::from(!query),
        query,
        IMPLICIT_RESULTS,
    );
    for bind in binds {
        let (number, most, characters) = bind.kind();
        describe(&mut writer, form, number, most, characters);
    }
    if !binds.is_empty() {
        writer.u8(7);
        for bind in binds {
            writer.bytes(bind.bytes());
        }
    }
    writer.0
}

/// Tells the server in which form each column is wanted: LOBs as long values.
pub(super) fn define(form: Form, cursor: u16, columns: &[Column], rows: u32) -> Vec<u8> {
    let mut writer = Writer::default();
    let head = Head {
        options: DEFINE | NO_PROCEDURE,
        cursor,
        sql: None,
        rows,
        binds: 0,
        defines: columns.len(),
    };
    head.write(&mut writer, form);
    tail(&mut writer, None, rows, true, 0);
    for column in columns {
        let number = column.sent_as();
        let most = match number {
            types::LONG | types::LONG_RAW => usize::try_from(LONGEST).unwrap_or(usize::MAX),
            // Four bytes for a character, as the server counts characters.
            types::VARCHAR | types::CHAR => bytes_of(column.characters.saturating_mul(4)),
            _ => bytes_of(column.size),
        };
        let text = matches!(number, types::VARCHAR | types::CHAR | types::LONG);
        let characters = if text { column.form } else { 0 };
        describe(&mut writer, form, number, most, characters);
    }
    writer.0
}

/// More rows of a statement.
pub(super) fn fetch(form: Form, cursor: u16, rows: u32) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.raw(&[3, FETCH, form.sequence]);
    writer.integer(u64::from(cursor));
    writer.integer(u64::from(rows));
    writer.0
}

/// Closes a statement, and the session.
pub(super) fn close_and_log_off(form: Form, cursor: Option<u16>) -> Vec<u8> {
    let mut writer = Writer::default();
    let mut sequence = form.sequence;
    if let Some(cursor) = cursor {
        close_cursor(&mut writer, sequence, cursor);
        sequence = sequence.wrapping_add(1).max(1);
    }
    writer.raw(&[3, LOGOFF, sequence]);
    writer.0
}

/// Closes a statement, as a message in front of the next one.
pub(super) fn close_cursor(writer: &mut Writer, sequence: u8, cursor: u16) {
    writer.raw(&[17, CLOSE_CURSORS, sequence, 1]);
    writer.integer(1);
    writer.integer(u64::from(cursor));
}

fn bytes_of(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

struct Head<'s> {
    options: u64,
    cursor: u16,
    sql: Option<&'s str>,
    rows: u32,
    binds: usize,
    defines: usize,
}

impl Head<'_> {
    fn write(&self, writer: &mut Writer, form: Form) {
        writer.raw(&[3, EXECUTE, form.sequence]);
        writer.integer(self.options);
        writer.integer(u64::from(self.cursor));
        pointer(writer, self.sql.map_or(0, str::len));
        writer.u8(1);
        writer.integer(13);
        writer.zeros(2);
        writer.integer(0);
        writer.integer(u64::from(self.rows));
        writer.integer(LONGEST);
        pointer(writer, self.binds);
        writer.zeros(5);
        pointer(writer, self.defines);
        writer.integer(0);
        writer.raw(&[0, 1]);
        // No lists of further options, no registration, no counts of changed rows.
        writer.zeros(8);
        if form.field_version >= FIELDS_12_2 {
            writer.zeros(5);
        }
        if form.field_version >= FIELDS_12_2_EXT {
            writer.zeros(2);
        }
    }
}

/// Whether a list is there, and how long it is.
fn pointer(writer: &mut Writer, length: usize) {
    writer.u8(u8::from(length > 0));
    writer.length(length);
}

fn tail(writer: &mut Writer, sql: Option<&str>, times: u32, query: bool, flags: u64) {
    if let Some(sql) = sql {
        writer.bytes(sql.as_bytes());
    }
    writer.integer(u64::from(sql.is_some()));
    writer.integer(u64::from(times));
    writer.zeros(5);
    writer.integer(u64::from(query));
    writer.integer(0);
    writer.integer(flags);
    writer.zeros(3);
}

/// `characters`: 1 for the database's, 2 for national ones, 0 for what is no text.
fn describe(writer: &mut Writer, form: Form, number: u8, most: usize, characters: u8) {
    writer.raw(&[number, 1, 0, 0]);
    writer.length(most);
    writer.zeros(4);
    writer.integer(if characters == 0 { 0 } else { u64::from(UTF8) });
    writer.u8(characters);
    writer.integer(0);
    if form.field_version >= FIELDS_12_2 {
        writer.integer(0);
    }
}
