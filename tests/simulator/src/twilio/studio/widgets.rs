//! What each widget does when it is entered, and where its events lead. Widgets that would call out (HTTP, Functions,
//! subflows, voice) are not performed: they leave by their success event, and the step says so.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::lock::lock;
use crate::twilio::conversations::messages::{Content, Draft, append};
use crate::twilio::conversations::store::{Receipt, State};
use crate::twilio::flex;
use crate::world::World;

use super::liquid::render;
use super::store::Execution;

/// How a widget ends.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not yet.
    Wait,
    /// By this event, with a note when something was wrong.
    Leave(String, Option<String>),
}

fn leave(event: &str) -> Outcome {
    Outcome::Leave(event.to_owned(), None)
}

fn failed(event: &str, note: impl Into<String>) -> Outcome {
    Outcome::Leave(event.to_owned(), Some(note.into()))
}

fn state<'d>(definition: &'d Value, name: &str) -> Option<&'d Value> {
    let states = definition.get("states")?.as_array()?;
    states.iter().find(|state| state.get("name").and_then(Value::as_str) == Some(name))
}

/// The type of a widget.
pub fn kind_of<'d>(definition: &'d Value, name: &str) -> Option<&'d str> {
    state(definition, name)?.get("type")?.as_str()
}

/// Where an event of a widget leads; among several `match` transitions the first whose conditions hold.
pub fn next(definition: &Value, widget: &str, event: &str, context: &Value) -> Option<String> {
    let transitions = state(definition, widget)?.get("transitions")?.as_array()?;
    let mut of_event = transitions.iter().filter(|one| one.get("event").and_then(Value::as_str) == Some(event));
    let taken = match event {
        "match" => of_event.find(|one| holds(one, context)),
        _ => of_event.next(),
    };
    let next = taken?.get("next")?.as_str()?;
    (!next.is_empty()).then(|| next.to_owned())
}

/// Enters a widget.
pub fn perform(world: &Arc<World>, execution: &mut Execution, definition: &Value, widget: &str) -> Outcome {
    let Some(state) = state(definition, widget) else { return failed("failed", "no such widget") };
    let empty = Value::Null;
    let properties = state.get("properties").unwrap_or(&empty);
    match state.get("type").and_then(Value::as_str).unwrap_or_default() {
        "send-message" => match send(world, execution, properties) {
            Ok(()) => leave("sent"),
            Err(reason) => failed("failed", reason),
        },
        "send-and-wait-for-reply" => match send(world, execution, properties) {
            Ok(()) => Outcome::Wait,
            // What was started by REST sends outside of any conversation; only that it waits is simulated.
            Err(_) if execution.conversation_sid.is_none() => Outcome::Wait,
            Err(reason) => failed("deliveryFailure", reason),
        },
        "send-to-flex" => match hand_over(world, execution, properties) {
            Ok(()) => Outcome::Wait,
            Err(reason) => failed("failedToEnqueue", reason),
        },
        "set-variables" => {
            set_variables(execution, properties);
            leave("next")
        }
        "split-based-on" => {
            let transitions = state.get("transitions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let is_match = |one: &Value| one["event"] == "match" && holds(one, &execution.context);
            leave(if transitions.iter().any(is_match) { "match" } else { "noMatch" })
        }
        "run-function" | "make-http-request" | "fork-stream" => failed("success", "not performed by the simulator"),
        "run-subflow" => failed("completed", "not performed by the simulator"),
        other => failed("failed", format!("a widget of type {other} is not simulated")),
    }
}

fn text(properties: &Value, key: &str, context: &Value) -> String {
    render(properties.get(key).and_then(Value::as_str).unwrap_or_default(), context)
}

fn send(world: &Arc<World>, execution: &Execution, properties: &Value) -> Result<(), String> {
    let Some(sid) = &execution.conversation_sid else { return Err("there is no conversation".to_owned()) };
    let account = world.account();
    let context = &execution.context;
    let is_template = properties.get("message_type").and_then(Value::as_str) == Some("content_template");
    let template = if is_template {
        let variables = template_variables(properties, context).to_string();
        let sid = text(properties, "content_sid", context);
        Some(Content::of(&account, &sid, Some(&variables)).map_err(|failure| failure.message)?)
    } else {
        None
    };
    let body = template.is_none().then(|| text(properties, "body", context));
    let draft =
        Draft { author: "system".to_owned(), body, attributes: "{}".to_owned(), content: template, origin: "studio" };
    let mut store = lock(&world.conversations);
    let conversation = store.get_mut(sid).filter(|one| one.state != State::Closed);
    let conversation = conversation.ok_or("the conversation is closed or gone")?;
    let message = append(world, &account, conversation, draft);
    match message.receipts.iter().find_map(Receipt::failure) {
        Some(code) => Err(format!("the message failed with {code}")),
        None => Ok(()),
    }
}

fn template_variables(properties: &Value, context: &Value) -> Value {
    let mut variables = Map::new();
    for pair in properties.get("content_variables").and_then(Value::as_array).into_iter().flatten() {
        let key = pair.get("key").and_then(Value::as_str).unwrap_or_default();
        let name = key.trim_start_matches("{{").trim_end_matches("}}").trim();
        variables.insert(name.to_owned(), Value::String(text(pair, "value", context)));
    }
    Value::Object(variables)
}

fn hand_over(world: &Arc<World>, execution: &Execution, properties: &Value) -> Result<(), String> {
    let context = &execution.context;
    let written = properties.get("attributes").and_then(Value::as_str).unwrap_or("{}");
    let attributes: Value = serde_json::from_str(&render(written, context))
        .map_err(|error| format!("the attributes are not JSON after rendering: {error}"))?;
    if !attributes.is_object() {
        return Err("the attributes are not a JSON object".to_owned());
    }
    flex::enqueue(
        world,
        &flex::Handover {
            workflow_sid: text(properties, "workflow", context),
            task_channel_sid: text(properties, "channel", context),
            conversation_sid: execution.conversation_sid.clone(),
            customer_address: execution.contact_channel_address.clone(),
            attributes,
        },
    )
}

fn set_variables(execution: &mut Execution, properties: &Value) {
    for pair in properties.get("variables").and_then(Value::as_array).into_iter().flatten() {
        let Some(key) = pair.get("key").and_then(Value::as_str) else { continue };
        let value = text(pair, "value", &execution.context);
        execution.context["flow"]["variables"][key] = json!(value);
    }
}

fn holds(transition: &Value, context: &Value) -> bool {
    let conditions = transition.get("conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    conditions.iter().all(|condition| {
        let arguments = condition.get("arguments").and_then(Value::as_array).into_iter().flatten();
        let mut tested = arguments.filter_map(Value::as_str).map(|argument| render(argument, context));
        let tested = tested.next().unwrap_or_default();
        compares(
            condition.get("type").and_then(Value::as_str).unwrap_or_default(),
            &tested,
            &text(condition, "value", context),
        )
    })
}

fn compares(kind: &str, tested: &str, value: &str) -> bool {
    let (tested, value) = (tested.trim().to_lowercase(), value.trim().to_lowercase());
    let any = || value.split(',').any(|option| option.trim() == tested);
    let numbers = tested.parse::<f64>().ok().zip(value.parse::<f64>().ok());
    match kind {
        "equal_to" => tested == value,
        "not_equal_to" => tested != value,
        "matches_any_of" => any(),
        "does_not_match_any_of" => !any(),
        "contains" => tested.contains(&value),
        "does_not_contain" => !tested.contains(&value),
        "starts_with" => tested.starts_with(&value),
        "does_not_start_with" => !tested.starts_with(&value),
        "is_blank" => tested.is_empty(),
        "is_not_blank" => !tested.is_empty(),
        "less_than" => numbers.is_some_and(|(left, right)| left < right),
        "greater_than" => numbers.is_some_and(|(left, right)| left > right),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_compare_as_studio_does() {
        for (kind, tested, value, expected) in [
            ("equal_to", "Yes ", "yes", true),
            ("matches_any_of", "b", "a, b", true),
            ("does_not_match_any_of", "b", "a, b", false),
            ("contains", "hello", "ell", true),
            ("is_blank", " ", "", true),
            ("less_than", "2", "10", true),
            ("regex", "x", "x", false),
        ] {
            assert_eq!(compares(kind, tested, value), expected, "{kind} {tested} {value}");
        }
    }
}
