//! What a server answers, message by message: descriptions, rows, errors, and what it adds of its
//! own accord. A state machine without input or output: bytes go in, messages come out.

use super::capabilities::FIELDS_20;
use super::column::{self, Column, ColumnKind, types};
use super::failure::DatabaseError;
use super::logon::Parameters;
use super::reader::{Fault, Read, Reader};

/// No row came, and the statement has come to its end.
const NO_DATA_FOUND: u32 = 1403;

/// Parameters of a logon, and pairs of other lists.
const MOST_PAIRS: u16 = 1024;

/// One row: a value for each column, `None` for null.
#[derive(Debug, Clone, Default)]
pub struct Row {
    values: Vec<Vec<u8>>,
    null: Vec<bool>,
}

impl Row {
    /// The value of a column.
    pub fn value(&self, column: usize) -> Option<&[u8]> {
        let null = self.null.get(column).copied().unwrap_or(true);
        self.values.get(column).filter(|_| !null).map(Vec::as_slice)
    }

    fn fit(&mut self, columns: usize) {
        self.values.clear();
        self.values.resize(columns, Vec::new());
        self.null = vec![true; columns];
    }
}

/// How a call ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct End {
    /// The error, where it is one.
    pub(super) error: Option<DatabaseError>,
    /// Whether there are no more rows.
    pub(super) exhausted: bool,
    /// The server's number of the statement; 0 where it has none.
    pub(super) cursor: u16,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// The columns are known now.
    Described,
    /// A row is there.
    Row,
    /// The call has ended.
    Ended(End),
    /// Nothing to do about it.
    Aside,
}

/// Reads messages of one call after the other.
#[derive(Debug, Default)]
pub(super) struct Answers {
    field_version: u8,
    /// The columns of the statement.
    pub(super) columns: Vec<Column>,
    /// The latest row.
    pub(super) row: Row,
    /// Which columns of the next row are sent; empty: all.
    sent: Vec<u8>,
    /// Whether the forms that LOBs come in were told to the server.
    pub(super) defined: bool,
    /// What came at logon.
    pub(super) parameters: Parameters,
    /// Whether parameters are those of a logon.
    pub(super) logging_on: bool,
    /// Warnings of the server.
    pub(super) warnings: Vec<DatabaseError>,
}

impl Answers {
    pub(super) fn new(field_version: u8) -> Self {
        Self {
            field_version,
            ..Self::default()
        }
    }

    /// Another statement.
    pub(super) fn begin(&mut self) {
        self.columns.clear();
        self.defined = false;
        self.again();
    }

    /// Another call of the same.
    pub(super) fn again(&mut self) {
        self.sent.clear();
    }

    /// Reads one message. After [`Fault::Incomplete`] it is to be read again from its beginning.
    pub(super) fn next(&mut self, reader: &mut Reader<'_>) -> Read<Message> {
        match reader.u8()? {
            4 => self.end(reader).map(Message::Ended),
            6 => self.row_header(reader).map(|()| Message::Aside),
            7 => self.row(reader).map(|()| Message::Row),
            8 if self.logging_on => self.logon_parameters(reader).map(|()| Message::Aside),
            8 => parameters(reader).map(|()| Message::Aside),
            9 => {
                reader.ub4()?;
                reader.ub2()?;
                Ok(Message::Ended(End::default()))
            }
            15 => self.warning(reader).map(|()| Message::Aside),
            16 => {
                reader.skip_bytes()?;
                self.columns = column::read_all(reader, self.field_version)?;
                self.row.fit(self.columns.len());
                Ok(Message::Described)
            }
            21 => {
                reader.ub2()?;
                let length = self.columns.len().div_ceil(8);
                self.sent = reader.take(length)?.to_vec();
                Ok(Message::Aside)
            }
            23 => piggyback(reader).map(|()| Message::Aside),
            29 => Ok(Message::Aside),
            33 => reader.ub8().map(|_| Message::Aside),
            _ => Err(Fault::Malformed("a message of a kind that is not known")),
        }
    }

    fn row_header(&mut self, reader: &mut Reader<'_>) -> Read<()> {
        reader.u8()?;
        reader.skip_integers(4)?;
        let length = usize::try_from(reader.ub4()?).unwrap_or(usize::MAX);
        self.sent.clear();
        if length > 0 {
            reader.u8()?;
            self.sent = reader.take(length)?.to_vec();
        }
        reader.counted_bytes().map(drop)
    }

    /// Values that are not sent are those of the row before.
    fn row(&mut self, reader: &mut Reader<'_>) -> Read<()> {
        if self.columns.is_empty() {
            return Err(Fault::Malformed("a row before its columns"));
        }
        let Row { values, null } = &mut self.row;
        let places = values.iter_mut().zip(null.iter_mut());
        for (at, (column, (value, null))) in self.columns.iter().zip(places).enumerate() {
            let sent = self
                .sent
                .get(at / 8)
                .is_none_or(|bits| bits >> (at % 8) & 1 == 1);
            if !sent && !self.sent.is_empty() {
                continue;
            }
            *null = !read_value(reader, column, self.defined, value)?;
        }
        self.sent.clear();
        Ok(())
    }

    fn end(&mut self, reader: &mut Reader<'_>) -> Read<End> {
        reader.skip_integers(6)?;
        let cursor = reader.ub2()?;
        let position = reader.sb4()?;
        reader.take(6)?;
        skip_row_id(reader)?;
        reader.ub4()?;
        reader.take(2)?;
        reader.skip_integers(2)?;
        reader.counted_bytes()?;
        skip_batch_errors(reader)?;
        let number = reader.ub4()?;
        reader.ub8()?;
        if self.field_version >= FIELDS_20 {
            reader.skip_integers(2)?;
        }
        if number == 0 {
            return Ok(End {
                cursor,
                ..End::default()
            });
        }
        let mut text = Vec::new();
        reader.bytes(&mut text)?;
        if number == NO_DATA_FOUND {
            return Ok(End {
                cursor,
                exhausted: true,
                error: None,
            });
        }
        let offset = usize::try_from(position).ok().filter(|at| *at > 0);
        let error = DatabaseError::new(number, &text, offset);
        Ok(End {
            error: Some(error),
            cursor,
            exhausted: false,
        })
    }

    fn warning(&mut self, reader: &mut Reader<'_>) -> Read<()> {
        let number = reader.ub2()?;
        let length = reader.ub2()?;
        reader.ub2()?;
        if number != 0 && length > 0 {
            let mut text = Vec::new();
            reader.bytes(&mut text)?;
            if self.warnings.len() < 16 {
                let warning = DatabaseError::new(u32::from(number), &text, None);
                self.warnings.push(warning);
            }
        }
        Ok(())
    }

    fn logon_parameters(&mut self, reader: &mut Reader<'_>) -> Read<()> {
        let count = pairs(reader)?;
        let mut list = Vec::new();
        for _ in 0..count {
            let name = reader.counted_text()?;
            let value = reader.counted_text()?;
            list.push((name, value, reader.ub4()?));
        }
        let known = &mut self.parameters.0;
        known.retain(|(name, _, _)| !list.iter().any(|(new, _, _)| new == name));
        known.extend(list);
        if known.len() > usize::from(MOST_PAIRS) {
            return Err(Fault::Malformed("too many parameters at logon"));
        }
        Ok(())
    }
}

fn pairs(reader: &mut Reader<'_>) -> Read<u16> {
    let count = reader.ub2()?;
    if count > MOST_PAIRS {
        return Err(Fault::Malformed("a list of over 1,024 pairs"));
    }
    Ok(count)
}

fn read_value(
    reader: &mut Reader<'_>,
    column: &Column,
    defined: bool,
    value: &mut Vec<u8>,
) -> Read<bool> {
    let number = if defined {
        column.sent_as()
    } else {
        column.number
    };
    if column.size == 0 && !matches!(number, types::LONG | types::LONG_RAW) {
        return Ok(false);
    }
    match number {
        types::ROWID => {
            if matches!(reader.u8()?, 0 | 255) {
                return Ok(false);
            }
            let (object, file) = (reader.ub4()?, reader.ub2()?);
            reader.u8()?;
            let (block, slot) = (reader.ub4()?, reader.ub2()?);
            *value = super::value::row_id(object, file, block, slot).into_bytes();
            Ok(true)
        }
        types::LONG | types::LONG_RAW => {
            let there = reader.bytes(value)?;
            reader.sb4()?;
            reader.ub4()?;
            Ok(there)
        }
        _ if column.is_lob() => Err(Fault::Malformed(
            "a CLOB or BLOB before its form was settled",
        )),
        _ if matches!(column.kind, ColumnKind::Other(_)) => {
            Err(Fault::Malformed("a column of a type that is not read"))
        }
        _ => reader.bytes(value),
    }
}

fn skip_row_id(reader: &mut Reader<'_>) -> Read<()> {
    reader.skip_integers(2)?;
    reader.u8()?;
    reader.skip_integers(2)
}

/// Lists for statements that are run many times at once, which these are not.
fn skip_batch_errors(reader: &mut Reader<'_>) -> Read<()> {
    let codes = pairs(reader)?;
    skip_list(reader, codes)?;
    let offsets = u16::try_from(reader.ub4()?).unwrap_or(u16::MAX);
    if offsets > MOST_PAIRS {
        return Err(Fault::Malformed("a list of over 1,024 offsets"));
    }
    skip_list(reader, offsets)?;
    let messages = pairs(reader)?;
    if messages > 0 {
        reader.u8()?;
        for _ in 0..messages {
            reader.skip_integers(1)?;
            reader.skip_bytes()?;
            reader.take(2)?;
        }
    }
    Ok(())
}

fn skip_list(reader: &mut Reader<'_>, count: u16) -> Read<()> {
    if count == 0 {
        return Ok(());
    }
    let parts = reader.u8()? == 254;
    for _ in 0..count {
        if parts {
            reader.ub4()?;
        }
        reader.skip_integers(1)?;
    }
    if parts {
        reader.u8()?;
    }
    Ok(())
}

/// What a statement's answer has beside rows.
fn parameters(reader: &mut Reader<'_>) -> Read<()> {
    let count = pairs(reader)?;
    reader.skip_integers(usize::from(count))?;
    let length = usize::from(reader.ub2()?);
    reader.take(length)?;
    let count = pairs(reader)?;
    skip_pairs(reader, count)?;
    let length = usize::from(reader.ub2()?);
    reader.take(length).map(drop)
}

/// Pairs of a text and a list of bytes, each with a number.
fn skip_pairs(reader: &mut Reader<'_>, count: u16) -> Read<()> {
    for _ in 0..count {
        for _ in 0..2 {
            if reader.ub2()? > 0 {
                reader.skip_bytes()?;
            }
        }
        reader.ub2()?;
    }
    Ok(())
}

/// What the server says of its session beside the answer; none of it matters here.
fn piggyback(reader: &mut Reader<'_>) -> Read<()> {
    match reader.u8()? {
        1 | 3 => Ok(()),
        2 => {
            reader.ub2()?;
            reader.skip_bytes()
        }
        4 => {
            reader.ub2()?;
            reader.u8()?;
            let count = pairs(reader)?;
            if count > 0 {
                reader.u8()?;
            }
            skip_pairs(reader, count)?;
            reader.skip_integers(3)
        }
        5 => {
            reader.ub2()?;
            reader.u8()?;
            let count = pairs(reader)?;
            reader.u8()?;
            skip_pairs(reader, count)?;
            reader.ub4().map(drop)
        }
        7 => reader.counted_bytes().map(drop),
        8 => {
            reader.ub2()?;
            reader.u8()?;
            reader.skip_integers(2)?;
            reader.u8()?;
            reader.counted_bytes().map(drop)
        }
        9 => {
            reader.ub2()?;
            reader.u8().map(drop)
        }
        10 => {
            reader.ub2()?;
            reader.u8()?;
            reader.skip_integers(3)
        }
        _ => Err(Fault::Malformed(
            "an addition of the server that is not known",
        )),
    }
}

/// For a fuzzer: messages as if they came in a call, at logon and after it, in three forms.
pub(super) fn read_anything(bytes: &[u8]) {
    for (field_version, logging_on, defined) in
        [(12, false, false), (16, false, true), (7, true, false)]
    {
        let mut answers = Answers::new(field_version);
        answers.logging_on = logging_on;
        answers.defined = defined;
        let mut reader = Reader::new(bytes);
        let mut rows = 0;
        while let Ok(message) = answers.next(&mut reader) {
            if message == Message::Row {
                for (at, column) in answers.columns.iter().enumerate() {
                    let value = answers.row.value(at);
                    let _ = value.and_then(|bytes| super::value::text(column.kind, bytes));
                }
                // Rows of columns that are not sent have no bytes; a fuzzer would wait for ever.
                rows += 1;
                if rows > 100 {
                    break;
                }
            }
        }
    }
    let _ = super::capabilities::read_protocol(&mut Reader::new(bytes));
    let _ = super::capabilities::read_types(&mut Reader::new(bytes));
}
