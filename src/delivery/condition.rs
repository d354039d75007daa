//! `when`: the CEL expression that decides which events count. Which traits it reads is known before any event comes, and
//! its work is bounded.

use std::collections::BTreeSet;

use kube::core::cel::cel::{
    Context, Program,
    common::ast::{Expr, IdedExpr, operators},
};
use serde_json::{Map, Value};

/// Comprehensions (`all`, `exists`, `map`, `filter`) inside each other; more would let one event cost seconds.
const MAX_NESTED_COMPREHENSIONS: usize = 2;

/// A parsed `when`.
pub struct When {
    program: Program,
    /// Traits that it reads, by name.
    traits: BTreeSet<String>,
    /// Traits that it asks for with `has()`; these are left out where a profile lacks them, all others are null.
    tested: BTreeSet<String>,
}

impl std::fmt::Debug for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("When").field("traits", &self.traits).finish_non_exhaustive()
    }
}

/// Why an expression cannot be used.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum WhenError {
    #[error("not a CEL expression: {0}")]
    Syntax(String),
    #[error("unknown variable `{0}`; there are `event` and `traits`")]
    UnknownVariable(String),
    #[error(
        "traits are read by name, `traits.plan` or `traits[\"plan\"]`: which ones must be known before an event comes"
    )]
    DynamicTraits,
    #[error("comprehensions are nested deeper than {MAX_NESTED_COMPREHENSIONS}")]
    TooDeep,
}

/// What an expression said of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
    /// It could not be evaluated, which counts as no; the text says why.
    NotEvaluable(String),
}

impl When {
    pub fn parse(source: &str) -> Result<Self, WhenError> {
        let program = Program::compile(source).map_err(|error| WhenError::Syntax(error.to_string()))?;
        let mut reading = Reading::default();
        reading.walk(program.expression(), &mut Vec::new(), 0)?;
        let Reading { traits, tested } = reading;
        Ok(Self { program, traits, tested })
    }

    /// Traits that must be known to evaluate it. None: it can be decided from the event alone.
    pub const fn traits(&self) -> &BTreeSet<String> {
        &self.traits
    }

    /// Evaluates it over the event and the traits that are known.
    pub fn evaluate(&self, event: &Value, traits: &Map<String, Value>) -> Answer {
        let mut bound = Map::new();
        for name in &self.traits {
            match traits.get(name) {
                Some(value) => bound.insert(name.clone(), value.clone()),
                None if self.tested.contains(name) => None,
                None => bound.insert(name.clone(), Value::Null),
            };
        }
        let mut context = Context::default();
        let bind = context.add_variable("event", event).and_then(|()| context.add_variable("traits", &bound));
        if let Err(error) = bind {
            return Answer::NotEvaluable(error.to_string());
        }
        match self.program.execute(&context) {
            Ok(kube::core::cel::cel::Value::Bool(true)) => Answer::Yes,
            Ok(kube::core::cel::cel::Value::Bool(false)) => Answer::No,
            Ok(_) => Answer::NotEvaluable("the expression gives neither true nor false".into()),
            Err(error) => Answer::NotEvaluable(error.to_string()),
        }
    }
}

/// Collects what an expression reads.
#[derive(Default)]
struct Reading {
    traits: BTreeSet<String>,
    tested: BTreeSet<String>,
}

impl Reading {
    /// `locals` are the variables of the comprehensions around `node`, `depth` is their number.
    fn walk(&mut self, node: &IdedExpr, locals: &mut Vec<String>, depth: usize) -> Result<(), WhenError> {
        let is_traits = |node: &IdedExpr| matches!(&node.expr, Expr::Ident(name) if name == "traits");
        match &node.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) if name == "traits" => return Err(WhenError::DynamicTraits),
            Expr::Ident(name) => {
                if name != "event" && !name.starts_with('@') && !locals.contains(name) {
                    return Err(WhenError::UnknownVariable(name.clone()));
                }
            }
            Expr::Select(select) => {
                if is_traits(&select.operand) {
                    self.traits.insert(select.field.clone());
                    if select.test {
                        self.tested.insert(select.field.clone());
                    }
                } else {
                    self.walk(&select.operand, locals, depth)?;
                }
            }
            Expr::Call(call) => {
                if call.func_name == operators::INDEX
                    && let [operand, index] = call.args.as_slice()
                    && is_traits(operand)
                {
                    let Expr::Literal(literal) = &index.expr else { return Err(WhenError::DynamicTraits) };
                    let name = match literal {
                        kube::core::cel::cel::common::ast::LiteralValue::String(name) => name.inner().to_owned(),
                        _ => return Err(WhenError::DynamicTraits),
                    };
                    self.traits.insert(name);
                    return Ok(());
                }
                if let Some(target) = &call.target {
                    self.walk(target, locals, depth)?;
                }
                for argument in &call.args {
                    self.walk(argument, locals, depth)?;
                }
            }
            Expr::Comprehension(comprehension) => {
                if depth == MAX_NESTED_COMPREHENSIONS {
                    return Err(WhenError::TooDeep);
                }
                self.walk(&comprehension.iter_range, locals, depth)?;
                let outer = locals.len();
                locals.push(comprehension.iter_var.clone());
                locals.extend(comprehension.iter_var2.clone());
                locals.push(comprehension.accu_var.clone());
                for part in [
                    &comprehension.accu_init,
                    &comprehension.loop_cond,
                    &comprehension.loop_step,
                    &comprehension.result,
                ] {
                    self.walk(part, locals, depth + 1)?;
                }
                locals.truncate(outer);
            }
            Expr::List(list) => {
                for element in &list.elements {
                    self.walk(element, locals, depth)?;
                }
            }
            Expr::Map(map) => self.walk_entries(&map.entries, locals, depth)?,
            Expr::Struct(structure) => self.walk_entries(&structure.entries, locals, depth)?,
        }
        Ok(())
    }

    fn walk_entries(
        &mut self,
        entries: &[kube::core::cel::cel::common::ast::IdedEntryExpr],
        locals: &mut Vec<String>,
        depth: usize,
    ) -> Result<(), WhenError> {
        use kube::core::cel::cel::common::ast::EntryExpr;
        for entry in entries {
            match &entry.expr {
                EntryExpr::StructField(field) => self.walk(&field.value, locals, depth)?,
                EntryExpr::MapEntry(entry) => {
                    self.walk(&entry.key, locals, depth)?;
                    self.walk(&entry.value, locals, depth)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn traits(json: &Value) -> Map<String, Value> {
        json.as_object().cloned().unwrap()
    }

    fn names(when: &When) -> Vec<&str> {
        when.traits().iter().map(String::as_str).collect()
    }

    #[test]
    fn the_traits_of_an_expression_are_known_before_any_event() {
        let when = When::parse(
            r#"event.event == "Lead" && (traits.plan != "free" || traits["score"] > 3) && has(traits.vip)
               && event.properties.items.exists(i, i.sku == traits.sku)"#,
        )
        .unwrap();
        assert_eq!(names(&when), ["plan", "score", "sku", "vip"]);
        assert!(When::parse(r#"event.type == "track""#).unwrap().traits().is_empty());
    }

    #[test]
    fn what_cannot_be_known_or_bounded_is_refused() {
        assert_eq!(When::parse("traits[event.name] == 1").unwrap_err(), WhenError::DynamicTraits);
        assert_eq!(When::parse("size(traits) > 1").unwrap_err(), WhenError::DynamicTraits);
        assert_eq!(When::parse("user.plan == 1").unwrap_err(), WhenError::UnknownVariable("user".into()));
        assert!(matches!(When::parse("event.").unwrap_err(), WhenError::Syntax(_)));
        let nested = "event.a.all(x, event.a.all(y, event.a.all(z, true)))";
        assert_eq!(When::parse(nested).unwrap_err(), WhenError::TooDeep);
    }

    #[test]
    fn a_missing_trait_is_null_and_has_sees_it_missing() {
        let when = When::parse(r#"traits.plan != "free""#).unwrap();
        assert_eq!(when.evaluate(&json!({}), &traits(&json!({}))), Answer::Yes);
        assert_eq!(when.evaluate(&json!({}), &traits(&json!({"plan": "free"}))), Answer::No);
        let when = When::parse("has(traits.vip) && traits.vip").unwrap();
        assert_eq!(when.evaluate(&json!({}), &traits(&json!({}))), Answer::No);
        assert_eq!(when.evaluate(&json!({}), &traits(&json!({"vip": true}))), Answer::Yes);
    }

    #[test]
    fn what_cannot_be_evaluated_counts_as_no_and_says_why() {
        let when = When::parse("event.properties.plan == \"pro\"").unwrap();
        assert!(matches!(when.evaluate(&json!({}), &Map::new()), Answer::NotEvaluable(_)));
        let when = When::parse("event.count").unwrap();
        assert!(matches!(when.evaluate(&json!({"count": 3}), &Map::new()), Answer::NotEvaluable(_)));
    }

    #[test]
    fn numbers_compare_as_a_person_expects() {
        let when = When::parse("traits.score > 3").unwrap();
        assert_eq!(when.evaluate(&json!({}), &traits(&json!({"score": 4}))), Answer::Yes);
        assert_eq!(when.evaluate(&json!({}), &traits(&json!({"score": 4.5}))), Answer::Yes);
        assert_eq!(when.evaluate(&json!({}), &traits(&json!({"score": 2}))), Answer::No);
    }
}
