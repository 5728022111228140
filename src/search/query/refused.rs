//! Why a parameter does not become part of a query: reported by default, or an error in any case.

use super::super::kind::Refusal;
use crate::error::{Error, Kind};
use std::fmt::Display;

/// As many characters of a value are told back.
const TOLD_CHARACTERS_MAX: usize = 100;

#[derive(Debug)]
pub(in crate::search) enum Refused {
    /// Not known, or nothing asked for: reported, or 400 under strict handling. A sentence.
    Ignorable(String),
    /// A parameter that is not answered yet: as above. A chain over several types does not leave one out for it.
    Unfinished(String),
    /// 400 whatever the handling.
    Error(Error),
}

impl Refused {
    pub fn ignorable(reason: impl Into<String>) -> Refused {
        Refused::Ignorable(reason.into())
    }

    /// Refused whatever the handling.
    pub fn always(self) -> Refused {
        match self {
            Refused::Ignorable(reason) | Refused::Unfinished(reason) => Refused::Error(Error::invalid(reason)),
            error @ Refused::Error(_) => error,
        }
    }

    /// Refused, with the parameter as its place.
    pub fn into_error(self, name: &str) -> Error {
        match self {
            Refused::Ignorable(reason) | Refused::Unfinished(reason) => Error::invalid(reason).at(name),
            Refused::Error(error) => error.at(name),
        }
    }

    /// A value that cannot be read; `expected` is a sentence.
    pub fn value(name: &str, value: &str, expected: impl Display) -> Refused {
        let told: String = value.chars().take(TOLD_CHARACTERS_MAX).collect();
        let dots = if told.len() < value.len() { " …" } else { "" };
        Refused::Error(Error::invalid(format!("'{told}{dots}' cannot be read as a value of '{name}'. {expected}")))
    }

    pub fn not_supported(message: impl Into<String>) -> Refused {
        Refused::Error(Error::not_supported(message))
    }

    pub fn too_costly(message: impl Into<String>) -> Refused {
        Refused::Error(Error::new(Kind::TooCostly, message))
    }

    pub fn modifier(code: &str, modifier: &str) -> Refused {
        Refused::Ignorable(format!("'{code}' has no modifier ':{modifier}' here."))
    }

    /// What a kind of parameter said about its modifier or value.
    pub fn of(refusal: Refusal, code: &str, value: &str) -> Refused {
        match refusal {
            Refusal::UnknownModifier(modifier) => Refused::modifier(code, &modifier),
            Refusal::Value(expected) => Refused::value(code, value, expected),
        }
    }
}
