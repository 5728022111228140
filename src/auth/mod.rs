//! Who is asking and what they may do.

pub mod access;
pub mod agent;
pub mod id_key;
pub mod key;
pub mod membership;
pub mod outside;
pub mod password;
pub mod policy;
pub mod role;
pub mod scope;
pub mod sight;
pub mod smart;
pub mod token;
pub mod types;

use crate::error::{Error, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use access::Access;
use agent::Origin;
use policy::Permission;
use role::Role;
use sight::Sight;
use std::sync::Arc;

/// The right to call the store: it says of each type which resources may be used how. Only this room makes one.
#[derive(Debug, Clone)]
pub struct Grant {
    /// `None`: the server itself, or everybody where there are no accounts.
    access: Option<Arc<Access>>,
    /// `None`: the server's own work, which is no access.
    origin: Option<Arc<Origin>>,
}

impl Grant {
    /// What a caller may do.
    pub fn of(access: Access) -> Grant {
        Grant { access: Some(Arc::new(access)), origin: None }
    }

    /// The same, for what the audit tells of this origin.
    #[must_use]
    pub fn asked_by(self, origin: Origin) -> Grant {
        Grant { origin: Some(Arc::new(origin)), ..self }
    }

    /// Of whom the audit tells what is done with this grant.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_deref()
    }

    /// Which resources of a type may be used so.
    pub fn sight(&self, permission: Permission, resource_type: ResourceType) -> Sight {
        self.access.as_ref().map_or(Sight::All, |access| access.sight(permission, resource_type))
    }

    /// The one patient whom the caller asks about: the one that the account is linked to, or that the client was opened
    /// for.
    pub fn patient(&self) -> Option<&Id> {
        let access = self.access.as_ref()?;
        let own = access.patient.as_ref().filter(|_| access.role == Some(Role::Patient));
        own.or_else(|| access.client.as_ref()?.patient.as_ref())
    }

    /// Whether nothing is hidden or forbidden.
    pub fn is_everything(&self) -> bool {
        self.access.is_none()
    }

    /// Refuses what only the server itself does.
    pub fn demand_everything(&self) -> Result<()> {
        if self.is_everything() { Ok(()) } else { Err(Error::forbidden("Only the server itself does this.")) }
    }

    /// Refuses whoever has no role that is known: for what needs no other right.
    pub fn demand_somebody(&self) -> Result<()> {
        let is_somebody = self.access.as_ref().is_none_or(|access| access.role.is_some());
        if is_somebody { Ok(()) } else { Err(Error::forbidden("Only an account with a role may do this.")) }
    }

    /// Refuses what is the business of administrators: operations of the server as a whole.
    pub fn demand_administration(&self) -> Result<()> {
        let may = self.access.as_ref().is_none_or(|access| access.may_administer());
        if may { Ok(()) } else { Err(Error::forbidden("Only an administrator's account may do this.")) }
    }
}

/// What the server does on its own.
pub fn of_server() -> Grant {
    Grant { access: None, origin: None }
}

/// What somebody may do who did not show who that is: nothing.
pub fn of_nobody() -> Grant {
    Grant::of(Access { role: None, duties: None, patient: None, reason: None, client: None })
}

/// What anybody may do when `BRASA_AUTH=off`, which settings allow only in development on a loopback address.
pub fn without_accounts() -> Grant {
    Grant { access: None, origin: None }
}
