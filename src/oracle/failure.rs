//! What an error of the database means to who asked, and what to do about it.

use crate::error::{Error, Kind};

/// Longest text of an error that is kept.
const LONGEST_TEXT: usize = 2000;

/// An error or a warning, as the database says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseError {
    /// 942 in ORA-00942.
    pub number: u32,
    /// `ORA-00942: table or view does not exist`; hostile text.
    pub text: String,
    /// Where in the statement, in bytes from its beginning.
    pub offset: Option<usize>,
}

impl DatabaseError {
    pub(super) fn new(number: u32, text: &[u8], offset: Option<usize>) -> Self {
        let text = text.get(..LONGEST_TEXT).unwrap_or(text);
        let text = String::from_utf8_lossy(text);
        // The rest tells where Oracle's manual says more.
        let line = text.lines().next().unwrap_or_default().trim();
        let text = if line.is_empty() {
            format!("ORA-{number:05}")
        } else {
            line.to_owned()
        };
        Self {
            number,
            text,
            offset,
        }
    }

    /// Whether the session is over, through no fault of the statement: it may be run once more on
    /// another.
    pub fn ends_the_session(&self) -> bool {
        matches!(
            self.number,
            28 | 1012 | 2396 | 2399 | 3113 | 3114 | 3135 | 12537 | 12571
        )
    }
}

/// Whether the logon was refused because of the password or the account's state, so that a further
/// try could lock the account. A right that is lacking (ORA-01045) is not of them: the password was
/// the right one.
pub(super) fn is_refused_logon(number: u32) -> bool {
    matches!(number, 1005 | 1017 | 28000 | 28001 | 28003 | 28007)
}

/// What the database's error means.
pub fn of_database(host: &str, error: &DatabaseError) -> Error {
    let (kind, hint) = meaning(error.number);
    Error::new(kind, format!("{host}: {}", error.text))
        .hint(hint)
        .host(host)
}

fn meaning(number: u32) -> (Kind, &'static str) {
    match number {
        1017 => (
            Kind::Refused,
            "the password of Data Connect is another (not the administrator's): set the right one in ISE_DC_PASS or with --dc-password-file, or a new one in ISE with `netapi ise dc password`",
        ),
        28000 => (
            Kind::Refused,
            "the account is locked after wrong passwords: a new password unlocks it, `netapi ise dc password`",
        ),
        28001 => (
            Kind::Refused,
            "the password has expired (90 days unless set otherwise): `netapi ise dc password` sets a new one, `netapi ise dc expiry DAYS` how long it lasts",
        ),
        1005 => (
            Kind::Usage,
            "the password is empty: set ISE_DC_PASS or --dc-password-file",
        ),
        1045 => (
            Kind::Refused,
            "the password is right and the account may not log on: switch Data Connect off and on, `netapi ise dc disable` and `netapi ise dc enable`",
        ),
        28003 | 28007 => (
            Kind::Refused,
            "look at Data Connect in ISE: `netapi ise dc status`",
        ),
        1031 | 1950 => (
            Kind::Refused,
            "Data Connect only reads: a statement must be a SELECT",
        ),
        942 => (
            Kind::NotFound,
            "this release has no such view, or it is spelled otherwise: `netapi ise dc views` lists those of this node",
        ),
        904 => (
            Kind::Usage,
            "this release's view has no such column, or it is spelled otherwise: `netapi ise dc views NAME` lists them",
        ),
        1722 => (
            Kind::Usage,
            "a text was compared with a number: `netapi ise dc views NAME` tells the types, TO_CHAR(column) makes a text",
        ),
        900..=999 | 1006..=1008 | 1756 | 1789 | 1790 | 32_034 => (
            Kind::Usage,
            "the statement is not well formed; without ';' at the end",
        ),
        1013 => (
            Kind::TimedOut,
            "narrow the statement (--since), or allow more time with --timeout (at most 60s)",
        ),
        1555 | 1652 | 4030 | 4036 | 30_036 => (
            Kind::Overloaded,
            "the node has no room for so wide a question: narrow it (--since)",
        ),
        18 | 20 | 1033 | 1034 | 1089 | 1109 | 2391 => (
            Kind::Overloaded,
            "the database of the node is starting, stopping or full: try again in a minute",
        ),
        28 | 1012 | 2396 | 2399 | 3113 | 3114 | 3135 | 12_537 | 12_571 | 12_592 => (
            Kind::Connect,
            "the node ended the session; did Data Connect move to another node? `netapi ise dc status`",
        ),
        _ => (
            Kind::Server,
            "`netapi ise dc sql` sends statements as they are: try a part of it",
        ),
    }
}

/// What a listener's refusal means.
pub(super) fn of_listener(host: &str, service: &str, number: Option<u32>) -> Error {
    let (kind, why, hint) = match number {
        Some(12_514) => (
            Kind::NotFound,
            format!("it knows no service {service} (ORA-12514)"),
            "is this the node that runs Data Connect, and has its database started? `netapi ise dc status` names the node; --dc-service names another service",
        ),
        Some(12_505) => (
            Kind::NotFound,
            format!("it knows no {service} (ORA-12505)"),
            "is Data Connect enabled, and on this node? `netapi ise dc status`",
        ),
        Some(number) => (
            Kind::Connect,
            format!("the listener refuses (ORA-{number:05})"),
            "is Data Connect enabled, and on this node? `netapi ise dc status`",
        ),
        None => (
            Kind::Connect,
            "the listener refuses and does not say why".to_owned(),
            "is Data Connect enabled, and on this node? `netapi ise dc status`",
        ),
    };
    Error::new(kind, format!("{host}: {why}"))
        .hint(hint)
        .host(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_that_is_lacking_is_no_wrong_password() {
        for (number, refused) in [(1017, true), (28000, true), (28001, true), (1045, false)] {
            assert_eq!(is_refused_logon(number), refused, "{number}");
        }
    }

    #[test]
    fn each_error_of_the_table_has_its_kind_and_something_to_do() {
        for (number, kind) in [
            (1017, Kind::Refused),
            (28000, Kind::Refused),
            (28001, Kind::Refused),
            (1005, Kind::Usage),
            (1045, Kind::Refused),
            (2399, Kind::Connect),
            (3113, Kind::Connect),
            (942, Kind::NotFound),
            (904, Kind::Usage),
            (933, Kind::Usage),
            (911, Kind::Usage),
            (936, Kind::Usage),
            (900, Kind::Usage),
            (1722, Kind::Usage),
            (1031, Kind::Refused),
            (1013, Kind::TimedOut),
            (1555, Kind::Overloaded),
            (1652, Kind::Overloaded),
            (4036, Kind::Overloaded),
            (600, Kind::Server),
        ] {
            let text = format!("ORA-{number:05}: text\nHelp: https://docs.oracle.com/");
            let error = DatabaseError::new(number, text.as_bytes(), None);
            let error = of_database("ise:2484", &error);
            assert_eq!(error.kind(), kind, "{number}");
            assert_eq!(error.message(), format!("ise:2484: ORA-{number:05}: text"));
            assert!(error.hint_text().is_some());
        }
        for (number, kind) in [
            (Some(12_514), Kind::NotFound),
            (Some(12_505), Kind::NotFound),
            (Some(12_541), Kind::Connect),
            (None, Kind::Connect),
        ] {
            let error = of_listener("ise:2484", "cpm10", number);
            assert_eq!(error.kind(), kind);
            assert!(error.hint_text().is_some());
        }
    }
}
