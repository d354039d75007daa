//! TaskRouter's names, <https://www.twilio.com/docs/taskrouter/api>: what `references` of a StudioFlow are looked up in.

use serde::Deserialize;

use crate::twilio::{Product, TwilioClient, TwilioError};

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

/// A task channel of a workspace.
#[derive(Debug, Clone, Deserialize)]
pub struct TaskChannel {
    pub sid: String,
    #[serde(default)]
    pub unique_name: Option<String>,
}

impl TwilioClient {
    pub async fn workspaces(&self) -> Result<Vec<Workspace>, TwilioError> {
        self.list(Product::TaskRouter, "/v1/Workspaces", &[("PageSize", "1000")]).await
    }

    pub async fn workflows(&self, workspace: &str) -> Result<Vec<Workflow>, TwilioError> {
        let path = format!("/v1/Workspaces/{workspace}/Workflows");
        self.list(Product::TaskRouter, &path, &[("PageSize", "1000")]).await
    }

    pub async fn task_channels(&self, workspace: &str) -> Result<Vec<TaskChannel>, TwilioError> {
        let path = format!("/v1/Workspaces/{workspace}/TaskChannels");
        self.list(Product::TaskRouter, &path, &[("PageSize", "1000")]).await
    }
}
