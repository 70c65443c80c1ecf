//! Which rows search and filters let through.

use super::{Column, Filter, View};
use crate::top::session::Field;
use crate::top::sessions::{Row, Sessions};

/// Search and filters, worked out once for all rows: what many rows share is tested once.
pub(super) struct Tests<'v> {
    /// For each field, the ids that every filter on it lets through.
    let_through: Vec<(Field, Vec<bool>)>,
    others: Vec<&'v Filter>,
    search: Option<Search>,
}

struct Search {
    text: String,
    /// The hexadecimal digits of it, where it is nothing else: a part of a MAC address.
    digits: Option<String>,
    found: Vec<(Field, Vec<bool>)>,
}

impl<'v> Tests<'v> {
    /// For what the view has now.
    pub(super) fn new(view: &'v View, sessions: &Sessions) -> Self {
        let mut let_through = Vec::new();
        let mut others = Vec::new();
        for filter in &view.filters {
            match filter.column {
                Column::Fact(field) => {
                    let values = sessions.values(field);
                    let_through.push((field, values.wanted(|text| filter.wants(text))));
                }
                _ => others.push(filter),
            }
        }
        let text = view.search.trim().to_lowercase();
        let search = (!text.is_empty()).then(|| {
            let in_values = |field: Field| {
                let found = |value: &str| contains(value, &text);
                (field, sessions.values(field).wanted(found))
            };
            let found = Field::ALL.map(in_values).into_iter().collect();
            let digits: String = text.chars().filter(|c| !":-.".contains(*c)).collect();
            let is_mac = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            Search {
                found,
                digits: (is_mac && !digits.is_empty()).then_some(digits),
                text,
            }
        });
        Self {
            let_through,
            others,
            search,
        }
    }

    /// Whether the row is shown.
    pub(super) fn pass(&self, row: &Row) -> bool {
        let through = |(field, ids): &(Field, Vec<bool>)| {
            let id = row.fact(*field) as usize;
            ids.get(id).copied().unwrap_or(false)
        };
        let other = |filter: &&Filter| match filter.column {
            Column::User => filter.wants(&row.user),
            Column::Ip => {
                let ip = row.ip.map(|ip| ip.to_string()).unwrap_or_default();
                filter.wants(&ip) || is_in_network(row, &filter.text)
            }
            _ => filter.wants(&row.name()) || is_part_of_mac(row, &filter.text),
        };
        self.let_through.iter().all(through)
            && self.others.iter().all(other)
            && self.search.as_ref().is_none_or(|search| search.finds(row))
    }
}

/// Whether `text` is a network (10.50.0.0/16) that the row's address is in.
fn is_in_network(row: &Row, text: &str) -> bool {
    let network = text.parse::<ipnet::IpNet>();
    matches!((network, row.ip), (Ok(network), Some(ip)) if network.contains(&ip))
}

/// Whether `text` is the beginning of the row's MAC address.
fn is_part_of_mac(row: &Row, text: &str) -> bool {
    let prefix = text.parse::<crate::record::MacPrefix>();
    matches!((prefix, row.mac), (Ok(prefix), Some(mac)) if prefix.matches(mac))
}

impl Search {
    fn finds(&self, row: &Row) -> bool {
        let shared = |(field, ids): &(Field, Vec<bool>)| {
            let id = row.fact(*field);
            id != 0 && ids.get(id as usize).copied().unwrap_or(false)
        };
        contains(&row.user, &self.text)
            || self.found.iter().any(shared)
            || self.finds_mac(row)
            || contains(&row.station, &self.text)
            || self.finds_address(row)
    }

    fn finds_mac(&self, row: &Row) -> bool {
        let (Some(digits), Some(mac)) = (&self.digits, row.mac) else {
            return false;
        };
        let mut hex = [0; 12];
        let nibbles = mac
            .octets()
            .into_iter()
            .flat_map(|byte| [byte >> 4, byte & 15]);
        for (place, nibble) in hex.iter_mut().zip(nibbles) {
            *place = b"0123456789abcdef"
                .get(usize::from(nibble))
                .copied()
                .unwrap_or(b'0');
        }
        memchr::memmem::find(&hex, digits.as_bytes()).is_some()
    }

    fn finds_address(&self, row: &Row) -> bool {
        // An address has no letters beside hexadecimal digits: most searches need none written.
        let may = |c: char| c.is_ascii_hexdigit() || c == '.' || c == ':';
        self.text.chars().all(may) && row.ip.is_some_and(|ip| ip.to_string().contains(&self.text))
    }
}

/// Whether `text` contains `lower`, which is in lower case, in any case.
fn contains(text: &str, lower: &str) -> bool {
    if !text.is_ascii() || !lower.is_ascii() {
        return text.to_lowercase().contains(lower);
    }
    let (text, lower) = (text.as_bytes(), lower.as_bytes());
    text.windows(lower.len().max(1))
        .any(|part| part.eq_ignore_ascii_case(lower))
}
