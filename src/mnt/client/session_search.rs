//! One session by whatever it is known by: asked for directly, and where the node cannot be asked,
//! or does not find it, looked up in the active list.

use std::net::IpAddr;

use super::{Answer, MntClient, ShortList};
use crate::error::{Error, Kind, Result};
use crate::mnt::active_holders::Holders;
use crate::mnt::active_list_search::{Find, Wanted, is_awkward, is_document_of, is_same_session};
use crate::mnt::answer_subject::Asked;
use crate::mnt::paths;
use crate::record::{Mac, Record};

impl MntClient {
    /// An endpoint's latest session.
    pub async fn session_by_mac(&self, mac: Mac) -> Result<Answer> {
        self.session(&paths::session_by_mac(mac), &Asked::endpoint(mac))
            .await
    }

    /// The document of the session in a row of the active list that has a MAC address. The node's
    /// document of an endpoint is the latest, which may be of another session or of a refused
    /// attempt; then the session is asked for by its id. `None` where the node tells no more of it
    /// than the row.
    ///
    /// Errors: [`Kind::NotFound`] where the node knows no session of the endpoint.
    pub async fn session_of_row(&self, row: &Record) -> Result<Option<Answer>> {
        let Some(mac) = row.mac() else {
            return Ok(None);
        };
        let answer = self.session_by_mac(mac).await?;
        if is_document_of(row, &answer.record) {
            return Ok(Some(answer));
        }
        let Some(id) = row.text("audit_session_id") else {
            return Ok(None);
        };
        match self.sessions_by_id(&id).await {
            Ok(ShortList { records, raw }) => {
                let mut records = records.into_iter();
                let record = records.find(|record| record.mac() == Some(mac));
                Ok(record.map(|record| Answer { record, raw }))
            }
            Err(error) if may_be_the_path(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Which nodes hold active sessions, of all endpoints: one reading of the active list.
    pub async fn holders(&self) -> Result<Holders> {
        let (holders, outcome) = self.sessions(Holders::default()).await;
        outcome.map(|_| holders)
    }

    /// A user's latest session. A name that the node may not take in a path (backslash, slash, …)
    /// is looked up in the active list when the direct question fails.
    pub async fn session_by_user(&self, user: &str) -> Result<Answer> {
        let path = paths::session_by_user(user)?;
        match self.session(&path, &Asked::user(user)).await {
            Err(error) if is_awkward(user) && may_be_the_path(&error) => {
                self.session_by_row(Wanted::User(user.to_owned()), error)
                    .await
            }
            outcome => outcome,
        }
    }

    /// The latest session of a NAS.
    pub async fn session_by_nas_ip(&self, nas: IpAddr) -> Result<Answer> {
        self.session(&paths::session_by_nas_ip(nas), &Asked::nas(nas))
            .await
    }

    /// The latest session of an endpoint's IP address, or of the VPN client that comes from it. The
    /// node's own answer is unreliable (reference mnt-api section 1, row 9): what it does not find
    /// is looked up in the active list.
    ///
    /// Errors: [`Kind::Usage`] where several VPN clients come from it.
    pub async fn session_by_endpoint_ip(&self, ip: IpAddr) -> Result<Answer> {
        let path = paths::session_by_endpoint_ip(ip);
        match self.session(&path, &Asked::address(ip)).await {
            Err(error) if may_be_the_path(&error) => {
                self.session_by_row(Wanted::Address(ip), error).await
            }
            outcome => outcome,
        }
    }

    /// The session of the row that is looked for in the active list, after the node itself knew
    /// none (`otherwise`). A row that has neither a MAC address nor an id by which the node gives
    /// more is all there is; it comes without a document of its own.
    async fn session_by_row(&self, wanted: Wanted, otherwise: Error) -> Result<Answer> {
        let find = self.find_row(wanted).await?;
        if find.is_shared() {
            let Wanted::Address(address) = find.wanted else {
                return Err(otherwise);
            };
            let several = find.equals + 1;
            return Err(Error::usage(format!(
                "{address} is the calling station of {several} sessions"
            ))
            .hint(format!(
                "list them with `netapi ise mnt sessions --mac {address} --fields user_name,audit_session_id` and name one with --session-id"
            )));
        }
        let Some(row) = find.found else {
            let error = Error::new(Kind::NotFound, otherwise.message());
            return Err(error.hint(find.wanted.in_no_row()).host(self.host()));
        };
        if row.mac().is_some() {
            let answer = self.session_of_row(&row).await?;
            return Ok(answer.unwrap_or_else(|| Answer::of_row(row)));
        }
        if let Some(answer) = self.session_by_own_address(&row, &find.wanted).await? {
            return Ok(answer);
        }
        let Some(id) = row.text("audit_session_id") else {
            return Ok(Answer::of_row(row));
        };
        match self.sessions_by_id(&id).await {
            Ok(rows) => {
                let raw = rows.raw;
                let record = rows.records.into_iter().next();
                record.map(|record| Answer { record, raw }).ok_or(otherwise)
            }
            Err(error) if may_be_the_path(&error) => Ok(Answer::of_row(row)),
            Err(error) => Err(error),
        }
    }

    async fn find_row(&self, wanted: Wanted) -> Result<Find> {
        if let (Wanted::Address(address), Some(expected)) = (&wanted, self.expected.get()) {
            let read = async |sink| {
                let (sink, outcome) = self.sessions(sink).await;
                outcome.map(|_| sink)
            };
            if let Some(find) = expected.find(*address, read).await? {
                return Ok(find);
            }
        }
        let (find, outcome) = self.sessions(Find::new(wanted)).await;
        outcome.map(|_| find)
    }

    /// The full document of a row without MAC address, by the address that its endpoint has on the
    /// inside. None where the row names no address, or the node knows nothing, or somebody else,
    /// under it.
    async fn session_by_own_address(&self, row: &Record, asked: &Wanted) -> Result<Option<Answer>> {
        let address = |name| row.text(name)?.trim().parse().ok();
        let own = address("framed_ip_address").or_else(|| address("framed_ipv6_address"));
        let Some(own) = own.filter(|own| *asked != Wanted::Address(*own)) else {
            return Ok(None);
        };
        let path = paths::session_by_endpoint_ip(own);
        match self.session(&path, &Asked::address(own)).await {
            Ok(answer) => Ok(is_same_session(row, &answer.record).then_some(answer)),
            Err(error) if may_be_the_path(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether a failed question may have failed for its path: not found, or an error that a gateway
/// gives to what it does not pass on.
fn may_be_the_path(error: &Error) -> bool {
    match error.kind() {
        Kind::NotFound => true,
        Kind::Server => matches!(error.http_status(), Some(400 | 404 | 500)),
        _ => false,
    }
}
