//! Several deployments asked side by side: `--profile A,B` and `--all-profiles`. Each has a thread,
//! a [`Context`] and settings of its own; their records meet in one output, which says of each row
//! whose it is. One that fails hides no other.
//!
//! What the environment has of one deployment (hosts, accounts, passwords, certificates, trust) is
//! sent to none of them: each profile stands for itself. Options that say the same are refused.
//!
//! | part | holds |
//! | --- | --- |
//! | `merged_output` | the one output |

pub(super) mod merged_output;

use std::ffi::OsString;
use std::io::{BufRead, Cursor, Read as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use self::merged_output::{MergedOutput, Output};
use super::Context;
use super::command_effects::{self, Across};
use super::context::{DONE, style};
use super::global::Global;
use super::report::Reporter;
use super::stderr::Stderr;
use crate::error::{Error, Kind, Result};
use crate::render::{Columns, Format, Shape, Style};
use crate::settings::{Environment, Settings};

/// The member and the column that say whose a record is: the name of the profile.
pub(super) const DEPLOYMENT: &str = "deployment";

/// Deployments that are asked at the same time; further ones wait for one of these.
const AT_ONCE: usize = 16;

/// The stack of a thread, as large as that of the program's first.
const STACK: usize = 8 << 20;

/// Standard input is held for all deployments, up to this size.
const MOST_INPUT: u64 = 256 << 20;

/// One of several deployments, for its [`Context`].
pub(crate) struct Deployment {
    name: String,
    place: usize,
    shared: Arc<Shared>,
}

/// What the deployments have together.
struct Shared {
    output: Output,
    stdin: OnceLock<Result<Arc<[u8]>>>,
}

impl Deployment {
    /// The name of its profile.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How to print.
    pub(super) fn style(&self) -> Style {
        self.shared.output.style()
    }

    /// The way into the one output, for records of these columns.
    ///
    /// Errors: as [`Renderer::new`](crate::render::Renderer::new).
    pub(super) fn output(&self, columns: Columns, shape: Shape) -> Result<MergedOutput> {
        self.shared.output.start(columns, shape)?;
        Ok(MergedOutput::new(self, shape))
    }

    /// The whole of standard input.
    pub(super) fn stdin(&self) -> Result<Box<dyn BufRead>> {
        let read = || -> Result<Arc<[u8]>> {
            let mut bytes = Vec::new();
            let stdin = std::io::stdin().lock();
            let read = stdin.take(MOST_INPUT + 1).read_to_end(&mut bytes);
            read.map_err(|error| Error::usage(format!("cannot read standard input: {error}")))?;
            if bytes.len() as u64 > MOST_INPUT {
                let error = Error::usage("standard input is longer than 256 MiB");
                return Err(
                    error.hint("several deployments need the whole of it: give it in parts")
                );
            }
            Ok(bytes.into())
        };
        let bytes = self.shared.stdin.get_or_init(read).clone()?;
        Ok(Box::new(Cursor::new(bytes)))
    }
}

/// The profiles that are to be asked together; `None` where one is meant, or none.
///
/// Errors: [`Kind::Usage`] for no profile at all, and for a list with nothing between two commas.
pub(super) fn named(path: &str, global: &Global) -> Result<Option<Vec<String>>> {
    if global.all_profiles {
        let settings = Settings::resolve(global.flags(), Environment::capture());
        let names = settings.profiles()?;
        if names.is_empty() {
            let file = settings.config_path()?.display().to_string();
            return Err(Error::usage(format!("{file} has no profiles"))
                .hint("`netapi config init` makes the first"));
        }
        return Ok(Some(names));
    }
    let asks = path.starts_with("ise ") && !path.starts_with("ise lab ");
    let list = match &global.profile {
        Some(list) => list.clone(),
        // What asks nobody is not stopped by the variable.
        None if asks => std::env::var("NETAPI_PROFILE").unwrap_or_default(),
        None => return Ok(None),
    };
    if !list.contains(',') {
        return Ok(None);
    }
    let mut names: Vec<String> = Vec::new();
    for name in list.split(',').map(str::trim) {
        if name.is_empty() {
            return Err(Error::usage(format!("--profile {list}: a name is missing"))
                .hint("write --profile A,B; `netapi config profiles` lists them"));
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(Some(names))
}

/// The error for what goes to one deployment only; `what` as in `coa changes the network`.
pub(super) fn one_for(what: &str) -> Error {
    Error::usage(format!(
        "{what}, and several profiles are named: only what reads is asked of several"
    ))
    .hint("name one: --profile NAME")
}

/// Runs the command of `line` for each profile, and ends with one exit status: 0, 1 where one
/// failed, 2 where the command line is wrong for all, 3 where none of them has what was asked for.
///
/// Errors: [`Kind::Usage`] for a command or an option that is for one deployment; what goes wrong
/// with standard output.
pub(super) fn ask(
    path: &str,
    names: &[String],
    global: &Global,
    line: &[OsString],
    stderr: &Stderr,
) -> Result<ExitCode> {
    match command_effects::across(path) {
        Across::All => {}
        Across::One(why) => return Err(one_for(&format!("{} {why}", last_words(path)))),
    }
    if let Some(option) = of_one_deployment(global) {
        let error = format!("{option} says how to reach one deployment, and several are named");
        return Err(Error::usage(error)
            .hint("put it into the profile: `netapi config set KEY VALUE --profile NAME`"));
    }
    if global.chosen_format() == Some(Format::Xml) {
        let error = "--format xml is the document of one deployment, and several are named";
        return Err(Error::usage(error).hint("use --format json"));
    }
    let reporter = Reporter::new(global, stderr.clone());
    let environment = Environment::capture();
    let unused: Vec<&str> = environment.of_one_deployment().collect();
    if !unused.is_empty() {
        let unused = unused.join(", ");
        reporter.note(&format!(
            "of several deployments each has its profile's settings; not used: {unused}"
        ));
    }
    let shared = Arc::new(Shared {
        output: Output::new(style(global)?, names),
        stdin: OnceLock::new(),
    });
    let one = |place: usize, name: &String| -> Result<()> {
        let (_, cli) = super::parse(&mut <super::Cli as clap::CommandFactory>::command(), line)
            .map_err(|_| Error::new(Kind::Failed, "the command line was read in two ways"))?;
        let mut global = cli.global;
        global.profile = Some(name.clone());
        global.all_profiles = false;
        global.profile_alone = true;
        let deployment = Deployment {
            name: name.clone(),
            place,
            shared: Arc::clone(&shared),
        };
        let context = Context::of(global, stderr.clone(), deployment)?;
        command_effects::check(path, &context)?;
        match cli.command {
            super::Command::Ise(super::Deferred(command)) => command.run(&context).map(|_| ()),
            _ => Err(one_for(&format!("{path} asks no deployment"))),
        }
    };
    let stack = global
        .jq
        .as_ref()
        .map_or(STACK, |_| crate::render::JQ_STACK);
    let outcomes = side_by_side(names, stack, one)?;
    for words in shared.output.finish()? {
        reporter.warn(&words);
    }
    Ok(conclude(names, outcomes, &reporter))
}

/// Calls `one` for each name, [`AT_ONCE`] at a time; what came of each, in the names' order.
fn side_by_side(
    names: &[String],
    stack: usize,
    one: impl Fn(usize, &String) -> Result<()> + Sync,
) -> Result<Vec<Result<()>>> {
    let next = AtomicUsize::new(0);
    let outcomes: Vec<OnceLock<Result<()>>> = names.iter().map(|_| OnceLock::new()).collect();
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let (Some(name), Some(outcome)) = (names.get(place), outcomes.get(place)) else {
                return;
            };
            let _first = outcome.set(one(place, name));
        }
    };
    std::thread::scope(|scope| {
        let mut started = Ok(());
        for number in 0..names.len().min(AT_ONCE) {
            let thread = std::thread::Builder::new()
                .name("deployment".to_owned())
                .stack_size(stack)
                .spawn_scoped(scope, work);
            if let Err(error) = thread {
                // Those that run take the rest.
                if number == 0 {
                    started = Err(Error::new(
                        Kind::Failed,
                        format!("cannot start a thread: {error}"),
                    ));
                }
                break;
            }
        }
        started
    })?;
    let outcomes = outcomes.into_iter().filter_map(OnceLock::into_inner);
    Ok(outcomes.collect())
}

/// Names what failed, and gives the exit status.
fn conclude(names: &[String], outcomes: Vec<Result<()>>, reporter: &Reporter) -> ExitCode {
    let all = outcomes.len();
    let failed = names.iter().zip(outcomes);
    let mut failed: Vec<(&String, Error)> = failed
        .filter_map(|(name, outcome)| Some((name, outcome.err()?)))
        .filter(|(_, error)| !error.kind().is_quiet())
        .collect();
    let every = |kind| failed.len() == all && failed.iter().all(|(_, e)| e.kind() == kind);
    let status = if every(Kind::Usage) || every(Kind::NotFound) {
        failed.first().map(|(_, error)| error.kind().exit_status())
    } else {
        // An endpoint is in one of them; that the others do not know it is no failure.
        let missing = |error: &Error| error.kind() == Kind::NotFound;
        let others = failed.len() < all;
        failed.retain(|(name, error)| {
            let known = others && missing(error);
            if known {
                reporter.clone().of(name).note(error.message());
            }
            !known
        });
        (!failed.is_empty()).then(|| Kind::Partial.exit_status())
    };
    // What is wrong with the command line is said once.
    let same = failed
        .iter()
        .all(|(_, error)| Some(error) == failed.first().map(|(_, e)| e));
    if let (true, Some((_, error)), Some(2)) = (same, failed.first(), status) {
        reporter.error(error);
    } else {
        for (name, error) in failed
            .iter()
            .filter(|(_, error)| !error.message().is_empty())
        {
            reporter.clone().of(name).error(error);
        }
    }
    status.map_or(DONE, ExitCode::from)
}

/// The option that says how to reach one deployment, where one was given.
fn of_one_deployment(global: &Global) -> Option<&'static str> {
    let given = [
        ("--mnt-host", global.mnt_host.is_some()),
        ("--mnt-port", global.mnt_port.is_some()),
        ("--mnt-user", global.mnt_user.is_some()),
        ("--password-file", global.password_file.is_some()),
        ("--pxgrid-host", !global.pxgrid_host.is_empty()),
        ("--pxgrid-port", global.pxgrid_port.is_some()),
        ("--client-name", global.client_name.is_some()),
        ("--cert", global.cert.is_some()),
        ("--key", global.key.is_some()),
        ("--key-password-file", global.key_password_file.is_some()),
        (
            "--client-password-file",
            global.client_password_file.is_some(),
        ),
        ("--dc-host", global.dc_host.is_some()),
        ("--dc-port", global.dc_port.is_some()),
        ("--dc-service", global.dc_service.is_some()),
        ("--dc-user", global.dc_user.is_some()),
        ("--dc-password-file", global.dc_password_file.is_some()),
        ("--cacert", global.cacert.is_some()),
        ("--pin-sha256", global.pin_sha256.is_some()),
        ("--insecure", global.insecure),
        ("--no-verify-hostname", global.no_verify_hostname),
    ];
    let mut given = given.into_iter().filter(|(_, given)| *given);
    given.next().map(|(option, _)| option)
}

/// A command as a message names it: `anc apply`, `config set`.
fn last_words(path: &str) -> &str {
    path.strip_prefix("ise mnt ")
        .or_else(|| path.strip_prefix("ise pxgrid "))
        .unwrap_or(path)
}
