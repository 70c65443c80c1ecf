//! The program: arguments in, exit status out. Everything else is the library.

fn main() -> std::process::ExitCode {
    netapi::run(&std::env::args_os().collect::<Vec<_>>())
}
