//! What the server says: descriptions of columns, rows, errors, the ends of answers.

use super::sql::value::{LONG, LONG_RAW, Value};
use super::sql::{Column, SqlError};
use super::ttc::Writer;

/// The first field version with the fields of 12.2, 20, 23.1, its third extension and 23.4.
const V12_2: u8 = 8;
const V20_1: u8 = 14;
const V23_1: u8 = 17;
const V23_1_ANNOTATED: u8 = 20;
const V23_4: u8 = 24;

/// The end of a result.
pub(super) const NO_MORE_ROWS: u32 = 1403;

/// `16`: what columns a result has.
pub(super) fn describe(columns: &[Column], field_version: u8, out: &mut Writer) {
    out.u8(16);
    out.string(&[0; 16]);
    let widest = columns
        .iter()
        .map(|column| u64::from(column.kind.size()))
        .sum();
    out.integer(widest);
    out.integer(columns.len() as u64);
    if !columns.is_empty() {
        out.u8(0);
    }
    for (position, column) in (1..).zip(columns) {
        describe_column(column, position, field_version, out);
    }
    // The date of the server, and four numbers that nobody reads.
    out.counted_string(&[120, 126, 11, 24, 1, 1, 1]);
    out.zeros(4);
    out.counted_string(&[]);
}

fn describe_column(column: &Column, position: u64, field_version: u8, out: &mut Writer) {
    let kind = column.kind;
    out.u8(kind.number());
    out.u8(0x80);
    // Precision and scale: of a NUMBER without any, and of times.
    let (precision, scale) = match kind.number() {
        2 => (0, 0x81),
        180 | 181 => (0, 6),
        183 => (2, 6),
        _ => (0, 0),
    };
    out.u8(precision);
    out.u8(scale);
    out.integer(u64::from(kind.size()));
    out.integer(0);
    out.integer(0);
    out.counted_string(&[]);
    out.integer(0);
    out.integer(if kind.is_text() { 873 } else { 0 });
    out.u8(u8::from(kind.is_text()));
    out.integer(if kind.is_text() {
        u64::from(kind.size())
    } else {
        0
    });
    if field_version >= V12_2 {
        out.integer(0);
    }
    out.u8(1);
    let name = column.name.as_bytes();
    out.u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.counted_string(name);
    out.counted_string(&[]);
    out.counted_string(&[]);
    out.integer(position);
    out.integer(0);
    if field_version >= V23_1 {
        out.counted_string(&[]);
        out.counted_string(&[]);
    }
    if field_version >= V23_1_ANNOTATED {
        out.integer(0);
    }
    if field_version >= V23_4 {
        out.integer(0);
        out.u8(0);
        out.u8(0);
    }
}

/// A value as it is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sent {
    bytes: Vec<u8>,
    is_null: bool,
}

/// Rows of one result, each with a bit vector where it repeats values of the row before.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    /// Of each column the type as which it is sent; `None` is never on the wire.
    kinds: Vec<Option<u8>>,
    has_before: bool,
    before: Vec<Sent>,
    now: Vec<Sent>,
    repeats: Vec<bool>,
}

impl Rows {
    /// With what the client wants each column as, where it said so.
    pub(super) fn new(columns: &[Column], defines: Option<&[u8]>) -> Self {
        let kinds = columns.iter().enumerate().map(|(index, column)| {
            let wanted = defines.and_then(|defines| defines.get(index).copied());
            (column.kind.size() > 0).then_some(wanted.unwrap_or(column.kind.number()))
        });
        Self {
            kinds: kinds.collect(),
            has_before: false,
            before: vec![Sent::default(); columns.len()],
            now: vec![Sent::default(); columns.len()],
            repeats: Vec::new(),
        }
    }

    /// `6`: rows follow.
    pub(super) fn head(out: &mut Writer) {
        out.u8(6);
        out.u8(0x22);
        out.integer(1);
        out.integer(0);
        out.integer(0);
        out.integer(0);
        out.integer(0);
        out.integer(0);
    }

    /// `7`, behind `21` where values are left out.
    pub(super) fn row(&mut self, values: &[Value], out: &mut Writer) {
        for (sent, value) in self.now.iter_mut().zip(values) {
            sent.bytes.clear();
            sent.is_null = !value.encode(&mut sent.bytes);
        }
        let is_long = |kind: Option<u8>| matches!(kind, Some(LONG | LONG_RAW));
        let both = self.now.iter().zip(&self.before);
        let repeats = self.kinds.iter().zip(both).map(|(kind, (now, before))| {
            self.has_before && kind.is_some() && !is_long(*kind) && now == before
        });
        self.repeats.clear();
        self.repeats.extend(repeats);
        if self.repeats.contains(&true) {
            out.u8(21);
            let sent = self.repeats.iter().filter(|repeats| !**repeats);
            out.integer(sent.count() as u64);
            for eight in self.repeats.chunks(8) {
                let bits = eight.iter().enumerate().filter(|(_, repeats)| !**repeats);
                out.u8(bits.fold(0, |byte, (bit, _)| byte | 1 << bit));
            }
        }
        out.u8(7);
        for ((kind, value), repeats) in self.kinds.iter().zip(&self.now).zip(&self.repeats) {
            if kind.is_none() || *repeats {
                continue;
            }
            out.string(&value.bytes);
            if is_long(*kind) {
                // Null indicator and return code.
                if value.is_null {
                    out.raw(&[0x81, 1]);
                    out.integer(1405);
                } else {
                    out.zeros(2);
                }
            }
        }
        std::mem::swap(&mut self.now, &mut self.before);
        self.has_before = true;
    }
}

/// `8` of a statement: parameters that no client reads.
pub(super) fn parameters(out: &mut Writer) {
    out.u8(8);
    out.integer(6);
    for number in [0x1D2, 0x8A31, 0, 0, 0, 0] {
        out.integer(number);
    }
    out.zeros(3);
}

/// `8` of the logon.
pub(super) fn logon_parameters<'a>(
    pairs: impl ExactSizeIterator<Item = (&'a str, &'a str, u64)>,
    out: &mut Writer,
) {
    out.u8(8);
    out.integer(pairs.len() as u64);
    for (key, value, flags) in pairs {
        out.counted_string(key.as_bytes());
        out.counted_string(value.as_bytes());
        out.integer(flags);
    }
}

/// `9`: done, and nothing to say.
pub(super) fn status(out: &mut Writer) {
    out.u8(9);
    out.integer(1);
    out.integer(0);
}

/// `15`: done, but.
pub(super) fn warning(code: u32, text: &str, out: &mut Writer) {
    let text = format!("ORA-{code:05}: {text}\n");
    out.u8(15);
    out.integer(u64::from(code));
    out.integer(text.len() as u64);
    out.integer(0);
    out.string(text.as_bytes());
}

/// `23`: the transaction's id, which real servers send along with anything.
pub(super) fn transaction_id(number: u64, out: &mut Writer) {
    out.u8(23);
    out.u8(7);
    let mut id = vec![0x4C; 8];
    id.extend_from_slice(&number.to_be_bytes());
    out.counted_string(&id);
}

/// `4`: how it ended, with the rows so far and where the statement is wrong.
pub(super) fn end(
    error: Option<&SqlError>,
    cursor: u64,
    rows: u64,
    field_version: u8,
    out: &mut Writer,
) {
    let code = error.map_or(0, |error| u64::from(error.code));
    out.u8(4);
    out.integer(1);
    out.integer(0);
    out.integer(rows.min(u64::from(u32::MAX)));
    out.integer(code.min(u64::from(u16::MAX)));
    out.zeros(2);
    out.integer(cursor);
    out.integer(error.map_or(0, |error| error.at.min(0x7FFF) as u64));
    out.zeros(6);
    // The row's address, which is none.
    out.zeros(5);
    out.zeros(1);
    out.zeros(2);
    out.zeros(1);
    out.zeros(1);
    out.zeros(1);
    out.zeros(3);
    out.integer(code);
    out.integer(rows);
    if field_version >= V20_1 {
        out.zeros(2);
    }
    if let Some(error) = error {
        out.string(format!("{error}\n").as_bytes());
    }
}
