//! Traits as Liquid sees them: whatever is missing is nil, at any depth, where Liquid itself would fail.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use liquid::{
    ObjectView, ValueView,
    model::{DisplayCow, KStringCow, ScalarCow, State, Value as LiquidValue},
};
use serde_json::{Map, Value};

/// The one root that templates read, `profile`.
#[derive(Debug)]
pub struct Globals(Lenient);

impl Globals {
    /// `profile.traits` with those of `traits` that are among `names`.
    pub fn new(traits: &Map<String, Value>, names: &BTreeSet<String>) -> Self {
        let traits = names.iter().filter_map(|name| Some((name.clone(), Lenient::from(traits.get(name)?)))).collect();
        let profile = Lenient::Object(BTreeMap::from([("traits".to_owned(), Lenient::Object(traits))]));
        Self(Lenient::Object(BTreeMap::from([("profile".to_owned(), profile)])))
    }
}

#[derive(Debug)]
enum Lenient {
    Nil,
    Object(BTreeMap<String, Lenient>),
    Other(LiquidValue),
}

static NIL: Lenient = Lenient::Nil;
static NIL_VALUE: LiquidValue = LiquidValue::Nil;

impl From<&Value> for Lenient {
    fn from(json: &Value) -> Self {
        match json {
            Value::Null => Self::Nil,
            Value::Object(fields) => {
                Self::Object(fields.iter().map(|(name, field)| (name.clone(), field.into())).collect())
            }
            // Liquid's numbers end at 64 bits with a sign; what is larger reads as it was written.
            Value::Number(number) => {
                Self::Other(liquid::model::to_value(number).unwrap_or_else(|_| LiquidValue::scalar(number.to_string())))
            }
            other => liquid::model::to_value(other).map_or(Self::Nil, Self::Other),
        }
    }
}

impl Lenient {
    /// The plain value behind what is not an object.
    fn plain(&self) -> &dyn ValueView {
        match self {
            Self::Other(value) => value,
            Self::Nil | Self::Object(_) => &NIL_VALUE,
        }
    }
}

impl ValueView for Lenient {
    fn as_debug(&self) -> &dyn fmt::Debug {
        self
    }

    fn render(&self) -> DisplayCow<'_> {
        self.plain().render()
    }

    fn source(&self) -> DisplayCow<'_> {
        self.plain().source()
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Object(_) => "object",
            Self::Nil | Self::Other(_) => self.plain().type_name(),
        }
    }

    fn query_state(&self, state: State) -> bool {
        match (self, state) {
            (Self::Object(_), State::Truthy) => true,
            (Self::Object(fields), State::DefaultValue | State::Empty | State::Blank) => fields.is_empty(),
            (Self::Nil | Self::Other(_), state) => self.plain().query_state(state),
        }
    }

    fn to_kstr(&self) -> KStringCow<'_> {
        self.plain().to_kstr()
    }

    fn to_value(&self) -> LiquidValue {
        match self {
            Self::Object(fields) => LiquidValue::Object(
                fields.iter().map(|(name, field)| (name.clone().into(), field.to_value())).collect(),
            ),
            Self::Nil | Self::Other(_) => self.plain().to_value(),
        }
    }

    fn as_scalar(&self) -> Option<ScalarCow<'_>> {
        self.plain().as_scalar()
    }

    fn as_array(&self) -> Option<&dyn liquid::model::ArrayView> {
        self.plain().as_array()
    }

    fn as_object(&self) -> Option<&dyn ObjectView> {
        match self {
            Self::Nil | Self::Object(_) => Some(self),
            Self::Other(_) => None,
        }
    }

    fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }
}

impl ObjectView for Lenient {
    fn as_value(&self) -> &dyn ValueView {
        self
    }

    fn size(&self) -> i64 {
        match self {
            Self::Object(fields) => i64::try_from(fields.len()).unwrap_or(i64::MAX),
            Self::Nil | Self::Other(_) => 0,
        }
    }

    fn keys<'k>(&'k self) -> Box<dyn Iterator<Item = KStringCow<'k>> + 'k> {
        Box::new(self.fields().map(|(name, _)| KStringCow::from_ref(name)))
    }

    fn values<'k>(&'k self) -> Box<dyn Iterator<Item = &'k dyn ValueView> + 'k> {
        Box::new(self.fields().map(|(_, field)| field as &dyn ValueView))
    }

    fn iter<'k>(&'k self) -> Box<dyn Iterator<Item = (KStringCow<'k>, &'k dyn ValueView)> + 'k> {
        Box::new(self.fields().map(|(name, field)| (KStringCow::from_ref(name), field as &dyn ValueView)))
    }

    fn contains_key(&self, _: &str) -> bool {
        true
    }

    fn get<'s>(&'s self, index: &str) -> Option<&'s dyn ValueView> {
        match self {
            Self::Object(fields) => Some(fields.get(index).unwrap_or(&NIL)),
            Self::Nil => Some(&NIL),
            Self::Other(_) => None,
        }
    }
}

impl Lenient {
    fn fields(&self) -> impl Iterator<Item = (&str, &Self)> {
        let fields = match self {
            Self::Object(fields) => Some(fields),
            Self::Nil | Self::Other(_) => None,
        };
        fields.into_iter().flatten().map(|(name, field)| (name.as_str(), field))
    }
}

/// The roots themselves are strict: what is not `profile` was refused when the template was parsed.
impl ValueView for Globals {
    fn as_debug(&self) -> &dyn fmt::Debug {
        self
    }

    fn render(&self) -> DisplayCow<'_> {
        self.0.render()
    }

    fn source(&self) -> DisplayCow<'_> {
        self.0.source()
    }

    fn type_name(&self) -> &'static str {
        self.0.type_name()
    }

    fn query_state(&self, state: State) -> bool {
        self.0.query_state(state)
    }

    fn to_kstr(&self) -> KStringCow<'_> {
        self.0.to_kstr()
    }

    fn to_value(&self) -> LiquidValue {
        self.0.to_value()
    }

    fn as_object(&self) -> Option<&dyn ObjectView> {
        Some(self)
    }
}

impl ObjectView for Globals {
    fn as_value(&self) -> &dyn ValueView {
        self
    }

    fn size(&self) -> i64 {
        self.0.size()
    }

    fn keys<'k>(&'k self) -> Box<dyn Iterator<Item = KStringCow<'k>> + 'k> {
        self.0.keys()
    }

    fn values<'k>(&'k self) -> Box<dyn Iterator<Item = &'k dyn ValueView> + 'k> {
        self.0.values()
    }

    fn iter<'k>(&'k self) -> Box<dyn Iterator<Item = (KStringCow<'k>, &'k dyn ValueView)> + 'k> {
        self.0.iter()
    }

    fn contains_key(&self, index: &str) -> bool {
        index == "profile"
    }

    fn get<'s>(&'s self, index: &str) -> Option<&'s dyn ValueView> {
        if index == "profile" { self.0.as_object()?.get(index) } else { None }
    }
}
