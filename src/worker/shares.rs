//! Which member is to own which partition: the same answer for everybody who sees the same members,
//! as even as can be, and with few moves when one joins or leaves (rendezvous hashing with a cap).
//!
//! All members must agree, whatever their version: the hash and the order are kept.

use std::collections::{BTreeMap, BTreeSet};

/// The partitions of `me`.
pub fn of(me: &str, members: &BTreeSet<&str>, partitions: u32) -> BTreeSet<u32> {
    let owners = owners(members, partitions);
    let mine = owners.iter().zip(0..).filter(|(owner, _)| **owner == me);
    mine.map(|(_, partition)| partition).collect()
}

/// The owner of each partition. Nobody's where there are no members.
fn owners<'m>(members: &BTreeSet<&'m str>, partitions: u32) -> Vec<&'m str> {
    let count = u32::try_from(members.len()).unwrap_or(u32::MAX).max(1);
    let (floor, mut one_more) = (partitions / count, partitions % count);
    let mut held: BTreeMap<&str, u32> = BTreeMap::new();
    let mut owners = Vec::new();
    for partition in 0..partitions {
        let mut best: Vec<(u64, &str)> = members
            .iter()
            .map(|member| (weight(member, partition), *member))
            .collect();
        crate::order::sort_by(&mut best, |a, b| b.cmp(a));
        let taker = best.into_iter().find(|(_, member)| {
            let has = held.get(member).copied().unwrap_or(0);
            has < floor || (has == floor && one_more > 0)
        });
        let Some((_, member)) = taker else { break };
        let has = held.entry(member).or_default();
        if *has == floor {
            one_more -= 1;
        }
        *has += 1;
        owners.push(member);
    }
    owners
}

/// How much a member is for a partition: FNV-1a of both, its bits mixed (the finalizer of
/// `SplitMix64`).
fn weight(member: &str, partition: u32) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let bytes = member.bytes().chain([0]).chain(partition.to_be_bytes());
    let mut mixed = bytes.fold(0xcbf2_9ce4_8422_2325, step);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_join_moves_about_its_share_and_no_more() {
        let three = BTreeSet::from(["a", "b", "c"]);
        let four = BTreeSet::from(["a", "b", "c", "d"]);
        let (before, after) = (owners(&three, 32), owners(&four, 32));
        let moved = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        assert!((8..=16).contains(&moved), "{moved}");
        assert_eq!(of("d", &four, 32).len(), 8);
        assert!(of("a", &BTreeSet::new(), 32).is_empty());
    }

    proptest! {
        /// Every partition has one owner, and nobody has two more than another.
        #[test]
        fn shares_are_even(names in proptest::collection::btree_set("[a-z]{1,8}", 1..12), partitions in 1_u32..200) {
            let members: BTreeSet<&str> = names.iter().map(String::as_str).collect();
            let sizes: Vec<usize> = members.iter().map(|me| of(me, &members, partitions).len()).collect();
            prop_assert_eq!(sizes.iter().sum::<usize>(), partitions as usize);
            let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            prop_assert!(most - least <= 1, "{sizes:?}");
        }
    }
}
