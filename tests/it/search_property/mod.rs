//! Searches over HTTP find what a plain evaluation in memory finds: random questions about a world of random resources.
//! <https://hl7.org/fhir/R4/search.html>
//!
//! `BRASA_TEST_SEED=7,8,9` (or `100..150`) asks other worlds than the usual ones; a failure names its seed.

mod asker;
mod clinical;
mod filter;
mod order;
mod people;
mod question;
mod random;
mod records;
mod values;
mod walk;
mod world;

use crate::support::Server;
use asker::Asker;
use brasa::search::evaluate::{Fact, World as Evaluated, matches};
use brasa::search::query::{Query, Question as Read, Scope, Total, parse};
use brasa::search::registry::Registry;
use chrono::Utc;
use futures_util::{StreamExt, stream};
use question::Question;
use random::Random;
use std::collections::{BTreeMap, BTreeSet};
use world::World;

/// The server's own address.
pub const BASE: &str = "http://brasa.test/fhir";

const SEEDS: [u64; 2] = [1, 2];
const QUESTIONS: usize = 300;
/// Questions at once.
const AT_ONCE: usize = 3;
/// Failures that are told of a seed.
const TOLD: usize = 5;
/// Characters of a query's clauses that are told.
const CLAUSE_TOLD: usize = 600;

#[tokio::test(flavor = "multi_thread")]
async fn searches_find_what_the_same_query_finds_in_memory() {
    for seed in seeds() {
        let registry = Registry::clone(&Registry::standard()).with_full_text();
        let settings = [("BRASA_FULL_TEXT", "on"), ("BRASA_BASE_URL", BASE), ("BRASA_HTTP_WORKERS", "2")];
        let server = Server::start_with(&settings).await;
        let mut random = Random::new(seed);
        let world = World::load(&server, &registry, &mut random).await;
        let mut asker = Asker::new(&mut random, &registry, &world);
        let ask = |number: usize| {
            // Times of writes differ from run to run. With numbers of its own, only a question about them differs.
            *asker.random = Random::new(seed << 32 | u64::try_from(number).unwrap());
            (asker.question(), asker.random.below(1_000))
        };
        let questions: Vec<(Question, usize)> = (0..QUESTIONS).map(ask).collect();
        let court = Court { server: &server, registry: &registry, facts: world.facts() };
        court.judge(seed, questions).await;
    }
}

fn seeds() -> Vec<u64> {
    let Ok(text) = std::env::var("BRASA_TEST_SEED") else { return SEEDS.to_vec() };
    let number = |text: &str| text.trim().parse().expect("BRASA_TEST_SEED is of numbers, as in 7,8 or 100..150");
    match text.split_once("..") {
        Some((from, to)) => (number(from)..number(to)).collect(),
        None => text.split(',').map(number).collect(),
    }
}

/// As the server reads it.
fn read<'a>(scope: &'a Scope, parameters: &'a [(String, String)], registry: &'a Registry) -> Read<'a> {
    let (now_us, base) = (Utc::now().timestamp_micros(), Some(BASE));
    let (base_is_guessed, strict) = (false, true);
    Read { scope, parameters, registry, strict, now_us, base, base_is_guessed, count_default: 50, count_max: 1_000 }
}

/// What came of a question.
enum Verdict {
    /// So many matches.
    Agreed(usize),
    /// Both sides refuse it.
    Refused,
    /// Chained over too many resources: only the database can tell.
    TooCostly,
    Wrong(String),
}

struct Court<'a> {
    server: &'a Server,
    registry: &'a Registry,
    facts: Vec<Fact<'a>>,
}

impl Court<'_> {
    async fn judge(&self, seed: u64, questions: Vec<(Question, usize)>) {
        let world = Evaluated::of(&self.facts);
        let verdicts = questions.iter().map(|(question, dice)| self.verdict(&world, question, *dice));
        let verdicts: Vec<Verdict> = stream::iter(verdicts).buffered(AT_ONCE).collect().await;
        let (mut found, mut empty, mut refused, mut costly, mut wrong) = (0, 0, 0, 0, Vec::new());
        for (verdict, (question, _)) in verdicts.into_iter().zip(&questions) {
            match verdict {
                Verdict::Agreed(0) => empty += 1,
                Verdict::Agreed(_) => found += 1,
                Verdict::Refused => refused += 1,
                Verdict::TooCostly => costly += 1,
                Verdict::Wrong(what) => wrong.push(format!("seed {seed}: {question}\n  {what}")),
            }
        }
        eprintln!(
            "seed {seed}: {found} found something, {empty} nothing, {refused} refused, {costly} too costly, {} wrong",
            wrong.len()
        );
        assert!(wrong.is_empty(), "{} wrong answers:\n{}", wrong.len(), wrong[..wrong.len().min(TOLD)].join("\n"));
        assert!(found * 2 > QUESTIONS && (refused + costly) * 4 < QUESTIONS, "seed {seed}: the questions are too poor");
    }

    async fn verdict(&self, world: &Evaluated<'_>, question: &Question, dice: usize) -> Verdict {
        let query = match parse(&read(&question.scope, &question.parameters, self.registry)) {
            Ok(query) => query,
            Err(error) => return self.refused_alike(question, error.kind.status()).await,
        };
        let is_asked = |fact: &&Fact<'_>| query.types.is_empty() || query.types.contains(&fact.resource_type);
        let meets = |fact: &&Fact<'_>| query.clauses.iter().all(|clause| matches(clause, fact, world));
        let expected: BTreeMap<String, &Fact<'_>> =
            self.facts.iter().filter(is_asked).filter(meets).map(named).collect();
        // A page each for few, some pages for many.
        let count = (expected.len() / (1 + dice % 5)).clamp(1 + dice % 3, 1_000);
        match self.answered(question, &query, &expected, count).await {
            Ok(()) => Verdict::Agreed(expected.len()),
            Err(Fault::Refused(refusal)) if refusal.told.contains("too-costly") => Verdict::TooCostly,
            Err(Fault::Refused(refusal)) => Verdict::Wrong(format!("refused: {refusal:?}")),
            Err(Fault::Wrong(what)) => Verdict::Wrong(format!("_count={count}: {what}")),
        }
    }

    async fn refused_alike(&self, question: &Question, status: u16) -> Verdict {
        match walk::page(self.server, &question.path(&[])).await {
            Err(refusal) if refusal.status == status => Verdict::Refused,
            Err(refusal) => Verdict::Wrong(format!("not refused with {status}: {refusal:?}")),
            Ok(_) => Verdict::Wrong(format!("answered, and not refused with {status}")),
        }
    }

    /// All pages, forward and back, against what is expected.
    async fn answered(
        &self,
        question: &Question,
        query: &Query,
        expected: &BTreeMap<String, &Fact<'_>>,
        count: usize,
    ) -> Result<(), Fault> {
        let pages = walk::forward(self.server, &question.path(&[("_count", count.to_string())])).await?;
        let found: Vec<&String> = pages.iter().flat_map(|page| &page.ids).collect();
        let once: BTreeSet<&String> = found.iter().copied().collect();
        let missing: Vec<&String> = expected.keys().filter(|id| !once.contains(id)).take(10).collect();
        let surplus: Vec<&String> = once.iter().copied().filter(|id| !expected.contains_key(*id)).take(10).collect();
        if !missing.is_empty() || !surplus.is_empty() {
            let (there, wanted) = (once.len(), expected.len());
            let asked: String = format!("{:?}", query.clauses).chars().take(CLAUSE_TOLD).collect();
            return wrong(format!("{there} for {wanted}; missing {missing:?}, surplus {surplus:?}\n  {asked}"));
        }
        if once.len() != found.len() {
            return wrong(format!("{} of {} matches come twice", found.len() - once.len(), once.len()));
        }
        let facts: Vec<&Fact<'_>> = found.iter().map(|id| expected[*id]).collect();
        if let Some(pair) = order::disorder(&order::keys(query), &facts) {
            return wrong(format!("in the wrong order: {pair:?}"));
        }
        if let Some(page) = pages.iter().rev().skip(1).find(|page| page.ids.len() != count) {
            return wrong(format!("a page of {} that others follow", page.ids.len()));
        }
        for page in &pages {
            self.total(query, page, expected.len())?;
        }
        let Some((last, before)) = pages.split_last() else { return Ok(()) };
        let before: Vec<&String> = before.iter().flat_map(|page| &page.ids).collect();
        let back = walk::backward(self.server, last).await?;
        if back.iter().collect::<Vec<_>>() != before {
            return wrong(format!("going back shows {back:?} and not {before:?}"));
        }
        Ok(())
    }

    fn total(&self, query: &Query, page: &walk::Page, expected: usize) -> Result<(), Fault> {
        let total = page.total.map(|total| usize::try_from(total).unwrap());
        let is_right = match query.total {
            Total::Accurate => total == Some(expected),
            // So few are counted.
            Total::Estimate => total == Some(expected),
            Total::None => total.is_none(),
        };
        if is_right { Ok(()) } else { wrong(format!("{:?} total {total:?} and not {expected}", query.total)) }
    }
}

enum Fault {
    Refused(walk::Refusal),
    Wrong(String),
}

impl From<walk::Refusal> for Fault {
    fn from(refusal: walk::Refusal) -> Fault {
        Fault::Refused(refusal)
    }
}

fn wrong<T>(what: String) -> Result<T, Fault> {
    Err(Fault::Wrong(what))
}

fn named<'f, 'a>(fact: &'f Fact<'a>) -> (String, &'f Fact<'a>) {
    (format!("{}/{}", fact.resource_type, fact.id), fact)
}
