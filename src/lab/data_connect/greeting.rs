//! The first messages of a connection: who wants which service, what both sides can do, which types
//! they have. Built and read here; when they are sent is the session's affair.

use super::ttc::{ReadError, Reader, Writer};

/// Where a CONNECT's data begin, counted behind the packet's head.
const CONNECT_DATA: usize = 66;
/// Network services are switched off.
const NO_SERVICES: u8 = 0x04 | 0x08;
/// Of ACCEPT: protocol, types and logon may come in one message.
const FAST_LOGON: u32 = 0x1000_0000;
/// Of ACCEPT: answers say where they end.
const END_OF_RESPONSE: u32 = 0x0200_0000;
/// UTF-8, by Oracle's number.
const UTF8: u16 = 873;
/// Index of the field version among the compile-time capabilities.
const FIELD_VERSION: usize = 7;
/// Index of the time zone among the run-time capabilities.
const ZONE: usize = 1;

/// As which release the server shows itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// 19c: protocol 318, one step of the logon after the other.
    Of19c,
    /// 23ai: protocol 319, fast logon, answers say where they end.
    Of23ai,
}

impl Release {
    fn protocol(self) -> u16 {
        match self {
            Self::Of19c => 318,
            Self::Of23ai => 319,
        }
    }

    /// The newest form of messages that it writes.
    pub(super) fn field_version(self) -> u8 {
        match self {
            Self::Of19c => 12,
            Self::Of23ai => 24,
        }
    }

    /// `AUTH_VERSION_NO`: major, minor, and three more.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Of19c => 19 << 24 | 26 << 16,
            Self::Of23ai => 23 << 24 | 9 << 16,
        }
    }

    fn has_zone(self) -> bool {
        self == Self::Of23ai
    }
}

/// A CONNECT packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connect {
    protocol: u16,
    sdu: u32,
    /// How long the connect data are; they come in a packet of their own where they are long.
    pub(super) length: usize,
    /// What of them is in the packet.
    pub(super) data: Vec<u8>,
}

impl Connect {
    pub(super) fn read(body: &[u8]) -> Result<Self, ReadError> {
        let mut reader = Reader::new(body);
        let protocol = reader.u16()?;
        reader.take(4)?;
        let small = reader.u16()?;
        reader.take(8)?;
        let length = usize::from(reader.u16()?);
        let large = Reader::new(body.get(50..).unwrap_or_default())
            .take(4)
            .map_or(0, |bytes| {
                bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u32::from(*byte))
            });
        Ok(Self {
            protocol,
            sdu: if large == 0 { u32::from(small) } else { large },
            length,
            data: body.get(CONNECT_DATA..).unwrap_or_default().to_vec(),
        })
    }

    /// The value of `NAME` in `(NAME=value)` of the connect data, upper case or lower.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.data).into_owned();
        let upper = text.to_ascii_uppercase();
        let at = upper.find(&format!("({name}="))? + name.len() + 2;
        let value = text.get(at..)?;
        Some(value.split(')').next()?.trim().to_owned())
    }
}

/// What was agreed on at CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) sdu: usize,
    pub(super) says_end: bool,
}

/// The body of ACCEPT, and what it agrees on; `None` for a client that is too old.
pub(super) fn accept(connect: &Connect, release: Release) -> Option<(Vec<u8>, Agreed)> {
    let protocol = connect.protocol.min(release.protocol());
    if protocol < 315 {
        return None;
    }
    let sdu = connect.sdu.clamp(512, 65_535);
    let says_end = protocol >= 319;
    let mut body = Writer::default();
    body.u16(protocol);
    body.u16(0);
    let small = u16::try_from(sdu).unwrap_or(u16::MAX);
    body.u16(small);
    body.u16(u16::MAX);
    body.u16(1);
    body.u16(0);
    body.u16(41);
    body.u8(NO_SERVICES);
    body.u8(NO_SERVICES);
    body.zeros(8);
    body.u32(sdu);
    body.u32(u32::from(u16::MAX));
    body.u8(0);
    body.u32(if says_end {
        FAST_LOGON | END_OF_RESPONSE
    } else {
        0
    });
    let agreed = Agreed {
        sdu: usize::try_from(sdu).unwrap_or(8192),
        says_end,
    };
    Some((body.bytes, agreed))
}

/// The body of REFUSE: a listener that does not know the service.
pub(super) fn refuse(code: u16) -> Vec<u8> {
    let text = format!(
        "(DESCRIPTION=(TMP=)(VSNNUM=318767104)(ERR={code})(ERROR_STACK=(ERROR=(CODE={code})(EMFI=4))))"
    );
    let mut body = Writer::default();
    body.u8(34);
    body.u8(0);
    body.u16(u16::try_from(text.len()).unwrap_or(0));
    body.raw(text.as_bytes());
    body.bytes
}

/// What a REDIRECT's second packet says: the address, and the connect data to send there.
pub(super) fn redirect(port: u16, connect: &Connect) -> Vec<u8> {
    let mut text = format!("(ADDRESS=(PROTOCOL=tcps)(HOST=localhost)(PORT={port}))\0").into_bytes();
    // Not every driver keeps the flag of the packet, so the connect data say it too, as a listener of
    // several instances does.
    let data = String::from_utf8_lossy(&connect.data);
    let named = data.replacen("(CONNECT_DATA=", "(CONNECT_DATA=(INSTANCE_NAME=cpm10)", 1);
    text.extend_from_slice(named.as_bytes());
    text
}

/// The answer to the protocol message.
pub(super) fn protocol(release: Release, out: &mut Writer) {
    out.u8(1);
    out.u8(6);
    out.u8(0);
    out.raw(b"x86_64/Linux 2.4.xx\0");
    out.u16_little(UTF8);
    out.u8(1);
    out.u16_little(0);
    // Of its eleven bytes the last two are the national character set: UTF-16.
    out.u16(11);
    out.raw(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0x07, 0xD0]);
    out.string(&compile_time(release));
    out.string(&run_time(release));
}

fn compile_time(release: Release) -> Vec<u8> {
    let known = [
        (0, 6),
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 0xEF),
        (5, 0x0F),
        (6, 1),
        (FIELD_VERSION, release.field_version()),
        (8, 1),
        (9, 1),
        (15, 0x29),
        (16, 0x90),
        (17, 3),
        (18, 7),
        (19, 3),
        (21, 1),
        (23, 0xCF),
        (26, 4),
        (27, 1),
        (31, 0x10),
        (34, 12),
        (37, 0xB8),
        (39, 8),
        (40, if release == Release::Of23ai { 0x20 } else { 0 }),
        (42, 5),
    ];
    let mut all = vec![0; 45];
    for (index, value) in known {
        if let Some(byte) = all.get_mut(index) {
            *byte = value;
        }
    }
    all
}

fn run_time(release: Release) -> Vec<u8> {
    // Texts of 32 KB; and whether the database's zone is told with the types.
    vec![2, u8::from(release.has_zone()), 0, 0, 0, 0, 4]
}

/// A message of types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Types {
    /// The newest form of messages that the client reads.
    field_version: u8,
    wants_zone: bool,
    list: Vec<u8>,
}

impl Types {
    /// Reads it behind its first byte.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        reader.take(5)?;
        let compile_time = reader.string()?.unwrap_or_default();
        let run_time = reader.string()?.unwrap_or_default();
        let wants_zone = run_time.get(ZONE).is_some_and(|byte| byte & 1 != 0);
        if wants_zone {
            reader.take(11)?;
        }
        let mut list = Writer::default();
        loop {
            let kind = reader.u16()?;
            if kind == 0 {
                break;
            }
            let as_kind = reader.u16()?;
            list.u16(kind);
            list.u16(as_kind);
            if as_kind != 0 {
                list.raw(reader.take(4)?);
            }
        }
        Ok(Self {
            field_version: compile_time.get(FIELD_VERSION).copied().unwrap_or(0),
            wants_zone,
            list: list.bytes,
        })
    }

    /// The form of messages that both know.
    pub(super) fn field_version(&self, release: Release) -> u8 {
        self.field_version.min(release.field_version())
    }

    /// The answer: the client's types are the server's.
    pub(super) fn answer(&self, release: Release, out: &mut Writer) {
        out.u8(2);
        if self.wants_zone && release.has_zone() {
            // The database's zone is UTC.
            out.raw(&[0x80, 0, 0, 0, 60, 60, 0x80, 0, 0, 0, 0]);
        }
        out.raw(&self.list);
        out.u16(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A CONNECT of `protocol` with a large SDU.
    fn connect(protocol: u16, data: &[u8]) -> Connect {
        let mut body = Writer::default();
        body.u16(protocol);
        body.zeros(14);
        body.u16(u16::try_from(data.len()).unwrap());
        body.zeros(32);
        body.u32(8192);
        body.zeros(12);
        body.raw(data);
        Connect::read(&body.bytes).unwrap()
    }

    #[test]
    fn the_older_protocol_of_the_two_is_agreed_on() {
        let data = b"(DESCRIPTION=(CONNECT_DATA=(service_name=cpm10)(CID=(PROGRAM=x))))";
        let new = connect(319, data);
        assert_eq!(new.length, data.len());
        assert_eq!(new.value("SERVICE_NAME").as_deref(), Some("cpm10"));
        assert_eq!(new.value("SID"), None);
        let (body, agreed) = accept(&new, Release::Of19c).unwrap();
        assert_eq!(body[..2], 318_u16.to_be_bytes());
        assert_eq!(body.len(), 37);
        assert_eq!(
            agreed,
            Agreed {
                sdu: 8192,
                says_end: false
            }
        );
        assert!(accept(&new, Release::Of23ai).unwrap().1.says_end);
        assert!(
            !accept(&connect(318, b""), Release::Of23ai)
                .unwrap()
                .1
                .says_end
        );
        assert_eq!(accept(&connect(314, b""), Release::Of19c), None);
    }

    #[test]
    fn the_zone_is_told_to_who_wants_it_by_a_server_that_has_it() {
        let mut message = Writer::default();
        message.zeros(5);
        message.string(&[0, 0, 0, 0, 0, 0, 0, 16]);
        message.string(&[2, 1]);
        message.zeros(11);
        for word in [1, 1, 10, 0, 2, 0, 0] {
            message.u16(word);
        }
        let types = Types::read(&mut Reader::new(&message.bytes)).unwrap();
        assert_eq!(types.field_version(Release::Of19c), 12);
        assert_eq!(types.field_version(Release::Of23ai), 16);
        let answer = |release| {
            let mut out = Writer::default();
            types.answer(release, &mut out);
            out.bytes
        };
        assert_eq!(answer(Release::Of19c).len(), 1 + 12 + 2);
        assert_eq!(answer(Release::Of23ai).len(), 1 + 11 + 12 + 2);
        let cut = &message.bytes[..message.bytes.len() - 1];
        assert_eq!(Types::read(&mut Reader::new(cut)), Err(ReadError::Short));
    }
}
