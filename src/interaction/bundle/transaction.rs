//! A transaction: all of it happens or nothing does. <https://hl7.org/fhir/R4/http.html#trules>

use super::super::request::{Request, Return};
use super::super::response::Response;
use super::super::write::{self, After, Change, Work};
use super::super::{Context, audit, reading};
use super::plan::{Plan, Step, place};
use super::{naming_members, returns, write_entry};
use crate::auth::Grant;
use crate::error::{Error, Result};
use crate::fhir::bundle::{Bundle, BundleWriter};
use crate::fhir::json::Object;
use crate::store::Reader;
use futures_util::future::BoxFuture;
use std::sync::Mutex;

pub async fn answer(
    context: &Context,
    grant: &Grant,
    request: &Request,
    bundle: &Bundle,
    receipt: Option<&str>,
) -> Result<Response> {
    let mut plan = Plan::read_entries(context, request, bundle).await.map_err(naming_members)?;
    let criteria = plan.criteria()?;
    if criteria.is_empty() {
        return carry_out(context, grant, request, &mut plan, receipt).await;
    }
    let lock = context.store.lock_criteria(grant, criteria).await?;
    let answered = carry_out(context, grant, request, &mut plan, receipt).await;
    lock.release().await;
    answered
}

async fn carry_out(
    context: &Context,
    grant: &Grant,
    request: &Request,
    plan: &mut Plan<'_>,
    receipt: Option<&str>,
) -> Result<Response> {
    plan.complete(context, context.store.reader(grant)).await.map_err(naming_members)?;
    let changes = plan.changes(context).map_err(naming_members)?;
    let (positions, changes): (Vec<usize>, Vec<Change>) = changes.into_iter().unzip();
    let mut answers: Vec<Option<Response>> = Vec::new();
    answers.resize_with(plan.steps.len(), || None);

    let has_reads = plan.steps.iter().any(Step::reads);
    let plan = &*plan;
    let reads = Reads { context, plan, answers: Mutex::default() };
    let lost = || Error::internal("a change is lost");
    let work = Work {
        changes: &changes,
        resource: &|change, standing| plan.resource(*positions.get(change).ok_or_else(lost)?, standing),
        keep_bodies: returns(request) == Return::Representation,
        after: has_reads.then_some(&reads),
        receipt,
    };
    let written = write::apply(context, grant, &work).await.map_err(naming_members)?;

    for ((position, change), written) in positions.iter().zip(&changes).zip(&written) {
        if let Some(answer) = answers.get_mut(*position) {
            *answer = Some(write::respond(written, change.intent, returns(request)));
        }
    }
    for (position, response) in reads.answers.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        if let Some(answer) = answers.get_mut(position) {
            *answer = Some(response);
        }
    }
    for (answer, step) in answers.iter_mut().zip(&plan.steps) {
        if let Some(settled) = &step.settled {
            *answer = Some(settled.clone());
        }
    }
    let asked = plan.steps.iter().map(|step| &step.request);
    let told: Vec<(&Request, &Response)> =
        asked.zip(&answers).filter_map(|(request, answer)| Some((request, answer.as_ref()?))).collect();
    audit::note_all(context, grant, &told).await?;
    Ok(Response::of_body(200, write_response(&answers)?))
}

/// The entries that only read, answered last and inside the transaction.
struct Reads<'a> {
    context: &'a Context,
    plan: &'a Plan<'a>,
    answers: Mutex<Vec<(usize, Response)>>,
}

impl After for Reads<'_> {
    fn run<'r>(&'r self, reader: Reader<'r>) -> BoxFuture<'r, Result<()>> {
        Box::pin(async move {
            let mut answers = Vec::new();
            for (position, step) in self.plan.steps.iter().enumerate().filter(|(_, step)| step.reads()) {
                let answer = reading(self.context, reader, &step.request).await;
                let mut answer = answer.map_err(|error| error.within(&place(position)))?;
                answer.body = answer.body.filter(|_| !step.is_head);
                answers.push((position, answer));
            }
            // Replaced as a whole: a transaction that lost a race reads again.
            *self.answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = answers;
            Ok(())
        })
    }
}

fn write_response(answers: &[Option<Response>]) -> Result<Vec<u8>> {
    let head = Object::new().with_str("resourceType", "Bundle").with_str("type", "transaction-response");
    let mut writer = BundleWriter::new(&head);
    for answer in answers {
        let answer = answer.as_ref().ok_or_else(|| Error::internal("an entry was not answered"))?;
        write_entry(&mut writer, answer)?;
    }
    Ok(writer.finish())
}
