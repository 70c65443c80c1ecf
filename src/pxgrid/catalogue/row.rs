//! How rows of the table are written down: short constructors, and the fields that many operations
//! share.

use super::{Field, FieldKind as Kind, Occurrence, Operation, Paging, Reply, Topic};
use crate::transport::Effect;

pub(super) const fn needs(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: true,
    }
}

pub(super) const fn may(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: false,
    }
}

pub(super) const fn read(name: &'static str, fields: &'static [Field], reply: Reply) -> Operation {
    Operation {
        name,
        fields,
        reply,
        columns: &[],
        members: &[],
        effect: Effect::Read,
        paging: None,
    }
}

pub(super) const fn change(
    name: &'static str,
    fields: &'static [Field],
    reply: Reply,
) -> Operation {
    Operation {
        effect: Effect::Change,
        ..read(name, fields, reply)
    }
}

impl Operation {
    pub(super) const fn columns(self, columns: &'static [&'static str]) -> Self {
        Self { columns, ..self }
    }

    pub(super) const fn members(self, members: &'static [&'static str]) -> Self {
        Self { members, ..self }
    }

    pub(super) const fn paged(self, start: &'static str, count: &'static str) -> Self {
        Self {
            paging: Some(Paging {
                start,
                count,
                rows: 1000,
            }),
            ..self
        }
    }
}

pub(super) const fn topic(
    alias: &'static str,
    property: &'static str,
    path: &'static str,
) -> Topic {
    Topic {
        alias,
        property,
        path,
        sequence: None,
        list: None,
        occurrence: Occurrence::Time,
    }
}

impl Topic {
    /// Its rows carry no time of their own.
    pub(super) const fn told_apart_by(self, occurrence: Occurrence) -> Self {
        Self { occurrence, ..self }
    }

    pub(super) const fn counted(self, sequence: &'static str) -> Self {
        Self {
            sequence: Some(sequence),
            ..self
        }
    }

    pub(super) const fn list(self, list: &'static str) -> Self {
        Self {
            list: Some(list),
            ..self
        }
    }
}

pub(super) const MAC: Field = needs("macAddress", Kind::Mac);
pub(super) const NAS: Field = needs("nasIpAddress", Kind::Ip);
pub(super) const SINCE: Field = may("startTimestamp", Kind::Time);
pub(super) const FILTER: Field = may("filter", Kind::Filter);
