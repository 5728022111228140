//! An OpenID Connect provider outside, whose access tokens are taken: where its keys are, and the keys as they were last read.
//! <https://openid.net/specs/openid-connect-discovery-1_0.html>

use crate::auth::outside::{self, Expected, Mapping, Person};
use crate::auth::token::Refusal;
use crate::config::OutsideIssuer;
use crate::error::{Error, Result};
use chrono::Utc;
use jsonwebtoken::jwk::JwkSet;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long the provider may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Keys are read again after so long, and when a token names one that is not known, but no more often than `REST`.
const LIFE: Duration = Duration::from_secs(600);
const REST: Duration = Duration::from_secs(10);
/// A document is no longer than this (bytes).
const DOCUMENT_BYTES_MAX: usize = 512 * 1024;

pub struct Issuer {
    address: String,
    audience: String,
    mapping: Mapping,
    client: reqwest::Client,
    known: RwLock<Option<(Instant, Arc<JwkSet>)>>,
    /// When the keys were last asked for. One asks; the others wait for what it learns.
    asked: Mutex<Option<Instant>>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Issuer {
    pub fn new(settings: &OutsideIssuer) -> Result<Issuer> {
        // No redirect: what is configured is asked, and nothing else.
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(Error::internal)?;
        let mapping = Mapping {
            role: settings.role_claim.clone(),
            patient: settings.patient_claim.clone(),
            practitioner: settings.practitioner_claim.clone(),
            words: settings.roles.clone(),
        };
        let (address, audience) = (settings.address.clone(), settings.audience.clone());
        Ok(Issuer { address, audience, mapping, client, known: RwLock::default(), asked: Mutex::default() })
    }

    /// Whether a token says that it is of this provider.
    pub fn is_of(&self, token: &str) -> bool {
        outside::is_of(&self.address, token)
    }

    /// How a person of the provider is called where accounts have ids.
    pub fn account_of(&self, person: &Person) -> String {
        format!("{}#{}", self.address, person.subject)
    }

    /// Who it is. `None`: the token is worth nothing.
    ///
    /// # Errors
    /// 503: the provider's keys are needed and cannot be read.
    pub async fn person(&self, token: &str) -> Result<Option<Person>> {
        let id = outside::key_id(token);
        let keys = self.keys(id.as_deref()).await?;
        let expected = Expected { issuer: &self.address, audience: &self.audience, now: Utc::now().timestamp() };
        let told = |refusal: Refusal| tracing::debug!(?refusal, "a token of the provider outside was refused");
        Ok(outside::verify(&keys, token, expected, &self.mapping).map_err(told).ok())
    }

    fn known(&self) -> Option<(Instant, Arc<JwkSet>)> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys, with the one of this id if the provider has it.
    async fn keys(&self, id: Option<&str>) -> Result<Arc<JwkSet>> {
        let is_enough = |(read, keys): &(Instant, Arc<JwkSet>)| {
            read.elapsed() < LIFE && id.is_none_or(|id| keys.find(id).is_some())
        };
        if let Some((_, keys)) = self.known().filter(is_enough) {
            return Ok(keys);
        }
        let mut asked = self.asked.lock().await;
        let known = self.known();
        let has_rested = asked.is_none_or(|asked| asked.elapsed() >= REST);
        if let Some((_, keys)) = known.as_ref().filter(|known| is_enough(known) || !has_rested) {
            return Ok(Arc::clone(keys));
        }
        *asked = Some(Instant::now());
        match self.read().await {
            Ok(keys) => {
                let keys = Arc::new(keys);
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::clone(&keys)));
                Ok(keys)
            }
            Err(error) => {
                tracing::warn!(cause = error.cause.as_deref(), "the keys of BRASA_OIDC_ISSUER cannot be read");
                // Keys that were right a while ago are better than nobody coming in.
                known.map(|(_, keys)| keys).ok_or(error)
            }
        }
    }

    async fn read(&self) -> Result<JwkSet> {
        let address = format!("{}/.well-known/openid-configuration", self.address.trim_end_matches('/'));
        let discovery: Discovery = self.document(&address).await?;
        if discovery.issuer != self.address {
            return Err(away("the provider calls itself by another address than BRASA_OIDC_ISSUER"));
        }
        let is_plain = |address: &str| address.starts_with("http://");
        let is_safe =
            discovery.jwks_uri.starts_with("https://") || is_plain(&self.address) && is_plain(&discovery.jwks_uri);
        if !is_safe {
            return Err(away("the provider's keys are not at an https address"));
        }
        self.document(&discovery.jwks_uri).await
    }

    async fn document<T: DeserializeOwned>(&self, address: &str) -> Result<T> {
        let mut response = self.client.get(address).send().await.map_err(away)?;
        if !response.status().is_success() {
            return Err(away(format!("{address} answers {}", response.status())));
        }
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(away)? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > DOCUMENT_BYTES_MAX {
                return Err(away(format!("{address} answers more than {DOCUMENT_BYTES_MAX} bytes")));
            }
        }
        serde_json::from_slice(&bytes).map_err(away)
    }
}

fn away(cause: impl std::fmt::Display) -> Error {
    let message = "The provider that knows this account does not answer. Try again.";
    Error { message: message.to_owned(), ..Error::busy(5).caused_by(cause.to_string()) }
}
