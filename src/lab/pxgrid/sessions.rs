//! The session directory over pxGrid (reference pxgrid-api, section 3.1): the same sessions as on
//! the Monitoring node, as JSON.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

use serde_json::{Value, json};

use super::devices::Managed;
use super::json::{Object, moment, text};
use super::listing::{Facts, Listing};
use super::reply::Reply;
use super::services::Question;
use crate::lab::population::LabSession;
use crate::lab::shared_changes::Changes;
use crate::record::jmespath::Filter;

/// The topic of session changes.
pub(super) const TOPIC: &str = "/topic/com.cisco.ise.session";
/// The same, with sessions that have no address.
pub(super) const TOPIC_ALL: &str = "/topic/com.cisco.ise.session.all";

/// Answers one operation.
pub(super) fn answer(question: &Question<'_>, operation: &str) -> Option<Reply> {
    let request = question.request;
    Some(match operation {
        "getSessions" => match (moment(request, "startTimestamp"), question.filter()) {
            (Ok(since), Ok(filter)) => list(question, since.unwrap_or(i64::MIN), filter),
            _ => Reply::BAD,
        },
        "getSessionsForRecovery" => {
            match (
                moment(request, "startTimestamp"),
                moment(request, "endTimestamp"),
            ) {
                (Ok(Some(since)), Ok(until)) => {
                    recovery(question, since, until.unwrap_or(i64::MAX))
                }
                _ => Reply::BAD,
            }
        }
        "getSessionByIpAddress" => one(
            question,
            text(request, "ipAddress").and_then(|ip| by_ip(question, ip)),
        ),
        "getSessionByMacAddress" => one(
            question,
            text(request, "macAddress").and_then(|mac| question.session_of(mac)),
        ),
        "getUserGroups" => match question.filter() {
            Ok(filter) => user_groups(question, filter),
            Err(()) => Reply::BAD,
        },
        "getUserGroupByUserName" => {
            let user = text(request, "userName").unwrap_or("");
            match question.directory.by_user(user, question.now) {
                Some(session) => Reply::Json(json!({ "groups": groups(&session) })),
                None => Reply::Nothing,
            }
        }
        _ => return None,
    })
}

fn list(question: &Question<'_>, since: i64, filter: Option<Filter>) -> Reply {
    Reply::list(listing(question.source(), since, filter))
}

/// The sessions that were authenticated since then.
pub(super) fn listing(source: Facts, since: i64, filter: Option<Filter>) -> Listing {
    let indexes = 0..source.directory.population.sessions();
    Listing::new(
        source,
        "sessions",
        indexes,
        filter,
        Box::new(move |source, session, rows| {
            if let Some(session) = source.changes.apply(session)
                && session.authenticated_at() >= since
            {
                rows.row(|out| push(out, &session, &source.changes, None));
            }
        }),
    )
}

/// Also what ended in the window; where another session has begun since, only of those without a
/// MAC, for the others are merged by it.
fn recovery(question: &Question<'_>, since: i64, until: i64) -> Reply {
    let indexes = 0..question.directory.population.sessions();
    Reply::list(Listing::new(
        question.source(),
        "sessions",
        indexes,
        None,
        Box::new(move |source, original, rows| {
            let window = since..=until;
            for (last, ended) in source.changes.earlier(original) {
                if window.contains(&ended) {
                    rows.row(|out| push(out, &last, &source.changes, Some(ended)));
                }
            }
            match source.changes.apply(original) {
                Some(session) if window.contains(&session.authenticated_at()) => {
                    rows.row(|out| push(out, &session, &source.changes, None));
                }
                Some(_) => {}
                None => {
                    if let Some((last, ended)) = source.changes.ended(original)
                        && window.contains(&ended)
                    {
                        rows.row(|out| push(out, &last, &source.changes, Some(ended)));
                    }
                }
            }
        }),
    ))
}

fn one(question: &Question<'_>, session: Option<LabSession>) -> Reply {
    session.map_or(Reply::Nothing, |session| {
        let mut text = String::new();
        push(&mut text, &session, &question.changes(), None);
        Reply::Text(text)
    })
}

fn by_ip(question: &Question<'_>, ip: &str) -> Option<LabSession> {
    match ip.parse().ok()? {
        IpAddr::V4(address) => question.directory.by_ip(address, question.now),
        IpAddr::V6(address) => {
            // The inverse of the numbering of global addresses; link-local ones are nobody's
            // address to look up.
            let [0x2001, 0xdb8, 7, 0, 0, 0, high, low] = address.segments() else {
                return None;
            };
            let index = (u64::from(high.checked_sub(1)?) << 16) | u64::from(low);
            let population = &question.directory.population;
            let session = (index < population.sessions()).then(|| population.session(index))?;
            let session = question.changes().apply(session)?;
            let known = session.addresses();
            known
                .iter()
                .any(|text| text.parse() == Ok(address))
                .then_some(session)
        }
    }
}

fn user_groups(question: &Question<'_>, filter: Option<Filter>) -> Reply {
    let mut seen = HashSet::new();
    let indexes = 0..question.directory.population.sessions();
    Reply::list(Listing::new(
        question.source(),
        "userGroups",
        indexes,
        filter,
        Box::new(move |source, session, rows| {
            let Some(session) = source.changes.apply(session) else {
                return;
            };
            let user = session.user_name();
            let mut hasher = DefaultHasher::new();
            user.hash(&mut hasher);
            if user.is_empty() || !seen.insert(hasher.finish()) {
                return;
            }
            rows.row(|out| {
                out.push_str(&json!({ "userName": user, "groups": groups(&session) }).to_string());
            });
        }),
    ))
}

/// The groups of a session's user.
pub(super) fn groups(session: &LabSession) -> Value {
    let role = session.role();
    let mut groups = Vec::new();
    if role.identity_store == "lab.example" || role.method == "dot1x" {
        let domain_group = if role.user_type == "Host" {
            "lab.example/Users/Domain Computers"
        } else {
            "lab.example/Users/Domain Users"
        };
        groups.push(json!({ "name": domain_group, "type": "ACTIVE_DIRECTORY" }));
    }
    if !role.identity_group.is_empty() {
        groups.push(json!({ "name": role.identity_group, "type": "IDENTITY" }));
    }
    Value::Array(groups)
}

/// Publishes the session `index` as it now is; as disconnected when it is gone.
pub(super) fn publish(source: &Facts, events: &super::Events, index: u64) {
    publish_all(source, events, &[index]);
}

/// Publishes the sessions `indexes` in one message, as the Monitoring node batches them; those
/// without an address on the topic of all alone.
pub(super) fn publish_all(source: &Facts, events: &super::Events, indexes: &[u64]) {
    let (mut addressed, mut all) = (String::new(), String::new());
    for index in indexes {
        let original = source.directory.population.session(*index);
        let (session, ended) = match source.changes.apply(original) {
            Some(session) => (session, None),
            None => source.changes.ended(original).map_or_else(
                || (original, Some(source.now)),
                |(last, ended)| (last, Some(ended)),
            ),
        };
        let comma = |list: &str| if list.is_empty() { "" } else { "," };
        all.push_str(comma(&all));
        let start = all.len();
        push(&mut all, &session, &source.changes, ended);
        if session.framed_ip().is_some() {
            addressed.push_str(comma(&addressed));
            addressed.push_str(all.get(start..).unwrap_or_default());
        }
    }
    for (topic, list) in [(TOPIC, addressed), (TOPIC_ALL, all)] {
        if !list.is_empty() {
            events.publish_text(topic, &format!("{{\"sessions\":[{list}]}}"));
        }
    }
}

/// Appends a session object; one that ended is `DISCONNECTED` as of then.
pub(super) fn push(out: &mut String, session: &LabSession, changes: &Changes, ended: Option<i64>) {
    let role = session.role();
    let mut object = Object::new(out);
    object.time(
        "timestamp",
        ended.unwrap_or_else(|| session.authenticated_at()),
    );
    let state = match ended {
        Some(_) => "DISCONNECTED",
        None if !session.has_ids() => "AUTHENTICATED",
        None if session.posture_status().is_empty() => "STARTED",
        None => "POSTURED",
    };
    object.plain("state", state);
    let mac = session.mac_text().unwrap_or_default();
    object.plain("macAddress", &mac);
    object.pushed("callingStationId", |out| session.push_calling_station(out));
    push_addresses(&mut object, session);
    object.pushed("auditSessionId", |out| session.push_audit_session_id(out));
    let user = session.user_name();
    object.text("userName", &user);
    push_device(&mut object, session);
    object.list("selectedAuthzProfiles", session.profiles().split(','));
    object.plain("postureStatus", session.posture_status());
    object.plain("endpointProfile", session.device().policy);
    object.plain("endpointOperatingSystem", session.device().operating_system);
    object.plain("ctsSecurityGroup", session.security_group());
    object.text("ancPolicy", changes.anc_policy(&mac).unwrap_or(""));
    push_directory(&mut object, session, &user);
    object.list("providers", std::iter::once("None"));
    object.plain("endpointCheckResult", "none");
    object.number("identitySourcePortStart", 0);
    object.number("identitySourcePortEnd", 0);
    object.number("identitySourcePortFirst", 0);
    let machine = role.user_type == "Host" && role.method == "dot1x";
    object.plain("isMachineAuthentication", if machine { "true" } else { "" });
    object.plain("serviceType", role.service_type);
    object.plain("authMethod", role.method);
    object.plain("authProtocol", role.protocol);
    if session.vlan() > 0 {
        object.pushed("tunnelPrivateGroupId", |out| {
            crate::lab::fast_text::push_number(out, u64::from(session.vlan()), 1);
        });
    }
    object.plain("networkDeviceProfileName", "Cisco");
    object.plain(
        "radiusFlowType",
        match (role.method, session.ssid().is_empty()) {
            ("dot1x", true) => "Wired802_1x",
            ("dot1x", false) => "Wireless802_1x",
            ("mab", _) => "WiredMAB",
            _ => "VPN",
        },
    );
    object.plain("ssid", session.ssid());
    push_management(&mut object, session);
    object.plain("virtualNetwork", "Campus_VN");
    object.end();
}

fn push_addresses(object: &mut Object<'_>, session: &LabSession) {
    let addresses = session.addresses();
    object.list("ipAddresses", addresses.iter().map(String::as_str));
}

fn push_device(object: &mut Object<'_>, session: &LabSession) {
    let Some(nas) = session.nas() else { return };
    object.pushed("nasIpAddress", |out| {
        crate::lab::fast_text::push_ipv4(out, u32::from(nas.ip()));
    });
    object.plain("nasPortId", &session.port());
    object.plain("nasPortType", nas.port_type());
    object.plain("nasIdentifier", &nas.name());
    let [_, second, third, fourth] = nas.ip().octets();
    object.plain(
        "calledStationId",
        &format!("02:00:5E:{second:02X}:{third:02X}:{fourth:02X}"),
    );
}

/// What Active Directory says of the user.
fn push_directory(object: &mut Object<'_>, session: &LabSession, user: &str) {
    let role = session.role();
    if user.is_empty() || role.method == "mab" {
        return;
    }
    let short = user.strip_prefix("LAB\\").unwrap_or(user);
    let short = short.strip_prefix("host/").unwrap_or(short);
    let short = short.split_once('@').map_or(short, |(name, _)| name);
    object.text("adNormalizedUser", short);
    if role.user_type == "Host" {
        object.plain("adHostDomainName", "lab.example");
        object.plain("adHostNetBiosName", "LAB");
        object.text("adHostResolvedIdentities", short);
    } else {
        object.plain("adUserDomainName", "lab.example");
        object.plain("adUserNetBiosName", "LAB");
        object.text("adUserResolvedIdentities", &format!("{short}@lab.example"));
        object.text(
            "adUserResolvedDns",
            &format!("CN={short},CN=Users,DC=lab,DC=example"),
        );
        object.text("adUserSamAccountName", short);
        object.text("adUserQualifiedName", &format!("{short}@lab.example"));
    }
}

fn push_management(object: &mut Object<'_>, session: &LabSession) {
    let managed = Managed::of(session);
    if let Some(managed) = &managed {
        object.plain("mdmOsVersion", managed.os_version);
        object.plain("mdmModel", managed.model);
        object.plain("mdmManufacturer", managed.manufacturer);
        object.plain("mdmSerialNumber", &managed.serial_number);
        object.plain("mdmDeviceManager", super::devices::MANAGER);
    }
    object.boolean(
        "mdmRegistered",
        managed.as_ref().is_some_and(|one| one.registered),
    );
    object.boolean(
        "mdmCompliant",
        managed.as_ref().is_some_and(|one| one.compliant),
    );
    object.boolean(
        "mdmDiskEncrypted",
        managed.as_ref().is_some_and(|one| one.compliant),
    );
    object.boolean("mdmJailBroken", false);
    object.boolean(
        "mdmPinLocked",
        managed.as_ref().is_some_and(|one| one.compliant),
    );
}
