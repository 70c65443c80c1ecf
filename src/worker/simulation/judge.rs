//! What must be true of a history when everything is as it should be again.

use std::collections::{BTreeMap, BTreeSet};

use super::World;

impl World {
    /// Everything that is in the stream was handled, in order, and repeats are marked.
    pub(super) fn judge(&self) {
        let (mut seen, mut last) = (BTreeSet::new(), BTreeMap::new());
        for begun in &self.begun {
            if !seen.insert(begun.sequence) {
                assert!(begun.repeated, "not marked: {begun:?}");
                continue;
            }
            let key = self.server.key(begun.sequence);
            let before = last.insert(key.clone(), begun.sequence);
            assert!(
                before.is_none_or(|before| before < begun.sequence),
                "out of order at {key}: {begun:?} after {before:?}"
            );
        }
        let lacks: Vec<u64> = self
            .server
            .sequences()
            .filter(|one| !seen.contains(one))
            .collect();
        assert!(lacks.is_empty(), "never came: {lacks:?}");
        self.judge_repeats();
    }

    /// What was handled before an older event of its endpoint came again is handled again after it:
    /// but for one of which the server forgot that it is done, which nobody could know.
    fn judge_repeats(&self) {
        let mut seen: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        let mut stale: BTreeSet<u64> = BTreeSet::new();
        for begun in &self.begun {
            let seen = seen.entry(self.server.key(begun.sequence)).or_default();
            stale.remove(&begun.sequence);
            if !begun.heard {
                stale.extend(seen.range(begun.sequence + 1..));
            }
            seen.insert(begun.sequence);
        }
        assert!(stale.is_empty(), "an older one remains, not {stale:?}");
    }
}
