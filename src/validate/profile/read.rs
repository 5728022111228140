//! From a StructureDefinition with its snapshot to the tree of rules. <https://hl7.org/fhir/R4/structuredefinition.html>

use super::canonical::{base_type, without_version};
use super::model::{
    Binding, Constraint, Discriminator, DiscriminatorKind, Limit, Others, Profile, Rule, Slicing, Step, TypeRule,
};
use crate::fhir::definitions::{Element as Definition, ElementKind, Node, ResourceType, constraints, datatype, root};
use crate::fhir::json::{Json, Object};
use crate::fhirpath::Expression;
use smol_str::SmolStr;
use std::collections::HashSet;
use std::sync::LazyLock;

/// A snapshot has at most so many elements (elements). The largest of HL7's have some thousand.
const ELEMENTS_MAX: usize = 20_000;
/// Elements in each other.
const DEPTH_MAX: usize = 32;

/// What the regular expressions of all constraints may take (bytes, compiled): they are kept with the profile.
const PATTERN_BYTES_MAX: usize = 16 << 20;

/// <https://hl7.org/fhir/R4/extension-elementdefinition-maxvalueset.html>
const MAX_VALUE_SET: &str = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet";

/// Keys of the base's invariants, which every snapshot repeats and the walk beside the base has looked at.
static OF_BASE: LazyLock<HashSet<&'static str>> = LazyLock::new(|| constraints().iter().map(|one| one.key).collect());

/// # Errors
/// Why nothing can be checked against it, as the end of a sentence.
pub fn read(definition: &Object) -> Result<Profile, String> {
    let text = |name: &str| definition.get_str(name);
    let (Some(url), Some(of)) = (text("url"), text("type")) else {
        return Err("it names no url or no type".to_owned());
    };
    if text("derivation") != Some("constraint") {
        return Err("it is no profile: it does not constrain a type".to_owned());
    }
    let node = node_of(of).ok_or_else(|| format!("it is about {of}, which is no type of R4"))?;
    let elements = definition.get("snapshot").and_then(Json::as_object).and_then(|snapshot| snapshot.get("element"));
    let elements = elements.ok_or("it has no snapshot; publish it with one")?.items();
    if elements.len() > ELEMENTS_MAX {
        return Err(format!("its snapshot has more than {ELEMENTS_MAX} elements"));
    }
    let mut gaps = Vec::new();
    let mut tree = Tree { open: Vec::new(), gaps: &mut gaps, pattern_bytes_left: PATTERN_BYTES_MAX };
    for element in elements.iter().filter_map(Json::as_object) {
        tree.add(element)?;
        if tree.pattern_bytes_left == 0 {
            return Err("the regular expressions of its constraints take too much memory".to_owned());
        }
    }
    let pattern_bytes = PATTERN_BYTES_MAX - tree.pattern_bytes_left;
    let mut rule = tree.close()?;
    settle(&mut rule, Some(node));
    Ok(Profile { url: SmolStr::new(url), of: SmolStr::new(of), root: rule, gaps, pattern_bytes })
}

pub fn node_of(name: &str) -> Option<Node> {
    ResourceType::parse(name).map(root).or_else(|| datatype(name))
}

/// The elements in the order of the snapshot, those that are still open with their paths.
struct Tree<'g> {
    open: Vec<(SmolStr, Rule)>,
    gaps: &'g mut Vec<String>,
    pattern_bytes_left: usize,
}

impl Tree<'_> {
    fn add(&mut self, element: &Object) -> Result<(), String> {
        let path = element.get_str("path").ok_or("an element of its snapshot has no path")?;
        while self.open.last().is_some_and(|(outer, _)| !is_inside(path, outer)) && self.open.len() > 1 {
            self.attach()?;
        }
        let name = path.rsplit('.').next().unwrap_or(path);
        match self.open.last() {
            None if path.contains('.') => return Err("its snapshot does not begin with the type itself".to_owned()),
            Some((outer, _)) if path.len() != outer.len() + 1 + name.len() => {
                return Err(format!("its snapshot has `{path}` and not what it is an element of"));
            }
            Some(_) if self.open.len() > DEPTH_MAX => return Err(format!("`{path}` is too deep in it")),
            _ => {}
        }
        let rule = self.rule(element, name);
        self.open.push((SmolStr::new(path), rule));
        Ok(())
    }

    /// Puts the innermost open rule where it belongs.
    fn attach(&mut self) -> Result<(), String> {
        let (Some((_, rule)), Some((_, outer))) = (self.open.pop(), self.open.last_mut()) else {
            return Err("its snapshot has no order".to_owned());
        };
        let head = outer.children.iter().position(|one| one.name == rule.name);
        match (rule.slice.is_some(), head) {
            (false, _) => outer.children.push(rule),
            (true, Some(head)) => {
                if let Some(head) = outer.children.get_mut(head) {
                    head.slices.push(rule);
                }
            }
            (true, None) => {
                let name = rule.name.clone();
                outer.children.push(Rule { name, slices: vec![rule], ..Rule::default() });
            }
        }
        Ok(())
    }

    fn close(mut self) -> Result<Rule, String> {
        while self.open.len() > 1 {
            self.attach()?;
        }
        self.open.pop().map(|(_, rule)| rule).ok_or_else(|| "its snapshot is empty".to_owned())
    }

    fn rule(&mut self, element: &Object, name: &str) -> Rule {
        let number = |name: &str| match element.get(name) {
            Some(Json::Number(digits)) => digits.parse().ok(),
            Some(Json::String(text)) => text.parse().ok(),
            _ => None,
        };
        let (fixed, pattern) = (starting(element, "fixed"), starting(element, "pattern"));
        let limit = |prefix: &str, is_least: bool| {
            let (kind, value) = starting(element, prefix)?;
            Some(Limit { is_least, value: value.clone(), kind: SmolStr::new(kind) })
        };
        let slice = element.get_str("sliceName").map(SmolStr::new);
        if let Some(slice) = slice.as_deref().filter(|slice| slice.contains('/')) {
            self.gaps.push(format!("The slice `{slice}` is a slice of a slice, which is not checked."));
        }
        let content = element.get_str("contentReference").and_then(|text| text.rsplit('#').next());
        Rule {
            name: SmolStr::new(name),
            slice,
            min: number("min").unwrap_or_default(),
            max: number("max"),
            types: types(element),
            narrows: true,
            fixed: fixed.map(|(_, value)| value.clone()),
            pattern: pattern.map(|(_, value)| value.clone()),
            limits: limit("minValue", true).into_iter().chain(limit("maxValue", false)).collect(),
            length_max: number("maxLength"),
            bindings: bindings(element),
            constraints: self.constraints(element),
            slicing: self.slicing(element, name),
            slices: Vec::new(),
            children: Vec::new(),
            content: content.map(SmolStr::new),
        }
    }

    fn constraints(&mut self, element: &Object) -> Vec<Constraint> {
        let mut found = Vec::new();
        for one in objects(element, "constraint") {
            let (Some(key), Some(text)) = (one.get_str("key"), one.get_str("expression")) else { continue };
            let source = one.get_str("source").map(|source| source.rsplit('/').next().unwrap_or(source));
            let is_of_base = source.is_none_or(|name| node_of(name).is_some() || ABSTRACT.contains(&name));
            if is_of_base && OF_BASE.contains(key) {
                continue;
            }
            match Expression::compile_sharing(text, &mut self.pattern_bytes_left) {
                Ok(expression) => found.push(Constraint {
                    key: SmolStr::new(key),
                    human: SmolStr::new(one.get_str("human").unwrap_or(text)),
                    is_error: one.get_str("severity") != Some("warning"),
                    expression,
                }),
                Err(fault) => self.gaps.push(format!("The constraint {key} cannot be read: {}", fault.message)),
            }
        }
        found
    }

    fn slicing(&mut self, element: &Object, name: &str) -> Option<Slicing> {
        let slicing = element.get("slicing")?.as_object()?;
        let mut discriminators = Vec::new();
        for one in objects(slicing, "discriminator") {
            let kind = match one.get_str("type") {
                Some("value" | "pattern") => DiscriminatorKind::Value,
                Some("exists") => DiscriminatorKind::Exists,
                Some("type") => DiscriminatorKind::Type,
                Some("profile") => DiscriminatorKind::Profile,
                _ => {
                    self.gaps.push(format!("The slices of `{name}` are told apart in a way that is not known."));
                    return Some(Slicing::default());
                }
            };
            match Step::path(one.get_str("path").unwrap_or_default()) {
                Ok(path) => discriminators.push(Discriminator { kind, path }),
                Err(why) => {
                    self.gaps.push(format!("The slices of `{name}` are not checked: {why}."));
                    return Some(Slicing::default());
                }
            }
        }
        Some(Slicing {
            discriminators,
            is_ordered: slicing.get("ordered") == Some(&Json::Bool(true)),
            others: match slicing.get_str("rules") {
                Some("closed") => Others::Nowhere,
                Some("openAtEnd") => Others::AtEnd,
                _ => Others::Anywhere,
            },
        })
    }
}

const ABSTRACT: &[&str] = &["Element", "BackboneElement", "Resource", "DomainResource"];

fn is_inside(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
}

/// The member whose name starts so, and the type in its name: `fixedCode` is of type `code`.
fn starting<'a>(element: &'a Object, prefix: &str) -> Option<(&'a str, &'a Json)> {
    element.iter().find_map(|(name, value)| {
        let kind =
            name.strip_prefix(prefix).filter(|kind| kind.starts_with(|letter: char| letter.is_ascii_uppercase()));
        Some((kind?, value))
    })
}

fn objects<'a>(object: &'a Object, name: &str) -> impl Iterator<Item = &'a Object> + use<'a> {
    object.get(name).map(Json::items).unwrap_or_default().iter().filter_map(Json::as_object)
}

fn texts(object: &Object, name: &str) -> Vec<SmolStr> {
    object.get(name).map(Json::items).unwrap_or_default().iter().filter_map(Json::as_str).map(SmolStr::new).collect()
}

fn types(element: &Object) -> Vec<TypeRule> {
    let read = |one: &Object| {
        let code = one.get_str("code")?;
        let (profiles, targets) = (texts(one, "profile"), texts(one, "targetProfile"));
        Some(TypeRule { code: SmolStr::new(code), profiles, targets })
    };
    objects(element, "type").filter_map(read).collect()
}

fn bindings(element: &Object) -> Vec<Binding> {
    let Some(binding) = element.get("binding").and_then(Json::as_object) else { return Vec::new() };
    let of = |is_required: bool, value_set: &str| Binding { is_required, value_set: SmolStr::new(value_set) };
    let main = binding.get_str("valueSet").and_then(|value_set| match binding.get_str("strength") {
        Some("required") => Some(of(true, value_set)),
        Some("extensible") => Some(of(false, value_set)),
        _ => None,
    });
    let widest = objects(binding, "extension").filter(|one| one.get_str("url") == Some(MAX_VALUE_SET));
    let widest = widest.filter_map(|one| one.get_str("valueCanonical").or_else(|| one.get_str("valueUri")));
    main.into_iter().chain(widest.map(|value_set| of(true, value_set))).collect()
}

/// Takes out what the base says, and then rules that say nothing. `node`: what the rule's children are children of.
fn settle(rule: &mut Rule, node: Option<Node>) {
    let bases = |child: &Rule| base_elements(node, child);
    for child in &mut rule.children {
        let base = bases(child);
        let inner = inner_node(&base, child);
        strip(child, &base);
        for slice in &mut child.slices {
            // A slice's cardinality is its own.
            let (min, max) = (slice.min, slice.max);
            let inner = inner_node(&base, slice).or(inner);
            strip(slice, &base);
            (slice.min, slice.max) = (min, max);
            settle(slice, inner);
        }
        settle(child, inner);
    }
    rule.children.retain(|child| !child.is_idle());
}

/// The base's elements that a rule is about: several of a choice.
fn base_elements(node: Option<Node>, rule: &Rule) -> Vec<&'static Definition> {
    let Some(node) = node else { return Vec::new() };
    match rule.name.strip_suffix("[x]") {
        Some(choice) => node.children().filter(|element| element.choice == Some(choice)).collect(),
        None => node.child(&rule.name).into_iter().collect(),
    }
}

/// Where a rule's children stand, if that is one place.
fn inner_node(base: &[&'static Definition], rule: &Rule) -> Option<Node> {
    match (base, rule.types.as_slice()) {
        ([one], _) => match one.kind {
            ElementKind::Complex(node) => Some(node),
            ElementKind::Primitive(_) => Some(Node::element()),
            ElementKind::Resource => match rule.types.as_slice() {
                [only] => node_of(&only.code),
                _ => None,
            },
        },
        (_, [only]) => node_of(&only.code),
        _ => None,
    }
}

fn strip(rule: &mut Rule, base: &[&'static Definition]) {
    let Some(first) = base.first() else { return };
    if first.is_required && rule.min <= 1 {
        rule.min = 0;
    }
    if !first.is_list && rule.max != Some(0) {
        rule.max = None;
    }
    let is_choice = first.choice.is_some() || first.kind == ElementKind::Resource;
    let count = rule.types.iter().map(|one| &one.code).collect::<HashSet<_>>().len();
    let says_targets = |one: &TypeRule| {
        let targets: HashSet<&str> = first.targets().collect();
        let is_of_base = |target: &SmolStr| base_type(target).is_some_and(|name| targets.contains(name));
        !one.targets.is_empty() && (one.targets.len() != targets.len() || !one.targets.iter().all(is_of_base))
    };
    rule.narrows = is_choice && count > 0 && count < base.len()
        || first.kind == ElementKind::Resource && rule.types.iter().any(|one| !ABSTRACT.contains(&one.code.as_str()))
        || rule.types.iter().any(|one| !one.profiles.is_empty() || says_targets(one));
    let is_bound = |binding: &Binding| {
        let known = first.binding.map(|value_set| value_set.name);
        known.is_some() && super::canonical::embedded_name(without_version(&binding.value_set)) == known
    };
    rule.bindings.retain(|binding| !(binding.is_required && is_bound(binding)));
}
