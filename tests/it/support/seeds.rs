//! How often a fault is tried, and when. The gate tries each once, at a moment of its own;
//! `FAULT_SEEDS=all` as often as its test says, `FAULT_SEEDS=7` with that seed alone.

use std::time::Duration;

/// Chooses moments, the same ones for the same number.
pub(crate) struct Seed(fastrand::Rng);

/// Those to try; each is printed, for a test that fails.
pub(crate) fn seeds(all: u64) -> impl Iterator<Item = Seed> {
    let numbers = match std::env::var("FAULT_SEEDS") {
        Ok(text) if text == "all" => 1..=all,
        Ok(text) => {
            let number = text.parse().expect("FAULT_SEEDS is 'all' or a number");
            number..=number
        }
        Err(_) => {
            let number = fastrand::u64(1000..1_000_000);
            number..=number
        }
    };
    numbers.map(|number| {
        shown(&format!("seed {number}"));
        Seed(fastrand::Rng::with_seed(number))
    })
}

/// A line among the test's output.
#[allow(
    clippy::print_stdout,
    reason = "which seed it was, and what was measured"
)]
pub(crate) fn shown(text: &str) {
    println!("{text}");
}

impl Seed {
    /// Lets some time go by, up to this.
    pub(crate) fn moment(&mut self, most: Duration) {
        let most = u64::try_from(most.as_millis()).unwrap();
        std::thread::sleep(Duration::from_millis(self.0.u64(0..most)));
    }
}
