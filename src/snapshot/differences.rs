//! What differs between two lines of one session, member by member.

use std::borrow::Cow;
use std::hash::RandomState;

use super::session_line::{Compared, is_nothing, value_hash};
use crate::record::write_json_string;

type Members<'l> = [(Cow<'l, str>, &'l str)];

/// Appends `{"member":[before,after],…}` with the members that are compared and differ, in the
/// order of the later line; what one of them lacks is `null`.
pub(super) fn write_differences(
    hasher: &RandomState,
    compared: &Compared,
    (before, after): (&Members<'_>, &Members<'_>),
    out: &mut Vec<u8>,
) {
    let value = |members: &Members<'_>, name: &str| {
        let found = members.iter().find(|(of, _)| of == name);
        found.map_or("null", |(_, raw)| *raw).to_owned()
    };
    out.push(b'{');
    let mut first = true;
    let mut add = |name: &str, old: &str, new: &str| {
        if !compared.looks_at(name) || value_hash(hasher, old) == value_hash(hasher, new) {
            return;
        }
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        write_json_string(name, out);
        out.extend_from_slice(b":[");
        for (index, raw) in [old, new].into_iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let raw = if is_nothing(raw) { "null" } else { raw };
            out.extend_from_slice(raw.as_bytes());
        }
        out.push(b']');
    };
    for (name, new) in after {
        add(name, &value(before, name), new);
    }
    for (name, old) in before {
        if !after.iter().any(|(of, _)| of == name) {
            add(name, old, "null");
        }
    }
    out.push(b'}');
}
