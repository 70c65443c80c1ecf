//! Where this program keeps what it must remember from one run to the next (XDG base directory
//! specification). It makes no directory.

use std::path::PathBuf;

/// The directory `name` in the user's state directory; `None` where there is no home.
pub(crate) fn of(name: &str) -> Option<PathBuf> {
    let state = match std::env::var_os("XDG_STATE_HOME").map(PathBuf::from) {
        Some(state) if state.is_absolute() => Some(state),
        _ => std::env::home_dir()
            .filter(|home| home.is_dir())
            .map(|home| home.join(".local/state")),
    };
    state.map(|state| state.join("netapi").join(name))
}
