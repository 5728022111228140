//! Resources that go along with the matches of a page: level by level, each level one statement for what is referred to
//! and one for what refers. <https://hl7.org/fhir/R4/search.html#revinclude>

use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::{ResourceType, in_patient_compartment};
use crate::fhir::id::{Compartment, Id};
use crate::fhir::resource::Resource;
use crate::interaction::Context;
use crate::search::links::{referring, targets};
use crate::search::query::{Include, Query};
use crate::search::registry::Registry;
use crate::store::search::{Found, Referrers};
use crate::store::{Reader, Stored};
use std::collections::HashSet;
use std::sync::Arc;

/// Levels that `:iterate` goes down.
const LEVELS_MAX: usize = 16;
/// References to the resources of a page that are looked for at once: each is a look-up in the index.
const TOKENS_MAX: usize = 50_000;

/// What goes along, in the order in which it was found. The matches are not among it.
pub async fn follow(context: &Context, reader: Reader<'_>, query: &Query, found: &Found) -> Result<Vec<Stored>> {
    if query.includes.is_empty() && query.revincludes.is_empty() {
        return Ok(Vec::new());
    }
    let (registry, record) = (context.registry(), found.record.as_ref());
    let mut following = Following { context, registry, reader, record, known: HashSet::new() };
    let mut included: Vec<Stored> = Vec::new();
    let matches: Vec<&Stored> = found.hits.iter().map(|hit| &hit.stored).collect();
    following.known.extend(matches.iter().map(|stored| (stored.resource_type, stored.id.clone())));
    let mut level = following.level(query, &matches, false, 0).await?;
    for _ in 1..LEVELS_MAX {
        let from = included.len();
        included.append(&mut level);
        let fresh: Vec<&Stored> = included.iter().skip(from).collect();
        if fresh.is_empty() {
            return Ok(included);
        }
        level = following.level(query, &fresh, true, included.len()).await?;
    }
    if level.is_empty() {
        return Ok(included);
    }
    let message = format!("':iterate' would go more than {LEVELS_MAX} levels down. Ask for fewer.");
    Err(Error::new(Kind::TooCostly, message).at("_include"))
}

struct Following<'a> {
    context: &'a Context,
    registry: Arc<Registry>,
    reader: Reader<'a>,
    /// The one patient's record that is searched.
    record: Option<&'a Compartment>,
    /// Each resource goes along once.
    known: HashSet<(ResourceType, Id)>,
}

impl Following<'_> {
    async fn level(
        &mut self,
        query: &Query,
        sources: &[&Stored],
        iterated: bool,
        so_far: usize,
    ) -> Result<Vec<Stored>> {
        let applies = |include: &&Include| include.iterate || !iterated;
        let includes: Vec<&Include> = query.includes.iter().filter(applies).collect();
        let revincludes: Vec<&Include> = query.revincludes.iter().filter(applies).collect();
        let mut level = self.referred(&includes, sources).await?;
        level.extend(self.referring(&revincludes, sources, so_far + level.len()).await?);
        // What both directions lead to, or several servers wrote meanwhile, goes along once.
        level.retain(|stored| self.known.insert((stored.resource_type, stored.id.clone())));
        self.check(so_far + level.len())?;
        Ok(level)
    }

    async fn referred(&self, includes: &[&Include], sources: &[&Stored]) -> Result<Vec<Stored>> {
        let mut wanted = Vec::new();
        let mut seen = HashSet::new();
        let mut beside: Vec<Compartment> = Vec::new();
        for stored in sources {
            let of_type = |include: &&&Include| include.source.is_none_or(|source| source == stored.resource_type);
            let Some(body) = stored.body.as_ref().filter(|_| includes.iter().any(|one| of_type(&one))) else {
                continue;
            };
            let resource = Resource::read(body, 0..body.len(), usize::MAX).map_err(Error::internal)?;
            let before = wanted.len();
            for include in includes.iter().filter(of_type) {
                let base = self.context.own_base.as_deref();
                let targets = targets(&self.registry, &resource, include, base);
                let is_new = |target: &(ResourceType, Id)| !self.known.contains(target) && seen.insert(target.clone());
                wanted.extend(targets.into_iter().filter(is_new));
            }
            if wanted.len() > before && !beside.contains(&stored.compartment) {
                beside.push(stored.compartment.clone());
            }
        }
        self.check(wanted.len())?;
        self.reader.resources(&wanted, &beside).await
    }

    async fn referring(&self, includes: &[&Include], sources: &[&Stored], so_far: usize) -> Result<Vec<Stored>> {
        let (mut inside, mut anywhere) = (Vec::new(), Vec::new());
        for stored in sources {
            for include in includes {
                let is_inside = self.stays_inside(include, stored);
                let tokens = referring(&self.registry, stored.resource_type, &stored.id, include);
                for (token, in_compartment) in tokens {
                    let of_patient = stored.resource_type == ResourceType::PATIENT && in_compartment;
                    if is_inside || (self.record.is_some() && of_patient) { &mut inside } else { &mut anywhere }
                        .push(token);
                }
            }
        }
        if inside.len() + anywhere.len() > TOKENS_MAX {
            let message = "This '_revinclude' looks for too many references at once. Name its type and parameter, or ask \
                for fewer matches with '_count'.";
            return Err(Error::new(Kind::TooCostly, message).at("_revinclude"));
        }
        let count_max = self.context.limits.included_max.saturating_sub(so_far);
        let named: Option<Vec<ResourceType>> = includes.iter().map(|include| include.source).collect();
        let types = named.unwrap_or_else(|| ResourceType::all().collect());
        let of = |tokens, record| Referrers { tokens, types: &types, record, count_max };
        let (inside, anywhere) = (of(inside, self.record), of(anywhere, None));
        let (mut found, further) =
            futures_util::future::try_join(self.reader.referrers(&inside), self.reader.referrers(&anywhere)).await?;
        found.extend(further);
        self.check(so_far + found.len())?;
        Ok(found)
    }

    /// Whether what refers to a resource of the record is in the record, too: both types are in the compartment, and what
    /// refers says whose it is. (Provenance does not: it names the Observation, not the patient.)
    fn stays_inside(&self, include: &Include, stored: &Stored) -> bool {
        let Some(source) = include.source.filter(|_| self.record.is_some()) else { return false };
        let sources = self.registry.sources(source);
        in_patient_compartment(source)
            && in_patient_compartment(stored.resource_type)
            && stored.resource_type != ResourceType::PATIENT
            && sources.iter().any(|source| source.branch.decides_home)
    }

    fn check(&self, count: usize) -> Result<()> {
        let max = self.context.limits.included_max;
        if count <= max {
            return Ok(());
        }
        let message = format!(
            "More than {max} resources would go along with this page. Ask for fewer matches with '_count', or search for \
            what goes along by itself."
        );
        Err(Error::new(Kind::TooCostly, message).at("_include"))
    }
}
