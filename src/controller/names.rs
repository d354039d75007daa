//! Names of things in an account that are looked up by it: a name is that of exactly one thing, and a SID that of one that is there.

/// Most names that a message lists.
const MAX_NAMES: usize = 10;

/// A name that leads to no single thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfound {
    /// There are several of that name.
    pub ambiguous: bool,
    pub message: String,
}

/// The id of the one row of that name. A row is its name and its id.
pub fn exactly_one<'a>(
    what: &str,
    name: &str,
    place: &str,
    rows: impl Iterator<Item = (Option<&'a str>, &'a str)> + Clone,
) -> Result<String, Unfound> {
    let ids: Vec<&str> = rows.clone().filter(|(row_name, _)| *row_name == Some(name)).map(|(_, id)| id).collect();
    match ids.as_slice() {
        [id] => Ok((*id).to_owned()),
        [] => {
            let names: Vec<&str> = rows.filter_map(|(row_name, _)| row_name).take(MAX_NAMES).collect();
            let known =
                if names.is_empty() { "there is none at all".into() } else { format!("there are {}", quoted(&names)) };
            Err(Unfound { ambiguous: false, message: format!("{place} has no {what} `{name}`; {known}") })
        }
        several => {
            let ids: Vec<&str> = several.iter().copied().take(MAX_NAMES).collect();
            let message = format!("{place} has several {what}s `{name}` ({}): rename all but one", ids.join(", "));
            Err(Unfound { ambiguous: true, message })
        }
    }
}

/// The row of that id.
pub fn by_id<'a>(
    what: &str,
    id: &str,
    place: &str,
    mut rows: impl Iterator<Item = (Option<&'a str>, &'a str)>,
) -> Result<String, Unfound> {
    if rows.any(|(_, row_id)| row_id == id) {
        return Ok(id.to_owned());
    }
    Err(Unfound { ambiguous: false, message: format!("{place} has no {what} {id}") })
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_exactly_one_thing() {
        let rows =
            [(Some("Assign to Anyone"), "WW1"), (Some("Support"), "WW2"), (Some("Support"), "WW3"), (None, "WW4")];
        let find = |name| exactly_one("workflow", name, "WS1", rows.into_iter());
        assert_eq!(find("Assign to Anyone").unwrap(), "WW1");
        let missing = find("Sales").unwrap_err();
        assert!(!missing.ambiguous);
        assert_eq!(missing.message, "WS1 has no workflow `Sales`; there are `Assign to Anyone`, `Support`, `Support`");
        let ambiguous = find("Support").unwrap_err();
        assert!(ambiguous.ambiguous);
        assert_eq!(ambiguous.message, "WS1 has several workflows `Support` (WW2, WW3): rename all but one");
    }

    #[test]
    fn an_id_is_that_of_something_that_is_there() {
        let find = |id| by_id("workflow", id, "WS1", [(Some("Support"), "WW2"), (None, "WW4")].into_iter());
        assert_eq!(find("WW4").unwrap(), "WW4");
        assert_eq!(find("WW9").unwrap_err().message, "WS1 has no workflow WW9");
    }
}
