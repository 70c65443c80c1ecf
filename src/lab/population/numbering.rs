//! Which endpoint has which address: invertible maps between an endpoint's index and its MAC, IP
//! and NAS, so that a look-up in two million sessions is arithmetic and no table is held.
//!
//! The first ten endpoints have addresses that documentation can quote; the maps begin after them.

use crate::lab::fast_text::{low_byte, mix};

/// Endpoints below this index are fixed (see [`super`]).
pub(super) const FIXED: u64 = 10;

/// How many endpoints the maps can tell apart: the address pool is the narrowest.
pub(super) const CAPACITY: u64 = 16_384 * 254;

/// Every eighth NAS is of the same kind, so that an endpoint's kind of access does not depend on
/// how many sessions there are.
pub(super) const NAS_KINDS: u64 = 8;

const FIRST_MAC: [u8; 6] = [0xC8, 0x5B, 0x76, 0xC6, 0x59, 0x62];
const NIC_MASK: u64 = 0xFF_FFFF;
const NIC_FACTOR: u64 = 0x9E_3779;
const FIXED_ADDRESSES: u32 = u32::from_be_bytes([10, 50, 10, 100]);
const POOL: u32 = u32::from_be_bytes([10, 64, 0, 0]);
const NAS_PER_SUBNET: u64 = 200;

/// The multiplicative inverse of an odd number modulo 2^64, by Newton's iteration (each step
/// doubles the right bits).
const fn inverse(odd: u64) -> u64 {
    let mut guess = odd;
    let mut step = 0;
    while step < 6 {
        guess = guess.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(guess)));
        step += 1;
    }
    guess
}

/// The MAC of endpoint `index`; `oui` is the vendor's half for those that are not fixed.
pub(super) fn mac(seed: u64, index: u64, oui: [u8; 3]) -> [u8; 6] {
    if index == 0 {
        return FIRST_MAC;
    }
    if index < FIXED {
        return [0x00, 0x00, 0x5E, 0x00, 0x53, low_byte(index)];
    }
    let nic = index.wrapping_mul(NIC_FACTOR).wrapping_add(mix(seed)) & NIC_MASK;
    let [low, middle, high, ..] = nic.to_le_bytes();
    let [a, b, c] = oui;
    [a, b, c, high, middle, low]
}

/// The only index that can have this MAC. The caller compares the whole MAC, as the vendor's half
/// is not looked at here.
pub(super) fn index_of_mac(seed: u64, mac: [u8; 6]) -> u64 {
    if mac == FIRST_MAC {
        return 0;
    }
    let [_, _, _, high, middle, low] = mac;
    if mac == [0x00, 0x00, 0x5E, 0x00, 0x53, low] && u64::from(low) < FIXED {
        return u64::from(low);
    }
    let nic = u64::from(u32::from_be_bytes([0, high, middle, low]));
    nic.wrapping_sub(mix(seed))
        .wrapping_mul(inverse(NIC_FACTOR))
        & NIC_MASK
}

/// The address assigned to endpoint `index`: 10.50.10.100 and its neighbours, then .1 to .254 of
/// the /24 networks of 10.64.0.0/10.
pub(super) fn framed_ip(index: u64) -> u32 {
    let position = u32::try_from(index % CAPACITY).unwrap_or(0);
    if index < FIXED {
        FIXED_ADDRESSES + position
    } else {
        POOL + (position / 254) * 256 + position % 254 + 1
    }
}

/// The index that [`framed_ip`] gives this address.
pub(super) fn index_of_framed_ip(address: u32) -> Option<u64> {
    if let Some(position) = address.checked_sub(FIXED_ADDRESSES).map(u64::from)
        && position < FIXED
    {
        return Some(position);
    }
    let offset = u64::from(address.checked_sub(POOL)?);
    let (subnet, host) = (offset / 256, offset % 256);
    let index = subnet * 254 + host.checked_sub(1)?;
    (host <= 254 && (FIXED..CAPACITY).contains(&index)).then_some(index)
}

/// How many NAS a deployment of `sessions` has: about forty sessions each, never fewer than one of
/// each kind.
pub(super) fn nas_count(sessions: u64) -> u64 {
    sessions
        .div_ceil(40)
        .max(1)
        .next_multiple_of(NAS_KINDS)
        .max(NAS_KINDS)
}

/// The address of NAS `number`: 10.50.1.10 first; 10.50.10.0/24 is left out, the fixed endpoints
/// live there.
pub(super) fn nas_ip(number: u64) -> u32 {
    let mut subnet = 1 + number / NAS_PER_SUBNET;
    if subnet >= 10 {
        subnet += 1;
    }
    u32::from_be_bytes([
        10,
        50,
        low_byte(subnet),
        low_byte(10 + number % NAS_PER_SUBNET),
    ])
}

/// The number that [`nas_ip`] gives this address.
pub(super) fn number_of_nas_ip(address: u32) -> Option<u64> {
    let [a, b, subnet, host] = address.to_be_bytes();
    if [a, b] != [10, 50] || subnet == 10 {
        return None;
    }
    let subnet = if subnet > 10 { subnet - 1 } else { subnet };
    let host = u64::from(host.checked_sub(10)?);
    (host < NAS_PER_SUBNET).then_some(u64::from(subnet.checked_sub(1)?) * NAS_PER_SUBNET + host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_map_goes_back(seed: u64, index in 0..CAPACITY, nas in 0_u64..50_008) {
            prop_assert_eq!(index_of_mac(seed, mac(seed, index, [0x3C, 0x52, 0x82])), index);
            prop_assert_eq!(index_of_framed_ip(framed_ip(index)), Some(index));
            prop_assert_eq!(number_of_nas_ip(nas_ip(nas)), Some(nas));
        }

        #[test]
        fn any_address_maps_to_itself_or_to_nothing(address: u32) {
            if let Some(index) = index_of_framed_ip(address) {
                prop_assert_eq!(framed_ip(index), address);
            }
            if let Some(number) = number_of_nas_ip(address) {
                prop_assert_eq!(nas_ip(number), address);
            }
        }
    }

    #[test]
    fn nas_and_endpoints_never_share_an_address() {
        for number in 0..nas_count(2_000_000) {
            assert_eq!(index_of_framed_ip(nas_ip(number)), None, "{number}");
        }
    }
}
