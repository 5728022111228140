//! Each rule of profiles by a small profile of its own, what takes too long, and HL7's vital signs with its examples.

mod bounds;
mod rules;
mod slices;
mod vital_signs;

use super::*;
use crate::fhir::json::parse;
use std::collections::HashMap;
use std::sync::Arc;

/// Definitions by their addresses, with and without version.
#[derive(Default)]
pub struct Stored {
    known: HashMap<(Kind, String), Arc<Definition>>,
    /// Of these nobody has looked yet.
    unseen: Vec<&'static str>,
}

impl Shelf for Stored {
    fn find(&self, wanted: &Wanted) -> Found {
        if self.unseen.contains(&wanted.canonical.as_str()) {
            return Found::NotYet;
        }
        let known = self.known.get(&(wanted.kind, wanted.canonical.to_string()));
        known.map_or(Found::Absent, |definition| Found::Here(Arc::clone(definition)))
    }
}

pub fn resource(text: &str) -> Resource {
    Resource::from_json(parse(text.as_bytes(), 64).unwrap_or_else(|fault| panic!("{fault}: {text}"))).unwrap()
}

impl Stored {
    pub fn add(&mut self, text: &str) {
        let resource = resource(text);
        let kind = match resource.resource_type().as_str() {
            "StructureDefinition" => Kind::Profile,
            "ValueSet" => Kind::ValueSet,
            _ => Kind::CodeSystem,
        };
        let url = resource.object().get_str("url").unwrap();
        let definition = Arc::new(Definition::read(kind, &resource));
        if let Some(version) = resource.object().get_str("version") {
            self.known.insert((kind, format!("{url}|{version}")), Arc::clone(&definition));
        }
        self.known.insert((kind, url.to_owned()), definition);
    }

    /// A profile named `http://p/{name}` of these elements.
    pub fn profile(&mut self, name: &str, of: &str, elements: &str) {
        self.add(&format!(
            r#"{{"resourceType":"StructureDefinition","url":"http://p/{name}","type":"{of}","derivation":"constraint",
                "snapshot":{{"element":[{{"path":"{of}"}},{elements}]}}}}"#
        ));
    }

    /// A profile of Patient in which names have so many slices, told apart by their text.
    pub fn sliced(&mut self, name: &str, count: usize, rules: &str) {
        let slice = |number: usize| {
            format!(
                r#",{{"path":"Patient.name","sliceName":"s{number}","min":0,"max":"1"}},
                {{"path":"Patient.name.text","min":1,"max":"1","fixedString":"{number}"}}"#
            )
        };
        let slices: String = (0..count).map(slice).collect();
        let slicing = format!(r#""slicing":{{"discriminator":[{{"type":"value","path":"text"}}],"rules":"{rules}"}}"#);
        self.profile(name, "Patient", &format!(r#"{{"path":"Patient.name","min":0,"max":"*",{slicing}}}{slices}"#));
    }

    /// What is found by holding a resource to these profiles, as `severity code place`.
    pub fn told(&self, text: &str, named: &[&str]) -> Vec<String> {
        let findings = self.held(text, named).report.into_findings();
        findings.iter().map(|one| format!("{} {} {}", one.severity.as_str(), one.code, one.expression)).collect()
    }

    pub fn held(&self, text: &str, named: &[&str]) -> Held {
        let named: Vec<String> = named.iter().map(|name| format!("http://p/{name}")).collect();
        hold(&resource(text), &Against { shelf: self, named: &named, must_be_known: false, now: None })
    }

    /// As `told`, of one profile and cases with what is expected; nothing where the resource conforms.
    pub fn try_all(&self, name: &str, cases: &[(&str, &[&str])]) {
        for (text, expected) in cases {
            assert_eq!(self.told(text, &[name]), *expected, "{name}: {text}: {:?}", self.held(text, &[name]).report);
        }
    }
}
