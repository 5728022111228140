//! Who asks, by what and from where: what the audit says of an access. It opens nothing.

use serde::{Deserialize, Serialize};

/// Who asked, by what, from where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The account's id; `None`: nobody that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The account's name at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// `Practitioner/x` or `Patient/x`: to whom the account is linked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The program that acted for the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Why an admin broke the glass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Where an access comes from: who asks, and the request by its id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    pub agent: Agent,
    /// Leads to the log's lines and to the answer's `X-Request-Id`.
    pub request: String,
}
