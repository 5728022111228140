//! `brasa keys`: the keys that sign access tokens, listed and replaced.

use crate::account::{list_keys, rotate_keys};
use crate::app::Engine;
use crate::config::Settings;
use crate::error::Result;
use crate::store::embedded::Role;
use chrono::SecondsFormat;
use std::process::ExitCode;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Make a new key: it signs from now on; tokens of the old one stay valid until they expire.
    Rotate,
    /// List the keys, the newest first.
    List,
}

pub async fn run(settings: &Settings, command: Command) -> Result<ExitCode> {
    let engine = Engine::open(settings, Role::Attach, say).await?;
    let ended = with_database(&engine, command).await;
    engine.close().await?;
    ended
}

async fn with_database(engine: &Engine, command: Command) -> Result<ExitCode> {
    let store = &engine.context.store;
    match command {
        Command::Rotate => {
            let id = rotate_keys(store).await?;
            say(&format!("Key {id} signs from now on. Running servers take it up within a minute."));
        }
        Command::List => {
            for key in list_keys(store).await? {
                let instant = |time: chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
                let state = match (key.retired.map(instant), key.verifies) {
                    (None, _) => "signs".to_owned(),
                    (Some(retired), true) => format!("verifies, retired {retired}"),
                    (Some(retired), false) => format!("out of use, retired {retired}"),
                };
                print(&format!("{}  made {}  {state}", key.id, instant(key.created)));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::print_stdout)]
fn print(line: &str) {
    println!("{line}");
}

#[allow(clippy::print_stderr)]
fn say(sentence: &str) {
    eprintln!("brasa: {sentence}");
}
