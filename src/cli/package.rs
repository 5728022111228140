//! `brasa package`: brings the definitions of a FHIR package into the database, where they are found by their addresses.

mod archive;

use super::load::grouped;
use crate::app::Engine;
use crate::auth;
use crate::config::Settings;
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::json::{Json, Object, parse};
use crate::interaction::request::{Conditions, Prefer, Request, Return};
use crate::interaction::route::Interaction;
use crate::interaction::{Context, handle};
use crate::store::embedded::Role;
use archive::BOUNDS;
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::mpsc;

/// What a package may bring without being asked for: what validation looks for.
const TYPES: &[ResourceType] =
    &[ResourceType::STRUCTURE_DEFINITION, ResourceType::VALUE_SET, ResourceType::CODE_SYSTEM];
/// The characters of a definition's own id that its id here begins with.
const ID_CHARS_MAX: usize = 47;
/// How often one is tried while the database is busy.
const ATTEMPTS_MAX: u32 = 6;
/// Definitions that are read ahead.
const AHEAD: usize = 4;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Store the profiles, value sets and code systems of packages; again, only what is new or changed.
    Add(Add),
}

#[derive(clap::Args)]
pub struct Add {
    /// Packages (.tgz), as HL7 publishes them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Store definitions of this type, too, such as SearchParameter or Questionnaire.
    #[arg(long = "also", value_name = "TYPE", value_parser = read_type)]
    also: Vec<ResourceType>,
}

fn read_type(name: &str) -> std::result::Result<ResourceType, String> {
    let found = ResourceType::parse(name)
        .filter(|of| crate::auth::types::group_of(*of) == Some(crate::auth::types::Group::Definitions));
    found.ok_or_else(|| "names a type of definitions, such as SearchParameter".to_owned())
}

/// A definition of a package.
struct Brought {
    file: String,
    resource_type: ResourceType,
    id: Id,
    object: Object,
}

/// What is known of a package before anything of it is stored.
struct Package {
    name: String,
    version: String,
    definitions: usize,
    /// Of other types, or without an address.
    left_out: usize,
}

#[derive(Default)]
struct Tally {
    stored: BTreeMap<&'static str, usize>,
    unchanged: usize,
    refused: usize,
}

pub async fn run(settings: &Settings, Command::Add(add): Command) -> Result<ExitCode> {
    let types: Vec<ResourceType> = TYPES.iter().chain(&add.also).copied().collect();
    // All are looked at before anything is stored: a package that is refused leaves nothing behind.
    let mut packages = Vec::new();
    for file in &add.files {
        packages.push(survey(file, &types, settings.json_depth_max)?);
    }
    let engine = Engine::open(settings, Role::Attach, say).await?;
    let mut is_whole = Ok(true);
    for (file, package) in add.files.iter().zip(&packages) {
        is_whole = match store(&engine.context, file, package, &types, settings.json_depth_max).await {
            Ok(tally) => {
                tell(package, &tally);
                is_whole.map(|whole| whole && tally.refused == 0)
            }
            Err(error) => Err(error),
        };
        if is_whole.is_err() {
            break;
        }
    }
    engine.close().await?;
    Ok(if is_whole? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Goes over a package without storing anything.
fn survey(path: &Path, types: &[ResourceType], depth_max: usize) -> Result<Package> {
    let (mut manifest, mut definitions, mut left_out) = (None, 0, 0);
    archive::each(path, BOUNDS, &mut |name, bytes| {
        let object = object(path, name, &bytes, depth_max)?;
        if name == "package/package.json" {
            manifest = Some(object);
        } else if brought(name, object, types).is_some() {
            definitions += 1;
        } else {
            left_out += 1;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let shown = path.display();
    let manifest = manifest
        .ok_or_else(|| Error::invalid(format!("{shown} is no FHIR package: it has no package/package.json.")))?;
    let text = |name: &str| manifest.get_str(name).map(str::to_owned);
    let (Some(name), Some(version)) = (text("name"), text("version")) else {
        return Err(Error::invalid(format!("{shown}: package/package.json says no name or no version.")));
    };
    let versions = manifest.get("fhirVersions").or_else(|| manifest.get("fhir-version-list"));
    let versions: Vec<&str> = versions.map(Json::items).unwrap_or_default().iter().filter_map(Json::as_str).collect();
    if !versions.is_empty() && !versions.iter().any(|version| version.starts_with("4.0")) {
        let message =
            format!("{name} {version} is for FHIR {}, and this server speaks R4 (4.0.1).", versions.join(", "));
        return Err(Error::invalid(message));
    }
    Ok(Package { name, version, definitions, left_out })
}

fn object(path: &Path, name: &str, bytes: &[u8], depth_max: usize) -> Result<Object> {
    let broken = |why: String| Error::invalid(format!("{}: {name} is broken: {why}", path.display()));
    match parse(bytes, depth_max) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(other) => Err(broken(format!("it is {}, not an object.", other.kind()))),
        Err(fault) => Err(broken(fault.message)),
    }
}

/// A file as a definition of one of these types; `None`: it is another one, or cannot be found by an address.
fn brought(file: &str, mut object: Object, types: &[ResourceType]) -> Option<Brought> {
    let resource_type = object.get_str("resourceType").and_then(ResourceType::parse).filter(|of| types.contains(of))?;
    let id = id_of(&object, object.get_str("url")?)?;
    let position = object.position("resourceType").map_or(0, |position| position + 1);
    object.set_at(position, "id", Json::string(id.as_str()));
    Some(Brought { file: file.to_owned(), resource_type, id, object: unversioned(object) })
}

/// Without what the server writes of a version.
fn unversioned(mut object: Object) -> Object {
    if let Some(Json::Object(meta)) = object.get_mut("meta") {
        meta.remove("versionId");
        meta.remove("lastUpdated");
        if meta.is_empty() {
            object.remove("meta");
        }
    }
    object
}

/// The same for the same address and version, whichever package brings it: its own id, and a hash of these.
fn id_of(object: &Object, url: &str) -> Option<Id> {
    let named = format!("{url}|{}", object.get_str("version").unwrap_or_default());
    let hash: String = Sha256::digest(named.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let is_of_ids = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
    let own: String =
        object.get_str("id").unwrap_or("definition").chars().filter(is_of_ids).take(ID_CHARS_MAX).collect();
    Id::parse(&format!("{own}-{hash}")).ok()
}

async fn store(
    context: &Context,
    path: &Path,
    package: &Package,
    types: &[ResourceType],
    depth_max: usize,
) -> Result<Tally> {
    let (sender, mut definitions) = mpsc::channel::<Brought>(AHEAD);
    let (file, wanted) = (path.to_owned(), types.to_vec());
    let reading = tokio::task::spawn_blocking(move || {
        archive::each(&file, BOUNDS, &mut |name, bytes| {
            let found = brought(name, object(&file, name, &bytes, depth_max)?, &wanted);
            let is_taken = found.is_none_or(|found| sender.blocking_send(found).is_ok());
            Ok(if is_taken { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })
    });
    let bar = ProgressBar::new(u64::try_from(package.definitions).unwrap_or_default());
    if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len}") {
        bar.set_style(style);
    }
    bar.set_prefix(package.name.clone());
    let mut tally = Tally::default();
    while let Some(one) = definitions.recv().await {
        match put(context, &one).await {
            Ok(true) => *tally.stored.entry(one.resource_type.as_str()).or_default() += 1,
            Ok(false) => tally.unchanged += 1,
            Err(error) if error.kind.status() < 500 => {
                tally.refused += 1;
                let place = error.expression.as_deref().unwrap_or_default();
                bar.suspend(|| say(&format!("{} is refused: {place}: {}", one.file, error.message)));
            }
            Err(error) => return Err(error),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    reading.await.map_err(Error::internal)??;
    Ok(tally)
}

/// Stores a definition unless it stands there already; whether it was stored.
async fn put(context: &Context, one: &Brought) -> Result<bool> {
    let grant = auth::of_server();
    let read = request(Interaction::Read(one.resource_type, one.id.clone()), Bytes::new());
    let standing = match attempt(async || handle(context, &grant, &read).await).await {
        Ok(response) => response.body,
        Err(error) if matches!(error.kind, Kind::NotFound | Kind::Gone) => None,
        Err(error) => return Err(error),
    };
    let standing = standing.and_then(|body| parse(&body, usize::MAX).ok());
    if let Some(Json::Object(standing)) = standing
        && unversioned(standing) == one.object
    {
        return Ok(false);
    }
    let update = request(Interaction::Update(one.resource_type, one.id.clone()), one.object.to_bytes().into());
    attempt(async || handle(context, &grant, &update).await).await?;
    Ok(true)
}

/// Tries again while the database is busy.
async fn attempt<T>(asked: impl AsyncFn() -> Result<T>) -> Result<T> {
    let mut number = 1;
    loop {
        match asked().await {
            Err(Error { kind: Kind::Busy { retry_after_seconds }, .. }) if number < ATTEMPTS_MAX => {
                tokio::time::sleep(Duration::from_secs(u64::from(retry_after_seconds.max(number)))).await;
                number += 1;
            }
            answer => return answer,
        }
    }
}

fn request(interaction: Interaction, body: Bytes) -> Request {
    Request {
        interaction,
        query: Vec::new(),
        conditions: Conditions::default(),
        prefer: Prefer { returns: Some(Return::Minimal), strict: false },
        base: String::new(),
        body,
        id: "package".to_owned(),
    }
}

fn tell(package: &Package, tally: &Tally) {
    let stored: Vec<String> = tally.stored.iter().map(|(of, count)| format!("{} {of}", grouped(*count))).collect();
    let stored = if stored.is_empty() { "nothing".to_owned() } else { stored.join(", ") };
    say(&format!(
        "{} {}: stored {stored}; {} unchanged, {} refused, {} left out (other types, or without an address).",
        package.name,
        package.version,
        grouped(tally.unchanged),
        grouped(tally.refused),
        grouped(package.left_out)
    ));
}

#[allow(clippy::print_stderr)]
fn say(sentence: &str) {
    eprintln!("brasa: {sentence}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(text: &str) -> Object {
        parse(text.as_bytes(), 16).unwrap().as_object().unwrap().clone()
    }

    #[test]
    fn an_id_is_the_same_for_the_same_address_and_version_and_fits() {
        let of = |text: &str| {
            let object = definition(text);
            id_of(&object, object.get_str("url").unwrap()).unwrap()
        };
        let one = of(r#"{"id":"us-core-patient","url":"http://x/p","version":"1"}"#);
        assert_eq!(one, of(r#"{"version":"1","url":"http://x/p","id":"us-core-patient","status":"active"}"#));
        assert!(one.as_str().starts_with("us-core-patient-"), "{one}");
        assert_ne!(one, of(r#"{"id":"us-core-patient","url":"http://x/p","version":"2"}"#));
        assert_ne!(one, of(r#"{"id":"us-core-patient","url":"http://y/p","version":"1"}"#));
        let long = of(&format!(r#"{{"id":"{}_é","url":"http://x/p"}}"#, "a".repeat(60)));
        assert_eq!(long.as_str().len(), 64);
    }

    #[test]
    fn only_definitions_with_an_address_of_the_types_that_are_asked_for_are_brought() {
        let value_set = r#"{"resourceType":"ValueSet","id":"v","meta":{"versionId":"3","lastUpdated":"2020-01-01T00:00:00Z"},"url":"http://x/v"}"#;
        let found = brought("f", definition(value_set), TYPES).unwrap();
        assert!(found.object.get("meta").is_none() && found.object.get_str("id") == Some(found.id.as_str()));
        for text in [
            r#"{"resourceType":"ValueSet","id":"v"}"#,
            r#"{"resourceType":"Patient","id":"v","url":"http://x/v"}"#,
            r#"{"name":"package"}"#,
        ] {
            assert!(brought("f", definition(text), TYPES).is_none(), "{text}");
        }
        assert!(read_type("SearchParameter").is_ok() && read_type("Patient").is_err());
    }
}
