//! What is beyond a bound is a fault: no hang, no stack that runs over.

use super::super::{Budget, Expression, Value, Variables};
use crate::fhir::invalid::Fault;
use crate::fhir::json::parse;

const PATIENT: &str = r#"{"resourceType":"Patient","name":[{"given":["a","b"]}]}"#;

fn fault(expression: &str, budget: Budget) -> Option<Fault> {
    let json = parse(PATIENT.as_bytes(), 8).unwrap();
    let resource = Value::resource(&json).unwrap();
    let expression = match Expression::compile(expression) {
        Ok(expression) => expression,
        Err(invalid) => return Some(invalid.fault),
    };
    expression.evaluate(&resource.into(), &Variables::of(resource), budget).err().map(|invalid| invalid.fault)
}

#[test]
fn an_evaluation_that_takes_too_many_steps_is_a_fault() {
    let budget = Budget { steps: 10_000, ..Budget::default() };
    let many = "(1|2|3|4|5|6|7|8|9|10)";
    let nested = format!("{many}.select({many}.select({many}.select({many}.select(1))))");
    assert_eq!(fault(&nested, budget), Some(Fault::Bound));
    // A loop that finds something new each time would never end.
    assert_eq!(fault("1.repeat($this + 1)", budget), Some(Fault::Bound));
    assert_eq!(fault("name.repeat($this | $this)", budget), None);
    let combined = format!("{many}{}.count()", ".select($this.combine(1.combine(2)))".repeat(12));
    assert_eq!(fault(&combined, budget), Some(Fault::Bound));
}

#[test]
fn a_text_that_grows_too_long_is_a_fault() {
    let budget = Budget { text_bytes: 100_000, ..Budget::default() };
    let doubled = format!("'0123456789'{}", ".select($this & $this)".repeat(30));
    assert_eq!(fault(&doubled, budget), Some(Fault::Bound));
    let replaced = format!("'aaaaaaaaaa'{}", ".replace('a', 'aaaaaaaaaa')".repeat(8));
    assert_eq!(fault(&replaced, budget), Some(Fault::Bound));
    let matched = format!("'aaaaaaaaaa'{}", ".replaceMatches('a', '$0$0$0$0$0$0')".repeat(8));
    assert_eq!(fault(&matched, budget), Some(Fault::Bound));
}

#[test]
fn a_regular_expression_is_linear_and_bounded() {
    let text = "a".repeat(2_000);
    assert_eq!(fault(&format!("'{text}b'.matches('^(a+)+$')"), Budget::default()), None);
    assert_eq!(fault("'a'.matches('(a{1000}){1000}')", Budget::default()), Some(Fault::Syntax));
    assert_eq!(fault("'a'.matches('(a{1000}' + '){1000}')", Budget::default()), Some(Fault::Unprocessable));
    assert_eq!(fault("'a'.matches('(?=a)')", Budget::default()), Some(Fault::Syntax));
}

/// On a thread with as much stack as those that serve requests.
#[test]
fn no_expression_is_deep_enough_to_break_the_stack() {
    let deepest = |opening: &str, inner: &str, closing: &str| {
        let text = |count: usize| format!("{}{inner}{}", opening.repeat(count), closing.repeat(count));
        let count = (1..2_000).take_while(|count| Expression::compile(&text(*count)).is_ok()).last().unwrap();
        assert!(count < 1_999, "{opening}");
        (text(count), text(100_000 / (opening.len() + closing.len())))
    };
    for (opening, inner, closing) in [
        ("(", "1", ")"),
        ("name.where(", "true", ")"),
        ("iif(true, ", "1", ")"),
        ("", "name", ".first()"),
        ("", "1", " + 1"),
        ("", "true", " and true"),
        ("", "1", " | 2"),
        ("", "name", "[0]"),
        ("-(", "1", ")"),
    ] {
        let (deepest, beyond) = deepest(opening, inner, closing);
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        let evaluated = thread.spawn(move || (fault(&deepest, Budget::default()), fault(&beyond, Budget::default())));
        assert_eq!(evaluated.unwrap().join().unwrap(), (None, Some(Fault::Bound)), "{opening}{inner}{closing}");
    }
}
