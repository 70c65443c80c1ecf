//! The profile as far as it was answered, and how it is written: files with secrets and the
//! configuration, each whole or not at all. It asks nothing and connects nowhere.

use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::authority::Authority;
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::settings::ConfigFile;
use crate::unix::files::make_private_directory;
use crate::unix::signals;

/// The keys that the conversation is about; one that it did not settle is taken out.
const KEYS: [&str; 20] = [
    "mnt_host",
    "mnt_port",
    "mnt_user",
    "mnt_password_file",
    "mnt_password_command",
    "password_file",
    "password_command",
    "cacert",
    "pin_sha256",
    "insecure",
    "verify_hostname",
    "pxgrid_hosts",
    "pxgrid_port",
    "client_name",
    "cert",
    "key",
    "key_password_file",
    "key_password_command",
    "client_password_file",
    "client_password_command",
];

/// How a secret is to be had later.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) place: Place,
    pub(super) secret: SecretString,
}

/// Where a secret is to come from.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A file of ours, mode 0600.
    File,
    /// What this command prints.
    Command(String),
    /// Asked for each time.
    Asked,
}

/// Whom to trust.
#[derive(Clone)]
pub(super) enum Trust {
    /// The system's CAs.
    System,
    /// CAs that servers showed, DER.
    Roots(Vec<Vec<u8>>),
    /// CAs in a file of the user's.
    File(PathBuf),
    /// The one certificate with this SHA-256.
    Pin([u8; 32]),
}

/// Who we are on the grid.
#[derive(Clone)]
pub(super) enum Who {
    /// By certificate.
    Certificate {
        cert: PathBuf,
        key: Option<PathBuf>,
        passphrase: Option<Kept>,
        /// The node name; the certificate's CN where it has one.
        name: Option<String>,
    },
    /// By a password that ISE gave for this name, once the account is made.
    Password {
        name: String,
        password: Option<SecretString>,
    },
}

/// See the module's documentation.
pub(super) struct Draft {
    pub(super) name: String,
    /// The Monitoring node as it was typed, and where it is.
    pub(super) mnt: Option<(String, Authority)>,
    /// Whether the Monitoring node could be asked.
    pub(super) reached: bool,
    pub(super) login: Option<(String, Kept)>,
    pub(super) trust: Trust,
    /// The highest certificate of each server seen, DER.
    pub(super) seen: Vec<Vec<u8>>,
    pub(super) nodes: Vec<(String, Authority)>,
    pub(super) who: Option<Who>,
    pub(super) default: bool,
    /// Keys that options of the command line gave.
    pub(super) options: Keys,
}

/// Keys of the profile with their values.
type Keys = Vec<(&'static str, String)>;

/// A file that belongs to the profile.
struct Private {
    path: PathBuf,
    content: Zeroizing<Vec<u8>>,
}

impl Draft {
    pub(super) fn new(options: Keys) -> Self {
        Self {
            name: String::new(),
            mnt: None,
            reached: false,
            login: None,
            trust: Trust::System,
            seen: Vec::new(),
            nodes: Vec::new(),
            who: None,
            default: false,
            options,
        }
    }

    /// The keys with their values, and the files that they name.
    fn laid_out(&self, directory: &Path) -> Result<(Keys, Vec<Private>)> {
        let mut keys: Keys = Vec::new();
        let mut private = Vec::new();
        if let Some((host, _)) = &self.mnt {
            keys.push(("mnt_host", host.clone()));
        }
        let mut keep = |keys: &mut Keys, kept: &Kept, file, command| {
            match &kept.place {
                Place::Asked => return Ok(()),
                Place::Command(words) => keys.push((command, words.clone())),
                Place::File => {
                    let name = format!("{}.{}", self.name, str::replace(file, "_file", ""));
                    let path = directory.join(name.replace('_', "-"));
                    keys.push((file, text(&path)?));
                    let line = format!("{}\n", kept.secret.expose_secret());
                    private.push(Private {
                        path,
                        content: Zeroizing::new(line.into_bytes()),
                    });
                }
            }
            Ok::<(), Error>(())
        };
        if let Some((user, password)) = &self.login {
            keys.push(("mnt_user", user.clone()));
            keep(
                &mut keys,
                password,
                "mnt_password_file",
                "mnt_password_command",
            )?;
        }
        if !self.nodes.is_empty() {
            let hosts: Vec<&str> = self.nodes.iter().map(|(host, _)| host.as_str()).collect();
            keys.push(("pxgrid_hosts", hosts.join(",")));
        }
        match &self.who {
            Some(Who::Certificate {
                cert,
                key,
                passphrase,
                name,
            }) => {
                keys.push(("cert", text(cert)?));
                if let Some(key) = key {
                    keys.push(("key", text(key)?));
                }
                if let Some(passphrase) = passphrase {
                    keep(
                        &mut keys,
                        passphrase,
                        "key_password_file",
                        "key_password_command",
                    )?;
                }
                keys.extend(name.clone().map(|name| ("client_name", name)));
            }
            Some(Who::Password { name, password }) => {
                keys.push(("client_name", name.clone()));
                if let Some(secret) = password {
                    let kept = Kept {
                        place: Place::File,
                        secret: secret.clone(),
                    };
                    keep(
                        &mut keys,
                        &kept,
                        "client_password_file",
                        "client_password_command",
                    )?;
                }
            }
            None => {}
        }
        match &self.trust {
            Trust::System => {}
            Trust::File(path) => keys.push(("cacert", text(path)?)),
            Trust::Pin(pin) => keys.push(("pin_sha256", hexadecimal(pin))),
            Trust::Roots(roots) => {
                let path = directory.join(format!("{}.ca.pem", self.name));
                keys.push(("cacert", text(&path)?));
                let content = roots.iter().map(|der| pem(der)).collect::<String>();
                private.push(Private {
                    path,
                    content: Zeroizing::new(content.into_bytes()),
                });
            }
        }
        keys.extend(self.options.iter().cloned());
        Ok((keys, private))
    }

    /// The profile for a last look: `key = value`, without secrets.
    pub(super) fn summary(&self, directory: &Path) -> Result<Vec<String>> {
        let (keys, _) = self.laid_out(directory)?;
        Ok(keys
            .iter()
            .map(|(key, value)| format!("  {key} = {value}"))
            .collect())
    }

    /// Writes files and configuration; a signal that comes meanwhile waits until they are there.
    ///
    /// Errors: [`Kind::Failed`] for what cannot be written: then nothing was.
    pub(super) fn write(&self, config: &Path) -> Result<()> {
        let directory = directory(config);
        let (keys, private) = self.laid_out(&directory)?;
        let mut file = ConfigFile::open(config)?;
        for key in KEYS {
            let set = keys.iter().any(|(known, _)| *known == key);
            if !set {
                file.unset(&self.name, key);
            }
        }
        for (key, value) in &keys {
            file.set(&self.name, key, value)?;
        }
        if self.default {
            file.use_profile(&self.name)?;
        }
        let cannot = |path: &Path, error: &std::io::Error| {
            let path = files::display_path(path);
            Error::new(Kind::Failed, format!("cannot write {path}: {error}"))
        };
        make_private_directory(&directory).map_err(|error| cannot(&directory, &error))?;
        let mut ready = Vec::new();
        for Private { path, content } in &private {
            let made = tempfile::NamedTempFile::new_in(&directory).and_then(|mut made| {
                made.write_all(content)?;
                made.as_file().sync_all()?;
                Ok(made)
            });
            ready.push((made.map_err(|error| cannot(path, &error))?, path));
        }
        let signals = signals::Held::begin().map_err(|error| cannot(config, &error))?;
        let mut there = Vec::new();
        let mut written = Ok(());
        for (made, path) in ready {
            let new = !path.exists();
            written = made
                .persist(path)
                .map(drop)
                .map_err(|error| cannot(path, &error.error));
            if written.is_err() {
                break;
            }
            there.extend(new.then_some(path));
        }
        let written = written.and_then(|()| file.write());
        if written.is_err() {
            for path in there {
                // What cannot be taken away either is named by the error.
                let _left = std::fs::remove_file(path);
            }
        }
        signals.end();
        written
    }
}

/// Where the configuration's file is, and those of its profiles.
pub(super) fn directory(config: &Path) -> PathBuf {
    let parent = config
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    std::path::absolute(parent).unwrap_or_else(|_| parent.to_owned())
}

/// A profile holds text only.
fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Error::usage(format!(
            "{} is no UTF-8, which a profile cannot hold",
            files::display_path(path)
        ))
    })
}

/// A certificate as PEM (RFC 7468).
fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, further) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = further;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _always = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_written_as_others_read_them() {
        let text = pem(&[7; 100]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5);
        assert!(lines.iter().all(|line| line.len() <= 64));
        assert_eq!(hexadecimal(&[0, 255, 16]), "00ff10");
    }
}
