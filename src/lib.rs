//! `netapi`: Cisco ISE from the command line. This page is the map of the house, whose rooms are
//! the modules below.
//!
//! Bytes come in from ISE (XML over HTTPS, JSON over HTTPS, STOMP over WebSocket), become
//! **records** that keep every field the server sent, and leave through one renderer (tables, JSON,
//! …) or, as events, through one deliverer (callbacks, lines).
//!
//! | room | holds | knows |
//! | --- | --- | --- |
//! | `authority` | host and port, and which characters a host name may have | |
//! | `backoff` | pauses that grow from failure to failure | |
//! | `cli` | what a user types; the folders mirror the command path; `cli::long_running` is what commands share that go on until they are stopped | `authority`, `backoff`, `delivery`, `error`, `event`, `files`, `joins`, `lab`, `mnt`, `nats`, `oracle`, `order`, `process`, `pxgrid`, `record`, `render`, `report_page`, `sanitize`, `settings`, `snapshot`, `threads`, `top`, `transport`, `unix`, `worker` |
//! | `delivery` | what happens to an event: a queue (memory, then the spool), order per endpoint, sinks (print, callback, long-lived child, stream), dead letters | `backoff`, `error`, `event`, `nats`, `process`, `record`, `threads`, `unix` |
//! | `error` | the closed set of error kinds and their exit statuses | |
//! | `event` | what travels from a subscription to whoever is told: event, id, marks, counters of a run (figures); no I/O | `error`, `record` |
//! | `files` | small files that a user names: bounded reading, byte order marks, permissions | `error`, `process`, `unix` |
//! | `joins` | what both interfaces say, joined: endpoints, failures in groups, nodes; it asks nobody | `order`, `record` |
//! | `lab` | the simulated deployment: certificates, population, nodes, faults (feature `lab`) | `error`, `order`, `process`, `pxgrid`, `record`, `unix` |
//! | `mnt` | the Monitoring node's client: paths, documents, error envelope | `authority`, `error`, `order`, `record`, `transport` |
//! | `nats` | the client of a NATS JetStream stream: address, login, the stream's checks, what is stored and whether it is (feature `nats`) | `authority`, `backoff`, `error`, `event`, `order`, `record`, `threads`, `transport` |
//! | `order` | sorting that is compiled once, where speed does not matter | |
//! | `oracle` | the client of Data Connect: an Oracle server's wire, logon, statements and values; messages without I/O | `authority`, `error`, `process`, `transport` |
//! | `process` | processes and their groups: how they are begun and signalled, whose a process is; where this program's file is, and who we are | |
//! | `pxgrid` | the pxGrid client: control, catalogue of services, REST, STOMP frames, subscription | `authority`, `backoff`, `error`, `event`, `record`, `threads`, `transport` |
//! | `record` | the record, MAC addresses, XML and JSON streams, filters | `error` |
//! | `render` | records to table, tsv, csv, json, jsonl, yaml, xml, html, md; terminal safety; progress | `error`, `order`, `record`, `sanitize` |
//! | `report_page` | the page of `netapi ise report`: its form, charts, tables, bounds | `error`, `render` |
//! | `sanitize` | the one list of characters that are escaped for terminals and logs, and their escapes | |
//! | `settings` | flag, environment, profile, default: each value with its source; secrets | `authority`, `error`, `files`, `order`, `process`, `threads`, `transport`, `unix` |
//! | `snapshot` | kept lists of sessions: their file, and what differs between two | `error`, `record`, `threads` |
//! | `threads` | starting threads and runtimes; where the system has none left, that is an error, not a panic | `error` |
//! | `top` | the live screen without terminal and network: state, keys, picture | `error`, `event`, `joins`, `mnt`, `order`, `pxgrid`, `record`, `render`, `sanitize` |
//! | `transport` | TLS, HTTP, name overrides, proxies, the retry rule, the trace | `authority`, `backoff`, `error`, `files`, `sanitize` |
//! | `unix` | what only Unix has, a module each: a clock, files' modes and owners, pipes, signals, terminals | |
//! | `worker` | a worker of a fleet: which partitions are its own, what is in hand of them, what may begin (feature `nats`) | `backoff`, `delivery`, `error`, `event`, `nats`, `order`, `unix` |
//!
//! The last column is all that a room may know, and there is no circle in it; `tests/it/arrows.rs`
//! reads it and the sources. `mnt` and `pxgrid` print nothing and know no clap, `render` fetches
//! nothing, `settings` does no network (of `transport` it has the types of overrides and proxies),
//! and nothing of the shipped clients uses `lab`, which has the wire's words from `pxgrid`.
//!
//! Tests of one file stand at its end (`mod tests { … }`); where they are long, in the file's
//! folder (`mnt/client.rs`, `mnt/client/tests.rs`), and tests of a whole room in its `tests.rs`.
//! What the program does is tested from outside, in `tests/it`; `testing` below is all that it sees
//! of the rooms. They are private, so that the compiler finds what nobody uses; `pub` in them means
//! that other rooms may use it.
//!
//! # Threads and runtimes
//!
//! - A command runs on one runtime with one thread, the program's first: requests wait for servers,
//!   so one thread is enough, and a process starts fast. `--jq` runs it on a thread with a larger
//!   stack, because its evaluator calls itself.
//! - Parsing and printing a list run on the runtime's threads for blocking work: an answer of any
//!   length is read while it comes.
//! - A subscription's connection has a thread and a runtime of its own, so that heartbeats are
//!   answered while output is slow.
//! - Deliveries are decided on one thread, which also writes what is printed; callbacks are started
//!   from others, because starting a process blocks.
//! - Events are stored in a stream from the thread that serves the connection to NATS: what is sent
//!   and what is answered change no thread.
//! - Standard error is written by one thread behind a bounded queue while a command runs long: who
//!   reads it slowly holds up nobody.
//! - `threads` makes them all: where the system has no room for one, it is an error with an exit
//!   status.
//!
//! # Where a new thing goes
//!
//! - A command: a file in `cli/` at its path, a variant in the `mod.rs` above, a row in
//!   `cli/command_effects.rs` (a test asks for it), its section of `tests/golden/help.txt`.
//! - An operation or a topic of pxGrid: a row in `pxgrid/catalogue`, its columns in
//!   `cli/ise/pxgrid/columns.rs`.
//! - A call of the Monitoring node: `mnt/paths.rs`, its document in `mnt/documents.rs`, a method of
//!   `MntClient`.
//! - A setting: `settings/table.rs`, its flag in `cli/global.rs` and `settings/flags.rs`, its
//!   member in `settings/profile.rs`, its line in `cli/help/environment.txt`.
//! - Somewhere for events to go: a variant of `delivery::Sink` and a file in `delivery/sink`; what
//!   hands events over knows a sink by how it wants them, and stays as it is.
//! - An error: a `Kind` in `error.rs` only if a script has to tell it from the others; else a
//!   message and a hint where the fact is known.
//! - A crate: its licence in what `deploy/licenses.sh` makes (a test asks for it).
//! - A room: a row in the table above.
//!
//! # The words of this field
//!
//! | word | what it is |
//! | --- | --- |
//! | ISE, deployment | Cisco Identity Services Engine: a group of nodes that decide who may use a network |
//! | PSN | Policy Service node: answers the switches; a session lives on one |
//! | MnT node | Monitoring node: keeps sessions and logs; its REST API (XML) is room `mnt` |
//! | pxGrid | ISE's publish and subscribe: control and services over REST, events over a WebSocket |
//! | NAS | network access server: the switch, access point or controller that a user connects to |
//! | endpoint | a device on the network, known by its MAC address |
//! | calling station | who asks for access, as the NAS names it: nearly always the endpoint's MAC address |
//! | session | an endpoint's time on a port, from start to stop |
//! | audit session id | the session's name, given by the NAS; the same in ISE and on the switch |
//! | CoA | change of authorization: ISE tells the NAS to reauthenticate or to end a session |
//! | ANC | Adaptive Network Control: a policy put on an endpoint (quarantine), until it is cleared |
//! | SGT | security group tag: the number of a group, by which switches filter |
//! | SXP | the protocol that tells which IP address has which SGT |
//! | access secret | the password between two pxGrid accounts, which control gives to each pair of them |
//! | control | the pxGrid service that accounts, look-ups and access secrets are asked of |
//! | service, topic | what a pxGrid node offers; the path that a service's events are published on |
//! | frame | one message of STOMP, the protocol inside the WebSocket |
//! | subscription | which topics are followed and how far each came: a state machine without I/O |
//! | subscriber | what drives a subscription: sockets, requests, timers; in the lab, a client that is connected |
//! | subscribe | STOMP's frame for one topic, and the command that runs a subscriber |
//! | event | what a message tells of one endpoint or object, as it is printed and handed to callbacks |
//! | mark | how far a topic was followed, by the server's clock and count |
//! | recovered | of an event: it was missed live and was fetched over REST afterwards |
//! | callback | a user's script that is run for an event |
//! | stream | of NATS JetStream: where events of several subscribers are kept once, in partitions by endpoint |
//! | spool | the directory in which events wait on disk until a callback took them |
//! | remembered | of a session: its last state that was told, kept beside the spool's events |
//! | dead letter | an event that no callback took, in a file for a person to look at |
//! | envelope | the outer document of an answer, around a Monitoring node's error or a pxGrid list |
//! | record | one object of an answer with every field as it was sent, whatever the format |
//! | lab | the simulated deployment in this program; faults are injected into it by name |

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod authority;
mod backoff;
mod cli;
mod delivery;
mod error;
mod event;
mod files;
mod joins;
#[cfg(feature = "lab")]
mod lab;
mod mnt;
#[cfg(feature = "nats")]
mod nats;
mod oracle;
mod order;
mod process;
mod pxgrid;
mod record;
mod render;
mod report_page;
mod sanitize;
mod settings;
mod snapshot;
mod threads;
mod top;
mod transport;
mod unix;
#[cfg(feature = "nats")]
mod worker;

/// Runs the program: `args` as the operating system gave them, the exit status back (contract,
/// section 6).
pub fn run(args: &[std::ffi::OsString]) -> std::process::ExitCode {
    cli::main(args)
}

/// For this repository's own tests, benches and fuzz targets, under the names of the rooms. Nobody
/// else may rely on it: what stands here is never found dead by the compiler, so it stays short.
#[doc(hidden)]
pub mod testing {
    pub use crate::cli::command_tree;

    pub mod authority {
        pub use crate::authority::Authority;
    }

    pub mod delivery {
        pub use crate::delivery::spool::Spool;
    }

    pub mod error {
        pub use crate::error::{Kind, Result};
    }

    pub mod event {
        pub use crate::event::{Event, EventId, Message};
    }

    #[cfg(feature = "lab")]
    pub mod lab {
        pub use crate::lab::{
            Event, EventRate, Lab, LabOptions, PASSWORD, PubsubTimes, Release, RequestEntry,
            RunningLab, USER,
        };
        pub mod certificates {
            pub use crate::lab::certificates::{Certificates, Flavour};
        }
    }

    pub mod mnt {
        pub use crate::mnt::documents;
    }

    pub mod oracle {
        pub use crate::oracle::read_anything;
    }

    pub mod pxgrid {
        pub use crate::pxgrid::{Account, Control, ServiceClient};
        pub mod stomp {
            pub use crate::pxgrid::stomp::{
                Command, Decoder, Frame, MAX_HEAD, MalformedFrame, Reading,
            };
        }
        pub mod subscription {
            pub use crate::pxgrid::subscription::{
                Action, Input, Moment, PubsubNode, Subscription, SubscriptionOptions,
            };
        }
    }

    pub mod record {
        pub use crate::record::{Collect, Record, RecordSink, json_list, xml};
    }

    pub mod transport {
        pub use crate::transport::{Client, ClientOptions, TlsOptions, provider};
    }
}
