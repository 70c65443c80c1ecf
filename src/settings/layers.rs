//! Flag, environment, profile, default: the four layers, and the search through them.
//!
//! The files (config, `--env-file`) are read here, once. What is wrong with them is kept, not
//! thrown, so that commands which need no settings never stumble over them and `config show` can
//! tell.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::flags::Flags;
use super::profile::{self, Profile};
use super::source::Source;
use super::table::Spec;
use super::value::RawValue;
use super::{env_file, flags};
use crate::error::{Error, Result};
use crate::files::{self, Access};

pub(crate) struct Layers {
    pub(crate) flags: Flags,
    pub(crate) environment: Environment,
    env_file: Option<(PathBuf, Environment)>,
    pub(crate) profile: Profile,
    /// Where the config file is or would be.
    pub(crate) config: Result<PathBuf>,
    /// Why a file could not be used.
    pub(crate) broken: Vec<Error>,
    /// What is worth a word about the files.
    pub(crate) warnings: Vec<String>,
}

impl Layers {
    pub(crate) fn read(flags: Flags, environment: Environment) -> Self {
        let mut layers = Self {
            config: match &flags.config {
                Some(path) => environment.expand(path),
                None => environment.config_path(),
            },
            environment: if flags.profile_alone {
                environment.of_all_deployments()
            } else {
                environment
            },
            flags,
            env_file: None,
            profile: Profile::default(),
            broken: Vec::new(),
            warnings: Vec::new(),
        };
        match layers.read_env_file() {
            Ok(None) => {}
            Ok(Some((path, variables, access))) => {
                layers.warnings.extend(warning(&path, &variables, access));
                let variables = if layers.flags.profile_alone {
                    variables.of_all_deployments()
                } else {
                    variables
                };
                layers.env_file = Some((path, variables));
            }
            Err(error) => layers.broken.push(error),
        }
        match layers.read_profile() {
            Ok(profile) => {
                if profile.others_write && !profile.name.is_empty() {
                    layers.warnings.push(writable(&layers.shown_config()));
                }
                layers.profile = profile;
            }
            Err(error) => layers.broken.push(error),
        }
        layers
    }

    /// Refuses to run what the config file says where somebody else may have written it, as ssh
    /// does.
    pub(crate) fn may_run_commands(&self) -> Result<()> {
        if !self.profile.others_write {
            return Ok(());
        }
        let file = self.shown_config();
        Err(Error::usage(format!(
            "{file} can be written by others than you, and names a command to run: it is not run"
        ))
        .hint(format!(
            "look at what it says, then: chmod go-w '{file}' (and chown it, if it is not yours)"
        )))
    }

    fn shown_config(&self) -> String {
        match &self.config {
            Ok(path) => files::display_path(path).into_owned(),
            Err(_) => "the config file".to_owned(),
        }
    }

    fn read_env_file(&self) -> Result<Option<(PathBuf, Environment, Access)>> {
        let Some(path) = &self.flags.env_file else {
            return Ok(None);
        };
        let path = self.environment.expand(path)?;
        let (variables, access) = env_file::read(&path)?;
        Ok(Some((path, variables, access)))
    }

    fn read_profile(&self) -> Result<Profile> {
        let given = RawValue::of(
            flags::one(self.flags.profile.as_ref()),
            Source::Flag("--profile"),
        )
        .or_else(|| self.variable("NETAPI_PROFILE"));
        let wanted = given.as_ref().map(RawValue::name).transpose()?;
        match &self.config {
            Ok(path) => profile::read(path, self.flags.config.is_some(), wanted),
            // Without a home there is no file; that matters only to who asked for something in it.
            Err(_) if wanted.is_none() && self.flags.config.is_none() => Ok(Profile::default()),
            Err(error) => Err(error.clone()),
        }
    }

    /// The setting's value from the nearest layer that has one; `None` where even a default is
    /// missing.
    pub(crate) fn find(&self, spec: &Spec) -> Option<RawValue> {
        RawValue::of((spec.given)(&self.flags), Source::Flag(spec.flag))
            .or_else(|| self.first_variable(spec))
            .or_else(|| self.in_profile(spec.key))
            .or_else(|| RawValue::of(vec![spec.default?.into()], Source::Default))
    }

    fn first_variable(&self, spec: &Spec) -> Option<RawValue> {
        let found = spec.variables.iter().find_map(|name| self.variable(name))?;
        Some(if spec.list { found.parted() } else { found })
    }

    /// A variable, of the process's environment first, else of the `--env-file`.
    pub(crate) fn variable(&self, name: &str) -> Option<RawValue> {
        self.environments()
            .find_map(|environment| environment.get(name))
    }

    /// The environments, nearest first. A pair is looked up in one of them whole: a user from one
    /// and a password from another would be a wrong password sent, and enough of those lock an
    /// administrator's account.
    pub(crate) fn environments(&self) -> impl Iterator<Item = Variables<'_>> {
        let process = Variables {
            variables: &self.environment,
            file: None,
        };
        let file = self.env_file.as_ref().map(|(path, variables)| Variables {
            variables,
            file: Some(path),
        });
        std::iter::once(process).chain(file)
    }

    /// `what` a question is about, with the profile where several are in use.
    pub(crate) fn of_profile(&self, what: &str) -> String {
        if self.flags.profile_alone {
            format!("{what} (profile {})", self.profile.name)
        } else {
            what.to_owned()
        }
    }

    /// A key of the profile in use.
    pub(crate) fn in_profile(&self, key: &str) -> Option<RawValue> {
        let values = self.profile.get(key)?;
        let source = Source::Profile(self.profile.name.clone(), key.to_owned());
        RawValue::of(values.to_vec(), source)
    }
}

fn writable(file: &str) -> String {
    format!(
        "{file} can be written by others than you: they decide where your passwords are sent; `chmod go-w` it"
    )
}

/// What to say of an `--env-file` that is open to others: whoever writes it decides where passwords
/// go, whoever reads it has those in it.
fn warning(path: &Path, variables: &Environment, access: Access) -> Option<String> {
    if access.others_write {
        return Some(writable(&files::display_path(path)));
    }
    access.warning(path).filter(|_| variables.hold_secrets())
}

/// The variables of one origin.
pub(crate) struct Variables<'a> {
    variables: &'a Environment,
    file: Option<&'a PathBuf>,
}

impl Variables<'_> {
    pub(crate) fn get(&self, name: &str) -> Option<RawValue> {
        let value = self.variables.get(name)?.to_os_string();
        let source = match self.file {
            None => Source::Environment(name.to_owned()),
            Some(path) => Source::EnvFile(path.clone(), name.to_owned()),
        };
        RawValue::of(vec![value], source)
    }
}

impl RawValue {
    /// `None` for no values.
    pub(crate) fn of(values: Vec<OsString>, source: Source) -> Option<Self> {
        (!values.is_empty()).then_some(Self { values, source })
    }

    /// A variable's value parted at commas; blanks around the parts and empty parts are dropped.
    fn parted(self) -> Self {
        let Some(text) = self.values.first().and_then(|value| OsStr::to_str(value)) else {
            return self;
        };
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let values: Vec<OsString> = parts.map(OsString::from).collect();
        if values.is_empty() {
            return self;
        }
        Self {
            values,
            source: self.source,
        }
    }
}
