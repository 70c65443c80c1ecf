//! The section of TrustSec.

use super::super::gathering::Gathered;
use crate::cli::ise::interfaces::PXGRID;
use crate::joins::egress_matrix::GridCell;
use crate::report_page::{Grid, GridRow, Part, Section, Text};

/// Matrices, and groups on each of their sides.
const MOST_GRIDS: usize = 3;
const MOST_GROUPS: usize = 40;

/// TrustSec's matrices as grids.
pub(super) fn section(gathered: &Gathered) -> Section {
    let mut section = Section {
        id: "trustsec",
        title: "TrustSec",
        ..Section::default()
    };
    let words = match (&gathered.matrix, &gathered.no_matrix) {
        (Some(matrix), _) if matrix.policies() == 0 => "There are no egress policies.".to_owned(),
        (Some(_), _) => "Egress policies: which ACLs stand between two security groups. An empty \
                         cell has the matrix's default."
            .to_owned(),
        (None, Some(why)) => format!("pxGrid does not tell it here: {why}"),
        (None, None) if !gathered.has(PXGRID) => "Not known: pxGrid is not set up.".to_owned(),
        (None, None) => "Not known: pxGrid did not tell it.".to_owned(),
    };
    section.words = vec![Text::sentence(&words)];
    let Some(matrix) = &gathered.matrix else {
        return section;
    };
    let grids = matrix.grids(MOST_GROUPS);
    let more = grids.len().saturating_sub(MOST_GRIDS);
    for grid in grids.into_iter().take(MOST_GRIDS) {
        let columns = grid.destinations.iter().map(|name| Text::new(name));
        let rows = grid.rows.iter().map(|(name, cells)| GridRow {
            name: Text::new(name),
            cells: cells.iter().map(|cell| grid_cell(cell.as_ref())).collect(),
        });
        section.parts.push(Part {
            grid: Some(Grid {
                name: Text::new(&grid.name),
                columns: columns.collect(),
                rows: rows.collect(),
                more: (grid.left_out > 0)
                    .then(|| format!("and {} policies of other groups", grid.left_out)),
            }),
            ..Part::default()
        });
    }
    if more > 0 || matrix.beyond > 0 {
        let text = format!("{more} more matrices, {} rows too many", matrix.beyond);
        section.words.push(Text::sentence(&text));
    }
    section
}

/// What a cell says, and its colour: what denies, what permits, what is only watched or something
/// else.
fn grid_cell(cell: Option<&GridCell>) -> (Text, &'static str) {
    let Some(cell) = cell else {
        return (Text::default(), "");
    };
    let mut text = cell.acls.join(", ");
    let enabled = cell.status.eq_ignore_ascii_case("enabled");
    if !enabled {
        text = format!("{text} ({})", cell.status.to_lowercase());
    }
    let all = |word: &str| {
        !cell.acls.is_empty()
            && cell
                .acls
                .iter()
                .all(|acl| acl.to_lowercase().contains(word))
    };
    let class = match () {
        () if !enabled => "other",
        () if all("deny") => "deny",
        () if all("permit") => "permit",
        () => "other",
    };
    (Text::new(&text), class)
}
