//! Who is messaged where consent is the subscription that the event tells of.

use serde_json::{Value, json};

use crate::harness::{SECRET, World, destination, event_to, merge, messages_to, phone, sign, whatsapp};

fn by_subscription(name: &str, asked: &str) -> Value {
    let mut action = whatsapp();
    action["consent"] = json!({"subscription": asked});
    destination(name, &action)
}

/// An event to a customer, with what it says of subscriptions.
fn event_that_says(customer: &str, says: &Value) -> Value {
    let mut event = event_to(customer);
    merge(&mut event, says);
    event
}

fn identifier(number: &str, says: &Value) -> Value {
    let mut identifier = json!({"id": number, "type": "phone", "collection": "users", "encoding": "none"});
    merge(&mut identifier, says);
    json!({"external_ids": [identifier]})
}

fn listed(number: &str, status: &str) -> Value {
    json!({"context": {"messaging_subscriptions": [{"key": number, "type": "WhatsApp", "status": status}]}})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subscription_of_the_number_decides() {
    let world = World::ready(&[by_subscription("opt-in", "OptIn"), by_subscription("opt-out", "OptOut")]).await;
    let (sent, not) = ((200, "sent", ""), (200, "suppressed", "NoConsent"));
    let whatsapp = |is_subscribed: Value| json!({"channelType": "whatsapp", "isSubscribed": is_subscribed});
    let mine = phone(1);
    for (says, opt_in, opt_out) in [
        (json!({}), not, sent),
        (identifier(&mine, &whatsapp(json!("true"))), sent, sent),
        (identifier(&mine, &whatsapp(json!(false))), not, not),
        (identifier(&mine, &whatsapp(json!("unsubscribed"))), not, not),
        (identifier(&mine, &whatsapp(json!(null))), not, sent),
        (identifier(&mine, &json!({"channelType": "sms", "isSubscribed": true})), not, sent),
        (listed(&mine, "SUBSCRIBED"), sent, sent),
        (listed(&mine, "UNSUBSCRIBED"), not, not),
        (listed(&mine, "DID_NOT_SUBSCRIBE"), not, not),
        (listed(&mine, "PENDING"), not, not),
        // Another number's says nothing of this one.
        (listed(&phone(2), "SUBSCRIBED"), not, sent),
        (listed(&phone(2), "UNSUBSCRIBED"), not, sent),
    ] {
        for (name, expected) in [("opt-in", opt_in), ("opt-out", opt_out)] {
            let before = messages_to(&world.sim, &mine);
            let answer = world.send(name, &event_that_says(&mine, &says)).await;
            assert_eq!(answer.outcome(), expected, "{name} {says}");
            assert_eq!(messages_to(&world.sim, &mine) - before, usize::from(expected == sent), "{name} {says}");
        }
    }
    let answer = world.send("opt-out", &event_that_says(&mine, &listed(&mine, "PENDING"))).await;
    assert!(answer.result()["detail"].as_str().unwrap().contains("`PENDING`"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_event_that_nothing_proves_no_subscription_is_believed_nor_its_absence() {
    let world = World::ready(&[by_subscription("opt-in", "OptIn"), by_subscription("opt-out", "OptOut")]).await;
    for (n, name) in ["opt-in", "opt-out"].into_iter().enumerate() {
        let (first, second) = (phone(2 * n), phone(2 * n + 1));
        let proven = event_that_says(&first, &listed(&first, "SUBSCRIBED"));
        let unproven = event_that_says(&second, &listed(&second, "SUBSCRIBED"));
        let body = json!([proven, unproven]).to_string();
        let answer = world.post_signed(name, &body, Some(&sign(SECRET, &proven.to_string()))).await;
        let results = &answer.body["results"];
        assert_eq!((answer.status, &results[0]["outcome"]), (503, &json!("sent")), "{answer:?}");
        assert_eq!((&results[1]["outcome"], &results[1]["reason"]), (&json!("retry"), &json!("NotProven")));
        assert_eq!((messages_to(&world.sim, &first), messages_to(&world.sim, &second)), (1, 0));
        // Sent again by itself it is proven.
        assert_eq!(world.send(name, &unproven).await.outcome(), (200, "sent", ""));
    }
}
