//! Differences within values, told by JSON pointer, down to the smallest part that differs.

use serde::Serialize;
use serde_json::{Map, Value};

use super::renames::Renames;
use crate::studio::place::escaped;

/// A value that is not what it was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PropertyChange {
    /// Within the widget or the flow: `/properties/body`. An item of a list has its place in the new list, or in the old one
    /// where it is gone from the new one.
    pub pointer: String,
    /// `None` when it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// `None` when it is no longer there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

pub(super) struct Comparison<'a> {
    renames: &'a Renames,
    pub(super) changes: Vec<PropertyChange>,
}

impl<'a> Comparison<'a> {
    pub(super) const fn new(renames: &'a Renames) -> Self {
        Self { renames, changes: Vec::new() }
    }

    pub(super) fn values(&mut self, pointer: &str, old: &Value, new: &Value) {
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => self.objects(pointer, old, new),
            (Value::Array(old), Value::Array(new)) => self.lists(pointer, old, new),
            _ if self.renames.same(pointer, old, new) => {}
            _ => self.changed(pointer.to_owned(), Some(old), Some(new)),
        }
    }

    pub(super) fn objects(&mut self, pointer: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
        let added = new.keys().filter(|key| !old.contains_key(*key));
        for key in old.keys().chain(added) {
            let pointer = format!("{pointer}/{}", escaped(key));
            match (old.get(key), new.get(key)) {
                (Some(old), Some(new)) => self.values(&pointer, old, new),
                (old, new) => self.changed(pointer, old, new),
            }
        }
    }

    /// What is the same at the beginning and at the end stays out of it, so that an item put in between is one change.
    fn lists(&mut self, pointer: &str, old: &[Value], new: &[Value]) {
        let same = |(old, new): &(&Value, &Value)| self.renames.same(pointer, old, new);
        let before = old.iter().zip(new).take_while(same).count();
        let (old_rest, new_rest) = (&old[before..], &new[before..]);
        let after = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(same).count();
        let (old_rest, new_rest) = (&old_rest[..old_rest.len() - after], &new_rest[..new_rest.len() - after]);
        for index in 0..old_rest.len().max(new_rest.len()) {
            let pointer = format!("{pointer}/{}", before + index);
            match (old_rest.get(index), new_rest.get(index)) {
                (Some(old), Some(new)) => self.values(&pointer, old, new),
                (old, new) => self.changed(pointer, old, new),
            }
        }
    }

    fn changed(&mut self, pointer: String, old: Option<&Value>, new: Option<&Value>) {
        self.changes.push(PropertyChange { pointer, old: old.cloned(), new: new.cloned() });
    }
}
