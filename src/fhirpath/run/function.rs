//! The functions by name. <http://hl7.org/fhirpath/N1/#functions> <https://hl7.org/fhir/R4/fhirpath.html#functions>

mod boundary;
mod collection;
mod convert;
pub(super) mod fhir;
mod math;
pub(in super::super) mod string;
mod tree;

use super::super::item::Items;
use super::Call;
use crate::fhir::invalid::Result;
use std::collections::HashMap;
use std::sync::LazyLock;

pub(in super::super) type Native = for<'c, 'a> fn(Call<'c, 'a>) -> Result<Items<'a>>;

/// What a function takes.
pub(in super::super) struct Known {
    pub name: &'static str,
    pub arguments_min: usize,
    pub arguments_max: usize,
    pub native: Native,
    /// Whether its arguments are evaluated for each item.
    pub is_loop: bool,
    /// Whether its first argument is a regular expression.
    pub is_pattern: bool,
}

const fn plain(name: &'static str, arguments_min: usize, arguments_max: usize, native: Native) -> Known {
    Known { name, arguments_min, arguments_max, native, is_loop: false, is_pattern: false }
}

const fn looping(name: &'static str, arguments_min: usize, arguments_max: usize, native: Native) -> Known {
    Known { is_loop: true, ..plain(name, arguments_min, arguments_max, native) }
}

const fn pattern(name: &'static str, arguments: usize, native: Native) -> Known {
    Known { is_pattern: true, ..plain(name, arguments, arguments, native) }
}

/// The function of a name; case counts.
pub(in super::super) fn function(name: &str) -> Option<&'static Known> {
    static BY_NAME: LazyLock<HashMap<&str, &Known>> =
        LazyLock::new(|| TABLES.iter().flat_map(|table| table.iter()).map(|known| (known.name, known)).collect());
    BY_NAME.get(name).copied()
}

const TABLES: [&[Known]; 7] =
    [collection::TABLE, string::TABLE, math::TABLE, convert::TABLE, tree::TABLE, fhir::TABLE, boundary::TABLE];
