//! Checks what was sent against a row: unknown, missing, repeated, too long, of the wrong form.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::call::Failure;
use crate::clock;
use crate::form::Pairs;
use crate::sids::is_sid;

use super::{Operation, Parameter};

impl Operation {
    /// Checks query and form against the row.
    pub fn check(&self, query: &Pairs, form: &Pairs) -> Result<(), Failure> {
        self.check_pairs("query", &self.query, query)?;
        self.check_pairs("post body", &self.parameters, form)?;
        for alternative in &self.one_of {
            let present = |name: &String| form.iter().chain(query).any(|(key, _)| key == name);
            if !alternative.names.iter().any(present) {
                let names = alternative.names.join(", ");
                return Err(Failure::bad(alternative.code, format!("One of the parameters {names} is required")));
            }
        }
        Ok(())
    }

    /// Checks the top-level keys of a JSON body.
    pub fn check_json(&self, body: &Value) -> Result<(), Failure> {
        let Value::Object(fields) = body else {
            return Err(Failure::bad(20001, "The request body must be a JSON object"));
        };
        if let Some(unknown) = fields.keys().find(|key| !self.parameters.contains_key(*key)) {
            return Err(self.unknown(unknown, "request body"));
        }
        match self.parameters.iter().find(|(name, rule)| rule.required && !fields.contains_key(*name)) {
            Some((name, rule)) => Err(missing(name, rule, "request body")),
            None => Ok(()),
        }
    }

    fn check_pairs(&self, place: &str, rules: &BTreeMap<String, Parameter>, pairs: &Pairs) -> Result<(), Failure> {
        for (index, (name, value)) in pairs.iter().enumerate() {
            let is_paging = place == "query" && self.page.is_some() && is_paging_parameter(name);
            let Some(rule) = rules.get(name) else {
                if is_paging {
                    check_paging(name, value)?;
                    continue;
                }
                return Err(self.unknown(name, place));
            };
            let before = pairs[..index].iter().filter(|(key, _)| key == name).count();
            if before >= rule.repeat.unwrap_or(1) {
                return Err(rule.refuse(format!("Parameter {name} is given too many times")));
            }
            rule.check(name, value)?;
        }
        let absent = |name: &String| !pairs.iter().any(|(key, _)| key == name);
        match rules.iter().find(|(name, rule)| rule.required && absent(name)) {
            Some((name, rule)) => Err(missing(name, rule, place)),
            None => Ok(()),
        }
    }

    fn unknown(&self, name: &str, place: &str) -> Failure {
        Failure::bad(20001, format!("Unknown parameter {name} in the {place} of {} ({})", self.name, self.source))
    }
}

fn missing(name: &str, rule: &Parameter, place: &str) -> Failure {
    Failure::bad(rule.missing_code.unwrap_or(20001), format!("Missing required parameter {name} in the {place}"))
}

fn is_paging_parameter(name: &str) -> bool {
    matches!(name, "PageSize" | "Page" | "PageToken")
}

fn check_paging(name: &str, value: &str) -> Result<(), Failure> {
    let smallest = usize::from(name == "PageSize");
    if name == "PageToken" || value.parse::<usize>().is_ok_and(|number| number >= smallest) {
        return Ok(());
    }
    Err(Failure::bad(20001, format!("Parameter {name} is not a whole number: {value}")))
}

impl Parameter {
    fn refuse(&self, message: String) -> Failure {
        Failure::bad(self.code.unwrap_or(20001), message)
    }

    fn check(&self, name: &str, value: &str) -> Result<(), Failure> {
        if let Some(longest) = self.max_length
            && value.chars().count() > longest
        {
            let code = self.length_code.or(self.code).unwrap_or(20001);
            return Err(Failure::bad(code, format!("Parameter {name} is longer than {longest} characters")));
        }
        if !self.values.is_empty() && !self.values.iter().any(|allowed| allowed == value) {
            let allowed = self.values.join(", ");
            return Err(self.refuse(format!("Parameter {name} is '{value}', which is not one of {allowed}")));
        }
        match self.format.as_deref() {
            Some(format) if !has_format(format, value) => {
                Err(self.refuse(format!("Parameter {name} is '{value}', which is not {format}")))
            }
            Some("integer") => self.check_range(name, value),
            _ => Ok(()),
        }
    }

    fn check_range(&self, name: &str, value: &str) -> Result<(), Failure> {
        let number: i64 = value.parse().unwrap_or_default();
        if self.min.is_some_and(|min| number < min) || self.max.is_some_and(|max| number > max) {
            return Err(self.refuse(format!("Parameter {name} is out of range: {value}")));
        }
        Ok(())
    }
}

fn has_format(format: &str, value: &str) -> bool {
    if let Some(prefixes) = format.strip_prefix("sid:") {
        return prefixes.split('|').any(|prefix| is_sid(value, prefix));
    }
    match format {
        "integer" => value.parse::<i64>().is_ok(),
        "number" => value.parse::<f64>().is_ok(),
        "boolean" => matches!(value, "true" | "false"),
        "json" => serde_json::from_str::<serde::de::IgnoredAny>(value).is_ok(),
        "json-object" => serde_json::from_str::<Value>(value).is_ok_and(|parsed| parsed.is_object()),
        "url" => is_callback_url(value),
        "instant" => clock::parse_instant(value).is_some(),
        _ => false,
    }
}

/// An absolute http(s) URL whose host has no underscore (twilio.md 2.1, `StatusCallback`).
fn is_callback_url(value: &str) -> bool {
    reqwest::Url::parse(value).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.contains('_'))
    })
}
