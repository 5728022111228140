//! `brasa policy explain`: what the table of rights means for one account and one request, on the configured database.

use super::{operations, which};
use crate::account::{Standing, standing_of};
use crate::app::Engine;
use crate::auth::policy::{Permission, Rule, Types, rules};
use crate::auth::scope::ResourceScope;
use crate::auth::sight::Sight;
use crate::config::{Auth, Settings};
use crate::error::{Error, Result};
use crate::fhir::definitions::ResourceType;
use crate::interaction::operation::Code;
use crate::interaction::request::{Conditions, Method, Prefer, Request, form_urlencoded};
use crate::interaction::route::{Interaction, route};
use crate::interaction::{Context, handle};
use crate::search::query::Scope;
use crate::store::HistoryScope;
use crate::store::embedded::Role;
use bytes::Bytes;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Arguments {
    /// The account's user name.
    user: String,
    /// GET, HEAD, POST, PUT, PATCH or DELETE.
    method: String,
    /// An address of FHIR, such as `Observation?code=8302-2`, `/fhir/Patient/p1` or a whole one.
    url: String,
    /// What a client that acts for the account was allowed, such as `patient/*.rs`.
    #[arg(long, value_name = "SCOPES")]
    scopes: Option<String>,
}

/// What was found out, line by line, and the verdict.
struct Explained {
    lines: Vec<String>,
    is_allowed: bool,
}

pub async fn run(settings: Result<Settings>, arguments: &Arguments) -> Result<ExitCode> {
    match with_settings(settings, arguments).await {
        Ok(explained) => {
            explained.lines.iter().for_each(|line| print(line));
            Ok(ExitCode::from(u8::from(!explained.is_allowed)))
        }
        // Not 1, which says that the request is denied.
        Err(error) => {
            say(&error.to_string());
            error.cause.iter().for_each(|cause| say(cause));
            Ok(ExitCode::from(2))
        }
    }
}

async fn with_settings(settings: Result<Settings>, arguments: &Arguments) -> Result<Explained> {
    let settings = settings?;
    if settings.auth == Auth::Off {
        say("A server with BRASA_AUTH=off asks nobody who it is. What follows holds with BRASA_AUTH=on.");
    }
    let engine = Engine::open(&settings, Role::Attach, |_| ()).await?;
    let explained = explain(&engine.context, arguments).await;
    engine.close().await?;
    explained
}

async fn explain(context: &Context, arguments: &Arguments) -> Result<Explained> {
    let method = Method::parse(&arguments.method.to_ascii_uppercase());
    let method = method.ok_or_else(|| Error::invalid("The method is one of GET, HEAD, POST, PUT, PATCH, DELETE."))?;
    let (path, query) = relative(&arguments.url)?;
    let interaction = route(method, path, query)?;
    if let Some(scopes) = &arguments.scopes
        && let Some(unknown) = scopes.split(' ').find(|scope| ResourceScope::parse(scope).is_none())
    {
        say(&format!("'{unknown}' is no scope about resources and gives no right."));
    }
    let standing = standing_of(&context.store, &arguments.user, arguments.scopes.as_deref()).await?;
    let standing = standing.ok_or_else(|| Error::not_found(format!("There is no account {}.", arguments.user)))?;
    let mut lines = vec![who(&standing), format!("The request is {}.", interaction.name())];
    if standing.account.disabled {
        lines.push("DENIED: the account is disabled, so none of its sessions and keys is valid (401).".to_owned());
        return Ok(Explained { lines, is_allowed: false });
    }
    let query = form_urlencoded(query)?;
    let mut is_allowed = decide(&standing, &interaction, &query, &mut lines)?;
    if is_allowed && matches!(interaction, Interaction::Read(..) | Interaction::Vread(..)) {
        is_allowed = is_there(context, &standing, interaction, &mut lines).await?;
    }
    lines.push(if is_allowed { "ALLOWED".to_owned() } else { "DENIED".to_owned() });
    Ok(Explained { lines, is_allowed })
}

/// Path and query under the FHIR endpoint.
fn relative(url: &str) -> Result<(&str, &str)> {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => url.trim_start_matches('/'),
    };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let below = ["fhir/R4", "fhir"].into_iter().find_map(|prefix| path.strip_prefix(prefix));
    match below {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => Ok((rest, query)),
        _ if path == "auth" || path.starts_with("auth/") => {
            Err(Error::invalid("Only addresses of FHIR are explained. Who may use /auth says docs/SECURITY.md."))
        }
        _ => Ok((path, query)),
    }
}

fn who(standing: &Standing) -> String {
    let Standing { account, access, .. } = standing;
    let mut text = format!("{} is {}", account.username, account.role);
    if access.role.is_none() {
        text.push_str(", which is no role that this version knows");
    }
    if let Some(duties) = &access.duties {
        let names: Vec<&str> = duties.iter().map(|duty| duty.as_str()).collect();
        let names = if names.is_empty() { "none in force".to_owned() } else { names.join(", ") };
        text.push_str(&format!(", with the duties: {names}"));
    }
    for (kind, id) in [("Patient", &account.patient), ("Practitioner", &account.practitioner)] {
        text.push_str(&id.as_ref().map_or_else(String::new, |id| format!(", linked to {kind}/{id}")));
    }
    text + "."
}

/// What an interaction needs: all of these, each for one type at least of those that it names.
fn needs(interaction: &Interaction, query: &[(String, String)]) -> Vec<(Permission, Vec<ResourceType>)> {
    use Permission::{Create, Delete, Read, Search, Update};
    let named = || {
        let types = query.iter().filter(|(name, _)| name == "_type").flat_map(|(_, value)| value.split(','));
        let types: Vec<ResourceType> = types.filter_map(ResourceType::parse).collect();
        if types.is_empty() { ResourceType::all().collect() } else { types }
    };
    match interaction {
        Interaction::Read(of, _) | Interaction::Vread(of, ..) | Interaction::History(HistoryScope::Instance(of, _)) => {
            vec![(Read, vec![*of])]
        }
        Interaction::Create(of) => vec![(Create, vec![*of])],
        Interaction::Update(of, _) | Interaction::Patch(of, _) => vec![(Update, vec![*of])],
        Interaction::Delete(of, _) => vec![(Delete, vec![*of])],
        Interaction::ConditionalUpdate(of) | Interaction::ConditionalPatch(of) => {
            vec![(Search, vec![*of]), (Update, vec![*of])]
        }
        Interaction::ConditionalDelete(of) => vec![(Search, vec![*of]), (Delete, vec![*of])],
        Interaction::History(HistoryScope::Type(of)) | Interaction::Search(Scope::Type(of)) => {
            vec![(Search, vec![*of])]
        }
        Interaction::Search(Scope::Compartment { inner: Some(of), .. }) => vec![(Search, vec![*of])],
        Interaction::Search(Scope::System | Scope::Compartment { inner: None, .. })
        | Interaction::History(HistoryScope::System) => vec![(Search, named())],
        Interaction::Operation(operation, level) => operations::needs(*operation, level),
        Interaction::Capabilities
        | Interaction::Definition(_)
        | Interaction::Bundle
        | Interaction::Reindex(_)
        | Interaction::ReindexStatus
        | Interaction::Accesses(_) => Vec::new(),
    }
}

fn decide(
    standing: &Standing,
    interaction: &Interaction,
    query: &[(String, String)],
    lines: &mut Vec<String>,
) -> Result<bool> {
    match interaction {
        interaction if interaction.is_open() => lines.push("It is open to everybody.".to_owned()),
        Interaction::Bundle => {
            lines.push("Each entry is decided by itself: explain it by its own method and address.".to_owned());
        }
        Interaction::Reindex(_) | Interaction::ReindexStatus | Interaction::Operation(Code::Expunge, _) => {
            lines.push("It is for administrators who logged in themselves, without scopes.".to_owned());
            return Ok(standing.access.may_administer());
        }
        Interaction::Operation(operation, level) => lines.extend(operations::told(*operation, level)),
        Interaction::Accesses(patient) => {
            lines.push("It is for the patient and for whoever may search for AuditEvents.".to_owned());
            let own = standing.access.sight(Permission::Read, ResourceType::PATIENT) == Sight::About(patient.clone());
            return Ok(own || standing.access.sight(Permission::Search, ResourceType::AUDIT_EVENT) == Sight::All);
        }
        _ => {}
    }
    // Whom a deleted resource was about no index knows: a history of many is there only where all may be seen.
    let wants_all = matches!(interaction, Interaction::History(HistoryScope::Type(_) | HistoryScope::System));
    let mut is_allowed = true;
    for (permission, types) in needs(interaction, query) {
        let mut some = false;
        for of in &types {
            let sight = standing.access.sight(permission, *of);
            let is_open = if wants_all { sight == Sight::All } else { sight != Sight::None };
            // Of a search of everything, what is closed would be a long list.
            if is_open || types.len() == 1 {
                lines.extend(of_type(standing, permission, *of, &sight));
            }
            if wants_all && !is_open && types.len() == 1 && sight != Sight::None {
                lines.push("  A history of a whole type is there only where all of it may be seen.".to_owned());
            }
            some |= is_open;
        }
        is_allowed &= some;
    }
    match interaction {
        Interaction::Update(of, _) | Interaction::ConditionalUpdate(of) => {
            lines.push("Where there is none yet, it also needs:".to_owned());
            let sight = standing.access.sight(Permission::Create, *of);
            lines.extend(of_type(standing, Permission::Create, *of, &sight));
        }
        Interaction::Search(_) => {
            lines.push("What it includes, or chains to, is seen as far as a search for it would see.".to_owned());
        }
        _ => {}
    }
    Ok(is_allowed)
}

fn of_type(standing: &Standing, permission: Permission, of: ResourceType, sight: &Sight) -> Vec<String> {
    let access = &standing.access;
    let mut lines = vec![format!("{} ({}) {of}:", verb(permission), permission.letter())];
    let who = access.who();
    let rows: Vec<&Rule> = rules(&who, permission, of).collect();
    if rows.is_empty() {
        lines.push("  no row of the table".to_owned());
    }
    lines.extend(rows.iter().map(|rule| {
        let types = match rule.types {
            Types::All(group) => group.as_str(),
            Types::Named(_) => "the types named there",
        };
        format!("  row: {} | {} | {} | {types}", rule.who.as_str(), rule.may, which(rule))
    }));
    if let Some(client) = &access.client {
        let lent = client.scopes.sight(client.patient.as_ref(), permission, of);
        lines.push(format!("  scopes: {}", words(&lent)));
    }
    lines.push(format!("  filter: {}", words(sight)));
    lines
}

fn verb(permission: Permission) -> &'static str {
    match permission {
        Permission::Create => "create",
        Permission::Read => "read",
        Permission::Update => "update",
        Permission::Delete => "delete",
        Permission::Search => "search",
    }
}

fn words(sight: &Sight) -> String {
    let list = |sights: &[Sight], word: &str| format!("({})", sights.iter().map(words).collect::<Vec<_>>().join(word));
    match sight {
        Sight::All => "all".to_owned(),
        Sight::None => "nothing".to_owned(),
        Sight::About(patient) => format!("what is about Patient/{patient}"),
        Sight::ReferredToBy(patient) => format!("what the record of Patient/{patient} refers to"),
        Sight::Found(search) => format!("what the search `{search}` finds"),
        Sight::Each(sights) => list(sights, " and "),
        Sight::Any(sights) => list(sights, " or "),
    }
}

/// Asks for the resource as the account would.
async fn is_there(
    context: &Context,
    standing: &Standing,
    interaction: Interaction,
    lines: &mut Vec<String>,
) -> Result<bool> {
    let request = Request {
        interaction,
        query: Vec::new(),
        conditions: Conditions::default(),
        prefer: Prefer::default(),
        base: String::new(),
        body: Bytes::new(),
        id: "explain".to_owned(),
    };
    match handle(context, &standing.grant, &request).await {
        Ok(_) => lines.push("This one is within the filter.".to_owned()),
        Err(error) if error.kind.status() == 410 => {
            lines.push("This one is within the filter, and deleted.".to_owned())
        }
        Err(error) if error.kind.status() == 404 => {
            lines.push("This one is not there or not within the filter, which is one and the same (404).".to_owned());
            return Ok(false);
        }
        Err(error) => return Err(error),
    }
    Ok(true)
}

#[allow(clippy::print_stdout)]
fn print(line: &str) {
    println!("{line}");
}

#[allow(clippy::print_stderr)]
fn say(sentence: &str) {
    eprintln!("brasa: {sentence}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_with_or_without_what_stands_before_it() {
        for url in ["Patient/p?_pretty=true", "/Patient/p?_pretty=true", "/fhir/Patient/p?_pretty=true"] {
            let (path, query) = relative(url).unwrap();
            assert_eq!((path.trim_start_matches('/'), query), ("Patient/p", "_pretty=true"), "{url}");
        }
        assert_eq!(relative("https://a.example/fhir/R4/Patient?x=y://z").unwrap(), ("/Patient", "x=y://z"));
        assert_eq!(relative("https://a.example").unwrap(), ("", ""));
        assert!(relative("/auth/users").is_err());
    }
}
