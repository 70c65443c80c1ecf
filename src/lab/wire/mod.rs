//! What the simulated nodes share below their documents: bodies made as they are sent, who is
//! asking, resets on demand.
//!
//! Knows nothing of sessions, XML or JSON.

mod answer;
mod authorization;
mod body;
mod stream;

pub(in crate::lab) use answer::Answer;
pub(in crate::lab) use authorization::read_basic;
pub(in crate::lab) use body::{LabBody, Part, Pieces};
pub(in crate::lab) use stream::Resettable;
