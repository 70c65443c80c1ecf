//! `DUAL`, and the dictionary: which views and columns this account sees.

use super::{Row, Rows, VIEWS, is_missing};
use crate::lab::data_connect::sql::World;
use crate::lab::data_connect::sql::value::{ColumnType, Value};

/// Views that are not in the dictionary: its own, and those of `samples`.
pub(super) static COLUMNS: &str = "\
DUAL DUMMY:V1
USER_VIEWS VIEW_NAME:V128 TEXT_LENGTH:N READ_ONLY:V1
ALL_VIEWS OWNER:V128 VIEW_NAME:V128 TEXT_LENGTH:N READ_ONLY:V1
USER_TAB_COLUMNS TABLE_NAME:V128 COLUMN_NAME:V128 DATA_TYPE:V128 DATA_LENGTH:N DATA_PRECISION:N DATA_SCALE:N NULLABLE:V1 COLUMN_ID:N CHAR_LENGTH:N
ALL_TAB_COLUMNS OWNER:V128 TABLE_NAME:V128 COLUMN_NAME:V128 DATA_TYPE:V128 DATA_LENGTH:N DATA_PRECISION:N DATA_SCALE:N NULLABLE:V1 COLUMN_ID:N CHAR_LENGTH:N
LAB_VALUES ID:N NOTHING:V10 TEXT:V4000 LONG_TEXT:V32767 FIXED:H8 AMOUNT:N DAY:D MOMENT:T MOMENT_AT_OFFSET:Z MOMENT_IN_REGION:Z LENGTH:I RAW_BYTES:R16 UNSENT:V0 NOTES:C PICTURE:B BROKEN_TEXT:V100
LAB_ROWS N:N LOGGED_AT:T MAC_ADDRESS:V17 USERNAME:V100 DEVICE_NAME:V100 MESSAGE:V200";

struct Dual;

impl Row for Dual {
    fn value(&self, _: &str) -> Value {
        Value::from("X")
    }
}

struct ViewRow(&'static str);

impl Row for ViewRow {
    fn value(&self, column: &str) -> Value {
        match column {
            "OWNER" => Value::from("DATACONNECT"),
            "VIEW_NAME" => Value::from(self.0),
            "TEXT_LENGTH" => Value::from(1000_u64),
            "READ_ONLY" => Value::from("N"),
            _ => Value::Null,
        }
    }
}

struct ColumnRow {
    view: &'static str,
    column: &'static str,
    kind: ColumnType,
    number: u64,
}

impl Row for ColumnRow {
    fn value(&self, column: &str) -> Value {
        match column {
            "OWNER" => Value::from("DATACONNECT"),
            "TABLE_NAME" => Value::from(self.view),
            "COLUMN_NAME" => Value::from(self.column),
            "DATA_TYPE" => Value::from(self.kind.name()),
            "DATA_LENGTH" => Value::from(u64::from(self.kind.size())),
            "DATA_SCALE" => match self.kind {
                ColumnType::Timestamp | ColumnType::Zoned => Value::from(6_u64),
                _ => Value::Null,
            },
            "NULLABLE" => Value::from("Y"),
            "COLUMN_ID" => Value::from(self.number),
            "CHAR_LENGTH" => match self.kind {
                ColumnType::Varchar(size) | ColumnType::Char(size) => Value::from(u64::from(size)),
                _ => Value::from(0_u64),
            },
            _ => Value::Null,
        }
    }
}

pub(super) fn rows(name: &str, world: &World) -> Option<Rows> {
    let missing = world.missing.clone();
    let listed = COLUMNS.lines().count();
    let listed = VIEWS.len().saturating_sub(listed);
    match name {
        "DUAL" => Some(Box::new(std::iter::once(Box::new(Dual) as Box<dyn Row>))),
        "USER_VIEWS" | "ALL_VIEWS" => {
            let views = VIEWS.iter().take(listed).map(|view| view.name);
            let views = views.filter(move |name| !missing.iter().any(|missing| missing == name));
            Some(Box::new(
                views.map(|name| Box::new(ViewRow(name)) as Box<dyn Row>),
            ))
        }
        "USER_TAB_COLUMNS" | "ALL_TAB_COLUMNS" => {
            let columns = VIEWS.iter().take(listed).flat_map(|view| {
                (1..).zip(&view.columns).map(|(number, column)| ColumnRow {
                    view: view.name,
                    column: &column.name,
                    kind: column.kind,
                    number,
                })
            });
            let columns = columns.filter(move |row| {
                !missing.iter().any(|missing| missing == row.view)
                    && !is_missing(&missing, row.view, row.column)
            });
            Some(Box::new(columns.map(|row| Box::new(row) as Box<dyn Row>)))
        }
        _ => None,
    }
}
