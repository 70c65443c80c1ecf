//! From an error of the HTTP library to ours: which phase failed, and why, from types and not from
//! texts.
//!
//! It decides kinds; whether a request is repeated is decided in `http`.

use std::error::Error as StdError;
use std::io;

use super::tls::HandshakeNotes;
use super::tls_error::{self, find, rustls_error};
use crate::error::{Error, Kind};

/// No head of an answer came.
pub(super) fn of_head(
    host: &str,
    error: &(dyn StdError + 'static),
    seen: &HandshakeNotes,
) -> Error {
    // Everything up to the connection is in our own words already.
    if let Some(ours) = find(error, &|link| link.downcast_ref::<Error>()) {
        return ours.clone();
    }
    // TLS 1.3 refuses a client certificate only when the request is already on its way.
    if let Some(tls) = rustls_error(error) {
        return tls_error::explain(host, tls, seen);
    }
    let http = find(error, &|link| link.downcast_ref::<hyper::Error>());
    if http.is_some_and(hyper::Error::is_parse_too_large) {
        return Error::new(
            Kind::Malformed,
            format!("the head of what {host} answered is too large: over 100 lines, or 400 kB"),
        )
        .hint("ISE sends a few lines; a gateway or a proxy between may add the others")
        .host(host);
    }
    if http.is_some_and(hyper::Error::is_parse) {
        return Error::new(
            Kind::Malformed,
            format!("what {host} answered is not HTTP: {}", innermost(error)),
        )
        .hint("is this the right port? The MnT API is on 443, pxGrid on 8910")
        .host(host);
    }
    let refused = seen.asked_for_certificate() && !seen.we_have_certificate();
    Error::new(
        Kind::Connect,
        format!("{host} closed the connection before it answered"),
    )
    .hint(if refused {
        "the server asked for a client certificate and got none: give one with --cert FILE --key FILE"
    } else {
        "the server may be restarting: try again, and look at its own log if it stays"
    })
    .host(host)
}

/// The head came, the body broke.
pub(super) fn of_body(host: &str, error: &(dyn StdError + 'static)) -> Error {
    use io::ErrorKind as Io;
    let kind = io_error(error).map(io::Error::kind);
    let cut = |why: &str| {
        Error::new(
            Kind::Truncated,
            format!("the answer of {host} broke off before its end: {why}"),
        )
        .hint("what was printed is incomplete; try again")
        .host(host)
    };
    match kind {
        Some(Io::InvalidData | Io::InvalidInput) if rustls_error(error).is_none() => {
            return Error::new(
                Kind::Malformed,
                format!(
                    "the answer of {host} is not well-formed: {}",
                    innermost(error)
                ),
            )
            .hint("is this the right port, with no proxy between that changes answers?")
            .host(host);
        }
        Some(Io::ConnectionReset) => return cut("the connection was reset"),
        _ => {}
    }
    if rustls_error(error).is_some() {
        return cut("TLS broke: what came was no sequel of it");
    }
    cut("the connection was closed")
}

/// The innermost `io::Error`: layers wrap one in another and lose its kind.
fn io_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    find(error, &|link| {
        let outer = link.downcast_ref::<io::Error>()?;
        let inner = outer.get_ref().and_then(|inner| io_error(inner));
        Some(inner.unwrap_or(outer))
    })
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut link = error;
    while let Some(source) = link.source() {
        link = source;
    }
    link.to_string()
}
