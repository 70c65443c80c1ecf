//! The filters that every list of sessions, attempts and events takes, and `watch`, `subscribe` and
//! `diff` with them: options here, what they mean in `record::conditions`, the members in [`kinds`].
//!
//! Which of them a record can meet is checked before anything is sent. What a server can do itself
//! (a list that begins at a time) is the command's to ask for.

pub(crate) mod kinds;

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::Context;
use super::input;
use crate::error::{Error, Result};
use crate::record::conditions::{Conditions, Fact, Nas, Pattern, Stations, UserName};
use crate::record::jmespath::Filter;
use crate::record::selection::Selection;
use crate::settings::duration::{self, parse_when};
use kinds::Kind;

/// Which rows are wanted. Several conditions must all hold.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Only rows that match (netapi help filters)")]
pub(crate) struct Filters {
    /// This MAC address, or those that begin so
    #[arg(long, value_name = "MAC-OR-PREFIX", value_parser = input::stations)]
    mac: Option<Stations>,
    /// An address of the endpoint, or one in this network
    #[arg(long, value_name = "IP|CIDR", value_parser = network)]
    ip: Option<IpNet>,
    /// A user in any spelling; '*' stands for any text
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// A switch or controller
    #[arg(long, value_name = "IP|CIDR|NAME", value_parser = nas)]
    nas: Option<Nas>,
    /// A policy service node
    #[arg(long, value_name = "PSN")]
    server: Option<String>,
    /// A security group
    #[arg(long, value_name = "NAME")]
    sgt: Option<String>,
    /// What the profiler takes the endpoint for
    #[arg(long, value_name = "PROFILE")]
    profile_is: Option<String>,
    /// compliant, noncompliant, pending, …
    #[arg(long, value_name = "STATUS")]
    posture: Option<String>,
    /// dot1x, mab, …
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// started, postured, authenticated, disconnected, …
    #[arg(
        long,
        value_name = "STATE",
        ignore_case = true,
        hide_possible_values = true
    )]
    state: Option<State>,
    /// Last changed longer ago than this, or before this
    #[arg(long, value_name = "T")]
    older_than: Option<String>,
    /// An expression that holds of the row
    #[arg(long = "where", value_name = "JMESPATH")]
    expression: Option<String>,
}

/// From when to when, for what has a time.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Only rows that match (netapi help filters)")]
pub(crate) struct Window {
    /// Since: 15m, 3d, today, yesterday, a date, RFC 3339
    #[arg(long, value_name = "T")]
    since: Option<String>,
    /// Before: the same spellings
    #[arg(long, value_name = "T")]
    until: Option<String>,
}

/// The states of a session (reference pxgrid-api, section 3.1).
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The endpoint is being authenticated
    Authenticating,
    /// It was authenticated
    Authenticated,
    /// Its posture was assessed
    Postured,
    /// Accounting has started
    Started,
    /// It is gone
    Disconnected,
}

/// For clap: an address, or a network.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    if let Ok(network) = text.parse::<IpNet>() {
        return Ok(network);
    }
    let address = text.parse::<std::net::IpAddr>().map(IpNet::from);
    address.map_err(|_| format!("'{text}' is neither an IP address nor a network (10.50.0.0/16)"))
}

/// For clap: a switch by address, network or name.
#[allow(clippy::unnecessary_wraps, reason = "the form that clap asks for")]
fn nas(text: &str) -> Result<Nas, String> {
    if let Ok(network) = network(text) {
        return Ok(Nas::Network(network));
    }
    // What looks like a network is one that is mistyped: no device is called so.
    if text.contains('/')
        || (text.contains('.') && text.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    {
        return Err(format!(
            "'{text}' is neither an IP address, nor a network (10.50.0.0/16), nor a name"
        ));
    }
    Ok(Nas::Name(Pattern::new(text)))
}

/// A time as it was typed: a span stays one, so that who is asked can count it back.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    /// So long ago.
    Ago(SignedDuration),
    /// Then.
    At(Timestamp),
}

impl Moment {
    /// How long ago it is now; less than nothing for what is to come.
    pub(crate) fn ago(self) -> SignedDuration {
        match self {
            Self::Ago(span) => span,
            Self::At(at) => Timestamp::now().duration_since(at),
        }
    }

    /// So long before it; `None` where time does not reach so far.
    pub(crate) fn before(self, span: SignedDuration) -> Option<Self> {
        match self {
            Self::Ago(ago) => ago.checked_add(span).map(Self::Ago),
            Self::At(at) => at.checked_sub(span).ok().map(Self::At),
        }
    }
}

impl Window {
    /// One that has an end only, if any.
    pub(crate) fn ending(until: Option<String>) -> Self {
        Self { since: None, until }
    }

    #[cfg(test)]
    pub(crate) fn between(since: Option<String>, until: Option<String>) -> Self {
        Self { since, until }
    }

    /// One that ends now.
    pub(crate) fn beginning(since: String) -> Self {
        Self {
            since: Some(since),
            until: None,
        }
    }

    /// Beginning and end.
    ///
    /// Errors: [`crate::error::Kind::Usage`] for what is no time, and for a window with nothing in
    /// it.
    pub(crate) fn times(&self) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
        let now = Timestamp::now();
        let time = |text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| parse_when(text, now)).transpose()
        };
        let (since, until) = (time(&self.since)?, time(&self.until)?);
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            return Err(Error::usage(format!(
                "the window is empty: --since {since} is not before --until {until}"
            ))
            .hint("spans count back from now: --since 2h --until 1h is the hour before the last"));
        }
        Ok((since, until))
    }

    /// The same with spans as they were typed.
    pub(crate) fn moments(&self) -> Result<(Option<Moment>, Option<Moment>)> {
        let (since, until) = self.times()?;
        let moment = |text: &Option<String>, at: Option<Timestamp>| {
            let span = text.as_deref().and_then(|text| duration::parse(text).ok());
            let span = span.and_then(|span| SignedDuration::try_from(span).ok());
            span.map(Moment::Ago).or(at.map(Moment::At))
        };
        Ok((moment(&self.since, since), moment(&self.until, until)))
    }
}

impl Filters {
    /// The conditions, with a window where the rows are to be looked at for it.
    fn conditions(&self, window: (Option<Timestamp>, Option<Timestamp>)) -> Result<Conditions> {
        let pattern = |text: &Option<String>| text.as_deref().map(Pattern::new);
        let older = self.older_than.as_deref();
        let older = older
            .map(|text| parse_when(text, Timestamp::now()))
            .transpose()?;
        let state = self.state.and_then(|state| state.to_possible_value());
        Ok(Conditions {
            mac: self.mac,
            ip: self.ip,
            user: self.user.as_deref().map(UserName::new),
            nas: self.nas.clone(),
            server: pattern(&self.server),
            sgt: pattern(&self.sgt),
            profile: pattern(&self.profile_is),
            posture: pattern(&self.posture),
            method: pattern(&self.method),
            state: state.map(|state| state.get_name().to_owned()),
            since: window.0,
            until: window.1.into_iter().chain(older).min(),
        })
    }

    /// What is wanted of this kind of record, where the server looks at no window itself.
    ///
    /// Errors: [`crate::error::Kind::Usage`] for a filter that no such record can meet, saying
    /// where it works, and for an expression that is none.
    pub(crate) fn over(&self, kind: &Kind, window: &Window) -> Result<Selection> {
        self.within(kind, window.times()?)
    }

    /// The same with the window's times.
    pub(crate) fn within(
        &self,
        kind: &Kind,
        window: (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<Selection> {
        let (tests, missing) = self.conditions(window)?.on(kind.carried);
        if let Some(fact) = missing.first() {
            return Err(self.not_told(*fact, kind));
        }
        let expression = self
            .expression
            .as_deref()
            .map(Filter::compile)
            .transpose()?;
        Ok(Selection::new(tests, expression))
    }

    /// What of it can be looked at in this kind of record already, where each row is replaced by
    /// one that tells more.
    pub(crate) fn already(&self, kind: &Kind) -> Result<Selection> {
        let (tests, _) = self.conditions((None, None))?.on(kind.carried);
        Ok(Selection::new(tests, None))
    }

    /// Whether a session's state is asked for.
    pub(crate) fn has_state(&self) -> bool {
        self.state.is_some()
    }

    fn not_told(&self, fact: Fact, kind: &Kind) -> Error {
        let (option, what) = self.called(fact);
        let what_it_has = format!("{option}: {} {what}", kind.lacks);
        let of_window = fact == Fact::Time && self.older_than.is_none();
        let places = kinds::that_tell(fact, of_window);
        Error::usage(what_it_has).hint(format!("it works with {}", places.join(", ")))
    }

    /// The option on a fact, and the fact in words.
    fn called(&self, fact: Fact) -> (&'static str, &'static str) {
        match fact {
            Fact::Mac => ("--mac", "no MAC address"),
            Fact::Ip => ("--ip", "no address of the endpoint"),
            Fact::User => ("--user", "no user"),
            Fact::NasAddress => ("--nas", "no address of a switch"),
            Fact::NasName => ("--nas NAME", "switches by address only"),
            Fact::Server => ("--server", "no policy service node"),
            Fact::Sgt => ("--sgt", "no security group"),
            Fact::Profile => ("--profile-is", "no profile"),
            Fact::Posture => ("--posture", "no posture"),
            Fact::Method => ("--method", "no method"),
            Fact::State => ("--state", "no state"),
            Fact::Time if self.older_than.is_some() => ("--older-than", "no time"),
            Fact::Time => ("--since, --until", "no time"),
        }
    }
}

/// Says what there is to say of `--where` after a list.
pub(crate) fn say_of_expression(context: &Context, mut selection: Selection) {
    let failed = selection.warning("row");
    for warning in failed.into_iter().chain(selection.last_warning("row")) {
        context.reporter.warn(&warning);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_an_address_a_network_or_a_name() {
        assert_eq!(
            nas("10.50.1.10"),
            Ok(Nas::Network("10.50.1.10/32".parse().unwrap()))
        );
        assert_eq!(
            nas("10.50.0.0/16"),
            Ok(Nas::Network("10.50.0.0/16".parse().unwrap()))
        );
        assert_eq!(
            nas("2001:db8::1"),
            Ok(Nas::Network("2001:db8::1/128".parse().unwrap()))
        );
        assert_eq!(nas("SW-Lab-02"), Ok(Nas::Name(Pattern::new("sw-lab-02"))));
        for text in ["10.50.0.0/64", "10.50.1", "10.50.1.300", "a/b"] {
            assert!(nas(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_fact_is_told_by_some_list() {
        for fact in [
            Fact::Mac,
            Fact::Ip,
            Fact::User,
            Fact::NasAddress,
            Fact::NasName,
            Fact::Server,
            Fact::Sgt,
            Fact::Profile,
            Fact::Posture,
            Fact::Method,
            Fact::State,
            Fact::Time,
        ] {
            assert!(!kinds::that_tell(fact, true).is_empty(), "{fact:?}");
        }
    }
}
