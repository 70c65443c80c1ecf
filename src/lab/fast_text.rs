//! Text made without the formatting machinery: a list of two million rows calls these many times a
//! row, and `format!` costs ten times as much.
//!
//! Knows nothing of sessions or XML.

const UPPER: &[u8; 16] = b"0123456789ABCDEF";
const LOWER: &[u8; 16] = b"0123456789abcdef";

/// The low byte.
pub(super) fn low_byte(value: u64) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low
}

/// One of `table`, chosen by `number`; `None` only for an empty table.
pub(super) fn pick<T>(table: &[T], number: u64) -> Option<&T> {
    let length = u64::try_from(table.len()).ok()?;
    let position = usize::try_from(number.checked_rem(length)?).ok()?;
    table.get(position)
}

/// Appends ASCII made in a buffer: one append is many times faster than one for each character.
fn push_ascii(out: &mut String, bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        out.push_str(text);
    }
}

/// The digit of the low four bits.
fn digit(value: u64, alphabet: &[u8; 16]) -> u8 {
    let nibble = usize::from(low_byte(value) & 0x0F);
    alphabet.get(nibble).copied().unwrap_or(b'0')
}

/// The last `digits` (at most 16) hexadecimal digits of `value`.
fn push_digits(out: &mut String, value: u64, digits: usize, alphabet: &[u8; 16]) {
    let mut buffer = [b'0'; 16];
    let mut rest = value;
    for slot in buffer.iter_mut().rev().take(digits) {
        *slot = digit(rest, alphabet);
        rest >>= 4;
    }
    push_ascii(
        out,
        buffer
            .get(buffer.len().saturating_sub(digits)..)
            .unwrap_or(&buffer),
    );
}

/// `value` as exactly `digits` upper-case hexadecimal digits.
pub(super) fn push_hex(out: &mut String, value: u64, digits: usize) {
    push_digits(out, value, digits, UPPER);
}

/// `value` as exactly `digits` lower-case hexadecimal digits.
pub(super) fn push_hex_lower(out: &mut String, value: u64, digits: usize) {
    push_digits(out, value, digits, LOWER);
}

/// `value` in decimal, with zeros before it up to `width` digits.
pub(super) fn push_number(out: &mut String, value: u64, width: usize) {
    let mut buffer = [b'0'; 20];
    let used = put_number(&mut buffer, value);
    let shown = used.max(width).min(buffer.len());
    push_ascii(out, buffer.get(buffer.len() - shown..).unwrap_or(&buffer));
}

/// Writes `value` to the end of `buffer`; answers how many digits that took.
fn put_number(buffer: &mut [u8], value: u64) -> usize {
    let mut rest = value;
    let mut used = 0;
    for slot in buffer.iter_mut().rev() {
        *slot = b'0' + low_byte(rest % 10);
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    used
}

/// Dotted decimal.
pub(super) fn push_ipv4(out: &mut String, address: u32) {
    let mut buffer = [b'.'; 15];
    let mut free = buffer.len();
    for octet in address.to_be_bytes().into_iter().rev() {
        if let Some(room) = buffer.get_mut(..free) {
            // The dot before the number is already there.
            free = free.saturating_sub(put_number(room, u64::from(octet)) + 1);
        }
    }
    let text = buffer.get(free..).unwrap_or(&buffer);
    push_ascii(out, text.strip_prefix(b".").unwrap_or(text));
}

/// Six octets with `separator`, an ASCII character, between them.
pub(super) fn push_mac(out: &mut String, mac: [u8; 6], separator: u8, upper: bool) {
    let alphabet = if upper { UPPER } else { LOWER };
    let mut buffer = [separator; 17];
    for (slot, octet) in buffer.chunks_mut(3).zip(mac) {
        if let [high, low, ..] = slot {
            *high = digit(u64::from(octet >> 4), alphabet);
            *low = digit(u64::from(octet), alphabet);
        }
    }
    push_ascii(out, &buffer);
}

/// A well-mixed number from `value` (splitmix64's output function).
pub(super) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_what_format_writes(value: u64, width in 1_usize..20) {
            let mut text = String::new();
            push_number(&mut text, value, width);
            prop_assert_eq!(text, format!("{value:0width$}"));
        }

        #[test]
        fn hexadecimal_and_addresses_are_what_format_writes(value: u64, address: u32, mac: [u8; 6]) {
            let mut text = String::new();
            push_hex(&mut text, value, 16);
            push_hex_lower(&mut text, value, 16);
            prop_assert_eq!(text, format!("{value:016X}{value:016x}"));
            let mut text = String::new();
            push_ipv4(&mut text, address);
            prop_assert_eq!(text, std::net::Ipv4Addr::from(address).to_string());
            let mut text = String::new();
            push_mac(&mut text, mac, b':', true);
            let [a, b, c, d, e, f] = mac;
            prop_assert_eq!(text, format!("{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{f:02X}"));
        }
    }
}
