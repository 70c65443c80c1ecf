//! A lab in which nothing happens by itself: whoever waits for changes or events in one is told how
//! to have some. It only looks at settings.

use crate::authority;
use crate::cli::Context;

/// How many events a second the lab makes, in the environment that a lab gives to its clients.
const EVENTS: &str = "NETAPI_LAB_EVENTS";

/// What to say before waiting for what the host of `setting` (`mnt-host`, `pxgrid-host`) does,
/// where that is such a lab.
pub(super) fn notice(context: &Context, setting: &str) -> Option<&'static str> {
    let still = std::env::var(EVENTS).is_ok_and(|rate| rate == "0");
    let rows = if still {
        context.settings.rows()
    } else {
        Vec::new()
    };
    // The variable may be left from a lab of before.
    let here = rows
        .iter()
        .filter(|row| row.setting == setting)
        .flat_map(|row| row.value.split([',', ' ']))
        .any(|text| authority::parse(text).is_some_and(|(host, _)| host == "localhost"));
    here.then_some(
        "this lab makes no events by itself: one with --events-per-second 5 does (netapi ise lab run --help)",
    )
}

#[cfg(all(test, feature = "lab"))]
mod tests {
    #[test]
    fn the_lab_says_it_in_the_same_variable() {
        assert_eq!(super::EVENTS, crate::lab::EVENTS_VARIABLE);
    }
}
