//! What is taken in pairs: the Monitoring node's user with its password, a certificate with its
//! key.
//!
//! A pair comes whole from one place. Half a pair is a usage error that names both halves
//! (contract, section 8), except where the other half can be had: a user is asked for the password
//! where there is a terminal, and a certificate's file may hold its key.

use std::path::PathBuf;

use super::flags::one;
use super::layers::Layers;
use super::secret::{Secret, SecretPlace};
use super::source::{Setting, Source};
use super::table::{CERTIFICATE_PAIRS, MNT_PAIRS};
use super::value::RawValue;
use crate::error::{Error, Result};
use crate::transport::is_basic_user;

/// User and where the password is to be had; nothing secret has been read from a file yet.
pub(crate) struct Credentials {
    pub(crate) user: Setting<String>,
    pub(crate) password: Secret,
}

/// The Monitoring node's credentials.
pub(crate) fn mnt_credentials(layers: &Layers) -> Result<Option<Credentials>> {
    let user = RawValue::of(
        one(layers.flags.mnt_user.as_ref()),
        Source::Flag("--mnt-user"),
    );
    let password = flag_file(layers, "--password-file");
    match (user, password) {
        (Some(user), Some(password)) => complete(&user, password).map(Some),
        (Some(user), None) => {
            let user = user_of(&user)?;
            let password = password_of_same_user(layers, &user.value)?
                .unwrap_or_else(|| Secret::asked(&user.value));
            Ok(Some(Credentials { user, password }))
        }
        (None, Some(password)) => {
            let user = any_user(layers).ok_or_else(|| {
                Error::usage("--password-file is given, but no user")
                    .hint("add --mnt-user NAME, or set ISE_MNT_USER")
            })?;
            complete(&user, password).map(Some)
        }
        (None, None) => match environment_pair(layers)? {
            Some(pair) => Ok(Some(pair)),
            None => profile_pair(layers),
        },
    }
}

fn complete(user: &RawValue, password: Secret) -> Result<Credentials> {
    Ok(Credentials {
        user: user_of(user)?,
        password,
    })
}

/// A user that HTTP Basic can carry. Control characters are told apart before.
fn user_of(found: &RawValue) -> Result<Setting<String>> {
    let value = found.name()?.to_owned();
    if !is_basic_user(&value) {
        return Err(found.wrong("holds a colon, which no ISE user name can"));
    }
    Ok(Setting {
        value,
        source: found.source.clone(),
    })
}

/// The first pair of variables of which at least one is set.
fn environment_pair(layers: &Layers) -> Result<Option<Credentials>> {
    for (user_name, password_name) in MNT_PAIRS {
        for variables in layers.environments() {
            match (variables.get(user_name), variables.get(password_name)) {
                (None, None) => {}
                (Some(user), Some(password)) => {
                    return complete(&user, Secret::text(password)?).map(Some);
                }
                (Some(user), None) if layers.environment.terminal() && !layers.flags.no_input => {
                    let user = user_of(&user)?;
                    let password = Secret::asked(&user.value);
                    return Ok(Some(Credentials { user, password }));
                }
                (Some(set), None) => {
                    let error = half(&set, password_name);
                    return Err(error.hint(format!(
                        "set {password_name} as well, or give --password-file FILE; it is asked for only on a terminal, without --no-input"
                    )));
                }
                (None, Some(set)) => {
                    let error = half(&set, user_name);
                    return Err(
                        error.hint(format!("set {user_name} as well, or unset {password_name}"))
                    );
                }
            }
        }
    }
    Ok(None)
}

fn half(set: &RawValue, missing: &str) -> Error {
    Error::usage(format!(
        "{} is set, but {missing} is not: a pair is taken whole, from one place",
        set.source.name()
    ))
}

fn profile_pair(layers: &Layers) -> Result<Option<Credentials>> {
    let user = layers.in_profile("mnt_user");
    let password = profile_secret(layers, "mnt_password_file", "mnt_password_command")?;
    match (user, password) {
        (None, None) => Ok(None),
        (Some(user), Some(password)) => complete(&user, password).map(Some),
        (Some(user), None) => {
            let user = user_of(&user)?;
            let password = Secret::asked(&layers.of_profile(&user.value));
            Ok(Some(Credentials { user, password }))
        }
        (None, Some(password)) => Err(Error::usage(format!(
            "{} is set, but mnt_user is not: a pair is taken whole, from one place",
            password.source.name()
        ))
        .hint("add mnt_user to the profile")),
    }
}

/// `--mnt-user` names who; a pair of that very user supplies the password.
fn password_of_same_user(layers: &Layers, user: &str) -> Result<Option<Secret>> {
    let same = |found: &RawValue| found.text().is_ok_and(|text| text == user);
    let pairs = MNT_PAIRS.iter().flat_map(|(user_name, password_name)| {
        layers
            .environments()
            .map(|variables| (variables.get(user_name), variables.get(password_name)))
    });
    for (user, password) in pairs {
        if let (Some(user), Some(password)) = (user, password)
            && same(&user)
        {
            return Secret::text(password).map(Some);
        }
    }
    if layers
        .in_profile("mnt_user")
        .is_some_and(|user| same(&user))
    {
        return profile_secret(layers, "mnt_password_file", "mnt_password_command");
    }
    Ok(None)
}

/// The user to go with `--password-file`.
fn any_user(layers: &Layers) -> Option<RawValue> {
    MNT_PAIRS
        .iter()
        .find_map(|(user_name, _)| layers.variable(user_name))
        .or_else(|| layers.in_profile("mnt_user"))
}

/// Certificate, and its key if that is in a file of its own.
#[derive(Default)]
pub(crate) struct Certificate {
    pub(crate) certificate: Option<Setting<PathBuf>>,
    pub(crate) key: Option<Setting<PathBuf>>,
}

/// The client certificate and key: the first place that has either.
pub(crate) fn certificate(layers: &Layers) -> Result<Certificate> {
    let flags = &layers.flags;
    let given = Certificate::of(
        layers,
        RawValue::of(one(flags.cert.as_ref()), Source::Flag("--cert")),
        RawValue::of(one(flags.key.as_ref()), Source::Flag("--key")),
        "--cert",
    )?;
    if let Some(pair) = given {
        return Ok(pair);
    }
    for (certificate, key) in CERTIFICATE_PAIRS {
        for variables in layers.environments() {
            let pair = Certificate::of(
                layers,
                variables.get(certificate),
                variables.get(key),
                certificate,
            )?;
            if let Some(pair) = pair {
                return Ok(pair);
            }
        }
    }
    let (certificate, key) = (layers.in_profile("cert"), layers.in_profile("key"));
    Ok(Certificate::of(layers, certificate, key, "cert")?.unwrap_or_default())
}

impl Certificate {
    fn of(
        layers: &Layers,
        certificate: Option<RawValue>,
        key: Option<RawValue>,
        certificate_name: &str,
    ) -> Result<Option<Self>> {
        let path = |found: RawValue| -> Result<Setting<PathBuf>> {
            Ok(Setting {
                value: found.path(&layers.environment)?,
                source: found.source,
            })
        };
        match (certificate, key) {
            (None, None) => Ok(None),
            (None, Some(key)) => Err(half(&key, certificate_name)
                .hint("name the client certificate that the key belongs to")),
            (Some(certificate), key) => Ok(Some(Self {
                certificate: Some(path(certificate)?),
                key: key.map(path).transpose()?,
            })),
        }
    }
}

/// The private key's passphrase.
pub(crate) fn key_password(layers: &Layers) -> Result<Option<Secret>> {
    if let Some(secret) = flag_file(layers, "--key-password-file") {
        return Ok(Some(secret));
    }
    if let Some(found) = layers.variable("PXGRID_KEY_PASSWORD") {
        return Secret::text(found).map(Some);
    }
    profile_secret(layers, "key_password_file", "key_password_command")
}

/// The pxGrid account's password.
pub(crate) fn account_password(layers: &Layers) -> Result<Option<Secret>> {
    if let Some(secret) = flag_file(layers, "--client-password-file") {
        return Ok(Some(secret));
    }
    if let Some(found) = layers.variable("ISE_PXGRID_PASSWORD") {
        return Secret::text(found).map(Some);
    }
    profile_secret(layers, "client_password_file", "client_password_command")
}

/// The password of Data Connect's account.
pub(crate) fn data_connect_password(layers: &Layers) -> Result<Option<Secret>> {
    if let Some(secret) = flag_file(layers, "--dc-password-file") {
        return Ok(Some(secret));
    }
    if let Some(found) = layers.variable("ISE_DC_PASS") {
        return Secret::text(found).map(Some);
    }
    profile_secret(layers, "dc_password_file", "dc_password_command")
}

/// User and password for the proxy, in one text.
pub(crate) fn proxy_credentials(layers: &Layers) -> Result<Option<Secret>> {
    if let Some(secret) = flag_file(layers, "--proxy-credentials-file") {
        return Ok(Some(secret));
    }
    if let Some(found) = layers.variable("NETAPI_PROXY_CREDENTIALS_FILE") {
        return Ok(Some(Secret {
            place: SecretPlace::File(found.path(&layers.environment)?),
            source: found.source,
        }));
    }
    profile_secret(
        layers,
        "proxy_credentials_file",
        "proxy_credentials_command",
    )
}

/// Standard input has one first line: two flags cannot both mean it.
pub(crate) fn one_reader_of_stdin(layers: &Layers) -> Result<()> {
    let mut readers = [
        "--password-file",
        "--key-password-file",
        "--client-password-file",
        "--dc-password-file",
        "--proxy-credentials-file",
    ]
    .into_iter()
    .filter(|flag| {
        flag_file(layers, flag).is_some_and(|secret| matches!(secret.place, SecretPlace::Stdin))
    });
    if let (Some(first), Some(second)) = (readers.next(), readers.next()) {
        return Err(Error::usage(format!(
            "{first} - and {second} - cannot both read standard input"
        ))
        .hint("put one of the two passwords into a file"));
    }
    Ok(())
}

fn flag_file(layers: &Layers, flag: &'static str) -> Option<Secret> {
    let flags = &layers.flags;
    let path = match flag {
        "--password-file" => flags.password_file.as_ref(),
        "--key-password-file" => flags.key_password_file.as_ref(),
        "--dc-password-file" => flags.dc_password_file.as_ref(),
        "--proxy-credentials-file" => flags.proxy_credentials_file.as_ref(),
        _ => flags.client_password_file.as_ref(),
    };
    let path = path?;
    Some(Secret {
        place: if path.as_os_str() == "-" {
            SecretPlace::Stdin
        } else {
            SecretPlace::File(path.clone())
        },
        source: Source::Flag(flag),
    })
}

fn profile_secret(layers: &Layers, file: &str, command: &str) -> Result<Option<Secret>> {
    match (layers.in_profile(file), layers.in_profile(command)) {
        (None, None) => Ok(None),
        (Some(_), Some(found)) => Err(Error::usage(format!(
            "profile {}: {file} and {command} are both set",
            layers.profile.name
        ))
        .hint(format!(
            "keep one of the two; {} would be the second",
            found.source.name()
        ))),
        (Some(found), None) => Ok(Some(Secret {
            place: SecretPlace::File(found.path(&layers.environment)?),
            source: found.source,
        })),
        (None, Some(found)) => {
            layers.may_run_commands()?;
            Ok(Some(Secret {
                place: SecretPlace::Command(found.values),
                source: found.source,
            }))
        }
    }
}
