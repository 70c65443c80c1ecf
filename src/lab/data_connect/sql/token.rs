//! Words, names, texts, numbers and signs of a statement.

use super::SqlError;
use super::decimal::Decimal;

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word, upper case.
    Word(String),
    /// A name in double quotes.
    Name(String),
    Text(String),
    Number(Decimal),
    /// A bind, with its name.
    Bind(String),
    Sign(&'static str),
    End,
}

/// A token, and at which byte it begins and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) at: usize,
    pub(super) end: usize,
}

const SIGNS: &[&str] = &[
    "<=", ">=", "<>", "!=", "^=", "||", "(", ")", ",", ".", "*", "/", "+", "-", "=", "<", ">", ";",
];

fn is_part(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$' | '#')
}

/// The tokens of `text`, the last of which is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, SqlError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let blank = rest.len() - rest.trim_start().len();
        at += blank;
        let rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            tokens.push(Token {
                kind: Kind::End,
                at,
                end: at,
            });
            return Ok(tokens);
        };
        if let Some(skipped) = comment(rest, at)? {
            at += skipped;
            continue;
        }
        let (kind, length) = token(rest, first).map_err(|error| error.at(at))?;
        tokens.push(Token {
            kind,
            at,
            end: at + length,
        });
        at += length;
    }
}

/// How long a comment is that begins here; hints are comments to a lab.
fn comment(rest: &str, at: usize) -> Result<Option<usize>, SqlError> {
    if rest.starts_with("--") {
        return Ok(Some(rest.find('\n').map_or(rest.len(), |end| end + 1)));
    }
    if rest.starts_with("/*") {
        let end = rest.find("*/").map(|end| end + 2);
        return match end {
            Some(end) => Ok(Some(end)),
            None => Err(SqlError::unknown("a comment without an end").at(at)),
        };
    }
    Ok(None)
}

fn token(rest: &str, first: char) -> Result<(Kind, usize), SqlError> {
    let length_of = |part: fn(char) -> bool| rest.find(|one| !part(one)).unwrap_or(rest.len());
    match first {
        '\'' => text(rest),
        '"' => {
            let end = rest.get(1..).and_then(|rest| rest.find('"'));
            let end =
                end.ok_or_else(|| SqlError::new(1740, "missing double quote in identifier"))?;
            let name = rest.get(1..=end).unwrap_or_default();
            Ok((Kind::Name(name.to_owned()), end + 2))
        }
        ':' => {
            let name = rest.get(1..).unwrap_or_default();
            let length = name.find(|one| !is_part(one)).unwrap_or(name.len());
            if length == 0 {
                return Err(SqlError::new(1745, "invalid host/bind variable name"));
            }
            let name = name.get(..length).unwrap_or_default().to_uppercase();
            Ok((Kind::Bind(name), length + 1))
        }
        _ if first.is_ascii_digit() || (first == '.' && starts_with_digit(rest)) => {
            let mut length = length_of(|one| one.is_ascii_digit() || one == '.');
            let exponent = rest.get(length..).unwrap_or_default();
            if exponent.starts_with(['e', 'E']) {
                let digits = exponent.get(1..).unwrap_or_default();
                let sign = usize::from(digits.starts_with(['+', '-']));
                let digits = digits.get(sign..).unwrap_or_default();
                let count = digits.find(|one: char| !one.is_ascii_digit());
                let count = count.unwrap_or(digits.len());
                length += if count > 0 { 1 + sign + count } else { 0 };
            }
            let number = Decimal::parse(rest.get(..length).unwrap_or_default());
            let number = number.ok_or_else(|| SqlError::new(1722, "invalid number"))?;
            Ok((Kind::Number(number), length))
        }
        _ if first.is_alphabetic() => {
            let length = length_of(is_part);
            let word = rest.get(..length).unwrap_or_default().to_uppercase();
            Ok((Kind::Word(word), length))
        }
        _ => {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| SqlError::new(911, "invalid character"))?;
            Ok((Kind::Sign(sign), sign.len()))
        }
    }
}

fn starts_with_digit(rest: &str) -> bool {
    let second = rest.chars().nth(1);
    second.is_some_and(|second| second.is_ascii_digit())
}

/// A text in single quotes, which are doubled in it.
fn text(rest: &str) -> Result<(Kind, usize), SqlError> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character != '\'' {
            text.push(character);
        } else if characters.peek().is_some_and(|(_, next)| *next == '\'') {
            text.push('\'');
            characters.next();
        } else {
            return Ok((Kind::Text(text), at + 1));
        }
    }
    Err(SqlError::new(1756, "quoted string not properly terminated"))
}
