//! Where a walk is, as a FHIRPath; a text is only made of it when there is something to say.

/// A place inside a resource, from the resource on.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    Top,
    /// An element by its name; of a choice without the type: `value`, not `valueQuantity`.
    Member(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl Place<'_> {
    pub fn expression(&self) -> String {
        match self {
            Place::Top => String::new(),
            Place::Member(Place::Top, name) => (*name).to_owned(),
            Place::Member(outer, name) => format!("{}.{name}", outer.expression()),
            Place::Item(outer, position) => format!("{}[{position}]", outer.expression()),
        }
    }

    pub fn is_top(&self) -> bool {
        matches!(self, Place::Top)
    }

    pub fn is_item(&self) -> bool {
        matches!(self, Place::Item(..))
    }
}
