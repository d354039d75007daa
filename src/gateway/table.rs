//! The routing table: every destination made ready to serve. It is never changed, only replaced, and only what changed is
//! compiled anew.

use std::{
    collections::HashMap,
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
        gate::{Gate, gate},
        reasons::condition as reason,
    },
    delivery::{
        destination::{Action, Destination, FlowSource},
        engine::Route,
    },
    twilio::sid::FlowSid,
};

/// One destination in the table.
#[derive(Debug)]
pub struct Served {
    /// Absent when the spec makes no sense; the gate then says why.
    pub route: Option<Arc<Route>>,
    pub gate: Gate,
    pub generation: Option<i64>,
    /// `metadata.uid`.
    pub uid: String,
}

/// All destinations at one moment.
#[derive(Debug, Default)]
pub struct RouteTable {
    by_key: HashMap<ObjectKey, Arc<Served>>,
    by_uid: HashMap<String, Arc<Route>>,
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

    pub fn get(&self, key: &ObjectKey) -> Option<&Arc<Served>> {
        self.by_key.get(key)
    }

    /// The destination of that `metadata.uid`.
    pub fn by_uid(&self, uid: &str) -> Option<&Arc<Route>> {
        self.by_uid.get(uid)
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
    let known = before.filter(|before| before.generation == generation).and_then(|before| before.route.as_ref());
    let compiled = match known.filter(|route| route.uid == uid) {
        Some(route) => Ok(Arc::clone(&route.destination)),
        None => Destination::compile(&destination.spec).map(Arc::new),
    };
    let compiled = match compiled {
        Ok(compiled) => compiled,
        Err(rejections) => {
            let message = rejections.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            let gate = Gate::Refuse { reason: reason::INVALID_SPEC.into(), message };
            return Served { route: None, gate, generation, uid };
        }
    };
    let flow = flow_of(&compiled, destination);
    let route = match known.filter(|route| route.uid == uid && route.flow == flow) {
        Some(route) => Arc::clone(route),
        None => Arc::new(Route { key: key.clone(), uid: uid.clone(), destination: compiled, flow }),
    };
    Served { route: Some(route), gate: gate(destination), generation, uid }
}

/// The flow of a conversation: named in the spec, or found by the controller.
fn flow_of(compiled: &Destination, destination: &EngageDestination) -> Option<FlowSid> {
    match &compiled.action {
        Action::Whatsapp(_) => None,
        Action::Conversation(action) => match &action.flow {
            FlowSource::Sid(sid) => Some(sid.clone()),
            FlowSource::StudioFlow(_) => destination.status.as_ref()?.flow.as_ref()?.sid.parse().ok(),
        },
    }
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

    /// Replaces the table by that of these destinations.
    pub fn replace<'a>(&self, destinations: impl IntoIterator<Item = &'a EngageDestination>) {
        let table = RouteTable::build(&self.table.load(), destinations);
        self.table.store(Arc::new(table));
    }
}
