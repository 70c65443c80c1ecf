//! What this client can do, what the server says of itself, and the field version that both keep
//! to: how many fields the heads of messages have.

use super::reader::{Fault, Read, Reader};
use super::type_table;
use super::writer::Writer;

/// UTF-8, in which all texts travel.
pub(super) const UTF8: u16 = 873;

/// The newest form of messages that is spoken here (21c); later ones number their requests.
const NEWEST_FIELDS: u8 = 16;

/// The form of 12.2: fields that came with it are sent from here on.
pub(super) const FIELDS_12_2: u8 = 8;

/// The form of 12.2 with one more list.
pub(super) const FIELDS_12_2_EXT: u8 = 9;

/// The form of 20c, whose error messages have two more fields.
pub(super) const FIELDS_20: u8 = 14;

/// Where the field version stands in a list of capabilities.
const FIELD_VERSION: usize = 7;

/// What python-oracledb says at compile time, less what is not used here: fast logon, ends of
/// answers, pipelining, vectors, tokens, pools.
const COMPILE: [u8; 55] = {
    let mut list = [0; 55];
    list[0] = 6; // SQL version
    list[4] = 0xea; // logon types
    list[5] = 0x18;
    list[FIELD_VERSION] = NEWEST_FIELDS;
    list[8] = 1; // defines are converted by the server
    list[9] = 1;
    list[15] = 0x29; // bit vectors, call status
    list[16] = 0x90;
    list[17] = 3;
    list[18] = 7;
    list[19] = 3;
    list[21] = 1;
    list[23] = 0xcf; // LOBs
    list[26] = 4;
    list[27] = 1;
    list[31] = 0x10;
    list[34] = 12;
    list[35] = 0x20;
    list[37] = 0xb8; // long values in large parts
    list[39] = 8;
    list[40] = 0x44;
    list[42] = 5;
    list
};

const RUNTIME: [u8; 13] = [2, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0];

/// The name by which this client introduces itself.
const NAME: &[u8] = b"netapi";

/// What a server says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServerProtocol {
    /// Free text, `x86_64/Linux 2.4.xx`.
    pub(super) banner: String,
    /// Its character set by Oracle's number; 873 is UTF-8.
    pub(super) character_set: u16,
    /// The field version that both know.
    pub(super) field_version: u8,
    /// All its capabilities at compile time.
    pub(super) compile: Vec<u8>,
    /// And at run time.
    pub(super) runtime: Vec<u8>,
}

/// The protocol message.
pub(super) fn protocol_message() -> Vec<u8> {
    let mut writer = Writer::default();
    writer.raw(&[1, 6, 0]);
    writer.raw(NAME);
    writer.u8(0);
    writer.0
}

/// The data types message, by the field version that was agreed on.
pub(super) fn types_message(field_version: u8) -> Vec<u8> {
    let mut compile = COMPILE;
    if let Some(own) = compile.get_mut(FIELD_VERSION) {
        *own = field_version;
    }
    let mut writer = Writer::default();
    writer.u8(2);
    writer.u16_le(UTF8);
    writer.u16_le(UTF8);
    writer.u8(3);
    writer.bytes(&compile);
    writer.bytes(&RUNTIME);
    type_table::write(&mut writer);
    writer.0
}

/// Reads the answer to the protocol message, its type included.
pub(super) fn read_protocol(reader: &mut Reader<'_>) -> Read<ServerProtocol> {
    if reader.u8()? != 1 {
        return Err(Fault::Malformed("another message than the protocol"));
    }
    reader.take(2)?;
    let banner = String::from_utf8_lossy(reader.until_zero()?).into_owned();
    let character_set = reader.u16_le()?;
    reader.u8()?;
    let elements = usize::from(reader.u16_le()?);
    reader.take(elements * 5)?;
    let length = usize::from(reader.u16_be()?);
    reader.take(length)?;
    let (mut compile, mut runtime) = (Vec::new(), Vec::new());
    reader.bytes(&mut compile)?;
    reader.bytes(&mut runtime)?;
    let theirs = compile.get(FIELD_VERSION).copied().unwrap_or_default();
    if theirs < 7 {
        return Err(Fault::Malformed("a server before 12.1"));
    }
    Ok(ServerProtocol {
        banner,
        character_set,
        field_version: theirs.min(NEWEST_FIELDS),
        compile,
        runtime,
    })
}

/// Reads the answer to the data types message, its type included.
pub(super) fn read_types(reader: &mut Reader<'_>) -> Read<()> {
    if reader.u8()? != 2 {
        return Err(Fault::Malformed("another message than the data types"));
    }
    while reader.u16_be()? != 0 {
        if reader.u16_be()? != 0 {
            reader.take(4)?;
        }
    }
    Ok(())
}
