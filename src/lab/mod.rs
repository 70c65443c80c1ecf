//! The lab.
pub mod directory;
pub mod population;
pub mod state;
mod text;
