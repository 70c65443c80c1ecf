//! An endpoint's MAC address, or the beginning of one: read in every spelling people and devices
//! use, written the only way ISE takes it.
//!
//! The one place where a MAC address is parsed. An IP address, whole or begun, is never one,
//! although its digits are hexadecimal too. Calling stations that are no MAC (VPN users come with
//! an IP address) are not this type's business: the record keeps their text.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::error::Error;

/// Hexadecimal digits of a whole address.
const DIGITS: usize = 12;

/// A 48-bit MAC address. `Display` writes upper-case hexadecimal with colons, the form that the MnT
/// node demands (reference mnt-api, section 1, row 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac([u8; 6]);

impl Mac {
    /// The address that is written exactly as [`Display`](fmt::Display) writes it; `None` for every
    /// other spelling.
    pub fn from_canonical(text: &str) -> Option<Self> {
        let canonical = |(at, byte): (usize, u8)| match at % 3 {
            2 => byte == b':',
            _ => matches!(byte, b'0'..=b'9' | b'A'..=b'F'),
        };
        (text.len() == 17 && text.bytes().enumerate().all(canonical))
            .then(|| text.parse().ok())
            .flatten()
    }

    /// The six bytes, in the order they are written.
    pub fn octets(self) -> [u8; 6] {
        self.0
    }
}

impl FromStr for Mac {
    type Err = Error;

    /// Twelve hexadecimal digits in any case: bare, or in groups of two, four or six between
    /// colons, hyphens or dots (`AA:BB:CC:DD:EE:FF`, `aa-bb-cc-dd-ee-ff`, `aabb.ccdd.eeff`,
    /// `aabb-ccdd-eeff`, `aabbcc-ddeeff`).
    fn from_str(text: &str) -> Result<Self, Error> {
        let prefix = digits(text.trim()).filter(|prefix| prefix.length == DIGITS);
        prefix.map(|prefix| Self(prefix.octets)).ok_or_else(|| {
            let error = Error::usage(format!("'{text}' is {}", kind_of(text, "a MAC address")));
            error.hint(match text.trim().parse::<IpAddr>() {
                Ok(_) => "the endpoint's session names its MAC address; that of a VPN client has none",
                Err(_) => {
                    "write it as C8:5B:76:C6:59:62, c8-5b-76-c6-59-62, c85b.76c6.5962 or c85b76c65962"
                }
            })
        })
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

/// The first digits of MAC addresses, from one to all twelve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacPrefix {
    /// The digits, and zeros where they end.
    octets: [u8; 6],
    /// How many digits there are.
    length: usize,
}

impl MacPrefix {
    /// Whether `mac` begins so.
    pub fn matches(self, mac: Mac) -> bool {
        let whole = self.length / 2;
        let half = |bytes: [u8; 6]| bytes.get(whole).map(|byte| byte >> 4);
        self.octets
            .iter()
            .zip(mac.0)
            .take(whole)
            .all(|(a, b)| *a == b)
            && (self.length.is_multiple_of(2) || half(self.octets) == half(mac.0))
    }
}

impl FromStr for MacPrefix {
    type Err = Error;

    /// A MAC address in any of its spellings, or what one begins with: `C8:5B:76`, `c8-5b`,
    /// `c85b.76`, `C85B7`.
    fn from_str(text: &str) -> Result<Self, Error> {
        digits(text.trim()).ok_or_else(|| {
            let kind = kind_of(text, "a MAC address or the beginning of one");
            Error::usage(format!("'{text}' is {kind}"))
                .hint("write it as C8:5B:76, c8-5b-76, c85b.76c6 or c85b76")
        })
    }
}

/// What a text that is not `wanted` is, as the end of a sentence.
fn kind_of(text: &str, wanted: &str) -> String {
    match text.trim().parse::<IpAddr>() {
        Ok(_) => format!("an IP address, not {wanted}"),
        Err(_) => format!("not {wanted}"),
    }
}

/// The digits of a MAC address or of its beginning: in one group, or in groups of two, four or six
/// with one kind of separator. Only the last group may be short, and a separator may end a
/// beginning.
fn digits(text: &str) -> Option<MacPrefix> {
    let mut octets = [0; 6];
    let mut length = 0;
    let mut separator = None;
    // Digits of the first group, and of the one that is being read.
    let (mut size, mut run) = (0, 0);
    for byte in text.bytes() {
        if let Some(digit) = char::from(byte).to_digit(16) {
            let shift = if length % 2 == 0 { 4 } else { 0 };
            *octets.get_mut(length / 2)? |= u8::try_from(digit << shift).ok()?;
            length += 1;
            run += 1;
            continue;
        }
        if separator.is_none() {
            (separator, size) = (Some(byte), run);
        }
        if separator != Some(byte) || run != size {
            return None;
        }
        run = 0;
    }
    let whole = length == DIGITS && run > 0;
    let well_formed = match (separator, size) {
        (None, _) => length > 0,
        // `10.50.` begins an IPv4 address, `2001:0db8:` one of IPv6.
        (Some(b'.'), 2) | (Some(b':'), 4) => whole,
        (Some(b':' | b'-' | b'.'), 2 | 4 | 6) => run <= size && (whole || length < DIGITS),
        _ => false,
    };
    well_formed.then_some(MacPrefix { octets, length })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    const MAC: &str = "C8:5B:76:C6:59:62";

    #[test]
    fn every_spelling_is_sent_the_same() {
        for text in [
            "c8:5b:76:c6:59:62",
            "C8-5B-76-C6-59-62",
            "c85b.76c6.5962",
            "C85B-76C6-5962",
            "c85b:76c6:5962",
            "c85b76-c65962",
            "c8.5b.76.c6.59.62",
            "C85b76c65962",
            " C8:5B:76:C6:59:62\n",
        ] {
            assert_eq!(text.parse::<Mac>().unwrap().to_string(), MAC, "{text}");
        }
        for text in [
            "",
            "C8:5B:76:C6:59",
            "10.0.0.1",
            "C8:5B:76:C6:59:6G",
            "C8:5B:76:C6:59:62:",
            ":C8:5B:76:C6:59:62",
            "C8:5B:76:C6:59:62:00",
            "C8:5B-76:C6:59:62",
            "C8:5B7:6C6:59:62",
            "c8 5b 76 c6 59 62",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }

    #[test]
    fn beginnings_match_what_begins_so() {
        let mac: Mac = MAC.parse().unwrap();
        for text in [
            "c",
            "C8",
            "c8:",
            "c8:5",
            "C8-5B",
            "c85b76",
            "c85b.",
            "c85b.76",
            "c85b76-c6",
            "C8:5B:76:C6:59:6",
            MAC,
        ] {
            assert!(text.parse::<MacPrefix>().unwrap().matches(mac), "{text}");
        }
        for text in ["d", "C9", "c8:6", "c85b.77", "C8:5B:76:C6:59:63", "85"] {
            assert!(!text.parse::<MacPrefix>().unwrap().matches(mac), "{text}");
        }
        for text in [
            "",
            ":",
            "::",
            "xyz",
            "c8-5b.76",
            "c8::5b",
            "10.",
            "10.5",
            "10.50.",
            "203.113.190.145",
            "2001:0db8:",
            "2001:db8:",
            "C8:5B:76:C6:59:62:0",
            "c85b76c659620",
        ] {
            assert!(text.parse::<MacPrefix>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_called_one() {
        let whole = "203.113.190.145".parse::<Mac>().unwrap_err();
        assert_eq!(
            whole.message(),
            "'203.113.190.145' is an IP address, not a MAC address"
        );
        let begun = "fe80::1".parse::<MacPrefix>().unwrap_err();
        assert!(
            begun
                .message()
                .starts_with("'fe80::1' is an IP address, not a MAC address or")
        );
        assert!(
            "203.0."
                .parse::<MacPrefix>()
                .unwrap_err()
                .message()
                .starts_with("'203.0.' is not")
        );
    }

    #[test]
    fn canonical_is_one_spelling_only() {
        assert_eq!(Mac::from_canonical(MAC), MAC.parse().ok());
        for text in [
            "c8:5b:76:c6:59:62",
            "C8-5B-76-C6-59-62",
            " C8:5B:76:C6:59:62",
            "",
            "203.113.190.145.1",
        ] {
            assert_eq!(Mac::from_canonical(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_ip_address_is_a_mac(v4: Ipv4Addr, v6: Ipv6Addr, mapped: Ipv4Addr, zeros in 0usize..8) {
            // Short forms need zeros, which random addresses seldom have.
            let mut groups = v6.segments();
            groups.iter_mut().take(zeros).for_each(|group| *group = 0);
            let full = v6.segments().map(|group| format!("{group:04X}")).join(":");
            let texts = [
                v4.to_string(),
                v6.to_string(),
                Ipv6Addr::from(groups).to_string(),
                mapped.to_ipv6_mapped().to_string(),
                full,
            ];
            for text in texts {
                prop_assert!(text.parse::<IpAddr>().is_ok(), "{}", text);
                prop_assert!(text.parse::<Mac>().is_err(), "{}", text);
                prop_assert!(text.parse::<MacPrefix>().is_err(), "{}", text);
            }
        }

        #[test]
        fn the_beginning_of_an_ipv4_address_is_none_of_a_mac(v4: Ipv4Addr, end in 1usize..16) {
            let text = v4.to_string();
            let begun = text.get(..end).unwrap_or(&text);
            prop_assume!(begun.contains('.'));
            prop_assert!(begun.parse::<MacPrefix>().is_err(), "{}", begun);
        }

        #[test]
        fn what_is_neither_address_nor_mac_is_never_both(text in "[0-9a-fA-F.:-]{0,40}") {
            let parsed = text.parse::<Mac>();
            prop_assert!(parsed.is_err() || text.parse::<IpAddr>().is_err(), "{}", text);
            prop_assert_eq!(parsed.ok().is_some_and(|mac| mac.to_string() == text), Mac::from_canonical(&text).is_some());
        }

        #[test]
        fn every_cut_of_every_spelling_matches(octets: [u8; 6], size in prop::sample::select(&[2usize, 4, 6, 12]), separator in "[:-]", end in 1usize..18) {
            let mac = Mac(octets);
            let bare = mac.to_string().replace(':', "");
            let groups: Vec<&str> = (0..bare.len()).step_by(size).map(|at| bare.get(at..at + size).unwrap()).collect();
            let text = groups.join(&separator).to_lowercase();
            prop_assert_eq!(text.parse::<Mac>().unwrap(), mac);
            let cut = text.get(..end).unwrap_or(&text);
            if let Ok(prefix) = cut.parse::<MacPrefix>() {
                prop_assert!(prefix.matches(mac), "{}", cut);
            } else {
                prop_assert!(separator == ":" && size == 4, "{}", cut);
            }
        }
    }
}
