//! Removing resources for good: all versions, index rows, homes and identifiers, a step at a time, each with its record.
//!
//! A step is one transaction under the locks of its resources' rows. What it removes is told of in the record of the audit
//! that commits with it, so that a server that is killed in between has told of all that is gone.

use super::Store;
use super::audit::AuditRows;
use super::identifier::Identifier;
use super::index::REMOVALS;
use super::node::Connection;
use super::operation::{Frame, Operation, insert_rows, owned, run};
use super::sqlstate::{Failure, Phase};
use super::statement::{
    EXPUNGE_DELETED, EXPUNGE_LIST, EXPUNGE_REMOVE_HOME, EXPUNGE_REMOVE_VERSION, EXPUNGE_VERSIONS, INSERT_AUDIT,
    LOCK_CURRENT, REMOVE_CURRENT, REMOVE_HISTORY, REMOVE_IDENTIFIER, REMOVE_MEMBER,
};
use crate::audit::record::{Access, Hash, hash};
use crate::auth::Grant;
use crate::error::{Error, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id};
use crate::fhir::resource::Resource;
use std::collections::BTreeMap;
use std::time::Instant;
use tokio_postgres::types::ToSql;

/// Resources of one step (resources).
pub const STEP_MAX: usize = 50;
/// Who holds a resource's lock for longer is asked to be waited for by another request. Without it the wait would end at the
/// node's deadline, for which the node would be left alone.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '2s'";
/// Superseded versions that are read at once (versions).
const VERSIONS_AT_ONCE: i64 = 100;

/// What of a resource goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The resource and all its versions.
    Everything,
    /// As `Everything`, of a resource that was deleted; nothing of one that stands.
    IfDeleted,
    /// All versions but the current one.
    PreviousVersions,
    /// A superseded version.
    Version(i64),
}

/// What is gone: a line for each version, `Type/id/_history/version` and the SHA-256 of its JSON (`deleted` where it was a
/// deletion), in the order in which they went.
#[derive(Debug, Clone, Default)]
pub struct Removed {
    pub lines: Vec<String>,
    /// By type: resources that are gone altogether, and versions.
    pub counts: BTreeMap<&'static str, (u64, u64)>,
}

impl Removed {
    pub fn is_nothing(&self) -> bool {
        self.lines.is_empty()
    }

    /// SHA-256 of the lines, each with a line feed behind it.
    pub fn hash(&self) -> Hash {
        hash(self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>().as_bytes())
    }

    pub fn extend(&mut self, other: Removed) {
        self.lines.extend(other.lines);
        for (name, (resources, versions)) in other.counts {
            let counts = self.counts.entry(name).or_default();
            *counts = (counts.0 + resources, counts.1 + versions);
        }
    }

    fn note(&mut self, of: ResourceType, id: &Id, version: i64, json: Option<&[u8]>) {
        let digest = json.map_or_else(|| "deleted".to_owned(), |json| hex(&hash(json)));
        self.lines.push(format!("{of}/{id}/_history/{version} {digest}"));
        self.counts.entry(of.as_str()).or_default().1 += 1;
    }
}

pub fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A step under way.
struct Step<'a> {
    store: &'a Store,
    connection: &'a Connection,
    at: &'a Compartment,
    operations: Vec<Operation>,
    removed: Removed,
}

impl Store {
    /// What a patient's record still holds, at most a step of it.
    pub async fn list_record(&self, grant: &Grant, patient: &Id) -> Result<Vec<(ResourceType, Id)>> {
        grant.demand_everything()?;
        let at = Compartment::of_patient(patient);
        let count = i64::try_from(STEP_MAX).unwrap_or(i64::MAX);
        let rows = self.reader(grant).query(at.as_str(), EXPUNGE_LIST, &[&at.as_str(), &count]).await?;
        let one =
            |row: &tokio_postgres::Row| Some((ResourceType::parse(row.get("type"))?, Id::parse(row.get("id")).ok()?));
        let listed: Vec<_> = rows.iter().filter_map(one).collect();
        if listed.len() < rows.len() {
            return Err(Error::internal("a stored resource has an unknown type"));
        }
        Ok(listed)
    }

    /// Deleted resources of a type, wherever they were.
    pub async fn list_deleted(
        &self,
        grant: &Grant,
        resource_type: ResourceType,
        count: i64,
    ) -> Result<Vec<(Compartment, Id)>> {
        grant.demand_everything()?;
        let rows = self.reader(grant).query_all(EXPUNGE_DELETED, &[&resource_type.as_str(), &count]).await?;
        let one = |row: &tokio_postgres::Row| {
            let id = Id::parse(row.get("id")).map_err(Error::internal)?;
            Ok((Compartment::from_stored(row.get("compartment")), id))
        };
        rows.iter().map(one).collect()
    }

    /// One step: removes these resources of a compartment, at most [`STEP_MAX`], and commits it together with the record
    /// that `told` makes of it for `asker`. What others removed meanwhile is left out.
    pub async fn expunge(
        &self,
        (grant, asker): (&Grant, &Grant),
        at: &Compartment,
        resources: &[(ResourceType, Id)],
        extent: Extent,
        told: &(dyn Fn(&Removed) -> Access + Sync),
    ) -> Result<Removed> {
        grant.demand_everything()?;
        let connection = self.nodes.connect_to_all([at.as_str()].into_iter()).await.map_err(Failure::into_error)?;
        connection.hold();
        let answer = self.step(&connection, asker, at, resources, extent, told).await;
        if answer.is_err() && connection.run("ROLLBACK", Phase::Statement).await.is_err() {
            // Not given back: the socket closes, and the database rolls back.
            return answer.map_err(Failure::into_error);
        }
        connection.release();
        answer.map_err(Failure::into_error)
    }

    async fn step(
        &self,
        connection: &Connection,
        asker: &Grant,
        at: &Compartment,
        resources: &[(ResourceType, Id)],
        extent: Extent,
        told: &(dyn Fn(&Removed) -> Access + Sync),
    ) -> std::result::Result<Removed, Failure> {
        connection.run(BEGIN, Phase::Statement).await?;
        let (operations, removed) = (Vec::new(), Removed::default());
        let mut step = Step { store: self, connection, at, operations, removed };
        // In the order in which writers lock, so that the two seldom wait for each other.
        let mut order: Vec<&(ResourceType, Id)> = resources.iter().collect();
        order.sort_unstable();
        for (of, id) in order {
            step.take(*of, id, extent).await?;
        }
        let Step { mut operations, removed, .. } = step;
        if removed.is_nothing() {
            connection.run("ROLLBACK", Phase::Statement).await?;
            return Ok(removed);
        }
        let entered = self.enter_accesses(asker, &[told(&removed)]).map_err(Failure::Other)?;
        let entered = entered.map(|AuditRows { rows, entered }| {
            insert_rows(&mut operations, &self.nodes, INSERT_AUDIT, rows);
            entered
        });
        let ends = Instant::now() + self.transaction_deadline;
        run(connection, &operations, Frame::default(), Phase::Statement, ends).await?;
        // From here on nobody knows until it is answered.
        let entered = entered.map(|mut entered| {
            entered.sending();
            entered
        });
        connection.run("COMMIT", Phase::Commit).await?;
        if let Some(entered) = entered {
            entered.committed();
        }
        Ok(removed)
    }
}

impl Step<'_> {
    /// Locks one resource, notes what of it goes, and the statements that remove it.
    async fn take(&mut self, of: ResourceType, id: &Id, extent: Extent) -> std::result::Result<(), Failure> {
        let key: [&(dyn ToSql + Sync); 3] = [&self.at.as_str(), &of.as_str(), &id.as_str()];
        let Some(row) = self.connection.query_opt(LOCK_CURRENT, &key).await? else { return Ok(()) };
        let body = match row.get::<_, Option<&[u8]>>("body") {
            Some(body) => Some(self.store.decode(body).await.map_err(Failure::Other)?),
            None => None,
        };
        let current: i64 = row.get("version_id");
        match extent {
            Extent::IfDeleted if body.is_some() => return Ok(()),
            Extent::Version(version) => return self.take_version(of, id, version).await,
            _ => {}
        }
        self.note_versions(of, id).await?;
        let (at, id_text) = (self.at.as_str().to_owned(), id.as_str().to_owned());
        self.operations.push(Operation::new(REMOVE_HISTORY.sql, owned![at.clone(), of.as_str(), id_text.clone()]));
        if extent == Extent::PreviousVersions {
            return Ok(());
        }
        self.removed.note(of, id, current, body.as_deref());
        self.removed.counts.entry(of.as_str()).or_default().0 += 1;
        if let Some(key) = row.get::<_, Option<i64>>("key") {
            for statement in REMOVALS {
                self.operations.push(Operation::new(statement.sql, owned![at.clone(), vec![key]]));
            }
        }
        self.forget(of, id, body.as_deref());
        let remove = owned![at, of.as_str(), id_text, current];
        self.operations.push(Operation::new(REMOVE_CURRENT.sql, remove));
        Ok(())
    }

    async fn take_version(&mut self, of: ResourceType, id: &Id, version: i64) -> std::result::Result<(), Failure> {
        let (before, one) = (version - 1, 1_i64);
        let parameters: [&(dyn ToSql + Sync); 5] = [&self.at.as_str(), &of.as_str(), &id.as_str(), &before, &one];
        let rows = self.connection.query(EXPUNGE_VERSIONS, &parameters).await?;
        let Some(row) = rows.first().filter(|row| row.get::<_, i64>("version_id") == version) else { return Ok(()) };
        self.note_row(of, id, row).await?;
        let remove = owned![self.at.as_str().to_owned(), of.as_str(), id.as_str().to_owned(), version];
        self.operations.push(Operation::new(EXPUNGE_REMOVE_VERSION.sql, remove));
        Ok(())
    }

    async fn note_versions(&mut self, of: ResourceType, id: &Id) -> std::result::Result<(), Failure> {
        let mut after = 0_i64;
        loop {
            let parameters: [&(dyn ToSql + Sync); 5] =
                [&self.at.as_str(), &of.as_str(), &id.as_str(), &after, &VERSIONS_AT_ONCE];
            let rows = self.connection.query(EXPUNGE_VERSIONS, &parameters).await?;
            for row in &rows {
                after = row.get("version_id");
                self.note_row(of, id, row).await?;
            }
            if i64::try_from(rows.len()).unwrap_or(i64::MAX) < VERSIONS_AT_ONCE {
                return Ok(());
            }
        }
    }

    async fn note_row(
        &mut self,
        of: ResourceType,
        id: &Id,
        row: &tokio_postgres::Row,
    ) -> std::result::Result<(), Failure> {
        let json = match row.get::<_, Option<&[u8]>>("body") {
            Some(body) => Some(self.store.decode(body).await.map_err(Failure::Other)?),
            None => None,
        };
        self.removed.note(of, id, row.get("version_id"), json.as_deref());
        Ok(())
    }

    /// What the resource left beside its own rows: further patients, identifiers, and where its id leads.
    fn forget(&mut self, of: ResourceType, id: &Id, body: Option<&[u8]>) {
        let id_text = id.as_str().to_owned();
        let resource = body.and_then(|body| Resource::read(body, 0..body.len(), usize::MAX).ok());
        if let Some(resource) = resource {
            for member in resource.residence(id, self.store.rights.own_base()).members {
                let remove = owned![member.as_str().to_owned(), of.as_str(), id_text.clone()];
                self.operations.push(Operation::new(REMOVE_MEMBER.sql, remove));
            }
            let kept = resource.identifiers().into_iter().filter(|_| Identifier::is_kept_for(of));
            for (system, value) in kept {
                let identifier = Identifier { system: system.to_owned(), value: value.to_owned() };
                let remove = owned![identifier.key(of), identifier.system_hash(), of.as_str(), id_text.clone()];
                self.operations.push(Operation::new(REMOVE_IDENTIFIER.sql, remove));
            }
        }
        self.operations.push(Operation::new(EXPUNGE_REMOVE_HOME.sql, owned![id_text, of.as_str()]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_told_by_lines_and_their_hash() {
        let (of, id) = (ResourceType::PATIENT, Id::parse("p").unwrap());
        let mut removed = Removed::default();
        removed.note(of, &id, 1, Some(b"{}"));
        removed.note(of, &id, 2, None);
        // printf '{}' | sha256sum
        let digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(
            removed.lines,
            [format!("Patient/p/_history/1 {digest}"), "Patient/p/_history/2 deleted".to_owned()]
        );
        assert_eq!(
            removed.hash(),
            hash(format!("Patient/p/_history/1 {digest}\nPatient/p/_history/2 deleted\n").as_bytes())
        );
        let mut twice = removed.clone();
        twice.extend(removed);
        assert_eq!(twice.counts.get("Patient"), Some(&(0, 4)));
    }
}
