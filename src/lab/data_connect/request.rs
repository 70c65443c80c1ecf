//! What a client asks: its messages, read whole. A message that has not come whole is `Short`.

use super::greeting::Types;
use super::ttc::{ReadError, Reader};

/// Options of an execution.
const DEFINE: u64 = 0x10;
const EXECUTE: u64 = 0x20;
const FETCH: u64 = 0x40;
/// A row of values follows.
const ROW: u8 = 7;
/// The first field version with the fields of 12.2 and with those of its extension.
const V12_2: u8 = 8;
const V12_2_EXTENDED: u8 = 9;
/// The first field version with a token in the head of a function.
const V23_1_EXTENDED: u8 = 18;
/// The most binds or defines of a statement.
const MOST_COLUMNS: usize = 1000;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    Protocol,
    Types(Types),
    /// Protocol, types and the logon's first step in one.
    FastLogon(Types, Logon),
    /// The first step of the logon.
    LogonBegin(Logon),
    /// The second.
    LogonEnd(Logon),
    Execute(Execute),
    Reexecute(Reexecute),
    Fetch {
        cursor: u64,
        rows: usize,
    },
    /// Commit, rollback, ping and what else is answered with a status.
    Simple(&'static str),
    Logoff,
}

/// A request, and the cursors that are closed before it is done, or whose rows are wanted no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) request: Request,
    pub(super) closed: Vec<u64>,
    pub(super) cancelled: Vec<u64>,
}

/// A step of the logon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logon {
    pub(super) user: String,
    pub(super) pairs: Vec<(String, String)>,
}

impl Logon {
    pub(super) fn value(&self, name: &str) -> &str {
        let found = self.pairs.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

/// A bound value, or the type as which a column is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) kind: u8,
    pub(super) value: Option<Vec<u8>>,
}

/// A statement with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Execute {
    pub(super) cursor: u64,
    /// `None` for a statement that the server has already.
    pub(super) sql: Option<Vec<u8>>,
    pub(super) runs: bool,
    pub(super) fetches: bool,
    pub(super) rows: usize,
    pub(super) binds: Vec<Variable>,
    pub(super) defines: Option<Vec<u8>>,
}

/// A statement again, with other values for its binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reexecute {
    pub(super) cursor: u64,
    pub(super) rows: usize,
    pub(super) fetches: bool,
    pub(super) binds: Vec<Option<Vec<u8>>>,
}

/// What reading needs to know of the session.
pub(super) struct Form<'a> {
    pub(super) field_version: u8,
    /// How many binds the statement of a cursor has.
    pub(super) binds_of: &'a dyn Fn(u64) -> usize,
}

impl Form<'_> {
    /// Reads a message with what is piggybacked on it.
    pub(super) fn read(&self, bytes: &[u8]) -> Result<Message, ReadError> {
        let mut reader = Reader::new(bytes);
        let (mut closed, mut cancelled) = (Vec::new(), Vec::new());
        loop {
            let request = match reader.u8()? {
                1 => {
                    protocol(&mut reader)?;
                    Request::Protocol
                }
                2 => Request::Types(Types::read(&mut reader)?),
                34 => fast_logon(&mut reader)?,
                17 => {
                    self.piggyback(&mut reader, &mut closed, &mut cancelled)?;
                    continue;
                }
                3 => self.function(&mut reader)?,
                other => return Err(ReadError::Wrong(format!("a message of type {other}"))),
            };
            return Ok(Message {
                request,
                closed,
                cancelled,
            });
        }
    }

    /// Sequence number and token of a function or piggyback.
    fn head(&self, reader: &mut Reader<'_>) -> Result<u8, ReadError> {
        let code = reader.u8()?;
        reader.u8()?;
        if self.field_version >= V23_1_EXTENDED {
            reader.integer()?;
        }
        Ok(code)
    }

    fn function(&self, reader: &mut Reader<'_>) -> Result<Request, ReadError> {
        Ok(match self.head(reader)? {
            118 => Request::LogonBegin(logon(reader)?),
            115 => Request::LogonEnd(logon(reader)?),
            94 => Request::Execute(self.execute(reader)?),
            code @ (4 | 78) => Request::Reexecute(self.reexecute(reader, code == 78)?),
            5 => Request::Fetch {
                cursor: reader.integer()?,
                rows: reader.count()?,
            },
            147 => Request::Simple("PING"),
            14 => Request::Simple("COMMIT"),
            15 => Request::Simple("ROLLBACK"),
            9 => Request::Logoff,
            code => return Err(ReadError::Wrong(format!("function {code}"))),
        })
    }

    fn piggyback(
        &self,
        reader: &mut Reader<'_>,
        closed: &mut Vec<u64>,
        cancelled: &mut Vec<u64>,
    ) -> Result<(), ReadError> {
        match self.head(reader)? {
            105 => cursors(reader, closed)?,
            120 => cursors(reader, cancelled)?,
            135 => end_to_end(reader)?,
            154 => key_values(reader)?,
            176 => {
                reader.integer()?;
            }
            152 => {
                reader.u8()?;
                reader.counted_string()?;
            }
            code => return Err(ReadError::Wrong(format!("piggyback {code}"))),
        }
        Ok(())
    }

    fn execute(&self, reader: &mut Reader<'_>) -> Result<Execute, ReadError> {
        let options = reader.integer()?;
        let cursor = reader.integer()?;
        let has_sql = reader.u8()? != 0;
        reader.integer()?;
        reader.u8()?;
        let array = reader.count()?;
        reader.take(2)?;
        reader.integer()?;
        let prefetch = reader.count()?;
        reader.integer()?;
        reader.u8()?;
        let binds = Self::columns(reader)?;
        reader.take(5)?;
        reader.u8()?;
        let defines = Self::columns(reader)?;
        reader.integer()?;
        reader.take(3)?;
        reader.integer()?;
        reader.u8()?;
        reader.integer()?;
        reader.integer()?;
        reader.u8()?;
        reader.integer()?;
        reader.u8()?;
        if self.field_version >= V12_2 {
            reader.u8()?;
            reader.integer()?;
            reader.u8()?;
            reader.integer()?;
            reader.u8()?;
            if self.field_version >= V12_2_EXTENDED {
                reader.u8()?;
                reader.integer()?;
            }
        }
        let sql = if has_sql { reader.string()? } else { None };
        for _ in 0..array {
            reader.integer()?;
        }
        let defines = (options & DEFINE != 0)
            .then(|| self.kinds(reader, defines))
            .transpose()?;
        let kinds = self.kinds(reader, binds)?;
        let mut binds = Vec::new();
        if !kinds.is_empty() {
            row_head(reader)?;
            for kind in kinds {
                let value = reader.string()?;
                binds.push(Variable { kind, value });
            }
        }
        Ok(Execute {
            cursor,
            sql,
            runs: options & EXECUTE != 0,
            fetches: options & FETCH != 0,
            rows: prefetch,
            binds,
            defines,
        })
    }

    fn columns(reader: &mut Reader<'_>) -> Result<usize, ReadError> {
        let count = reader.count()?;
        if count > MOST_COLUMNS {
            return Err(ReadError::Wrong(format!("{count} binds or defines")));
        }
        Ok(count)
    }

    /// The types of so many binds or defines.
    fn kinds(&self, reader: &mut Reader<'_>, count: usize) -> Result<Vec<u8>, ReadError> {
        let mut kinds = Vec::new();
        for _ in 0..count {
            kinds.push(reader.u8()?);
            reader.take(3)?;
            reader.integer()?;
            reader.integer()?;
            reader.integer()?;
            reader.counted_string()?;
            reader.integer()?;
            reader.integer()?;
            reader.u8()?;
            reader.integer()?;
            if self.field_version >= V12_2 {
                reader.integer()?;
            }
        }
        Ok(kinds)
    }

    fn reexecute(&self, reader: &mut Reader<'_>, fetches: bool) -> Result<Reexecute, ReadError> {
        let cursor = reader.integer()?;
        let rows = reader.count()?;
        reader.integer()?;
        reader.integer()?;
        let count = (self.binds_of)(cursor);
        let mut binds = Vec::new();
        if count > 0 {
            row_head(reader)?;
            for _ in 0..count {
                binds.push(reader.string()?);
            }
        }
        Ok(Reexecute {
            cursor,
            rows,
            fetches,
            binds,
        })
    }
}

fn cursors(reader: &mut Reader<'_>, list: &mut Vec<u64>) -> Result<(), ReadError> {
    reader.u8()?;
    for _ in 0..reader.count()? {
        list.push(reader.integer()?);
    }
    Ok(())
}

fn row_head(reader: &mut Reader<'_>) -> Result<(), ReadError> {
    match reader.u8()? {
        ROW => Ok(()),
        other => Err(ReadError::Wrong(format!("{other} where binds begin"))),
    }
}

fn protocol(reader: &mut Reader<'_>) -> Result<(), ReadError> {
    reader.take(2)?;
    reader.terminated()?;
    Ok(())
}

fn fast_logon(reader: &mut Reader<'_>) -> Result<Request, ReadError> {
    reader.take(3)?;
    reader.u8()?;
    protocol(reader)?;
    reader.take(6)?;
    reader.u8()?;
    let types = Types::read(reader)?;
    // The logon in it has the form of 19c.
    reader.u8()?;
    reader.take(2)?;
    Ok(Request::FastLogon(types, logon(reader)?))
}

fn logon(reader: &mut Reader<'_>) -> Result<Logon, ReadError> {
    let has_user = reader.u8()? != 0;
    reader.integer()?;
    reader.integer()?;
    reader.u8()?;
    let count = reader.count()?;
    reader.take(2)?;
    let text =
        |bytes: Option<Vec<u8>>| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
    let user = if has_user {
        text(reader.string()?)
    } else {
        String::new()
    };
    let mut pairs = Vec::new();
    for _ in 0..count {
        let key = text(reader.counted_string()?);
        let value = text(reader.counted_string()?);
        reader.integer()?;
        pairs.push((key, value));
    }
    Ok(Logon { user, pairs })
}

/// Module, action and the like, which a lab does not keep.
fn end_to_end(reader: &mut Reader<'_>) -> Result<(), ReadError> {
    reader.take(2)?;
    reader.integer()?;
    let mut strings = 0;
    let mut field = |reader: &mut Reader<'_>| -> Result<(), ReadError> {
        reader.u8()?;
        strings += usize::from(reader.integer()? > 0);
        Ok(())
    };
    for _ in 0..3 {
        field(reader)?;
    }
    reader.u8()?;
    reader.integer()?;
    reader.u8()?;
    reader.integer()?;
    field(reader)?;
    for _ in 0..2 {
        reader.u8()?;
        reader.integer()?;
    }
    field(reader)?;
    for _ in 0..strings {
        reader.string()?;
    }
    Ok(())
}

fn key_values(reader: &mut Reader<'_>) -> Result<(), ReadError> {
    reader.u8()?;
    reader.integer()?;
    reader.u8()?;
    let count = reader.count()?;
    reader.integer()?;
    reader.u8()?;
    reader.string()?;
    for _ in 0..count {
        reader.counted_string()?;
        reader.counted_string()?;
        reader.integer()?;
    }
    Ok(())
}
