//! The process's surroundings, captured once, so that everything after it is a function of data.
//!
//! Only variables whose names begin with `ISE_`, `PXGRID_` or `NETAPI_` are kept, and those that
//! name a proxy or NATS: nothing else in the environment can be a setting.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

const PREFIXES: [&str; 3] = ["ISE_", "PXGRID_", "NETAPI_"];

/// Variables that every program understands alike.
const COMMON: [&str; 12] = [
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "NATS_URL",
    "NATS_CREDS",
    "NATS_NKEY",
    "NATS_CA",
    "NATS_CERT",
    "NATS_KEY",
];

/// Variables that say nothing of one deployment: they hold for all.
const OF_ALL_DEPLOYMENTS: [&str; 4] = [
    "NETAPI_READ_ONLY",
    "NETAPI_RESOLVE",
    "NETAPI_PROXY_CA",
    "NETAPI_PROXY_CREDENTIALS_FILE",
];

/// How the names of variables with passwords end.
const SECRETS: [&str; 2] = ["_PASS", "_PASSWORD"];

/// Variables, home directory, and whether someone sits at standard input. `Debug` shows names only,
/// as values can be secrets.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
    home: Option<PathBuf>,
    config_home: Option<PathBuf>,
    terminal: bool,
}

impl Environment {
    /// Of this process.
    pub fn capture() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| {
                PREFIXES.iter().any(|prefix| name.starts_with(prefix))
                    || COMMON.contains(&name.as_str())
            })
            .collect();
        Self {
            variables,
            home: std::env::home_dir().filter(|path| !path.as_os_str().is_empty()),
            config_home: std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from),
            terminal: std::io::stdin().is_terminal(),
        }
    }

    /// From a list, with no home directory and no terminal.
    pub fn from_list<N: Into<String>, V: Into<OsString>>(
        list: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        Self {
            variables: list
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            ..Self::default()
        }
    }

    /// With this home directory.
    #[cfg(test)]
    pub(crate) fn with_home(mut self, home: impl Into<PathBuf>) -> Self {
        self.home = Some(home.into());
        self
    }

    /// With this `XDG_CONFIG_HOME`.
    #[cfg(test)]
    pub(crate) fn with_config_home(mut self, directory: impl Into<PathBuf>) -> Self {
        self.config_home = Some(directory.into());
        self
    }

    /// The variable's value; an empty one counts as unset.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(name)
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// Without what is of one deployment: its hosts, accounts, certificates and trust.
    pub(super) fn of_all_deployments(mut self) -> Self {
        self.variables.retain(|name, _| is_of_all(name));
        self
    }

    /// The names of what [`of_all_deployments`](Self::of_all_deployments) leaves out.
    pub fn of_one_deployment(&self) -> impl Iterator<Item = &str> {
        let one = |name: &str| !is_of_all(name) && name != "NETAPI_PROFILE";
        let set = self.variables.iter().filter(|(_, value)| !value.is_empty());
        set.map(|(name, _)| name.as_str())
            .filter(move |name| one(name))
    }

    /// Whether a password is among the variables.
    pub(crate) fn hold_secrets(&self) -> bool {
        self.variables.iter().any(|(name, value)| {
            !value.is_empty() && SECRETS.iter().any(|ending| name.ends_with(ending))
        })
    }

    /// The same with a terminal.
    #[cfg(test)]
    pub(crate) fn with_terminal(self) -> Self {
        Self {
            terminal: true,
            ..self
        }
    }

    /// Whether standard input is a terminal, so that a question has someone to answer it.
    pub(crate) fn terminal(&self) -> bool {
        self.terminal
    }

    /// The home directory, where one is known.
    pub(crate) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// `path` with a leading `~` replaced by the home directory; `~other` is left alone, as no
    /// password database is read.
    pub(crate) fn expand(&self, path: &Path) -> Result<PathBuf> {
        let Ok(rest) = path.strip_prefix("~") else {
            return Ok(path.to_path_buf());
        };
        let home = self.home().ok_or_else(|| {
            Error::usage(format!(
                "{} cannot be expanded: no home directory is known",
                path.display()
            ))
            .hint("set HOME, or write the whole path")
        })?;
        // Joining an empty rest would add a slash at the end.
        if rest.as_os_str().is_empty() {
            return Ok(home.to_path_buf());
        }
        Ok(home.join(rest))
    }

    /// `$XDG_CONFIG_HOME/netapi/config.toml`, else `~/.config/netapi/config.toml`. A relative
    /// `XDG_CONFIG_HOME` is ignored, as the XDG base directory specification asks.
    pub(crate) fn config_path(&self) -> Result<PathBuf> {
        let directory = self
            .config_home
            .clone()
            .filter(|path| path.is_absolute())
            .or_else(|| self.home.as_ref().map(|home| home.join(".config")))
            .ok_or_else(|| {
                Error::usage(
                    "no place for a config file: neither XDG_CONFIG_HOME nor a home directory is known",
                )
                .hint("name the file with `--config FILE`")
            })?;
        Ok(directory.join("netapi").join("config.toml"))
    }
}

fn is_of_all(name: &str) -> bool {
    COMMON.contains(&name) || OF_ALL_DEPLOYMENTS.contains(&name)
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys())
            .field("home", &self.home)
            .field("config_home", &self.config_home)
            .field("terminal", &self.terminal)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_tilde_is_the_home_directory() {
        let environment = Environment::default().with_home("/home/u");
        for (given, wanted) in [
            ("~/a/b", "/home/u/a/b"),
            ("~", "/home/u"),
            ("~other/a", "~other/a"),
            ("a/~/b", "a/~/b"),
            ("/x", "/x"),
        ] {
            assert_eq!(
                environment.expand(Path::new(given)).unwrap(),
                Path::new(wanted),
                "{given}"
            );
        }
        assert!(Environment::default().expand(Path::new("~/a")).is_err());
    }

    #[test]
    fn the_config_file_follows_xdg() {
        let home = Environment::default().with_home("/home/u");
        assert_eq!(
            home.config_path().unwrap(),
            Path::new("/home/u/.config/netapi/config.toml")
        );
        assert_eq!(
            home.clone().with_config_home("/x").config_path().unwrap(),
            Path::new("/x/netapi/config.toml")
        );
        assert_eq!(
            home.with_config_home("relative").config_path().unwrap(),
            Path::new("/home/u/.config/netapi/config.toml")
        );
        assert!(Environment::default().config_path().is_err());
    }

    #[test]
    fn debug_shows_no_values() {
        let shown = format!(
            "{:?}",
            Environment::from_list([("ISE_MNT_PASS", "hunter2")])
        );
        assert!(shown.contains("ISE_MNT_PASS") && !shown.contains("hunter2"));
    }
}
