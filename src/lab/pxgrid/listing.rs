//! Lists over the population, `{"<member>":[…]}`, written a piece at a time and filtered while they
//! are written: never held whole.

use std::sync::Arc;

use crate::lab::population::LabSession;
use crate::lab::session_directory::Directory;
use crate::lab::shared_changes::Changes;
use crate::lab::wire::Pieces;
use crate::record::jmespath::Filter;

/// As in the MnT lists: four TLS records.
const PIECE: usize = 64 * 1024;

/// What is written of one endpoint: no row, one, or several. The endpoint is as the population has
/// it; the changes say what became of it.
pub(super) type Write = Box<dyn FnMut(&Facts, LabSession, &mut ListWriter<'_>) + Send>;

/// Where facts come from.
pub(super) struct Facts {
    pub(super) directory: Arc<Directory>,
    pub(super) changes: Changes,
    /// Milliseconds since 1970.
    pub(super) now: i64,
}

/// The list being appended to.
pub(super) struct ListWriter<'a> {
    out: &'a mut String,
    filter: Option<&'a Filter>,
    first: &'a mut bool,
}

impl ListWriter<'_> {
    /// Appends a row, unless the filter refuses it.
    pub(super) fn row(&mut self, write: impl FnOnce(&mut String)) {
        self.maybe(|out| {
            write(out);
            true
        });
    }

    /// Appends a row, unless the filter refuses it or `write` says that there is none.
    pub(super) fn maybe(&mut self, write: impl FnOnce(&mut String) -> bool) {
        let begin = self.out.len();
        if !*self.first {
            self.out.push(',');
        }
        let start = self.out.len();
        let written = write(self.out);
        let refused = self.filter.is_some_and(|filter| {
            !self
                .out
                .get(start..)
                .is_some_and(|row| filter.matches_text(row))
        });
        if refused || !written {
            self.out.truncate(begin);
        } else {
            *self.first = false;
        }
    }
}

/// A list being written.
pub(super) struct Listing {
    source: Facts,
    member: &'static str,
    indexes: Box<dyn Iterator<Item = u64> + Send>,
    filter: Option<Filter>,
    write: Write,
    started: bool,
    first: bool,
}

impl Listing {
    /// A list of what `write` makes of the endpoints `indexes`.
    pub(super) fn new(
        source: Facts,
        member: &'static str,
        indexes: impl Iterator<Item = u64> + Send + 'static,
        filter: Option<Filter>,
        write: Write,
    ) -> Self {
        Self {
            source,
            member,
            indexes: Box::new(indexes),
            filter,
            write,
            started: false,
            first: true,
        }
    }
}

impl Pieces for Listing {
    fn write_piece(&mut self, out: &mut String) -> bool {
        out.reserve(PIECE + 4096);
        let begin = out.len();
        if !self.started {
            self.started = true;
            out.push_str("{\"");
            out.push_str(self.member);
            out.push_str("\":[");
        }
        while out.len() - begin < PIECE {
            let Some(index) = self.indexes.next() else {
                out.push_str("]}");
                return false;
            };
            let endpoint = self.source.directory.population.session(index);
            let mut rows = ListWriter {
                out,
                filter: self.filter.as_ref(),
                first: &mut self.first,
            };
            (self.write)(&self.source, endpoint, &mut rows);
        }
        true
    }
}
