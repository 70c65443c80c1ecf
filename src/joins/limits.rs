//! How much a join may hold, so that no server and no stranger's names fill the memory.

/// Bounds; what goes beyond them is counted and said, never dropped in silence.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Groups, or endpoints that are listed.
    pub rows: usize,
    /// Marks of endpoints that tell how many different ones there are, 8 bytes each.
    pub marks: usize,
    /// Bytes of texts and records.
    pub bytes: usize,
}

impl Limits {
    /// Of groups.
    pub const GROUPS: Self = Self {
        rows: 100_000,
        marks: 2_000_000,
        bytes: 64 << 20,
    };
    /// Of endpoints, each with its newest failure as it was sent.
    pub const ENDPOINTS: Self = Self {
        rows: 10_000,
        marks: 0,
        bytes: 64 << 20,
    };
}
