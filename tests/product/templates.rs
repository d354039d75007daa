//! Templates by name: one resource for every account, whatever the SID is there; and what becomes of an approval is followed.

use std::time::{Duration, Instant};

use engage_simulator::{
    Options, Seed,
    seed::{Approval, Template},
};
use serde_json::{Value, json};

use crate::harness::{World, by_name, conversation, destination, event, event_to, flow, merge, phone, sid, whatsapp};

/// The seed's approved template as another one.
fn template(number: u32, name: &str, language: &str) -> Template {
    let approved = Seed::demo().content.remove(0);
    Template { sid: sid("HX", number), friendly_name: name.into(), language: language.into(), ..approved }
}

fn in_status(world: &World, name: &str) -> Value {
    world.get("ed", name).unwrap_or_default()["status"]["content"].clone()
}

async fn until(what: &str, world: &World, patience: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < patience, "not within {patience:?}: {what}\n{}", world.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    begin.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_enough_for_both_actions_and_is_looked_up_once_for_all() {
    let content = json!({"friendlyName": "lead_welcome", "language": "en"});
    let mut resources = vec![flow(), destination("agent", &by_name(conversation(), &content))];
    resources.extend((0..20).map(|n| destination(&format!("welcome-{n}"), &by_name(whatsapp(), &content))));
    let world = World::ready(&resources).await;
    let searched = world.sim.requests_of("content.search_approvals").len();
    assert!((1..=6).contains(&searched), "{searched}");
    assert!(world.sim.requests_of("content.fetch").is_empty());
    assert_eq!(
        in_status(&world, "welcome-0"),
        json!({"sid": sid("HX", 1), "name": "lead_welcome", "language": "en", "approvalStatus": "approved",
            "variables": ["1", "2"]})
    );
    assert_eq!(world.send("welcome-0", &event_to(&phone(1))).await.outcome(), (200, "sent", ""));
    assert_eq!(world.send("agent", &event_to(&phone(2))).await.outcome(), (200, "sent", ""));
    let state = world.sim.state();
    assert_eq!(state.messages[0].content_sid, Some(sid("HX", 1)));
    let opening = &state.conversations[0].messages[0];
    assert!(opening.body.as_deref().unwrap().starts_with("Hi Bia, thanks"), "{opening:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_that_of_one_template_sends_nothing_and_says_what_there_is() {
    let mut seed = Seed::demo();
    seed.content.push(template(5, "lead_welcome", "pt_BR"));
    // Twilio's search takes a pattern: a name of such characters finds itself alone.
    seed.content.push(template(6, "50% (v1.0) off?", "en"));
    seed.content.push(template(7, "50% v1x0 off", "en"));
    let offered = by_name(whatsapp(), &json!({"friendlyName": "lead_offer"}));
    let cases = [
        ("none", by_name(whatsapp(), &json!({"friendlyName": "lead_wlcome"})), "ContentNotFound", "`lead_welcome`"),
        (
            "language",
            by_name(whatsapp(), &json!({"friendlyName": "lead_welcome", "language": "pt"})),
            "ContentNotFound",
            "in `pt`, but in `en`, `pt_BR`",
        ),
        (
            "several",
            by_name(whatsapp(), &json!({"friendlyName": "lead_welcome"})),
            "ContentAmbiguous",
            "HX00000000000000000000000000000005 in pt_BR, approved): say which by language",
        ),
        (
            "rejected",
            {
                let mut action = offered;
                action["whatsapp"]["contentVariables"].as_object_mut().unwrap().remove("2");
                action
            },
            "ContentNotApproved",
            "is rejected for WhatsApp (The body reads like a promotion.)",
        ),
        (
            "variables",
            {
                let mut action = by_name(whatsapp(), &json!({"friendlyName": "lead_welcome", "language": "en"}));
                action["whatsapp"]["contentVariables"]["plan"] = json!("pro");
                action
            },
            "ContentVariablesMismatch",
            "{{plan}} not in the template",
        ),
    ];
    let odd = destination("odd", &by_name(whatsapp(), &json!({"friendlyName": "50% (v1.0) off?"})));
    let mut resources: Vec<Value> = cases.iter().map(|(name, action, _, _)| destination(name, action)).collect();
    // What has no SID cannot be sent, whatever the checks may be worth.
    let mut warned = by_name(whatsapp(), &json!({"friendlyName": "lead_welcome"}));
    merge(&mut warned, &json!({"verification": "Warn"}));
    resources.extend([destination("warned", &warned), odd.clone()]);
    let world = World::with_options(&resources, Options { seed, ..Options::default() }, &[]).await;
    for (name, _, reason, said) in &cases {
        let message = world.reason("ed", name, "Verified", reason).await;
        assert!(message.contains(said), "{name}: {message}");
        let answer = world.send(name, &event("lead-1")).await;
        assert_eq!((answer.status, answer.body["reason"].as_str()), (503, Some(*reason)), "{name}");
    }
    world.reason("ed", "warned", "Ready", "ContentAmbiguous").await;
    assert_eq!(world.send("warned", &event("lead-1")).await.status, 503);
    assert!(world.sim.requests_of("messages.create").is_empty());
    world.all_ready(&[odd]).await;
    assert_eq!(world.send("odd", &event_to(&phone(1))).await.outcome(), (200, "sent", ""));
    assert_eq!(world.sim.state().messages[0].content_sid, Some(sid("HX", 6)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_was_made_anew_is_followed_as_soon_as_a_message_meets_it() {
    let resources = [destination("welcome", &by_name(whatsapp(), &json!({"friendlyName": "lead_welcome"})))];
    let world = World::ready(&resources).await;
    assert_eq!(in_status(&world, "welcome")["sid"], sid("HX", 1));
    assert!(world.sim.remove_template(&sid("HX", 1)));
    world.sim.put_template(template(9, "lead_welcome", "en"));
    // Twilio does not know the old SID; the interval of the checks is ten minutes.
    let event = event_to(&phone(1));
    assert_eq!(world.send("welcome", &event).await.outcome(), (503, "retry", "TwilioRefused"));
    assert_eq!(world.send_until_settled("welcome", &event).await.outcome(), (200, "sent", ""));
    assert_eq!(in_status(&world, "welcome")["sid"], sid("HX", 9));
    let sent: Vec<_> = world.sim.state().messages.into_iter().map(|message| message.content_sid).collect();
    assert_eq!(sent, [Some(sid("HX", 9))]);
    // The new one goes too, and nothing is left of the name.
    assert!(world.sim.remove_template(&sid("HX", 9)));
    assert_eq!(world.send("welcome", &event_to(&phone(2))).await.outcome(), (503, "retry", "TwilioRefused"));
    world.reason("ed", "welcome", "Ready", "ContentNotFound").await;
    assert_eq!(in_status(&world, "welcome"), Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_asks_for_other_variables_now_is_noticed_by_the_first_message() {
    let world = World::ready(&[destination("welcome", &whatsapp())]).await;
    let shorter = json!({"twilio/text": {"body": "Hi {{1}}."}}).as_object().cloned().unwrap();
    world.sim.put_template(Template { types: shorter, ..template(1, "lead_welcome", "en") });
    assert_eq!(world.send("welcome", &event_to(&phone(1))).await.outcome(), (422, "rejected", "InvalidVariable"));
    let message = world.reason("ed", "welcome", "Ready", "ContentVariablesMismatch").await;
    assert!(message.contains("template `lead_welcome`") && message.ends_with("{{2}} not in the template"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_makes_it_ready_within_a_minute_and_a_pause_stops_it_at_once() {
    let mut seed = Seed::demo();
    let pending = Approval { status: "received".into(), ..seed.content[0].approval.clone().unwrap() };
    let waiting = |number, name: &str| Template { approval: Some(pending.clone()), ..template(number, name, "en") };
    seed.content.extend([waiting(8, "by_name"), waiting(9, "by_sid")]);
    let mut by_sid = whatsapp();
    by_sid["whatsapp"]["contentSid"] = json!(sid("HX", 9));
    let resources = [
        destination("by-name", &by_name(whatsapp(), &json!({"friendlyName": "by_name"}))),
        destination("by-sid", &by_sid),
    ];
    let world = World::with_options(&resources, Options { seed, ..Options::default() }, &[]).await;
    for name in ["by-name", "by-sid"] {
        let message = world.reason("ed", name, "Reconciling", "ContentNotApproved").await;
        assert!(message.contains("is received for WhatsApp"), "{message}");
        assert_eq!(world.send(name, &event_to(&phone(1))).await.body["reason"], "ContentNotApproved");
    }
    for template in [8, 9] {
        assert!(world.sim.set_template_approval(&sid("HX", template), Some("approved"), None));
    }
    let is = |name: &str, approval: &str| in_status(&world, name)["approvalStatus"] == approval;
    let waited = until("they are approved", &world, Duration::from_mins(1), || {
        is("by-name", "approved") && is("by-sid", "approved")
    });
    println!("ready after {:?}", waited.await);
    world.all_ready(&resources).await;

    // Meta pauses them. The next message is taken and fails late, and its callback has the destination looked at.
    for (template, approval) in [(8, "paused"), (9, "disabled")] {
        assert!(world.sim.set_template_approval(&sid("HX", template), Some(approval), None));
    }
    for (name, approval) in [("by-name", "paused"), ("by-sid", "disabled")] {
        assert_eq!(world.send(name, &event_to(&phone(2))).await.outcome(), (200, "sent", ""), "{name}");
        let message = world.reason("ed", name, "Stalled", "ContentNotApproved").await;
        assert!(message.contains(&format!("is {approval} for WhatsApp")), "{message}");
        let answer = world.send(name, &event_to(&phone(3))).await;
        assert_eq!((answer.status, answer.body["reason"].as_str()), (503, Some("ContentNotApproved")));
    }
}
