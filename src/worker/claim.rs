//! Whose a partition is, and what of it may have been done before: what one owner leaves to the
//! next. Who may change a claim is decided by [`leases`](super::leases).

/// Which events of a partition may have been done before, whatever the server knows of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Before {
    /// Those up to this number of the stream.
    pub done_to: u64,
    /// And so many of the next deliveries; [`Before::UNKNOWN`]: twice as many as a consumer may
    /// have under way.
    pub marks: u64,
}

impl Before {
    /// What an owner leaves who does not hand over.
    pub const UNKNOWN: u64 = u64::MAX;
}

/// A claim as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its revision.
    pub revision: u64,
    /// Whose the partition is, if anybody's.
    pub owner: Option<String>,
    /// What may have been done. Of an owner's it is not known before it is handed over.
    pub before: Before,
}

impl Claim {
    /// A claim, of which its value says that so much may have been done.
    pub fn new(revision: u64, owner: Option<String>, before: Before) -> Self {
        let marks = match owner {
            Some(_) => Before::UNKNOWN,
            None => before.marks,
        };
        let before = Before { marks, ..before };
        Self {
            revision,
            owner,
            before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_leaves_nothing_sure_before_it_hands_over() {
        let before = Before {
            done_to: 5,
            marks: 2,
        };
        assert_eq!(Claim::new(1, None, before).before, before);
        let owned = Claim::new(1, Some("a".into()), before).before;
        assert_eq!((owned.done_to, owned.marks), (5, Before::UNKNOWN));
    }
}
