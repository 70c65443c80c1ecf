//! The two steps of the logon.

use jiff::Timestamp;

use super::{Session, SqlError};
use crate::lab::data_connect::account::Admission;
use crate::lab::data_connect::answer;
use crate::lab::data_connect::logon::Challenge;
use crate::lab::data_connect::request::Logon;
use crate::lab::data_connect::stage::Stage;
use crate::lab::data_connect::ttc::Writer;
use crate::lab::data_connect::{SERVICE, USER, sql};
use crate::lab::faults::FaultKind;

impl Session {
    pub(super) fn logon_begin(&mut self, logon: &Logon, mut out: Writer) {
        if !self.passes(Stage::LogonBegin) {
            return;
        }
        let challenge = Challenge::new(self.shared.verifier());
        let parameters = challenge.parameters(&self.shared.account.password());
        let pairs = parameters.iter();
        let pairs = pairs.map(|(key, value, flags)| (*key, value.as_str(), *flags));
        answer::logon_parameters(pairs, &mut out);
        answer::end(None, 0, 0, self.field_version, &mut out);
        self.challenge = Some(challenge);
        self.user = Some(logon.user.clone());
        self.send(out);
    }

    pub(super) fn logon_end(&mut self, logon: &Logon, now: Timestamp) {
        if !self.passes(Stage::LogonEnd) {
            return;
        }
        let half = logon.value("AUTH_SESSKEY");
        let secret = logon.value("AUTH_PASSWORD");
        let password = self.shared.account.password();
        let challenge = self.challenge.take();
        let proof = challenge.and_then(|challenge| challenge.check(&password, half, secret));
        let proof = proof.filter(|_| logon.user.eq_ignore_ascii_case(USER));
        let forced = [FaultKind::DcLocked, FaultKind::DcExpired]
            .into_iter()
            .find(|fault| self.has(*fault, "logon2"));
        let admission = match forced {
            Some(FaultKind::DcLocked) => Admission::Locked,
            Some(_) => Admission::Expired,
            None => self
                .shared
                .account
                .admit(proof.is_some(), now.as_millisecond()),
        };
        let error = match admission {
            Admission::Granted(_) => None,
            Admission::Refused => Some(SqlError::new(
                1017,
                "invalid username/password; logon denied",
            )),
            Admission::Locked => Some(SqlError::new(28_000, "The account is locked.")),
            Admission::Expired => Some(SqlError::new(28_001, "the password has expired")),
        };
        self.user = Some(logon.user.clone());
        self.note(
            "LOGON",
            SERVICE,
            error.as_ref().map_or(0, |error| error.code),
        );
        let mut out = Writer::default();
        if let (Admission::Granted(days), Some(proof), None) = (admission, proof, &error) {
            self.is_logged_on = true;
            self.zone_minutes = sql::time_zone_of(logon.value("AUTH_ALTER_SESSION"));
            let warned = self.has(FaultKind::DcExpiring, "logon2");
            if warned || days < 8 {
                let days = if warned { 3 } else { days };
                let text = format!("the password will expire within {days} days");
                answer::warning(28_002, &text, &mut out);
            }
            let number = self.shared.release().number().to_string();
            let session = (100 + self.number % 60_000).to_string();
            let pairs = [
                ("AUTH_VERSION_STRING", "- Production"),
                ("AUTH_VERSION_SQL", "25"),
                ("AUTH_VERSION_NO", number.as_str()),
                ("AUTH_SC_DBUNIQUE_NAME", SERVICE),
                ("AUTH_SC_REAL_DBUNIQUE_NAME", SERVICE),
                ("AUTH_SC_SERVICE_NAME", SERVICE),
                ("AUTH_INSTANCENAME", SERVICE),
                ("AUTH_DBNAME", SERVICE),
                ("AUTH_SESSION_ID", session.as_str()),
                ("AUTH_SERIAL_NUM", "4711"),
                ("AUTH_MAX_OPEN_CURSORS", "300"),
                ("AUTH_MAX_IDEN_LENGTH", "128"),
                ("AUTH_SVR_RESPONSE", proof.response.as_str()),
            ];
            let pairs = pairs.iter().map(|(key, value)| (*key, *value, 0));
            answer::logon_parameters(pairs, &mut out);
        }
        answer::end(error.as_ref(), 0, 0, self.field_version, &mut out);
        self.send(out);
    }
}
