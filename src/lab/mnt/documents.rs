//! The other documents: counts, version, histories, the failure catalogue, the outcome of a CoA
//! (reference mnt-api, sections 2.1 and 2.6 to 2.10).

use super::details::{other_attributes, response, steps};
use super::xml::{Verdict, Xml};
use crate::lab::population::{Attempt, CATALOGUE, LabSession};

/// `sessionCount`.
pub(super) fn count(count: u64) -> Xml {
    let mut xml = Xml::new();
    xml.open("sessionCount");
    xml.number("count", count);
    xml.close("sessionCount");
    xml
}

/// `product`: an active Monitoring node of 3.3.
pub(super) fn version() -> Xml {
    let mut xml = Xml::new();
    xml.open("product name=\"Cisco Identity Services Engine\"");
    xml.element("version", "3.3.0.430");
    xml.number("type_of_node", 1);
    xml.close("product");
    xml
}

/// `remoteCoA`. The guide's own sample of a disconnect calls it a reauth too (section 2.10).
pub(super) fn coa(done: bool) -> Xml {
    let mut xml = Xml::new();
    xml.open("remoteCoA requestType=\"reauth\"");
    xml.element("results", if done { "true" } else { "false" });
    xml.close("remoteCoA");
    xml
}

/// `failureReasonList`.
pub(super) fn failure_reasons() -> Xml {
    let mut xml = Xml::new();
    xml.open("failureReasonList");
    for reason in CATALOGUE {
        xml.open(&format!("failureReason id=\"{}\"", reason.code));
        xml.element("code", &format!("{} {}", reason.code, reason.text));
        xml.element("cause", reason.cause);
        xml.element("resolution", reason.resolution);
        xml.close("failureReason");
    }
    xml.close("failureReasonList");
    xml
}

/// `authStatusOutputList`; the filtered form has another root and the verdict, time and reason only
/// (section 2.6).
pub(super) fn auth_status(
    mac: &str,
    endpoint: Option<&LabSession>,
    attempts: &[Attempt],
    all_fields: bool,
) -> Xml {
    let root = if all_fields {
        "authStatusOutputList"
    } else {
        "restAuthStatusOutputList"
    };
    let mut xml = Xml::new();
    xml.open(root);
    xml.open(&format!("authStatusList key=\"{mac}\""));
    if let Some(endpoint) = endpoint {
        for attempt in attempts {
            xml.open("authStatusElements");
            attempt_fields(&mut xml, mac, endpoint, attempt, all_fields);
            xml.close("authStatusElements");
        }
    }
    xml.close("authStatusList");
    xml.close(root);
    xml
}

fn attempt_fields(
    xml: &mut Xml,
    mac: &str,
    endpoint: &LabSession,
    attempt: &Attempt,
    all_fields: bool,
) {
    let role = endpoint.role();
    let nas = endpoint.nas();
    let passed = attempt.failure.is_none();
    let given = |text: &'static str| if passed { text } else { "" };
    xml.boolean("passed", passed, Verdict::Boolean);
    xml.boolean("failed", !passed, Verdict::Boolean);
    xml.optional("user_name", &endpoint.user_name());
    if let Some(nas) = nas {
        xml.element("nas_ip_address", &nas.ip().to_string());
    }
    if let Some(reason) = attempt.failure {
        xml.element(
            "failure_reason",
            &format!("{} {}", reason.code, reason.text),
        );
    }
    xml.element("calling_station_id", mac);
    xml.element("acs_server", endpoint.psn());
    xml.time("acs_timestamp", attempt.at);
    if !all_fields {
        return;
    }
    if let Some(nas) = nas {
        xml.element("nas_port_type", nas.port_type());
        xml.element("network_device_name", &nas.name());
    }
    xml.element("identity_group", given(role.identity_group));
    xml.element("authentication_method", role.method);
    xml.element("authentication_protocol", role.protocol);
    xml.element("execution_steps", &steps(endpoint, attempt.failure));
    let refused = "{RadiusPacketType=AccessReject; AuthenticationResult=Failed; }";
    let accepted = response(endpoint);
    xml.element("response", if passed { &accepted } else { refused });
    let id = if passed {
        endpoint.audit_session_id()
    } else {
        String::new()
    };
    xml.element("audit_session_id", &id);
    xml.element("nas_port_id", &endpoint.port());
    xml.element("posture_status", "");
    xml.element("selected_azn_profiles", given(endpoint.profiles()));
    xml.element("service_type", role.service_type);
    xml.element("message_code", if passed { "5200" } else { "5400" });
    xml.raw(|out| {
        out.push_str("<framed_ipv6_address><ipv6_address></ipv6_address></framed_ipv6_address>");
    });
    xml.number("id", attempt.id);
    xml.time("acsview_timestamp", attempt.at + 1);
    xml.element("identity_store", role.identity_store);
    xml.number("response_time", endpoint.response_time());
    if let Some(nas) = nas {
        xml.element("location", &nas.location());
        xml.element("device_type", nas.device_type());
    }
    xml.element("cts_security_group", given(endpoint.security_group()));
    xml.element("user_type", role.user_type);
    xml.element(
        "other_attr_string",
        &other_attributes(endpoint, attempt.failure),
    );
}

/// `acctStatusOutputList`, with the session's counters where it was heard of in the window.
pub(super) fn acct_status(mac: &str, session: Option<&LabSession>) -> Xml {
    let mut xml = Xml::new();
    xml.open("acctStatusOutputList");
    xml.open(&format!("acctStatusList macAddress=\"{mac}\""));
    if let Some(session) = session {
        let [octets_in, octets_out, packets_in, packets_out] = session.traffic();
        xml.open("acctStatusElements");
        xml.element("calling_station_id", mac);
        xml.element("audit_session_id", &session.audit_session_id());
        xml.number("paks_in", packets_in);
        xml.number("paks_out", packets_out);
        xml.number("bytes_in", octets_in);
        xml.number("bytes_out", octets_out);
        xml.number("session_time", session.session_time());
        xml.optional("username", &session.user_name());
        xml.element("server", session.psn());
        xml.close("acctStatusElements");
    }
    xml.close("acctStatusList");
    xml.close("acctStatusOutputList");
    xml
}
