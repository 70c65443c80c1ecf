//! Where a setting came from, for error messages and `config show`.
//!
//! A source never carries the value.

use std::fmt;
use std::path::PathBuf;

/// The place that a value was taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// An option on the command line, with its dashes.
    Flag(&'static str),
    /// A variable of the process's environment.
    Environment(String),
    /// A variable of the file given with `--env-file`: the file, then the variable's name.
    EnvFile(PathBuf, String),
    /// A profile: its name, then the key.
    Profile(String, String),
    /// Nobody set it.
    Default,
    /// It follows from something else; the text says from what.
    Derived(&'static str),
}

impl Source {
    /// How near to the user's hand the value was set. The nearer one wins where two settings
    /// contradict each other; two equally near ones are either a mistake to be reported or have a
    /// stated winner.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Flag(_) => 3,
            Self::Environment(_) | Self::EnvFile(..) => 2,
            Self::Profile(..) => 1,
            Self::Default | Self::Derived(_) => 0,
        }
    }

    /// The name to blame in a message: `--mnt-host`, `ISE_MNT_FQDN`, `mnt_host of profile lab`.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Flag(flag) => (*flag).to_owned(),
            Self::Environment(name) => name.clone(),
            Self::EnvFile(path, name) => format!("{name} in {}", path.display()),
            Self::Profile(profile, key) => format!("{key} of profile {profile}"),
            Self::Default => "the default".to_owned(),
            Self::Derived(from) => (*from).to_owned(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::EnvFile(path, name) => write!(f, "{}: {name}", path.display()),
            Self::Profile(profile, key) => write!(f, "profile {profile}: {key}"),
            Self::Default => f.write_str("default"),
            Self::Derived(from) => f.write_str(from),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    /// The value.
    pub(crate) value: T,
    /// Its source.
    pub(crate) source: Source,
}
