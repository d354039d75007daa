//! Studio flows, <https://www.twilio.com/docs/studio/rest-api/v2/flow>. Every save makes a revision and replaces the whole
//! definition; there is no precondition and no lookup by name.

use serde::Deserialize;
use serde_json::Value;

use super::conversations::found;
use crate::twilio::{Product, TwilioClient, TwilioError, sid::FlowSid};

/// Error code of a definition that Studio refuses.
pub const DEFINITION_INVALID: i64 = 81_022;

/// A flow, or one revision of it. In lists `definition` and `commit_message` are null.
#[derive(Debug, Clone, Deserialize)]
pub struct Flow {
    pub sid: FlowSid,
    #[serde(default)]
    pub friendly_name: Option<String>,
    #[serde(default)]
    pub definition: Option<Value>,
    /// `draft` or `published`.
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub revision: Option<i64>,
    #[serde(default)]
    pub commit_message: Option<String>,
    /// `US…` of whoever wrote this revision, where the account tells.
    #[serde(default)]
    pub author_sid: Option<String>,
    #[serde(default)]
    pub valid: Option<bool>,
    #[serde(default)]
    pub date_created: Option<String>,
    #[serde(default)]
    pub date_updated: Option<String>,
    #[serde(default)]
    pub webhook_url: Option<String>,
}

impl Flow {
    pub fn is_published(&self) -> bool {
        self.status.as_deref() == Some("published")
    }
}

/// Which revision of a flow is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revision {
    Number(i64),
    LatestPublished,
}

/// What a save sends.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowWrite {
    pub friendly_name: String,
    pub publish: bool,
    /// JSON as text.
    pub definition: String,
    pub commit_message: String,
}

impl FlowWrite {
    fn form(&self) -> [(&'static str, &str); 4] {
        [
            ("FriendlyName", &self.friendly_name),
            ("Status", if self.publish { "published" } else { "draft" }),
            ("Definition", &self.definition),
            ("CommitMessage", &self.commit_message),
        ]
    }
}

#[derive(Debug, Deserialize)]
struct Validity {
    #[serde(default)]
    valid: bool,
}

/// Most executions that are counted.
pub const MAX_EXECUTIONS: usize = 50;

#[derive(Debug, Deserialize)]
struct Executions {
    executions: Vec<Execution>,
}

#[derive(Debug, Deserialize)]
struct Execution {
    #[serde(default)]
    status: Option<String>,
}

#[derive(Debug, Deserialize)]
struct TestUsers {
    #[serde(default)]
    test_users: Vec<String>,
}

impl TwilioClient {
    pub async fn flows(&self) -> Result<Vec<Flow>, TwilioError> {
        self.list(Product::Studio, "/v2/Flows", &[("PageSize", "1000")]).await
    }

    /// The flow at its latest revision, draft or published.
    pub async fn flow(&self, sid: &FlowSid) -> Result<Option<Flow>, TwilioError> {
        found(self.get(Product::Studio, &format!("/v2/Flows/{sid}")).await)
    }

    /// One revision; `None` when it does not exist (`LatestPublished` of a flow that never was).
    pub async fn flow_revision(&self, sid: &FlowSid, revision: Revision) -> Result<Option<Flow>, TwilioError> {
        let revision = match revision {
            Revision::Number(number) => number.to_string(),
            Revision::LatestPublished => "LatestPublished".to_owned(),
        };
        found(self.get(Product::Studio, &format!("/v2/Flows/{sid}/Revisions/{revision}")).await)
    }

    /// Asks Studio whether it would take this; what it would not is error [`DEFINITION_INVALID`].
    pub async fn validate_flow(&self, write: &FlowWrite) -> Result<(), TwilioError> {
        let answer: Validity = self.post(Product::Studio, "/v2/Flows/Validate", &write.form()).await?;
        if answer.valid {
            Ok(())
        } else {
            Err(TwilioError::NotUnderstood { status: 200, problem: "neither valid nor an error".into() })
        }
    }

    pub async fn create_flow(&self, write: &FlowWrite) -> Result<Flow, TwilioError> {
        self.post(Product::Studio, "/v2/Flows", &write.form()).await
    }

    pub async fn update_flow(&self, sid: &FlowSid, write: &FlowWrite) -> Result<Flow, TwilioError> {
        self.post(Product::Studio, &format!("/v2/Flows/{sid}"), &write.form()).await
    }

    /// How many executions of the flow go on, counted up to [`MAX_EXECUTIONS`].
    pub async fn active_executions(&self, sid: &FlowSid) -> Result<usize, TwilioError> {
        let path = format!("/v2/Flows/{sid}/Executions");
        let size = MAX_EXECUTIONS.to_string();
        let query = [("status", "active"), ("PageSize", size.as_str())];
        let page: Option<Executions> = found(self.get_with(Product::Studio, &path, &query).await)?;
        let executions = page.map(|page| page.executions).unwrap_or_default();
        Ok(executions.iter().filter(|execution| execution.status.as_deref() == Some("active")).count())
    }

    /// The addresses that meet the newest draft of the flow.
    pub async fn flow_test_users(&self, sid: &FlowSid) -> Result<Vec<String>, TwilioError> {
        let users: TestUsers = self.get(Product::Studio, &format!("/v2/Flows/{sid}/TestUsers")).await?;
        Ok(users.test_users)
    }

    /// Replaces all of them.
    pub async fn set_flow_test_users(&self, sid: &FlowSid, users: &[&str]) -> Result<(), TwilioError> {
        // Without a value the parameter would be missing, which is no empty list.
        let form: Vec<(&str, &str)> = if users.is_empty() {
            vec![("TestUsers", "")]
        } else {
            users.iter().map(|user| ("TestUsers", *user)).collect()
        };
        let _: TestUsers = self.post(Product::Studio, &format!("/v2/Flows/{sid}/TestUsers"), &form).await?;
        Ok(())
    }

    /// Deletes the flow with all its revisions; `false` when there is none of that SID.
    pub async fn delete_flow(&self, sid: &FlowSid) -> Result<bool, TwilioError> {
        Ok(found(self.delete(Product::Studio, &format!("/v2/Flows/{sid}")).await)?.is_some())
    }
}
