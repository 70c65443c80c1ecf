//! Text made without the formatting machinery: a list of two million rows calls these many times a row, and `format!` costs ten times as much.
//!
//! Knows nothing of sessions or XML.

const UPPER: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
];
const LOWER: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
];

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

fn push_digits(out: &mut String, value: u64, digits: u32, alphabet: &[char; 16]) {
    for place in (0..digits).rev() {
        let nibble = usize::from(low_byte(value >> (4 * place)) & 0x0F);
        out.push(alphabet.get(nibble).copied().unwrap_or('0'));
    }
}

/// `value` as exactly `digits` upper-case hexadecimal digits.
pub(super) fn push_hex(out: &mut String, value: u64, digits: u32) {
    push_digits(out, value, digits, &UPPER);
}

/// `value` as exactly `digits` lower-case hexadecimal digits.
pub(super) fn push_hex_lower(out: &mut String, value: u64, digits: u32) {
    push_digits(out, value, digits, &LOWER);
}

/// `value` in decimal, with zeros before it up to `width` digits.
pub(super) fn push_number(out: &mut String, value: u64, width: usize) {
    let mut digits = ['0'; 20];
    let mut rest = value;
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = char::from(b'0' + low_byte(rest % 10));
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    let shown = used.max(width).min(digits.len());
    out.extend(digits.iter().skip(digits.len() - shown));
}

/// Dotted decimal.
pub(super) fn push_ipv4(out: &mut String, address: u32) {
    for (position, octet) in address.to_be_bytes().into_iter().enumerate() {
        if position > 0 {
            out.push('.');
        }
        push_number(out, u64::from(octet), 1);
    }
}

/// Six octets with `separator` between them.
pub(super) fn push_mac(out: &mut String, mac: [u8; 6], separator: char, upper: bool) {
    let alphabet = if upper { &UPPER } else { &LOWER };
    for (position, octet) in mac.into_iter().enumerate() {
        if position > 0 {
            out.push(separator);
        }
        push_digits(out, u64::from(octet), 2, alphabet);
    }
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
            push_mac(&mut text, mac, ':', true);
            let [a, b, c, d, e, f] = mac;
            prop_assert_eq!(text, format!("{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{f:02X}"));
        }
    }
}
