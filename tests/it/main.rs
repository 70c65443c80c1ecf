//! The integration tests: the real program, real sockets on loopback, real TLS.
//!
//! One binary, one file a subject. `support` gives each test a command that sees nothing of the
//! developer's own settings, a lab of its own, and servers that misbehave. A new test goes where
//! its subject is: a command's answers in `mnt_lists` and `mnt_endpoint`, what a server does wrong
//! in `mnt_faults`, what a user does wrong in `mnt_input`, TLS in `tls`, where values come from in
//! `settings`, what is sent and what never in `safety`, formats in `output`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod active_sessions;
mod aliases;
mod arrows;
mod bulk_changes;
mod bulk_identity;
mod certificate_files;
mod citations;
mod cli_surface;
mod cli_tree;
mod completion;
mod config_init;
mod counts;
mod dc_contract;
mod dc_faults;
mod dc_hostile;
mod dc_joins;
mod dc_lab;
mod dc_live;
mod dc_queries;
mod dc_turns;
mod dc_windows;
mod dead_letters;
mod deployments;
mod documented;
mod failures;
mod file_access;
mod filters;
mod fixtures_lab;
mod fixtures_mnt;
mod fixtures_pxgrid;
#[cfg(feature = "nats")]
mod fleet;
#[cfg(feature = "nats")]
mod fleet_files;
mod lab_background;
mod lab_faults;
mod lab_nats;
mod lab_pubsub;
mod lab_run;
mod lab_shell;
mod licenses;
mod long_running;
mod metrics;
mod mnt_bulk;
mod mnt_changes;
mod mnt_documents;
mod mnt_endpoint;
mod mnt_faults;
mod mnt_input;
mod mnt_lists;
mod mnt_watch;
mod network_trouble;
mod nodes;
mod output;
mod output_arrival;
mod output_hostile;
mod packaged_units;
mod pager;
mod print_unit;
mod promised;
mod prompt_signals;
mod proxies;
mod proxy_faults;
mod pxgrid_anc;
mod pxgrid_client;
mod pxgrid_commands;
mod pxgrid_faults;
mod pxgrid_handshake;
mod pxgrid_lab;
mod pxgrid_node;
mod pxgrid_safety;
mod pxgrid_services;
mod readme;
#[cfg(feature = "nats")]
mod readme_fleet;
mod report;
mod report_browser;
mod safety;
mod seams;
mod secret_files;
mod session_wait;
mod settings;
mod snapshot;
mod step_hints;
#[cfg(feature = "nats")]
mod stream_cluster;
#[cfg(feature = "nats")]
mod stream_creds;
#[cfg(feature = "nats")]
mod stream_faults;
#[cfg(feature = "nats")]
mod stream_members;
#[cfg(feature = "nats")]
mod stream_outages;
#[cfg(feature = "nats")]
mod stream_publish;
mod subscribe_callbacks;
mod subscribe_ends;
mod subscribe_events;
mod subscribe_faults;
mod subscribe_holds;
mod subscribe_memory;
mod subscribe_publish;
mod subscribe_scripts;
mod subscribe_spool;
mod subscribe_truth;
mod subscribe_truth_callbacks;
mod subscribe_truth_kill;
mod subscribe_truth_outages;
mod support;
mod terminal_layout;
mod threads;
mod tls;
mod top;
mod unread_stderr;
mod unread_stdout;
mod who;
#[cfg(feature = "nats")]
mod worker_cluster;
#[cfg(feature = "nats")]
mod worker_events;
#[cfg(feature = "nats")]
mod worker_faults;
