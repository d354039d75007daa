//! What `preview` prints is what is sent.

use std::{fs, process::Command};

use serde_json::{Map, Value, json};

use crate::harness::{World, by_name, conversation, destination, event_to, flow, interaction, phone, sid, whatsapp};

/// The program's answer: exit code, standard output and standard error.
fn preview(world: &World, destination: &Value, event: &Value, arguments: &[&str]) -> (i32, String, String) {
    let write = |name: &str, json: &Value| {
        let path = world.folder.path().join(name);
        fs::write(&path, json.to_string()).unwrap();
        path
    };
    let output = Command::new(env!("CARGO_BIN_EXE_engage-operator"))
        .args(["preview", "--file", write("destination.json", destination).as_os_str().to_str().unwrap()])
        .arg("--event")
        .arg(write("event.json", event))
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_requests_are_those_that_twilio_gets() {
    let destinations = [
        destination("welcome", &whatsapp()),
        destination("agent", &conversation()),
        destination("task", &interaction()),
    ];
    let world = World::ready(&[&[flow()], destinations.as_slice()].concat()).await;
    let flow_sid = world.sim.state().flows[0].sid.clone();
    for (number, resource) in destinations.iter().enumerate() {
        let name = resource["metadata"]["name"].as_str().unwrap();
        let event = event_to(&phone(number));
        let public_url = world.public_url();
        let [workspace, workflow, task_channel] = ["WS", "WW", "TC"].map(|prefix| sid(prefix, 1));
        let arguments = [
            "-o",
            "json",
            "--flow-sid",
            &flow_sid,
            "--public-url",
            &public_url,
            "--workspace-sid",
            &workspace,
            "--workflow-sid",
            &workflow,
            "--task-channel-sid",
            &task_channel,
        ];
        let (code, printed, error) = preview(&world, resource, &event, &arguments);
        assert_eq!(code, 0, "{error}");
        let printed: Value = serde_json::from_str(&printed).unwrap();
        world.sim.clear_requests();
        assert_eq!(world.send(name, &event).await.status, 200);
        let sent: Vec<(String, Map<String, Value>)> = world
            .sim
            .requests()
            .into_iter()
            .filter(|request| request.method == "POST")
            .map(|request| {
                let form = request.form.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
                (request.path, form)
            })
            .collect();
        let previewed: Vec<(String, Map<String, Value>)> = printed[0]["requests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|request| {
                let url = request["url"].as_str().unwrap();
                let path = &url["https://".len()..];
                (path[path.find('/').unwrap()..].to_owned(), request["form"].as_object().unwrap().clone())
            })
            .collect();
        assert_eq!(previewed.len(), sent.len(), "{previewed:?} {sent:?}");
        for ((printed_path, printed_form), (path, form)) in previewed.iter().zip(&sent) {
            // The account and the conversation are known only when the account is asked.
            let parts = printed_path.split('/').zip(path.split('/'));
            assert!(
                parts.into_iter().all(|(printed, sent)| printed.starts_with('{') || printed == sent),
                "{printed_path} {path}"
            );
            // What is made first is named by what is made after it.
            let named = |form: &Map<String, Value>| {
                let mut form = form.clone();
                if let Some(Value::String(channel)) = form.get_mut("Channel") {
                    *channel =
                        channel.replace("{ConversationSid}", &world.sim.state().conversations.last().unwrap().sid);
                }
                form
            };
            assert_eq!(&named(printed_form), form);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_when_every_number_is_talking_to_the_customer_is_said_too() {
    let world = World::with(&[]).await;
    let mut resource = destination("agent", &conversation());
    for (policy, says, requests) in [
        ("Skip", "suppressed, ConversationActive", 0),
        ("Retry", "retry, ConversationActive", 0),
        ("Reuse", "one request, into a conversation that this operator made", 1),
    ] {
        resource["spec"]["conversation"]["onActiveConversation"] = json!(policy);
        let (code, text, error) = preview(&world, &resource, &event_to(&phone(1)), &[]);
        assert_eq!(code, 0, "{error}");
        let said = format!("If every number is in an open conversation with this customer: {says}");
        assert!(text.contains(&said), "{text}");
        let (_, printed, _) = preview(&world, &resource, &event_to(&phone(1)), &["-o", "json"]);
        let printed: Value = serde_json::from_str(&printed).unwrap();
        let active = &printed[0]["ifConversationActive"];
        assert_eq!((&active["policy"], active["requests"].as_array().map(Vec::len)), (&json!(policy), Some(requests)));
        assert_eq!(
            active["requests"].get(0).map_or(&json!(null), |request| &request["form"]),
            match policy {
                "Reuse" => &printed[0]["requests"][3]["form"],
                _ => &Value::Null,
            }
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_not_be_sent_says_why_and_what_is_wrong_is_named() {
    let world = World::with(&[]).await;
    let mut resource = destination("welcome", &whatsapp());
    let nobody = json!({"type": "track", "event": "x", "messageId": "m-1", "userId": "u"});
    let (code, out, _) = preview(&world, &resource, &nobody, &[]);
    assert_eq!(code, 1);
    assert!(out.contains("(missing: first_name, phone, plan) rejected, NoPhone"), "{out}");
    let profile = world.folder.path().join("profile.json");
    fs::write(&profile, json!({"traits": {"phone": phone(1), "first_name": "Ana"}}).to_string()).unwrap();
    let (code, out, _) = preview(&world, &resource, &nobody, &["--traits", profile.to_str().unwrap()]);
    assert_eq!(code, 0);
    assert!(out.contains("ContentVariables     {\"1\":\"Ana\",\"2\":\"starter\"}"), "{out}");
    let identify = json!({"type": "identify", "messageId": "m-2"});
    let (code, out, _) = preview(&world, &resource, &identify, &[]);
    assert_eq!((code, out.contains("suppressed, NotTrack")), (0, true), "{out}");
    let (code, _, error) = preview(&world, &resource, &nobody, &["--name", "another"]);
    assert!(code == 1 && error.contains("there are welcome"), "{error}");
    resource["spec"]["when"] = json!("event.");
    let (code, _, error) = preview(&world, &resource, &nobody, &[]);
    assert!(code == 1 && error.contains("spec.when"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_by_name_is_in_braces_until_a_status_knows_it() {
    let world = World::with(&[]).await;
    let content = json!({"friendlyName": "lead_welcome"});
    for action in [whatsapp(), conversation()] {
        let mut resource = destination("lead", &by_name(action, &content));
        let (code, out, error) = preview(&world, &resource, &event_to(&phone(1)), &[]);
        assert_eq!(code, 0, "{error}");
        assert!(out.contains("  {ContentSid}\n") && !out.contains("HX"), "{out}");
        resource["status"] = json!({"content": {"sid": sid("HX", 7)}});
        let (code, out, error) = preview(&world, &resource, &event_to(&phone(1)), &[]);
        assert_eq!(code, 0, "{error}");
        assert!(out.contains(&sid("HX", 7)) && !out.contains("{ContentSid}"), "{out}");
    }
}
