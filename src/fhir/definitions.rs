//! The R4 definitions: resource types, compartments, elements and search parameters. <https://hl7.org/fhir/R4/>
//!
//! The facts are the tables under `definitions/r4/`, made by `scripts/definitions`. They are
//! embedded, and each is read once, when first asked for. A row that cannot be read is left out
//! and counted; the tests hold that count at zero, so no running server meets one.

mod compartment;
mod element;
mod primitive;
mod prose;
mod resource_type;
mod table;

pub use compartment::{
    compartment_parameters, compartment_paths, in_compartment, in_patient_compartment, patient_compartment_paths,
    patient_paths_of,
};
pub use element::{Element, ElementKind, Node, datatype, root};
pub use primitive::PrimitiveType;
pub use prose::{example, search_description};
pub use resource_type::ResourceType;
pub use table::{SearchParameterRow, search_parameters};
