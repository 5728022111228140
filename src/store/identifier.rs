//! Business identifiers: finding a Patient or a shared resource by `system|value` with one single-shard query.

use super::read::Reader;
use super::statement::FIND_IDENTIFIER;
use crate::auth::policy::Permission;
use crate::error::Result;
use crate::fhir::definitions::{ResourceType, in_patient_compartment};
use crate::fhir::id::Id;
use sha2::{Digest, Sha256};

/// Resources with one identifier that are looked at, where not all may be seen (resources).
const LOOKED_AT_MIN: i64 = 1_000;

/// An identifier of a resource. `system` is empty when it has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier {
    pub system: String,
    pub value: String,
}

impl Identifier {
    /// Whether identifiers of this type are kept in `identifier_home`. Those of resources inside a patient's compartment
    /// are not: the row would be on another shard and cost each such write a two-phase commit.
    pub fn is_kept_for(resource_type: ResourceType) -> bool {
        resource_type == ResourceType::PATIENT || !in_patient_compartment(resource_type)
    }

    /// The distribution value: a hash of type and value, of bounded length whatever a client sends.
    pub(super) fn key(&self, resource_type: ResourceType) -> String {
        key(resource_type, &self.value)
    }

    pub(super) fn system_hash(&self) -> String {
        digest(&[self.system.as_bytes()])
    }
}

fn key(resource_type: ResourceType, value: &str) -> String {
    digest(&[resource_type.as_str().as_bytes(), value.as_bytes()])
}

/// The first 128 bits of SHA-256, in hexadecimal: at a billion identifiers two meet with a chance of 1 in 10²⁰.
fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl Reader<'_> {
    /// The resources of a type that carry the identifier and may be seen, at most `count_max`. `system`: `None` for any,
    /// `Some("")` for none.
    pub async fn find_identifier(
        &self,
        resource_type: ResourceType,
        system: Option<&str>,
        value: &str,
        count_max: i64,
    ) -> Result<Vec<Id>> {
        if self.sees_all(Permission::Search, resource_type)? {
            return self.any_with_identifier(resource_type, system, value, count_max).await;
        }
        // Among those that are looked at may be many that are hidden.
        let found = self.any_with_identifier(resource_type, system, value, count_max.max(LOOKED_AT_MIN)).await?;
        let wanted: Vec<(ResourceType, Id)> = found.into_iter().map(|id| (resource_type, id)).collect();
        let seen = self.resources(&wanted, &[]).await?;
        Ok(seen.into_iter().map(|stored| stored.id).collect())
    }

    /// As [`Reader::find_identifier`], whoever may see them: where a search looks that is guarded itself.
    pub(super) async fn any_with_identifier(
        &self,
        resource_type: ResourceType,
        system: Option<&str>,
        value: &str,
        count_max: i64,
    ) -> Result<Vec<Id>> {
        let key = key(resource_type, value);
        let system_hash = system.map(|system| digest(&[system.as_bytes()]));
        let rows = self.query(&key, FIND_IDENTIFIER, &[&key, &system_hash, &count_max]).await?;
        Ok(rows.iter().filter_map(|row| Id::parse(row.get("id")).ok()).collect())
    }
}
