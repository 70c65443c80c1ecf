//! `netapi version`: what this program was built from and with. The server's version is `netapi ise
//! mnt version`.

use std::env::consts::{ARCH, OS};

use clap::Args;
use serde_json::json;

use super::Context;
use crate::error::Result;
use crate::record::Record;
use crate::render::{Column, Shape, column};

const COLUMNS: &[Column] = &[
    column("VERSION", "version"),
    column("COMMIT", "commit"),
    column("FEATURES", "features"),
    column("TLS", "tlsProvider"),
    column("TARGET", "target"),
    column("LINKING", "linking"),
];

/// The commit, as who builds a release names it; other builds do not know theirs.
const COMMIT: Option<&str> = option_env!("NETAPI_COMMIT");

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi version
  netapi version --json | jq -r .tlsProvider

The commit is known in releases only. `netapi --version` prints the number alone.")]
pub(crate) struct Version {}

impl Version {
    /// Prints it.
    pub(crate) fn run(context: &Context) -> Result<()> {
        let record = Record::from_value(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "commit": COMMIT,
            "features": features(),
            "tlsProvider": crate::transport::PROVIDER_NAME,
            "target": target(),
            "linking": if cfg!(target_feature = "crt-static") { "static" } else { "dynamic" },
        }));
        context.print(&[record], COLUMNS, Shape::Single, "")
    }
}

/// The features of Cargo.toml that are on.
fn features() -> Vec<&'static str> {
    [
        ("aws-lc", cfg!(feature = "aws-lc")),
        ("jq", cfg!(feature = "jq")),
        ("lab", cfg!(feature = "lab")),
        ("nats", cfg!(feature = "nats")),
        ("pkcs12", cfg!(feature = "pkcs12")),
        ("ring", cfg!(feature = "ring")),
    ]
    .into_iter()
    .filter_map(|(name, on)| on.then_some(name))
    .collect()
}

/// The target as Rust's compiler names it: `x86_64-unknown-linux-gnu`.
fn target() -> String {
    let (vendor, system) = match OS {
        "macos" => ("apple", "darwin"),
        "windows" => ("pc", OS),
        _ => ("unknown", OS),
    };
    let environment = if cfg!(target_env = "gnu") {
        "-gnu"
    } else if cfg!(target_env = "musl") {
        "-musl"
    } else if cfg!(target_env = "msvc") {
        "-msvc"
    } else {
        ""
    };
    format!("{ARCH}-{vendor}-{system}{environment}")
}

#[cfg(test)]
mod tests {
    /// A feature of Cargo.toml that `netapi version` does not know would be left out in silence.
    #[test]
    fn every_feature_is_known() {
        let manifest = include_str!("../../Cargo.toml");
        let (_, section) = manifest.split_once("\n[features]\n").unwrap();
        let (section, _) = section.split_once("\n[").unwrap();
        let names = section.lines().filter_map(|line| line.split_once(" = "));
        let names = names
            .map(|(name, _)| name)
            .filter(|name| *name != "default");
        let source = include_str!("version.rs");
        let mut seen = 0;
        for name in names {
            seen += 1;
            let known = format!("(\"{name}\", cfg!(feature = \"{name}\"))");
            assert!(source.contains(&known), "{name}");
        }
        assert!(seen >= 5, "{seen}");
    }
}
