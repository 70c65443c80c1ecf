//! Where a shell looks for the script that completes a command.

use std::path::{Path, PathBuf};

use super::Shell;
use crate::error::{Error, Kind, Result};

/// The directories that a user's files are in.
#[derive(Debug)]
pub(super) struct Homes {
    home: PathBuf,
    config: PathBuf,
    data: PathBuf,
    /// Where zsh has its startup files.
    zsh: PathBuf,
}

impl Homes {
    pub(super) fn capture() -> Result<Self> {
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let home = home.ok_or_else(|| {
            Error::usage("no home directory is known, so there is no place to install to")
                .hint("set HOME, or print the script and put it where your shell looks")
        })?;
        let absolute = |name: &str| {
            let path = std::env::var_os(name).map(PathBuf::from);
            path.filter(|path| path.is_absolute())
        };
        Ok(Self {
            config: absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")),
            data: absolute("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share")),
            zsh: absolute("ZDOTDIR").unwrap_or_else(|| home.clone()),
            home,
        })
    }
}

/// What was done, and what is left to do.
#[derive(Debug)]
pub(super) struct Installed {
    pub(super) file: PathBuf,
    pub(super) next: String,
}

/// Writes the script. No startup file of the user's is changed.
pub(super) fn install(shell: Shell, script: &str, homes: &Homes) -> Result<Installed> {
    let file = match shell {
        Shell::Bash => homes.data.join("bash-completion/completions/netapi"),
        Shell::Zsh => homes.home.join(".zfunc/_netapi"),
        Shell::Fish => homes.config.join("fish/completions/netapi.fish"),
        Shell::Powershell => homes.data.join("netapi/completion.ps1"),
        Shell::Elvish => homes.config.join("elvish/lib/netapi-completion.elv"),
    };
    write(&file, script).map_err(|error| {
        Error::new(
            Kind::Failed,
            format!("cannot write {}: {error}", file.display()),
        )
    })?;
    let next = next(shell, &file, homes);
    Ok(Installed { file, next })
}

fn write(file: &Path, script: &str) -> std::io::Result<()> {
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(file, script)
}

fn next(shell: Shell, file: &Path, homes: &Homes) -> String {
    match shell {
        Shell::Bash => "new shells complete netapi, where bash-completion is installed".to_owned(),
        Shell::Fish => "new shells complete netapi".to_owned(),
        Shell::Zsh => {
            let startup = homes.zsh.join(".zshrc");
            let text = std::fs::read_to_string(&startup).unwrap_or_default();
            if text.contains(".zfunc") {
                "new shells complete netapi".to_owned()
            } else {
                format!(
                    "add to {}, before compinit if it is there: fpath+=(~/.zfunc); autoload -Uz compinit; compinit",
                    startup.display()
                )
            }
        }
        Shell::Powershell => format!("add to $PROFILE: . '{}'", file.display()),
        Shell::Elvish => "add to rc.elv: use netapi-completion".to_owned(),
    }
}
