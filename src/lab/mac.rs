//! MAC addresses as ISE writes and reads them. Stricter than `record::Mac`, which takes what people type.

/// A MAC in the only form that ISE takes, upper case with colons.
pub(super) fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let upper = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for octet in &mut mac {
        let part = parts.next()?;
        if part.len() != 2 || !part.bytes().all(upper) {
            return None;
        }
        *octet = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}
