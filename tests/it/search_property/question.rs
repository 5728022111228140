//! Random questions: searches of types, compartments and the system, with conditions of every kind.

use super::asker::Asker;
use super::values::{FREQUENT, LOINC};
use super::world::{KINDS, Known, PATIENTS, count_of};
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

    /// On one type.
    fn conditions(&mut self, scope: &Scope, on: ResourceType, witness: &Known, least: usize) -> Vec<(String, String)> {
        let mut conditions = Vec::new();
        if on == ResourceType::OBSERVATION && self.random.chance(35) {
            let forms = [FREQUENT.to_owned(), format!("{LOINC}|{FREQUENT}"), format!("{FREQUENT},8480-6")];
            conditions.push(("code".to_owned(), self.random.pick(&forms).clone()));
        }
        let count = least + *self.random.pick(&[0, 0, 0, 1, 1, 2]);
        conditions.extend((0..count).map(|_| self.fitting(scope, witness, |asker| asker.condition(on, 0))));
        conditions
    }

    fn of_a_type(&mut self) -> Question {
        let on = self.a_type();
        let (scope, witness) = (Scope::Type(on), self.witness(Some(on)));
        let parameters = self.conditions(&scope, on, witness, 1);
        Question { scope, parameters }
    }

    /// By a reference to a patient that puts what refers into the patient's record.
    fn of_a_patient(&mut self) -> Question {
        let on = self.a_type();
        let (scope, witness) = (Scope::Type(on), self.witness(Some(on)));
        let mut parameters = self.conditions(&scope, on, witness, 0);
        let to_patients = self.used(on).iter().filter(|one| one.leads_to("Patient")).map(|one| one.code());
        let to_patients: Vec<String> = to_patients.collect();
        if !to_patients.is_empty() {
            let code = self.random.pick(&to_patients).clone();
            let form = *self.random.pick(&["", "Patient/", "Patient/"]);
            let modifier = *self.random.pick(&["", "", ":Patient"]);
            let first = self.random.below(PATIENTS);
            let of =
                |patient: usize| (format!("{code}{modifier}"), format!("{form}{}", 1 + (first + patient) % PATIENTS));
            let found = (0..PATIENTS).map(of).find(|condition| self.is_met(&scope, condition, witness));
            let at = self.random.below(parameters.len() + 1);
            parameters.insert(at, found.unwrap_or_else(|| of(0)));
        }
        Question { scope, parameters }
    }

    fn of_a_compartment(&mut self) -> Question {
        let often =
            ["Patient", "Patient", "Patient", "Patient", "Practitioner", "Encounter", "Device", "RelatedPerson"];
        let name = *self.random.pick(&often);
        let compartment = type_of(name);
        let mut inner = None;
        while !self.random.chance(15) && inner.is_none() {
            inner = Some(self.a_type()).filter(|on| in_compartment(compartment, *on));
        }
        let (witness, first) = (self.witness(inner), self.random.below(count_of(name)));
        let of = |number: usize| {
            let id = Id::parse(&(1 + (first + number) % count_of(name)).to_string()).unwrap();
            Scope::Compartment { compartment, id, inner }
        };
        let nothing = ("_id".to_owned(), witness.id.clone());
        let mut scopes = (0..count_of(name)).map(of);
        let scope = scopes.find(|scope| self.is_met(scope, &nothing, witness)).unwrap_or_else(|| of(0));
        let parameters = match inner {
            Some(on) => self.conditions(&scope, on, witness, 0),
            None => match self.random.below(3) {
                0 => Vec::new(),
                1 => vec![self.common()],
                _ => vec![("_type".to_owned(), "Observation,Encounter".to_owned()), self.common()],
            },
        };
        Question { scope, parameters }
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
            let witness = self.witness(None);
            parameters.push(self.fitting(&Scope::System, witness, Asker::common));
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
