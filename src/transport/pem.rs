//! PEM as people's files have it (RFC 7468, and what variables, mails and editors make of it): line
//! ends that are CRLF, written as `\n`, turned into blanks or lost; indented blocks; blocks glued
//! together.
//!
//! It finds blocks and decodes them; what is in them is told in `bundle`. A fault names the line
//! and never what stands in it.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN";
const END: &str = "-----END";
const DASHES: &str = "-----";

/// Padding that was lost with a line's end is not missed.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a block says it holds. Only these names are ever shown: a damaged first line may hold half
/// a key.
const LABELS: [(&str, Label); 19] = [
    ("CERTIFICATE", Label::Certificate),
    ("X509 CERTIFICATE", Label::Certificate),
    ("TRUSTED CERTIFICATE", Label::TrustedCertificate),
    ("PKCS7", Label::Pkcs7),
    ("PKCS #7 SIGNED DATA", Label::Pkcs7),
    ("CMS", Label::Pkcs7),
    ("PRIVATE KEY", Label::Key),
    ("RSA PRIVATE KEY", Label::Key),
    ("EC PRIVATE KEY", Label::Key),
    ("ENCRYPTED PRIVATE KEY", Label::EncryptedKey),
    ("OPENSSH PRIVATE KEY", Label::OpensshKey),
    ("DSA PRIVATE KEY", Label::Other),
    ("EC PARAMETERS", Label::Parameters),
    ("DH PARAMETERS", Label::Parameters),
    ("PUBLIC KEY", Label::Other),
    ("X509 CRL", Label::Other),
    ("CERTIFICATE REQUEST", Label::Other),
    ("NEW CERTIFICATE REQUEST", Label::Other),
    ("ATTRIBUTE CERTIFICATE", Label::Other),
];

/// Kinds of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// An X.509 certificate.
    Certificate,
    /// OpenSSL's: a certificate, and behind it what it is trusted for.
    TrustedCertificate,
    /// A PKCS#7 bundle of certificates.
    Pkcs7,
    /// A private key: PKCS#8, PKCS#1 or SEC1.
    Key,
    /// A private key in PKCS#8, encrypted.
    EncryptedKey,
    /// A private key in OpenSSH's own form.
    OpensshKey,
    /// Parameters of a curve or a group, which stand beside keys and are not needed.
    Parameters,
    /// Nothing that we use.
    Other,
}

/// One block, not yet decoded.
pub(super) struct Block<'t> {
    pub(super) label: Label,
    /// The label's text where it is a known one.
    pub(super) name: &'static str,
    /// The line of `BEGIN`, from 1.
    pub(super) line: usize,
    body: &'t str,
}

/// What is wrong, and in which line. Both are safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) what: String,
}

impl Block<'_> {
    /// Whether it is encrypted in OpenSSL's old way (RFC 1421 headers around a PKCS#1 or SEC1 key).
    pub(super) fn is_traditional(&self) -> bool {
        self.body.contains("Proc-Type") && self.body.contains("ENCRYPTED")
    }

    /// The bytes of the block.
    pub(super) fn der(&self) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let damaged = |line: usize, what: &str| Fault {
            line,
            what: format!("the block {} is damaged: {what}", self.name),
        };
        let signs = signs(self.body).map_err(|at| {
            let before = self.body.get(..at).unwrap_or(self.body);
            let line = self.line + line_ends(before);
            damaged(line, "something in this line is no base64")
        })?;
        let der = BASE64
            .decode(signs.as_bytes())
            .map(Zeroizing::new)
            // The library's error quotes a byte.
            .map_err(|_| damaged(self.line, "a part of its base64 is missing or was changed"))?;
        if der.is_empty() {
            return Err(damaged(self.line, "it is empty"));
        }
        Ok(der)
    }
}

/// The signs of base64 in a block's body, without what parts its lines, in whatever way that was
/// written; or where something else stands.
fn signs(body: &str) -> Result<Zeroizing<String>, usize> {
    let mut signs = Zeroizing::new(String::with_capacity(body.len()));
    let mut rest = body.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '+' | '/' | '=' => signs.push(c),
            // A byte order mark stands in the middle where files were put together.
            c if c.is_whitespace() || c == '\u{feff}' => {}
            // `\n`, `\r\n` written out, escaped once or more; or a line that goes on in the next.
            '\\' => {
                while rest.next_if(|(_, c)| *c == '\\').is_some() {}
                match rest.next_if(|(_, c)| c.is_whitespace() || matches!(c, 'n' | 'r' | 't')) {
                    Some(_) => {}
                    None => return Err(at),
                }
            }
            _ => return Err(at),
        }
    }
    Ok(signs)
}

/// All blocks of a text. What stands between blocks is no matter, as long as it is no damaged block
/// itself.
pub(super) fn blocks(text: &str) -> Result<Vec<Block<'_>>, Fault> {
    let mut blocks = Vec::new();
    let mut rest = Cursor { text, line: 1 };
    while let Some(before) = rest.until(BEGIN) {
        no_block(&before)?;
        blocks.push(block(&mut rest)?);
    }
    no_block(&rest)?;
    Ok(blocks)
}

/// One block; `rest` stands behind its `BEGIN`.
fn block<'t>(rest: &mut Cursor<'t>) -> Result<Block<'t>, Fault> {
    let line = rest.line;
    let fault = |what: String| Fault { line, what };
    let (label, name) = rest
        .until(DASHES)
        .and_then(|label| known(label.text))
        .ok_or_else(|| fault(FIRST_LINE.to_owned()))?;
    let body = rest
        .until(END)
        .filter(|body| !body.text.contains(BEGIN))
        .ok_or_else(|| {
            fault(format!(
                "the block {name} has no last line (-----END …-----)"
            ))
        })?;
    let end = rest.until(DASHES).and_then(|label| known(label.text));
    if end != Some((label, name)) {
        return Err(fault(format!(
            "the last line of the block {name} is damaged or is that of another block"
        )));
    }
    Ok(Block {
        label,
        name,
        line,
        body: body.text,
    })
}

const FIRST_LINE: &str = "the first line of a block is damaged; it wants five dashes before BEGIN and five behind the kind, as in -----BEGIN CERTIFICATE-----";

/// The label with its proper name. One that nobody knows is no fault, but one that is too long or
/// is no label is.
fn known(text: &str) -> Option<(Label, &'static str)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let label = words.join(" ");
    if let Some((name, label)) = LABELS.iter().find(|(name, _)| *name == label) {
        return Some((*label, name));
    }
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || " #".contains(c);
    let fits = !label.is_empty() && label.len() <= 40 && label.chars().all(plain);
    fits.then_some((Label::Other, "of an unknown kind"))
}

/// Refuses text between blocks that is what is left of a block.
fn no_block(between: &Cursor<'_>) -> Result<(), Fault> {
    if let Some(at) = between.text.find(END) {
        return Err(Fault {
            line: between.line_at(at),
            what: "a block ends that never began; its first line (-----BEGIN …-----) is lost"
                .to_owned(),
        });
    }
    for (at, _) in between.text.match_indices("BEGIN") {
        let before = between.text.get(..at).unwrap_or_default();
        let behind = between.text.get(at + "BEGIN".len()..).unwrap_or_default();
        let is_label = LABELS
            .iter()
            .any(|(name, _)| behind.trim_start().starts_with(name));
        // A hyphen too few, or the dashes that word processors make of two.
        let dashed = before
            .trim_end()
            .ends_with(['-', '\u{2013}', '\u{2014}', '\u{2212}']);
        if is_label && dashed {
            return Err(Fault {
                line: between.line_at(at),
                what: FIRST_LINE.to_owned(),
            });
        }
    }
    Ok(())
}

/// The rest of a text, and the line that it begins in.
struct Cursor<'t> {
    text: &'t str,
    line: usize,
}

impl Cursor<'_> {
    /// What stands before the next `mark`; then stands behind that. `None`, and nothing changes,
    /// where there is none.
    fn until(&mut self, mark: &str) -> Option<Self> {
        let (before, behind) = self.text.split_once(mark)?;
        let taken = Self {
            text: before,
            line: self.line,
        };
        self.line += line_ends(before);
        self.text = behind;
        Some(taken)
    }

    fn line_at(&self, at: usize) -> usize {
        self.line + line_ends(self.text.get(..at).unwrap_or_default())
    }
}

/// Line ends of every system: LF, CRLF, CR.
fn line_ends(text: &str) -> usize {
    let bytes = text.as_bytes();
    let next = bytes.iter().skip(1).chain(std::iter::once(&0));
    bytes
        .iter()
        .zip(next)
        .filter(|(byte, next)| **byte == b'\n' || (**byte == b'\r' && **next != b'\n'))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BLOCK: &str = "-----BEGIN CERTIFICATE-----\nAQID\nBAUG\n-----END CERTIFICATE-----\n";

    /// Line and content of each block.
    fn read(text: &str) -> Result<Vec<(usize, Vec<u8>)>, Fault> {
        blocks(text)?
            .iter()
            .map(|block| Ok((block.line, block.der()?.to_vec())))
            .collect()
    }

    #[test]
    fn every_way_to_write_line_ends() {
        for text in [
            BLOCK.to_owned(),
            BLOCK.replace('\n', "\r\n"),
            BLOCK.replace('\n', "\r"),
            BLOCK.replace('\n', "\\n"),
            BLOCK.replace('\n', "\\r\\n"),
            BLOCK.replace('\n', "\\\\n"),
            BLOCK.replace('\n', " "),
            BLOCK.replace('\n', ""),
            BLOCK.replace(' ', "\n"),
            BLOCK.replace('\n', "\n   "),
            BLOCK.replace('\n', "\\\n"),
            BLOCK.replace("-----END", "\u{feff}-----END"),
            format!("\"{}\"", BLOCK.replace('\n', "\\n")),
            BLOCK.trim_end().to_owned(),
            format!("   {}", BLOCK.replace('\n', "\n\t")),
            format!("subject=CN = x\nBEGIN of it\n{BLOCK}").split_off(27),
        ] {
            let found = read(&text).unwrap();
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(found[0].1, [1, 2, 3, 4, 5, 6], "{text}");
        }
        let glued = BLOCK.trim_end().repeat(3);
        assert_eq!(read(&glued).unwrap().len(), 3);
        let unpadded = "-----BEGIN CMS-----AQIDBA-----END CMS-----";
        assert_eq!(read(unpadded).unwrap()[0].1, [1, 2, 3, 4]);
    }

    #[test]
    fn a_block_is_known_by_the_line_of_its_beginning() {
        let text = format!("text\r\n\r\n{BLOCK}between\n{BLOCK}");
        let lines: Vec<usize> = read(&text).unwrap().iter().map(|found| found.0).collect();
        assert_eq!(lines, [3, 8]);
    }

    #[test]
    fn faults_name_the_line_and_not_the_content() {
        for (text, line, what) in [
            (
                "\n-----BEGIN CERTIFICATE-----\nAQID\n",
                2,
                "has no last line",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAQID\nA*ID\n-----END CERTIFICATE-----",
                3,
                "no base64",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAQIDB\n-----END CERTIFICATE-----",
                1,
                "missing",
            ),
            (
                "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
                1,
                "empty",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAQID\n-----END PRIVATE KEY-----",
                1,
                "another block",
            ),
            (
                "-----BEGIN CERTIFICATE---\nAQID\n-----END CERTIFICATE-----",
                1,
                "first line",
            ),
            (
                "a\n----BEGIN CERTIFICATE-----\nAQID\n----END CERTIFICATE-----",
                2,
                "first line",
            ),
            ("\u{2014}BEGIN CERTIFICATE\u{2014}\nAQID\n", 1, "first line"),
            ("AQID\n-----END CERTIFICATE-----\n", 2, "never began"),
            (
                "-----BEGIN CERTIFICATE-----\nAQID\n-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----",
                1,
                "has no last line",
            ),
        ] {
            let fault = read(text).unwrap_err();
            assert_eq!(fault.line, line, "{text}: {}", fault.what);
            assert!(fault.what.contains(what), "{text}: {}", fault.what);
            assert!(!fault.what.contains("AQID"));
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_never_quotes(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "-----BEGIN", "-----END", " CERTIFICATE", " PRIVATE KEY", "-----", "-", "\n", "\r",
                    "\\", "n", " ", "SECRETSECRET", "=", "\u{feff}", "\u{2014}", ":",
                ]),
                0..24,
            )
        ) {
            if let Err(fault) = read(&pieces.concat()) {
                prop_assert!(!fault.what.contains("SECRET"));
            }
        }
    }
}
