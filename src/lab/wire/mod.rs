//! What the simulated nodes share below their documents: bodies made as they are sent, who is
//! asking, resets on demand.
//!
//! Knows nothing of sessions, XML or JSON.

mod answer;
mod answer_body;
mod authorization;
mod stream;

pub(in crate::lab) use answer::Answer;
pub(in crate::lab) use answer_body::{LabBody, Part, Pieces};
pub(in crate::lab) use authorization::read_basic;
pub(in crate::lab) use stream::Resettable;
