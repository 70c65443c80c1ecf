//! `netapi config init`: a conversation that ends with a profile that works. Each answer is tried
//! where it can be, can be gone back on, and is written only at the end, whole.
//!
//! | part | holds |
//! | --- | --- |
//! | `terminal` | questions and answers |
//! | `draft` | what was answered, and how it is written |
//! | `trust` | whom to trust |
//! | `pxgrid` | nodes, our name there, the account |

mod draft;
mod pxgrid;
mod terminal;
mod trust;

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use self::draft::{Draft, Kept, Place};
use self::terminal::Terminal;
use self::trust::Settled;
use crate::cli::context::DONE;
use crate::cli::global::Global;
use crate::cli::stderr::Stderr;
use crate::cli::{Cli, Context};
use crate::error::{Error, Kind, Result};
use crate::mnt::documents::node_type;
use crate::record::Collect;
use crate::settings::{self, ConfigFile, Connection, Environment, MntSettings};

/// The port of the Monitoring node.
const PORT: u16 = 443;

/// Arguments of `init`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi config init
  netapi config init --profile plant
  netapi config init --template    # a file to fill in, without a question

It asks for the Monitoring node, shows its certificate and keeps what you trust,
tries user and password, does the same with pxGrid (certificate or account), and
runs doctor. Nothing is written before the last answer: '<' goes back, Ctrl-C
leaves. A profile that is there is changed.")]
pub(crate) struct Init {
    /// Ask nothing: write a commented configuration file to fill in; never overwrites
    #[arg(long)]
    template: bool,
}

/// What came of a step.
enum Turn {
    /// Its question was answered.
    Asked,
    /// There was nothing to ask.
    Unasked,
    /// Back to the question before.
    Back,
}

/// What to do about something that did not work.
enum Next {
    Again,
    Keep,
    Back,
}

/// See the module's documentation.
struct Conversation<'c> {
    context: &'c Context,
    terminal: Terminal,
    /// Name overrides, proxy and time limits, without trust.
    way: Connection,
    file: ConfigFile,
    /// The profile that `--profile` names.
    wanted: Option<String>,
    draft: Draft,
}

impl Init {
    /// Asks, tries, writes.
    pub(super) fn run(&self, global: &Global, stderr: Stderr) -> Result<ExitCode> {
        let path = super::path(global)?;
        if self.template {
            settings::init(&path)?;
            let reporter = crate::cli::report::Reporter::new(global, stderr);
            reporter.note(&format!("wrote {}; now fill it in", path.display()));
            return Ok(DONE);
        }
        // A configuration that is wrong is said before the first question.
        let file = ConfigFile::open(&path)?;
        let context = Context::new(alone(global, &path, &file), stderr.clone())?;
        let width = context.style().screen.width;
        let terminal = Terminal::open(global.no_input, width)?;
        let mut conversation = Conversation {
            way: context.settings.way()?,
            context: &context,
            terminal,
            file,
            wanted: global.profile.clone(),
            draft: Draft::new(options(global)),
        };
        conversation.hold(&path)?;
        let (name, pxgrid) = (
            conversation.draft.name.clone(),
            conversation.draft.who.is_some(),
        );
        let mut terminal = conversation.terminal;
        terminal.say(&format!(
            "The profile {name} is written to {}.",
            path.display()
        ))?;
        terminal.say("")?;
        let code = doctor(&name, &path, stderr.clone())?;
        farewell(&mut terminal, &name, &path, pxgrid, stderr)?;
        Ok(code)
    }
}

impl Conversation<'_> {
    /// Asks all there is to ask, and writes the profile.
    fn hold(&mut self, path: &Path) -> Result<()> {
        self.terminal.say(
            "A few questions make a profile. Enter takes what stands in brackets, '<' goes back to the question before, Ctrl-C ends it; nothing is written before the last answer.",
        )?;
        self.terminal.say("")?;
        let mut asked: Vec<usize> = Vec::new();
        let mut at = 0;
        loop {
            let turn = match at {
                0 => self.name_of_profile()?,
                1 => self.monitoring_node()?,
                2 => self.log_in()?,
                3 => self.nodes()?,
                4 => self.identity()?,
                5 => self.account()?,
                6 => self.default()?,
                7 => self.write(path)?,
                _ => return Ok(()),
            };
            match turn {
                Turn::Asked => {
                    asked.push(at);
                    at += 1;
                }
                Turn::Unasked => at += 1,
                Turn::Back => at = asked.pop().unwrap_or(at),
            }
        }
    }

    /// What the profile says already.
    fn known(&self, key: &str) -> Option<String> {
        self.file.get(&self.draft.name, key)
    }

    fn name_of_profile(&mut self) -> Result<Turn> {
        let known = self
            .wanted
            .clone()
            .or_else(|| self.file.default_profile().map(str::to_owned));
        let default = known.unwrap_or_else(|| "ise".to_owned());
        let name = self
            .terminal
            .checked("Name of the profile", Some(&default), |name| {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
                if name.chars().all(plain) {
                    Ok(name.to_owned())
                } else {
                    Err(Error::usage("letters, digits, '-' and '_' make a name"))
                }
            })?;
        let Some(name) = name else {
            self.terminal.say("This is the first question.")?;
            return Ok(Turn::Back);
        };
        if self.file.profiles().iter().any(|one| one.name == name) {
            self.terminal.say(&format!(
                "{name} is there already: its values are offered, and changed at the end."
            ))?;
        }
        self.draft.name = name;
        Ok(Turn::Asked)
    }

    /// The Monitoring node, and whether it can be trusted.
    fn monitoring_node(&mut self) -> Result<Turn> {
        loop {
            let default = self.context.global.mnt_host.clone().or_else(|| {
                let host = self.known("mnt_host")?;
                Some(match self.known("mnt_port") {
                    Some(port) => format!("{host}:{port}"),
                    None => host,
                })
            });
            let question = "Monitoring node (host or host:port)";
            let read = |text: &str| pxgrid::server(text, PORT);
            let Some(node) = self.terminal.checked(question, default.as_deref(), read)? else {
                return Ok(Turn::Back);
            };
            self.draft.seen.clear();
            self.draft.trust = draft::Trust::System;
            match self.settle(&node.1, None)? {
                Settled::Back => continue,
                Settled::Reached => self.draft.reached = true,
                Settled::Unchecked => self.draft.reached = false,
            }
            self.draft.mnt = Some(node);
            return Ok(Turn::Asked);
        }
    }

    /// User and password, tried once each time they are typed: enough wrong ones lock the account.
    fn log_in(&mut self) -> Result<Turn> {
        self.terminal.say("")?;
        loop {
            let user = self.context.global.mnt_user.clone();
            let default = user.or_else(|| self.known("mnt_user"));
            let question = "User, an internal administrator of ISE (role MnT Admin)";
            let read = |user: &str| {
                if crate::transport::is_basic_user(user) {
                    Ok(user.to_owned())
                } else {
                    Err(Error::usage(
                        "a user name has no colon and no control character",
                    ))
                }
            };
            let Some(user) = self.terminal.checked(question, default.as_deref(), read)? else {
                return Ok(Turn::Back);
            };
            let Some(kept) = self.secret(&format!("Password of {user}"))? else {
                continue;
            };
            if self.draft.reached {
                match self.try_login(&user, &kept) {
                    Ok(words) => self.terminal.say(&words)?,
                    Err(error) => match self.whether_to_repeat(&error)? {
                        Next::Again => continue,
                        Next::Keep => {}
                        Next::Back => return Ok(Turn::Back),
                    },
                }
            }
            self.draft.login = Some((user, kept));
            return Ok(Turn::Asked);
        }
    }

    /// Asks the node what it is, with these credentials.
    fn try_login(&self, user: &str, kept: &Kept) -> Result<String> {
        let Some((_, node)) = &self.draft.mnt else {
            return Err(Error::usage("there is no Monitoring node yet"));
        };
        let client = self.client(None, Some(&self.draft.trust))?;
        let client = crate::cli::context::mnt_over(
            client,
            MntSettings {
                node: node.clone(),
                user: user.to_owned(),
                password: kept.secret.clone(),
                connection: self.way.clone(),
            },
        );
        let answer = self.context.run(client.version())?;
        let text = |name: &str| answer.record.text(name).unwrap_or_default().into_owned();
        let role = node_type(&text("type_of_node")).unwrap_or("unknown");
        Ok(format!(
            "{user} is let in: {} {}, role {role}.",
            text("name"),
            text("version")
        ))
    }

    /// A secret, and how it is to be had from now on.
    fn secret(&mut self, what: &str) -> Result<Option<Kept>> {
        let how = self.terminal.choose(
            &format!("{what}: how is it to be had?"),
            &[
                "from a file beside the configuration that only you can read (0600)",
                "from a command that prints it, such as: pass show ise",
                "it is asked for each time",
            ],
        )?;
        let place = match how {
            None => return Ok(None),
            Some(1) => {
                let settings = &self.context.settings;
                let printed = self.terminal.checked("Command", None, |line| {
                    let words = shlex::split(line)
                        .ok_or_else(|| Error::usage("a quote in it has no end"))?;
                    let secret = settings.secret_of_command(&words)?;
                    Ok(Kept {
                        place: Place::Command(line.to_owned()),
                        secret,
                    })
                })?;
                return Ok(printed);
            }
            Some(0) => Place::File,
            Some(_) => Place::Asked,
        };
        let secret = Terminal::secret(&format!("{what} (Enter goes back)"))?;
        Ok(secret.map(|secret| Kept { place, secret }))
    }

    /// Whether this profile is used without `--profile`; not asked of the first.
    fn default(&mut self) -> Result<Turn> {
        let name = self.draft.name.clone();
        let others = self.file.profiles().iter().any(|one| one.name != name);
        if !others || self.file.default_profile() == Some(&name) {
            self.draft.default = !others;
            return Ok(Turn::Unasked);
        }
        let question = format!("Use {name} where no --profile is given?");
        match self.terminal.yes(&question)? {
            Some(answer) => {
                self.draft.default = answer;
                Ok(Turn::Asked)
            }
            None => Ok(Turn::Back),
        }
    }

    fn write(&mut self, path: &Path) -> Result<Turn> {
        self.terminal.say("")?;
        for line in self.draft.summary(&draft::directory(path))? {
            self.terminal.say(&line)?;
        }
        let question = format!("Write this to {}?", path.display());
        match self.terminal.yes(&question)? {
            Some(true) => {}
            _ => return Ok(Turn::Back),
        }
        if let Err(error) = self.draft.write(path) {
            return match self.whether_to_repeat(&error)? {
                Next::Back => Ok(Turn::Back),
                _ => Err(error),
            };
        }
        Ok(Turn::Asked)
    }

    fn whether_to_repeat(&mut self, error: &Error) -> Result<Next> {
        self.terminal.error(error)?;
        self.repeat_or_keep("try again", "keep it all the same")
    }

    fn repeat_or_keep(&mut self, again: &str, keep: &str) -> Result<Next> {
        let next = self
            .terminal
            .choose("What now?", &[again, keep, "go back"])?;
        Ok(match next {
            Some(0) => Next::Again,
            Some(1) => Next::Keep,
            _ => Next::Back,
        })
    }
}

/// The options of the conversation's own connections: those of the profile where it is there, and
/// none of the environment that are another deployment's.
fn alone(global: &Global, path: &Path, file: &ConfigFile) -> Global {
    let mut global = global.clone();
    let known = |name: &String| file.profiles().iter().any(|one| one.name == *name);
    if global.profile.as_ref().is_some_and(known) {
        global.config = Some(path.to_owned());
    } else {
        // Nothing of another profile, the one in use included.
        global.config = Some("/dev/null".into());
        global.profile = None;
    }
    global.profile_alone = true;
    global
}

/// Options that are part of the way to the deployment, as keys of the profile.
fn options(global: &Global) -> Vec<(&'static str, String)> {
    let path = |path: &Option<std::path::PathBuf>| Some(path.as_ref()?.to_str()?.to_owned());
    let resolve = (!global.resolve.is_empty()).then(|| global.resolve.join(","));
    let given = [
        ("resolve", resolve),
        ("proxy", global.proxy.clone()),
        ("proxy_cacert", path(&global.proxy_cacert)),
        (
            "proxy_credentials_file",
            path(&global.proxy_credentials_file),
        ),
        ("connect_timeout", global.connect_timeout.clone()),
        ("timeout", global.timeout.clone()),
        ("read_only", global.read_only.then(|| "true".to_owned())),
    ];
    let given = given.into_iter();
    given
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}

/// The context of a command that uses the new profile and nothing else.
fn of_profile(name: &str, path: &Path, stderr: Stderr) -> Result<Context> {
    use clap::Parser;
    let words = ["netapi", "ise", "doctor", "--profile", name];
    let cli = Cli::try_parse_from(words)
        .map_err(|_| Error::new(Kind::Failed, "the command line was read in two ways"))?;
    let mut global = cli.global;
    global.config = Some(path.to_owned());
    global.profile_alone = true;
    Context::new(global, stderr)
}

fn doctor(name: &str, path: &Path, stderr: Stderr) -> Result<ExitCode> {
    let context = of_profile(name, path, stderr)?;
    crate::cli::ise::Ise::doctor(&context)
}

/// What can be done now.
fn farewell(
    terminal: &mut Terminal,
    name: &str,
    path: &Path,
    pxgrid: bool,
    stderr: Stderr,
) -> Result<()> {
    let environment = Environment::capture();
    let unused: Vec<&str> = environment.of_one_deployment().collect();
    if !unused.is_empty() {
        terminal.say(&format!(
            "Variables win over the profile; unset these where they mean another deployment: {}",
            unused.join(", ")
        ))?;
    }
    terminal.say("")?;
    terminal.say("Try:")?;
    let default = ConfigFile::open(path)?.default_profile() == Some(name);
    let more = if default {
        String::new()
    } else {
        format!(" --profile {name}")
    };
    terminal.say(&format!("  netapi ise mnt sessions{more}"))?;
    if !pxgrid {
        return Ok(());
    }
    let context = of_profile(name, path, stderr)?;
    let policies = context.run(async {
        let client = context.pxgrid()?;
        let all = Collect::default();
        let (all, outcome) = client.list("anc", "getPolicies", &json!({}), all).await;
        outcome.map(|_| all.records)
    });
    let policies = policies.unwrap_or_default();
    let mut names = policies.iter().filter_map(|one| one.text("name"));
    match names.next() {
        Some(policy) => {
            terminal.say(&format!(
                "  netapi ise pxgrid anc apply --mac MAC --policy {policy}{more}"
            ))?;
            terminal.say(&format!("  netapi ise pxgrid anc clear --mac MAC{more}"))
        }
        None => terminal.say(&format!("  netapi ise pxgrid sessions{more}")),
    }
}
