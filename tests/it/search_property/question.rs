//! Random questions: searches of types, compartments and the system, with conditions of every kind.

use super::asker::Asker;
use super::values::{FREQUENT, LOINC};
use super::world::{KINDS, PATIENTS, count_of};
use brasa::fhir::definitions::{ResourceType, in_compartment};
use brasa::fhir::id::Id;
use brasa::search::query::Scope;
use brasa::search::registry::ParameterKind;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt;

pub struct Question {
    pub scope: Scope,
    pub parameters: Vec<(String, String)>,
}

impl Question {
    /// Relative to the base, with further parameters.
    pub fn path(&self, more: &[(&str, String)]) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let own = self.parameters.iter().map(|(name, value)| (name.as_str(), value));
        let all = own.chain(more.iter().map(|(name, value)| (*name, value)));
        let pairs: Vec<String> = all.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        format!("{}?{}", self.scope.path(), pairs.join("&"))
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        write!(f, "{}?{}", self.scope.path(), pairs.join("&"))
    }
}

pub fn type_of(name: &str) -> ResourceType {
    ResourceType::parse(name).unwrap()
}

impl Asker<'_> {
    pub fn question(&mut self) -> Question {
        let mut question = match self.random.below(100) {
            0..20 => self.of_a_patient(),
            20..30 => self.of_a_compartment(),
            30..39 => self.of_the_system(),
            _ => self.of_a_type(),
        };
        let types = match &question.scope {
            Scope::Type(one) | Scope::Compartment { inner: Some(one), .. } => vec![*one],
            _ => Vec::new(),
        };
        self.add_sort(&mut question, &types);
        match self.random.below(10) {
            0..4 => question.parameters.push(("_total".to_owned(), "accurate".to_owned())),
            4 => question.parameters.push(("_total".to_owned(), "estimate".to_owned())),
            _ => {}
        }
        question
    }

    fn a_type(&mut self) -> ResourceType {
        let often = ["Observation", "Observation", "Observation", "Patient", "Encounter", "Condition"];
        let name = if self.random.chance(60) { *self.random.pick(&often) } else { self.random.pick(KINDS).0 };
        type_of(name)
    }

    fn conditions(&mut self, on: ResourceType, least: usize) -> Vec<(String, String)> {
        let mut conditions = Vec::new();
        if on == ResourceType::OBSERVATION && self.random.chance(35) {
            let forms = [FREQUENT.to_owned(), format!("{LOINC}|{FREQUENT}"), format!("{FREQUENT},8480-6")];
            conditions.push(("code".to_owned(), self.random.pick(&forms).clone()));
        }
        let count = least + *self.random.pick(&[0, 0, 0, 1, 1, 2]);
        conditions.extend((0..count).map(|_| self.condition(on, 0)));
        conditions
    }

    fn of_a_type(&mut self) -> Question {
        let on = self.a_type();
        Question { scope: Scope::Type(on), parameters: self.conditions(on, 1) }
    }

    /// By a reference to a patient that puts what refers into the patient's record.
    fn of_a_patient(&mut self) -> Question {
        let on = self.a_type();
        let patient = 1 + self.random.below(PATIENTS);
        let mut parameters = self.conditions(on, 0);
        let to_patients: Vec<String> =
            self.used(on).iter().filter(|one| one.leads_to("Patient")).map(|one| one.code()).collect();
        if !to_patients.is_empty() {
            let code = self.random.pick(&to_patients).clone();
            let form = *self.random.pick(&["", "Patient/", "Patient/"]);
            let modifier = *self.random.pick(&["", "", ":Patient"]);
            let at = self.random.below(parameters.len() + 1);
            parameters.insert(at, (format!("{code}{modifier}"), format!("{form}{patient}")));
        }
        Question { scope: Scope::Type(on), parameters }
    }

    fn of_a_compartment(&mut self) -> Question {
        let often =
            ["Patient", "Patient", "Patient", "Patient", "Practitioner", "Encounter", "Device", "RelatedPerson"];
        let name = *self.random.pick(&often);
        let compartment = type_of(name);
        let id = Id::parse(&(1 + self.random.below(count_of(name))).to_string()).unwrap();
        if self.random.chance(15) {
            let parameters = match self.random.below(3) {
                0 => Vec::new(),
                1 => vec![self.common()],
                _ => vec![("_type".to_owned(), "Observation,Encounter".to_owned()), self.common()],
            };
            return Question { scope: Scope::Compartment { compartment, id, inner: None }, parameters };
        }
        let inner = loop {
            let on = self.a_type();
            if in_compartment(compartment, on) {
                break on;
            }
        };
        let parameters = self.conditions(inner, 0);
        Question { scope: Scope::Compartment { compartment, id, inner: Some(inner) }, parameters }
    }

    fn of_the_system(&mut self) -> Question {
        let mut parameters = Vec::new();
        if self.random.chance(75) {
            let types = [
                "Observation,Condition",
                "Patient,Practitioner",
                "Encounter,Observation,Patient",
                "Condition,MedicationRequest,DiagnosticReport",
                "Organization,Location",
                "Group",
            ];
            let named = *self.random.pick(&types);
            parameters.push(("_type".to_owned(), named.to_owned()));
            if self.random.chance(60) {
                let codes = ["code", "patient", "identifier", "subject", "encounter", "name", "date", "status"];
                let first = type_of(named.split(',').next().unwrap());
                let code = *self.random.pick(&codes);
                let parameter = self.used(first).iter().find(|one| one.code() == code).cloned();
                parameters.extend(parameter.map(|parameter| self.asked_of(&parameter)));
            }
        }
        if parameters.len() < 2 {
            parameters.push(self.common());
        }
        Question { scope: Scope::System, parameters }
    }

    fn add_sort(&mut self, question: &mut Question, types: &[ResourceType]) {
        if !self.random.chance(45) {
            return;
        }
        let mut keys = vec!["_id".to_owned(), "_lastUpdated".to_owned()];
        if let [one] = types {
            let has_order =
                |kind| !matches!(kind, ParameterKind::Reference | ParameterKind::Composite | ParameterKind::Special);
            keys.extend(self.used(*one).iter().filter(|one| has_order(one.0.kind)).map(|one| one.code()));
            keys.push("date".to_owned());
        }
        let count = 1 + *self.random.pick(&[0, 0, 0, 1, 2]);
        let sort: Vec<String> =
            (0..count).map(|_| format!("{}{}", self.random.pick(&["", "-"]), self.random.pick(&keys))).collect();
        question.parameters.push(("_sort".to_owned(), sort.join(",")));
    }
}
