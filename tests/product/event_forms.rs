//! Each form in which Segment writes an event, and what is read of it: golden pairs in `golden/events`, one file a form.

use std::{fs, path::Path};

use engage_operator::{
    api::EngageDestinationSpec,
    delivery::{destination::Destination, outcome::Final, plan},
    segment::{
        Event,
        engage::{Computation, Journey},
        event::User,
    },
};
use serde_json::{Value, json};

/// A destination that reads no trait to decide, with this `when`.
fn compiled(when: Option<&str>) -> Destination {
    let mut spec = json!({
        "twilio": {"credentialsRef": {"name": "twilio"}}, "segment": {"credentialsRef": {"name": "segment"}},
    });
    crate::harness::merge(&mut spec, &crate::harness::whatsapp());
    if let Some(when) = when {
        spec["when"] = json!(when);
    }
    Destination::compile(&serde_json::from_value::<EngageDestinationSpec>(spec).unwrap()).unwrap()
}

/// `taken`, or the reason for which the event goes no further.
fn selected(event: &Event, when: Option<&str>) -> String {
    let now = event.timestamp().unwrap_or_default();
    match plan::select(&compiled(when), event, now) {
        None => "taken".to_owned(),
        Some(Final::Suppressed { reason }) => reason.word,
        Some(other) => panic!("{other:?}"),
    }
}

/// All that is read of an event, without what it does not have.
fn read(event: &Value) -> Value {
    let event = match Event::parse(&event.to_string()) {
        Ok(event) => event,
        Err(error) => return json!({"error": error.to_string()}),
    };
    let user = event.user().map(|user| match user {
        User::Id(id) => id,
        User::Anonymous(id) => format!("anonymous {id}"),
    });
    let computation =
        event.computation().map(|Computation { class, id, key }| json!({"class": class, "id": id, "key": key}));
    let subscriptions: Vec<_> = event
        .whatsapp_subscriptions()
        .map(|said| json!({"number": said.number, "status": format!("{:?}", said.status)}))
        .collect();
    let mut read = json!({
        "kind": event.kind(), "user": user, "space": event.space_id(),
        "timestamp": event.timestamp().map(|at| at.to_string()), "computation": computation,
        "journey": event.journey().map(|Journey { id, epoch }| json!({"id": id, "epoch": epoch})),
        "membership": event.membership(), "exit": event.is_audience_exit(), "phone": event.trait_value("phone"),
        "first_name": event.trait_value("first_name"), "phoneIdentifier": event.phone_identifier(),
        "subscriptions": Some(subscriptions).filter(|said| !said.is_empty()),
        "default": selected(&event, None), "withWhen": selected(&event, Some("true")),
    });
    read.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    read
}

#[test]
fn every_form_is_read_as_its_golden_file_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/product/golden/events");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let golden: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(read(&golden["event"]), golden["read"], "{name}: {}", golden["says"]);
    }
}
