//! A batch: each entry succeeds or fails for itself, several at once but bounded. <https://hl7.org/fhir/R4/http.html#brules>

use super::super::request::Request;
use super::super::response::Response;
use super::super::route::Interaction;
use super::super::{Context, audit, single};
use super::{asks_for_head, entry_request, naming_members, returns, status_text, write_entry};
use crate::auth::Grant;
use crate::error::{Error, Kind, Result};
use crate::fhir::bundle::{Bundle, BundleWriter, Entry};
use crate::fhir::json::{Json, Object};
use crate::fhir::outcome::outcome_of;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;

pub async fn answer(context: &Context, grant: &Grant, request: &Request, bundle: &Bundle) -> Result<Response> {
    let head = Object::new().with_str("resourceType", "Bundle").with_str("type", "batch-response");
    let mut writer = BundleWriter::new(&head);
    let mut waiting = bundle.entries.iter().enumerate();
    let mut running = FuturesOrdered::new();
    loop {
        while running.len() < context.limits.batch_concurrency.max(1)
            && let Some((position, entry)) = waiting.next()
        {
            running.push_back(answer_entry(context, grant, request, position, entry));
        }
        let Some((position, answer)) = running.next().await else { break };
        match answer {
            Ok(response) => write_entry(&mut writer, &response)?,
            Err(error) => write_refusal(&mut writer, &error.within(&format!("Bundle.entry[{position}]")), &request.id),
        }
    }
    Ok(Response::of_body(200, writer.finish()))
}

async fn answer_entry(
    context: &Context,
    grant: &Grant,
    outer: &Request,
    position: usize,
    entry: &Entry,
) -> (usize, Result<Response>) {
    let answer = async {
        let mut request = entry_request(outer, entry)?;
        request.prefer.returns = Some(returns(outer));
        // Boxed: a batch inside a batch is refused, but the compiler sees the circle.
        let answer = single(context, grant, &request, None).await;
        audit::note(context, grant, &request, &answer).await?;
        let mut response = answer.map_err(|error| in_resource(naming_members(error), &request))?;
        response.body = response.body.filter(|_| !asks_for_head(entry));
        Ok(response)
    };
    (position, answer.await)
}

/// What a refusal names inside the body is inside the entry's resource; unless that is a patch, not what is patched.
fn in_resource(error: Error, request: &Request) -> Error {
    if matches!(request.interaction, Interaction::Patch(..)) {
        return error;
    }
    let resource_type = request.interaction.resource_type().map_or("", |resource_type| resource_type.as_str());
    error.relocated(|place| match place.strip_prefix(resource_type) {
        Some(rest) if rest.is_empty() || rest.starts_with('.') => format!("resource{rest}"),
        _ => place,
    })
}

fn write_refusal(writer: &mut BundleWriter, error: &Error, id: &str) {
    if let (Kind::Internal, Some(cause)) = (error.kind, &error.cause) {
        tracing::error!(id, cause, "an entry of a batch failed");
    }
    let response = Object::new()
        .with_str("status", status_text(error.kind.status()))
        .with("outcome", Json::Object(outcome_of(None, error.told())));
    writer.entry(None, None, &Object::new().with("response", response.into()));
}
