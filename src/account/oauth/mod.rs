//! What programs do with accounts by OAuth: they are registered, a person consents, and they get tokens.
//! <https://www.rfc-editor.org/rfc/rfc6749>

mod browser;
mod client;
mod consent;
mod grant;
mod inspect;
mod launch;

pub use browser::Browser;
pub use client::{Change, MadeClient, NewClient, ShownClient};
pub use consent::{Consent, Person, Record, Rejection, Request, Ticked};
pub use grant::Granted;
pub use inspect::Asker;
pub use launch::LAUNCH_SECONDS;

use crate::error::{Error, Kind};
use crate::fhir::id::Id;
use crate::store::AccountState;

pub type Result<T> = std::result::Result<T, Fault>;

/// Why a program gets nothing.
#[derive(Debug)]
pub enum Fault {
    /// For what is wrong OAuth has a word. <https://www.rfc-editor.org/rfc/rfc6749#section-5.2>
    Refused { code: &'static str, why: String },
    /// The server, or what it needs, failed.
    Failed(Error),
}

impl Fault {
    fn refused(code: &'static str, why: impl Into<String>) -> Fault {
        Fault::Refused { code, why: why.into() }
    }

    pub fn invalid_request(why: impl Into<String>) -> Fault {
        Fault::refused("invalid_request", why)
    }

    /// The same for every reason: whoever tries learns nothing.
    fn invalid_client() -> Fault {
        Fault::refused("invalid_client", "This client is not known, or did not show that it is this one.")
    }

    fn invalid_grant(why: &str) -> Fault {
        Fault::refused("invalid_grant", why)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        match error.kind {
            Kind::Invalid | Kind::Structure | Kind::TooLarge => Fault::invalid_request(error.message),
            _ => Fault::Failed(error),
        }
    }
}

/// Who the person of an account is in the records: `Patient/1`.
fn fhir_user(account: &AccountState) -> Option<String> {
    let (resource_type, id) = match account.role.as_str() {
        "patient" => ("Patient", account.patient.as_deref()),
        "practitioner" => ("Practitioner", account.practitioner.as_deref()),
        _ => return None,
    };
    let id = id.and_then(|id| Id::parse(id).ok())?;
    Some(format!("{resource_type}/{id}"))
}
