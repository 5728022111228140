//! A person starts an app from within a record system, with the patient who is open there: SMART's launch from an EHR.
//! <https://hl7.org/fhir/smart-app-launch/app-launch.html#launch-app-ehr-launch>

use super::client::BACKEND;
use crate::account::Accounts;
use crate::account::authenticate::Caller;
use crate::auth::smart::wish;
use crate::auth::token;
use crate::error::{Error, Result};
use crate::store::Store;
use chrono::Utc;
use serde::{Deserialize, Serialize};

/// So soon the app must ask (s).
pub const LAUNCH_SECONDS: i64 = 300;
const LAUNCH_TYPE: &str = "brasa-launch+jwt";

/// Who started which app for whom. It opens nothing: that person is asked still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The account of the person, who alone can go on.
    pub sub: String,
    pub client: String,
    pub patient: String,
    exp: i64,
}

impl Accounts {
    /// What the app is to be opened with, as `launch`. The person must see the patient, and the app must be one that is started so.
    pub async fn launch(&self, store: &Store, caller: &Caller, client: &str, patient: &str) -> Result<String> {
        caller.demand_session()?;
        let row = self.tables.client(client).await?.filter(|row| !row.disabled && row.kind != BACKEND);
        if !row.is_some_and(|row| wish::has(&row.scopes, "launch")) {
            let message = "There is no app with this id that has the scope `launch`.";
            return Err(Error::invalid(message).at("client_id"));
        }
        let seen = self.seen_patient(store, &caller.grant, patient).await?;
        let patient =
            seen.ok_or_else(|| Error::invalid("There is no patient with this id whom you may see.").at("patient"))?;
        let exp = Utc::now().timestamp().saturating_add(LAUNCH_SECONDS);
        let launch = Launch { sub: caller.account.id.clone(), client: client.to_owned(), patient, exp };
        token::seal(&self.ring.keys(), LAUNCH_TYPE, &launch)
    }

    /// What was made of a person's start of this client, if it was one and a moment ago.
    pub(super) async fn read_launch(&self, text: &str, client: &str) -> Result<Option<Launch>> {
        let Some(id) = token::key_id(text) else { return Ok(None) };
        let keys = self.ring.with(&self.tables, &id).await?;
        let launch = token::open::<Launch>(&keys, LAUNCH_TYPE, text).ok();
        Ok(launch.filter(|launch| launch.client == client && launch.exp > Utc::now().timestamp()))
    }
}
