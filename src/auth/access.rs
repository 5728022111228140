//! Who a caller turned out to be, and what that person or program may do: the policy, within the client's scopes.

use super::policy::{Permission, Who, sight};
use super::role::{Duty, Role};
use super::scope::Scopes;
use super::sight::Sight;
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;

/// A caller, as far as rights go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// `None`: an account whose role is not known may do nothing.
    pub role: Option<Role>,
    /// Of a practitioner, by the PractitionerRoles that are in force; `None`: there never was one that names a duty.
    pub duties: Option<Vec<Duty>>,
    /// The record that the account is linked to, for the role patient.
    pub patient: Option<Id>,
    /// Why an admin breaks the glass.
    pub reason: Option<String>,
    /// What the client was allowed of it; `None`: everything, as for who logged in with a password.
    pub client: Option<Client>,
}

/// A program that acts for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    pub scopes: Scopes,
    /// The patient of SMART's launch context.
    pub patient: Option<Id>,
}

impl Access {
    /// Which resources of a type may be used so: never more than the account may, nor more than the client may.
    pub fn sight(&self, permission: Permission, resource_type: ResourceType) -> Sight {
        let Some(role) = self.role else { return Sight::None };
        let who = self.who();
        // Only a patient's account opens a record by its link.
        let patient = self.patient.as_ref().filter(|_| role == Role::Patient);
        let own = sight(&who, patient, permission, resource_type);
        let Some(client) = &self.client else { return own };
        let lent = client.scopes.sight(client.patient.as_ref(), permission, resource_type);
        Sight::each(vec![own, lent])
    }

    /// All that the caller is, as the table of rights names it.
    pub fn who(&self) -> Vec<Who> {
        self.role.map_or_else(Vec::new, |role| Who::of(role, self.duties.as_deref(), self.reason.is_some()))
    }

    /// Whether the server as a whole is this caller's business: an admin, and no program that acts for one.
    pub fn may_administer(&self) -> bool {
        self.role == Some(Role::Admin) && self.client.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::TABLE;
    use super::*;

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    fn access(role: Role) -> Access {
        let patient = (role == Role::Patient).then(|| id("p"));
        Access { role: Some(role), duties: None, patient, reason: None, client: None }
    }

    fn client(scopes: &str, patient: Option<&str>) -> Option<Client> {
        Some(Client { scopes: Scopes::parse(scopes), patient: patient.map(id) })
    }

    /// Everything that can be asked.
    fn all() -> impl Iterator<Item = (Permission, ResourceType)> {
        ResourceType::all().flat_map(|one| Permission::ALL.into_iter().map(move |permission| (permission, one)))
    }

    #[test]
    fn every_type_permission_and_role_is_as_the_table_says() {
        for role in Role::ALL {
            for (permission, resource_type) in all() {
                let seen = access(role).sight(permission, resource_type);
                let rows = TABLE.iter().filter(|rule| {
                    Who::of(role, None, false).contains(&rule.who)
                        && rule.may.contains(permission.letter())
                        && rule.types.has(resource_type)
                });
                let has_rows = rows.count() > 0;
                // A row that opens what is about a patient opens nothing of a type that never is.
                let is_nothing = seen == Sight::None;
                assert!(has_rows || is_nothing, "{role:?} {permission:?} {resource_type}");
                assert!(role == Role::Patient || has_rows != is_nothing, "{role:?} {permission:?} {resource_type}");
            }
        }
    }

    #[test]
    fn an_unknown_role_and_a_missing_link_open_nothing() {
        let nobody = Access { role: None, ..access(Role::Admin) };
        let unlinked = Access { patient: None, ..access(Role::Patient) };
        for (permission, resource_type) in all() {
            assert_eq!(nobody.sight(permission, resource_type), Sight::None);
        }
        for name in ["Patient", "Observation", "Practitioner", "Medication"] {
            let resource_type = ResourceType::parse(name).unwrap();
            assert_eq!(unlinked.sight(Permission::Read, resource_type), Sight::None, "{name}");
        }
    }

    #[test]
    fn a_link_opens_a_record_for_the_role_patient_only() {
        for role in [Role::Admin, Role::Auditor] {
            let linked = Access { patient: Some(id("p")), ..access(role) };
            for (permission, resource_type) in all() {
                assert_eq!(
                    linked.sight(permission, resource_type),
                    access(role).sight(permission, resource_type),
                    "{role:?} {resource_type}"
                );
            }
        }
    }

    #[test]
    fn a_client_may_what_both_the_account_and_its_scopes_allow() {
        let of = |access: &Access, permission, name: &str| access.sight(permission, ResourceType::parse(name).unwrap());
        let doctor = Access { client: client("user/Observation.rs", None), ..access(Role::Practitioner) };
        assert_eq!(of(&doctor, Permission::Read, "Observation"), Sight::All);
        assert_eq!(of(&doctor, Permission::Create, "Observation"), Sight::None);
        assert_eq!(of(&doctor, Permission::Read, "Patient"), Sight::None);
        // A patient's app that asks for all of the system gets that patient.
        let app = Access { client: client("system/*.cruds user/*.cruds", None), ..access(Role::Patient) };
        assert_eq!(of(&app, Permission::Read, "Observation"), Sight::About(id("p")));
        assert_eq!(of(&app, Permission::Delete, "Observation"), Sight::None);
        // A launch context of somebody else's record opens neither.
        let other = Access { client: client("patient/*.rs", Some("q")), ..access(Role::Patient) };
        let both = Sight::Each(vec![Sight::About(id("p")), Sight::About(id("q"))]);
        assert_eq!(of(&other, Permission::Read, "Observation"), both);
        // Without a patient in its context, a patient's scope opens nothing.
        let lost = Access { client: client("patient/*.rs", None), ..access(Role::Practitioner) };
        assert_eq!(of(&lost, Permission::Read, "Observation"), Sight::None);
        // A key without a scope may do nothing.
        let empty = Access { client: client("", None), ..access(Role::Practitioner) };
        for (permission, resource_type) in all() {
            assert_eq!(empty.sight(permission, resource_type), Sight::None);
        }
    }
}
