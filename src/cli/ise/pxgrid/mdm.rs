//! `netapi ise pxgrid mdm`: endpoints under mobile device management: all, one, by compliance, by
//! operating system, or each MAC address on standard input.

use clap::{Args, Subcommand, ValueEnum};

use super::read_operation::Ask;
use crate::cli::Context;
use crate::cli::bulk::ListOptions;
use crate::cli::input::{self, MacOrList};
use crate::error::Result;

const NOTHING: &str = "no endpoints";

/// `netapi ise pxgrid mdm …`
#[derive(Subcommand, Debug)]
pub(crate) enum Mdm {
    /// Managed endpoints, or one
    Endpoints(Endpoints),
}

/// Arguments of `endpoints`.
#[derive(Args, Debug)]
#[command(
    group = clap::ArgGroup::new("which").multiple(false),
    after_help = "\
Examples:
  netapi ise pxgrid mdm endpoints
  netapi ise pxgrid mdm endpoints C8:5B:76:C6:59:62
  netapi ise pxgrid mdm endpoints - --format csv < macs.txt
  netapi ise pxgrid mdm endpoints --type non-compliant
  netapi ise pxgrid mdm endpoints --os ios --json"
)]
pub(crate) struct Endpoints {
    /// One endpoint's MAC address, or '-' for one a line on standard input
    #[arg(value_name = "MAC", group = "which", value_parser = input::mac_or_list)]
    mac: Option<MacOrList>,
    /// Only endpoints in this state
    #[arg(
        long = "type",
        value_name = "TYPE",
        group = "which",
        ignore_case = true
    )]
    kind: Option<Kind>,
    /// Only endpoints with this operating system
    #[arg(long, value_name = "OS", group = "which", ignore_case = true)]
    os: Option<Os>,
    #[command(flatten)]
    list: ListOptions,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum Kind {
    /// Does not meet the device manager's rules
    #[value(alias = "NON_COMPLIANT")]
    NonCompliant,
    /// Known to the device manager
    Registered,
    /// Out of the device manager's reach
    Disconnected,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum Os {
    /// Android
    Android,
    /// iOS
    Ios,
    /// Windows
    Windows,
}

impl Mdm {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let Self::Endpoints(Endpoints {
            mac,
            kind,
            os,
            list,
        }) = self;
        let by_mac = || {
            let nothing = "`netapi ise pxgrid mdm endpoints` lists the managed ones";
            Ask::new("mdm", "getEndpointByMacAddress", nothing)
        };
        if mac == Some(MacOrList::List) {
            let ask = by_mac();
            return ask
                .of_each(context, &list, "mdm endpoints", "none is managed")
                .await;
        }
        list.for_one()?;
        if let Some(MacOrList::One(mac)) = mac {
            return by_mac().of(mac).one(context).await;
        }
        let ask = if let Some(kind) = kind {
            Ask::new("mdm", "getEndpointsByType", NOTHING).with(
                "type",
                match kind {
                    Kind::NonCompliant => "NON_COMPLIANT",
                    Kind::Registered => "REGISTERED",
                    Kind::Disconnected => "DISCONNECTED",
                },
            )
        } else if let Some(os) = os {
            Ask::new("mdm", "getEndpointsByOsType", NOTHING).with(
                "osType",
                match os {
                    Os::Android => "ANDROID",
                    Os::Ios => "IOS",
                    Os::Windows => "WINDOWS",
                },
            )
        } else {
            Ask::new("mdm", "getEndpoints", NOTHING)
        };
        ask.list(context).await
    }
}
