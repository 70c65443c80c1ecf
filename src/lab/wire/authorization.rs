//! HTTP Basic as the server sees it: who came, and with the right password? Nothing else.

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};

/// A user and a password from a header's value.
pub(in crate::lab) fn read_basic(header: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(header).ok()?;
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// With padding or without: clients differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_may_hold_colons() {
        assert_eq!(
            read_basic(b"Basic bGFiLWFkbWluOkxhYjpQYXNzLTE="),
            Some(("lab-admin".into(), "Lab:Pass-1".into()))
        );
        assert_eq!(read_basic(b"basic w7w6w7Y"), Some(("ü".into(), "ö".into())));
        for wrong in [
            &b"Bearer x"[..],
            b"Basic",
            b"Basic !!!!",
            b"Basic YWJj",
            b"\xFF",
        ] {
            assert_eq!(read_basic(wrong), None);
        }
    }
}
