//! That R4's own parameters are all understood and stay the same, and that others can be added.

use super::*;

fn of(name: &str) -> ResourceType {
    ResourceType::parse(name).unwrap()
}

fn standard(resource_type: &str, code: &str) -> Arc<Parameter> {
    Arc::clone(Registry::standard().parameter(of(resource_type), code).unwrap())
}

fn texts(parameter: &Parameter) -> Vec<&str> {
    parameter.branches.iter().map(|branch| branch.text.as_str()).collect()
}

fn custom(code: &str, kind: ParameterKind, expression: &str) -> CustomDefinition {
    CustomDefinition {
        url: format!("http://example.org/{code}").into(),
        code: code.into(),
        bases: vec![ResourceType::PATIENT],
        kind,
        expression: expression.to_owned(),
        targets: Vec::new(),
        components: Vec::new(),
        unfinished: None,
    }
}

fn refused(definition: CustomDefinition) -> String {
    let (registry, mut faults) = Registry::standard().with_custom(std::slice::from_ref(&definition));
    assert_eq!(faults.len(), 1);
    assert!(definition.bases.iter().all(|base| registry.parameter(*base, "new").is_none()), "nothing of it is added");
    faults.remove(0).1.message
}

fn with(definitions: &[CustomDefinition]) -> Registry {
    let (registry, faults) = Registry::standard().with_custom(definitions);
    assert_eq!(faults, []);
    registry
}

#[test]
fn every_parameter_of_r4_is_understood() {
    assert_eq!(STANDARD.1, []);
    let registry = Registry::standard();
    let parameters = || ResourceType::all().flat_map(|one| registry.parameters(one));
    assert_eq!(parameters().count(), 3165);
    let without: BTreeSet<_> =
        parameters().filter(|one| one.branches.is_empty()).map(|one| one.code.as_str()).collect();
    let expected = ["_content", "_filter", "_id", "_lastUpdated", "_query", "_text", "age", "birthOrderBoolean"];
    assert_eq!(without, expected.into());
}

#[test]
fn the_hashes_of_different_branches_differ() {
    let registry = Registry::standard();
    let sources = ResourceType::all().flat_map(|one| registry.sources(one));
    let branches: BTreeMap<_, _> =
        sources.map(|source| ((source.parameter.kind.letter(), source.branch.text.as_str()), &source.branch)).collect();
    assert_eq!(branches.len(), 1696);
    assert_eq!(branches.values().map(|branch| branch.hash).collect::<BTreeSet<_>>().len(), branches.len());
    assert_eq!(branches.values().map(|branch| branch.param).collect::<BTreeSet<_>>().len(), branches.len());
}

#[test]
fn the_hash_of_a_branch_never_changes() {
    assert_eq!(standard("Observation", "code").branches[0].hash, 7048248155109242816);
}

#[test]
fn a_parameter_of_all_types_is_one_of_each() {
    for resource_type in ResourceType::all() {
        let registry = Registry::standard();
        assert_eq!(texts(registry.parameter(resource_type, "_tag").unwrap()), ["Resource.meta.tag"]);
        assert_eq!(texts(registry.parameter(resource_type, "_id").unwrap()), [""; 0]);
    }
    let hash = |resource_type| standard(resource_type, "_profile").branches[0].hash;
    assert_eq!(hash("Patient"), hash("Observation"));
    let is_known = |resource_type, code| Registry::standard().parameter(of(resource_type), code).is_some();
    assert!(is_known("Patient", "_text") && !is_known("Bundle", "_text"));
    assert!(!is_known("Patient", "code"));
}

#[test]
fn branches_are_normalized_and_shared() {
    for (resource_type, code, expected) in [
        ("Observation", "combo-code", &["Observation.code", "Observation.component.code"][..]),
        ("Observation", "patient", &["Observation.subject"]),
        ("Observation", "value-concept", &["Observation.value.as(CodeableConcept)"]),
        ("Observation", "code-value-quantity", &["Observation(t:code,q:value.as(Quantity))"]),
        ("Patient", "email", &["Patient.telecom.where(system = 'email')"]),
        ("Condition", "onset-date", &["Condition.onset.as(dateTime) | Condition.onset.as(Period)"]),
        ("Condition", "abatement-date", &["Condition.abatement.as(dateTime)", "Condition.abatement.as(Period)"]),
        ("InsurancePlan", "name", &["InsurancePlan.name", "InsurancePlan.alias"]),
        ("DocumentReference", "relationship", &["DocumentReference.relatesTo(t:code,r:target)"]),
    ] {
        assert_eq!(texts(&standard(resource_type, code)), expected, "{resource_type} {code}");
    }
    let (code, combined) = (standard("Observation", "code"), standard("Observation", "combo-code"));
    assert!(Arc::ptr_eq(&code.branches[0], &combined.branches[0]));
}

#[test]
fn a_branch_that_resolves_to_one_type_restricts_the_targets() {
    assert_eq!(standard("Observation", "patient").targets, [ResourceType::PATIENT]);
    assert_eq!(standard("Observation", "subject").targets.len(), 4);
    assert_eq!(standard("Appointment", "location").targets, [ResourceType::LOCATION]);
    assert_eq!(standard("Provenance", "target").targets, []);
}

#[test]
fn branches_tell_of_the_patient_compartment() {
    let flags = |resource_type, code| {
        let branch = Arc::clone(&standard(resource_type, code).branches[0]);
        (branch.in_patient_compartment, branch.decides_home)
    };
    for (resource_type, code, expected) in [
        ("Observation", "subject", (true, true)),
        ("Observation", "patient", (true, true)),
        ("Observation", "performer", (true, false)),
        ("Observation", "encounter", (false, false)),
        ("Appointment", "patient", (true, false)),
        ("MedicationDispense", "patient", (true, true)),
        ("Patient", "link", (true, false)),
        ("Patient", "general-practitioner", (false, false)),
    ] {
        assert_eq!(flags(resource_type, code), expected, "{resource_type} {code}");
    }
    let deciding = ResourceType::all().filter(|one| {
        let registry = Registry::standard();
        registry.sources(*one).iter().any(|source| source.branch.decides_home)
    });
    assert_eq!(deciding.count(), 58);
}

#[test]
fn branches_tell_what_tokens_they_hold() {
    let flags = |resource_type, code| {
        let branch = Arc::clone(&standard(resource_type, code).branches[0]);
        (branch.is_identifier, branch.is_code)
    };
    for (resource_type, code, expected) in [
        ("Patient", "identifier", (true, false)),
        ("Patient", "gender", (false, true)),
        ("Patient", "deceased", (false, true)),
        ("Patient", "active", (false, true)),
        ("Patient", "telecom", (false, false)),
        ("Observation", "code", (false, false)),
        ("Observation", "code-value-quantity", (false, false)),
        ("DocumentReference", "relationship", (false, true)),
    ] {
        assert_eq!(flags(resource_type, code), expected, "{resource_type} {code}");
    }
}

/// Code, types. A change here makes every index stale.
const LEADING_DATES: &[(&str, &str)] = &[
    ("authored", "CommunicationRequest QuestionnaireResponse RequestGroup ServiceRequest"),
    ("authored-on", "DeviceRequest Task"),
    ("authoredon", "MedicationRequest"),
    ("birthdate", "Patient Person RelatedPerson"),
    ("collected", "Specimen"),
    (
        "created",
        "Basic Claim ClaimResponse CoverageEligibilityRequest CoverageEligibilityResponse DocumentManifest \
         ExplanationOfBenefit Media PaymentNotice PaymentReconciliation",
    ),
    (
        "date",
        "ActivityDefinition AdverseEvent AllergyIntolerance Appointment AuditEvent CapabilityStatement CarePlan \
         CareTeam ChargeItemDefinition ClinicalImpression CodeSystem CompartmentDefinition Composition ConceptMap \
         Consent DiagnosticReport DocumentReference EffectEvidenceSynthesis Encounter EpisodeOfCare EventDefinition \
         Evidence EvidenceVariable ExampleScenario FamilyMemberHistory Flag GraphDefinition Immunization \
         ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide Invoice Library List Measure \
         MeasureReport MessageDefinition NamingSystem Observation OperationDefinition OrganizationAffiliation \
         PlanDefinition PractitionerRole Procedure Questionnaire ResearchDefinition ResearchElementDefinition \
         ResearchStudy ResearchSubject RiskAssessment RiskEvidenceSynthesis Schedule SearchParameter \
         StructureDefinition StructureMap SupplyRequest TerminologyCapabilities TestScript ValueSet",
    ),
    ("datetime", "NutritionOrder"),
    ("datewritten", "VisionPrescription"),
    ("effective", "MedicationStatement"),
    ("effective-time", "MedicationAdministration"),
    ("identified", "DetectedIssue"),
    ("issued", "Contract TestReport"),
    ("occurrence", "ChargeItem"),
    ("onset-date", "Condition"),
    ("period", "Account"),
    ("recorded", "Provenance"),
    ("sent", "Communication"),
    ("start", "Slot"),
    ("start-date", "Goal"),
    ("started", "ImagingStudy"),
    ("timestamp", "Bundle"),
    ("whenhandedover", "MedicationDispense"),
];

#[test]
fn the_leading_date_of_each_type_stays_the_same() {
    let registry = Registry::standard();
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for resource_type in ResourceType::all() {
        let Some(leading) = registry.leading_date(resource_type) else { continue };
        found.entry(leading.code.as_str()).or_default().push(resource_type.as_str());
        assert_eq!(leading.branches.len(), 1);
    }
    let expected = LEADING_DATES.iter().map(|(code, types)| (*code, types.split_whitespace().collect()));
    assert_eq!(found, expected.collect());
}

#[test]
fn a_custom_parameter_is_added_and_shares_known_branches() {
    let given = custom("given-name", ParameterKind::String, "Patient.name.given | Practitioner.name.given");
    let born = custom("born", ParameterKind::Date, "Patient.birthDate");
    let eyes = custom("eyes", ParameterKind::Token, "Patient.extension('http://example.org/eyes').value.as(code)");
    let registry = with(&[given, born, eyes]);
    let found = |code| Arc::clone(registry.parameter(ResourceType::PATIENT, code).unwrap());
    assert!(Arc::ptr_eq(&found("given-name").branches[0], &found("given").branches[0]));
    assert!(found("born").branches[0].is_leading_date);
    assert!(found("eyes").branches[0].is_code);
    let count = |registry: &Registry| registry.sources(ResourceType::PATIENT).len();
    assert_eq!(count(&registry), count(&Registry::standard()) + 1);
    assert!(Registry::standard().parameter(ResourceType::PATIENT, "eyes").is_none());
}

#[test]
fn a_custom_composite_names_its_components() {
    let mut both = custom("name-given", ParameterKind::Composite, "Patient.contact");
    let part = |url: &str, expression: &str| (url.into(), expression.to_owned());
    both.components = vec![part("http://example.org/sex", "gender"), part("http://example.org/call", "telecom")];
    let sex = custom("sex", ParameterKind::Token, "Patient.contact.gender");
    let call = custom("call", ParameterKind::Token, "Patient.contact.telecom");
    let registry = with(&[both.clone(), sex, call]);
    let found = registry.parameter(ResourceType::PATIENT, "name-given").unwrap();
    assert_eq!(texts(found), ["Patient.contact(t:gender,t:telecom)"]);
    assert!(refused(both).contains("'http://example.org/sex' is not known"));
}

#[test]
fn a_custom_parameter_that_cannot_work_is_refused() {
    for (code, expression, reason) in [
        ("gender", "Patient.gender", "Patient has a search parameter 'gender' already"),
        ("_tag", "Patient.gender", "already"),
        ("new", "Patient.gendre", "leads to no element of Patient"),
        ("new", "Observation.code", "no part of the expression starts at Patient"),
        ("new", "Patient.name.iif(true, 1)", "`iif`"),
        ("new", "Patient.name.where(", "at 20"),
    ] {
        let message = refused(custom(code, ParameterKind::Token, expression));
        assert!(message.contains(reason), "{message}");
    }
    let baseless = CustomDefinition { bases: Vec::new(), ..custom("new", ParameterKind::Token, "Patient.gender") };
    assert!(refused(baseless).contains("no base"));
}

#[test]
fn of_several_custom_parameters_only_the_wrong_ones_are_left_out() {
    let token = |code: &str, expression: &str| custom(code, ParameterKind::Token, expression);
    let definitions = [token("sex", "Patient.gender"), token("bad", "Patient.gendre"), token("sex", "Patient.active")];
    let (registry, faults) = Registry::standard().with_custom(&definitions);
    assert_eq!(faults.iter().map(|(position, _)| *position).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(texts(registry.parameter(ResourceType::PATIENT, "sex").unwrap()), ["Patient.gender"]);
}

#[test]
fn what_the_index_holds_of_a_parameter_depends_on_its_expression_and_not_on_its_code() {
    let hash = |code: &str, expression: &str| {
        let definition = custom(code, ParameterKind::Token, expression);
        with(std::slice::from_ref(&definition)).index_hash(&definition)
    };
    assert_eq!(hash("sex", "Patient.gender"), hash("other", "Patient.gender"));
    assert_ne!(hash("sex", "Patient.gender"), hash("sex", "Patient.active"));
}

#[test]
fn a_base_stands_for_one_type_or_all() {
    assert_eq!(bases("Patient"), [ResourceType::PATIENT]);
    assert_eq!(bases("Resource").len(), 146);
    assert_eq!(bases("DomainResource").len(), 143);
    assert_eq!(bases("Quantity"), []);
}
