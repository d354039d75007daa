//! Twilio's REST API: one client for authentication, encoding, paging and the class of each failure, and one file for
//! each product with the few calls that are needed.

pub mod address;
pub mod budget;
pub mod callback;
pub mod client;
pub mod content;
pub mod conversations;
pub mod credentials;
pub mod error;
pub mod flex;
pub mod interactions;
pub mod messages;
pub mod messaging;
pub mod request;
pub mod serverless;
pub mod sid;
pub mod signature;
pub mod studio;
pub mod taskrouter;

pub use address::E164;
pub use callback::{CallbackUrls, StatusCallback};
pub use client::{BaseUrls, Product, TwilioClient, TwilioClients};
pub use credentials::TwilioCredentials;
pub use error::{ApiError, TwilioError};
pub use request::Request;
