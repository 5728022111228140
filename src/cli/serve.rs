//! `brasa serve`: starts, says where it is and what to try, serves until it is told to stop.

use crate::app::Application;
use crate::config::{Auth, Settings};
use crate::error::{Error, Result};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

pub async fn run(settings: &Settings) -> Result<ExitCode> {
    let application = Application::build(settings, say).await?;
    let stopper = application.stopper();
    // Before anybody is told that it is there: who reads that may stop it at once.
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
    tell(&application, settings);
    let serving = application.run();
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        ended = &mut serving => ended?,
        _ = terminate.recv() => { stop(stopper, serving).await?; }
        _ = interrupt.recv() => { stop(stopper, serving).await?; }
    }
    Ok(ExitCode::SUCCESS)
}

async fn stop(
    stopper: crate::app::Stopper,
    serving: std::pin::Pin<&mut impl Future<Output = Result<()>>>,
) -> Result<()> {
    say("Stopping: what is under way may end.");
    let (ended, ()) = tokio::join!(serving, stopper.stop());
    ended?;
    say("Stopped.");
    Ok(())
}

#[allow(clippy::print_stderr)]
fn say(sentence: &str) {
    eprintln!("brasa: {sentence}");
}

fn tell(application: &Application, settings: &Settings) {
    let address = application.address;
    let database = match (&settings.database_url, application.on_citus()) {
        (None, _) => format!("an embedded PostgreSQL in {}", settings.data_dir.display()),
        (Some(_), true) => "a Citus cluster".to_owned(),
        (Some(_), false) => "the PostgreSQL of BRASA_DATABASE_URL".to_owned(),
    };
    say(&format!("FHIR R4 at http://{address}/fhir on {database}."));
    say("Try in another terminal:");
    say(&format!("  curl http://{address}/fhir/metadata?_pretty=true"));
    if settings.auth == Auth::On {
        say(&format!("  curl http://{address}/auth/login -d username=NAME --data-urlencode password@FILE"));
        say("Stop with Ctrl-C.");
        return;
    }
    say(&format!(
        "  curl -H 'Content-Type: application/fhir+json' -d '{{\"resourceType\":\"Patient\",\"name\":[{{\"family\":\"Pérez\"}}]}}' http://{address}/fhir/Patient"
    ));
    say("Stop with Ctrl-C.");
}
