//! Settings for NATS: options of the commands that have them, then variables under natscli's names.
//! No profile has them, and no variable holds a secret: files do.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::Settings;
use super::secret::{Secret, SecretPlace};
use super::source::Source;
use super::value::RawValue;
use crate::error::{Error, Result};
use crate::files;

/// What was given on the command line.
#[derive(Debug, Clone, Default)]
pub struct NatsFlags {
    /// `--nats-creds`.
    pub creds: Option<PathBuf>,
    /// `--nats-nkey`.
    pub nkey: Option<PathBuf>,
    /// `--nats-user`.
    pub user: Option<String>,
    /// `--nats-password-file`.
    pub password_file: Option<PathBuf>,
    /// `--nats-cacert`.
    pub ca: Option<PathBuf>,
    /// `--nats-cert`.
    pub cert: Option<PathBuf>,
    /// `--nats-key`.
    pub key: Option<PathBuf>,
}

/// What a connection needs, secrets fetched. Not `Debug`: it holds them.
pub struct NatsSettings {
    /// How to log in.
    pub login: NatsLogin,
    /// The CA bundle; the system's trust where there is none.
    pub ca: Option<PathBuf>,
    /// The client certificate, and its key where that has a file of its own.
    pub certificate: Option<(PathBuf, Option<PathBuf>)>,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// How to log in, beside a client certificate.
pub enum NatsLogin {
    /// Not at all.
    None,
    /// The content of a credentials file.
    Credentials {
        /// The file, for a message.
        file: String,
        /// Its content.
        text: SecretString,
    },
    /// A user's seed.
    Nkey(SecretString),
    /// User and password.
    Password(String, SecretString),
}

impl Settings {
    /// What `NATS_URL` says; it may hold a password, which is refused where it is read.
    pub fn nats_url(&self) -> Result<Option<String>> {
        self.usable()?;
        let found = self.layers.variable("NATS_URL");
        found
            .map(|found| found.text().map(str::to_owned))
            .transpose()
    }

    /// The settings for NATS.
    ///
    /// Errors: [`Kind::Usage`](crate::error::Kind::Usage) for files that cannot be read, and for a
    /// certificate without key or the other way round.
    pub fn nats(&self, flags: &NatsFlags) -> Result<NatsSettings> {
        self.usable()?;
        let mut warnings = Vec::new();
        let login = self.nats_login(flags, &mut warnings)?;
        let path = |given: &Option<PathBuf>, flag, variable| {
            self.nats_path(given.as_ref(), flag, variable)
        };
        let certificate = path(&flags.cert, "--nats-cert", "NATS_CERT")?;
        let key = path(&flags.key, "--nats-key", "NATS_KEY")?;
        if certificate.is_none() && key.is_some() {
            return Err(Error::usage("a key for NATS is set, and no certificate")
                .hint("give --nats-cert FILE (NATS_CERT) as well"));
        }
        Ok(NatsSettings {
            login,
            ca: path(&flags.ca, "--nats-cacert", "NATS_CA")?,
            certificate: certificate.map(|certificate| (certificate, key)),
            warnings,
        })
    }

    fn nats_path(
        &self,
        given: Option<&PathBuf>,
        flag: &'static str,
        variable: &str,
    ) -> Result<Option<PathBuf>> {
        let given = given.into_iter().map(OsString::from).collect();
        RawValue::of(given, Source::Flag(flag))
            .or_else(|| self.layers.variable(variable))
            .map(|found| found.path(&self.layers.environment))
            .transpose()
    }

    /// A flag of one kind wins over variables of every kind.
    fn nats_login(&self, flags: &NatsFlags, warnings: &mut Vec<String>) -> Result<NatsLogin> {
        if let Some(user) = &flags.user {
            let secret = match &flags.password_file {
                Some(path) => Secret {
                    place: if path.as_os_str() == "-" {
                        SecretPlace::Stdin
                    } else {
                        SecretPlace::File(path.clone())
                    },
                    source: Source::Flag("--nats-password-file"),
                },
                None => Secret::asked(user),
            };
            let password = self.fetch(&secret, warnings)?;
            return Ok(NatsLogin::Password(user.clone(), password));
        }
        let by_flag = flags.creds.is_some() || flags.nkey.is_some();
        let variable = |name: &'static str| if by_flag { "" } else { name };
        if let Some(path) =
            self.nats_path(flags.creds.as_ref(), "--nats-creds", variable("NATS_CREDS"))?
        {
            let text = secret_file(&path, "NATS credentials file", warnings)?;
            return Ok(NatsLogin::Credentials {
                file: files::display_path(&path).to_string(),
                text: SecretString::from(text.as_str()),
            });
        }
        if let Some(path) =
            self.nats_path(flags.nkey.as_ref(), "--nats-nkey", variable("NATS_NKEY"))?
        {
            let text = secret_file(&path, "NATS nkey file", warnings)?;
            let seed = text.split_whitespace().find(|word| word.starts_with("SU"));
            let seed = seed.ok_or_else(|| {
                Error::usage(format!(
                    "NATS nkey file {}: there is no user's seed in it",
                    files::display_path(&path)
                ))
                .hint("a seed is one word that begins with SU; nk -gen user makes one")
            })?;
            return Ok(NatsLogin::Nkey(SecretString::from(seed)));
        }
        Ok(NatsLogin::None)
    }
}

/// A small file with a secret in it, as text.
fn secret_file(
    path: &Path,
    what: &str,
    warnings: &mut Vec<String>,
) -> Result<zeroize::Zeroizing<String>> {
    let content = files::read(path, what, files::SMALL)?;
    warnings.extend(content.access.warning(path));
    let text = files::text(&content.bytes, path, what)?;
    Ok(zeroize::Zeroizing::new(text.into_owned()))
}
