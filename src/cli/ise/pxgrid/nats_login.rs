//! How to log in to NATS: the options of every command that has a stream, which is in a group of
//! arguments of that name.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Context;
use crate::error::{Error, Kind, Result};
use crate::nats::Login;
use crate::nats::connection::Proof;
use crate::settings::{NatsFlags, NatsLogin};
use crate::transport::identity::read_identity;
use crate::transport::{Tls, TlsOptions, provider};

/// See the module's documentation.
#[allow(clippy::struct_field_names, reason = "a field is named as its option")]
#[derive(Args, Debug)]
#[command(next_help_heading = "Login to NATS")]
pub(super) struct NatsLoginArgs {
    /// Log in to NATS with this credentials file [env: NATS_CREDS]
    #[arg(long, value_name = "FILE", requires = "stream", conflicts_with_all = ["nats_nkey", "nats_user"], hide_short_help = true)]
    nats_creds: Option<PathBuf>,
    /// Log in to NATS with the seed in this file [env: NATS_NKEY]
    #[arg(
        long,
        value_name = "FILE",
        requires = "stream",
        conflicts_with = "nats_user",
        hide_short_help = true
    )]
    nats_nkey: Option<PathBuf>,
    /// Log in to NATS as this user
    #[arg(long, value_name = "NAME", requires = "stream", hide_short_help = true)]
    nats_user: Option<String>,
    /// The user's password is the first line of this file; - for standard input
    #[arg(
        long,
        value_name = "FILE",
        requires = "nats_user",
        hide_short_help = true
    )]
    nats_password_file: Option<PathBuf>,
    /// The CA of NATS servers that speak TLS [env: NATS_CA]
    #[arg(long, value_name = "FILE", requires = "stream", hide_short_help = true)]
    nats_cacert: Option<PathBuf>,
    /// A client certificate for NATS servers that want one [env: NATS_CERT]
    #[arg(long, value_name = "FILE", requires = "stream", hide_short_help = true)]
    nats_cert: Option<PathBuf>,
    /// Its private key [env: NATS_KEY]
    #[arg(long, value_name = "FILE", requires = "stream", hide_short_help = true)]
    nats_key: Option<PathBuf>,
}

impl NatsLoginArgs {
    /// What they come to. Reads files; connects to nothing.
    pub(super) fn login(&self, context: &Context) -> Result<Login> {
        let settings = context.settings.nats(&NatsFlags {
            creds: self.nats_creds.clone(),
            nkey: self.nats_nkey.clone(),
            user: self.nats_user.clone(),
            password_file: self.nats_password_file.clone(),
            ca: self.nats_cacert.clone(),
            cert: self.nats_cert.clone(),
            key: self.nats_key.clone(),
        })?;
        for warning in &settings.warnings {
            context.reporter.warn(warning);
        }
        let mut options = TlsOptions {
            ca: settings.ca,
            ..TlsOptions::default()
        };
        if let Some((certificate, key)) = &settings.certificate {
            let files = read_identity(certificate, key.as_deref())?;
            let password = if files.needs_password() {
                let file = key.as_deref().unwrap_or(certificate);
                let asked = format!("Passphrase of {}", file.display());
                Some(context.settings.ask(&asked)?)
            } else {
                None
            };
            options.identity = Some(files.open(password.as_ref())?.0);
        }
        let tls = Tls::new(&options)?;
        for note in tls.notes() {
            context.reporter.warn(note);
        }
        let (mut config, handshake) = match tls.config() {
            // Only servers that speak TLS need it, and then it is said what lacks.
            Err(error) if error.kind() == Kind::Tls => (trusts_nobody()?, tls.no_handshake()),
            other => other?,
        };
        config.alpn_protocols.clear();
        Ok(Login {
            name: "netapi".to_owned(),
            proof: match settings.login {
                NatsLogin::None => Proof::None,
                NatsLogin::Credentials { file, text } => Proof::Credentials { file, text },
                NatsLogin::Nkey(seed) => Proof::Nkey(seed),
                NatsLogin::Password(user, password) => Proof::Password(user, password),
            },
            tls: config,
            seen: handshake,
        })
    }
}

/// For a system without any trusted certificates.
fn trusts_nobody() -> Result<rustls::ClientConfig> {
    let builder = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::new(Kind::Failed, "cannot set up TLS"))?;
    Ok(builder
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}
