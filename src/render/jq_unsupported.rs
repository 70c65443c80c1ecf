//! Stands in for `jq` in a build without that feature: says so, and what to do instead.

use std::convert::Infallible;
use std::io::Write;

use super::Screen;
use super::column::Chosen;
use super::json::Frame;
use super::output::{Body, BufferedOutput};
use crate::error::{Error, Result};

/// A compiled expression, of which there is none here.
#[derive(Debug, Clone)]
pub struct JqFilter(Infallible);

impl JqFilter {
    /// The error of this build.
    pub fn compile(_code: &str) -> Result<Self> {
        Err(Error::usage("this netapi was built without --jq")
            .hint("pipe --format json through jq"))
    }

    /// Never called.
    pub(super) fn body<W: Write + Send + 'static>(
        self,
        _output: BufferedOutput<W>,
        _members: Option<Vec<Chosen>>,
        _frame: Frame,
        _screen: Screen,
    ) -> Box<dyn Body> {
        match self.0 {}
    }
}
