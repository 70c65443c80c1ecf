//! What only Unix has, each thing in one module: a clock, files, pipes, signals, terminals. Beside it stands
//! `process`. No other room names a crate or a part of the standard library that is Unix alone, but
//! for the service manager's socket (`cli::long_running::service_manager`); `tests/it/seams.rs`
//! looks. Whoever takes the program to another system begins here.
//!
//! It decides nothing and words nothing for users.

pub(crate) mod clock;
pub(crate) mod files;
pub(crate) mod pipes;
pub(crate) mod signals;
pub(crate) mod terminal;
