//! `_filter`: conditions with and, or, not and parentheses. <https://hl7.org/fhir/R4/search_filter.html>

mod compare;
mod grammar;
#[cfg(test)]
mod tests;

use super::clause::Clause;
use super::query::{Compiler, Refused};
use crate::fhir::definitions::ResourceType;
use grammar::{Comparison, Filter, Step};

/// The condition of a filter on one type.
///
/// # Errors
/// For what is not a filter, with its position in the text.
pub(super) fn parse(compiler: &Compiler<'_>, on: ResourceType, text: &str) -> Result<Clause, Refused> {
    let filter = grammar::parse(text).map_err(Refused::Error)?;
    clause(compiler, on, &filter, 0)
}

fn clause(compiler: &Compiler<'_>, on: ResourceType, filter: &Filter<'_>, links: usize) -> Result<Clause, Refused> {
    let each = |filters: &[Filter<'_>]| -> Result<Vec<Clause>, Refused> {
        filters.iter().map(|filter| clause(compiler, on, filter, links)).collect()
    };
    match filter {
        Filter::All(filters) => Ok(Clause::All(each(filters)?)),
        Filter::Any(filters) => Ok(Clause::Any(each(filters)?)),
        Filter::Not(inner) => Ok(clause(compiler, on, inner, links)?.negated()),
        Filter::Comparison(comparison) => {
            let made = along(compiler, on, &comparison.steps, comparison, links);
            made.map_err(|refused| placed(refused, comparison.character))
        }
    }
}

/// Follows the path of a comparison.
fn along(
    compiler: &Compiler<'_>,
    on: ResourceType,
    steps: &[Step<'_>],
    comparison: &Comparison<'_>,
    links: usize,
) -> Result<Clause, Refused> {
    match steps.split_first() {
        None => compare::clause(compiler, on, comparison),
        Some((Step::Has { source, code }, rest)) => {
            let condition = |source| along(compiler, source, rest, comparison, links + 1);
            compiler.referring(on, source, code, links, &condition)
        }
        Some((Step::Chain { head, filter }, rest)) => compiler.chain(on, head, links, &|target| {
            let filter = filter.as_ref().map(|filter| clause(compiler, target, filter, links + 1)).transpose()?;
            let far = along(compiler, target, rest, comparison, links + 1)?;
            Ok(Clause::all(filter.into_iter().chain([far]).collect()))
        }),
    }
}

/// Says where in the text the matter is, unless it was said nearer to it.
fn placed(refused: Refused, character: usize) -> Refused {
    let place = |message: String| match message.starts_with(grammar::PLACE) {
        true => message,
        false => grammar::message_at(character, &message),
    };
    match refused {
        Refused::Ignorable(reason) => Refused::Ignorable(place(reason)),
        Refused::Unfinished(reason) => Refused::Unfinished(place(reason)),
        Refused::Error(mut error) => {
            error.message = place(error.message);
            Refused::Error(error)
        }
    }
}
