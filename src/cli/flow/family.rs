//! Flows that are looked at together: which of them runs which. A flow is known by the StudioFlow it is in, or by its SID where its
//! export or manifest has that.

use super::source::Given;
use crate::{
    api::{
        ObjectKey, StudioFlow,
        references::{FlowReference, Referenced},
    },
    studio::{
        FlowDefinition,
        subflow::{Ran, Subflows, circle},
    },
};

/// Flows, in the order in which they were given.
#[derive(Debug)]
pub struct Family(Vec<Option<Member>>);

#[derive(Debug)]
struct Member {
    /// How a person knows it.
    name: String,
    object: Option<ObjectKey>,
    sid: Option<String>,
    widgets: usize,
    runs: Vec<Runs>,
}

/// A widget that runs a flow.
#[derive(Debug)]
struct Runs {
    widget: String,
    object: Option<ObjectKey>,
    sid: String,
}

impl Family {
    pub fn of<'a>(given: impl Iterator<Item = &'a Given>) -> Self {
        Self(given.map(Member::of).collect())
    }

    /// What is known of the flows that the one of that index runs, by widget.
    pub fn subflows(&self, index: usize) -> Subflows {
        let runs = self.runs(index);
        let known = runs.iter().filter_map(|runs| {
            let at = self.find(runs)?;
            let ran = self.0[at].as_ref()?;
            let name = |member: &usize| self.0[*member].as_ref().map(|member| member.name.clone()).unwrap_or_default();
            let way = circle(&index, &at, |member| self.runs(*member).iter().filter_map(|it| self.find(it)).collect());
            let ran = Ran {
                name: ran.name.clone(),
                widgets: ran.widgets,
                runs_subflows: !ran.runs.is_empty(),
                circle: way.map(|way| way.iter().map(name).collect()),
            };
            Some((runs.widget.clone(), ran))
        });
        known.collect()
    }

    fn runs(&self, index: usize) -> &[Runs] {
        self.0.get(index).and_then(Option::as_ref).map(|member| member.runs.as_slice()).unwrap_or_default()
    }

    fn find(&self, runs: &Runs) -> Option<usize> {
        self.0.iter().position(|member| {
            member.as_ref().is_some_and(|member| match &runs.object {
                Some(object) => member.object.as_ref() == Some(object),
                None => !runs.sid.is_empty() && member.sid.as_deref() == Some(runs.sid.as_str()),
            })
        })
    }
}

impl Member {
    /// `None` when it is no flow.
    fn of(given: &Given) -> Option<Self> {
        let definition = FlowDefinition::parse(given.document.clone()).ok()?;
        let object = given.place.object.clone();
        let resource = given.resource.as_deref();
        let sid = match resource {
            Some(resource) => {
                let recorded = resource.status.as_ref().and_then(|status| status.sid.clone());
                recorded.or_else(|| resource.spec.adopt.as_ref()?.sid.clone())
            }
            None => given.document.get("sid").and_then(serde_json::Value::as_str).map(str::to_owned),
        };
        let running = definition.states().filter(|state| state.kind() == Some("run-subflow"));
        let runs = running.map(|state| {
            let widget = state.name().unwrap_or_default();
            let sid = state.properties().and_then(|properties| properties.get("flow_sid")?.as_str());
            let named = resource.and_then(|resource| named(resource, widget));
            let object = object.as_ref().zip(named).map(|(object, name)| object.sibling(name));
            Runs { widget: widget.to_owned(), object, sid: sid.unwrap_or_default().to_owned() }
        });
        Some(Self {
            name: object.as_ref().map_or_else(|| given.place.to_string(), |object| object.name.clone()),
            runs: runs.collect(),
            widgets: definition.widgets(),
            object,
            sid,
        })
    }
}

/// The StudioFlow by which the widget's subflow is filled in.
fn named<'a>(resource: &'a StudioFlow, widget: &str) -> Option<&'a str> {
    let fills =
        |reference: &&FlowReference| reference.widget == widget && reference.property.as_deref() == Some("flow_sid");
    resource.spec.references.iter().filter(fills).find_map(|reference| match reference.names()? {
        Referenced::Subflow(flow) => Some(flow.name.as_str()),
        _ => None,
    })
}
