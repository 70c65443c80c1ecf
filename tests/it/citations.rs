//! What the code cites as `reference mnt-api`, `reference pxgrid-api` or `contract` stands in the
//! repository: every section that a comment names is a heading of that page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A page that is cited, with the words that cite it and where it lies.
const PAGES: [(&str, &str); 3] = [
    ("reference mnt-api", "src/mnt/reference.md"),
    ("reference pxgrid-api", "src/pxgrid/reference.md"),
    ("contract", "src/cli/contract.md"),
];

/// Rooms in which a bare "reference" means their own page.
const OWN_PAGES: [(&str, &str); 2] = [
    ("src/mnt", "src/mnt/reference.md"),
    ("src/pxgrid", "src/pxgrid/reference.md"),
];

#[test]
fn every_section_that_the_code_cites_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut cited = 0;
    let mut missing = Vec::new();
    for file in sources(root) {
        let text = comments(&fs::read_to_string(&file).unwrap());
        let name = file.strip_prefix(root).unwrap().display().to_string();
        for (page, section) in citations(&name, &text) {
            cited += 1;
            if !headings(root, page).contains(&section) {
                missing.push(format!("{name}: {page} has no section {section}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    // Fewer would mean that the search itself finds nothing any more.
    assert!(cited > 80, "only {cited} citations were found");
}

#[test]
fn a_citation_is_found_in_all_its_spellings() {
    let found = |text: &str| -> Vec<String> {
        citations("src/cli/a.rs", &comments(text))
            .into_iter()
            .map(|(_, section)| section)
            .collect()
    };
    assert_eq!(found("// See contract, section 4."), ["4"]);
    assert_eq!(
        found("/// (reference pxgrid-api, sections 3.3 to 3.5)"),
        ["3.3", "3.5"]
    );
    assert_eq!(
        found("//! as (reference mnt-api,\n//! section 2.3, quirk 5)"),
        ["2.3"]
    );
    assert_eq!(found("//! contract's section 3"), ["3"]);
    assert_eq!(found("// the contract says so"), [] as [&str; 0]);
}

/// Every Rust file of the project.
fn sources(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = ["src", "tests/it", "benches", "fuzz/fuzz_targets"]
        .iter()
        .map(|name| root.join(name))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs")
                && !path.ends_with("citations.rs")
            {
                found.push(path);
            }
        }
    }
    found
}

/// The comments of a file as one text: a citation may run over a line's end.
fn comments(text: &str) -> String {
    text.lines()
        .filter_map(|line| line.split_once("//").map(|(_, comment)| comment))
        .map(|comment| comment.trim_start_matches(['/', '!']).trim())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The page and section of each citation in `text`.
fn citations(file: &str, text: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for (words, page) in PAGES {
        collect(text, words, page, &mut found);
    }
    for (room, page) in OWN_PAGES {
        if file.starts_with(room) {
            collect(text, "(reference", page, &mut found);
        }
    }
    found
}

fn collect(text: &str, words: &str, page: &'static str, found: &mut Vec<(&'static str, String)>) {
    for (at, _) in text.match_indices(words) {
        let rest = &text[at + words.len()..];
        let rest = rest.strip_prefix("'s").unwrap_or(rest);
        let rest = rest.trim_start_matches([',', ' ']);
        let rest = rest
            .strip_prefix("sections ")
            .or_else(|| rest.strip_prefix("section "));
        let Some(mut rest) = rest else { continue };
        loop {
            let end = rest
                .find(|next: char| !next.is_ascii_digit() && next != '.')
                .unwrap_or(rest.len());
            let (number, after) = rest.split_at(end);
            let number = number.trim_end_matches('.');
            if number.is_empty() {
                break;
            }
            found.push((page, number.to_owned()));
            let Some(next) = [" to ", " and ", ", "]
                .iter()
                .find_map(|joint| after.strip_prefix(joint))
                .filter(|next| next.starts_with(|first: char| first.is_ascii_digit()))
            else {
                break;
            };
            rest = next;
        }
    }
}

/// The numbers of a page's headings.
fn headings(root: &Path, page: &str) -> BTreeSet<String> {
    fs::read_to_string(root.join(page))
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("## ") || line.starts_with("### "))
        .filter_map(|line| line.split_whitespace().nth(1))
        .map(|number| number.trim_end_matches('.').to_owned())
        .collect()
}
