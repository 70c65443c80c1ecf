//! Decimal numbers as a NUMBER holds them, to 38 digits: exact but for division.

use std::cmp::Ordering;
use std::fmt;

/// `digits` divided by ten to the `scale`, without zeros at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::lab::data_connect) struct Decimal {
    digits: i128,
    scale: i32,
}

/// More digits than a NUMBER has.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::lab::data_connect) struct TooLarge;

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self::new(i128::from(value), 0)
    }
}

impl From<u64> for Decimal {
    fn from(value: u64) -> Self {
        Self::new(i128::from(value), 0)
    }
}

impl Decimal {
    pub(in crate::lab::data_connect) fn new(digits: i128, scale: i32) -> Self {
        let (mut digits, mut scale) = (digits, scale);
        if digits == 0 {
            scale = 0;
        }
        while digits != 0 && scale > -126 {
            let (tenth, 0) = divided(digits.unsigned_abs(), 10) else {
                break;
            };
            digits = digits.signum() * i128::try_from(tenth).unwrap_or(i128::MAX);
            scale -= 1;
        }
        Self { digits, scale }
    }

    /// Of `-12.50`, `.5`, `1e3`.
    pub(in crate::lab::data_connect) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (text, exponent) = match text.split_once(['e', 'E']) {
            Some((text, exponent)) => (text, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        if exponent.abs() > 125 {
            return None;
        }
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits: i128 = all.parse().ok()?;
        let scale = i32::try_from(fraction.len()).ok()? - exponent;
        Some(Self::new(if negative { -digits } else { digits }, scale))
    }

    /// Without its fraction; `None` where it does not fit.
    pub(in crate::lab::data_connect) fn to_i64(self) -> Option<i64> {
        i64::try_from(self.floor_to(0).digits_at(0)?).ok()
    }

    /// The digits as if the scale were `scale`, which is not below this number's.
    fn digits_at(self, scale: i32) -> Option<i128> {
        let more = u32::try_from(scale - self.scale).ok()?;
        if more == 0 {
            return Some(self.digits);
        }
        let power = match more {
            0..=18 => i128::from(10_i64.pow(more)),
            _ => 10_i128.checked_pow(more)?,
        };
        self.digits.checked_mul(power)
    }

    fn together(self, other: Self) -> Option<(i128, i128, i32)> {
        let scale = self.scale.max(other.scale);
        Some((self.digits_at(scale)?, other.digits_at(scale)?, scale))
    }

    pub(in crate::lab::data_connect) fn add(self, other: Self) -> Result<Self, TooLarge> {
        let (one, two, scale) = self.together(other).ok_or(TooLarge)?;
        Ok(Self::new(one.checked_add(two).ok_or(TooLarge)?, scale))
    }

    pub(in crate::lab::data_connect) fn negative(self) -> Self {
        Self {
            digits: -self.digits,
            scale: self.scale,
        }
    }

    pub(in crate::lab::data_connect) fn multiply(self, other: Self) -> Result<Self, TooLarge> {
        let digits = self.digits.checked_mul(other.digits).ok_or(TooLarge)?;
        Ok(Self::new(digits, self.scale + other.scale))
    }

    /// To about 30 digits; `None` where the divisor is 0.
    pub(in crate::lab::data_connect) fn divide(self, other: Self) -> Option<Self> {
        let (mut digits, mut scale) = (self.digits, self.scale - other.scale);
        while let Some(more) = digits.checked_mul(10)
            && digits != 0
            && digits.abs() < 10_i128.pow(36)
        {
            digits = more;
            scale += 1;
        }
        Some(Self::new(digits.checked_div(other.digits)?, scale))
    }

    /// Cut to `places` behind the point, towards zero.
    pub(in crate::lab::data_connect) fn floor_to(self, places: i32) -> Self {
        let surplus = u32::try_from(self.scale - places).unwrap_or(0);
        let Some(power) = 10_i128.checked_pow(surplus) else {
            return Self::new(0, 0);
        };
        Self::new(self.digits / power, self.scale.min(places))
    }

    /// Rounded to `places` behind the point, a half away from zero.
    pub(in crate::lab::data_connect) fn round_to(self, places: i32) -> Self {
        let surplus = u32::try_from(self.scale - places).unwrap_or(0);
        let Some(power) = 10_i128.checked_pow(surplus) else {
            return Self::new(0, 0);
        };
        let half = power / 2 * self.digits.signum();
        Self::new(
            self.digits.saturating_add(half) / power,
            self.scale.min(places),
        )
    }

    /// Appends it as a NUMBER on the wire: an exponent to the base 100 and digits to the base 100, each plus
    /// one; of a negative number the complements, and 102 at the end.
    pub(in crate::lab::data_connect) fn encode(self, out: &mut Vec<u8>) {
        if self.digits == 0 {
            return out.push(0x80);
        }
        // Pairs of digits, the last first: the point stands between two pairs.
        let mut rest = self.digits.unsigned_abs();
        let mut half = self.scale.rem_euclid(2) == 1;
        let mut pairs = [0u8; 20];
        let mut first = pairs.len();
        while rest > 0 && first > 0 {
            first -= 1;
            let (left, pair) = if half {
                let (left, digit) = divided(rest, 10);
                (left, digit * 10)
            } else {
                divided(rest, 100)
            };
            if let Some(place) = pairs.get_mut(first) {
                *place = pair;
            }
            half = false;
            rest = left;
        }
        let pairs = pairs.get(first..).unwrap_or_default();
        let places = self.scale.div_euclid(2) + self.scale.rem_euclid(2);
        let before = i32::try_from(pairs.len()).unwrap_or(0) - places;
        let head = u8::try_from(before - 1 + 193).unwrap_or(0xFF);
        if self.digits > 0 {
            out.push(head);
            out.extend(pairs.iter().map(|pair| pair + 1));
        } else {
            out.push(!head);
            out.extend(pairs.iter().map(|pair| 101 - pair));
            out.push(102);
        }
    }

    /// Of a NUMBER on the wire.
    pub(in crate::lab::data_connect) fn decoded(bytes: &[u8]) -> Option<Self> {
        let (first, pairs) = bytes.split_first()?;
        if *first == 0x80 {
            return Some(Self::new(0, 0));
        }
        let negative = first & 0x80 == 0;
        let exponent = i32::from(if negative { !first } else { *first }) - 193;
        let pairs = match pairs.split_last() {
            Some((102, rest)) if negative => rest,
            _ => pairs,
        };
        let mut digits: i128 = 0;
        for pair in pairs {
            let pair = if negative {
                101_u8.checked_sub(*pair)?
            } else {
                pair.checked_sub(1)?
            };
            digits = digits.checked_mul(100)?.checked_add(i128::from(pair))?;
        }
        let scale = 2 * (i32::try_from(pairs.len()).ok()? - 1 - exponent);
        Some(Self::new(if negative { -digits } else { digits }, scale))
    }
}

/// A number divided by a small one, and what is left. Where it fits in a machine word, as nearly
/// always, that takes a tenth of the time.
fn divided(number: u128, by: u8) -> (u128, u8) {
    let (whole, left) = match u64::try_from(number) {
        Ok(number) => (
            u128::from(number / u64::from(by)),
            u128::from(number % u64::from(by)),
        ),
        Err(_) => (number / u128::from(by), number % u128::from(by)),
    };
    (whole, u8::try_from(left).unwrap_or_default())
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let magnitude = |one: &Self| {
            let digits = i32::try_from(one.digits.unsigned_abs().to_string().len()).unwrap_or(0);
            (digits - one.scale) * i32::try_from(one.digits.signum()).unwrap_or(0)
        };
        match self.together(*other) {
            Some((one, two, _)) => one.cmp(&two),
            // So far apart that one has no digits where the other's are.
            None if self.digits.signum() != other.digits.signum() => {
                self.digits.signum().cmp(&other.digits.signum())
            }
            None => magnitude(self).cmp(&magnitude(other)),
        }
    }
}

impl fmt::Display for Decimal {
    /// As TO_CHAR writes it: `.5`, `-12.25`, without an exponent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits.unsigned_abs().to_string();
        let sign = if self.digits < 0 { "-" } else { "" };
        let Ok(places) = usize::try_from(self.scale) else {
            let zeros = usize::try_from(-self.scale).unwrap_or(0);
            return write!(f, "{sign}{digits}{}", "0".repeat(zeros));
        };
        if places == 0 {
            return write!(f, "{sign}{digits}");
        }
        let digits = format!("{digits:0>places$}");
        let (whole, fraction) = digits.split_at(digits.len() - places);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    fn encoded(number: Decimal) -> Vec<u8> {
        let mut bytes = Vec::new();
        number.encode(&mut bytes);
        bytes
    }

    #[test]
    fn numbers_are_as_oracle_writes_them() {
        for (text, bytes) in [
            ("0", &[0x80][..]),
            ("1", &[0xC1, 0x02]),
            ("100", &[0xC2, 0x02]),
            ("123", &[0xC2, 0x02, 0x18]),
            ("-1", &[0x3E, 0x64, 0x66]),
            (".5", &[0xC0, 0x33]),
            ("-.01", &[0x3F, 0x64, 0x66]),
            ("12.34", &[0xC1, 0x0D, 0x23]),
        ] {
            assert_eq!(encoded(decimal(text)), bytes, "{text}");
            assert_eq!(Decimal::decoded(bytes), Some(decimal(text)), "{text}");
            assert_eq!(decimal(text).to_string(), text);
        }
        let long = "12345678901234567890123456789012345678";
        assert_eq!(
            Decimal::decoded(&encoded(decimal(long))),
            Some(decimal(long))
        );
        for wrong in ["", "-", "1.2.3", "x", "1e999"] {
            assert_eq!(Decimal::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sums_and_comparisons_are_exact() {
        assert_eq!(decimal(".1").add(decimal(".2")), Ok(decimal(".3")));
        assert_eq!(decimal("1.5").multiply(decimal("4")), Ok(decimal("6")));
        assert_eq!(decimal("1").divide(decimal("4")), Some(decimal(".25")));
        assert_eq!(decimal("1").divide(decimal("0")), None);
        assert!(decimal("10") > decimal("9.99") && decimal("-3") < decimal("2"));
        assert_eq!(decimal("-2.5").round_to(0), decimal("-3"));
        assert_eq!(decimal("2.59").floor_to(1), decimal("2.5"));
        assert_eq!(decimal("1234").floor_to(-2), decimal("1200"));
        assert!(decimal("1e100") > decimal("1e-20"));
    }
}
