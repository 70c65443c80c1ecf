//! The names of the output formats. What each looks like is the affair of the file that writes it.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// How records are written (contract, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Fitted to the terminal; on a pipe the same columns as TSV without header.
    Table,
    /// Tab-separated, one record a line.
    Tsv,
    /// Comma-separated, one record a line.
    Csv,
    /// A list is one array, a single thing one object.
    Json,
    /// One object a line.
    Jsonl,
    /// A list is one sequence, a single thing one mapping.
    Yaml,
    /// The Monitoring node's document as it came.
    Xml,
    /// A page with one table.
    Html,
    /// A table in Markdown.
    Md,
}

impl Format {
    /// All formats, in the order that help shows them.
    pub const ALL: [Self; 9] = [
        Self::Table,
        Self::Tsv,
        Self::Csv,
        Self::Json,
        Self::Jsonl,
        Self::Yaml,
        Self::Xml,
        Self::Html,
        Self::Md,
    ];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Tsv => "tsv",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Yaml => "yaml",
            Self::Xml => "xml",
            Self::Html => "html",
            Self::Md => "md",
        }
    }

    /// Whether it shows columns, not objects with all that the server sent.
    #[must_use]
    pub const fn has_columns(self) -> bool {
        matches!(
            self,
            Self::Table | Self::Tsv | Self::Csv | Self::Html | Self::Md
        )
    }

    /// Whether it can be read while it has no end, as what is printed when it happens.
    #[must_use]
    pub const fn is_endless(self) -> bool {
        !matches!(self, Self::Yaml | Self::Html)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == text)
            .ok_or_else(|| {
                Error::usage(format!("'{text}' is not an output format")).hint(format!(
                    "use one of: {}",
                    Self::ALL.map(Self::name).join(", ")
                ))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
        }
        let error = "pdf".parse::<Format>().unwrap_err();
        assert!(error.hint_text().unwrap().contains("jsonl"));
    }
}
