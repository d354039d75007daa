//! Twilio's identifiers: two letters for the kind of thing, then 32 hexadecimal digits.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that is not the SID it should be.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not {what}: it is {prefix} followed by 32 hexadecimal digits")]
pub struct SidError {
    text: String,
    what: &'static str,
    prefix: &'static str,
}

macro_rules! sids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal $what:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = SidError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let digits = text.strip_prefix($prefix);
                if digits.is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit())) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(SidError { text: text.chars().take(64).collect(), what: $what, prefix: $prefix })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

sids! {
    /// A Twilio account.
    AccountSid "AC" "an account SID";
    /// A Messaging Service.
    MessagingServiceSid "MG" "a Messaging Service SID";
    /// A content template.
    ContentSid "HX" "a content SID";
    /// A Studio flow.
    FlowSid "FW" "a Studio flow SID";
    /// A conversation.
    ConversationSid "CH" "a conversation SID";
    /// A message inside a conversation.
    ConversationMessageSid "IM" "the SID of a message in a conversation";
    /// A TaskRouter workspace.
    WorkspaceSid "WS" "a workspace SID";
    /// A TaskRouter workflow.
    WorkflowSid "WW" "a workflow SID";
    /// A TaskRouter task channel.
    TaskChannelSid "TC" "a task channel SID";
    /// A Flex interaction.
    InteractionSid "KD" "an interaction SID";
    /// The channel of a Flex interaction.
    InteractionChannelSid "UO" "an interaction channel SID";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_of_the_wrong_kind_says_what_it_should_be() {
        assert!(format!("FW{}", "0a".repeat(16)).parse::<FlowSid>().is_ok());
        let error = format!("FX{}", "0a".repeat(16)).parse::<FlowSid>().unwrap_err().to_string();
        assert!(error.contains("not a Studio flow SID: it is FW followed by 32"), "{error}");
        assert!("FW".parse::<FlowSid>().is_err());
        assert!(format!("FW{}", "é".repeat(16)).parse::<FlowSid>().is_err());
    }
}
