//! FHIR's XML, by the same definitions as its JSON. <https://hl7.org/fhir/R4/xml.html>
//!
//! A resource is read into the tree that JSON is read into, and written from it; nothing else in the server knows of XML.

mod read;
mod write;

pub use read::read;
pub use write::write;

const FHIR: &str = "http://hl7.org/fhir";
const XHTML: &str = "http://www.w3.org/1999/xhtml";

#[cfg(test)]
mod tests;

/// Whether XML 1.0 has a form for a character. <https://www.w3.org/TR/xml/#charsets>
pub fn is_character(letter: char) -> bool {
    !matches!(letter, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// The character that stands between `&` and `;`: one of the five that XML has names for, or one by its number.
pub fn character(name: &str) -> Option<char> {
    let number = |digits: &str, radix: u32| {
        let is_number = digits.chars().all(|digit| digit.is_digit(radix));
        let number = u32::from_str_radix(digits, radix).ok().filter(|_| is_number)?;
        char::from_u32(number).filter(|letter| is_character(*letter))
    };
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match name.strip_prefix("#x") {
            Some(digits) => number(digits, 16),
            None => number(name.strip_prefix('#')?, 10),
        },
    }
}
