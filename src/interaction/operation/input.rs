//! What an operation is given: the query of the address and the Parameters in the body, as one list.
//! <https://hl7.org/fhir/R4/operations.html#request>

use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::json::{Json, Object};
use crate::fhir::resource::Resource;
use crate::interaction::request::{COMMON_PARAMETERS, Request};
use crate::interaction::{Context, body_resource};

/// At most so many parameters are read (parameters). Beyond it: 400.
const PARAMETERS_MAX: usize = 1_000;

/// One parameter: its name, where it stands, and what it holds.
#[derive(Debug, Clone)]
pub struct Given {
    pub name: String,
    pub place: String,
    value: Value,
}

#[derive(Debug, Clone)]
enum Value {
    /// A primitive, as it is written.
    Text(String),
    /// `value[x]` of a complex type: `Meta`, `Coding`, `Period`.
    Complex(String, Object),
    /// A resource, or parts: no operation here takes one.
    Other,
}

/// All that an operation is given, in the order of the request.
#[derive(Debug, Clone, Default)]
pub struct Input {
    given: Vec<Given>,
}

impl Input {
    /// Reads query and body. A name that is not `known` is refused: ignored, it would have changed the answer.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub fn read(context: &Context, request: &Request, known: &[&str]) -> Result<Input> {
        let input = Input::read_any(context, request)?;
        input.refuse_unknown(known)?;
        Ok(input)
    }

    /// Refuses a name that is not `known`: ignored, it would have changed the answer.
    pub fn refuse_unknown(&self, known: &[&str]) -> Result<()> {
        match self.given.iter().find(|given| !known.contains(&given.name.as_str())) {
            None => Ok(()),
            Some(given) => {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let message = format!("The operation has no parameter '{}'; it has {known}.", given.name);
                Err(Error::new(Kind::NotSupported, message).at(&given.place))
            }
        }
    }

    /// As [`Input::read`], with parameters of any name.
    pub fn read_any(context: &Context, request: &Request) -> Result<Input> {
        let body = match request.body.is_empty() {
            true => None,
            false => Some(body_resource(context, request, ResourceType::PARAMETERS)?),
        };
        Input::of(request, body.as_ref().map(Resource::object))
    }

    /// The parameters of the query, and of Parameters in the body.
    pub fn of(request: &Request, body: Option<&Object>) -> Result<Input> {
        let in_query = request.query.iter().filter(|(name, _)| !COMMON_PARAMETERS.contains(&name.as_str()));
        let text = |(name, value): &(String, String)| Given {
            name: name.clone(),
            place: name.clone(),
            value: Value::Text(value.clone()),
        };
        let mut given: Vec<Given> = in_query.map(text).collect();
        if let Some(body) = body {
            let parameters = body.get("parameter").map(Json::items).unwrap_or_default();
            for (position, parameter) in parameters.iter().enumerate() {
                given.push(read_one(parameter, format!("Parameters.parameter[{position}]"))?);
            }
        }
        if given.len() > PARAMETERS_MAX {
            let message = format!("An operation may have at most {PARAMETERS_MAX} parameters.");
            return Err(Error::new(Kind::TooCostly, message));
        }
        Ok(Input { given })
    }

    pub fn all(&self) -> impl Iterator<Item = &Given> {
        self.given.iter()
    }

    pub fn many<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Given> {
        self.given.iter().filter(move |given| given.name == name)
    }

    /// The parameter that may stand once.
    pub fn one<'a>(&'a self, name: &'a str) -> Result<Option<&'a Given>> {
        let mut found = self.many(name);
        match (found.next(), found.next()) {
            (first, None) => Ok(first),
            (_, Some(second)) => {
                Err(Error::invalid(format!("The parameter {name} may stand only once.")).at(&second.place))
            }
        }
    }

    /// The text of a primitive that may stand once.
    pub fn text<'a>(&'a self, name: &'a str) -> Result<Option<&'a str>> {
        self.one(name)?.map(Given::text).transpose()
    }

    /// A boolean; absent, it is false.
    pub fn flag(&self, name: &str) -> Result<bool> {
        let Some(given) = self.one(name)? else { return Ok(false) };
        match given.text()? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(given.refuse("is true or false")),
        }
    }

    /// A whole number from `least` on.
    pub fn number(&self, name: &str, least: u32) -> Result<Option<u32>> {
        let Some(given) = self.one(name)? else { return Ok(None) };
        let number = given.text()?.parse::<u32>().ok().filter(|number| *number >= least);
        number.map(Some).ok_or_else(|| given.refuse(&format!("is a whole number from {least} on")))
    }

    /// Codes, which may stand several times and several in one with commas between them.
    pub fn codes<'a>(&'a self, name: &'a str) -> Result<Vec<(&'a str, &'a Given)>> {
        let mut codes = Vec::new();
        for given in self.many(name) {
            codes.extend(given.text()?.split(',').map(str::trim).filter(|code| !code.is_empty()).map(|c| (c, given)));
        }
        Ok(codes)
    }

    /// Resource types, as [`Input::codes`].
    pub fn types(&self, name: &str) -> Result<Vec<ResourceType>> {
        let mut types = Vec::new();
        for (code, given) in self.codes(name)? {
            let of = ResourceType::parse(code).ok_or_else(|| given.refuse("names resource types, such as Observation"));
            types.push(of?);
        }
        Ok(types)
    }
}

impl Given {
    /// The text of a primitive.
    pub fn text(&self) -> Result<&str> {
        match &self.value {
            Value::Text(text) => Ok(text),
            Value::Complex(..) | Value::Other => Err(self.refuse("has a primitive value")),
        }
    }

    /// A value of a complex type.
    pub fn complex(&self, kind: &str) -> Result<&Object> {
        match &self.value {
            Value::Complex(of, object) if of == kind => Ok(object),
            Value::Text(_) if !self.place.starts_with("Parameters") => {
                Err(self.refuse(&format!("is a {kind}, which no address can hold: send it in Parameters, by POST")))
            }
            _ => Err(self.refuse(&format!("has value{kind}"))),
        }
    }

    /// `what`: a predicate, such as `is a whole number`.
    pub fn refuse(&self, what: &str) -> Error {
        Error::invalid(format!("The parameter {} {what}.", self.name)).at(&self.place)
    }
}

fn read_one(parameter: &Json, place: String) -> Result<Given> {
    let object = parameter.as_object();
    let name = object.and_then(|object| object.get_str("name"));
    let (Some(object), Some(name)) = (object, name) else {
        return Err(Error::invalid("A parameter has a name.").at(place));
    };
    let value = object.iter().find_map(|(member, value)| Some((member.strip_prefix("value")?, value)));
    let value = match value {
        Some((_, Json::String(text) | Json::Number(text))) => Value::Text(text.to_string()),
        Some((_, Json::Bool(bool))) => Value::Text(bool.to_string()),
        Some((kind, Json::Object(object))) => Value::Complex(kind.to_owned(), object.clone()),
        _ => Value::Other,
    };
    Ok(Given { name: name.to_owned(), place, value })
}

/// A Parameters resource with these parameters.
pub fn parameters(parameters: Vec<Json>) -> Object {
    Object::new().with_str("resourceType", "Parameters").with("parameter", Json::Array(parameters))
}

/// One parameter, as `field("return", "valueMeta", …)`.
pub fn field(name: &str, member: &'static str, value: Json) -> Json {
    Json::Object(Object::new().with_str("name", name).with(member, value))
}
