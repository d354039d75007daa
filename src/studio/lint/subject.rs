//! A definition as the rules look at it: its widgets with what is known of their types, where each leads, and every text
//! with its place. Made once for all rules. Widgets of one name are all led to by it, so nothing hangs on their order.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use serde_json::{Map, Value};

use crate::studio::{
    content::ContentTemplate,
    definition::{FlowDefinition, State, Transition},
    lint::known::Known,
    liquid::{Mistake, Path, Tag, is_liquid, tags},
    place::escaped,
    widget::{self, Widget},
};

/// A definition, and what the rules ask of it.
pub(super) struct Subject<'a> {
    pub definition: &'a FlowDefinition,
    pub known: &'a Known<'a>,
    pub nodes: Vec<Node<'a>>,
    pub texts: Vec<Written<'a>>,
    /// The pointers of all texts, one after the other: there are thousands.
    pointers: String,
    by_name: HashMap<&'a str, Vec<usize>>,
    filled: HashSet<String>,
}

/// One widget.
pub(super) struct Node<'a> {
    pub state: State<'a>,
    /// What is known of its type, if that is.
    pub widget: Option<&'static Widget>,
    pub transitions: Vec<Transition<'a>>,
    /// The nodes that its transitions lead to.
    pub next: Vec<usize>,
}

/// One text of the definition.
pub(super) struct Written<'a> {
    /// The node that it is in.
    pub node: Option<usize>,
    /// Where its pointer is among all of them.
    at: Range<usize>,
    /// The key that it stands under, of a list that of the list.
    pub key: &'a str,
    pub text: &'a str,
    /// What Liquid is in it.
    pub template: Option<Template<'a>>,
}

/// A text with Liquid in it.
pub(super) struct Template<'a> {
    /// Its tags, or why it cannot be rendered.
    pub tags: Result<Vec<Tag<'a>>, Mistake>,
    /// All paths that it reads.
    pub paths: Vec<Path<'a>>,
}

impl<'a> Template<'a> {
    fn read(text: &'a str) -> Option<Self> {
        if !is_liquid(text) {
            return None;
        }
        let tags = tags(text);
        let paths = tags.iter().flatten().flat_map(|tag| tag.paths()).collect();
        Some(Self { tags, paths })
    }
}

impl<'a> Subject<'a> {
    pub fn new(definition: &'a FlowDefinition, known: &'a Known<'a>) -> Self {
        let mut nodes: Vec<Node<'a>> = definition.states().map(Node::new).collect();
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            by_name.entry(node.state.name().unwrap_or_default()).or_default().push(index);
        }
        for node in &mut nodes {
            let names = node.transitions.iter().filter_map(Transition::next);
            node.next = names.flat_map(|name| by_name.get(name).into_iter().flatten().copied()).collect();
        }
        let mut subject = Self {
            definition,
            known,
            nodes,
            texts: Vec::new(),
            pointers: String::new(),
            by_name,
            filled: HashSet::new(),
        };
        subject.collect_texts();
        for (widget, property) in known.references.unwrap_or_default() {
            let path = property.split('.').map(escaped).collect::<Vec<_>>().join("/");
            let filled: Vec<String> =
                subject.named(widget).iter().map(|node| subject.nodes[*node].property(&path)).collect();
            subject.filled.extend(filled);
        }
        subject
    }

    fn collect_texts(&mut self) {
        let mut found = Collected::default();
        for (key, value) in self.definition.fields() {
            if key != "states" {
                found.collect(value, None, key, &mut format!("/{}", escaped(key)));
            }
        }
        for (index, node) in self.nodes.iter().enumerate() {
            for (key, value) in node.state.fields() {
                found.collect(value, Some(index), key, &mut node.at(&escaped(key)));
            }
        }
        self.texts = found.texts;
        self.pointers = found.pointers;
    }

    /// The JSON pointer of a text.
    pub fn pointer(&self, text: &Written<'_>) -> &str {
        &self.pointers[text.at.clone()]
    }

    /// The nodes of that name.
    pub fn named(&self, name: &str) -> &[usize] {
        self.by_name.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether what is at this place is replaced before the flow is written.
    pub fn is_filled(&self, pointer: &str) -> bool {
        self.filled.contains(pointer)
    }

    /// The node in which every execution begins.
    pub fn trigger(&self) -> Option<usize> {
        let initial = self.definition.fields().get("initial_state")?.as_str()?;
        self.named(initial).iter().copied().find(|node| self.nodes[*node].is("trigger"))
    }

    /// For each node whether it can be reached from `starts`, which are reached themselves.
    pub fn reachable(&self, starts: impl IntoIterator<Item = usize>) -> Vec<bool> {
        let mut reached = vec![false; self.nodes.len()];
        let mut open: Vec<usize> = starts.into_iter().collect();
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut reached[node], true) {
                open.extend(&self.nodes[node].next);
            }
        }
        reached
    }

    /// For each node whether an execution that begins with one of these events can come to it.
    pub fn reachable_by(&self, events: &[&str]) -> Vec<bool> {
        let of_event = |transition: &&Transition<'_>| transition.event().is_some_and(|event| events.contains(&event));
        let trigger = self.trigger().map(|node| &self.nodes[node]);
        let connected = trigger.into_iter().flat_map(|node| node.transitions.iter().filter(of_event));
        self.reachable(connected.filter_map(Transition::next).flat_map(|name| self.named(name).iter().copied()))
    }

    /// Whether an execution can begin with this event and come to a widget.
    pub fn connects(&self, event: &str) -> bool {
        self.reachable_by(&[event]).contains(&true)
    }

    /// What is known of the content template that a node sends: its SID and, if the account has it, the template.
    pub fn template(&self, node: &Node<'_>) -> Option<(&'a str, Option<&'a ContentTemplate>)> {
        let (sid, template) = self.known.templates?.get_key_value(node.template_sid())?;
        Some((sid.as_str(), template.as_ref()))
    }

    /// The nodes of a type.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Node<'a>> {
        self.nodes.iter().filter(move |node| node.is(kind))
    }
}

impl<'a> Node<'a> {
    fn new(state: State<'a>) -> Self {
        let widget = state.kind().and_then(widget::widget);
        Self { state, widget, transitions: state.transitions().collect(), next: Vec::new() }
    }

    pub fn name(&self) -> Option<&'a str> {
        self.state.name()
    }

    pub fn is(&self, kind: &str) -> bool {
        self.state.kind() == Some(kind)
    }

    /// The JSON pointer of a field.
    pub fn at(&self, field: &str) -> String {
        format!("/states/{}/{field}", self.state.index)
    }

    /// The JSON pointer of a property.
    pub fn property(&self, path: &str) -> String {
        format!("/states/{}/properties/{path}", self.state.index)
    }

    pub fn properties(&self) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        self.state.properties().into_iter().flat_map(Map::iter)
    }

    /// A property; null is none.
    pub fn get(&self, property: &str) -> Option<&'a Value> {
        self.state.properties()?.get(property).filter(|value| !value.is_null())
    }

    /// The text of a property; empty when it has none.
    pub fn text(&self, property: &str) -> &'a str {
        self.get(property).and_then(Value::as_str).unwrap_or_default()
    }

    /// What is written for the content template that it sends; empty when it sends none.
    pub fn template_sid(&self) -> &'a str {
        self.state.content_template().unwrap_or_default()
    }

    /// The transitions of an event.
    pub fn on(&self, event: &str) -> impl Iterator<Item = &Transition<'a>> {
        self.transitions.iter().filter(move |transition| transition.event() == Some(event))
    }

    /// Whether the event leads to another widget.
    pub fn goes_on(&self, event: &str) -> bool {
        self.on(event).any(|transition| transition.next().is_some())
    }
}

/// The texts that were found so far.
#[derive(Default)]
struct Collected<'a> {
    texts: Vec<Written<'a>>,
    pointers: String,
}

impl<'a> Collected<'a> {
    fn collect(&mut self, value: &'a Value, node: Option<usize>, key: &'a str, pointer: &mut String) {
        let length = pointer.len();
        match value {
            Value::String(text) => {
                let start = self.pointers.len();
                self.pointers.push_str(pointer);
                let at = start..self.pointers.len();
                self.texts.push(Written { node, at, key, text, template: Template::read(text) });
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    pointer.push('/');
                    pointer.push_str(&index.to_string());
                    self.collect(item, node, key, pointer);
                    pointer.truncate(length);
                }
            }
            Value::Object(fields) => {
                for (key, field) in fields {
                    // Where a widget lies on the canvas means nothing.
                    if key == "offset" && pointer.ends_with("/properties") && pointer.matches('/').count() == 3 {
                        continue;
                    }
                    pointer.push('/');
                    if key.contains(['~', '/']) {
                        pointer.push_str(&escaped(key));
                    } else {
                        pointer.push_str(key);
                    }
                    self.collect(field, node, key, pointer);
                    pointer.truncate(length);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
