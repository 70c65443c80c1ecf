//! The two fields of a detail document that are documents themselves: `other_attr_string` and
//! `response` (reference mnt-api section 2.3, quirks 4 and 6).
//!
//! Pure functions from text to ordered members; a key that repeats becomes a list. Values are kept
//! as sent, whatever list syntax they hold: `CiscoAVPair` and `StepData` have no quoting that could
//! be undone without guessing. Nothing here fails: text of another form stays text.

use std::collections::HashMap;

use super::{Fields, Value};

/// Replaces the texts of `other_attr_string` and `response` by their members, where they have any.
pub fn details(fields: &mut Fields) {
    replace(fields, "other_attr_string", other_attributes);
    replace(fields, "response", response);
}

fn replace(fields: &mut Fields, name: &str, decode: fn(&str) -> Option<Fields>) {
    if let Some(value) = fields.get_mut(name)
        && let Value::Text(text) = value
        && let Some(members) = decode(text)
    {
        *value = Value::Nested(members);
    }
}

/// The members of `:!:Key=Value:!:Key=Value`; the leading separator is optional. `None` for text
/// without any member.
pub fn other_attributes(text: &str) -> Option<Fields> {
    members(text.split(":!:"))
}

/// The members of `{Key=Value; Key=Value; }`. `None` for text of another form.
pub fn response(text: &str) -> Option<Fields> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let inner = inner.strip_suffix(';').unwrap_or(inner);
    members(inner.split("; ").map(str::trim))
}

/// Each part is split at its first `=`; a part without one is a key without a value.
fn members<'a>(parts: impl Iterator<Item = &'a str>) -> Option<Fields> {
    let mut order: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut any = false;
    for part in parts.filter(|part| !part.is_empty()) {
        any |= part.contains('=');
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let place = *places.entry(key).or_insert(order.len());
        match order.get_mut(place) {
            Some((_, values)) => values.push(value),
            None => order.push((key, vec![value])),
        }
    }
    if !any {
        return None;
    }
    let mut fields = Fields::new();
    for (key, values) in order {
        match values.as_slice() {
            [one] => fields.push_text(key, one),
            many => fields.push(
                key,
                Value::List(many.iter().map(|text| value(text)).collect()),
            ),
        }
    }
    Some(fields)
}

fn value(text: &str) -> Value {
    if text.is_empty() {
        Value::Empty
    } else {
        Value::Text(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attributes_keep_order_repeats_and_odd_values() {
        let text = ":!:ConfigVersionId=118:!:EAP-Key-Name=:!:AuthorizationPolicyMatchedRule=Staff = compliant:!:StepData=\"4= Normalised\",\"9=lab\"=StepData:!:CPMSessionID=A:!:Device Type=Device Type#All:!:CPMSessionID=B";
        assert_eq!(
            other_attributes(text).unwrap().to_value().to_string(),
            r#"{"ConfigVersionId":"118","EAP-Key-Name":null,"AuthorizationPolicyMatchedRule":"Staff = compliant","StepData":"\"4= Normalised\",\"9=lab\"=StepData","CPMSessionID":["A","B"],"Device Type":"Device Type#All"}"#
        );
        assert_eq!(
            other_attributes(text.trim_start_matches(":!:")),
            other_attributes(text)
        );
        assert_eq!(other_attributes("no members"), None);
        assert_eq!(other_attributes(""), None);
    }

    #[test]
    fn a_response_keeps_urls_and_repeats() {
        let text = "{Class=CACS:1:psn-a/5501/92; Tunnel-Private-Group-ID=(tag=1) 20; cisco-av-pair=a=b; cisco-av-pair=url-redirect=https://psn:8443/g?s=1&action=cwa; }";
        assert_eq!(
            response(text).unwrap().to_value().to_string(),
            r#"{"Class":"CACS:1:psn-a/5501/92","Tunnel-Private-Group-ID":"(tag=1) 20","cisco-av-pair":["a=b","url-redirect=https://psn:8443/g?s=1&action=cwa"]}"#
        );
        assert_eq!(
            response("{A=1;}").unwrap().to_value().to_string(),
            r#"{"A":"1"}"#
        );
        assert_eq!(response("Access-Accept"), None);
        assert_eq!(response("{}"), None);
    }

    #[test]
    fn very_many_members_are_read_in_linear_time() {
        let parts: Vec<String> = (0..200_000).map(|i| format!("k{i}=v")).collect();
        let text = parts.join(":!:");
        assert_eq!(other_attributes(&text).unwrap().len(), 200_000);
    }

    proptest! {
        #[test]
        fn distinct_members_come_back_in_order(values in proptest::collection::vec("[ -9;-~]{0,12}", 1..20)) {
            let parts: Vec<String> = values.iter().enumerate().map(|(i, value)| format!("k{i}={value}")).collect();
            let fields = other_attributes(&parts.join(":!:")).unwrap();
            prop_assert_eq!(fields.len(), values.len());
            for (i, value) in values.iter().enumerate() {
                prop_assert_eq!(fields.text(&format!("k{i}")).unwrap_or_default(), value.as_str());
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,60}|[{}=;:! a]{0,40}") {
            let _ = (other_attributes(&text), response(&text));
        }
    }
}
