//! One record: an access as it happened, allowed or refused.

use crate::auth::agent::{Agent, Origin};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The longest text of a client's that a record keeps (characters): a query, a reason, a program's name.
pub const TEXT_MAX: usize = 4_096;

/// An access. What it was about is named, never shown: no content, no name of a patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When it was answered.
    #[serde(with = "microseconds")]
    pub recorded: DateTime<Utc>,
    /// Leads to the log's lines and to the answer's `X-Request-Id`.
    pub request: String,
    pub agent: Agent,
    /// FHIR's word, such as `read` or `search-type`, or what else it was, such as `log-in`.
    pub interaction: String,
    pub what: What,
    /// The patient whose record it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
    /// The HTTP status of the answer, or of the entry of a Bundle.
    pub status: u16,
}

/// What was used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct What {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// Of a search, its address under the base as it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Of what was removed for good: how many of which type, and the hash over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<String>,
}

/// An access that is to be recorded: one record for each patient whose record it was about, or one without.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// As [`Record::interaction`].
    pub interaction: String,
    pub what: What,
    pub patients: Vec<String>,
    pub status: u16,
}

impl Access {
    /// Its records, each at its time.
    pub fn records<'a>(
        &'a self,
        origin: &'a Origin,
        mut recorded: impl FnMut() -> DateTime<Utc> + 'a,
    ) -> impl Iterator<Item = Record> + 'a {
        let patients = self.patients.iter().map(|patient| Some(patient.clone()));
        let nobody = self.patients.is_empty().then_some(None);
        patients.chain(nobody).map(move |patient| Record {
            recorded: recorded(),
            request: origin.request.clone(),
            agent: origin.agent.clone(),
            interaction: self.interaction.clone(),
            what: self.what.clone(),
            patient,
            status: self.status,
        })
    }
}

/// A time as microseconds since 1970 UTC: one number has one writing.
mod microseconds {
    use super::{DateTime, Deserialize, Utc};
    use serde::{Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.timestamp_micros())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
        let microseconds = i64::deserialize(deserializer)?;
        DateTime::from_timestamp_micros(microseconds).ok_or_else(|| D::Error::custom("no time"))
    }
}

/// SHA-256 of a record as it is stored.
pub type Hash = [u8; 32];

impl Record {
    /// As it is stored, and never written anew: what it hashes to is what was written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(&self.bounded()).map_err(Error::internal)
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Record> {
        serde_json::from_slice(bytes).map_err(Error::internal)
    }

    fn bounded(&self) -> Record {
        let cut = |text: &String| text.chars().take(TEXT_MAX).collect::<String>();
        let mut record = self.clone();
        let agent = &mut record.agent;
        for text in [&mut agent.reason, &mut agent.client, &mut agent.name, &mut record.what.query] {
            *text = text.as_ref().map(cut);
        }
        record
    }
}

pub fn hash(stored: &[u8]) -> Hash {
    Sha256::digest(stored).into()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn read() -> Record {
        Record {
            recorded: DateTime::parse_from_rfc3339("2026-11-29T18:00:00.125Z").unwrap().to_utc(),
            request: "r1".into(),
            agent: Agent {
                account: Some("a1".into()),
                name: Some("soto".into()),
                role: Some("practitioner".into()),
                link: Some("Practitioner/d".into()),
                address: Some("192.0.2.7".into()),
                ..Agent::default()
            },
            interaction: "read".into(),
            what: What {
                resource_type: Some("Observation".into()),
                id: Some("x".into()),
                version: Some(2),
                ..What::default()
            },
            patient: Some("p".into()),
            status: 200,
        }
    }

    #[test]
    fn a_record_is_what_was_stored_of_it() {
        let bytes = read().to_bytes().unwrap();
        assert_eq!(Record::from_bytes(&bytes).unwrap(), read());
        assert_eq!(hash(&bytes), hash(&read().to_bytes().unwrap()));
        let mut other = read();
        other.patient = Some("q".into());
        assert_ne!(hash(&bytes), hash(&other.to_bytes().unwrap()));
        assert!(Record::from_bytes(b"{}").is_err());
    }

    #[test]
    fn what_a_client_says_is_kept_up_to_a_bound() {
        let mut record = read();
        record.what.query = Some("é".repeat(TEXT_MAX + 1));
        let kept = Record::from_bytes(&record.to_bytes().unwrap()).unwrap();
        assert_eq!(kept.what.query.unwrap().chars().count(), TEXT_MAX);
    }
}
