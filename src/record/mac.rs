//! An endpoint's MAC address: read in every spelling people use, written the only way ISE takes it.
//!
//! Calling stations that are no MAC (VPN users come with an IP address) are not this type's business: the record keeps their text.

use std::fmt;
use std::str::FromStr;

use macaddr::MacAddr6;

use crate::error::Error;

/// A 48-bit MAC address. `Display` writes upper-case hexadecimal with colons, the form that the MnT node demands (reference mnt-api, section 1, row 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(MacAddr6);

impl FromStr for Mac {
    type Err = Error;

    /// Accepts `AA:BB:CC:DD:EE:FF`, `aa-bb-cc-dd-ee-ff`, `aabb.ccdd.eeff` and `aabbccddeeff`, in any case.
    fn from_str(text: &str) -> Result<Self, Error> {
        text.trim().parse::<MacAddr6>().map(Self).map_err(|_| {
            Error::usage(format!("'{text}' is not a MAC address")).hint(
                "write it as C8:5B:76:C6:59:62, c8-5b-76-c6-59-62, c85b.76c6.5962 or c85b76c65962",
            )
        })
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.into_array();
        for (index, byte) in bytes.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_sent_the_same() {
        for text in [
            "c8:5b:76:c6:59:62",
            "C8-5B-76-C6-59-62",
            "c85b.76c6.5962",
            "C85b76c65962",
            " C8:5B:76:C6:59:62\n",
        ] {
            assert_eq!(
                text.parse::<Mac>().unwrap().to_string(),
                "C8:5B:76:C6:59:62"
            );
        }
        for text in [
            "",
            "C8:5B:76:C6:59",
            "10.0.0.1",
            "C8:5B:76:C6:59:6G",
            "C8:5B:76:C6:59:62:00",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }
}
