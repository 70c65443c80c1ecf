//! Accounts, access secrets and registered services: what the control API remembers. Times are
//! given by the caller, in milliseconds since 1970.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::lab::fast_text::{mix, push_hex_lower};

/// How long a registration lasts without being renewed (reference pxgrid-api, section 1).
pub(super) const REREGISTER: i64 = 300_000;

/// The state of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AccountState {
    Enabled,
    Pending,
    Disabled,
}

impl AccountState {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "ENABLED",
            Self::Pending => "PENDING",
            Self::Disabled => "DISABLED",
        }
    }
}

#[derive(Debug, Default)]
struct Account {
    password: Option<String>,
    /// `None` before the first activation.
    state: Option<AccountState>,
}

#[derive(Debug)]
struct Registration {
    owner: String,
    service: String,
    properties: Value,
    until: i64,
}

#[derive(Debug, Default)]
struct Inner {
    accounts: HashMap<String, Account>,
    secrets: HashMap<(String, String), String>,
    registrations: Vec<(String, Registration)>,
    issued: u64,
}

/// What the control API remembers, shared by all nodes.
#[derive(Debug)]
pub(super) struct Accounts {
    seed: u64,
    inner: Mutex<Inner>,
}

/// Names are compared without regard to case.
fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Whether ISE would take `name` (reference pxgrid-api, section 1).
pub(super) fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=100).contains(&name.len()) && name.bytes().all(allowed)
}

impl Accounts {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            inner: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Text that was not given out before, `digits` long (at most 16).
    fn fresh(&self, inner: &mut Inner, digits: usize) -> String {
        inner.issued += 1;
        let mut text = String::new();
        push_hex_lower(&mut text, mix(self.seed ^ mix(inner.issued)), digits);
        text
    }

    /// A new password for `name`; `None` when the account is in use already.
    pub(super) fn create(&self, name: &str) -> Option<String> {
        let mut inner = self.lock();
        let password = self.fresh(&mut inner, 16);
        let account = inner.accounts.entry(key(name)).or_default();
        if account.state.is_some() {
            return None;
        }
        account.password = Some(password.clone());
        Some(password)
    }

    /// Whether `password` is the account's.
    pub(super) fn is_password(&self, name: &str, password: &str) -> bool {
        let inner = self.lock();
        let known = inner.accounts.get(&key(name));
        known.is_some_and(|account| account.password.as_deref() == Some(password))
    }

    /// Activates `name`, which exists or came with a certificate.
    pub(super) fn activate(&self, name: &str, state: AccountState) {
        self.lock().accounts.entry(key(name)).or_default().state = Some(state);
    }

    /// The state of an account that was activated.
    pub(super) fn state(&self, name: &str) -> Option<AccountState> {
        self.lock().accounts.get(&key(name))?.state
    }

    /// The secret between `client` and `peer`; the same until it is rotated.
    pub(super) fn secret(&self, client: &str, peer: &str) -> String {
        let mut inner = self.lock();
        let pair = (key(client), peer.to_owned());
        if let Some(secret) = inner.secrets.get(&pair) {
            return secret.clone();
        }
        let secret = self.fresh(&mut inner, 16);
        inner.secrets.insert(pair, secret.clone());
        secret
    }

    /// Whether `secret` was given out for this pair and still holds.
    pub(super) fn is_secret(&self, client: &str, peer: &str, secret: &str) -> bool {
        let pair = (key(client), peer.to_owned());
        self.lock()
            .secrets
            .get(&pair)
            .is_some_and(|known| known == secret)
    }

    /// Forgets the secret of a pair; the next request for it gets another.
    pub(super) fn rotate(&self, client: &str, peer: &str) {
        self.lock().secrets.remove(&(key(client), peer.to_owned()));
    }

    /// Registers a service; answers the registration's id.
    pub(super) fn register(
        &self,
        owner: &str,
        service: &str,
        properties: Value,
        now: i64,
    ) -> String {
        let mut inner = self.lock();
        let number = self.fresh(&mut inner, 16);
        let id = super::json::uuid(&number);
        let registration = Registration {
            owner: key(owner),
            service: service.to_owned(),
            properties,
            until: now + REREGISTER,
        };
        inner.registrations.push((id.clone(), registration));
        id
    }

    /// Renews a registration of `owner`; false when it is unknown or lapsed.
    pub(super) fn renew(&self, owner: &str, id: &str, now: i64) -> bool {
        let mut inner = self.lock();
        let found = inner
            .registrations
            .iter_mut()
            .find(|(known, one)| known == id && one.owner == key(owner) && one.until > now);
        found.map(|(_, one)| one.until = now + REREGISTER).is_some()
    }

    /// Ends a registration of `owner`; false when it is unknown.
    pub(super) fn unregister(&self, owner: &str, id: &str) -> bool {
        let mut inner = self.lock();
        let before = inner.registrations.len();
        inner
            .registrations
            .retain(|(known, one)| known != id || one.owner != key(owner));
        inner.registrations.len() < before
    }

    /// The providers of `service` that registered it: node name and properties.
    pub(super) fn providers(&self, service: &str, now: i64) -> Vec<(String, Value)> {
        let mut inner = self.lock();
        inner.registrations.retain(|(_, one)| one.until > now);
        inner
            .registrations
            .iter()
            .filter(|(_, one)| one.service == service)
            .map(|(_, one)| (one.owner.clone(), one.properties.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_password_can_be_renewed_until_the_account_is_used() {
        let accounts = Accounts::new(1);
        let first = accounts.create("App").unwrap();
        let second = accounts.create("app").unwrap();
        assert!(!accounts.is_password("app", &first));
        assert!(accounts.is_password("APP", &second));
        accounts.activate("app", AccountState::Enabled);
        assert_eq!(accounts.create("app"), None);
    }

    #[test]
    fn secrets_belong_to_pairs_and_change_when_rotated() {
        let accounts = Accounts::new(1);
        let secret = accounts.secret("a", "~peer-1");
        assert_eq!(secret.len(), 16);
        assert_eq!(accounts.secret("A", "~peer-1"), secret);
        assert_ne!(accounts.secret("a", "~peer-2"), secret);
        assert_ne!(accounts.secret("b", "~peer-1"), secret);
        accounts.rotate("a", "~peer-1");
        assert!(!accounts.is_secret("a", "~peer-1", &secret));
        assert_ne!(accounts.secret("a", "~peer-1"), secret);
    }

    #[test]
    fn registrations_lapse_and_belong_to_their_owner() {
        let accounts = Accounts::new(1);
        let id = accounts.register("a", "com.example", json!({"x": "y"}), 0);
        assert!(!accounts.renew("b", &id, 10));
        assert!(accounts.renew("a", &id, 10));
        assert_eq!(accounts.providers("com.example", REREGISTER + 9).len(), 1);
        assert!(!accounts.renew("a", &id, REREGISTER + 10));
        assert_eq!(accounts.providers("com.example", REREGISTER + 10), []);
        let id = accounts.register("a", "com.example", json!({}), 0);
        assert!(!accounts.unregister("b", &id));
        assert!(accounts.unregister("a", &id));
    }
}
