//! The arrows between the rooms are those of the table in `src/lib.rs`, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Arrows = BTreeMap<String, BTreeSet<String>>;

/// The rows of the table of rooms: a room, what it holds, the rooms that it knows.
fn table() -> Arrows {
    let text = fs::read_to_string(source().join("lib.rs")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | `"));
    rows.map(|row| {
        let mut cells = row.trim_end_matches('|').split('|').map(str::trim);
        let room = cells.next().unwrap().trim_end_matches('`').to_owned();
        let known = cells.nth(1).unwrap().split(',');
        let known = known.map(|name| name.trim().trim_matches('`').to_owned());
        (room, known.filter(|name| !name.is_empty()).collect())
    })
    .collect()
}

fn source() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

/// The rooms that the files at or below `path` name, comments left out.
fn named_below(path: &Path, named: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            named_below(&entry.unwrap().path(), named);
        }
    } else if path.extension().is_some_and(|end| end == "rs") {
        let text = fs::read_to_string(path).unwrap();
        let code = text.lines().map(|line| line.split("//").next().unwrap());
        for after in code.flat_map(|line| line.split("crate::").skip(1)) {
            let end = after.find(|c: char| !c.is_ascii_lowercase() && c != '_');
            let name = &after[..end.unwrap_or(after.len())];
            assert!(!name.is_empty(), "{}: one room a path", path.display());
            named.insert(name.to_owned());
        }
    }
}

#[test]
fn no_room_knows_another_that_the_table_does_not_say() {
    let table = table();
    let mut wrong = Vec::new();
    let mut rooms = BTreeSet::new();
    for entry in fs::read_dir(source()).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if ["build", "lib", "main"].contains(&room.as_str()) {
            continue;
        }
        let mut named = BTreeSet::new();
        named_below(&path, &mut named);
        let known = table
            .get(&room)
            .unwrap_or_else(|| panic!("{room} is not in the table"));
        let unknown = named
            .iter()
            .filter(|name| **name != room && !known.contains(*name));
        wrong.extend(unknown.map(|name| format!("{room} -> {name}")));
        rooms.insert(room);
    }
    assert!(
        wrong.is_empty(),
        "arrows that src/lib.rs does not have: {wrong:?}"
    );
    assert_eq!(table.into_keys().collect::<BTreeSet<_>>(), rooms);
}

#[test]
fn the_table_has_no_circle() {
    let mut left = table();
    while let Some(room) = left.iter().find(|(_, known)| known.is_empty()) {
        let room = room.0.clone();
        left.remove(&room);
        for known in left.values_mut() {
            known.remove(&room);
        }
    }
    assert!(left.is_empty(), "these stand in a circle: {left:?}");
}
