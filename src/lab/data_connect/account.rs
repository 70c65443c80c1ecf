//! The one account of Data Connect and its settings: password, expiry, whether it is switched on.
//! Times are milliseconds since 1970 and come from the caller.

use std::sync::{Mutex, MutexGuard, PoisonError};

const DAY: i64 = 86_400_000;
/// How long a password lasts if nothing else is set.
const DEFAULT_DAYS: i64 = 90;
/// The longest that can be set.
const MOST_DAYS: i64 = 3650;
/// So many refused logons lock the account, as Oracle's default profile has it.
const MOST_REFUSED: u32 = 10;
/// The signs of which a password needs one.
const SIGNS: &str = "#$%&*+,-.:;=?^_~";

/// What comes of a logon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// For so many days more.
    Granted(i64),
    Refused,
    Locked,
    Expired,
}

/// What the control interface tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) is_enabled: bool,
    pub(super) is_password_changed: bool,
    pub(super) days: i64,
    pub(super) expires_at: i64,
}

#[derive(Debug)]
struct Inner {
    password: String,
    is_enabled: bool,
    is_password_changed: bool,
    days: i64,
    set_at: i64,
    refused: u32,
}

/// The account.
#[derive(Debug)]
pub(super) struct Account {
    inner: Mutex<Inner>,
}

impl Account {
    pub(super) fn new(password: &str, now: i64) -> Self {
        Self {
            inner: Mutex::new(Inner {
                password: password.to_owned(),
                is_enabled: true,
                is_password_changed: true,
                days: DEFAULT_DAYS,
                set_at: now,
                refused: 0,
            }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn password(&self) -> String {
        self.inner().password.clone()
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.inner().is_enabled
    }

    pub(super) fn settings(&self) -> Settings {
        let inner = self.inner();
        Settings {
            is_enabled: inner.is_enabled,
            is_password_changed: inner.is_password_changed,
            days: inner.days,
            expires_at: inner.set_at + inner.days * DAY,
        }
    }

    /// Lets in who knows the password, if it may still be used.
    pub(super) fn admit(&self, knows_password: bool, now: i64) -> Admission {
        let mut inner = self.inner();
        if inner.refused >= MOST_REFUSED {
            return Admission::Locked;
        }
        if !knows_password {
            inner.refused += 1;
            return Admission::Refused;
        }
        inner.refused = 0;
        let left = inner.set_at + inner.days * DAY - now;
        if left <= 0 {
            return Admission::Expired;
        }
        Admission::Granted(left / DAY)
    }

    /// Sets a password, which also unlocks; the rule that it breaks otherwise.
    pub(super) fn set_password(&self, password: &str, now: i64) -> Result<(), &'static str> {
        let has = |test: fn(char) -> bool| password.chars().any(test);
        let length = password.chars().count();
        if !(12..=30).contains(&length) {
            return Err("Password must have 12 to 30 characters");
        }
        if !has(|one| one.is_ascii_uppercase())
            || !has(|one| one.is_ascii_lowercase())
            || !has(|one| one.is_ascii_digit())
            || !has(|one| SIGNS.contains(one))
        {
            return Err(
                "Password must have an upper case letter, a lower case letter, a digit and one of #$%&*+,-.:;=?^_~",
            );
        }
        if !password
            .chars()
            .all(|one| one.is_ascii_alphanumeric() || SIGNS.contains(one))
        {
            return Err("Password has a character that is not allowed");
        }
        let mut inner = self.inner();
        if inner.password == password {
            return Err("Password was used before");
        }
        password.clone_into(&mut inner.password);
        inner.is_password_changed = true;
        inner.set_at = now;
        inner.refused = 0;
        Ok(())
    }

    /// Sets after how many days a password expires.
    pub(super) fn set_days(&self, days: i64) -> Result<(), &'static str> {
        if !(1..=MOST_DAYS).contains(&days) {
            return Err("Password expiry must be 1 to 3650 days");
        }
        self.inner().days = days;
        Ok(())
    }

    pub(super) fn enable(&self, is_enabled: bool) {
        self.inner().is_enabled = is_enabled;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_logons_lock_until_the_password_changes() {
        let account = Account::new("Lab-Connect-1", 0);
        assert_eq!(account.admit(true, 0), Admission::Granted(90));
        for _ in 0..MOST_REFUSED {
            assert_eq!(account.admit(false, 0), Admission::Refused);
        }
        assert_eq!(account.admit(true, 0), Admission::Locked);
        assert_eq!(account.set_password("Lab-Connect-2", DAY), Ok(()));
        assert_eq!(account.admit(true, DAY), Admission::Granted(90));
        assert_eq!(account.admit(true, 91 * DAY), Admission::Expired);
        assert_eq!(account.set_days(3650), Ok(()));
        assert_eq!(account.settings().expires_at, 3651 * DAY);
    }

    #[test]
    fn the_rules_of_passwords() {
        let account = Account::new("Lab-Connect-1", 0);
        for wrong in [
            "Short-1",
            "lab-connect-12",
            "LAB-CONNECT-12",
            "Lab-Connect-xx",
            "LabConnect1234",
            "Lab-Connect-1@",
            "Lab-Connect-1!",
            "Lab-Connect-1",
            "Lab-Connect-1-that-is-far-too-long",
        ] {
            assert!(account.set_password(wrong, 0).is_err(), "{wrong}");
        }
        assert!(account.set_days(0).is_err());
    }
}
