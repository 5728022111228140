//! One operation of the document in the making, and all of them by path and method.

use serde_json::{Map, Value, json};

/// One method at one address.
pub struct Entry {
    operation: Map<String, Value>,
    responses: Map<String, Value>,
}

impl Entry {
    /// `id`: unique in the document. Refusals and faults are answered as OperationOutcomes wherever nothing else is said.
    pub fn new(tag: &str, id: impl Into<String>, summary: impl Into<String>) -> Entry {
        let mut operation = Map::new();
        operation.insert("tags".to_owned(), json!([tag]));
        operation.insert("operationId".to_owned(), id.into().into());
        operation.insert("summary".to_owned(), summary.into().into());
        let mut responses = Map::new();
        responses.insert("4XX".to_owned(), response("Refused"));
        responses.insert("5XX".to_owned(), response("Failed"));
        Entry { operation, responses }
    }

    #[must_use]
    pub fn described(self, text: &str) -> Entry {
        self.with("description", text.into())
    }

    /// Parameters that many share, by their names.
    #[must_use]
    pub fn sharing(self, names: &[&str]) -> Entry {
        self.taking(names.iter().map(|name| parameter(name)))
    }

    #[must_use]
    pub fn taking(mut self, parameters: impl Iterator<Item = Value>) -> Entry {
        let all = self.operation.entry("parameters").or_insert_with(|| json!([]));
        if let Some(all) = all.as_array_mut() {
            all.extend(parameters);
        }
        self
    }

    #[must_use]
    pub fn with_body(self, body: Value) -> Entry {
        self.with("requestBody", body)
    }

    /// A body that many share, by its name.
    #[must_use]
    pub fn with_shared_body(self, name: &str) -> Entry {
        self.with_body(json!({"$ref": format!("#/components/requestBodies/{name}")}))
    }

    /// Answers with a response that many share.
    #[must_use]
    pub fn answers(self, status: &str, name: &str) -> Entry {
        self.answers_with(status, response(name))
    }

    #[must_use]
    pub fn answers_with(mut self, status: &str, response: Value) -> Entry {
        self.responses.insert(status.to_owned(), response);
        self
    }

    /// It is asked without logging in.
    #[must_use]
    pub fn open(self) -> Entry {
        self.with("security", json!([]))
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Entry {
        self.operation.insert(name.to_owned(), value);
        self
    }

    fn into_value(mut self) -> Value {
        self.operation.insert("responses".to_owned(), Value::Object(self.responses));
        Value::Object(self.operation)
    }
}

fn parameter(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

/// A response that many share.
pub fn response(name: &str) -> Value {
    json!({"$ref": format!("#/components/responses/{name}")})
}

/// A body of JSON that is of this schema.
pub fn json_of(description: &str, schema: Value) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": schema}}})
}

/// All addresses.
#[derive(Default)]
pub struct Paths(Map<String, Value>);

impl Paths {
    /// What stands in braces becomes a parameter. Of each operation, not of the path: Swagger UI shows those of a path without
    /// their names where they are shared.
    pub fn add(&mut self, path: &str, method: &str, entry: Entry) {
        // The types of a compartment are said by the operation itself.
        let named = path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).filter(|name| *name != "type");
        let mut shared: Vec<&str> = named.collect();
        if path.starts_with("/fhir") {
            shared.extend(["_format", "_pretty"]);
        }
        let entry = if shared.is_empty() { entry } else { entry.sharing(&shared) };
        let item = self.0.entry(path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(method.to_owned(), entry.into_value());
        }
    }

    /// As [`Paths::add`], for what stands under FHIR's addresses and is not FHIR.
    pub fn add_plain(&mut self, path: &str, method: &str, entry: Entry) {
        self.0.insert(path.to_owned(), json!({method: entry.into_value()}));
    }

    /// Lets all that reads FHIR, but for what is open to everybody, take one more of the parameters that many share.
    pub fn let_readers_take(&mut self, name: &str) {
        let of_fhir = self.0.iter_mut().filter(|(path, _)| path.starts_with("/fhir"));
        let readers = of_fhir.filter_map(|(_, item)| item.get_mut("get")?.as_object_mut());
        for reader in readers.filter(|reader| !reader.contains_key("security")) {
            let all = reader.entry("parameters").or_insert_with(|| json!([]));
            if let Some(all) = all.as_array_mut() {
                all.push(parameter(name));
            }
        }
    }

    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}
