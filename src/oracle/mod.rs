//! A client of an Oracle database, as far as Data Connect needs one: TCPS, a logon by password,
//! SELECT with binds, rows as they come, an interrupt. It writes nothing, knows no view of ISE's
//! and no command.
//!
//! Why not Oracle's own `oracledb` crate: its 26.0.0-beta.5 ends the process on odd servers, hangs
//! on silent ones, loses a whole result at one byte that is no UTF-8, cannot cancel, does not check
//! the server's proof at logon, and takes no TLS of ours, so that pins, `--resolve`, proxies and
//! time limits would be without effect. The seam, for the day when it is ready: [`Session`] and
//! [`Rows`] are all that the rest of the program sees; behind them it may be another.
//!
//! Nothing here was tried against a real ISE. The bytes that are sent are held against those of
//! python-oracledb (`tests`), whose sources are the best description of the protocol there is.
//!
//! | file | holds |
//! | --- | --- |
//! | `reader`, `writer` | integers, texts and lists of bytes, without input or output |
//! | `packet` | the packets (TNS) that messages (TTC) travel in |
//! | `greeting` | the first packet and what a listener answers |
//! | `capabilities`, `type_table` | what both sides can do |
//! | `logon` | the proof of the password, and the server's |
//! | `statement` | execute, define, fetch, close |
//! | `answer`, `column` | what comes back |
//! | `value` | numbers, times and texts of a row |
//! | `opening`, `session`, `rows`, `wait` | the same over a connection, with time limits |
//! | `failure` | what an error of the database means, and what to do |

mod answer;
mod capabilities;
mod column;
mod failure;
mod greeting;
mod logon;
mod opening;
mod packet;
mod reader;
mod rows;
mod session;
mod statement;
mod type_table;
mod value;
mod wait;
mod writer;

#[cfg(test)]
mod tests;

pub use answer::Row;
pub use column::{Column, ColumnKind};
pub use failure::{DatabaseError, of_database};
pub use opening::SessionOptions;
pub use rows::{Failure, Rows};
pub use session::{ServerFacts, Session};
pub use statement::Bind;
pub use value::text as value_text;
pub use wait::Limits;

/// Takes bytes as a fuzzer makes them through everything that reads what a server sends.
pub fn read_anything(bytes: &[u8]) {
    packet::read_anything(bytes);
    answer::read_anything(bytes);
}
