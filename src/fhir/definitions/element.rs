//! The elements of resources and datatypes, walked by JSON name. <https://hl7.org/fhir/R4/json.html>

use std::collections::HashMap;
use std::sync::LazyLock;

use super::constraint::{self, Constraints};
use super::primitive::PrimitiveType;
use super::resource_type::{ResourceType, is_resource};
use super::table::{self, ElementRow};
use super::value_set::{ValueSet, value_set};

/// A place whose children are known: a resource, a datatype or a backbone element.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Node(u16);

/// What an element's JSON value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElementKind {
    Primitive(PrimitiveType),
    Complex(Node),
    /// Any resource: `contained`, `Bundle.entry.resource`, `Parameters.parameter.resource` ….
    Resource,
}

/// One JSON property of a node.
#[derive(Debug)]
pub struct Element {
    /// The JSON property, for a choice element the concrete one: `valueQuantity`.
    pub name: &'static str,
    pub kind: ElementKind,
    /// Whether the JSON value is an array; so it is when the definition's maximum is `*`.
    pub is_list: bool,
    /// Whether the definition's minimum is 1. Of a choice element one of its types must be there.
    pub is_required: bool,
    /// Whether `_summary=true` keeps it.
    pub is_summary: bool,
    /// The name without type that the concrete names of a choice share: `value` of `value[x]`.
    pub choice: Option<&'static str>,
    /// The place among its siblings in the definition, in whose order XML is written.
    pub position: u16,
    /// The value set that a code here must be from.
    pub binding: Option<&'static ValueSet>,
    /// What must hold of the element itself; of its type see [`Node::constraints`].
    pub constraints: Constraints,
    targets: &'static str,
}

impl Element {
    /// The resource types that a Reference or canonical here may point to.
    ///
    /// Nothing when the definition does not say; `Resource` stands for any.
    pub fn targets(&self) -> impl Iterator<Item = &'static str> {
        self.targets.split('|').filter(|name| !name.is_empty())
    }
}

/// Stands in for a definition that the tables lack. It has no children, so that nothing passes as
/// known; the tests prove that no resource type and no element leads here.
const UNKNOWN: Node = Node(u16::MAX);

/// A child that must be there, in one of its forms.
#[derive(Debug)]
pub struct Demand {
    /// `status`, or `value[x]` as it is called without a type.
    pub name: &'static str,
    /// The JSON properties of which one must be there.
    pub properties: Vec<&'static str>,
}

struct Definition {
    path: &'static str,
    type_name: &'static str,
    constraints: Constraints,
    demands: Vec<Demand>,
    /// In the order of the names, for the binary search.
    children: Vec<Element>,
}

struct Definitions {
    nodes: Vec<Definition>,
    resources: HashMap<&'static str, Node>,
    datatypes: HashMap<&'static str, Node>,
    element: Node,
    /// Read by the test that proves every row is understood.
    #[cfg_attr(not(test), allow(dead_code))]
    rows_skipped: usize,
}

static DEFINITIONS: LazyLock<Definitions> = LazyLock::new(Definitions::load);

/// The node of a resource type.
pub fn root(resource_type: ResourceType) -> Node {
    let resources = &DEFINITIONS.resources;
    resources.get(resource_type.as_str()).copied().unwrap_or(UNKNOWN)
}

/// The node of a complex datatype such as `Quantity` or `Timing`.
///
/// None for primitive types, resource types and profiles: SimpleQuantity and MoneyQuantity name
/// constraints on Quantity, and no element of R4 has them as its type.
pub fn datatype(name: &str) -> Option<Node> {
    DEFINITIONS.datatypes.get(name).copied()
}

impl Node {
    /// The datatype Element: what the `_name` sibling of a primitive property holds.
    pub fn element() -> Self {
        DEFINITIONS.element
    }

    /// The property of this JSON name. `resourceType` is none, for it is no element.
    pub fn child(self, json_name: &str) -> Option<&'static Element> {
        let children = self.child_slice();
        let place = children.binary_search_by(|element| element.name.cmp(json_name)).ok()?;
        children.get(place)
    }

    /// Every property, in the order of the names.
    pub fn children(self) -> impl Iterator<Item = &'static Element> {
        self.child_slice().iter()
    }

    /// Whether this is a resource type, and no datatype or backbone element.
    pub fn is_resource(self) -> bool {
        DEFINITIONS.resources.get(self.type_name()) == Some(&self)
    }

    /// Whether the property of this name is a plain string, an attribute in XML, with nothing beside it: `id` but of a
    /// resource, and the `url` of an Extension.
    pub fn has_attribute(self, name: &str) -> bool {
        name == "id" && !self.is_resource() || name == "url" && self.type_name() == "Extension"
    }

    /// Whether this is the datatype Reference.
    pub fn is_reference(self) -> bool {
        self.type_name() == "Reference"
    }

    /// The resource type or datatype; `BackboneElement` or `Element` where the children are
    /// defined in place.
    pub fn type_name(self) -> &'static str {
        self.definition().map_or("", |node| node.type_name)
    }

    /// Where the children are defined: `Patient`, `Quantity`, `Patient.contact`.
    pub fn path(self) -> &'static str {
        self.definition().map_or("", |node| node.path)
    }

    /// What must hold of whatever has this definition.
    pub fn constraints(self) -> Constraints {
        self.definition().map_or_else(Constraints::default, |node| node.constraints)
    }

    /// The children that must be there.
    pub fn demands(self) -> &'static [Demand] {
        self.definition().map_or(&[], |node| &node.demands)
    }

    fn child_slice(self) -> &'static [Element] {
        self.definition().map_or(&[], |node| &node.children)
    }

    fn definition(self) -> Option<&'static Definition> {
        DEFINITIONS.nodes.get(usize::from(self.0))
    }
}

impl Definitions {
    fn load() -> Self {
        let read: Vec<_> = table::elements().collect();
        let mut rows_skipped = read.iter().filter(|row| row.is_none()).count();
        // What is inside a primitive is JSON's affair: a value, and an Element beside it.
        let rows: Vec<_> =
            read.into_iter().flatten().filter(|row| PrimitiveType::parse(row.definition()).is_none()).collect();
        let (mut nodes, by_path) = places(&rows);
        let (mut resources, mut datatypes) = (HashMap::new(), HashMap::new());
        for row in rows.iter().filter(|row| row.parent().is_none()) {
            let Some(&node) = by_path.get(row.path) else {
                rows_skipped += 1;
                continue;
            };
            if is_resource(row.path, row.types) {
                resources.insert(row.path, node);
            } else {
                datatypes.insert(row.path, node);
            }
        }
        for row in rows.iter() {
            let Some(parent) = row.parent() else { continue };
            let definition = by_path.get(parent).and_then(|node| nodes.get_mut(usize::from(node.0)));
            let (Some(definition), Some(elements)) = (definition, elements(*row, &by_path)) else {
                rows_skipped += 1;
                continue;
            };
            let position = u16::try_from(definition.children.len()).unwrap_or(u16::MAX);
            definition.children.extend(elements.into_iter().map(|element| Element { position, ..element }));
        }
        for definition in &mut nodes {
            definition.children.sort_unstable_by_key(|child| child.name);
            definition.demands = demands(&definition.children);
        }
        let element = datatypes.get("Element").copied().unwrap_or(UNKNOWN);
        Self { nodes, resources, datatypes, element, rows_skipped }
    }
}

/// A node without children yet for each row that defines any, and the nodes by path.
fn places(rows: &[ElementRow]) -> (Vec<Definition>, HashMap<&'static str, Node>) {
    let parents: std::collections::HashSet<_> = rows.iter().filter_map(|row| row.parent()).collect();
    let mut nodes = Vec::new();
    let mut by_path = HashMap::new();
    for row in rows.iter().filter(|row| parents.contains(row.path)) {
        // A node that does not fit is left out; then its rows count as skipped.
        let Ok(place) = u16::try_from(nodes.len()) else {
            continue;
        };
        by_path.insert(row.path, Node(place));
        nodes.push(Definition {
            path: row.path,
            type_name: row.parent().map_or(row.path, |_| row.types),
            constraints: constraint::at(row.path),
            demands: Vec::new(),
            children: Vec::new(),
        });
    }
    (nodes, by_path)
}

/// What must be there of these children.
fn demands(children: &[Element]) -> Vec<Demand> {
    let mut demands: Vec<Demand> = Vec::new();
    for child in children.iter().filter(|child| child.is_required) {
        let name = child.choice.unwrap_or(child.name);
        match demands.iter_mut().find(|demand| demand.name == name) {
            Some(demand) => demand.properties.push(child.name),
            None => demands.push(Demand { name, properties: vec![child.name] }),
        }
    }
    demands
}

/// The JSON properties that one row defines: one, or one for each type of a choice.
fn elements(row: ElementRow, by_path: &HashMap<&'static str, Node>) -> Option<Vec<Element>> {
    let (_, name) = row.path.rsplit_once('.')?;
    let choice = name.strip_suffix("[x]");
    let mut elements = Vec::new();
    for type_name in row.types.split('|') {
        elements.push(Element {
            name: choice.map_or(Some(name), |choice| concrete(choice, type_name))?,
            kind: kind(row, type_name, by_path)?,
            is_list: row.is_list,
            is_required: row.is_required,
            is_summary: row.is_summary,
            choice,
            position: 0,
            // Of a choice only what is coded can be bound.
            binding: Some(row.binding).filter(|name| !name.is_empty()).map(value_set),
            constraints: constraint::at(row.path),
            targets: match type_name {
                "Reference" => row.references,
                "canonical" => row.canonicals,
                _ => "",
            },
        });
    }
    Some(elements)
}

/// `value` of type `dateTime` is `valueDateTime`.
fn concrete(choice: &str, type_name: &str) -> Option<&'static str> {
    let mut letters = type_name.chars();
    let first = letters.next()?.to_ascii_uppercase();
    // Leaked once in the life of the process, into a table that lives as long.
    Some(format!("{choice}{first}{}", letters.as_str()).leak())
}

fn kind(row: ElementRow, type_name: &str, by_path: &HashMap<&'static str, Node>) -> Option<ElementKind> {
    if type_name == "Resource" {
        return Some(ElementKind::Resource);
    }
    if is_resource_id(row) {
        return Some(ElementKind::Primitive(PrimitiveType::Id));
    }
    if let Some(primitive) = PrimitiveType::parse(type_name) {
        return Some(ElementKind::Primitive(primitive));
    }
    // Children defined in place come before those of the type, which is then only a base.
    let node = match type_name.strip_prefix('#') {
        Some(path) => by_path.get(path),
        None => by_path.get(row.path).or_else(|| by_path.get(type_name)),
    };
    node.copied().map(ElementKind::Complex)
}

/// Whether the row is the `id` of a resource. The package calls its type `string`, but the
/// specification says `id`: <https://hl7.org/fhir/R4/resource.html#id>
fn is_resource_id(row: ElementRow) -> bool {
    row.path.strip_suffix(".id").is_some_and(|parent| parent == "Resource" || ResourceType::parse(parent).is_some())
}

#[cfg(test)]
mod tests;
