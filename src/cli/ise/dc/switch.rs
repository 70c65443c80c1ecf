//! `netapi ise dc enable|disable|password|expiry`: the settings of Data Connect on the
//! administration node.

use std::path::PathBuf;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::control::Control;
use crate::cli::Context;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::render::{Column, column};
use crate::settings::Settings;

const COLUMNS: &[Column] = &[column("DONE", "message")];

/// The option that names the new password's file, for messages.
const FILE: &str = "--new-password-file";

/// What a password may have beside letters and digits.
const SPECIAL: &str = "#$%&*+,-.:;=?^_~";

/// Arguments.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  netapi ise dc enable     # after `netapi ise dc password`")]
pub(crate) struct Enable {}

/// Arguments.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  netapi ise dc disable")]
pub(crate) struct Disable {}

/// Arguments.
#[derive(Args, Debug)]
#[command(
    before_help = "\
Examples:
  netapi ise dc password                                  # asked for
  netapi ise dc password --new-password-file dc.password",
    after_help = "\
12 to 30 characters, with an upper-case and a lower-case letter, a digit and one
of #$%&*+,-.:;=?^_~ ; ISE refuses the last ones that were used."
)]
pub(crate) struct Password {
    /// File whose first line is the new password, '-' for standard input
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
}

/// Arguments.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  netapi ise dc expiry 365")]
pub(crate) struct Expiry {
    /// From 1 to 3650
    #[arg(value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
}

impl Enable {
    /// Changes and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let output = context.before_change(COLUMNS, &[])?;
        let said = Control::new(context)?.enable(true).await?;
        context.print_change(output, &answer(&said))
    }
}

impl Disable {
    /// Changes and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let output = context.before_change(COLUMNS, &[])?;
        let said = Control::new(context)?.enable(false).await?;
        context.print_change(output, &answer(&said))
    }
}

impl Expiry {
    /// Changes and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let output = context.before_change(COLUMNS, &[])?;
        let said = Control::new(context)?.set_expiry(self.days).await?;
        context.print_change(output, &answer(&said))
    }
}

impl Password {
    /// Changes and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        if context.global.shows_only() {
            return Err(Error::usage(
                "the new password would be in what --dry-run and --curl show",
            ));
        }
        let output = context.before_change(COLUMNS, &[])?;
        let control = Control::new(context)?;
        let password = self.new_password(context)?;
        check(password.expose_secret())?;
        let said = control.set_password(password.expose_secret()).await?;
        context.print_change(output, &answer(&said))
    }

    fn new_password(&self, context: &Context) -> Result<SecretString> {
        let Some(path) = &self.new_password_file else {
            let first = context.settings.ask("New password of Data Connect")?;
            let again = context.settings.ask("The same again")?;
            if first.expose_secret() != again.expose_secret() {
                return Err(Error::usage("the two passwords differ").hint("nothing was changed"));
            }
            return Ok(first);
        };
        if path.as_os_str() == "-" {
            return Settings::secret_of_stdin(&mut context.stdin()?, FILE);
        }
        let mut warnings = Vec::new();
        let password = context.settings.secret_of_file(path, FILE, &mut warnings);
        for warning in warnings {
            context.reporter.warn(&warning);
        }
        password
    }
}

fn answer(said: &str) -> Record {
    Record::from_value(json!({ "message": said }))
}

/// ISE's rules, looked at before anything is sent.
fn check(password: &str) -> Result<()> {
    let has = |test: fn(char) -> bool| password.chars().any(test);
    let wrong = if !(12..=30).contains(&password.chars().count()) {
        "does not have 12 to 30 characters"
    } else if !has(|c| c.is_ascii_uppercase()) {
        "has no upper-case letter"
    } else if !has(|c| c.is_ascii_lowercase()) {
        "has no lower-case letter"
    } else if !has(|c| c.is_ascii_digit()) {
        "has no digit"
    } else if !has(|c| SPECIAL.contains(c)) {
        "has none of #$%&*+,-.:;=?^_~"
    } else if has(|c| !c.is_ascii_alphanumeric() && !SPECIAL.contains(c)) {
        "has a character that ISE does not take (no @, no !, no space)"
    } else {
        return Ok(());
    };
    Err(Error::usage(format!("the new password {wrong}"))
        .hint("12 to 30 characters, with A-Z, a-z, 0-9 and one of #$%&*+,-.:;=?^_~"))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_password_keeps_to_the_rules_of_ise() {
        check("Lab-Password-1").unwrap();
        for wrong in [
            "Short-1",
            "lab-password-1",
            "LAB-PASSWORD-1",
            "Lab-Password-x",
            "LabPassword111",
            "Lab-Password-1!",
            "Lab-Password-1@",
            "Lab Password-1",
            "Lab-Password-1-and-much-more-than-30",
        ] {
            let error = check(wrong).unwrap_err();
            assert!(!error.message().contains(wrong), "{error}");
        }
    }
}
