//! The shell of `lab run` without a command: the user's own, its prompt marked, and after its
//! start-up files the lab's settings again, since those files may name a real deployment. It starts
//! nothing itself.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::IsTerminal;
use std::path::Path;

use tempfile::TempDir;

use crate::error::{Error, Kind, Result};

/// What stands before the prompt.
const MARK: &str = "(lab) ";

/// A shell to run.
#[derive(Debug)]
pub(super) struct Shell {
    /// The program and its arguments.
    pub(super) command: Vec<OsString>,
    /// Variables that it needs beside the lab's.
    pub(super) environment: Vec<(&'static str, OsString)>,
    /// Whether somebody types into it.
    pub(super) interactive: bool,
    /// The start-up files, for as long as it runs.
    _files: Option<TempDir>,
}

impl Shell {
    /// `$SHELL`, or `/bin/sh`: marked on a terminal, as it is where its commands come from a pipe.
    /// `exports` are the lab's variables, `path` is the directory of this program.
    pub(super) fn of_user(exports: &[(&str, String)], path: Option<&Path>) -> Result<Self> {
        let program = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
        let program = program.unwrap_or_else(|| "/bin/sh".into());
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Ok(Self {
                command: vec![program],
                environment: Vec::new(),
                interactive: false,
                _files: None,
            });
        }
        let files = tempfile::Builder::new()
            .prefix("netapi-lab-shell-")
            .tempdir()
            .map_err(|error| cannot_start(&error))?;
        let start = Start {
            directory: files.path(),
            exports,
            path: path.and_then(Path::to_str),
        };
        let (arguments, environment) = start.of(&program)?;
        let mut command = vec![program];
        command.extend(arguments);
        Ok(Self {
            command,
            environment,
            interactive: true,
            _files: Some(files),
        })
    }
}

/// Arguments and variables that a shell is started with.
type Beginning = (Vec<OsString>, Vec<(&'static str, OsString)>);

/// What start-up files are made of.
struct Start<'a> {
    directory: &'a Path,
    exports: &'a [(&'a str, String)],
    path: Option<&'a str>,
}

impl Start<'_> {
    /// For this program. A shell that nobody here knows starts as it is: its environment is right,
    /// its prompt is not marked.
    fn of(&self, program: &OsStr) -> Result<Beginning> {
        let name = Path::new(program).file_name().and_then(OsStr::to_str);
        match name.unwrap_or_default() {
            "bash" => {
                let file = self.write("bashrc", &self.bash())?;
                let arguments = vec!["--rcfile".into(), file, "-i".into()];
                Ok((arguments, Vec::new()))
            }
            "zsh" => {
                let old = std::env::var("ZDOTDIR").ok();
                self.write(".zshenv", &zshenv(old.as_deref(), self.directory))?;
                self.write(".zshrc", &self.zshrc(old.as_deref()))?;
                let environment = vec![("ZDOTDIR", self.directory.into())];
                Ok((vec!["-i".into()], environment))
            }
            "fish" => {
                let file = self.write("config.fish", &self.fish())?;
                let mut source = OsString::from("source ");
                source.push(file);
                Ok((
                    vec!["-i".into(), "--init-command".into(), source],
                    Vec::new(),
                ))
            }
            "sh" | "dash" | "ash" | "ksh" | "mksh" => {
                let old = std::env::var("ENV").ok();
                let file = self.write("shrc", &self.posix(old.as_deref()))?;
                Ok((vec!["-i".into()], vec![("ENV", file)]))
            }
            _ => Ok((Vec::new(), Vec::new())),
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<OsString> {
        let path = self.directory.join(name);
        fs::write(&path, text).map_err(|error| cannot_start(&error))?;
        Ok(path.into())
    }

    /// How names of variables begin that lead elsewhere: to a NATS server only where the lab has its
    /// own.
    fn foreign(&self) -> &'static [&'static str] {
        if self.exports.iter().any(|(name, _)| *name == "NATS_URL") {
            &["ISE", "PXGRID", "NETAPI", "NATS"]
        } else {
            &["ISE", "PXGRID", "NETAPI"]
        }
    }

    /// The lab's settings and nobody else's, in the language of POSIX shells.
    fn settings(&self) -> String {
        let prefixes = self.foreign().iter();
        let prefixes =
            prefixes.map(|prefix| format!(" -e 's/^\\({prefix}_[A-Za-z0-9_]*\\)=.*/\\1/p'"));
        let foreign = format!(
            "for netapi_name in $(env | sed -n{}); do\n\
             \x20   [ \"$netapi_name\" = NETAPI_READ_ONLY ] || unset \"$netapi_name\"\n\
             done\nunset netapi_name\n",
            prefixes.collect::<String>()
        );
        let ours = self.exports.iter();
        let ours = ours.map(|(name, value)| super::up::export(name, value));
        let path = self
            .path
            .map(|path| format!("PATH={}:$PATH; export PATH\n", quoted(path)));
        let lines = std::iter::once(foreign).chain(ours).chain(path);
        lines.collect()
    }

    fn bash(&self) -> String {
        // Prompts are often made anew before each line. Whatever does so may end in a semicolon, so
        // ours stands on a line of its own.
        format!(
            "[ ! -r ~/.bashrc ] || . ~/.bashrc\n{}\
             netapi_lab_prompt() {{ case $PS1 in '{MARK}'*) ;; *) PS1=\"{MARK}$PS1\" ;; esac; }}\n\
             PROMPT_COMMAND=\"${{PROMPT_COMMAND:+$PROMPT_COMMAND\n}}netapi_lab_prompt\"\n",
            self.settings()
        )
    }

    fn zshrc(&self, old: Option<&str>) -> String {
        format!(
            "{}\n[[ ! -r ${{ZDOTDIR:-$HOME}}/.zshrc ]] || . ${{ZDOTDIR:-$HOME}}/.zshrc\n{}\
             netapi_lab_prompt() {{ [[ $PROMPT == '{MARK}'* ]] || PROMPT=\"{MARK}$PROMPT\" }}\n\
             typeset -ga precmd_functions\nprecmd_functions+=(netapi_lab_prompt)\n",
            zdotdir(old),
            self.settings()
        )
    }

    fn posix(&self, old: Option<&str>) -> String {
        let old = old.map_or_else(String::new, |old| {
            let old = quoted(old);
            format!("ENV={old}\n[ ! -r {old} ] || . {old}\n")
        });
        format!("{old}{}PS1=\"{MARK}${{PS1-\\$ }}\"\n", self.settings())
    }

    fn fish(&self) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
        let foreign = format!(
            "for netapi_name in (set --names --export | string match -r '^(?:{})_.*')\n\
             \x20   test $netapi_name = NETAPI_READ_ONLY; or set -e $netapi_name\nend\n",
            self.foreign().join("|")
        );
        let ours = self.exports.iter();
        let ours = ours.map(|(name, value)| format!("set -gx {name} {}\n", quoted(value)));
        let path = self
            .path
            .map(|path| format!("set -gx PATH {} $PATH\n", quoted(path)));
        let prompt = format!(
            "functions -c fish_prompt netapi_lab_own_prompt\n\
             function fish_prompt\n    echo -n '{MARK}'\n    netapi_lab_own_prompt\nend\n"
        );
        let lines = std::iter::once(foreign).chain(ours);
        lines.chain(path).chain([prompt]).collect()
    }
}

/// The user's own environment file, from where it is; then ours is next again.
fn zshenv(old: Option<&str>, ours: &Path) -> String {
    format!(
        "{}\n[[ ! -r ${{ZDOTDIR:-$HOME}}/.zshenv ]] || . ${{ZDOTDIR:-$HOME}}/.zshenv\nZDOTDIR={}\n",
        zdotdir(old),
        quoted(&ours.to_string_lossy())
    )
}

fn zdotdir(old: Option<&str>) -> String {
    old.map_or_else(
        || "unset ZDOTDIR".to_owned(),
        |old| format!("ZDOTDIR={}", quoted(old)),
    )
}

/// For POSIX shells.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn cannot_start(error: &std::io::Error) -> Error {
    Error::new(
        Kind::Failed,
        format!("cannot write the start-up files of the lab's shell: {error}"),
    )
    .hint("name the command yourself: netapi ise lab run -- bash")
}
