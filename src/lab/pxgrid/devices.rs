//! What is known of devices: profiler policies, mobile device management, endpoints, posture
//! (reference pxgrid-api, sections 3.9 to 3.12).
//!
//! The lists of `getEndpoints` of the endpoint service and of the posture service are published
//! nowhere; the lab names them as the other services would.

use serde_json::{Value, json};

use super::json::{moment, number, text, time, uuid, without_nulls};
use super::listing::Listing;
use super::reply::Reply;
use super::services::Question;
use crate::lab::population::{LabSession, Population};
use crate::record::Mac;

/// The device manager.
pub(super) const MANAGER: &str = "Lab-MDM";
/// Rows of a page whose size was not asked for.
const PAGE: u64 = 100;

/// What the device manager says of an endpoint.
pub(super) struct Managed {
    pub(super) registered: bool,
    pub(super) compliant: bool,
    connected: bool,
    pub(super) os_version: &'static str,
    pub(super) model: &'static str,
    pub(super) manufacturer: &'static str,
    pub(super) serial_number: String,
    os: &'static str,
    last_sync: i64,
}

impl Managed {
    /// Own devices are managed, and so are Windows machines of the domain.
    pub(super) fn of(session: &LabSession) -> Option<Self> {
        let device = session.device();
        let (os, model, manufacturer) = match device.policy {
            "Apple-iPhone" => ("IOS", "iPhone16,1", "Apple"),
            "Android" => ("ANDROID", "Pixel 9", "Google"),
            policy if policy.starts_with("Windows") && session.role().user_type == "Host" => {
                ("WINDOWS", "Latitude 5450", "Dell Inc.")
            }
            _ => return None,
        };
        let hash = session.hash();
        let mut serial_number = String::from("LAB");
        crate::lab::fast_text::push_hex(&mut serial_number, session.index(), 8);
        Some(Self {
            registered: true,
            compliant: !(hash >> 50).is_multiple_of(8),
            connected: !(hash >> 54).is_multiple_of(16),
            os_version: device.operating_system,
            model,
            manufacturer,
            serial_number,
            os,
            last_sync: session.connected_at() - i64::try_from(hash % 3_600_000).unwrap_or(0),
        })
    }

    /// As the service shows it.
    pub(super) fn object(&self, mac: &str) -> Value {
        json!({
            "macAddress": mac,
            "osVersion": self.os_version,
            "registered": self.registered,
            "compliant": self.compliant,
            "diskEncrypted": self.compliant,
            "jailBroken": false,
            "pinLocked": self.compliant,
            "model": self.model,
            "manufacturer": self.manufacturer,
            "serialNumber": self.serial_number,
            "deviceManager": MANAGER,
            "lastSyncTime": time(self.last_sync),
        })
    }
}

/// Answers one operation of one of the services.
pub(super) fn answer(question: &Question<'_>, service: &str, operation: &str) -> Option<Reply> {
    Some(match (service, operation) {
        ("profiler", "getProfiles") => Reply::Json(json!({ "profiles": profiles() })),
        ("mdm", "getEndpoints") => {
            let example = question.request.get("filter").cloned().unwrap_or(json!({}));
            match example {
                Value::Object(example) => managed(question, move |_, object| {
                    example
                        .iter()
                        .all(|(name, value)| object.get(name) == Some(value))
                }),
                _ => Reply::BAD,
            }
        }
        ("mdm", "getEndpointByMacAddress") => {
            let mac = text(question.request, "macAddress").unwrap_or("");
            let found = question
                .session_of(mac)
                .and_then(|session| Managed::of(&session));
            found.map_or(Reply::Nothing, |managed| Reply::Json(managed.object(mac)))
        }
        ("mdm", "getEndpointsByType") => {
            let kind = text(question.request, "type").unwrap_or("").to_owned();
            managed(question, move |managed, _| match kind.as_str() {
                "NON_COMPLIANT" => !managed.compliant,
                "DISCONNECTED" => !managed.connected,
                _ => managed.registered,
            })
        }
        ("mdm", "getEndpointsByOsType") => {
            let os = text(question.request, "osType").unwrap_or("").to_owned();
            managed(question, move |managed, _| managed.os == os)
        }
        ("endpoint", "getEndpoints") => endpoints(question),
        ("posture", "getPosturedMacs") => {
            let macs: Vec<String> = sessions(question)
                .filter(|session| !session.posture_status().is_empty())
                .filter_map(|session| session.mac_text())
                .collect();
            Reply::Json(json!({ "macAddresses": macs }))
        }
        ("posture", "getPostureDataByMacList") => posture(question),
        _ => return None,
    })
}

fn sessions<'a>(question: &'a Question<'_>) -> impl Iterator<Item = LabSession> + 'a {
    let changes = question.changes();
    let population = &question.directory.population;
    (0..population.sessions()).filter_map(move |index| changes.apply(population.session(index)))
}

fn managed(
    question: &Question<'_>,
    keep: impl Fn(&Managed, &Value) -> bool + Send + 'static,
) -> Reply {
    let indexes = 0..question.directory.population.sessions();
    Reply::list(Listing::new(
        question.source(),
        "endpoints",
        indexes,
        None,
        Box::new(move |source, session, rows| {
            let session = source.changes.apply(session);
            if let Some(session) = session
                && let (Some(mac), Some(managed)) = (session.mac_text(), Managed::of(&session))
            {
                let object = managed.object(&mac);
                if keep(&managed, &object) {
                    rows.row(|out| out.push_str(&object.to_string()));
                }
            }
        }),
    ))
}

/// Every policy that a device of the population matches, each once.
pub(super) fn profiles() -> Vec<Value> {
    let mut names: Vec<&str> = Population::roles()
        .iter()
        .flat_map(|role| role.devices.iter().map(|device| device.policy))
        .collect();
    crate::order::sort(&mut names);
    names.dedup();
    let parent = |name: &str| match name {
        name if name.contains("Workstation") => "Workstation",
        name if name.starts_with("Cisco") => "Cisco-Device",
        name if name.starts_with("Apple") => "Apple-Device",
        _ => "Device",
    };
    names
        .into_iter()
        .map(|name| {
            json!({
                "id": uuid(name),
                "name": name,
                "fullName": format!("{}:{name}", parent(name)),
            })
        })
        .collect()
}

/// Endpoints stay known when their session ends. Pages count endpoints that have a MAC.
fn endpoints(question: &Question<'_>) -> Reply {
    let request = question.request;
    let (Ok(created), Ok(updated)) = (
        moment(request, "startCreateTimestamp"),
        moment(request, "startUpdateTimestamp"),
    ) else {
        return Reply::BAD;
    };
    let mut skip = number(request, "startIndex").unwrap_or(0);
    let mut left = number(request, "count").unwrap_or(PAGE);
    let indexes = question.directory.population.endpoints();
    let indexes: Box<dyn Iterator<Item = u64> + Send> = if text(request, "order") == Some("DESC") {
        Box::new(indexes.rev())
    } else {
        Box::new(indexes)
    };
    let directory = question.source().directory;
    // Ends with the page, not with the population.
    let page = indexes.filter(move |index| {
        let endpoint = directory.population.session(*index);
        endpoint.mac().is_some()
            && created.is_none_or(|since| endpoint.connected_at() >= since)
            && updated.is_none_or(|since| endpoint.accounted_at() >= since)
    });
    let page = page
        .skip_while(move |_| {
            let skipped = skip > 0;
            skip = skip.saturating_sub(1);
            skipped
        })
        .take_while(move |_| {
            let taken = left > 0;
            left = left.saturating_sub(1);
            taken
        });
    Reply::list(Listing::new(
        question.source(),
        "endpoints",
        page,
        None,
        Box::new(|_, endpoint, rows| {
            rows.row(|out| out.push_str(&endpoint_object(&endpoint).to_string()));
        }),
    ))
}

/// An endpoint of the endpoint service.
pub(super) fn endpoint_object(endpoint: &LabSession) -> Value {
    let device = endpoint.device();
    let [first, second, third] = device.oui;
    let mac = endpoint.mac_text().unwrap_or_default();
    without_nulls(json!({
        "id": uuid(&mac),
        "mac": mac,
        "name": mac,
        "endpointProfile": device.policy,
        "operatingSystem": device.operating_system,
        "identityGroup": endpoint.role().identity_group,
        "ipAddresses": endpoint.addresses(),
        "createTime": time(endpoint.connected_at()),
        "updateTime": time(endpoint.accounted_at()),
        "attributes": {
            "OUI": format!("{first:02X}:{second:02X}:{third:02X}"),
            "EndPointSource": "RADIUS Probe",
            "NASIPAddress": endpoint.nas_ip().map(|ip| ip.to_string()),
            "Total Certainty Factor": "30",
        },
    }))
}

fn posture(question: &Question<'_>) -> Reply {
    let Some(macs) = question
        .request
        .get("macAddresses")
        .and_then(Value::as_array)
    else {
        return Reply::BAD;
    };
    let category = text(question.request, "category").unwrap_or("hardware");
    let rows: Vec<Value> = macs
        .iter()
        .filter_map(Value::as_str)
        .filter(|mac| Mac::from_canonical(mac).is_some())
        .filter_map(|mac| {
            let session = question.session_of(mac)?;
            if session.posture_status().is_empty() {
                return None;
            }
            Some(json!({
                "macAddress": mac,
                "notificationType": category,
                "timestamp": time(session.authenticated_at()),
                "data": posture_data(&session, category),
            }))
        })
        .collect();
    if rows.is_empty() {
        return Reply::Nothing;
    }
    Reply::Json(json!({ "postureData": rows }))
}

fn posture_data(session: &LabSession, category: &str) -> Value {
    if category == "hardware" {
        json!([{ "id": uuid("usb"), "category": "USB", "os": session.device().operating_system,
            "attributes": { "name": "USB Composite Device" } }])
    } else {
        json!([{ "id": uuid("browser"), "productName": "Lab Browser", "vendorName": "Example",
            "version": "128.0", "category": "Browser", "runningProcesses": [] }])
    }
}
