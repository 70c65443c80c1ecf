//! The first packet of a connection, and what a listener answers it: accepted, refused, resend,
//! gone elsewhere.
//!
//! The version that is asked for is 318, that of 19c: newer servers answer in its form then, whose
//! answers end with an error message and not with a message of their own.

use super::packet::{self, ACCEPT, Packet, REDIRECT, REFUSE, RESEND};
use super::reader::{Fault, Read, Reader};
use super::writer::Writer;
use crate::authority::{Authority, is_host_name, parse_port};

/// The version that is asked for.
pub(super) const VERSION: u16 = 318;

/// The oldest that a server may have (12.1), since lengths of packets have four bytes.
const OLDEST: u16 = 315;

/// The length of packets that is asked for.
pub(super) const SDU: u16 = 8192;

/// Longest connect data that stands in the first packet itself.
const LONGEST_INSIDE: usize = 230;

/// Who connects, as the listener's log shows it.
#[derive(Debug, Clone)]
pub struct Client {
    /// The program.
    pub program: String,
    /// This computer.
    pub machine: String,
    /// The user of the operating system.
    pub user: String,
}

/// What a listener answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Go on.
    Accepted(Accepted),
    /// Send the first packet again; whether after a new handshake.
    Resend {
        /// Whether after a new TLS handshake on the same connection.
        tls_again: bool,
    },
    /// It will not, with the number that its text names.
    Refused(Option<u32>),
    /// Connect elsewhere; how long the packet is that says where, or that it said so already.
    Redirected {
        /// The bytes of the address that are still to come in a packet of their own.
        missing: usize,
        /// What came with it.
        text: Vec<u8>,
    },
}

/// An acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Accepted {
    /// 318 for 19c.
    pub(super) version: u16,
    /// Longest packet to send.
    pub(super) sdu: usize,
}

/// The text that names the service, and us.
pub(super) fn connect_data(to: &Authority, service: &str, client: &Client) -> String {
    format!(
        "(DESCRIPTION=(ADDRESS=(PROTOCOL=tcps)(HOST={})(PORT={}))(CONNECT_DATA=(SERVICE_NAME={})\
         (CID=(PROGRAM={})(HOST={})(USER={})))(SECURITY=(SSL_SERVER_DN_MATCH=ON)))",
        plain(to.host()),
        to.port(),
        plain(service),
        plain(&client.program),
        plain(&client.machine),
        plain(&client.user)
    )
}

/// Without what would end the text's parts.
fn plain(text: &str) -> String {
    let kept = text
        .chars()
        .filter(|c| !c.is_control() && !"()=\\\"'".contains(*c));
    kept.collect()
}

/// The first packet, and the packet behind it that has the connect data where that is long.
pub(super) fn first_packets(connect_data: &[u8], flags: u8) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.u16_be(VERSION);
    writer.u16_be(300);
    // No attention out of band: TLS has no way for it.
    writer.u16_be(1);
    writer.u16_be(SDU);
    writer.u16_be(SDU);
    writer.u16_be(0x4f98);
    writer.u16_be(0);
    writer.u16_be(1);
    writer.u16_be(u16::try_from(connect_data.len()).unwrap_or(u16::MAX));
    writer.u16_be(74);
    writer.u32_be(0);
    // No encryption beside TLS's; a new handshake may be asked for.
    writer.u8(0x84);
    writer.u8(0x84);
    writer.zeros(24);
    writer.u32_be(u32::from(SDU));
    writer.u32_be(u32::from(SDU));
    writer.zeros(8);
    if connect_data.len() <= LONGEST_INSIDE {
        writer.raw(connect_data);
        return packet::write(packet::CONNECT, flags, &writer.0, false);
    }
    let mut both = packet::write(packet::CONNECT, flags, &writer.0, false);
    both.extend(packet::write(packet::DATA, 0, connect_data, false));
    both
}

/// Reads a listener's answer.
pub(super) fn read(packet: &Packet) -> Read<Answer> {
    let mut reader = Reader::new(&packet.content);
    match packet.kind {
        ACCEPT => accepted(&mut reader).map(Answer::Accepted),
        RESEND => Ok(Answer::Resend {
            tls_again: packet.flags & packet::TLS_AGAIN != 0,
        }),
        REFUSE => {
            reader.u16_be()?;
            let length = usize::from(reader.u16_be()?);
            Ok(Answer::Refused(refusal(reader.take(length)?)))
        }
        REDIRECT => {
            let length = usize::from(reader.u16_be()?);
            let text = packet.content.get(2..).unwrap_or_default().to_vec();
            Ok(Answer::Redirected {
                missing: length.saturating_sub(text.len()),
                text,
            })
        }
        _ => Err(Fault::Malformed(
            "an answer of another kind to the first packet",
        )),
    }
}

fn accepted(reader: &mut Reader<'_>) -> Read<Accepted> {
    let version = reader.u16_be()?;
    if version < OLDEST {
        return Err(Fault::Malformed("a version before 12.1"));
    }
    reader.take(12)?;
    let flags = reader.u8()?;
    if flags & 0x10 != 0 {
        return Err(Fault::Malformed(
            "Oracle's own encryption is asked for, beside TLS",
        ));
    }
    reader.take(9)?;
    let sdu = usize::try_from(reader.u32_be()?).unwrap_or(usize::MAX);
    if !(512..=packet::MOST_PACKET).contains(&sdu) {
        return Err(Fault::Malformed("the length of packets"));
    }
    Ok(Accepted { version, sdu })
}

/// The number in `(ERR=12514)`.
fn refusal(text: &[u8]) -> Option<u32> {
    let text = String::from_utf8_lossy(text);
    let (_, rest) = text.split_once("(ERR=")?;
    rest.split_once(')')?.0.parse().ok()
}

/// Where a redirection leads, and the connect data for there.
pub(super) fn redirection(text: &[u8]) -> Read<(Authority, Vec<u8>)> {
    let wrong = Fault::Malformed("a redirection without an address");
    let end = text.iter().position(|byte| *byte == 0).ok_or(wrong)?;
    let (address, data) = text.split_at(end);
    let address = String::from_utf8_lossy(address).to_ascii_uppercase();
    let value_of = |name: &str| {
        let (_, rest) = address.split_once(name)?;
        rest.split_once(')').map(|(value, _)| value.trim())
    };
    if value_of("(PROTOCOL=") != Some("TCPS") {
        return Err(Fault::Malformed("a redirection out of TLS"));
    }
    let host = value_of("(HOST=").ok_or(wrong)?.to_ascii_lowercase();
    let port = value_of("(PORT=").and_then(parse_port).ok_or(wrong)?;
    if host.parse::<std::net::IpAddr>().is_err() && !is_host_name(&host) {
        return Err(wrong);
    }
    let data = data.get(1..).unwrap_or_default().to_vec();
    Ok((Authority::new(&host, port), data))
}

/// For a fuzzer.
pub(super) fn read_anything(packet: &Packet) {
    if let Ok(Answer::Redirected { text, .. }) = read(packet) {
        let _ = redirection(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: u8, content: &[u8]) -> Packet {
        Packet {
            kind,
            flags: 0,
            content: content.to_vec(),
        }
    }

    #[test]
    fn an_acceptance_says_version_and_length() {
        let mut content = vec![1, 62, 0, 1];
        content.extend([0; 10]);
        content.push(4);
        content.extend([0; 9]);
        content.extend(8192u32.to_be_bytes());
        content.extend([0; 9]);
        let accepted = Accepted {
            version: 318,
            sdu: 8192,
        };
        assert_eq!(
            read(&packet(ACCEPT, &content)),
            Ok(Answer::Accepted(accepted))
        );
        content[14] = 0x10;
        assert!(read(&packet(ACCEPT, &content)).is_err());
        content[14] = 0;
        content[1] = 10;
        assert!(read(&packet(ACCEPT, &content)).is_err());
    }

    #[test]
    fn a_refusal_has_a_number() {
        let text = b"(DESCRIPTION=(TMP=)(VSNNUM=0)(ERR=12514)(ERROR_STACK=()))";
        let mut content = vec![34, 0, 0, u8::try_from(text.len()).unwrap()];
        content.extend(text);
        assert_eq!(
            read(&packet(REFUSE, &content)),
            Ok(Answer::Refused(Some(12514)))
        );
        assert_eq!(
            read(&packet(REFUSE, &[34, 0, 0, 0])),
            Ok(Answer::Refused(None))
        );
        // A length that lies.
        assert!(read(&packet(REFUSE, &[34, 0, 1, 0])).is_err());
    }

    #[test]
    fn a_redirection_stays_in_tls() {
        let text = b"(ADDRESS=(PROTOCOL=tcps)(HOST=ise.example)(PORT=2485))\0(DESCRIPTION=)";
        let (to, data) = redirection(text).unwrap();
        assert_eq!(to, Authority::new("ise.example", 2485));
        assert_eq!(data, b"(DESCRIPTION=)");
        for text in [
            &b"(ADDRESS=(PROTOCOL=tcp)(HOST=ise.example)(PORT=2485))\0x"[..],
            b"(ADDRESS=(PROTOCOL=tcps)(HOST=a b)(PORT=2485))\0x",
            b"(ADDRESS=(PROTOCOL=tcps)(HOST=a)(PORT=0))\0x",
            b"(ADDRESS=(PROTOCOL=tcps)(HOST=a)(PORT=1))",
        ] {
            assert!(redirection(text).is_err());
        }
    }

    #[test]
    fn nothing_that_was_typed_ends_a_part_of_the_connect_data() {
        let client = Client {
            program: "netapi".to_owned(),
            machine: "a)(b".to_owned(),
            user: "ü".to_owned(),
        };
        let text = connect_data(&Authority::new("ise", 2484), "cpm10)(X=1", &client);
        assert!(text.contains("(SERVICE_NAME=cpm10X1)"), "{text}");
        assert!(text.contains("(HOST=ab)"), "{text}");
    }
}
