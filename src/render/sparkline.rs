//! Numbers as a line of small bars, one a number, so that an hour is seen at a glance.

/// The bars, from low to high.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// What stands where nothing is known.
const HOLE: char = '·';

/// Bars for numbers that are separated by commas, the highest as a whole cell; nothing between two
/// commas is a hole. `None` where something else stands there.
pub(super) fn sparkline(numbers: &str) -> Option<String> {
    let number = |text: &str| match text.trim() {
        "" => Some(None),
        text => text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Some),
    };
    let numbers: Option<Vec<Option<f64>>> = numbers.split(',').map(number).collect();
    let numbers = numbers?;
    let most = numbers.iter().flatten().copied().fold(0.0, f64::max);
    let bar = |number: &Option<f64>| number.map_or(HOLE, |number| bar(number, most));
    Some(numbers.iter().map(bar).collect())
}

/// What is there is never as low as nothing.
fn bar(number: f64, most: f64) -> char {
    let [lowest, low, ..] = BARS;
    if number <= 0.0 || most <= 0.0 {
        return lowest;
    }
    let bars = BARS.iter().zip(0_u32..);
    let reached = bars.filter(|(_, level)| number / most * 7.0 >= f64::from(*level) - 0.5);
    match reached.last() {
        Some((bar, 1..)) => *bar,
        _ => low,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_a_number() {
        for (numbers, drawn) in [
            ("0, 1, 4, 7", "▁▂▅█"),
            ("0,0,0", "▁▁▁"),
            ("100, 1, 0", "█▂▁"),
            ("1.5,,3", "▅·█"),
            ("5", "█"),
            ("-1, 1", "▁█"),
        ] {
            assert_eq!(sparkline(numbers).as_deref(), Some(drawn), "{numbers}");
        }
        for text in ["a, b", "1, NaN", "1, inf", "1e999"] {
            assert_eq!(sparkline(text), None, "{text}");
        }
    }
}
