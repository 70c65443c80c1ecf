//! Secrets that are no setting: asked for, in a file that an option names, on standard input, or
//! printed by a command. How each is read is [`super::secret`]'s affair.

use std::io::BufRead;
use std::path::Path;

use secrecy::SecretString;

use super::Settings;
use super::secret::{self, Secret};
use crate::error::Result;

impl Settings {
    /// Asks on the terminal for a secret that turned out to be needed (the passphrase of a key).
    /// `what` begins the question.
    pub fn ask(&self, what: &str) -> Result<SecretString> {
        let what = self.layers.of_profile(what);
        secret::ask(&what, &self.layers.environment, self.layers.flags.no_input)
    }

    /// Whether [`Self::ask`] has somebody to ask.
    pub fn may_ask(&self) -> bool {
        secret::may_ask(&self.layers.environment, self.layers.flags.no_input)
    }

    /// The first line of a file that `option` names, read as all passwords are. What the user
    /// should be warned of is added to `warnings`.
    pub fn secret_of_file(
        &self,
        path: &Path,
        option: &'static str,
        warnings: &mut Vec<String>,
    ) -> Result<SecretString> {
        let secret = Secret::of_file(path, option);
        secret.fetch(&self.layers.environment, true, warnings)
    }

    /// The same of standard input.
    pub fn secret_of_stdin(input: &mut impl BufRead, option: &'static str) -> Result<SecretString> {
        Secret::of_input(input, option, "standard input")
    }

    /// The first line that a command prints, which is to be named in a profile.
    pub fn secret_of_command(&self, words: &[String]) -> Result<SecretString> {
        Secret::of_command(words, &self.layers.environment)
    }
}
