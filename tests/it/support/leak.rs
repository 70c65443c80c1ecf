//! Looks for a secret in what a program said, in whatever notation. Used by the library's own tests
//! as well.

use std::collections::HashSet;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};

/// What must not be seen of a PEM file: what stands in its blocks, encoded and decoded.
pub(crate) fn secrets(pem: &str) -> Vec<Vec<u8>> {
    let body: String = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let decoded = BASE64_STANDARD.decode(&body).unwrap();
    vec![body.into_bytes(), decoded]
}

/// Every byte string that a text may stand for: itself, decimal numbers, hexadecimal digits,
/// base64.
fn readings(said: &str) -> Vec<Vec<u8>> {
    let mut readings = vec![said.as_bytes().to_vec()];
    readings.push(
        said.split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect(),
    );
    let digits: Vec<u8> = said
        .replace("0x", "")
        .chars()
        .filter_map(|c| c.to_digit(16))
        .filter_map(|digit| u8::try_from(digit).ok())
        .collect();
    for skip in 0..2 {
        let pairs = digits.get(skip..).unwrap_or_default().chunks_exact(2);
        readings.push(pairs.map(|pair| pair[0] << 4 | pair[1]).collect());
    }
    let base64 = |c: char| c.is_ascii_alphanumeric() || "+/".contains(c);
    for run in said.split(|c| !base64(c)) {
        for skip in 0..run.len().min(4) {
            let whole = &run[skip..skip + (run.len() - skip) / 4 * 4];
            readings.extend(BASE64_STANDARD_NO_PAD.decode(whole).ok());
        }
    }
    readings
}

/// Whether eight bytes in a row of a secret can be read out of a text.
pub(crate) fn leaks(said: &str, secrets: &[Vec<u8>]) -> bool {
    let parts: HashSet<&[u8]> = secrets
        .iter()
        .flat_map(|secret| secret.windows(8))
        .collect();
    let readings = readings(said);
    readings
        .iter()
        .flat_map(|reading| reading.windows(8))
        .any(|part| parts.contains(part))
}
