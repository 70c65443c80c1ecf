//! Interface names as switches shorten them themselves: the part that tells ports apart is at the
//! end, where a narrow column cuts.

use std::borrow::Cow;

/// Long names and what IOS and NX-OS print for them, longer ones first where one begins with
/// another.
const NAMES: [(&str, &str); 12] = [
    ("TwentyFiveGigabitEthernet", "Twe"),
    ("TwentyFiveGigE", "Twe"),
    ("HundredGigabitEthernet", "Hu"),
    ("HundredGigE", "Hu"),
    ("FortyGigabitEthernet", "Fo"),
    ("TwoGigabitEthernet", "Tw"),
    ("FiveGigabitEthernet", "Fi"),
    ("TenGigabitEthernet", "Te"),
    ("GigabitEthernet", "Gi"),
    ("FastEthernet", "Fa"),
    ("Port-channel", "Po"),
    ("Ethernet", "Eth"),
];

/// `Gi1/0/5` for `GigabitEthernet1/0/5`; a name that is not followed by a number stays.
pub(crate) fn short(name: &str) -> Cow<'_, str> {
    NAMES
        .iter()
        .find_map(|(long, short)| {
            let number = name.strip_prefix(long)?;
            number
                .starts_with(|c: char| c.is_ascii_digit())
                .then(|| Cow::Owned(format!("{short}{number}")))
        })
        .unwrap_or(Cow::Borrowed(name))
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn ports_are_shortened_and_other_names_stay() {
        for (name, expected) in [
            ("GigabitEthernet1/0/5", "Gi1/0/5"),
            ("TenGigabitEthernet1/1/1", "Te1/1/1"),
            ("Ethernet1/7", "Eth1/7"),
            ("Ethernet", "Ethernet"),
            ("50105", "50105"),
            ("", ""),
        ] {
            assert_eq!(short(name), expected);
        }
    }
}
