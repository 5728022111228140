//! The operations, one file each: what they are given, whom they answer what. <https://hl7.org/fhir/R4/operations.html>

mod code;
mod document;
mod everything;
mod expunge;
mod input;
mod lastn;
mod meta;
mod related;
mod statistic;
mod stats;
mod summary;
mod validate;
mod versions;
mod walk;

pub use code::Code;

use super::Context;
use super::request::Request;
use super::response::Response;
use super::route::Level;
use crate::auth::Grant;
use crate::error::{Error, Result};
use crate::store::Reader;

/// Answers an operation of a request of its own, or of an entry of a batch.
pub async fn answer(
    context: &Context,
    grant: &Grant,
    request: &Request,
    operation: Code,
    level: &Level,
) -> Result<Response> {
    match operation {
        Code::MetaAdd | Code::MetaDelete => meta::change(context, grant, request, operation, level).await,
        Code::Expunge => expunge::answer(context, grant, request, level).await,
        Code::Document => document::answer(context, grant, request, level).await,
        Code::Validate => validate::answer(context, grant, request, level).await,
        _ => read(context, context.store.reader(grant), request, operation, level).await,
    }
}

/// Answers one that only reads, inside a transaction or outside.
pub async fn read(
    context: &Context,
    reader: Reader<'_>,
    request: &Request,
    operation: Code,
    level: &Level,
) -> Result<Response> {
    match operation {
        Code::Document => document::read(context, reader, request, level).await,
        Code::Everything => everything::answer(context, reader, request, level).await,
        Code::Lastn => lastn::answer(context, reader, request).await,
        Code::Stats => stats::answer(context, reader, request).await,
        Code::Summary => summary::answer(context, reader, request, level).await,
        Code::Meta => meta::read(context, reader, request, level).await,
        Code::Versions => versions::answer(context, request),
        Code::Expunge | Code::MetaAdd | Code::MetaDelete | Code::Validate => {
            let message = "cannot be part of a transaction: send it by itself, or in a batch.";
            Err(Error::not_supported(format!("{} {message}", operation.name())))
        }
    }
}
