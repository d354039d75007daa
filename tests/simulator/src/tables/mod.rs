//! The parameter tables: which operations exist, what each accepts and what it answers. The rows are data
//! (`tables/*.json`), each citing the reference it was read from; this module loads them, finds the row of a request
//! and checks the parameters. What is not in a table is an error: that is what makes the simulator strict.

mod check;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// A simulated API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Product {
    /// The 2010 API: Messages.
    Api,
    /// Conversations.
    Conversations,
    /// Studio.
    Studio,
    /// Content templates and approvals.
    Content,
    /// Messaging services and senders.
    Messaging,
    /// Flex configuration and interactions.
    FlexApi,
    /// Workspaces, workflows, queues, task channels.
    Taskrouter,
    /// Functions.
    Serverless,
    /// Segment's Profile API.
    Profiles,
    /// Segment's Tracking API.
    Tracking,
}

impl Product {
    /// Every product.
    pub const ALL: [Self; 10] = [
        Self::Api,
        Self::Conversations,
        Self::Studio,
        Self::Content,
        Self::Messaging,
        Self::FlexApi,
        Self::Taskrouter,
        Self::Serverless,
        Self::Profiles,
        Self::Tracking,
    ];

    /// The name in host names, paths, tables and faults.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Conversations => "conversations",
            Self::Studio => "studio",
            Self::Content => "content",
            Self::Messaging => "messaging",
            Self::FlexApi => "flex-api",
            Self::Taskrouter => "taskrouter",
            Self::Serverless => "serverless",
            Self::Profiles => "profiles",
            Self::Tracking => "tracking",
        }
    }

    /// Whether it is Twilio's (the others are Segment's).
    pub const fn is_twilio(self) -> bool {
        !matches!(self, Self::Profiles | Self::Tracking)
    }

    /// Splits a request path into product and the path below it.
    pub fn of_path(path: &str) -> Option<(Self, &str)> {
        Self::ALL.into_iter().find_map(|product| {
            let family = if product.is_twilio() { "/twilio/" } else { "/segment/" };
            let rest = path.strip_prefix(family)?.strip_prefix(product.name())?;
            rest.starts_with('/').then_some((product, rest))
        })
    }
}

/// How the body of an operation is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BodyKind {
    /// No body is read.
    None,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `application/json`.
    Json,
}

/// One row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Unique name, e.g. `messages.create`; faults match on it.
    pub name: String,
    /// HTTP method.
    pub method: String,
    /// Path below the product, with `{Name}` for a parameter.
    pub path: String,
    /// How the body is written.
    #[serde(default = "no_body")]
    pub body: BodyKind,
    /// Where in the reference the row was read.
    pub source: String,
    /// Status of success.
    #[serde(default = "ok")]
    pub success: u16,
    /// Body parameters.
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
    /// Query parameters, paging aside.
    #[serde(default)]
    pub query: BTreeMap<String, Parameter>,
    /// At least one of these must be present.
    #[serde(default)]
    pub one_of: Vec<OneOf>,
    /// Set when the operation is a paged list.
    #[serde(default)]
    pub page: Option<Page>,
    /// The product of the file the row stands in.
    #[serde(skip, default = "any_product")]
    pub product: Product,
    #[serde(skip)]
    segments: Vec<Segment>,
}

/// "Plus one of": Twilio's conditional parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneOf {
    /// The alternatives.
    pub names: Vec<String>,
    /// The code when none is there.
    #[serde(default = "missing_code")]
    pub code: u32,
}

/// How a list is paged (twilio.md 1.5).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Name of the list in the answer.
    pub key: String,
    /// Largest page.
    pub max: usize,
    /// Page size when none is asked for.
    #[serde(default = "default_page")]
    pub default: usize,
}

/// What one parameter may be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// It must be there.
    #[serde(default)]
    pub required: bool,
    /// It may be repeated up to this often; 1 when absent.
    pub repeat: Option<usize>,
    /// `sid:MG`, `integer`, `number`, `boolean`, `json`, `json-object`, `url`, `instant`.
    pub format: Option<String>,
    /// Longest value in characters.
    pub max_length: Option<usize>,
    /// The allowed values.
    #[serde(default)]
    pub values: Vec<String>,
    /// Smallest integer.
    pub min: Option<i64>,
    /// Largest integer.
    pub max: Option<i64>,
    /// The error code for a value that is not allowed; 20001 when absent.
    pub code: Option<u32>,
    /// The error code when a required one is missing; 20001 when absent.
    pub missing_code: Option<u32>,
    /// The error code for a value that is too long; `code` when absent.
    pub length_code: Option<u32>,
    /// Where the row's source does not say it.
    #[serde(default)]
    pub source: Option<String>,
}

const fn no_body() -> BodyKind {
    BodyKind::None
}
const fn ok() -> u16 {
    200
}
const fn any_product() -> Product {
    Product::Api
}
const fn missing_code() -> u32 {
    20001
}
const fn default_page() -> usize {
    50
}

#[derive(Debug)]
enum Segment {
    Literal(String),
    Parameter(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFile {
    product: Product,
    operations: Vec<Operation>,
}

/// All rows.
#[derive(Debug)]
pub struct Tables {
    by_product: BTreeMap<Product, Vec<Operation>>,
}

/// What a request path led to.
#[derive(Debug)]
pub enum Match {
    /// A row, and the decoded path parameters.
    Found(&'static Operation, Vec<(&'static str, String)>),
    /// The path exists with other methods.
    WrongMethod,
    /// No such path.
    NoSuchPath,
}

const FILES: [&str; 10] = [
    include_str!("../../tables/api.json"),
    include_str!("../../tables/conversations.json"),
    include_str!("../../tables/studio.json"),
    include_str!("../../tables/content.json"),
    include_str!("../../tables/messaging.json"),
    include_str!("../../tables/flex-api.json"),
    include_str!("../../tables/taskrouter.json"),
    include_str!("../../tables/serverless.json"),
    include_str!("../../tables/profiles.json"),
    include_str!("../../tables/tracking.json"),
];

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let mut by_product: BTreeMap<Product, Vec<Operation>> = BTreeMap::new();
    for text in FILES {
        // The files are compiled in and a test loads each; a broken one cannot reach a release.
        #[expect(clippy::expect_used, reason = "checked by `every_table_loads`")]
        let file: TableFile = serde_json::from_str(text).expect("a table is well formed");
        let rows = by_product.entry(file.product).or_default();
        for mut operation in file.operations {
            operation.product = file.product;
            operation.segments = segments(&operation.path);
            rows.push(operation);
        }
        rows.sort_by_key(|row| row.segments.iter().filter(|s| matches!(s, Segment::Parameter(_))).count());
    }
    Tables { by_product }
});

/// The compiled-in tables.
pub fn tables() -> &'static Tables {
    &TABLES
}

fn segments(path: &str) -> Vec<Segment> {
    path.trim_start_matches('/')
        .split('/')
        .map(|piece| match piece.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => Segment::Parameter(name.to_owned()),
            None => Segment::Literal(piece.to_owned()),
        })
        .collect()
}

impl Tables {
    /// Every row.
    #[cfg(test)]
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.by_product.values().flatten()
    }

    /// The row for a request; `path` is below the product, its segments still percent-encoded.
    pub fn find(&'static self, product: Product, method: &str, path: &str) -> Match {
        let mut path_exists = false;
        for row in self.by_product.get(&product).into_iter().flatten() {
            let Some(parameters) = row.capture(path) else { continue };
            if row.method == method {
                return Match::Found(row, parameters);
            }
            path_exists = true;
        }
        if path_exists { Match::WrongMethod } else { Match::NoSuchPath }
    }
}

impl Operation {
    fn capture(&'static self, path: &str) -> Option<Vec<(&'static str, String)>> {
        let mut parameters = Vec::new();
        let mut pieces = path.strip_prefix('/')?.split('/');
        for segment in &self.segments {
            let piece = pieces.next()?;
            match segment {
                Segment::Literal(text) if text == piece => {}
                Segment::Parameter(name) if !piece.is_empty() => {
                    parameters.push((name.as_str(), crate::form::decode_segment(piece).ok()?));
                }
                _ => return None,
            }
        }
        pieces.next().is_none().then_some(parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMATS: [&str; 7] = ["integer", "number", "boolean", "json", "json-object", "url", "instant"];

    #[test]
    fn every_table_loads_and_cites_its_source() {
        let mut names = std::collections::HashSet::new();
        for operation in tables().operations() {
            assert!(names.insert(operation.name.clone()), "{} twice", operation.name);
            let sources = ["twilio.md ", "twilio_", "segment.md "];
            let cited = sources.iter().any(|source| operation.source.starts_with(source));
            assert!(cited, "{}: source {}", operation.name, operation.source);
            for (name, rule) in operation.parameters.iter().chain(&operation.query) {
                let format = rule.format.as_deref().unwrap_or("json");
                assert!(format.starts_with("sid:") || FORMATS.contains(&format), "{}.{name}: {format}", operation.name);
            }
        }
        assert!(names.len() > 40, "{}", names.len());
    }

    #[test]
    fn a_literal_segment_wins_over_a_parameter() {
        let Match::Found(row, _) = tables().find(Product::Studio, "POST", "/v2/Flows/Validate") else {
            panic!("no row");
        };
        assert_eq!(row.name, "flows.validate");
    }

    #[test]
    fn other_methods_and_other_paths_are_told_apart() {
        assert!(matches!(tables().find(Product::Studio, "PUT", "/v2/Flows"), Match::WrongMethod));
        assert!(matches!(tables().find(Product::Studio, "GET", "/v2/Nothing"), Match::NoSuchPath));
    }
}
