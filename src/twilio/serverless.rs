//! Functions as they are deployed, <https://www.twilio.com/docs/serverless/api>: a service has environments, an environment has
//! one build, and a build has the functions under their paths.

use serde::Deserialize;

use super::conversations::found;
use crate::twilio::{Product, TwilioClient, TwilioError};

/// An environment of a Functions service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Environment {
    /// `ZE…`
    pub sid: String,
    #[serde(default)]
    pub unique_name: Option<String>,
    /// Host under which its functions are reached, for example `engage-1234-stage.twil.io`.
    #[serde(default)]
    pub domain_name: Option<String>,
    /// `ZB…` of what is deployed in it; `None` when nothing is.
    #[serde(default)]
    pub build_sid: Option<String>,
}

/// A function of a build.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DeployedFunction {
    /// `ZH…`
    pub function_sid: String,
    /// Path below the environment's host, with or without its slash.
    #[serde(default)]
    pub path: Option<String>,
    /// `public`, `protected` or `private`; some answers have it in capitals.
    #[serde(default)]
    pub visibility: Option<String>,
}

impl DeployedFunction {
    /// Whether only other Functions can call it.
    pub fn is_private(&self) -> bool {
        self.visibility.as_deref().is_some_and(|visibility| visibility.eq_ignore_ascii_case("private"))
    }
}

#[derive(Debug, Deserialize)]
struct Build {
    #[serde(default)]
    function_versions: Option<Vec<DeployedFunction>>,
}

#[derive(Debug, Deserialize)]
struct Service {
    sid: String,
    #[serde(default)]
    unique_name: Option<String>,
}

impl TwilioClient {
    /// The Functions services of the account: unique name and `ZS…` SID.
    pub async fn function_services(&self) -> Result<Vec<(Option<String>, String)>, TwilioError> {
        let rows: Vec<Service> = self.list(Product::Serverless, "/v1/Services", &[("PageSize", "100")]).await?;
        Ok(rows.into_iter().map(|Service { sid, unique_name }| (unique_name, sid)).collect())
    }

    pub async fn environments(&self, service: &str) -> Result<Vec<Environment>, TwilioError> {
        let path = format!("/v1/Services/{service}/Environments");
        self.list(Product::Serverless, &path, &[("PageSize", "100")]).await
    }

    /// The functions of a build; none when it is gone.
    pub async fn functions_of_build(&self, service: &str, build: &str) -> Result<Vec<DeployedFunction>, TwilioError> {
        let path = format!("/v1/Services/{service}/Builds/{build}");
        let build: Option<Build> = found(self.get(Product::Serverless, &path).await)?;
        Ok(build.and_then(|build| build.function_versions).unwrap_or_default())
    }
}
