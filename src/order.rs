//! Sorting where speed does not matter. The standard library's sort is compiled anew, into 7 kB,
//! for each type and each order; what is here is compiled once. Lists that may have hundreds of
//! thousands of members, and what is sorted for each event, stay with the standard library's.

use std::cmp::Ordering;

/// Sorts like [`slice::sort`].
pub fn sort<T: Ord>(list: &mut [T]) {
    sort_by(list, Ord::cmp);
}

/// Sorts like [`slice::sort_by`]: equal ones keep their order.
pub fn sort_by<T>(list: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let order = order(list.len(), &mut |a, b| match (list.get(a), list.get(b)) {
        (Some(a), Some(b)) => compare(a, b),
        _ => Ordering::Equal,
    });
    arrange(order, &mut |a, b| list.swap(a, b));
}

/// Sorts like [`slice::sort_by_key`]: equal ones keep their order.
pub fn sort_by_key<T, K: Ord>(list: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(list, |a, b| key(a).cmp(&key(b)));
}

/// Sorts like [`slice::sort_by_cached_key`]: each key is made once.
pub fn sort_by_cached_key<T, K: Ord>(list: &mut [T], key: impl Fn(&T) -> K) {
    let keys: Vec<K> = list.iter().map(key).collect();
    let order = order(list.len(), &mut |a, b| keys.get(a).cmp(&keys.get(b)));
    arrange(order, &mut |a, b| list.swap(a, b));
}

/// The places of a list in the order of what stands there.
fn order(length: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..length).collect();
    places.sort_by(|a, b| compare(*a, *b));
    places
}

/// Brings to each place what belongs there: `places` says where it stands. Each swap brings one to
/// its place for good.
fn arrange(mut places: Vec<usize>, swap: &mut dyn FnMut(usize, usize)) {
    for start in 0..places.len() {
        let mut at = start;
        // Round the circle that begins here, until it closes.
        while let Some(from) = places.get_mut(at).map(|from| std::mem::replace(from, at))
            && from != start
        {
            swap(at, from);
            at = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sorts_as_the_standard_library_does() {
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for length in [0, 1, 2, 3, 7, 50, 300] {
            for below in [1, 3, 1000] {
                let list: Vec<(u64, usize)> = (0..length).map(|at| (random(below), at)).collect();
                let (mut ours, mut theirs) = (list.clone(), list);
                theirs.sort_by(|(a, _), (b, _)| b.cmp(a));
                sort_by(&mut ours, |(a, _), (b, _)| b.cmp(a));
                assert_eq!(ours, theirs);
                theirs.sort_by_key(|(key, _)| *key);
                sort_by_key(&mut ours, |(key, _)| *key);
                assert_eq!(ours, theirs);
                theirs.sort_by_key(|(key, _)| !key);
                sort_by_cached_key(&mut ours, |(key, _)| !key);
                assert_eq!(ours, theirs);
                theirs.sort_unstable();
                sort(&mut ours);
                assert_eq!(ours, theirs);
            }
        }
    }
}
