//! What the database says decides the answer, by SQLSTATE: each class of failure, raised by a real PostgreSQL.

use crate::support::database::TestDatabase;
use brasa::error::Kind;
use brasa::store::sqlstate::{Failure, Phase, classify};

#[tokio::test(flavor = "multi_thread")]
async fn every_sqlstate_has_the_reaction_that_its_class_demands() {
    const BUSY: Kind = Kind::Busy { retry_after_seconds: 1 };
    let database = TestDatabase::make().await;
    let client = database.connect().await;
    for (state, phase, sort, kind) in [
        ("40001", Phase::Statement, "raced", Kind::Conflict),
        ("40P01", Phase::Commit, "raced", Kind::Conflict),
        ("23505", Phase::Statement, "raced", Kind::Conflict),
        ("55P03", Phase::Statement, "other", BUSY),
        ("57014", Phase::Statement, "other", BUSY),
        ("53100", Phase::Statement, "other", BUSY),
        ("53300", Phase::Statement, "other", BUSY),
        ("57P01", Phase::Statement, "node down", BUSY),
        ("57P02", Phase::Statement, "node down", BUSY),
        ("57P03", Phase::Statement, "node down", BUSY),
        ("57P01", Phase::Commit, "node down", Kind::UnknownOutcome),
        ("08006", Phase::Statement, "part down", BUSY),
        ("08006", Phase::Commit, "part down", Kind::UnknownOutcome),
        ("XX000", Phase::Commit, "other", Kind::UnknownOutcome),
        ("XX000", Phase::Statement, "other", Kind::Internal),
        ("22012", Phase::Commit, "other", Kind::Internal),
    ] {
        let sql = format!("DO $$ BEGIN RAISE EXCEPTION 'as asked' USING ERRCODE = '{state}'; END $$");
        let fault = client.batch_execute(&sql).await.expect_err("it raises");
        let failure = classify(&fault, phase);
        let told = match &failure {
            Failure::Raced(_) => "raced",
            Failure::NodeDown(_) => "node down",
            Failure::PartDown(_) => "part down",
            Failure::Other(_) => "other",
        };
        let error = failure.into_error();
        assert_eq!((told, error.kind), (sort, kind), "{state} {phase:?}");
        assert!(!error.message.contains("as asked"), "{state}: the client reads nothing of the database's words");
        assert!(error.cause.is_some_and(|cause| cause.contains(state)), "{state}: the log has it");
    }
}
