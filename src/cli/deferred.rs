//! Arguments that clap builds only when the command line names their command: a start pays for the
//! commands on its path, however many others there are.
//!
//! Who walks the whole tree (help, man pages, completion, what is wrong with a command line) asks
//! for it with [`whole`]. What a command says of itself is laid out there alone: deferred, the words
//! of a type would come after those of its variant, which clap has the other way round.

use std::cell::Cell;

use clap::error::Result;
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};

thread_local! {
    /// Whether the tree that this thread is building has every command in it.
    static WHOLE: Cell<bool> = const { Cell::new(false) };
}

/// A command tree with nothing left out, for those who walk it.
pub(super) fn whole(build: impl FnOnce() -> Command) -> Command {
    let outer = WHOLE.replace(true);
    let tree = build();
    WHOLE.set(outer);
    tree
}

/// The arguments or the subcommands of one command, built when they are needed.
#[derive(Debug)]
pub(crate) struct Deferred<T>(pub(crate) T);

fn defer(command: Command, augment: fn(Command) -> Command) -> Command {
    if WHOLE.get() {
        augment(command)
    } else {
        command.defer(augment)
    }
}

impl<T: Subcommand> Subcommand for Deferred<T> {
    fn augment_subcommands(command: Command) -> Command {
        defer(command, T::augment_subcommands)
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        T::augment_subcommands_for_update(command)
    }

    fn has_subcommand(name: &str) -> bool {
        T::has_subcommand(name)
    }
}

impl<T: Args> Args for Deferred<T> {
    fn augment_args(command: Command) -> Command {
        defer(command, T::augment_args)
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::augment_args_for_update(command)
    }
}

impl<T: FromArgMatches> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self> {
        T::from_arg_matches(matches).map(Self)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self> {
        T::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<()> {
        self.0.update_from_arg_matches(matches)
    }

    fn update_from_arg_matches_mut(&mut self, matches: &mut ArgMatches) -> Result<()> {
        self.0.update_from_arg_matches_mut(matches)
    }
}
