//! What a browser makes of our pages: no error, no request, nothing that a stranger's name began;
//! and tables that sort and filter. Skipped with a word where there is no Chromium.

use std::path::{Path, PathBuf};

use netapi::testing::lab::LabOptions;
use serde_json::json;

use crate::support::browser::Browser;
use crate::support::lab::{TestLab, faulty, lab, with};

/// The report of a lab, as a file in `folder`.
fn report(lab: &TestLab, folder: &Path) -> PathBuf {
    let file = folder.join("report.html");
    let run = lab.netapi().args(["ise", "report"]).arg(&file).assert();
    run.success();
    file
}

/// The first column of the table below a heading, as it is shown.
fn column(heading: &str, at: usize) -> String {
    format!(
        "Array.from(Array.from(document.querySelectorAll('h3')).find(h => h.textContent === '{heading}')\
         .parentNode.querySelector('tbody').rows).filter(row => row.offsetParent !== null)\
         .map(row => row.cells[{at}].textContent)"
    )
}

fn click(heading: &str, at: usize) -> String {
    format!(
        "Array.from(document.querySelectorAll('h3')).find(h => h.textContent === '{heading}')\
         .parentNode.querySelectorAll('thead button')[{at}].click()"
    )
}

fn texts(value: &serde_json::Value) -> Vec<String> {
    let list = value.as_array().unwrap().iter();
    list.map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[test]
fn tables_sort_and_filter_and_nothing_else_happens() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (lab, folder) = (lab(), tempfile::tempdir().unwrap());
    let file = report(&lab, folder.path());
    browser.open(&file, 1280);
    let heading = "By switch or controller (NAS)";
    let before = texts(&browser.value(&column(heading, 0)));
    assert!(before.len() > 5, "{before:?}");
    browser.value(&click(heading, 0));
    let mut rising = before.clone();
    rising.sort();
    assert_eq!(texts(&browser.value(&column(heading, 0))), rising);
    browser.value(&click(heading, 0));
    rising.reverse();
    assert_eq!(texts(&browser.value(&column(heading, 0))), rising);
    // Numbers fall first.
    browser.value(&click(heading, 1));
    let counts = texts(&browser.value(&column(heading, 1)));
    let counts: Vec<u64> = counts.iter().map(|text| text.parse().unwrap()).collect();
    assert!(counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
    let sorted = "document.querySelector('[aria-sort=descending]').textContent";
    assert_eq!(browser.value(sorted), "Sessions");

    let filter = "const input = Array.from(document.querySelectorAll('h3'))\
        .find(h => h.textContent === 'Silent for longest').parentNode.querySelector('input');\
        input.value = 'PAT.kim started'; input.dispatchEvent(new Event('input'));\
        input.nextSibling.textContent";
    let said = browser.value(&format!(
        "(() => {{ {} }})()",
        filter.replace("input.nextSibling", "return input.nextSibling",)
    ));
    let shown = texts(&browser.value(&column("Silent for longest", 1)));
    assert!(!shown.is_empty());
    assert!(
        shown.iter().all(|user| user.contains("pat.kim")),
        "{shown:?}"
    );
    assert!(
        said.as_str()
            .unwrap()
            .starts_with(&format!("{} of ", shown.len())),
        "{said}"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());

    // On a telephone nothing sticks out: wide tables scroll in their own boxes.
    browser.open(&file, 390);
    let width = browser.value("document.documentElement.scrollWidth");
    assert!(width.as_u64().unwrap() <= 390, "{width}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn no_script_of_a_strangers_name_runs_in_any_page() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (lab, folder) = (faulty(&["hostile-names"]), tempfile::tempdir().unwrap());
    let list = folder.path().join("list.html");
    let run = lab
        .mnt(&["sessions", "--format", "html"])
        .assert()
        .success();
    std::fs::write(&list, &run.get_output().stdout).unwrap();
    for file in [report(&lab, folder.path()), list] {
        browser.open(&file, 1280);
        let title = browser.value("document.title");
        assert_ne!(title, "ran");
        let text = browser.value("document.body.innerText");
        let text = text.as_str().unwrap();
        for name in [
            "</td></style></script><script>document.title='ran'</script>",
            "onerror=\"document.title='ran'\">",
            "😀𝕏 `|` [pat](javascript:alert(1))",
            "LAB\\mal\\x9b31mlory\\u{202e}nimda\\u{200b}",
        ] {
            assert!(text.contains(name), "{name} in {}", file.display());
        }
        let foreign =
            "document.querySelectorAll('img, iframe, svg[onload], a[href^=javascript]').length";
        assert_eq!(browser.value(foreign), 0);
        assert_eq!(browser.complaints(), Vec::<String>::new());
        // Were a name markup after all, the policy would stand before it.
        browser.value(
            "document.body.insertAdjacentHTML('beforeend', \
             '<img src=\"data:,x\" onerror=\"document.title=`ran`\"><b style=\"color:red\">x</b>')",
        );
        browser.value("new Promise(done => setTimeout(done, 0))");
        assert_eq!(browser.value("document.title"), title);
        let stopped = browser.complaints();
        assert!(
            stopped
                .iter()
                .any(|told| told.contains("Content Security Policy")),
            "{stopped:?}"
        );
    }
}

/// What sheets have beside their margins of 12 mm, in CSS pixels.
const PORTRAIT: u32 = 703;
const LANDSCAPE: u32 = 1_032;

/// Names and addresses stay on one line, and the tables are no wider than the sheet.
#[test]
fn on_paper_no_name_is_broken_and_no_table_is_cut() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (lab, folder) = (lab(), tempfile::tempdir().unwrap());
    let list = folder.path().join("list.html");
    let run = lab
        .netapi()
        .args(["ise", "pxgrid", "sessions", "--format", "html"])
        .assert()
        .success();
    std::fs::write(&list, &run.get_output().stdout).unwrap();
    for (file, width) in [(report(&lab, folder.path()), PORTRAIT), (list, LANDSCAPE)] {
        browser.open(&file, 1280);
        browser.lay_out_for_paper(width);
        let shown = browser.value("document.documentElement.scrollWidth");
        assert!(shown.as_u64().unwrap() <= width.into(), "{shown}: {file:?}");
        // A cell's text is in as many boxes as it has lines.
        let broken = browser.value(
            "Array.from(document.querySelectorAll('tbody td:not(.t), tbody th')).filter(cell => {\
               const range = document.createRange();\
               range.selectNodeContents(cell);\
               const lines = new Set(Array.from(range.getClientRects()).map(box => box.top));\
               return cell.textContent.length <= 28 && lines.size > 1;\
             }).map(cell => cell.textContent)",
        );
        assert_eq!(texts(&broken), Vec::<String>::new(), "{file:?}");
    }
    let pages = browser.printed_pages();
    assert!((1..=3).contains(&pages), "{pages} sheets for 50 sessions");
}

#[test]
fn a_report_of_nothing_is_a_quiet_page() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let lab = with(LabOptions {
        sessions: 0,
        ..LabOptions::default()
    });
    let folder = tempfile::tempdir().unwrap();
    browser.open(&report(&lab, folder.path()), 1280);
    let sections = "Array.from(document.querySelectorAll('h2')).map(h => h.textContent)";
    assert_eq!(
        browser.value(sections),
        json!(["Sessions", "Failures", "Nodes", "TrustSec"])
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
