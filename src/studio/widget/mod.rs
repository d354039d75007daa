//! What is known of each type of widget, in one [table]: what it is for, what it needs, how it is left. Studio gains types
//! and properties as it goes on, so what is not in the table is unknown, never wrong.

pub mod table;

pub use table::WIDGETS;

/// What a widget works with, for colours and for rules that concern calls or messages alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    FlowControl,
    Messaging,
    Voice,
    /// HTTP requests and Functions.
    Code,
    Flex,
    /// Of a type that is not in the table.
    Unknown,
}

/// A type of widget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Widget {
    /// As in `type`: `send-to-flex`.
    pub kind: &'static str,
    pub family: Family,
    /// Properties that it cannot be saved or cannot work without.
    pub required: &'static [&'static str],
    /// Properties that are known beside the required ones; empty when it is not known which there are.
    pub optional: &'static [&'static str],
    /// Properties whose JSON type Studio's validator is known to insist on, and those that hold SIDs.
    pub shapes: &'static [(&'static str, Shape)],
    /// The ways out of it; empty when it is not known which there are.
    pub events: &'static [Event],
    /// Whether an execution rests in it until somebody outside acts: the customer, an agent, a call, a subflow.
    pub waits: bool,
    /// Whether Twilio has switched it off.
    pub retired: bool,
}

/// One way out of a widget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    pub name: &'static str,
    pub meaning: Meaning,
}

/// What it means that a widget was left by an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    Ordinary,
    /// It could not do what it is for.
    Failure,
    /// Nobody did what it waited for.
    Timeout,
}

/// What stands in a property. Liquid stands in a text, so a text with Liquid passes for any of them but [`Shape::Sid`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text, also for what looks like a number or a flag: `"3600"`, `"true"`.
    Text,
    /// `true` or `false`.
    Flag,
    /// A SID with this prefix, written out: Studio refuses Liquid here.
    Sid(&'static str),
    /// A SID with this prefix, or Liquid that gives one.
    SidOrLiquid(&'static str),
}

/// The type of that name, if it is known.
pub fn widget(kind: &str) -> Option<&'static Widget> {
    WIDGETS.iter().find(|widget| widget.kind == kind)
}

/// The family of a type; [`Family::Unknown`] for one that is not known.
pub fn family(kind: &str) -> Family {
    widget(kind).map_or(Family::Unknown, |widget| widget.family)
}

/// What it means that a widget of this type was left by this event. Of an unknown type the name of the event tells.
pub fn meaning(kind: &str, event: &str) -> Meaning {
    let known = widget(kind).and_then(|widget| widget.event(event)).map(|event| event.meaning);
    known.unwrap_or_else(|| {
        let event = event.to_ascii_lowercase();
        if event.contains("timeout") {
            Meaning::Timeout
        } else if event.contains("fail") || event.contains("error") {
            Meaning::Failure
        } else {
            Meaning::Ordinary
        }
    })
}

impl Widget {
    /// The event of that name, if the type has it.
    pub fn event(&self, name: &str) -> Option<Event> {
        self.events.iter().find(|event| event.name == name).copied()
    }

    /// Whether the type is known to have this property.
    pub fn has(&self, property: &str) -> bool {
        property == "offset" || self.required.contains(&property) || self.optional.contains(&property)
    }

    /// The properties that it is known to have.
    pub fn properties(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().chain(self.optional).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_names_everything_once() {
        let kinds: BTreeSet<_> = WIDGETS.iter().map(|widget| widget.kind).collect();
        assert_eq!(kinds.len(), WIDGETS.len());
        for widget in WIDGETS {
            let properties: BTreeSet<_> = widget.properties().collect();
            assert_eq!(properties.len(), widget.properties().count(), "{}", widget.kind);
            let events: BTreeSet<_> = widget.events.iter().map(|event| event.name).collect();
            assert_eq!(events.len(), widget.events.len(), "{}", widget.kind);
            for (property, _) in widget.shapes {
                assert!(widget.has(property), "{}: {property}", widget.kind);
            }
        }
    }

    #[test]
    fn an_unknown_type_is_tolerated_and_its_failures_are_still_seen() {
        assert_eq!(widget("run-tomorrow"), None);
        assert_eq!(family("run-tomorrow"), Family::Unknown);
        assert_eq!(meaning("run-tomorrow", "callFailed"), Meaning::Failure);
        assert_eq!(meaning("run-tomorrow", "replyTimeout"), Meaning::Timeout);
        assert_eq!(meaning("run-tomorrow", "next"), Meaning::Ordinary);
        assert_eq!(meaning("split-based-on", "noMatch"), Meaning::Ordinary);
        assert_eq!(meaning("run-function", "fail"), Meaning::Failure);
    }
}
