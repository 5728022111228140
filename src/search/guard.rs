//! A search in which what may not be seen does not exist: a condition on every node that it touches.

use super::clause::{Chain, Clause, Has};
use crate::fhir::definitions::ResourceType;

/// The same question asked among what may be seen. `visible`: the condition that resources of a type meet which may be.
/// It is put on what a chain leads to and on what `_has` finds, at any depth; the resources that are searched for need
/// it besides.
pub fn guard(clause: &Clause, visible: &dyn Fn(ResourceType) -> Clause) -> Clause {
    let each = |clauses: &[Clause]| clauses.iter().map(|clause| guard(clause, visible)).collect();
    match clause {
        Clause::Match(_) | Clause::Pending(_) => clause.clone(),
        Clause::Not(inner) => guard(inner, visible).negated(),
        Clause::Any(clauses) => Clause::Any(each(clauses)),
        Clause::All(clauses) => Clause::All(each(clauses)),
        Clause::Chain(chain) => {
            let target = |(target, condition): &(ResourceType, Clause)| {
                (*target, both(guard(condition, visible), visible(*target)))
            };
            Clause::Chain(Chain { targets: chain.targets.iter().map(target).collect(), ..chain.clone() })
        }
        Clause::Has(has) => {
            let condition = both(guard(&has.condition, visible), visible(has.source));
            Clause::Has(Has { condition: Box::new(condition), ..has.clone() })
        }
    }
}

/// Both must hold.
pub fn both(condition: Clause, visible: Clause) -> Clause {
    if visible.is_always() { condition } else { Clause::all(vec![condition, visible]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::id::Id;
    use crate::fhir::resource::Resource;
    use crate::search::clause::Predicate;
    use crate::search::entry::Entries;
    use crate::search::evaluate::{Fact, World, matches};
    use crate::search::extract::extract;
    use crate::search::query::tests::ask;
    use crate::search::registry::Registry;

    const RESOURCES: &[&str] = &[
        r#"{"resourceType":"Organization","id":"o","name":"Ward"}"#,
        r#"{"resourceType":"Practitioner","id":"d","name":[{"family":"Soto"}]}"#,
        r#"{"resourceType":"Patient","id":"p","name":[{"family":"Paz"}],"managingOrganization":{"reference":"Organization/o"},
            "generalPractitioner":[{"reference":"Practitioner/d"}]}"#,
        r#"{"resourceType":"Patient","id":"q","name":[{"family":"Quin"}],"generalPractitioner":[{"reference":"Practitioner/d"}]}"#,
        r#"{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"},
            "participant":[{"individual":{"reference":"Practitioner/d"}}]}"#,
        r#"{"resourceType":"Observation","id":"x","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"},
            "encounter":{"reference":"Encounter/e"},"performer":[{"reference":"Patient/q"}]}"#,
        r#"{"resourceType":"Observation","id":"y","status":"amended","code":{"text":"y"},"subject":{"reference":"Patient/q"},
            "encounter":{"reference":"Encounter/e"},"hasMember":[{"reference":"Observation/x"}]}"#,
    ];

    const SEARCHES: &[&str] = &[
        "Observation?status=final",
        "Observation?subject:Patient.family=Paz",
        "Observation?subject:Patient.family=Paz,Quin",
        "Observation?patient.organization.name=Ward",
        "Observation?encounter.participant:Practitioner.family=Soto",
        "Observation?has-member.encounter.class=AMB",
        "Encounter?subject:Patient.general-practitioner:Practitioner.family=Soto",
        "Patient?_has:Observation:patient:status=final",
        "Patient?_has:Observation:patient:encounter.class=AMB",
        "Patient?_has:Observation:performer:status=final",
        "Practitioner?_has:Encounter:participant:_has:Observation:encounter:status=amended",
        "Practitioner?_has:Patient:general-practitioner:family=Quin",
        "Organization?_has:Patient:organization:_has:Observation:patient:status=final",
        "Patient?_filter=not (general-practitioner.family eq \"Soto\")",
        "Observation?_filter=encounter.status eq finished or subject.family eq \"Quin\"",
        "Observation?_filter=not (subject.family eq \"Paz\") and not (encounter.status eq finished)",
    ];

    fn read() -> Vec<(Resource, Entries)> {
        let registry = Registry::standard();
        let resource = |text: &&str| {
            let resource = Resource::read(text.as_bytes(), 0..text.len(), 100).unwrap();
            let entries = extract(&registry, &resource, None);
            (resource, entries)
        };
        RESOURCES.iter().map(resource).collect()
    }

    #[test]
    fn a_guarded_search_finds_what_it_would_find_if_the_rest_did_not_exist() {
        let resources = read();
        let fact = |(resource, entries): &'static (Resource, Entries)| Fact {
            resource_type: resource.resource_type(),
            id: resource.json().as_object().unwrap().get("id").unwrap().as_str().unwrap(),
            last_updated_us: 0,
            entries,
        };
        let facts: Vec<Fact<'_>> = Box::leak(resources.into_boxed_slice()).iter().map(fact).collect();
        let whole = World::of(&facts);
        let mut answers_that_changed = 0;
        for seen in 0..1_u32 << facts.len() {
            let is_seen = |position: usize| seen >> position & 1 == 1;
            let visible = |resource_type: ResourceType| {
                let of_type = (0..)
                    .zip(&facts)
                    .filter(|(position, fact)| is_seen(*position) && fact.resource_type == resource_type);
                let ids = of_type.map(|(_, fact)| Clause::Match(Predicate::Id(Id::parse(fact.id).unwrap())));
                Clause::any(ids.collect())
            };
            let rest: Vec<Fact<'_>> =
                (0..).zip(&facts).filter(|(position, _)| is_seen(*position)).map(|(_, fact)| *fact).collect();
            let smaller = World::of(&rest);
            for text in SEARCHES {
                let query = ask(text);
                let condition = Clause::all(query.clauses.clone());
                let guarded = guard(&condition, &visible);
                for fact in rest.iter().filter(|fact| query.types.contains(&fact.resource_type)) {
                    let found = matches(&guarded, fact, &whole);
                    assert_eq!(found, matches(&condition, fact, &smaller), "{text}: {} among {seen:b}", fact.id);
                    answers_that_changed += u32::from(found != matches(&condition, fact, &whole));
                }
            }
        }
        assert!(answers_that_changed > 500, "the searches hardly depend on what is hidden: {answers_that_changed}");
    }

    #[test]
    fn where_all_is_visible_a_search_stays_as_it_is() {
        for text in SEARCHES {
            for condition in ask(text).clauses {
                assert_eq!(guard(&condition, &|_| Clause::All(Vec::new())), condition, "{text}");
            }
        }
    }
}
