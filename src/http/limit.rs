//! How often one account, one key or one address may ask, before it is told to wait.

use super::bucket::Buckets;
use super::client;
use crate::account::Caller;
use crate::config::{Network, Settings};
use crate::error::{Error, Kind, Result};
use actix_web::HttpRequest;
use std::net::IpAddr;
use std::time::Duration;

/// From one address, so many links by mail are asked for at once, and then one each two minutes: a house with many people
/// behind one address is not kept out, and whoever asks for all names of a list is.
const LINKS_BURST: u32 = 30;
const LINKS_PERIOD: Duration = Duration::from_secs(120);
const HOUR: Duration = Duration::from_secs(3600);

#[derive(PartialEq, Eq, Hash)]
enum Who {
    Account(String),
    Key(String),
    Address(IpAddr),
}

/// All bounds on how often, each for this server alone.
pub struct Limits {
    /// `None`: there is no bound.
    requests: Option<Buckets<Who>>,
    per_second: u32,
    links: Buckets<IpAddr>,
    registrations: Buckets<IpAddr>,
    /// Whose word about an address is taken.
    proxies: Vec<Network>,
}

impl Limits {
    pub fn new(settings: &Settings) -> Limits {
        let per_second = settings.requests_per_second_max;
        let period = Duration::from_secs(1).checked_div(per_second);
        let hourly = settings.registrations_per_hour_max.max(1);
        Limits {
            requests: period.map(|period| Buckets::new(period, settings.requests_burst_max)),
            per_second,
            links: Buckets::new(LINKS_PERIOD, LINKS_BURST),
            registrations: Buckets::new(HOUR / hourly, hourly),
            proxies: settings.trusted_proxies.clone(),
        }
    }

    /// The address that asks, as the audit tells it.
    pub fn address(&self, request: &HttpRequest) -> IpAddr {
        client::believed(request, &self.proxies)
    }

    /// One more request of whoever showed who that is: of a key on the key's account, of a session on its account's.
    pub fn request_of(&self, caller: &Caller) -> Result<()> {
        let (who, word) = match &caller.key {
            Some(key) => (Who::Key(key.clone()), "key"),
            None => (Who::Account(caller.account.id.clone()), "account"),
        };
        self.request(who, word)
    }

    /// One more request of somebody who did not.
    pub fn request_from(&self, request: &HttpRequest) -> Result<()> {
        if self.requests.is_none() {
            return Ok(());
        }
        self.request(Who::Address(client::address(request, &self.proxies)), "address")
    }

    fn request(&self, who: Who, word: &str) -> Result<()> {
        let Some(requests) = &self.requests else { return Ok(()) };
        let refused = |seconds| {
            let per_second = self.per_second;
            wait(
                seconds,
                &format!("This {word} asks more often than BRASA_REQUESTS_PER_SECOND_MAX={per_second} allows."),
            )
        };
        requests.take(who).map_err(refused)
    }

    pub fn link(&self, request: &HttpRequest) -> Result<()> {
        let refused = |seconds| wait(seconds, "Too many links were asked for from this address.");
        self.links.take(client::address(request, &self.proxies)).map_err(refused)
    }

    pub fn registration(&self, request: &HttpRequest) -> Result<()> {
        let refused = |seconds| wait(seconds, "Too many accounts were registered from this address.");
        self.registrations.take(client::address(request, &self.proxies)).map_err(refused)
    }
}

fn wait(retry_after_seconds: u32, why: &str) -> Error {
    let message = format!("{why} Try again in {retry_after_seconds} s.");
    Error::new(Kind::TooManyRequests { retry_after_seconds }, message)
}
