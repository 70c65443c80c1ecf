//! `netapi ise pxgrid posture`: endpoints whose posture is known, and what was found on them. The
//! answers' shapes are not published: they are printed as they come, on a terminal as a tree.

use clap::{Args, Subcommand};

use super::read_operation::Ask;
use crate::cli::Context;
use crate::cli::{input, pager};
use crate::error::{Result, from_output};
use crate::record::Mac;
use crate::render::tree;

/// `netapi ise pxgrid posture …`
#[derive(Subcommand, Debug)]
pub(crate) enum Posture {
    /// MAC addresses of the endpoints whose posture is known
    #[command(after_help = "Example:\n  netapi ise pxgrid posture macs --json")]
    Macs,
    /// What was found on endpoints
    Data(Data),
}

/// Arguments of `data`.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  netapi ise pxgrid posture data C8:5B:76:C6:59:62 --category hardware --json"
)]
pub(crate) struct Data {
    /// The endpoints' MAC addresses
    #[arg(value_name = "MAC", required = true, value_parser = input::mac)]
    macs: Vec<Mac>,
    /// Which kind of data
    #[arg(long, value_name = "CATEGORY", default_value = "hardware")]
    category: String,
}

impl Posture {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let nothing = "`netapi ise pxgrid posture macs` lists the endpoints with posture data; the service came with ISE 3.4";
        let is_tree = matches!(self, Self::Data(_)) && context.shows_a_person();
        let ask = match self {
            Self::Macs => Ask::new("posture", "getPosturedMacs", nothing),
            Self::Data(Data { macs, category }) => {
                let macs: Vec<String> = macs.iter().map(ToString::to_string).collect();
                Ask::new("posture", "getPostureDataByMacList", nothing)
                    .with("macAddresses", macs)
                    .with("category", category)
            }
        };
        if !is_tree {
            return ask.one(context).await;
        }
        let (_, answer) = ask.answer(context).await?;
        let shown = tree(&answer?.to_value(), context.style().screen);
        pager::write_out(&shown, context.global.no_pager).map_err(|error| from_output(&error))
    }
}
