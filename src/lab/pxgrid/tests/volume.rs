//! Many sessions: written a piece at a time, at the size that real ones have.

use std::sync::Arc;

use crate::lab::population::Population;
use crate::lab::pxgrid::listing::Facts;
use crate::lab::pxgrid::sessions::listing;
use crate::lab::session_directory::Directory;
use crate::lab::wire::Pieces;

const NOW: i64 = 1_790_000_000_000;
const SESSIONS: usize = 20_000;

/// The whole list goes through one buffer that never grows: that is what constant memory means
/// here.
#[test]
fn a_big_list_fits_one_buffer() {
    let sessions = u64::try_from(SESSIONS).unwrap();
    let population = Population::new(5, sessions, false, NOW).unwrap();
    let directory = Arc::new(Directory::new(population));
    let changes = directory.state.changes(NOW);
    let source = Facts {
        directory,
        changes,
        now: NOW,
    };
    let mut list = listing(source, i64::MIN, None);
    let mut piece = String::new();
    let (mut bytes, mut rows, mut capacity) = (0, 0, 0);
    loop {
        piece.clear();
        let more = list.write_piece(&mut piece);
        if capacity == 0 {
            capacity = piece.capacity();
        }
        assert_eq!(piece.capacity(), capacity);
        bytes += piece.len();
        rows += piece.matches("{\"timestamp\":").count();
        if !more {
            break;
        }
    }
    assert_eq!(rows, SESSIONS);
    let each = bytes / SESSIONS;
    assert!((900..1600).contains(&each), "{each}");
    assert!(piece.ends_with("}]}"));
}
