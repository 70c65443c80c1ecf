//! Where events wait: in memory first, then in a file, with one bound; a durable and a temporary
//! spool differ in the file's name only.
//!
//! | part | holds |
//! | --- | --- |
//! | [`spool`] | the queue, and the marks of how far each topic was followed |
//! | `tables` | what stands in its file, and how an event is written there |
//! | `remembered_tables` | what was told of each session: the subscriber's memory |
//! | `journal` | which deliveries were begun, and which succeeded, since the file was written |
//! | `conversion` | files of earlier versions |
//! | `recent` | the events that are in memory as well |
//! | `temporary_file` | the file under a temporary spool |
//!
//! It delivers nothing and decides no order.

mod conversion;
mod journal;
mod recent;
mod remembered_tables;
pub mod spool;
mod tables;
mod temporary_file;
