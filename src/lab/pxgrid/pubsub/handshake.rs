//! The WebSocket handshake (RFC 6455, section 4.2): whether a request asks for an upgrade, and the
//! key that accepts it.
//!
//! Who may have it is `server`'s affair. No extension is agreed to, so `permessage-deflate` may be
//! offered and is not used.

use hyper::HeaderMap;
use hyper::header::{CONNECTION, HeaderName, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The value of `Sec-WebSocket-Accept`; `None` when this is no proper handshake.
pub(in crate::lab::pxgrid) fn accept_key(headers: &HeaderMap) -> Option<String> {
    let has = |name: HeaderName, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    let proper =
        has(UPGRADE, "websocket") && has(CONNECTION, "upgrade") && has(SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(SEC_WEBSOCKET_KEY)?.as_bytes();
    (proper && !key.is_empty()).then(|| derive_accept_key(key))
}
