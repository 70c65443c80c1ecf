//! The build script: what the linker leaves out of the program that is shipped. It generates no
//! code.
//!
//! - The places that are filled in when the program starts are listed in packed form (`DT_RELR`).
//! - Tables to unwind the stack are left out: a panic ends the program, and without names of
//!   functions they would add bare addresses to its message. Debuggers miss them too; who wants
//!   them builds with debug information (`CARGO_PROFILE_DIST_DEBUG=line-tables-only`).
//! - Functions whose code is the same are there once (identical code folding).
//!
//! Not every linker and C library knows them. A small program is built in the same way first: what
//! does not build, does not run here, or does not say why it panics is not asked for, and the
//! program is only larger.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Has pointers that are filled in at its start; panics if it has an argument.
const TRIAL: &str = r#"
static WORDS: [&str; 2] = ["it ", "starts"];
fn main() {
    for word in std::hint::black_box(&WORDS) {
        print!("{word}");
    }
    assert_eq!(std::env::args().count(), 1, "it panics");
}
"#;

/// Linker scripts add to what the linker does anyway by `INSERT`.
const WITHOUT_TABLES: &str = "\
SECTIONS { /DISCARD/ : { *(.eh_frame) *(.eh_frame_hdr) *(.gcc_except_table .gcc_except_table.*) } }
INSERT AFTER .comment;
";

const PACKED: &str = "-Wl,-z,pack-relative-relocs";

const FOLDED: &str = "-Wl,--icf=all";

#[allow(clippy::print_stdout, reason = "it is how Cargo is told")]
fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rerun-if-env-changed=RUSTFLAGS");
    let is = |name: &str, value: &str| env::var_os(name).is_some_and(|set| set == value);
    // Builds for work on the program stay as they are.
    if !is("PROFILE", "release") || !is("DEBUG", "false") || !is("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    let Some(directory) = env::var_os("OUT_DIR") else {
        return;
    };
    let directory = Path::new(&directory);
    let script = directory.join("without_tables.ld");
    let trial = directory.join("trial.rs");
    if fs::write(&script, WITHOUT_TABLES).is_err() || fs::write(&trial, TRIAL).is_err() {
        return;
    }
    let without_tables = format!("-Wl,--no-eh-frame-hdr,-T,{}", script.display());
    let mut arguments = Vec::new();
    for argument in [PACKED, &without_tables, FOLDED] {
        arguments.push(argument);
        if works(&trial, &arguments) == Some(true) {
            println!("cargo::rustc-link-arg-bins={argument}");
        } else {
            arguments.pop();
        }
    }
}

/// Whether a program that is linked with these arguments runs and panics as it ought to. `None`: it
/// cannot be tried.
fn works(trial: &Path, arguments: &[&str]) -> Option<bool> {
    let program = trial.with_extension("program");
    let mut compiler = Command::new(env::var_os("RUSTC")?);
    compiler.arg(trial).arg("-o").arg(&program);
    compiler.args(["--edition", "2024", "-C", "panic=abort", "--target"]);
    compiler.arg(env::var_os("TARGET")?);
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut setting = OsStr::new("linker=").to_owned();
        setting.push(linker);
        compiler.arg("-C").arg(setting);
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    compiler.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    for argument in arguments {
        compiler.arg("-C").arg(format!("link-arg={argument}"));
    }
    if !run(&mut compiler)?.status.success() {
        return Some(false);
    }
    let started = run(&mut Command::new(&program))?;
    let mut panicking = Command::new(&program);
    let panicked = run(panicking.arg("panic").env("RUST_BACKTRACE", "full"))?;
    let says = String::from_utf8_lossy(&panicked.stderr).contains("it panics");
    let aborted = panicked.status.code().is_none();
    Some(started.status.success() && started.stdout == b"it starts" && says && aborted)
}

fn run(command: &mut Command) -> Option<Output> {
    // Where the system writes memory of what aborts to a file, it lies there.
    let command = command.current_dir(env::var_os("OUT_DIR")?);
    command.stdin(Stdio::null()).output().ok()
}
