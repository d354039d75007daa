//! What a flow names is looked up in its account at each reconcile; flows that run others come after them.

use engage_simulator::{FaultKind, FaultRule, Options, Seed};
use serde_json::{Value, json};

use crate::harness::{World, flow, merge, sid};

/// A flow of a trigger and these widgets, one after the other.
pub fn flow_of(name: &str, widgets: &[Value], references: &Value) -> Value {
    let next = |index: usize| widgets.get(index).map(|widget| widget["name"].clone()).unwrap_or_default();
    let mut states = vec![json!({"name": "Trigger", "type": "trigger", "properties": {}, "transitions": [
        {"event": "incomingMessage", "next": next(0)}, {"event": "incomingRequest", "next": next(0)}
    ]})];
    for (index, widget) in widgets.iter().enumerate() {
        let event = match widget["type"].as_str().unwrap() {
            "run-function" | "make-http-request" => "success",
            "send-message" => "sent",
            "run-subflow" => "completed",
            _ => "next",
        };
        let mut widget = widget.clone();
        widget["transitions"] = match widgets.get(index + 1) {
            Some(_) => json!([{"event": event, "next": next(index + 1)}]),
            None => json!([{"event": event}]),
        };
        states.push(widget);
    }
    let mut flow = flow();
    merge(&mut flow, &json!({"metadata": {"name": name}, "spec": {"friendlyName": name}}));
    flow["spec"]["definition"] = json!({
        "description": name, "initial_state": "Trigger", "flags": {"allow_concurrent_calls": true}, "states": states
    });
    flow["spec"]["references"] = references.clone();
    flow
}

fn run_subflow(name: &str) -> Value {
    json!({"name": name, "type": "run-subflow", "properties": {"flow_sid": "", "flow_revision": "LatestPublished"}})
}

/// A flow that runs these, each with a widget of that name.
pub fn running(name: &str, subflows: &[&str]) -> Value {
    let widgets: Vec<_> = subflows.iter().map(|subflow| run_subflow(subflow)).collect();
    let references: Vec<_> = subflows
        .iter()
        .map(|subflow| json!({"widget": subflow, "property": "flow_sid", "subflow": {"name": subflow}}))
        .collect();
    flow_of(name, &widgets, &json!(references))
}

fn leaf(name: &str) -> Value {
    flow_of(name, &[json!({"name": "note", "type": "set-variables", "properties": {"variables": []}})], &json!([]))
}

fn variables(count: usize) -> Value {
    let variables: Vec<_> = (0..count).map(|n| json!({"key": format!("k{n}"), "value": ""})).collect();
    json!({"name": "vars", "type": "set-variables", "properties": {"variables": variables}})
}

/// The live definition of the flow of that name.
fn live(world: &World, name: &str) -> Option<Value> {
    let flows = world.sim.state().flows;
    let flow = flows.iter().find(|flow| flow.latest().is_some_and(|latest| latest.friendly_name == name))?;
    Some((*flow.latest_published()?.definition).clone())
}

/// A world with a flow `outer` that names something of every kind, and the flow `inner` that it runs.
pub async fn of_every_kind() -> World {
    let widgets = [
        variables(7),
        json!({"name": "call", "type": "run-function", "properties": {"url": ""}}),
        json!({"name": "ask", "type": "make-http-request", "properties": {"url": "", "method": "GET"}}),
        json!({"name": "send", "type": "send-message", "properties": {
            "from": "{{flow.channel.address}}", "content_sid": "", "messaging_service_sid": ""
        }}),
        run_subflow("sub"),
    ];
    let references = json!([
        {"widget": "vars", "property": "variables.0.value", "workflow": {"friendlyName": "Support"}},
        {"widget": "vars", "property": "variables.1.value",
            "taskChannel": {"uniqueName": "voice", "workspace": "Flex Task Assignment"}},
        {"widget": "vars", "property": "variables.2.value", "taskQueue": {"friendlyName": "Everyone"}},
        {"widget": "vars", "property": "variables.3.value", "conversationService": {"friendlyName": "Service 119"}},
        {"widget": "vars", "property": "variables.4.value", "value": "https://crm.example.com"},
        {"widget": "vars", "property": "variables.5.value",
            "content": {"friendlyName": "lead_welcome", "language": "en"}},
        {"widget": "vars", "property": "variables.6.value", "value": "plain"},
        {"widget": "call",
            "twilioFunction": {"service": "engage-functions", "environment": "production", "path": "/lookup-order"}},
        {"widget": "ask", "property": "url",
            "twilioFunction": {"service": "engage-functions", "environment": "production", "path": "lookup-order"}},
        {"widget": "send", "property": "content_sid", "content": {"friendlyName": "lead_welcome"}},
        {"widget": "send", "property": "messaging_service_sid", "messagingService": {"friendlyName": "Engage"}},
        {"widget": "sub", "property": "flow_sid", "subflow": {"name": "inner"}},
    ]);
    let outer = flow_of("outer", &widgets, &references);
    // More services than are on one page.
    let others: Vec<_> =
        (0..120).map(|n| json!({"sid": sid("IS", 1_000 + n), "friendly_name": format!("Service {n}")})).collect();
    let mut seed = Seed::demo();
    seed.conversations.others = serde_json::from_value(json!(others)).unwrap();
    let resources = [outer, leaf("inner")];
    let world = World::with_options(&resources, Options { seed, ..Options::default() }, &[]).await;
    world.all_ready(&resources).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_name_becomes_the_id_of_the_account() {
    let world = of_every_kind().await;
    let definition = live(&world, "outer").unwrap();
    let properties = |name: &str| {
        let states = definition["states"].as_array().unwrap();
        states.iter().find(|state| state["name"] == name).unwrap()["properties"].clone()
    };
    let values: Vec<_> =
        properties("vars")["variables"].as_array().unwrap().iter().map(|it| it["value"].clone()).collect();
    assert_eq!(
        values,
        [
            json!(sid("WW", 2)),
            json!(sid("TC", 2)),
            json!(sid("WQ", 1)),
            json!(sid("IS", 1_119)),
            json!("https://crm.example.com"),
            json!(sid("HX", 1)),
            json!("plain"),
        ]
    );
    let url = "https://engage-functions-1234.twil.io/lookup-order";
    assert_eq!(
        properties("call"),
        json!({"url": url, "service_sid": sid("ZS", 1), "environment_sid": sid("ZE", 1), "function_sid": sid("ZH", 1)})
    );
    assert_eq!(properties("ask")["url"], url);
    assert_eq!(properties("send")["content_sid"], sid("HX", 1));
    assert_eq!(properties("send")["messaging_service_sid"], sid("MG", 1));
    let inner = world.get("sf", "inner").unwrap()["status"]["sid"].clone();
    assert_eq!(properties("sub")["flow_sid"], inner);
    // The one that is run comes first, and each is written once.
    let created: Vec<_> = world.sim.state().flows.iter().map(|flow| flow.sid.clone()).collect();
    assert_eq!((created.len(), json!(created[0])), (2, inner));
    assert!(world.sim.state().flows.iter().all(|flow| flow.revisions.len() == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_nowhere_says_what_there_is_and_nothing_is_written() {
    let (account, workspace) = (sid("AC", 1), sid("WS", 1));
    let cases = [
        (
            "queue",
            json!({"taskQueue": {"friendlyName": "Nobody"}}),
            "ReferenceNotFound",
            vec!["task queue `Nobody`", "`Everyone`", workspace.as_str()],
        ),
        (
            "service",
            json!({"messagingService": {"friendlyName": "engage"}}),
            "ReferenceNotFound",
            vec!["Messaging Service `engage`", "`Two senders`", account.as_str()],
        ),
        (
            "chat",
            json!({"conversationService": {"friendlyName": "Other"}}),
            "ReferenceNotFound",
            vec!["conversation service `Other`", "Flex Chat Service"],
        ),
        (
            "template",
            json!({"content": {"friendlyName": "lead_welcome", "language": "pt_BR"}}),
            "ContentNotFound",
            vec!["`pt_BR`", "`en`", account.as_str()],
        ),
        (
            "unserved",
            json!({"twilioFunction": {"service": "other", "path": "/a"}}),
            "ReferenceNotFound",
            vec!["Functions service `other`", "engage-functions"],
        ),
        (
            "where",
            json!({"twilioFunction": {"service": "engage-functions", "path": "/a"}}),
            "ReferenceAmbiguous",
            vec!["several environments (production, staging)"],
        ),
        (
            "undeployed",
            json!({"twilioFunction": {"service": "engage-functions", "environment": "staging", "path": "/a"}}),
            "ReferenceNotFound",
            vec!["nothing is deployed", "staging"],
        ),
        (
            "path",
            json!({"twilioFunction": {"service": "engage-functions", "environment": "production", "path": "/a"}}),
            "ReferenceNotFound",
            vec!["`/a`", "/lookup-order"],
        ),
        (
            "private",
            json!({"twilioFunction": {"service": "engage-functions", "environment": "production", "path": "/shared"}}),
            "ReferenceNotFound",
            vec!["private", "protected"],
        ),
        ("placeholder", json!({"value": "${host}"}), "DefinitionInvalid", vec!["${host}"]),
        ("sid", json!({"value": format!("WW{}", "x".repeat(32))}), "DefinitionInvalid", vec!["`WWxxxxxxxx"]),
    ];
    let flows: Vec<Value> = cases
        .iter()
        .map(|(name, named, _, _)| {
            let mut reference = json!({"widget": "vars", "property": "variables.0.value"});
            merge(&mut reference, named);
            flow_of(name, &[variables(1)], &json!([reference]))
        })
        .collect();
    let world = World::with(&flows).await;
    for (name, _, reason, said) in &cases {
        let condition = if *reason == "DefinitionInvalid" { "Accepted" } else { "ResolvedRefs" };
        let message = world.reason("sf", name, condition, reason).await;
        assert!(said.iter().all(|part| message.contains(part)), "{name}: {message}");
    }
    assert!(world.sim.state().flows.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn flows_in_a_circle_inside_each_other_or_too_large_together_are_refused_before_anything_is_written() {
    let large = |name: &str, widgets: usize| {
        let note = |n| json!({"name": format!("n{n}"), "type": "set-variables", "properties": {"variables": []}});
        let mut flow = flow_of(name, &(0..widgets - 1).map(note).collect::<Vec<_>>(), &json!([]));
        flow["spec"]["publish"] = json!(true);
        flow
    };
    let resources = [
        running("tick", &["tock"]),
        running("tock", &["tick"]),
        running("top", &["middle"]),
        running("middle", &["bottom"]),
        leaf("bottom"),
        running("huge", &["part-1", "part-2"]),
        large("part-1", 999),
        large("part-2", 999),
        running("waiting", &["missing"]),
    ];
    let world = World::with(&resources).await;
    for name in ["tick", "tock"] {
        let message = world.reason("sf", name, "ResolvedRefs", "SubflowCycle").await;
        assert!(message.contains("`tick`") && message.contains("→"), "{message}");
    }
    let message = world.reason("sf", "top", "ResolvedRefs", "SubflowNested").await;
    assert!(message.contains("run `bottom` from here") && message.contains("81024"), "{message}");
    let message = world.reason("sf", "huge", "ResolvedRefs", "TooManyWidgets").await;
    assert!(message.contains("2001 widgets") && message.contains("81026"), "{message}");
    for name in ["middle", "bottom", "part-1", "part-2"] {
        world.reason("sf", name, "Ready", "Ready").await;
    }
    let message = world.reason("sf", "waiting", "ResolvedRefs", "FlowNotFound").await;
    assert!(message.contains("`missing`"), "{message}");
    world.reason("sf", "waiting", "Reconciling", "FlowNotFound").await;
    let written: Vec<_> = world.sim.state().flows.iter().map(|it| it.revisions[0].friendly_name.clone()).collect();
    assert_eq!(written.len(), 4, "{written:?}");
    // Its subflow comes, with a create that takes a while, and it follows at once.
    world.sim.set_faults(vec![FaultRule::on("flows.create", FaultKind::Latency { ms: 1_500 }).times(1)]);
    world.apply(&leaf("missing"));
    world.reason("sf", "waiting", "Ready", "Ready").await;
    let creates = world.sim.requests_of("flows.create");
    let [.., inner, outer] = creates.as_slice() else { panic!("{creates:?}") };
    // Sooner than what may come is looked for by itself.
    assert!(outer.time_ms - inner.time_ms < 10_000, "{creates:?}");
    assert!(live(&world, "waiting").is_some());
}
