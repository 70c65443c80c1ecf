//! Rows of Data Connect to a file, beside python-oracledb's with its csv module: netapi's own lab
//! serves both.
//!
//! `NETAPI_FIGURE_ROWS` sets the number of rows, 1,000,000 otherwise (at most 2,000,000): few of
//! them try whether the group works. `NETAPI_PYTHON_ORACLEDB` names a Python that has oracledb,
//! `python3` otherwise.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::Figures;
use crate::commands::{Run, best_of};
use crate::lab::Lab;

/// Six columns, about 280 bytes a row.
const SQL: &str =
    "SELECT n, logged_at, mac_address, username, device_name, message FROM lab_rows WHERE n <= ";

/// What a script would be, with the rows of each fetch that netapi takes too.
const PYTHON: &str = "\
import csv, os, ssl, sys
import oracledb
connection = oracledb.connect(
    user=os.environ['ISE_DC_USER'], password=os.environ['ISE_DC_PASS'], host='localhost',
    port=int(os.environ['ISE_DC_PORT']), service_name=os.environ['ISE_DC_SERVICE'],
    protocol='tcps', ssl_context=ssl.create_default_context(cafile=os.environ['ISE_CA_CERT']))
cursor = connection.cursor()
cursor.arraysize = 1000
cursor.prefetchrows = 200
cursor.execute(sys.argv[1])
writer = csv.writer(sys.stdout)
writer.writerow(column[0] for column in cursor.description)
for row in cursor:
    writer.writerow(row)
connection.close()
";

/// A Python that has the driver.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("NETAPI_PYTHON_ORACLEDB");
    let python = named.map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let has_driver = Command::new(&python)
        .args(["-c", "import oracledb"])
        .stderr(Stdio::null())
        .status();
    has_driver
        .is_ok_and(|status| status.success())
        .then_some(python)
}

/// The file has a line for each row and one for the names.
fn check(file: &Path, rows: u32) {
    let text = std::fs::read(file).unwrap();
    let lines = text.split(|byte| *byte == b'\n').count();
    // Behind the last line stands nothing.
    assert_eq!(lines, rows as usize + 2, "{}", file.display());
}

/// The group.
pub(crate) fn data_connect(figures: &mut Figures) {
    let rows = std::env::var("NETAPI_FIGURE_ROWS").map_or(1_000_000, |text| {
        text.parse().expect("NETAPI_FIGURE_ROWS is a number")
    });
    let lab = Lab::start(&[]);
    let directory = tempfile::tempdir().unwrap();
    let ours_file = directory.path().join("netapi.csv");
    let theirs_file = directory.path().join("python.csv");
    let sql = format!("{SQL}{rows}");
    let mut environment = lab.environment.clone();
    // Each run begins with a node that it has not asked before: no pause counts.
    let state = directory.path().display().to_string();
    environment.push(("XDG_STATE_HOME".to_owned(), state));
    let ours = Run::netapi(&[
        "ise",
        "dc",
        "sql",
        &sql,
        "--format",
        "csv",
        "--timeout",
        "60s",
    ])
    .in_environment(&environment)
    .forgetting(&directory.path().join("netapi"))
    .into_file(&ours_file);
    let rate = |seconds: f64| f64::from(rows) / seconds;
    let least = 200_000.0;
    if let Some(python) = python() {
        let theirs = Run::program(&python, &["-c", PYTHON, &sql])
            .in_environment(&environment)
            .into_file(&theirs_file);
        let (ours, theirs) = best_of(2, &ours, &theirs);
        check(&theirs_file, rows);
        println!(
            "     {rows} rows: netapi {:.0} a second, python-oracledb with csv {:.0}",
            rate(ours.best),
            rate(theirs.best)
        );
        figures.line(
            "dc sql csv against the lab, as a part of python-oracledb (1/5)",
            ours.best / theirs.best,
            1.0 / 5.0,
            "x",
        );
        figures.line(
            "the same, seconds for each 200,000 rows",
            ours.best * least / f64::from(rows),
            1.0,
            "s",
        );
    } else {
        println!("     python-oracledb: not measured, it is not installed");
        let seconds = ours.seconds().min(ours.seconds());
        println!("     {rows} rows: netapi {:.0} a second", rate(seconds));
        figures.line(
            "dc sql csv against the lab, seconds for each 200,000 rows",
            seconds * least / f64::from(rows),
            1.0,
            "s",
        );
    }
    check(&ours_file, rows);
    let bytes = std::fs::metadata(&ours_file).unwrap().len();
    println!("     the file has {bytes} bytes");
    figures.line(
        "peak memory of the same",
        ours.peak_mebibytes() * 1.048_576,
        20.0,
        "MB",
    );
    interrupted(figures, &ours.silent(), &ours_file);
}

/// From Ctrl-C amid the rows to the program's end, which waits for the server to confirm that it
/// was interrupted: the best of several.
fn interrupted(figures: &mut Figures, run: &Run, file: &Path) {
    let best = (0..5)
        .map(|_| {
            let mut child = run.spawn();
            let some_rows = 1 << 20;
            while std::fs::metadata(file).map_or(0, |file| file.len()) < some_rows {
                assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
                std::thread::yield_now();
            }
            let began = Instant::now();
            kill_process(Pid::from_child(&child), Signal::INT).unwrap();
            child.wait().unwrap();
            began.elapsed().as_secs_f64() * 1000.0
        })
        .fold(f64::INFINITY, f64::min);
    figures.line(
        "Ctrl-C amid them: until the server was interrupted, and all ended",
        best,
        50.0,
        "ms",
    );
}
