//! Columns of a result, as the server describes them.

use super::capabilities::FIELDS_12_2;
use super::reader::{Fault, Read, Reader};

/// No result has more columns.
const MOST_COLUMNS: u32 = 4096;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// VARCHAR2, CHAR, LONG.
    Text,
    /// NVARCHAR2, NCHAR: in UTF-16.
    NationalText,
    /// NUMBER.
    Number,
    /// DATE, TIMESTAMP: a time without a zone.
    Time,
    /// TIMESTAMP WITH TIME ZONE, WITH LOCAL TIME ZONE: an instant.
    Instant,
    /// CLOB.
    LongText,
    /// BLOB.
    LongBytes,
    /// RAW.
    Bytes,
    /// BINARY_FLOAT.
    Float,
    /// BINARY_DOUBLE.
    Double,
    /// INTERVAL DAY TO SECOND.
    DaysToSeconds,
    /// INTERVAL YEAR TO MONTH.
    YearsToMonths,
    /// ROWID.
    RowId,
    /// Anything else, by the protocol's number: it cannot be read.
    Other(u8),
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// As the server spells it; hostile text.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// Most bytes; 0 for one that is null in every row and not sent.
    pub size: u32,
    /// Digits of a NUMBER; 0 where they are not limited.
    pub precision: u8,
    /// Digits behind the point of a NUMBER.
    pub scale: i8,
    /// Most characters of a text.
    pub(super) characters: u32,
    /// The number of the type, as it was described.
    pub(super) number: u8,
    /// 1: the database's characters, 2: national ones, 0: no text.
    pub(super) form: u8,
}

/// Numbers of types.
pub(super) mod types {
    pub const VARCHAR: u8 = 1;
    pub const NUMBER: u8 = 2;
    pub const LONG: u8 = 8;
    pub const ROWID: u8 = 11;
    pub const DATE: u8 = 12;
    pub const RAW: u8 = 23;
    pub const LONG_RAW: u8 = 24;
    pub const CHAR: u8 = 96;
    pub const FLOAT: u8 = 100;
    pub const DOUBLE: u8 = 101;
    pub const CLOB: u8 = 112;
    pub const BLOB: u8 = 113;
    pub const TIMESTAMP: u8 = 180;
    pub const TIMESTAMP_TZ: u8 = 181;
    pub const YEARS_TO_MONTHS: u8 = 182;
    pub const DAYS_TO_SECONDS: u8 = 183;
    pub const TIMESTAMP_LTZ: u8 = 231;
}

impl ColumnKind {
    fn of(number: u8, form: u8) -> Self {
        match number {
            types::VARCHAR | types::CHAR | types::LONG if form == 2 => Self::NationalText,
            types::VARCHAR | types::CHAR | types::LONG => Self::Text,
            types::NUMBER => Self::Number,
            types::DATE | types::TIMESTAMP => Self::Time,
            types::TIMESTAMP_TZ | types::TIMESTAMP_LTZ => Self::Instant,
            types::CLOB => Self::LongText,
            types::BLOB => Self::LongBytes,
            types::RAW | types::LONG_RAW => Self::Bytes,
            types::FLOAT => Self::Float,
            types::DOUBLE => Self::Double,
            types::DAYS_TO_SECONDS => Self::DaysToSeconds,
            types::YEARS_TO_MONTHS => Self::YearsToMonths,
            types::ROWID => Self::RowId,
            other => Self::Other(other),
        }
    }
}

impl Column {
    /// Whether the server waits to be told in which form it is wanted.
    pub(super) fn is_lob(&self) -> bool {
        matches!(self.kind, ColumnKind::LongText | ColumnKind::LongBytes)
    }

    /// The type that its values come as.
    pub(super) fn sent_as(&self) -> u8 {
        match self.kind {
            ColumnKind::LongText => types::LONG,
            ColumnKind::LongBytes => types::LONG_RAW,
            _ => self.number,
        }
    }
}

/// Reads the description of a result.
pub(super) fn read_all(reader: &mut Reader<'_>, field_version: u8) -> Read<Vec<Column>> {
    reader.ub4()?;
    let count = reader.ub4()?;
    if count > MOST_COLUMNS {
        return Err(Fault::Malformed("a result of over 4,096 columns"));
    }
    if count > 0 {
        reader.u8()?;
    }
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push(read(reader, field_version)?);
    }
    reader.counted_bytes()?;
    reader.skip_integers(4)?;
    reader.counted_bytes()?;
    Ok(columns)
}

fn read(reader: &mut Reader<'_>, field_version: u8) -> Read<Column> {
    let number = reader.u8()?;
    reader.u8()?;
    let precision = reader.u8()?;
    let [scale] = reader.array::<1>()?.map(u8::cast_signed);
    let size = reader.ub4()?;
    reader.skip_integers(2)?;
    reader.counted_bytes()?;
    reader.skip_integers(2)?;
    let form = reader.u8()?;
    let characters = reader.ub4()?;
    if field_version >= FIELDS_12_2 {
        reader.ub4()?;
    }
    reader.take(2)?;
    let name = reader.counted_text()?;
    reader.counted_bytes()?;
    reader.counted_bytes()?;
    reader.skip_integers(2)?;
    Ok(Column {
        name,
        kind: ColumnKind::of(number, form),
        size,
        precision,
        scale,
        characters,
        number,
        form,
    })
}
