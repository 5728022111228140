//! Whether a change may happen to what is there now. <https://hl7.org/fhir/R4/http.html#concurrency>

use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::interaction::request::Precondition;
use crate::store::{Stored, missing};

/// Refuses a change to what is not there: a patch does not create.
pub fn must_stand(resource_type: ResourceType, current: Option<&Stored>) -> Result<()> {
    match current {
        None => Err(missing(resource_type)),
        Some(Stored { body: None, .. }) => {
            let message = format!("This {resource_type} was deleted. An update under its id brings it back.");
            Err(Error::new(Kind::Gone, message))
        }
        Some(Stored { body: Some(_), .. }) => Ok(()),
    }
}

/// Whether the write may happen to what is there now. A deleted resource counts as absent.
pub fn check(precondition: Precondition, current: Option<&Stored>) -> Result<()> {
    let current = current.filter(|current| current.body.is_some());
    let (holds, header) = match precondition {
        Precondition::None => return Ok(()),
        Precondition::Never => (false, "http.if-match"),
        Precondition::Version(version) => {
            (current.is_some_and(|current| current.version_id == version), "http.if-match")
        }
        Precondition::Exists => (current.is_some(), "http.if-match"),
        Precondition::Absent => (current.is_none(), "http.if-none-match"),
    };
    if holds {
        return Ok(());
    }
    let now = match current {
        Some(current) => format!("the current version is {}", current.version_id),
        None => "there is no current version".to_owned(),
    };
    let message = format!("The condition does not hold: {now}. Read the resource again, then decide.");
    Err(Error::new(Kind::PreconditionFailed, message).at(header))
}
