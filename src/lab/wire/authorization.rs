//! HTTP Basic as the server sees it: who came, and with the right password? Nothing else.

/// A user and a password from a header's value.
pub(in crate::lab) fn read_basic(header: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(header).ok()?;
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let text = String::from_utf8(decode(encoded.trim())?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Standard base64 with or without padding. Only test credentials pass through here, so the tail's unused bits are not checked.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xFFFF;
        held += 6;
        if held >= 8 {
            held -= 8;
            let [low, ..] = (bits >> held).to_le_bytes();
            bytes.push(low);
        }
    }
    Some(bytes)
}

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
