//! The routing table: every destination made ready to serve. It is never changed, only replaced, and only what changed is
//! compiled anew.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwap;
use kube::ResourceExt;

use crate::{
    api::{
        EngageDestination, ObjectKey,
        engage_destination::InteractionStatus,
        gate::{Gate, gate},
        reasons::condition as reason,
    },
    delivery::{
        destination::{Action, Destination, FlowSource},
        engine::Route,
    },
    twilio::{E164, interactions::TaskPlace, sid::FlowSid},
};

/// One destination in the table.
#[derive(Debug)]
pub struct Served {
    /// `metadata.uid`.
    pub uid: String,
    /// Absent when the spec makes no sense; the gate then says why.
    pub route: Option<Arc<Route>>,
    pub gate: Gate,
    pub generation: Option<i64>,
}

/// All destinations at one moment.
#[derive(Debug, Default)]
pub struct RouteTable {
    by_key: HashMap<ObjectKey, Arc<Served>>,
    by_uid: HashMap<String, Arc<Route>>,
    unreadable: BTreeSet<ObjectKey>,
}

impl RouteTable {
    /// The table of these destinations; what `before` has of them and has not changed is taken over.
    pub fn build<'a>(before: &Self, destinations: impl IntoIterator<Item = &'a EngageDestination>) -> Self {
        let mut table = Self::default();
        for destination in destinations {
            let key = ObjectKey::of(destination);
            let served = Arc::new(serve(before.by_key.get(&key).map(AsRef::as_ref), &key, destination));
            if let Some(route) = &served.route {
                table.by_uid.insert(route.uid.clone(), Arc::clone(route));
            }
            table.by_key.insert(key, served);
        }
        table
    }

    /// Whether there is such a destination, and all that is known of it is its name.
    pub fn is_unreadable(&self, key: &ObjectKey) -> bool {
        self.unreadable.contains(key)
    }

    pub fn get(&self, key: &ObjectKey) -> Option<&Arc<Served>> {
        self.by_key.get(key)
    }

    /// The destination of that `metadata.uid`.
    pub fn by_uid(&self, uid: &str) -> Option<&Arc<Route>> {
        self.by_uid.get(uid)
    }

    /// The uid and key of each destination.
    pub fn names(&self) -> impl Iterator<Item = (String, ObjectKey)> {
        self.by_key.iter().map(|(key, served)| (served.uid.clone(), key.clone()))
    }

    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

fn serve(before: Option<&Served>, key: &ObjectKey, destination: &EngageDestination) -> Served {
    let generation = destination.metadata.generation;
    let uid = destination.uid().unwrap_or_else(|| key.to_string());
    let known = before.filter(|before| before.generation == generation && before.uid == uid);
    let compiled = match known {
        Some(Served { route: Some(route), .. }) => Ok(Arc::clone(&route.destination)),
        Some(Served { route: None, gate, .. }) => Err(gate.clone()),
        None => Destination::compile(&destination.spec).map(Arc::new).map_err(|rejections| {
            let message = rejections.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            Gate::Refuse { reason: reason::INVALID_SPEC.into(), message }
        }),
    };
    let compiled = match compiled {
        Ok(compiled) => compiled,
        Err(gate) => return Served { uid, route: None, gate, generation },
    };
    let flow = flow_of(&compiled, destination);
    let content = compiled.action.content().and_then(|content| content.sid(destination.status.as_ref()));
    let sender = sender_of(&compiled, destination);
    let task_place = task_place_of(&compiled, destination);
    let same = |route: &&Arc<Route>| {
        let Route { key: _, uid: _, destination: _, flow: before, content: text, sender: from, task_place: place } =
            &***route;
        (before, text, from, place) == (&flow, &content, &sender, &task_place)
    };
    let unchanged = known.and_then(|known| known.route.as_ref()).filter(same).cloned();
    let route = unchanged.unwrap_or_else(|| {
        let (key, uid) = (key.clone(), uid.clone());
        Arc::new(Route { key, uid, destination: compiled, flow, content, sender, task_place })
    });
    Served { uid, route: Some(route), gate: gate(destination), generation }
}

/// The flow of a conversation: named in the spec, or found by the controller.
fn flow_of(compiled: &Destination, destination: &EngageDestination) -> Option<FlowSid> {
    match &compiled.action {
        Action::Whatsapp(_) | Action::Interaction(_) => None,
        Action::Conversation(action) => match &action.flow {
            FlowSource::Sid(sid) => Some(sid.clone()),
            FlowSource::StudioFlow(_) => destination.status.as_ref()?.flow.as_ref()?.sid.parse().ok(),
        },
    }
}

/// The one WhatsApp sender of a Messaging Service, as the controller has found it.
fn sender_of(compiled: &Destination, destination: &EngageDestination) -> Option<E164> {
    match (&compiled.action, destination.status.as_ref()?.senders.as_slice()) {
        (Action::Whatsapp(_), [sender]) => sender.parse().ok(),
        (Action::Whatsapp(_) | Action::Conversation(_) | Action::Interaction(_), _) => None,
    }
}

/// Where the tasks of an interaction go: found by the controller.
fn task_place_of(compiled: &Destination, destination: &EngageDestination) -> Option<TaskPlace> {
    let Action::Interaction(_) = &compiled.action else { return None };
    let InteractionStatus { workspace_sid, workflow_sid, task_channel_sid } =
        destination.status.as_ref()?.interaction.as_ref()?;
    Some(TaskPlace {
        workspace: workspace_sid.parse().ok()?,
        workflow: workflow_sid.parse().ok()?,
        task_channel: task_channel_sid.parse().ok()?,
    })
}

/// The table in use, shared by everything that reads it.
#[derive(Debug)]
pub struct Routes {
    table: ArcSwap<RouteTable>,
    /// Whether its source tells of every change. While it does not, a destination may exist that is not in the table.
    complete: AtomicBool,
}

impl Default for Routes {
    fn default() -> Self {
        Self { table: ArcSwap::default(), complete: AtomicBool::new(true) }
    }
}

impl Routes {
    pub fn current(&self) -> Arc<RouteTable> {
        self.table.load_full()
    }

    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    pub fn set_complete(&self, complete: bool) {
        self.complete.store(complete, Ordering::Release);
    }

    /// Replaces the table by that of these destinations, and of those that cannot be read.
    pub fn replace<'a>(
        &self,
        destinations: impl IntoIterator<Item = &'a EngageDestination>,
        unreadable: BTreeSet<ObjectKey>,
    ) {
        let table = RouteTable { unreadable, ..RouteTable::build(&self.table.load(), destinations) };
        self.table.store(Arc::new(table));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::engage_destination::{ContentStatus, EngageDestinationStatus, FlowStatus};

    fn destination(name: &str, uid: &str, generation: i64, action: &Value) -> EngageDestination {
        let mut spec = json!({
            "twilio": {"credentialsRef": {"name": "twilio"}}, "segment": {"credentialsRef": {"name": "segment"}},
        });
        spec.as_object_mut().unwrap().extend(action.as_object().unwrap().clone());
        let mut destination = EngageDestination::new(name, serde_json::from_value(spec).unwrap());
        destination.metadata.namespace = Some("marketing".into());
        destination.metadata.uid = Some(uid.into());
        destination.metadata.generation = Some(generation);
        destination
    }

    fn whatsapp(name: &str, uid: &str, generation: i64) -> EngageDestination {
        let (service, template) = (format!("MG{:032}", 1), format!("HX{:032}", 1));
        let action = json!({"whatsapp": {"messagingServiceSid": service, "contentSid": template}});
        destination(name, uid, generation, &action)
    }

    fn conversation(name: &str, flow: Option<&str>) -> EngageDestination {
        let action = json!({"conversation": {"flowRef": {"name": "agent"}, "twilioNumber": ["+5511900000001"]}});
        let mut destination = destination(name, name, 1, &action);
        let flow = flow.map(|sid| FlowStatus { sid: sid.into(), revision: None });
        destination.status = Some(EngageDestinationStatus { flow, ..Default::default() });
        destination
    }

    fn route<'a>(table: &'a RouteTable, name: &str) -> &'a Arc<Route> {
        table.get(&ObjectKey::new("marketing", name)).unwrap().route.as_ref().unwrap()
    }

    fn is_same(before: &RouteTable, after: &RouteTable, name: &str) -> bool {
        Arc::ptr_eq(&route(before, name).destination, &route(after, name).destination)
    }

    #[test]
    fn only_a_destination_whose_spec_has_changed_is_compiled_anew() {
        let before = [whatsapp("same", "a", 1), whatsapp("changed", "b", 1), whatsapp("made-anew", "c", 1)];
        let before = RouteTable::build(&RouteTable::default(), &before);
        let mut same = whatsapp("same", "a", 1);
        same.status = Some(EngageDestinationStatus::default());
        let after = [same, whatsapp("changed", "b", 2), whatsapp("made-anew", "d", 1), whatsapp("new", "e", 1)];
        let after = RouteTable::build(&before, &after);
        assert_eq!(after.len(), 4);
        assert!(is_same(&before, &after, "same") && Arc::ptr_eq(route(&before, "same"), route(&after, "same")));
        assert!(!is_same(&before, &after, "changed"));
        assert!(!is_same(&before, &after, "made-anew"));
        assert!(before.by_uid("c").is_some() && after.by_uid("c").is_none());
    }

    #[test]
    fn a_flow_that_is_found_makes_another_route_of_the_same_compiled_spec() {
        let before = RouteTable::build(&RouteTable::default(), &[conversation("agent", None)]);
        assert_eq!(route(&before, "agent").flow, None);
        let flow = format!("FW{:032}", 1);
        let after = RouteTable::build(&before, &[conversation("agent", Some(&flow))]);
        assert_eq!(route(&after, "agent").flow, Some(flow.parse().unwrap()));
        assert!(is_same(&before, &after, "agent"));
    }

    #[test]
    fn a_template_that_was_made_anew_changes_the_route_that_sends_it_and_no_other() {
        let by_name = |name: &str, template: Option<u32>| {
            let service = format!("MG{:032}", 1);
            let content = json!({"friendlyName": "lead_welcome", "language": "en"});
            let action = json!({"whatsapp": {"messagingServiceSid": service, "content": content}});
            let mut destination = destination(name, name, 1, &action);
            let content = template.map(|n| ContentStatus { sid: format!("HX{n:032}"), ..Default::default() });
            destination.status = Some(EngageDestinationStatus { content, ..Default::default() });
            destination
        };
        let unresolved = RouteTable::build(&RouteTable::default(), &[by_name("a", None), by_name("b", Some(1))]);
        assert_eq!(route(&unresolved, "a").content, None);
        let before = RouteTable::build(&unresolved, &[by_name("a", Some(1)), by_name("b", Some(1))]);
        assert_eq!(route(&before, "a").content, Some(format!("HX{:032}", 1).parse().unwrap()));
        let after = RouteTable::build(&before, &[by_name("a", Some(2)), by_name("b", Some(1))]);
        assert_eq!(route(&after, "a").content, Some(format!("HX{:032}", 2).parse().unwrap()));
        assert!(is_same(&before, &after, "a"));
        assert!(Arc::ptr_eq(route(&unresolved, "b"), route(&after, "b")));
    }

    #[test]
    fn a_service_goes_by_its_one_sender_once_that_is_known() {
        let with = |senders: &[&str]| {
            let mut destination = whatsapp("lead", "a", 1);
            let senders = senders.iter().map(ToString::to_string).collect();
            destination.status = Some(EngageDestinationStatus { senders, ..Default::default() });
            destination
        };
        let unknown = RouteTable::build(&RouteTable::default(), &[with(&[])]);
        assert_eq!(route(&unknown, "lead").sender, None);
        let known = RouteTable::build(&unknown, &[with(&["+5511900000001"])]);
        assert_eq!(route(&known, "lead").sender, "+5511900000001".parse().ok());
        assert!(is_same(&unknown, &known, "lead"));
        let several = RouteTable::build(&known, &[with(&["+5511900000001", "+5511900000002"])]);
        assert_eq!(route(&several, "lead").sender, None);
    }

    #[test]
    fn a_spec_that_makes_no_sense_is_refused_until_it_changes() {
        let refusal = |table: &RouteTable| {
            let served = table.get(&ObjectKey::new("marketing", "lead")).unwrap();
            served.route.is_none().then(|| served.gate.clone())
        };
        let mut wrong = whatsapp("lead", "a", 1);
        wrong.spec.when = Some("traits[".into());
        let before = RouteTable::build(&RouteTable::default(), &[wrong]);
        assert!(matches!(refusal(&before), Some(Gate::Refuse { reason, .. }) if reason == "InvalidSpec"));
        // Of the same generation the spec is the same; whether it is looked at shows by giving another here.
        let again = RouteTable::build(&before, &[whatsapp("lead", "a", 1)]);
        assert_eq!(refusal(&again), refusal(&before));
        let mended = RouteTable::build(&again, &[whatsapp("lead", "a", 2)]);
        assert_eq!(refusal(&mended), None);
    }
}
