//! Looks now and then whether another server's clients have changed a SearchParameter, or a profile that is in use.

use crate::interaction::Context;
use std::sync::Arc;
use std::time::Duration;

/// How often. A parameter that is new is not filled before every server has looked.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Never ends.
pub async fn keep(context: Arc<Context>) {
    let mut failed = false;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let parameters = context.parameters.sync(&context.store).await;
        let profiles = context.profiles.sync(&context.store).await;
        let answer = parameters.and(profiles);
        // Told once, not every few seconds as long as a part of the database is down.
        if let Some(error) = answer.as_ref().err().filter(|_| !failed) {
            tracing::warn!(cause = error.cause.as_deref(), "could not read the search parameters or profiles");
        }
        failed = answer.is_err();
    }
}
