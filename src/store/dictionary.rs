//! Dictionaries trained on this database's own bodies.

use super::Store;
use super::body::NUMBER_MAX;
use super::sqlstate::{Failure, Phase};
use crate::auth::Grant;
use crate::error::{Error, Result};

/// At most this many bodies are looked at when a dictionary is trained (rows).
pub const SAMPLES_MAX: i64 = 50_000;

/// A larger body holds an attachment: no other one is like it, and many would fill the memory.
const SAMPLE_BYTES_MAX: i32 = 65_536;

const ALL: &str = include_str!("../../sql/statements/dictionary/all.sql");
const ADD: &str = include_str!("../../sql/statements/dictionary/add.sql");
const SAMPLES: &str = include_str!("../../sql/statements/dictionary/samples.sql");

/// Whether a dictionary should be trained on this body.
pub fn is_sample(json: &[u8]) -> bool {
    i32::try_from(json.len()).is_ok_and(|bytes| bytes <= SAMPLE_BYTES_MAX)
}

impl Store {
    pub(super) async fn load_dictionaries(&self) -> Result<()> {
        let connection = self.nodes.coordinator().connect().await.map_err(Failure::into_error)?;
        let rows = connection.within(Phase::Statement, async { Ok(connection.client()?.query(ALL, &[]).await?) }).await;
        for row in rows.map_err(Failure::into_error)? {
            let number = u8::try_from(row.get::<_, i16>("id")).ok().filter(|number| *number <= NUMBER_MAX);
            match number {
                Some(number) if !self.codec.knows(number) => self.codec.add(number, row.get("bytes")),
                Some(_) => {}
                None => return Err(Error::internal("a dictionary's number is out of range")),
            }
        }
        Ok(())
    }

    /// Stored bodies to train on, as JSON: those that the database finds first.
    pub async fn dictionary_samples(&self, grant: &Grant) -> Result<Vec<Vec<u8>>> {
        grant.demand_everything()?;
        let connection = self.nodes.coordinator().connect().await.map_err(Failure::into_error)?;
        let rows = connection
            .within(Phase::Statement, async {
                Ok(connection.client()?.query(SAMPLES, &[&SAMPLES_MAX, &SAMPLE_BYTES_MAX]).await?)
            })
            .await
            .map_err(Failure::into_error)?;
        let mut samples = Vec::with_capacity(rows.len());
        for row in &rows {
            let json = self.decode(row.get("body")).await?;
            if is_sample(&json) {
                samples.push(json);
            }
        }
        Ok(samples)
    }

    /// Stores a trained dictionary under the next number and writes with it from now on.
    pub async fn add_dictionary(&self, grant: &Grant, bytes: &[u8]) -> Result<u8> {
        grant.demand_everything()?;
        let connection = self.nodes.coordinator().connect().await.map_err(Failure::into_error)?;
        let row = connection
            .within(Phase::Statement, async {
                Ok(connection.client()?.query_one(ADD, &[&bytes, &i16::from(NUMBER_MAX)]).await?)
            })
            .await
            .map_err(Failure::into_error)?;
        let number = u8::try_from(row.get::<_, i16>("id")).map_err(Error::internal)?;
        self.codec.add(number, bytes);
        Ok(number)
    }
}
