//! The lab: a simulated ISE 3.3 deployment in this process, on loopback. What a newcomer runs
//! first, and what our tests run against.
//!
//! | part | holds |
//! | --- | --- |
//! | [`population`] | who is on the network, computed from a seed and an index |
//! | [`shared_changes`], [`session_directory`] | what users changed, and both together |
//! | [`certificates`] | a throw-away CA, certificates right and wrong |
//! | [`faults`] | what goes wrong on demand |
//! | [`fault_commands`] | what a running lab is told |
//! | [`log`] | what came over the wire |
//! | `nats_server` | a real nats-server beside it, where one is wanted |
//! | `mnt` | the Monitoring node |
//! | `data_connect` | the Monitoring node's database |
//! | `pxgrid` | the pxGrid nodes: control API and services, and the events that they publish |
//! | `wire` | what the nodes share below their documents |
//! | [`Lab`] | all of it, started and stopped |
//!
//! It imitates what the reference (mnt-api) says of 3.3 patch 11 and is no proof of what an
//! appliance does. It prints nothing, and nothing of the shipped clients uses it.

pub mod certificates;
mod data_connect;
mod deployment;
mod fast_text;
pub mod fault_commands;
pub mod faults;
pub mod log;
mod mnt;
mod nats_server;
pub mod population;
mod pxgrid;
pub mod session_directory;
pub mod shared_changes;
mod wire;

pub use data_connect::Release;
#[cfg(test)]
pub use deployment::EVENTS_VARIABLE;
pub use deployment::{Lab, LabOptions, MOST_NODES, PASSWORD, RunningLab, USER};
pub use faults::Fault;
pub use log::RequestEntry;
pub use pxgrid::churn::EventRate;
pub use pxgrid::hub::Event;
pub use pxgrid::pubsub::PubsubTimes;
