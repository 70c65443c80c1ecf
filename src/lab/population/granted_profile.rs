//! What the policy gave a session: its role's profiles and security group, or those of the
//! quarantine that an ANC policy put it in.

use super::LabSession;

/// Security group of endpoints in quarantine.
pub const QUARANTINE_GROUP: &str = "Quarantined_Systems";
/// Its tag.
pub const QUARANTINE_TAG: u16 = 255;
/// Authorization profile of endpoints in quarantine.
pub const QUARANTINE_PROFILE: &str = "Quarantine";
const QUARANTINE_RULE: &str = "ANC Quarantine";
const QUARANTINE_VLAN: u16 = 666;

impl LabSession {
    /// Whether an ANC policy holds it in quarantine.
    pub fn is_quarantined(&self) -> bool {
        self.quarantined
    }

    fn given<T>(&self, quarantine: T, role: T) -> T {
        if self.quarantined { quarantine } else { role }
    }

    /// Authorization profiles, comma-separated.
    pub fn profiles(&self) -> &'static str {
        self.given(QUARANTINE_PROFILE, self.role().profiles)
    }

    /// Security group; empty when none is assigned.
    pub fn security_group(&self) -> &'static str {
        self.given(QUARANTINE_GROUP, self.role().security_group)
    }

    /// Tag of the security group; 0 when none is assigned.
    pub fn security_group_tag(&self) -> u16 {
        self.given(QUARANTINE_TAG, self.role().security_group_tag)
    }

    /// Authorization rule.
    pub fn authorization_rule(&self) -> &'static str {
        self.given(QUARANTINE_RULE, self.role().authorization_rule)
    }

    /// VLAN in the access-accept; 0 when none is sent.
    pub fn vlan(&self) -> u16 {
        let vlan = self.role().vlan;
        self.given(if vlan == 0 { 0 } else { QUARANTINE_VLAN }, vlan)
    }

    /// One session in twenty-five has a posture, the share that `PostureCount` answers, and one in
    /// four of those is not compliant; else empty.
    pub fn posture_status(&self) -> &'static str {
        match self.index() % 25 {
            24 if !self.has_ids() => "",
            24 if self.index() / 25 % 4 == 3 => "NonCompliant",
            24 => "Compliant",
            _ => "",
        }
    }
}
