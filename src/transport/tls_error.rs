//! A failed TLS handshake in words: what is wrong with which certificate, its fingerprint, and the
//! flag that would help.
//!
//! It decides from rustls' and webpki's typed errors and from the certificate itself, never from
//! the words of a message; it passes none of their words on, and it verifies nothing. An option is
//! proposed only where it works with that fault.
//!
//! | part | holds |
//! | --- | --- |
//! | `certificate` | what is wrong with the server's certificate |
//! | `alerts` | what the server said when it ended the handshake, and our own certificate |
//! | `protocol` | a peer that breaks the protocol |
//! | `signature` | names of signature algorithms |

mod alerts;
mod certificate;
mod protocol;
mod signature;

use std::fmt::Write as _;
use std::io;

use sha2::{Digest, Sha256};

use super::tls::HandshakeNotes;
use crate::error::{Error, Kind};

/// The SHA-256 of a certificate's DER as `--pin-sha256` takes it: 64 lower-case hexadecimal digits.
pub fn fingerprint(der: &[u8]) -> String {
    hexadecimal(&Sha256::digest(der))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The TLS fact inside an error's chain of sources; an `io::Error` hides the one it wraps from
/// `source()`.
pub(super) fn rustls_error<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a rustls::Error> {
    find(error, &|link| link.downcast_ref::<rustls::Error>())
}

/// The first link of an error's chain that `pick` takes, looking inside every `io::Error`.
pub(super) fn find<'a, T>(
    error: &'a (dyn std::error::Error + 'static),
    pick: &dyn Fn(&'a (dyn std::error::Error + 'static)) -> Option<T>,
) -> Option<T> {
    /// Deeper than any library nests; a cycle ends here.
    const LONGEST: usize = 32;
    let mut link = error;
    for _ in 0..LONGEST {
        if let Some(found) = pick(link) {
            return Some(found);
        }
        let inside = link
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .map(|inner| inner as &(dyn std::error::Error + 'static));
        link = inside.or_else(|| link.source())?;
    }
    None
}

/// The [`Kind::Tls`] error for a handshake with `host` (`host:port`) that failed with `error`.
pub fn explain(host: &str, error: &rustls::Error, seen: &HandshakeNotes) -> Error {
    let chain = seen.chain();
    let facts = Facts {
        host,
        chain: &chain,
        seen,
    };
    facts.explain(error)
}

/// The [`Kind::Tls`] error for a handshake with a proxy itself, `host` (`host:port`), whose
/// certificate has options of its own.
pub(super) fn of_proxy(host: &str, error: &rustls::Error, seen: &HandshakeNotes) -> Error {
    let hint = match error {
        rustls::Error::InvalidCertificate(_) => {
            "give the CA that signed it: --proxy-cacert FILE; a certificate that is wrong in itself must be replaced by the proxy's administrator"
        }
        _ => "is it a proxy that is spoken to in TLS? Most are named with http://, also for HTTPS",
    };
    explain(host, error, seen).hint(hint)
}

/// The TLS fault behind an I/O error of an open connection, if that is what it is.
pub fn explain_io(host: &str, error: &io::Error, seen: &HandshakeNotes) -> Option<Error> {
    rustls_error(error).map(|tls| explain(host, tls, seen))
}

/// The [`Kind::Tls`] error for a connection that `host` closed or reset in the middle of the
/// handshake.
pub(super) fn closed(host: &str, seen: &HandshakeNotes) -> Error {
    let facts = Facts {
        host,
        chain: &[],
        seen,
    };
    if seen.asked_for_certificate() {
        return facts.client_certificate("the server closed the connection", None);
    }
    facts.error(
        "the server closed the connection during the handshake",
        "is this the right port? pxGrid listens on 8910, the MnT API on 443",
    )
}

#[derive(Clone, Copy)]
struct Facts<'a> {
    host: &'a str,
    /// What the server sent, its own certificate first, DER.
    chain: &'a [Vec<u8>],
    seen: &'a HandshakeNotes,
}

impl Facts<'_> {
    fn explain(&self, error: &rustls::Error) -> Error {
        use rustls::Error as E;
        let early = self.chain.is_empty();
        match error {
            E::InvalidCertificate(fault) => self.certificate(fault),
            E::AlertReceived(alert) => self.alert(*alert),
            E::PeerIncompatible(reason) => self.no_common_ground(protocol::incompatible(reason)),
            E::InvalidMessage(_)
            | E::InappropriateHandshakeMessage { .. }
            | E::InappropriateMessage { .. }
                if early =>
            {
                self.not_tls()
            }
            E::InvalidMessage(reason) => self.broken(protocol::malformed(reason)),
            E::PeerMisbehaved(reason) => self.broken(protocol::misbehaved(reason)),
            E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } => {
                self.broken("a message came that does not belong there")
            }
            E::DecryptError => {
                self.broken("what came cannot be decrypted: it was changed on the way")
            }
            E::PeerSentOversizedRecord => self.broken("a record is larger than 16 kB"),
            E::NoCertificatesPresented => self.error(
                "the server showed no certificate",
                "the service on this port needs a certificate of its own: is it the right port?",
            ),
            E::NoApplicationProtocol => self.error(
                "the server speaks no HTTP/1.1 on this port",
                "is this the right port? The MnT API is on 443, pxGrid on 8910",
            ),
            E::InvalidCertRevocationList(_) => self.error(
                "the list of revoked certificates cannot be used",
                "the CA must publish another",
            ),
            E::InvalidEncryptedClientHello(_) => self.ours("the greeting could not be encrypted"),
            E::UnsupportedNameType => {
                self.ours("the host's name is of a kind that no certificate has")
            }
            E::EncryptError => self.ours("a record could not be encrypted"),
            E::FailedToGetCurrentTime => self.ours("this computer does not tell the time"),
            E::FailedToGetRandomBytes => self.ours("this computer gives no random numbers"),
            E::HandshakeNotComplete => self.ours("data was sent before the handshake was over"),
            E::BadMaxFragmentSize => self.ours("records are set to a size that is not allowed"),
            E::InconsistentKeys(_) => self.ours("the private key is not the certificate's"),
            _ => self.ours("something failed that has no name"),
        }
    }

    fn error(&self, why: &str, hint: &str) -> Error {
        let mut message = format!("TLS with {} failed: {why}", self.host);
        if let Some(leaf) = self.leaf() {
            let _ = write!(
                message,
                " (the certificate's SHA-256 is {})",
                fingerprint(leaf)
            );
        }
        Error::new(Kind::Tls, message).hint(hint).host(self.host)
    }

    /// The server's own certificate, DER.
    fn leaf(&self) -> Option<&[u8]> {
        self.chain.first().map(Vec::as_slice)
    }

    /// The option that accepts this certificate.
    fn pin(&self) -> String {
        match self.leaf() {
            Some(leaf) => format!("--pin-sha256 {}", fingerprint(leaf)),
            None => "--pin-sha256 FINGERPRINT".to_owned(),
        }
    }

    fn look(&self) -> String {
        format!(
            "the server's own log says more; from here: openssl s_client -connect {}",
            self.host
        )
    }

    fn broken(&self, why: &str) -> Error {
        self.error(
            &format!("the server, or somebody in between, breaks the protocol: {why}"),
            &self.look(),
        )
    }

    /// It failed on this side.
    fn ours(&self, why: &str) -> Error {
        self.error(
            &format!("it failed on this side: {why}"),
            "this is no fault of the server: please report it, with `netapi --version`",
        )
    }

    fn not_tls(&self) -> Error {
        self.error(
            "the server does not speak TLS on this port",
            "is this the right port? The MnT API is on 443, pxGrid on 8910",
        )
    }
}
