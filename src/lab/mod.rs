//! The lab: a simulated ISE 3.3 deployment in this process, on loopback. What a newcomer runs first, and what our tests run against.
//!
//! | part | holds |
//! | --- | --- |
//! | [`population`] | who is on the network, computed from a seed and an index |
//! | [`state`], [`directory`] | what users changed, and both together |
//! | [`certificates`] | a throw-away CA, certificates right and wrong |
//! | [`faults`] | what goes wrong on demand |
//! | [`log`] | what came over the wire |
//! | `mnt` | the Monitoring node |
//! | [`Lab`] | all of it, started and stopped |
//!
//! It imitates what the reference (mnt-api) says of 3.3 patch 11 and is no proof of what an appliance does. It prints nothing, and nothing of
//! the shipped clients uses it.

pub mod certificates;
mod deployment;
pub mod directory;
pub mod faults;
pub mod log;
mod mnt;
pub mod population;
pub mod state;
mod text;

pub use deployment::{Lab, LabOptions, MNT_NODE, PASSWORD, RunningLab, USER};
pub use faults::{Fault, FaultKind};
pub use log::RequestEntry;
