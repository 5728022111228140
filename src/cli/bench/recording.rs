//! What recording every access costs: a server that does beside one that does not, in one process, on the same database.

use super::content::{Requests, Row};
use super::floor::{Connection, Floor};
use super::load::{self, Target};
use super::report::{self, Side};
use super::{Meter, Options, print, say};
use crate::app::Application;
use crate::config::{DatabaseUrl, Settings};
use crate::error::{Error, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// `plain`: the server that records nothing.
pub async fn measure(
    options: &Options,
    settings: &Settings,
    plain: &Target,
    database: Connection,
    scratch: &Path,
) -> Result<()> {
    // The database of its own is reached by its socket, without a password.
    let url = settings.database_url.clone().or_else(|| DatabaseUrl::parse(database.conninfo()));
    let settings = Settings { audit: true, database_url: url, ..settings.clone() };
    let application = Application::build(&settings, say).await?;
    let (stopper, address) = (application.stopper(), application.address);
    let recorded = Target { address, requests: Arc::new(Requests::new(&address.to_string(), "/fhir")) };
    let serving = application.run();
    let mut serving = std::pin::pin!(serving);
    let measured = tokio::select! {
        measured = rows(options, plain, &recorded, database, scratch) => measured,
        ended = &mut serving => return ended.and(Err(Error::invalid("The server ended in the middle."))),
    };
    let (ended, ()) = tokio::join!(serving, stopper.stop());
    measured.and(ended)
}

async fn rows(
    options: &Options,
    plain: &Target,
    recorded: &Target,
    database: Connection,
    scratch: &Path,
) -> Result<()> {
    let (crowd, duration) = (options.crowd(), Duration::from_secs(options.seconds));
    say("Storing the patients that reads and updates are about.");
    load::prepare(plain, crowd).await?;
    let floor = Floor::bare(database, scratch);
    let meter = Meter::of(Some(&floor), true).await;
    print(&report::notes(options.clients, options.seconds, options.rounds));
    print("");
    print(report::HEAD_RECORDED);
    for row in Row::ALL.into_iter().filter(|row| options.wants(*row)) {
        let mut sides = [Side::default(), Side::default()];
        for _ in 0..options.rounds {
            for (side, target) in sides.iter_mut().zip([recorded, plain]) {
                floor.settle().await;
                let before = meter.read();
                let run = load::run(target, row, crowd, duration).await?;
                let (own, database) = meter.since(&before, run.client_cpu_us);
                side.add(run, own, database);
            }
        }
        let [mut recorded, mut plain] = sides;
        print(&report::line_recorded(row, &mut recorded, &mut plain));
    }
    Ok(())
}
