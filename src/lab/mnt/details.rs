//! The documents of one session: `sessionParameters`, `activeSessionList` of a session id, and the
//! attributes that both hold as text (reference mnt-api, sections 2.3 and 2.4).

use std::fmt::Write;

use super::list::push_ipv6_list;
use super::xml::{Verdict, Xml};
use crate::lab::population::{LabSession, Reason};

/// `sessionParameters`: the 43 elements of 3.3 patch 11 in its order. Where there is a security
/// group or an IPv6 address, its elements stand where other captures have them; elements that a
/// partial row does not have are left out.
pub(super) fn session_parameters(session: &LabSession, verdict: Verdict) -> Xml {
    let role = session.role();
    let nas = session.nas();
    let mut xml = Xml::new();
    xml.open("sessionParameters");
    xml.boolean("passed", true, verdict);
    xml.boolean("failed", false, verdict);
    xml.optional("user_name", &session.user_name());
    if let Some(nas) = nas {
        xml.element("nas_ip_address", &nas.ip().to_string());
    }
    stations(&mut xml, session);
    xml.element("cpmsession_id", &session.audit_session_id());
    xml.element("destination_ip_address", psn_address(session));
    if let Some(nas) = nas {
        xml.element("device_ip_address", &nas.ip().to_string());
        xml.element("network_device_name", &nas.name());
    }
    xml.element("acs_server", session.psn());
    xml.element("authentication_method", role.method);
    xml.element("authentication_protocol", role.protocol);
    let address = session.framed_ip().map(|ip| ip.to_string());
    xml.element("framed_ip_address", address.as_deref().unwrap_or(""));
    xml.time("auth_acs_timestamp", session.authenticated_at());
    xml.element("execution_steps", &steps(session, None));
    xml.element("response", &response(session));
    xml.element("audit_session_id", &session.audit_session_id());
    xml.element("nas_port_id", &session.port());
    xml.element("posture_status", session.posture_status());
    xml.element("selected_azn_profiles", session.profiles());
    xml.element("service_type", role.service_type);
    xml.element("message_code", "5200");
    xml.time("auth_acsview_timestamp", session.authenticated_at() + 2);
    xml.number("auth_id", session.auth_id());
    xml.element("identity_store", role.identity_store);
    xml.optional("cts_security_group", session.security_group());
    if let Some(nas) = nas {
        xml.element("location", &nas.location());
        xml.element("device_type", nas.device_type());
    }
    xml.number("response_time", session.response_time());
    if session.ipv6_entries() > 0 {
        ipv6_list(&mut xml, session);
    }
    xml.element("other_attr_string", &other_attributes(session, None));
    accounting(&mut xml, session);
    xml.optional("security_group", session.security_group());
    xml.boolean("started", true, Verdict::Boolean);
    xml.boolean("stopped", false, Verdict::Boolean);
    xml.element("endpoint_policy", session.device().policy);
    xml.close("sessionParameters");
    xml
}

/// `activeSessionList` with the one session of an audit session id.
pub(super) fn session_by_id(session: &LabSession) -> Xml {
    let role = session.role();
    let user = session.user_name();
    let mut xml = Xml::new();
    xml.open("activeSessionList noOfActiveSession=\"1\"");
    xml.open("activeSession");
    stations(&mut xml, session);
    xml.element("session_state_bit", "5");
    xml.element("session_state", "STARTED");
    xml.element("session_source", "0");
    xml.element("authentication_rule", role.authentication_rule);
    xml.element("authorization_rule", session.authorization_rule());
    xml.element("selected_authz_profiles", session.profiles());
    xml.time("auth_timestamp", session.authenticated_at());
    xml.time("acct_timestamp", session.accounted_at());
    xml.element("dead_timestamp", "");
    xml.number("acct_session_time", session.session_time());
    xml.element("audit_session_id", &session.audit_session_id());
    xml.element_with("acct_session_id", |out| session.push_acct_session_id(out));
    xml.optional("username", user.strip_prefix("LAB\\").unwrap_or(&user));
    xml.optional("radius_username", &user);
    if let Some(nas) = session.nas() {
        xml.element("nas_ip_address", &nas.ip().to_string());
    }
    let address = session.framed_ip().map(|ip| ip.to_string());
    xml.element("framed_ip_address", address.as_deref().unwrap_or(""));
    ipv6_list(&mut xml, session);
    xml.element("nas_port_id", &session.port());
    xml.element("auth_method", role.method);
    xml.element("auth_protocol", role.protocol);
    xml.element("posture_status", session.posture_status());
    xml.element("endpoint_policy", session.device().policy);
    xml.element("destination_ip_address", psn_address(session));
    xml.element("server", session.psn());
    xml.element("user_type", role.user_type);
    xml.optional("cts_security_group", session.security_group());
    let [octets_in, octets_out, packets_in, packets_out] = session.traffic();
    xml.number("paks_in", packets_in);
    xml.number("paks_out", packets_out);
    xml.number("bytes_in", octets_in);
    xml.number("bytes_out", octets_out);
    if let Some(nas) = session.nas() {
        xml.element("network_device_name", &nas.name());
        xml.element("device_ip_address", &nas.ip().to_string());
        xml.element("location", &nas.location());
    }
    xml.element("is_live", "1");
    xml.time("session_start_time", session.connected_at());
    xml.close("activeSession");
    xml.close("activeSessionList");
    xml
}

fn stations(xml: &mut Xml, session: &LabSession) {
    let mut text = String::new();
    session.push_calling_station(&mut text);
    xml.optional("calling_station_id", &text);
    text.clear();
    session.push_original_calling_station(&mut text);
    xml.optional("orig_calling_station_id", &text);
}

fn ipv6_list(xml: &mut Xml, session: &LabSession) {
    xml.raw(|out| push_ipv6_list(out, session));
}

fn accounting(xml: &mut Xml, session: &LabSession) {
    xml.number("acct_id", session.acct_id());
    xml.time("acct_acs_timestamp", session.accounted_at());
    xml.time("acct_acsview_timestamp", session.accounted_at() + 2);
    xml.element_with("acct_session_id", |out| session.push_acct_session_id(out));
    let first = session.accounted_at() == session.connected_at();
    xml.element(
        "acct_status_type",
        if first { "Start" } else { "Interim-Update" },
    );
    xml.number("acct_session_time", session.session_time());
    let [octets_in, octets_out, packets_in, packets_out] = session.traffic();
    xml.number("acct_input_octets", octets_in);
    xml.number("acct_output_octets", octets_out);
    xml.number("acct_input_packets", packets_in);
    xml.number("acct_output_packets", packets_out);
    xml.element("acct_authentic", "RADIUS");
}

fn psn_address(session: &LabSession) -> &'static str {
    if session.psn() == "psn-a" {
        "10.50.0.21"
    } else {
        "10.50.0.22"
    }
}

/// The step codes, comma-separated.
pub(super) fn steps(session: &LabSession, failure: Option<&Reason>) -> String {
    let codes: Vec<String> = session
        .steps(failure)
        .iter()
        .map(ToString::to_string)
        .collect();
    codes.join(",")
}

/// The attributes of the access-accept.
pub(super) fn response(session: &LabSession) -> String {
    let role = session.role();
    let id = session.audit_session_id();
    let mut text = format!(
        "{{Class=CACS:{id}:{}/5501/{}; ",
        session.psn(),
        session.index() % 10_000
    );
    if session.vlan() > 0 {
        let _ = write!(
            text,
            "Tunnel-Type=(tag=1) VLAN; Tunnel-Private-Group-ID=(tag=1) {}; ",
            session.vlan()
        );
    }
    if session.security_group_tag() > 0 {
        let _ = write!(
            text,
            "cisco-av-pair=cts:security-group-tag={:04x}-00; ",
            session.security_group_tag()
        );
    }
    if role.method == "mab" {
        let _ = write!(
            text,
            "cisco-av-pair=url-redirect=https://{}.lab.example:8443/portal/gateway?sessionId={id}&action=cwa; ",
            session.psn()
        );
    }
    let _ = write!(
        text,
        "cisco-av-pair=profile-name={}; }}",
        session.device().policy
    );
    text
}

/// `other_attr_string` (quirk 4): `:!:` before each part, keys that repeat, values with `=`, `,`
/// and `"` in them, secrets masked.
pub(super) fn other_attributes(session: &LabSession, failure: Option<&Reason>) -> String {
    let role = session.role();
    let id = session.audit_session_id();
    let mut text = String::from(":!:ConfigVersionId=118:!:Protocol=Radius");
    let mut part = |key: &str, value: &str| {
        let _ = write!(text, ":!:{key}={value}");
    };
    if let Some(nas) = session.nas() {
        part("NAS-Port-Type", nas.port_type());
        part("Device Type", &format!("Device Type#{}", nas.device_type()));
        part("Location", &format!("Location#{}", nas.location()));
    }
    part("EAP-Key-Name", "");
    part("ISEPolicySetName", role.policy_set);
    part("IdentityPolicyMatchedRule", role.authentication_rule);
    let (authorization_rule, outcome) = match failure {
        None => (session.authorization_rule(), "AuthenticationPassed"),
        Some(_) => ("Default", "AuthenticationFailed"),
    };
    part("AuthorizationPolicyMatchedRule", authorization_rule);
    part("AuthenticationStatus", outcome);
    part("StepLatency", &step_latency(session, failure));
    part("TotalAuthenLatency", &session.response_time().to_string());
    part("ClientLatency", "0");
    part(
        "StepData",
        &format!(
            "\"4= Normalised Radius.RadiusFlowType\",\"9={}\"=StepData",
            role.identity_store
        ),
    );
    part("CPMSessionID", &id);
    part("CPMSessionID", &id);
    if role.method == "dot1x" {
        part("TLSVersion", "TLSv1.2");
        part("TLSCipher", "ECDHE-RSA-AES256-GCM-SHA384");
    }
    if !session.ssid().is_empty() {
        part("SSID", session.ssid());
    }
    part(
        "CiscoAVPair",
        &format!(
            "service-type={},audit-session-id={id},cts-pac-opaque=****",
            role.service_type
        ),
    );
    text
}

/// One entry fewer than steps (quirk 5); the milliseconds add up to the response time.
fn step_latency(session: &LabSession, failure: Option<&Reason>) -> String {
    let entries = u64::try_from(session.steps(failure).len().saturating_sub(1)).unwrap_or(0);
    let total = session.response_time();
    let slowest = 1 + session.hash() % entries.max(1);
    let shares: Vec<String> = (1..=entries)
        .map(|entry| {
            let rest = total.saturating_sub(entries - 1);
            let share = if entry == slowest {
                rest
            } else {
                u64::from(total >= entries)
            };
            format!("{entry}={share}")
        })
        .collect();
    shares.join(";")
}
