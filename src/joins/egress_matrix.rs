//! TrustSec's egress policies as grids of names: from which security group to which, by which ACLs.
//! Policies name groups, ACLs and matrices by UUID; what tells their names is joined here.

use std::collections::HashMap;

use serde_json::Value;

use crate::record::Record;

/// Names and policies that are held.
const MOST: usize = 20_000;
/// Bytes of a name that are kept.
const LONGEST_NAME: usize = 128;
/// ACLs of a cell that are shown.
const MOST_ACLS: usize = 8;

/// See the module's documentation.
#[derive(Default)]
pub struct EgressMatrix {
    names: HashMap<String, String>,
    policies: Vec<Policy>,
    /// Rows that there was no room for.
    pub beyond: u64,
}

struct Policy {
    matrix: String,
    source: String,
    destination: String,
    acls: Vec<String>,
    status: String,
}

/// One matrix as a grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// Its name; empty where a policy names none.
    pub name: String,
    /// The destination groups: the columns.
    pub destinations: Vec<String>,
    /// The source groups, and in each column what the policy between the two says.
    pub rows: Vec<(String, Vec<Option<GridCell>>)>,
    /// Policies of groups that the grid has no room for.
    pub left_out: usize,
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridCell {
    /// Names of its ACLs.
    pub acls: Vec<String>,
    /// `ENABLED`, `MONITOR`, `DISABLED`, as it was sent.
    pub status: String,
}

impl EgressMatrix {
    /// Adds what has an id and a name: a group, an ACL, a matrix.
    pub fn add_name(&mut self, row: &Record) {
        let (Some(id), Some(name)) = (row.text("id"), row.text("name")) else {
            return;
        };
        if self.names.len() >= MOST || id.len() > LONGEST_NAME {
            self.beyond += 1;
            return;
        }
        self.names.insert(id.into_owned(), cut(&name));
    }

    /// Adds a policy.
    pub fn add_policy(&mut self, row: &Record) {
        if self.policies.len() >= MOST {
            self.beyond += 1;
            return;
        }
        let of = |name| row.text(name).map(|text| cut(&text)).unwrap_or_default();
        let acls = row.to_value();
        let acls = acls.get("sgaclIds").and_then(Value::as_array);
        let acls = acls.into_iter().flatten().filter_map(Value::as_str);
        self.policies.push(Policy {
            matrix: of("matrixId"),
            source: of("sourceSecurityGroupId"),
            destination: of("destinationSecurityGroupId"),
            acls: acls.take(MOST_ACLS).map(cut).collect(),
            status: of("status"),
        });
    }

    /// How many policies there are.
    pub fn policies(&self) -> usize {
        self.policies.len()
    }

    /// The grids, those with most policies first, each with at most `most` groups on each side:
    /// those that most policies are of. Groups are in the order of their names.
    pub fn grids(&self, most: usize) -> Vec<Grid> {
        let mut matrices: HashMap<&str, Vec<&Policy>> = HashMap::new();
        for policy in &self.policies {
            matrices.entry(&policy.matrix).or_default().push(policy);
        }
        let mut matrices: Vec<_> = matrices.into_iter().collect();
        crate::order::sort_by(&mut matrices, |(a, few), (b, many)| {
            many.len().cmp(&few.len()).then_with(|| a.cmp(b))
        });
        let grid = |(matrix, policies): (&str, Vec<&Policy>)| self.grid(matrix, &policies, most);
        matrices.into_iter().map(grid).collect()
    }

    fn grid(&self, matrix: &str, policies: &[&Policy], most: usize) -> Grid {
        let sources = self.side(policies, most, |policy| &policy.source);
        let destinations = self.side(policies, most, |policy| &policy.destination);
        let mut shown = 0;
        let mut cells: HashMap<(&str, &str), GridCell> = HashMap::new();
        for policy in policies {
            let place = (policy.source.as_str(), policy.destination.as_str());
            let cell = GridCell {
                acls: policy.acls.iter().map(|id| self.name(id)).collect(),
                status: policy.status.clone(),
            };
            cells.insert(place, cell);
        }
        let rows = sources
            .iter()
            .map(|(source, name)| {
                let row: Vec<Option<GridCell>> = destinations
                    .iter()
                    .map(|(destination, _)| cells.get(&(*source, *destination)).cloned())
                    .collect();
                shown += row.iter().flatten().count();
                (name.clone(), row)
            })
            .collect();
        Grid {
            name: self.name(matrix),
            destinations: destinations.into_iter().map(|(_, name)| name).collect(),
            rows,
            left_out: cells.len().saturating_sub(shown),
        }
    }

    /// The groups of one side, by id and name.
    fn side<'p>(
        &self,
        policies: &[&'p Policy],
        most: usize,
        of: impl Fn(&'p Policy) -> &'p String,
    ) -> Vec<(&'p str, String)> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for policy in policies {
            *counts.entry(of(policy)).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        crate::order::sort_by(&mut counts, |(a, few), (b, many)| {
            many.cmp(few).then_with(|| a.cmp(b))
        });
        counts.truncate(most);
        let mut side: Vec<_> = counts
            .into_iter()
            .map(|(id, _)| (id, self.name(id)))
            .collect();
        crate::order::sort_by(&mut side, |(_, a), (_, b)| a.cmp(b));
        side
    }

    /// The name of an id; itself where nobody tells it.
    fn name(&self, id: &str) -> String {
        self.names.get(id).map_or(id, String::as_str).to_owned()
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(LONGEST_NAME);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matrix() -> EgressMatrix {
        let mut matrix = EgressMatrix::default();
        for (id, name) in [
            ("1", "Cameras"),
            ("2", "Staff"),
            ("9", "Deny IP"),
            ("m", "Production"),
        ] {
            matrix.add_name(&Record::from_value(json!({"id": id, "name": name})));
        }
        for (source, destination, acls) in [
            ("1", "2", vec!["9"]),
            ("2", "1", vec!["9", "8"]),
            ("2", "2", vec![]),
        ] {
            matrix.add_policy(&Record::from_value(json!({
                "matrixId": "m", "sourceSecurityGroupId": source, "status": "ENABLED",
                "destinationSecurityGroupId": destination, "sgaclIds": acls,
            })));
        }
        matrix
    }

    #[test]
    fn policies_are_cells_between_named_groups() {
        let grids = matrix().grids(9);
        assert_eq!(grids.len(), 1);
        let grid = &grids[0];
        assert_eq!((grid.name.as_str(), grid.left_out), ("Production", 0));
        assert_eq!(grid.destinations, ["Cameras", "Staff"]);
        let cell = |row: usize, column: usize| {
            let cell = grid.rows[row].1[column].as_ref();
            cell.map(|cell| cell.acls.join(", "))
        };
        assert_eq!(grid.rows[0].0, "Cameras");
        assert_eq!(cell(0, 0), None);
        assert_eq!(cell(0, 1).unwrap(), "Deny IP");
        // An ACL that nobody named stays an id.
        assert_eq!(cell(1, 0).unwrap(), "Deny IP, 8");
        assert_eq!(cell(1, 1).unwrap(), "");
    }

    #[test]
    fn what_a_grid_has_no_room_for_is_counted() {
        let grid = &matrix().grids(1)[0];
        assert_eq!((grid.rows.len(), grid.destinations.len()), (1, 1));
        assert_eq!(grid.left_out, 2);
    }
}
