//! The two fields of a detail document that are documents themselves: `other_attr_string` and
//! `response` (reference mnt-api section 2.3, quirks 4 and 6).
//!
//! Pure functions from text to ordered members; a key that repeats becomes a list. Values are kept
//! as sent, whatever list syntax they hold: `CiscoAVPair` and `StepData` have no quoting that could
//! be undone without guessing. Nothing here fails: text of another form stays text.

use std::collections::HashMap;

use super::{Fields, Value};

/// What stands between two members of `other_attr_string`.
const BETWEEN_ATTRIBUTES: &str = ":!:";
/// What stands between two members of `response`.
const BETWEEN_ANSWERS: &str = "; ";

/// Replaces the texts of `other_attr_string` and `response` by their members, where they have any.
///
/// Neither form has an escape, and a stranger chooses a user name: what the record's other members
/// say is known as a value, and its separators part nothing.
pub fn details(fields: &mut Fields) {
    replace(
        fields,
        "other_attr_string",
        BETWEEN_ATTRIBUTES,
        other_attributes,
    );
    replace(fields, "response", BETWEEN_ANSWERS, response);
}

fn replace(
    fields: &mut Fields,
    name: &str,
    separator: &str,
    decode: fn(&str, &[String]) -> Option<Fields>,
) {
    let Some(Value::Text(text)) = fields.get(name) else {
        return;
    };
    let others = fields.iter().filter(|(key, _)| *key != name);
    let texts = others.filter_map(|(_, value)| match value {
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    });
    if let Some(members) = decode(text, &parts_of_values(texts, separator))
        && let Some(value) = fields.get_mut(name)
    {
        *value = Value::Nested(members);
    }
}

/// What stands behind a separator within one of `values`, in lower case.
fn parts_of_values<'a>(values: impl Iterator<Item = &'a str>, separator: &str) -> Vec<String> {
    let parts = values.flat_map(|value| value.split(separator).skip(1));
    parts.map(|part| part.trim().to_lowercase()).collect()
}

/// The members of `:!:Key=Value:!:Key=Value`; the leading separator is optional. A part that is one
/// of `within_values` belongs to the value before it. `None` for text without any member.
pub fn other_attributes(text: &str, within_values: &[String]) -> Option<Fields> {
    members(parts(text, BETWEEN_ATTRIBUTES, within_values).into_iter())
}

/// The members of `{Key=Value; Key=Value; }`, in the same way. `None` for text of another form.
pub fn response(text: &str, within_values: &[String]) -> Option<Fields> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let inner = inner.strip_suffix(';').unwrap_or(inner);
    let parts = parts(inner, BETWEEN_ANSWERS, within_values);
    members(parts.into_iter().map(str::trim))
}

/// Splits at the separators that are none within a value.
fn parts<'a>(text: &'a str, separator: &str, within_values: &[String]) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut begin = 0;
    for (at, _) in text.match_indices(separator) {
        let next = at + separator.len();
        let part = || text.get(next..)?.split(separator).next();
        if !within_values.is_empty() && part().is_some_and(|part| is_within(part, within_values)) {
            continue;
        }
        parts.extend(text.get(begin..at));
        begin = next;
    }
    parts.extend(text.get(begin..));
    parts
}

/// Whether a part is one of a known value: in any case, cut short, or with more behind it, as the
/// server has copies of a name.
fn is_within(part: &str, values: &[String]) -> bool {
    let part = part.trim().to_lowercase();
    values.iter().any(|value| {
        let has_more = || {
            let named = value.split_once('=');
            named.is_some_and(|(_, text)| !text.is_empty()) && part.starts_with(value.as_str())
        };
        part == *value || (!part.is_empty() && value.starts_with(&part)) || has_more()
    })
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
            other_attributes(text, &[]).unwrap().to_value().to_string(),
            r#"{"ConfigVersionId":"118","EAP-Key-Name":null,"AuthorizationPolicyMatchedRule":"Staff = compliant","StepData":"\"4= Normalised\",\"9=lab\"=StepData","CPMSessionID":["A","B"],"Device Type":"Device Type#All"}"#
        );
        assert_eq!(
            other_attributes(text.trim_start_matches(":!:"), &[]),
            other_attributes(text, &[])
        );
        assert_eq!(other_attributes("no members", &[]), None);
        assert_eq!(other_attributes("", &[]), None);
    }

    #[test]
    fn a_response_keeps_urls_and_repeats() {
        let text = "{Class=CACS:1:psn-a/5501/92; Tunnel-Private-Group-ID=(tag=1) 20; cisco-av-pair=a=b; cisco-av-pair=url-redirect=https://psn:8443/g?s=1&action=cwa; }";
        assert_eq!(
            response(text, &[]).unwrap().to_value().to_string(),
            r#"{"Class":"CACS:1:psn-a/5501/92","Tunnel-Private-Group-ID":"(tag=1) 20","cisco-av-pair":["a=b","url-redirect=https://psn:8443/g?s=1&action=cwa"]}"#
        );
        assert_eq!(
            response("{A=1;}", &[]).unwrap().to_value().to_string(),
            r#"{"A":"1"}"#
        );
        assert_eq!(response("Access-Accept", &[]), None);
        assert_eq!(response("{}", &[]), None);
    }

    /// A record whose user calls itself `user`, and with these attributes.
    fn decoded(user: &str, attributes: &str, answer: &str) -> String {
        let mut fields = Fields::new();
        fields.put_text("user_name", user);
        fields.put_text("other_attr_string", attributes);
        fields.put_text("response", answer);
        details(&mut fields);
        fields.to_value().to_string()
    }

    #[test]
    fn a_users_name_is_no_member() {
        for (user, attributes, members) in [
            (
                "x:!:ANCPolicy=Quarantine:!:y",
                ":!:A=1:!:RADIUS Username=x:!:ANCPolicy=Quarantine:!:y:!:B=2",
                r#"{"A":"1","RADIUS Username":"x:!:ANCPolicy=Quarantine:!:y","B":"2"}"#,
            ),
            // A copy in another case, cut short, one with more behind it; the true one stays.
            (
                "x:!:ANCPolicy=Quarantine",
                ":!:N=X:!:ANCPOLICY=QUARANTINE:!:N=x:!:ANCPolicy=Quar:!:V=x:!:ANCPolicy=Quarantine,k=v:!:ANCPolicy=Isolate",
                r#"{"N":["X:!:ANCPOLICY=QUARANTINE","x:!:ANCPolicy=Quar"],"V":"x:!:ANCPolicy=Quarantine,k=v","ANCPolicy":"Isolate"}"#,
            ),
            // Nothing to be hidden by naming its key alone.
            (
                ":!::!:ANCPolicy=:!:A",
                ":!:N=:!::!:ANCPolicy=:!:A:!:ANCPolicy=Isolate:!:A=1",
                r#"{"N":":!::!:ANCPolicy=:!:A","ANCPolicy":"Isolate","A":"1"}"#,
            ),
        ] {
            let all = decoded(user, attributes, "");
            let expected = format!("\"other_attr_string\":{members}");
            assert!(all.contains(&expected), "{all}");
        }
        let all = decoded("x; Class=y", "", "{User-Name=x; Class=y; Class=CACS:1; }");
        let expected = r#""response":{"User-Name":"x; Class=y","Class":"CACS:1"}"#;
        assert!(all.contains(expected), "{all}");
    }

    #[test]
    fn very_many_members_are_read_in_linear_time() {
        let parts: Vec<String> = (0..200_000).map(|i| format!("k{i}=v")).collect();
        let text = parts.join(":!:");
        assert_eq!(other_attributes(&text, &[]).unwrap().len(), 200_000);
    }

    proptest! {
        #[test]
        fn distinct_members_come_back_in_order(values in proptest::collection::vec("[ -9;-~]{0,12}", 1..20)) {
            let parts: Vec<String> = values.iter().enumerate().map(|(i, value)| format!("k{i}={value}")).collect();
            let fields = other_attributes(&parts.join(":!:"), &[]).unwrap();
            prop_assert_eq!(fields.len(), values.len());
            for (i, value) in values.iter().enumerate() {
                prop_assert_eq!(fields.text(&format!("k{i}")).unwrap_or_default(), value.as_str());
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,60}|[{}=;:! a]{0,40}") {
            let _ = {
                let within = parts_of_values([text.as_str()].into_iter(), ":!:");
                (other_attributes(&text, &within), response(&text, &within))
            };
        }
    }
}
