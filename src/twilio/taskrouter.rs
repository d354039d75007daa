//! TaskRouter, <https://www.twilio.com/docs/taskrouter/api>: the names that workspaces, workflows and task channels are looked up by,
//! and the tasks that carry a mark of ours.

use serde::Deserialize;

use serde_json::Value;

use super::conversations::found;
use crate::twilio::{Product, TwilioClient, TwilioError, sid::WorkspaceSid};

/// A workspace.
#[derive(Debug, Clone, Deserialize)]
pub struct Workspace {
    pub sid: String,
    #[serde(default)]
    pub friendly_name: Option<String>,
}

/// A workflow of a workspace.
#[derive(Debug, Clone, Deserialize)]
pub struct Workflow {
    pub sid: String,
    #[serde(default)]
    pub friendly_name: Option<String>,
}

/// A task queue of a workspace.
#[derive(Debug, Clone, Deserialize)]
pub struct TaskQueue {
    pub sid: String,
    #[serde(default)]
    pub friendly_name: Option<String>,
}

/// A task channel of a workspace.
#[derive(Debug, Clone, Deserialize)]
pub struct TaskChannel {
    pub sid: String,
    #[serde(default)]
    pub unique_name: Option<String>,
}

/// A task.
#[derive(Debug, Clone, Deserialize)]
pub struct Task {
    pub sid: String,
    /// JSON as text. A list may leave it out.
    #[serde(default)]
    pub attributes: Option<String>,
}

impl Task {
    /// One of the attributes that are texts.
    pub fn attribute(&self, name: &str) -> Option<String> {
        let attributes: Value = serde_json::from_str(self.attributes.as_deref()?).ok()?;
        attributes.get(name)?.as_str().map(str::to_owned)
    }
}

impl TwilioClient {
    /// The tasks whose attribute `name` is `value`, with their attributes. Neither may hold quotes. A task that is over is listed
    /// for a while.
    pub async fn tasks_with(
        &self,
        workspace: &WorkspaceSid,
        name: &str,
        value: &str,
    ) -> Result<Vec<Task>, TwilioError> {
        let path = format!("/v1/Workspaces/{workspace}/Tasks");
        let expression = format!("{name} == \"{value}\"");
        let query = [("EvaluateTaskAttributes", expression.as_str()), ("PageSize", "50")];
        let mut tasks = Vec::new();
        for listed in self.list::<Task>(Product::TaskRouter, &path, &query).await? {
            if listed.attributes.is_some() {
                tasks.push(listed);
            } else {
                tasks.extend(found(self.get(Product::TaskRouter, &format!("{path}/{}", listed.sid)).await)?);
            }
        }
        Ok(tasks)
    }

    pub async fn workspaces(&self) -> Result<Vec<Workspace>, TwilioError> {
        self.list(Product::TaskRouter, "/v1/Workspaces", &[("PageSize", "1000")]).await
    }

    pub async fn workflows(&self, workspace: &str) -> Result<Vec<Workflow>, TwilioError> {
        let path = format!("/v1/Workspaces/{workspace}/Workflows");
        self.list(Product::TaskRouter, &path, &[("PageSize", "1000")]).await
    }

    pub async fn task_queues(&self, workspace: &str) -> Result<Vec<TaskQueue>, TwilioError> {
        let path = format!("/v1/Workspaces/{workspace}/TaskQueues");
        self.list(Product::TaskRouter, &path, &[("PageSize", "1000")]).await
    }

    pub async fn task_channels(&self, workspace: &str) -> Result<Vec<TaskChannel>, TwilioError> {
        let path = format!("/v1/Workspaces/{workspace}/TaskChannels");
        self.list(Product::TaskRouter, &path, &[("PageSize", "1000")]).await
    }
}
