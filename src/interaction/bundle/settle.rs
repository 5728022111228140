//! Settling the conditional entries of a transaction: what their criteria find decides what they do, before anything is
//! written. <https://hl7.org/fhir/R4/http.html#trules>

use super::super::Context;
use super::super::conditional::{self, Criterion, standing};
use super::super::response::Response;
use super::super::route::Interaction;
use super::super::write;
use super::plan::{Plan, Step, place};
use super::returns;
use crate::error::{Error, Result};
use crate::store::{Reader, Stored};
use futures_util::StreamExt;
use futures_util::stream;
use std::collections::HashMap;

/// Searches under way at once for one Bundle.
const SEARCHES_AT_ONCE: usize = 8;

/// The criterion of an entry, if it has one.
pub fn criterion(step: &Step<'_>) -> Result<Option<Criterion>> {
    match step.request.interaction {
        Interaction::Create(resource_type) => match &step.request.conditions.if_none_exist {
            Some(text) => Criterion::if_none_exist(resource_type, text).map(Some),
            None => Ok(None),
        },
        Interaction::ConditionalUpdate(resource_type)
        | Interaction::ConditionalPatch(resource_type)
        | Interaction::ConditionalDelete(resource_type) => {
            Criterion::of_query(resource_type, &step.request).map(Some).map_err(|error| error.at("request.url"))
        }
        _ => Ok(None),
    }
}

impl Plan<'_> {
    /// What to lock before the criteria are searched for.
    pub fn criteria(&self) -> Result<Vec<i64>> {
        let mut known: HashMap<i64, usize> = HashMap::new();
        for (position, step) in self.steps.iter().enumerate() {
            let Some(criterion) = &step.criterion else { continue };
            // The second would have to find what the first has only just made.
            if let Some(first) = known.insert(criterion.key(), position) {
                let message = format!("{} has the same condition; a transaction may have each one once.", place(first));
                return Err(Error::invalid(message).at(place(position)));
            }
        }
        Ok(known.into_keys().collect())
    }

    /// Searches for the criteria and turns each conditional entry into what it comes to.
    pub async fn settle(&mut self, context: &Context, reader: Reader<'_>) -> Result<()> {
        let searches = self.steps.iter().enumerate().filter_map(|(position, step)| {
            let criterion = step.criterion.clone()?;
            let base = step.request.base.clone();
            let is_deletion = matches!(step.request.interaction, Interaction::ConditionalDelete(_));
            Some(async move {
                let found = if is_deletion {
                    conditional::to_delete(context, reader, &criterion, &base).await
                } else {
                    criterion.find_one(context, reader, &base).await.map(|one| one.into_iter().collect())
                };
                (position, criterion, found)
            })
        });
        let searches: Vec<_> = searches.collect();
        let mut searches = stream::iter(searches).buffered(SEARCHES_AT_ONCE);
        let mut all = Vec::new();
        while let Some((position, criterion, found)) = searches.next().await {
            all.push((position, criterion, found.map_err(|error| placed(error, position))?));
        }
        for (position, criterion, found) in all {
            let Some(step) = self.steps.get_mut(position) else { continue };
            settle_one(context, reader, step, &criterion, found).await.map_err(|error| placed(error, position))?;
        }
        Ok(())
    }
}

/// A criterion in a header is a member of the entry's request, one in the address is its url.
fn placed(error: Error, position: usize) -> Error {
    let is_header = error.expression.as_deref().is_some_and(|place| place.starts_with("http."));
    let error = if is_header { error } else { error.at("request.url") };
    error.within(&place(position))
}

async fn settle_one(
    context: &Context,
    reader: Reader<'_>,
    step: &mut Step<'_>,
    criterion: &Criterion,
    found: Vec<Stored>,
) -> Result<()> {
    let mut found = found.into_iter();
    let first = found.next();
    let resource_type = criterion.resource_type;
    match &step.request.interaction {
        Interaction::ConditionalUpdate(_) => {
            let target = conditional::target(reader, criterion, first.as_ref(), step.body_id.as_ref()).await?;
            if first.is_none() {
                write::check(step.request.conditions.precondition()?, None)?;
            }
            step.request.interaction = match &target {
                Some(id) => Interaction::Update(resource_type, id.clone()),
                None => Interaction::Create(resource_type),
            };
            step.id = target;
        }
        Interaction::ConditionalPatch(_) => {
            let first = first.ok_or_else(|| conditional::nothing_to_patch(criterion))?;
            step.request.interaction = Interaction::Patch(resource_type, first.id.clone());
            step.id = Some(first.id);
        }
        Interaction::ConditionalDelete(_) => match first {
            Some(first) => {
                step.request.interaction = Interaction::Delete(resource_type, first.id.clone());
                step.id = Some(first.id);
                step.further = found.map(|stored| stored.id).collect();
            }
            None => step.settled = Some(Response { status: 204, ..Response::default() }),
        },
        _ => {
            if let Some(first) = first {
                step.id = Some(first.id.clone());
                step.settled = Some(standing(context, first, returns(&step.request)));
            }
        }
    }
    Ok(())
}
