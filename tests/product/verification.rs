//! Every misconfiguration shows in `get` before a customer is affected, and the event is kept until it is mended.

use serde_json::{Value, json};

use crate::harness::{World, conversation, destination, event, flow, merge, sid, whatsapp};

fn changed(action: Value, change: &Value) -> Value {
    let mut action = action;
    merge(&mut action, change);
    action
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_is_wrong_in_the_account_is_a_reason_of_its_own() {
    let cases = [
        (
            "no-service",
            changed(whatsapp(), &json!({"whatsapp": {"messagingServiceSid": sid("MG", 9)}})),
            "MessagingServiceNotFound",
        ),
        (
            "no-sender",
            changed(whatsapp(), &json!({"whatsapp": {"messagingServiceSid": sid("MG", 3)}})),
            "NoWhatsAppSender",
        ),
        (
            "two-senders",
            changed(whatsapp(), &json!({"whatsapp": {"messagingServiceSid": sid("MG", 2)}})),
            "SeveralWhatsAppSenders",
        ),
        ("no-content", changed(whatsapp(), &json!({"whatsapp": {"contentSid": sid("HX", 9)}})), "ContentNotFound"),
        ("pending", changed(whatsapp(), &json!({"whatsapp": {"contentSid": sid("HX", 2)}})), "ContentNotApproved"),
        ("unsubmitted", changed(whatsapp(), &json!({"whatsapp": {"contentSid": sid("HX", 4)}})), "ContentNotApproved"),
        (
            "variables",
            json!({"whatsapp": {"messagingServiceSid": sid("MG", 1), "contentSid": sid("HX", 1), "includeTraits": ["first_name"]}}),
            "ContentVariablesMismatch",
        ),
        (
            "offline",
            changed(conversation(), &json!({"conversation": {"twilioNumber": ["+5511900000003"]}})),
            "SenderOffline",
        ),
        (
            "not-ours",
            changed(conversation(), &json!({"conversation": {"twilioNumber": ["+5511911111111"]}})),
            "SenderNotFound",
        ),
    ];
    let mut resources: Vec<Value> = cases.iter().map(|(name, action, _)| destination(name, action)).collect();
    resources.push(flow());
    let world = World::with(&resources).await;
    for (name, _, reason) in &cases {
        let message = world.reason("ed", name, "Verified", reason).await;
        assert!(message.len() > 20, "{name}: {message}");
        let answer = world.send(name, &event("lead-1")).await;
        assert_eq!((answer.status, answer.body["reason"].as_str()), (503, Some(*reason)), "{name}");
        assert!(answer.retry_after);
    }
    assert!(world.sim.requests_of("messages.create").is_empty());
    assert!(world.sim.requests_of("conversations.create").is_empty());
    let (table, _) = world.get_text(&["ed"]);
    assert!(table.contains("SeveralWhatsAppSenders") && table.contains("False"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_missing_or_incomplete_is_named_and_its_coming_is_noticed() {
    let world = World::with(&[]).await;
    let secrets = crate::harness::secrets();
    world.write("secrets.yaml", &secrets.replace("TWILIO_AUTH_TOKEN", "TWILIO_TOKEN"));
    world.apply(&destination("welcome", &whatsapp()));
    let message = world.reason("ed", "welcome", "ResolvedRefs", "SecretKeyMissing").await;
    assert!(message.contains("`twilio`") && message.contains("`TWILIO_AUTH_TOKEN`"), "{message}");
    assert!(!message.contains("demo"), "{message}");
    let answer = world.send("welcome", &event("lead-1")).await;
    assert_eq!((answer.status, answer.body["reason"].as_str()), (503, Some("SecretKeyMissing")));
    world.write("secrets.yaml", "");
    world.reason("ed", "welcome", "ResolvedRefs", "SecretNotFound").await;
    world.write("secrets.yaml", &secrets);
    world.reason("ed", "welcome", "Ready", "Ready").await;
    assert_eq!(world.send_until_settled("welcome", &event("lead-1")).await.outcome(), (200, "sent", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_can_be_told_to_serve_whatever_the_checks_say_or_not_at_all() {
    let unapproved = json!({"whatsapp": {"contentSid": sid("HX", 2), "contentVariables": {"1": "you"}}});
    let mut action = whatsapp();
    merge(&mut action, &unapproved);
    action["whatsapp"]["contentVariables"].as_object_mut().unwrap().remove("2");
    let warned = changed(action, &json!({"verification": "Warn"}));
    let world = World::with(&[
        destination("warned", &warned),
        destination("asleep", &changed(whatsapp(), &json!({"suspend": true}))),
    ])
    .await;
    world.reason("ed", "warned", "Verified", "ContentNotApproved").await;
    assert_eq!(world.send_until_settled("warned", &event("lead-1")).await.outcome(), (200, "sent", ""));
    world.reason("ed", "asleep", "Ready", "Suspended").await;
    let answer = world.send("asleep", &event("lead-1")).await;
    assert_eq!((answer.status, answer.body["reason"].as_str()), (503, Some("Suspended")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_used_is_named_and_the_last_good_version_stays() {
    let world = World::ready(&[destination("welcome", &whatsapp())]).await;
    let mut broken = destination("welcome", &whatsapp());
    broken["spec"]["whatsapp"]["contentSid"] = json!("HX1");
    broken["spec"]["whatsap"] = json!({});
    world.apply(&broken);
    let begin = std::time::Instant::now();
    let problems = loop {
        let (_, problems) = world.get_text(&["ed"]);
        if !problems.is_empty() || begin.elapsed().as_secs() > 10 {
            break problems;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert!(problems.contains("EngageDestination-welcome.yaml"), "{problems}");
    assert!(problems.contains("spec.whatsap: unknown field; did you mean `whatsapp`?"), "{problems}");
    assert_eq!(world.send("welcome", &event("lead-1")).await.outcome(), (200, "sent", ""));
    world.write("broken.yaml", "kind: [\n");
    world.apply(&destination("second", &whatsapp()));
    world.reason("ed", "second", "Ready", "Ready").await;
    world.remove("EngageDestination", "second");
    let begin = std::time::Instant::now();
    while world.send("second", &event("lead-1")).await.status != 404 {
        assert!(begin.elapsed().as_secs() < 10);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(world.get("ed", "second").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_are_asked_once_for_all_destinations_of_an_account() {
    let resources: Vec<Value> = (0..40).map(|n| destination(&format!("d{n}"), &whatsapp())).collect();
    let world = World::ready(&resources).await;
    assert!(world.sim.requests_of("services.fetch").len() <= 5, "{}", world.sim.requests_of("services.fetch").len());
    assert!(world.sim.requests_of("content.fetch").len() <= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_meets_another_account_than_was_checked_has_it_checked_again() {
    let resources = [flow(), destination("agent", &conversation())];
    let world = World::ready(&resources).await;
    for number in crate::harness::OUR_NUMBERS {
        assert!(world.sim.set_sender_status(number, "OFFLINE"));
    }
    let event = event("lead-1");
    assert_eq!(world.send("agent", &event).await.outcome(), (503, "retry", "TwilioRefused"));
    // Long before the resync interval of ten minutes.
    let message = world.reason("ed", "agent", "Verified", "SenderOffline").await;
    assert!(message.contains("+5511900000001"), "{message}");
    let answer = world.send("agent", &event).await;
    assert_eq!((answer.status, answer.body["reason"].as_str()), (503, Some("SenderOffline")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_forgets_is_shown() {
    let resources = [destination("welcome", &whatsapp())];
    let world = World::with_options(&resources, engage_simulator::Options::default(), &["--journal", "memory"]).await;
    world.all_ready(&resources).await;
    world.reason("ed", "welcome", "Durable", "MemoryJournal").await;
    assert_eq!(world.send("welcome", &event("lead-1")).await.outcome(), (200, "sent", ""));
}
