//! The account as it is now: the seed, indexed for look-ups, with what the control API may change (tokens, template
//! approvals). A change makes a new value, so a request works on one consistent account from start to end.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::call::Failure;
use crate::seed::{Approval, KeyKind, MessagingService, Seed, Template, Workspace};
use crate::tables::{Operation, Product};

/// The account.
#[derive(Debug, Clone)]
pub struct Account {
    /// The facts.
    pub seed: Seed,
    services: HashMap<String, usize>,
    content: HashMap<String, usize>,
    workspaces: HashMap<String, usize>,
}

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// User name: account SID or API key SID.
    pub user: String,
    password: String,
}

impl Credential {
    /// Reads an `Authorization: Basic` header.
    pub fn from_header(value: &str) -> Option<Self> {
        let (scheme, encoded) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(Self { user: user.to_owned(), password: password.to_owned() })
    }

    /// Whether this is exactly this user and password.
    pub fn is(&self, user: &str, password: &str) -> bool {
        self.user == user && self.password == password
    }
}

impl Account {
    /// Indexes a seed.
    pub fn new(seed: Seed) -> Self {
        let services = index(&seed.messaging_services, |service| &service.sid);
        let content = index(&seed.content, |template| &template.sid);
        let workspaces = index(&seed.workspaces, |workspace| &workspace.sid);
        Self { seed, services, content, workspaces }
    }

    /// The account SID.
    pub fn sid(&self) -> &str {
        &self.seed.account_sid
    }

    /// A messaging service.
    pub fn service(&self, sid: &str) -> Option<&MessagingService> {
        self.services.get(sid).and_then(|index| self.seed.messaging_services.get(*index))
    }

    /// A content template.
    pub fn template(&self, sid: &str) -> Option<&Template> {
        self.content.get(sid).and_then(|index| self.seed.content.get(*index))
    }

    /// A workspace.
    pub fn workspace(&self, sid: &str) -> Option<&Workspace> {
        self.workspaces.get(sid).and_then(|index| self.seed.workspaces.get(*index))
    }

    /// Whether this `whatsapp:+…` address is a sender of the account that can send now.
    pub fn is_whatsapp_sender(&self, address: &str) -> bool {
        address.strip_prefix("whatsapp:").is_some_and(|number| {
            let mut senders = self.seed.whatsapp_senders.iter();
            senders.any(|sender| sender.number == number && sender.status.starts_with("ONLINE"))
        })
    }

    /// The `XE…` SID of a WhatsApp sender.
    pub fn sender_sid(&self, address: &str) -> Option<&str> {
        let number = address.strip_prefix("whatsapp:")?;
        self.seed.whatsapp_senders.iter().find(|sender| sender.number == number).map(|sender| sender.sid.as_str())
    }

    /// Adds a template, or replaces the one of its SID.
    pub fn put_template(&mut self, template: Template) {
        self.seed.content.retain(|known| known.sid != template.sid);
        self.seed.content.push(template);
        self.content = index(&self.seed.content, |template| &template.sid);
    }

    /// Deletes a template; false when there is no such template.
    pub fn remove_template(&mut self, sid: &str) -> bool {
        let before = self.seed.content.len();
        self.seed.content.retain(|known| known.sid != sid);
        self.content = index(&self.seed.content, |template| &template.sid);
        self.seed.content.len() < before
    }

    /// Replaces a template's approval; false when there is no such template.
    pub fn set_approval(&mut self, sid: &str, approval: Option<Approval>) -> bool {
        let found = self.content.get(sid).and_then(|index| self.seed.content.get_mut(*index));
        found.map(|template| template.approval = approval).is_some()
    }

    /// Checks a Twilio credential for an operation (twilio.md 1.2): 401/20003, or 403/20403 for a restricted key.
    pub fn authorize(
        &self,
        credential: Option<&Credential>,
        operation: &Operation,
        path: &str,
        path_account: &str,
    ) -> Result<(), Failure> {
        let denied = || Failure::new(401, 20003, "Authenticate");
        let credential = credential.ok_or_else(denied)?;
        if credential.user == self.seed.account_sid {
            if !self.seed.auth_tokens.contains(&credential.password) {
                return Err(denied());
            }
        } else {
            let mut keys = self.seed.api_keys.iter();
            let key = keys.find(|key| credential.is(&key.sid, &key.secret)).ok_or_else(denied)?;
            let needs_main = operation.product == Product::Api && operation.name.starts_with("accounts.");
            if key.kind == KeyKind::Standard && needs_main {
                return Err(denied());
            }
            let product = format!("{}:", operation.product.name());
            let is_denied = |part: &String| path.contains(part.as_str()) || *part == product;
            if key.kind == KeyKind::Restricted && key.denied.iter().any(is_denied) {
                return Err(Failure::new(403, 20403, "Forbidden: the API key lacks the permission for this resource"));
            }
        }
        if !path_account.is_empty() && path_account != self.seed.account_sid {
            return Err(denied());
        }
        Ok(())
    }
}

fn index<T>(items: &[T], sid: impl Fn(&T) -> &String) -> HashMap<String, usize> {
    items.iter().enumerate().map(|(position, item)| (sid(item).clone(), position)).collect()
}
