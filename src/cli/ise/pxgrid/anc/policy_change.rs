//! `anc apply` and `anc clear`: one order for one endpoint or for a list of them, given exactly
//! once each, and waiting for the outcome.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::cli::Context;
use crate::cli::bulk::{Changing, ListOptions, Yes};
use crate::cli::change_under_way::{self, Attempt, Carried, Change};
use crate::cli::input::{self, MacOrList};
use crate::cli::ise::pxgrid::read_operation::{Ask, show_instead};
use crate::cli::ise::session_wait::{BEFORE, Counts, Sessions, WaitFor, Waiting};
use crate::error::{Error, Kind, Result};
use crate::pxgrid::ServiceClient;
use crate::pxgrid::anc::{self, OperationState, PolicyChange, Status, Target};
use crate::record::{JsonText, Mac, Record};
use crate::transport::show::quote;

use super::SERVICE;

/// What is said of a session that was waited for.
const AS_WANTED: &str = "its session is as wanted";

/// Which endpoints.
#[derive(Args, Debug)]
#[group(skip)]
struct Whom {
    /// The endpoint's MAC address, or '-' for one a line on standard input
    #[arg(long, value_name = "MAC", group = "endpoint", value_parser = input::mac_or_list)]
    mac: Option<MacOrList>,
    /// The address of an endpoint with an active session
    #[arg(long, value_name = "IP", group = "endpoint", value_parser = input::ip)]
    ip: Option<IpAddr>,
    /// Only at this network device (2.6p7, 2.7p2, 3.0); do not mix with orders without it
    #[arg(long, value_name = "IP", conflicts_with = "ip", value_parser = input::ip)]
    nas: Option<IpAddr>,
}

/// How long to wait for the outcome.
#[derive(Args, Debug)]
struct Patience {
    /// How long to wait for the outcome
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = input::duration)]
    wait: Duration,
    /// Print the operation at once, with its id for `anc status`
    #[arg(long, conflicts_with_all = ["wait", "wait_for"])]
    no_wait: bool,
    #[command(flatten)]
    back: WaitFor,
    #[command(flatten)]
    list: ListOptions,
    #[command(flatten)]
    yes: Yes,
}

/// Arguments of `apply`.
#[derive(Args, Debug)]
#[command(
    group = clap::ArgGroup::new("endpoint").required(true).multiple(false),
    override_usage = "netapi ise pxgrid anc apply <--mac MAC|--ip IP> --policy NAME [OPTIONS]",
    after_help = "\
Examples:
  netapi ise pxgrid anc apply --mac C8:5B:76:C6:59:62 --policy Quarantine
  netapi ise pxgrid anc apply --ip 10.50.10.100 --policy Quarantine --no-wait
  netapi ise pxgrid anc apply --mac - --policy Quarantine < macs.txt
  netapi ise pxgrid anc apply --mac - --policy Quarantine --report r.jsonl < m
  netapi ise pxgrid anc apply --mac C8:5B:76:C6:59:62 --policy Quarantine \\
    --wait-for \"ctsSecurityGroup=='Quarantined_Systems'\"

--wait-for wants the endpoint's session (`netapi ise pxgrid session MAC`) to
satisfy a JMESPath expression within another --wait; without a session that is
null. The session of before does not count, only a later state. None does: 7.
An endpoint that has the policy already counts as done. An order is never
repeated; one that still runs when the waiting is over ends with exit status 8.
A list has one row for each input: done, already, failed, invalid or not-sent."
)]
pub(crate) struct Apply {
    #[command(flatten)]
    whom: Whom,
    /// The policy's name
    #[arg(long, value_name = "NAME")]
    policy: String,
    #[command(flatten)]
    patience: Patience,
}

/// Arguments of `clear`.
#[derive(Args, Debug)]
#[command(
    group = clap::ArgGroup::new("endpoint").required(true).multiple(false),
    after_help = "\
Examples:
  netapi ise pxgrid anc clear --mac C8:5B:76:C6:59:62
  netapi ise pxgrid anc clear --mac - < macs.txt
  netapi ise pxgrid anc clear --mac C8:5B:76:C6:59:62 --wait-for '!ancPolicy'

--wait-for wants the endpoint's session (`netapi ise pxgrid session MAC`) to
satisfy a JMESPath expression within another --wait; without a session that is
null. The session of before does not count, only a later state. None does: 7.
An endpoint without a policy is an error, in ISE's words. An order is never
repeated; one that still runs when the waiting is over ends with exit status 8.
A list has one row for each input: done, already, failed, invalid or not-sent."
)]
pub(crate) struct Clear {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    patience: Patience,
}

impl Apply {
    /// Orders, waits and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let order = PolicyChange::Apply(self.policy);
        run(context, order, self.whom, self.patience).await
    }
}

impl Clear {
    /// Orders, waits and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        run(context, PolicyChange::Clear, self.whom, self.patience).await
    }
}

async fn run(context: &Context, order: PolicyChange, whom: Whom, patience: Patience) -> Result<()> {
    let operation = match order {
        PolicyChange::Apply(_) => "applyEndpointByMacAddress",
        PolicyChange::Clear => "clearEndpointByMacAddress",
    };
    let output = Ask::new(SERVICE, operation, "").before_change(context)?;
    if whom.ip.is_some() && patience.back.is_given() {
        return Err(
            Error::usage("--wait-for is for an endpoint that is named by --mac")
                .hint("`netapi ise pxgrid session --ip IP` shows its MAC address"),
        );
    }
    let client = Rc::new(context.pxgrid()?);
    let sessions = Sessions::Pxgrid(Rc::clone(&client));
    let back = patience.back.waiting(sessions, patience.wait);
    let orders = Orders {
        context,
        client,
        order,
        nas: whom.nas,
        wait: (!patience.no_wait).then_some(patience.wait),
        back,
    };
    let target = match (whom.mac, whom.ip) {
        (Some(MacOrList::One(mac)), _) => orders.target(mac),
        (_, Some(ip)) => Target::Ip(ip),
        (Some(MacOrList::List), None) => {
            let changing = Changing {
                change: &orders,
                options: &patience.list,
                yes: patience.yes,
            };
            return changing.run(context).await;
        }
        (None, None) => return Err(Error::usage("no endpoint given")),
    };
    patience.list.for_one()?;
    let attempt = Attempt::default();
    let what = orders.what_for(&target);
    let look = |answer: Option<&Value>| orders.look_for(&target, answer);
    let giving = orders.give(&target, &attempt);
    match change_under_way::alone(&attempt, &what, look, giving).await {
        Ok(carried) => {
            if carried.already {
                context.reporter.note(&orders.had_it(&target));
            }
            context.print_change(output, &carried.record)
        }
        Err(error) => {
            // A failure's own words are in the error; what was taken has an id that is needed.
            if attempt.is_lost(&error)
                && let Some(mut answer) = attempt.answer()
            {
                if let Some(members) = answer.as_object_mut() {
                    members.shift_remove(BEFORE);
                }
                context.print_change(output, &Record::from_value(answer))?;
            }
            Err(error)
        }
    }
}

/// One order and how it is given.
struct Orders<'a> {
    context: &'a Context,
    client: Rc<ServiceClient>,
    order: PolicyChange,
    nas: Option<IpAddr>,
    /// How long its outcome is waited for; not at all.
    wait: Option<Duration>,
    /// What the endpoint's session is to be afterwards.
    back: Option<Waiting<'static>>,
}

impl Orders<'_> {
    fn target(&self, mac: Mac) -> Target {
        match self.nas {
            Some(nas) => Target::MacAtNas(mac, nas),
            None => Target::Mac(mac),
        }
    }

    fn what_for(&self, target: &Target) -> String {
        let endpoint = name_of(target);
        match &self.order {
            PolicyChange::Apply(policy) => format!("{policy} for {endpoint}"),
            PolicyChange::Clear => format!("clearing {endpoint}"),
        }
    }

    fn had_it(&self, target: &Target) -> String {
        let endpoint = name_of(target);
        match &self.order {
            PolicyChange::Apply(policy) => format!("{endpoint} had the policy {policy} already"),
            PolicyChange::Clear => format!("{endpoint} had no policy"),
        }
    }

    /// Gives the order once, and waits unless that is not wanted.
    async fn give(&self, target: &Target, attempt: &Attempt<'_>) -> Result<Carried> {
        let (operation, body) = anc::operation(&self.order, target);
        show_instead(self.context, &self.client, SERVICE, operation, &body).await?;
        let counts = match (&self.back, mac_of(target)) {
            (Some(back), Some(mac)) => back.before_change(mac).await?,
            _ => Counts::Any,
        };
        attempt.sending()?;
        let answer = anc::start(&self.client, &self.order, target).await?;
        let first = anc::read_status(answer.clone()).inspect_err(|_| {
            // Its state is not known, but it can be asked by.
            if answer.text("operationId").is_some() {
                attempt.answered(answer.value().clone());
            }
        })?;
        self.settle(target, first, counts, attempt).await
    }

    async fn settle(
        &self,
        target: &Target,
        first: Status,
        counts: Counts,
        attempt: &Attempt<'_>,
    ) -> Result<Carried> {
        if first.state == OperationState::Running {
            attempt.answered(self.noted(&first, &counts));
        }
        let status = match self.wait {
            Some(wait) => anc::wait(&self.client, first, wait).await?,
            None => first,
        };
        if status.state != OperationState::Running {
            // What is waited for behind it settles it.
            if self.back.is_none() || anc::outcome(&self.order, &status).is_err() {
                attempt.settled();
            }
        } else if self.wait.is_none() {
            attempt.settled();
            let id = status.operation_id.as_deref().unwrap_or_default();
            let reason = format!("running: `netapi ise pxgrid anc status {}`", quote(id));
            return Ok(carried(status.json, false, Some(reason)));
        }
        match anc::outcome(&self.order, &status) {
            Ok(()) => {
                let already = status.state == OperationState::Failure;
                // Where there was nothing to do nothing is new.
                let counts = if already { Counts::Any } else { counts };
                let back = self.back_as_wanted(target, &status, &counts, attempt);
                let back = back.await?;
                let reason = status.failure_reason.filter(|_| already);
                let reason = match (reason, back) {
                    (reason, false) => reason,
                    (Some(reason), true) => Some(format!("{reason}; {AS_WANTED}")),
                    (None, true) => Some(AS_WANTED.to_owned()),
                };
                Ok(carried(status.json, already, reason))
            }
            Err(error) => {
                let message = format!("{}: {}", self.what_for(target), error.message());
                let told = error.reworded(message);
                if told.kind() != Kind::Server {
                    return Err(told);
                }
                let reason = status.failure_reason.as_deref().unwrap_or_default();
                let told = match advice(&self.order, target, reason) {
                    Some(hint) => told.hint(hint),
                    None => told,
                };
                Err(told.answer(status.json.as_str()))
            }
        }
    }
}

impl Orders<'_> {
    /// What a report keeps of an operation, so that another run can go on.
    fn noted(&self, status: &Status, counts: &Counts) -> Value {
        let mut answer = status.json.value().clone();
        if let (Some(_), Some(members)) = (&self.back, answer.as_object_mut()) {
            members.insert(BEFORE.to_owned(), counts.json());
        }
        answer
    }

    /// Waits for the session where that is wanted; whether it was.
    async fn back_as_wanted(
        &self,
        target: &Target,
        status: &Status,
        counts: &Counts,
        attempt: &Attempt<'_>,
    ) -> Result<bool> {
        let (Some(back), Some(mac)) = (&self.back, mac_of(target)) else {
            return Ok(false);
        };
        attempt.waits(self.noted(status, counts));
        back.until(mac, counts).await?;
        attempt.settled();
        Ok(true)
    }

    /// How to look what became of an order, given what the server answered until then.
    fn look_for(&self, target: &Target, answer: Option<&Value>) -> String {
        let counts = answer.and_then(|answer| answer.get(BEFORE));
        match (&self.back, mac_of(target), counts) {
            (Some(back), Some(mac), Some(counts)) => {
                let counts = Counts::read(Some(counts));
                let command = back.command(mac, &counts);
                format!("{}; then `{command}`", look_for(target, answer))
            }
            _ => look_for(target, answer),
        }
    }
}

impl Change for Orders<'_> {
    fn command(&self) -> String {
        let at = self.nas.map_or(String::new(), |nas| format!(" at {nas}"));
        match &self.order {
            PolicyChange::Apply(policy) => format!("anc apply {policy}{at}"),
            PolicyChange::Clear => format!("anc clear{at}"),
        }
    }

    fn question(&self) -> String {
        match &self.order {
            PolicyChange::Apply(policy) => format!("Put {policy} on"),
            PolicyChange::Clear => "Take the policy off".to_owned(),
        }
    }

    fn what(&self, mac: Mac) -> String {
        self.what_for(&self.target(mac))
    }

    fn look(&self, mac: Mac, answer: Option<&Value>) -> String {
        self.look_for(&self.target(mac), answer)
    }

    async fn carry_out(&self, mac: Mac, attempt: &Attempt<'_>) -> Result<Carried> {
        self.give(&self.target(mac), attempt).await
    }

    async fn ask_again(&self, mac: Mac, answer: &Value) -> Option<Result<Carried>> {
        let id = answer.get("operationId")?.as_str()?;
        let status = match anc::status(&self.client, id).await {
            Ok(status) => status,
            Err(error) => return Some(Err(error)),
        };
        let attempt = Attempt::default();
        let counts = Counts::read(answer.get(BEFORE));
        Some(
            self.settle(&self.target(mac), status, counts, &attempt)
                .await,
        )
    }
}

fn carried(answer: JsonText, already: bool, reason: Option<String>) -> Carried {
    Carried {
        already,
        reason,
        answer: Some(answer.value().clone()),
        record: Record::Json(answer),
    }
}

/// How to look what became of an order, given what the server answered until then.
fn look_for(target: &Target, answer: Option<&Value>) -> String {
    let id = answer.and_then(|answer| answer.get("operationId")?.as_str());
    match (id, target) {
        (Some(id), _) => format!(
            "look again with `netapi ise pxgrid anc status {}`",
            quote(id)
        ),
        (None, Target::Mac(mac)) => {
            format!("look with `netapi ise pxgrid anc endpoint {mac}` before you repeat it")
        }
        (None, Target::MacAtNas(mac, nas)) => format!(
            "look with `netapi ise pxgrid anc endpoint {mac} --nas {nas}` before you repeat it"
        ),
        (None, Target::Ip(_)) => {
            "look with `netapi ise pxgrid anc endpoints` before you repeat it".to_owned()
        }
    }
}

fn mac_of(target: &Target) -> Option<Mac> {
    match target {
        Target::Mac(mac) | Target::MacAtNas(mac, _) => Some(*mac),
        Target::Ip(_) => None,
    }
}

fn name_of(target: &Target) -> String {
    match target {
        Target::Mac(mac) => mac.to_string(),
        Target::Ip(ip) => ip.to_string(),
        Target::MacAtNas(mac, nas) => format!("{mac} at {nas}"),
    }
}

/// What to look at after a failure: what the reason that ISE gave is about (reference, section 3.3),
/// for this order and target. `None` for a reason that no look explains.
fn advice(order: &PolicyChange, target: &Target, reason: &str) -> Option<&'static str> {
    let reason = reason.to_ascii_lowercase();
    match (order, target) {
        (PolicyChange::Apply(_), Target::Ip(_)) if reason.contains("session lookup") => Some(
            "has the address an active session (`netapi ise pxgrid session --ip IP`)? --mac needs none",
        ),
        (PolicyChange::Clear, Target::Ip(_)) if reason.contains("session lookup") => {
            Some("has the address an active session (`netapi ise pxgrid session --ip IP`)?")
        }
        (PolicyChange::Apply(_), _) if reason.contains("policy") => {
            Some("does the policy exist? `netapi ise pxgrid anc policies` lists them")
        }
        (PolicyChange::Clear, _) if reason.contains("policy") => Some(
            "`netapi ise pxgrid anc endpoints` lists those that have a policy; one that was put on with --nas must be taken off with it",
        ),
        _ => None,
    }
}

/// Fails where an operation failed, of which only the id is known. Only an order to apply fails
/// because it was carried out already.
pub(super) fn check_outcome(status: &Status) -> Result<()> {
    anc::outcome(&PolicyChange::Apply(String::new()), status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_fits_the_reason_or_is_not_given() {
        let mac = Target::Mac("C8:5B:76:C6:59:62".parse().unwrap());
        let ip = Target::Ip("10.9.9.9".parse().unwrap());
        let apply = PolicyChange::Apply("Quarantine".to_owned());
        for (order, target, reason, words) in [
            (&apply, &mac, "Policy is not configured", "anc policies"),
            (&apply, &ip, "Policy is not configured", "anc policies"),
            (&apply, &ip, "Session lookup failure", "active session"),
            (
                &PolicyChange::Clear,
                &mac,
                "mac address is not associated with a policy",
                "anc endpoints",
            ),
            (
                &PolicyChange::Clear,
                &ip,
                "Session lookup failure",
                "active session",
            ),
        ] {
            let advice = advice(order, target, reason).unwrap();
            assert!(advice.contains(words), "{reason}: {advice}");
        }
        for reason in [
            "Radius session could not be reached",
            "",
            "Session lookup failure",
        ] {
            assert_eq!(advice(&apply, &mac, reason), None, "{reason}");
        }
    }
}
