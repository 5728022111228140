//! Strings. <http://hl7.org/fhirpath/N1/#string-manipulation>

use super::super::super::code::Code;
use super::super::super::item::{Item, Items};
use super::super::{Call, boolean, fault, operator, optional};
use super::{Known, pattern as regular, plain};
use crate::fhir::invalid::Result;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use regex::{NoExpand, Regex, RegexBuilder};
use smol_str::SmolStr;

/// The regular expressions of one expression take at most so much together (bytes, compiled).
pub(in super::super::super) const PATTERN_BYTES_MAX: usize = 4 << 20;

/// What the smallest is counted as (bytes).
const PATTERN_BYTES_MIN: usize = 64 << 10;

/// The longest regular expression that is read (bytes of text). R4's longest has about 250.
const PATTERN_TEXT_BYTES_MAX: usize = 2_048;

pub(super) const TABLE: &[Known] = &[
    plain("indexOf", 1, 1, |call| place_of(&call, |text, part| text.find(part))),
    plain("lastIndexOf", 1, 1, |call| place_of(&call, |text, part| text.rfind(part))),
    plain("substring", 1, 2, substring),
    plain("startsWith", 1, 1, |call| ask(&call, |text, part| text.starts_with(part))),
    plain("endsWith", 1, 1, |call| ask(&call, |text, part| text.ends_with(part))),
    plain("contains", 1, 1, |call| ask(&call, |text, part| text.contains(part))),
    plain("upper", 0, 0, |call| change(&call, str::to_uppercase)),
    plain("lower", 0, 0, |call| change(&call, str::to_lowercase)),
    plain("trim", 0, 0, |call| change(&call, |text| text.trim().to_owned())),
    plain("replace", 2, 2, replace),
    regular("matches", 1, matches),
    regular("matchesFull", 1, matches),
    regular("replaceMatches", 2, replace_matches),
    plain("length", 0, 0, length),
    plain("toChars", 0, 0, to_chars),
    plain("split", 1, 1, split),
    plain("join", 0, 1, join),
    plain("encode", 1, 1, encode),
    plain("decode", 1, 1, decode),
    plain("escape", 1, 1, escape),
    plain("unescape", 1, 1, unescape),
];

/// A regular expression, and how many times as large it is as a small one.
pub(in super::super::super) struct Pattern {
    regex: Regex,
    weight: usize,
}

/// Reads a regular expression: a point stands for line breaks, too; `matchesFull` means the whole text. What it takes comes
/// out of `left` (bytes). How much that is nobody tells, so that it is tried with a little first and then with more.
///
/// # Errors
/// In words for the client.
pub(in super::super::super) fn pattern(
    function: &str,
    text: &str,
    left: &mut usize,
) -> std::result::Result<Pattern, String> {
    if text.len() > PATTERN_TEXT_BYTES_MAX {
        return Err(format!("a regular expression has at most {PATTERN_TEXT_BYTES_MAX} bytes."));
    }
    let whole = if function == "matchesFull" { format!("^(?:{text})$") } else { text.to_owned() };
    let too_large = || Err("the regular expressions take too much memory.".to_owned());
    if *left == 0 {
        return too_large();
    }
    let mut bytes = PATTERN_BYTES_MIN;
    loop {
        let within = bytes.min(*left);
        let mut builder = RegexBuilder::new(&whole);
        // What it remembers while it is used is held as small.
        match builder.dot_matches_new_line(true).size_limit(within).dfa_size_limit(within).build() {
            Ok(regex) => {
                *left -= within;
                return Ok(Pattern { regex, weight: within.div_ceil(PATTERN_BYTES_MIN) });
            }
            Err(regex::Error::CompiledTooBig(_)) if within < *left => bytes = bytes.saturating_mul(4),
            Err(regex::Error::CompiledTooBig(_)) => {
                *left = 0;
                return too_large();
            }
            Err(_) => {
                let message =
                    "the regular expression cannot be read; look-around and references back are not supported.";
                return Err(message.to_owned());
            }
        }
    }
}

/// The text of the input; `None` for none.
fn input<'i>(call: &'i Call<'_, '_>) -> Result<Option<&'i str>> {
    operator::text(&call.input, &format!("the input of `{}()`", call.name))
}

fn string<'a>(text: impl AsRef<str>) -> Result<Items<'a>> {
    optional(Some(Item::String(SmolStr::new(text))))
}

/// The text of the input and of the first argument.
fn with_argument<'a>(call: &Call<'_, 'a>, answer: impl FnOnce(&str, &str) -> Result<Items<'a>>) -> Result<Items<'a>> {
    let argument = call.argument(0)?;
    match (input(call)?, operator::text(&argument, &format!("the argument of `{}()`", call.name))?) {
        (Some(text), Some(part)) => {
            call.machine.meter.look_at(text.len())?;
            call.machine.meter.look_at(part.len())?;
            answer(text, part)
        }
        _ => Ok(Items::new()),
    }
}

fn ask<'a>(call: &Call<'_, 'a>, answer: fn(&str, &str) -> bool) -> Result<Items<'a>> {
    with_argument(call, |text, part| boolean(answer(text, part)))
}

fn place_of<'a>(call: &Call<'_, 'a>, find: fn(&str, &str) -> Option<usize>) -> Result<Items<'a>> {
    with_argument(call, |text, part| {
        let place = find(text, part).and_then(|at| text.get(..at)).map(|before| before.chars().count());
        optional(Some(Item::Integer(place.map_or(-1, |place| i32::try_from(place).unwrap_or(i32::MAX)))))
    })
}

fn change<'a>(call: &Call<'_, 'a>, change: fn(&str) -> String) -> Result<Items<'a>> {
    let Some(text) = input(call)? else { return Ok(Items::new()) };
    call.machine.meter.text_of(text.len())?;
    string(change(text))
}

fn substring<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let start = operator::integer(&call.argument(0)?, "the start of `substring()`")?;
    let length = operator::integer(&call.argument(1)?, "the length of `substring()`")?;
    let (Some(text), Some(start)) = (input(&call)?, start) else { return Ok(Items::new()) };
    call.machine.meter.look_at(text.len())?;
    let Ok(start) = usize::try_from(start) else { return Ok(Items::new()) };
    let Some((at, _)) = text.char_indices().nth(start) else { return Ok(Items::new()) };
    let rest = text.get(at..).unwrap_or_default();
    let part = match length {
        None if call.has_argument(1) => return Ok(Items::new()),
        None => rest,
        Some(length) => {
            let end = rest.char_indices().nth(usize::try_from(length).unwrap_or(0)).map_or(rest.len(), |(end, _)| end);
            rest.get(..end).unwrap_or_default()
        }
    };
    call.machine.meter.text_of(part.len())?;
    string(part)
}

fn replace<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let substitute = call.argument(1)?;
    let substitute = operator::text(&substitute, "the substitute of `replace()`")?;
    with_argument(&call, |text, part| {
        let Some(substitute) = substitute else { return Ok(Items::new()) };
        let count = if part.is_empty() { text.chars().count() + 1 } else { text.matches(part).count() };
        call.machine.meter.text_of(text.len().saturating_add(count.saturating_mul(substitute.len())))?;
        string(text.replace(part, substitute))
    })
}

/// Hands the text and the regular expression over, which was read when it stood in the expression.
fn with_pattern<'a>(call: &Call<'_, 'a>, answer: impl FnOnce(&str, &Regex) -> Result<Items<'a>>) -> Result<Items<'a>> {
    let Some(text) = input(call)? else { return Ok(Items::new()) };
    // Linear, but each letter is dear, and the larger the expression the more.
    let apply = |pattern: &Pattern| {
        call.machine.spend((text.len() / 4).saturating_mul(pattern.weight))?;
        answer(text, &pattern.regex)
    };
    if let Some(Code::Pattern(pattern)) = call.arguments.first() {
        return apply(pattern);
    }
    let argument = call.argument(0)?;
    let Some(written) = operator::text(&argument, "a regular expression")? else { return Ok(Items::new()) };
    // To read one takes about as long as so many steps; the larger it is the more.
    call.machine.spend(10_000 + written.len().saturating_mul(100))?;
    let mut left = PATTERN_BYTES_MAX;
    let read = pattern(call.name, written, &mut left);
    call.machine.spend((PATTERN_BYTES_MAX - left) / 16)?;
    apply(&read.map_err(fault)?)
}

fn matches<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    with_pattern(&call, |text, regex| boolean(regex.is_match(text)))
}

/// The substitute is taken as it is, except that `$1` stands for the first group, as in other engines.
fn replace_matches<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let substitute = call.argument(1)?;
    let Some(substitute) = operator::text(&substitute, "the substitute of `replaceMatches()`")? else {
        return Ok(Items::new());
    };
    with_pattern(&call, |text, regex| {
        if regex.as_str().is_empty() {
            return string(text);
        }
        let count = regex.find_iter(text).count();
        // Matches do not overlap, so that what one group brings is never longer than the text, all matches together.
        let groups = substitute.matches('$').count().saturating_add(1).saturating_mul(text.len());
        call.machine.meter.text_of(count.saturating_mul(substitute.len()).saturating_add(groups))?;
        match substitute.contains('$') {
            true => string(regex.replace_all(text, substitute)),
            false => string(regex.replace_all(text, NoExpand(substitute))),
        }
    })
}

fn length<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let Some(text) = input(&call)? else { return Ok(Items::new()) };
    call.machine.meter.look_at(text.len())?;
    optional(i32::try_from(text.chars().count()).ok().map(Item::Integer))
}

fn to_chars<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let Some(text) = input(&call)? else { return Ok(Items::new()) };
    call.machine.spend(text.len())?;
    Ok(text.chars().map(|letter| Item::String(SmolStr::new(letter.encode_utf8(&mut [0; 4])))).collect())
}

fn split<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    with_argument(&call, |text, separator| {
        call.machine.spend(text.matches(separator).count())?;
        call.machine.meter.text_of(text.len())?;
        Ok(text.split(separator).map(|part| Item::String(SmolStr::new(part))).collect())
    })
}

fn join<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let separator = call.argument(0)?;
    let separator = operator::text(&separator, "the separator of `join()`")?.unwrap_or_default();
    if call.input.is_empty() {
        return Ok(Items::new());
    }
    let texts = call.input.iter().map(|item| item.text().ok_or_else(|| call.fault("one of the items is no text.")));
    let texts = texts.collect::<Result<Vec<_>>>()?;
    let bytes = texts.iter().map(|text| text.len().saturating_add(separator.len())).fold(0, usize::saturating_add);
    call.machine.meter.text_of(bytes)?;
    string(texts.join(separator))
}

fn encode<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    with_argument(&call, |text, format| {
        call.machine.meter.text_of(text.len().saturating_mul(2))?;
        match format {
            "base64" => string(STANDARD.encode(text)),
            "urlbase64" => string(URL_SAFE.encode(text)),
            "hex" => string(text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>()),
            _ => Ok(Items::new()),
        }
    })
}

fn decode<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    with_argument(&call, |text, format| {
        call.machine.meter.text_of(text.len())?;
        let bytes = match format {
            "base64" => STANDARD.decode(text).ok(),
            "urlbase64" => URL_SAFE.decode(text).ok(),
            "hex" => from_hex(text),
            _ => None,
        };
        optional(bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(|text| Item::String(SmolStr::new(text))))
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let decoded = pairs.iter().map(|[high, low]| Some(digit(*high)? * 16 + digit(*low)?)).collect::<Option<_>>();
    decoded.filter(|_| rest.is_empty())
}

/// HTML's signs that stand for something else, `&` first.
const HTML: [(&str, &str); 5] = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#39;")];

fn escape<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    with_argument(&call, |text, target| {
        call.machine.meter.text_of(text.len().saturating_mul(6))?;
        match target {
            "html" => string(HTML.iter().fold(text.to_owned(), |text, (sign, name)| text.replace(sign, name))),
            "json" => {
                let quoted = serde_json::to_string(text).unwrap_or_default();
                string(quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default())
            }
            _ => Ok(Items::new()),
        }
    })
}

fn unescape<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    with_argument(&call, |text, target| {
        call.machine.meter.text_of(text.len())?;
        match target {
            "html" => string(HTML.iter().rev().fold(text.to_owned(), |text, (sign, name)| text.replace(name, sign))),
            // What holds a plain quote is no escaped text; it is taken as it is.
            "json" => {
                string(serde_json::from_str::<String>(&format!("\"{text}\"")).unwrap_or_else(|_| text.to_owned()))
            }
            _ => Ok(Items::new()),
        }
    })
}
