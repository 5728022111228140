//! Resources that go along with a page: those that it refers to, and those that refer to it. One statement for each.

use super::condition::{Anchor, Form, Table, push_clause};
use super::sql::Sql;
use super::statement::{push_compartments, push_pack};
use super::unpack;
use crate::auth::policy::Permission;
use crate::error::Result;
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id, Place};
use crate::search::clause::Clause;
use crate::store::read::{Reader, Stored};
use crate::store::statement::FIND_MEMBER_HOMES;
use std::collections::HashSet;

/// Which resources refer to others.
#[derive(Debug, Clone)]
pub struct Referrers<'a> {
    /// What their references are entered as: a branch's hash XOR the resource's `self`.
    pub tokens: Vec<i64>,
    /// Of which types they may be.
    pub types: &'a [ResourceType],
    /// They are all in this patient's record, or belong to the patient as well as to others.
    pub record: Option<&'a Compartment>,
    pub count_max: usize,
}

impl Reader<'_> {
    /// The current versions of resources, those that exist. `beside`: where the resources are that refer to them, for an
    /// id that does not tell its place is most likely in the same record.
    pub async fn resources(&self, wanted: &[(ResourceType, Id)], beside: &[Compartment]) -> Result<Vec<Stored>> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut places = Vec::with_capacity(wanted.len());
        for (resource_type, id) in wanted {
            let place = Place::of(*resource_type, id);
            if matches!(place, Place::Likely(_)) {
                let near = beside.iter().filter(|near| *near != place.compartment());
                places.extend(near.map(|near| (near.as_str().to_owned(), *resource_type, id.clone())));
            }
            places.push((place.compartment().as_str().to_owned(), *resource_type, id.clone()));
        }
        let mut found = self.at(places).await?;
        let known: HashSet<_> = found.iter().map(|stored| (stored.resource_type, stored.id.clone())).collect();
        let is_lost = |(resource_type, id): &&(ResourceType, Id)| {
            matches!(Place::of(*resource_type, id), Place::Likely(_)) && !known.contains(&(*resource_type, id.clone()))
        };
        let lost: Vec<&(ResourceType, Id)> = wanted.iter().filter(is_lost).collect();
        if !lost.is_empty() {
            found.extend(self.at(self.homes(&lost).await?).await?);
        }
        self.retain_visible(Permission::Search, found).await
    }

    async fn homes(&self, lost: &[&(ResourceType, Id)]) -> Result<Vec<(String, ResourceType, Id)>> {
        let ids: Vec<String> = lost.iter().map(|(_, id)| id.as_str().to_owned()).collect();
        let alone = if let [one] = ids.as_slice() { Some(one.clone()) } else { None };
        let mut sql = Sql::new("SELECT h.compartment, h.type, h.id FROM resource_home h WHERE h.id = ANY(");
        sql.bind(ids).push(")");
        let rows = self.query_sql("homes of ids", alone.as_deref(), &sql).await?;
        let home = |row: &tokio_postgres::Row| {
            let id = Id::parse(row.get(2)).ok()?;
            let wanted = lost.iter().find(|(of, one)| *one == id && of.as_str() == row.get::<_, &str>(1))?;
            Some((row.get(0), wanted.0, id))
        };
        Ok(rows.iter().filter_map(home).collect())
    }

    /// The resources at these places.
    async fn at(&self, places: Vec<(String, ResourceType, Id)>) -> Result<Vec<Stored>> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let (mut compartments, mut types, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for (compartment, resource_type, id) in places {
            compartments.push(compartment);
            types.push(resource_type.to_string());
            ids.push(id.as_str().to_owned());
        }
        let mut distinct = compartments.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let mut sql = Sql::new("SELECT b.compartment, ");
        push_pack(&mut sql);
        sql.push(" FROM resource b JOIN unnest(").bind(compartments).push("::text[], ").bind(types);
        sql.push("::text[], ").bind(ids).push("::text[]) w(compartment, type, id)");
        sql.push(" ON b.compartment = w.compartment AND b.type = w.type AND b.id = w.id");
        // Said once more for Citus, which then asks only the shards that hold them.
        let alone = if let [one] = distinct.as_slice() { Some(one.clone()) } else { None };
        sql.push(" WHERE b.body IS NOT NULL AND b.compartment = ");
        match &alone {
            Some(one) => sql.bind(one.as_str()),
            None => sql.push("ANY(").bind(distinct).push(")"),
        };
        self.unpack_all("what is referred to", alone.as_deref(), &sql).await
    }

    /// Resources that refer to others, up to one more than the bound.
    pub async fn referrers(&self, referrers: &Referrers<'_>) -> Result<Vec<Stored>> {
        if referrers.tokens.is_empty() {
            return Ok(Vec::new());
        }
        let visible = self.visible(Permission::Search, referrers.types).await?.of_any(referrers.types);
        if visible.is_never() {
            return Ok(Vec::new());
        }
        let Some(record) = referrers.record else { return self.referrers_in(referrers, &visible, &[]).await };
        let home = record.as_str();
        let types: Vec<&str> = Vec::new();
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&home, &types];
        let members = self.query(home, FIND_MEMBER_HOMES, &parameters);
        let own = [home.to_owned()];
        let (found, members) = futures_util::future::join(self.referrers_in(referrers, &visible, &own), members).await;
        let members: Vec<String> = members?.iter().map(|row| row.get("home")).collect();
        let mut found = found?;
        if !members.is_empty() {
            found.extend(self.referrers_in(referrers, &visible, &members).await?);
        }
        Ok(found)
    }

    async fn referrers_in(
        &self,
        referrers: &Referrers<'_>,
        visible: &Clause,
        compartments: &[String],
    ) -> Result<Vec<Stored>> {
        let count = i64::try_from(referrers.count_max).unwrap_or(i64::MAX).saturating_add(1);
        let mut sql = Sql::new("SELECT b.compartment, ");
        push_pack(&mut sql);
        sql.push(
            " FROM resource b JOIN (SELECT DISTINCT t.compartment, t.key FROM search_token t WHERE t.token = ANY(",
        );
        sql.bind(referrers.tokens.clone()).push(")");
        let alone = if let [one] = compartments { Some(one.as_str()) } else { None };
        if !compartments.is_empty() {
            push_compartments(&mut sql, compartments, "t");
        }
        sql.push(") f ON b.compartment = f.compartment AND b.key = f.key WHERE b.body IS NOT NULL");
        if !compartments.is_empty() {
            // Said of each table, for Citus to know that one shard has it all.
            push_compartments(&mut sql, compartments, "b");
        }
        if !visible.is_always() {
            sql.push(" AND ");
            let anchor = Anchor { alias: "b", table: Table::Resource, form: Form::Fenced, level: 0, home: alone };
            push_clause(&mut sql, visible, anchor)?;
        }
        sql.push(" LIMIT ").bind(count);
        self.unpack_all("what refers", alone, &sql).await
    }

    async fn unpack_all(&self, purpose: &'static str, at: Option<&str>, sql: &Sql) -> Result<Vec<Stored>> {
        let rows = self.query_sql(purpose, at, sql).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let compartment = Compartment::from_stored(row.get(0));
            found.push(unpack(*self, compartment, row.get(1)).await?);
        }
        Ok(found)
    }
}
