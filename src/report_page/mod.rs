//! The page of `netapi ise report`: sections of facts, charts and tables in one HTML file that loads
//! nothing. What is shown is decided elsewhere; here are its form and its bounds.
//!
//! A page is written section by section. Every text passes [`Text`], which makes hostile characters
//! visible and cuts what is too long, and its templates escape; charts are drawn from numbers alone
//! (`chart`), and their numbers stand in a table beside them.

mod chart;
mod page;
mod table;
#[cfg(test)]
mod tests;

pub use chart::{Bars, Chart, Columns};
pub use page::{Fact, Head, Page, Part, Section, is_report};
pub use table::{Cell, Grid, GridRow, Heading, Mark, Numbers, Table, Text};
