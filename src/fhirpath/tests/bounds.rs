//! What is beyond a bound is a fault: no hang, no stack that runs over.

use super::super::{Budget, Expression, Value, Variables};
use crate::fhir::invalid::Fault;
use crate::fhir::json::parse;

const PATIENT: &str = r#"{"resourceType":"Patient","name":[{"given":["a","b"]}]}"#;

fn fault(expression: &str, budget: Budget) -> Option<Fault> {
    fault_on(PATIENT, expression, budget)
}

fn fault_on(resource: &str, expression: &str, budget: Budget) -> Option<Fault> {
    let json = parse(resource.as_bytes(), 8).unwrap();
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

/// Three loops of ten inside each other.
fn a_thousand_times(inner: &str) -> String {
    let ten = "(0|1|2|3|4|5|6|7|8|9)";
    format!("Patient.where({ten}.select({ten}.select({ten}.select({inner}))).exists())")
}

#[test]
fn the_regular_expressions_of_an_expression_share_their_memory() {
    let alternatives = |count: usize| {
        let each = (0..count).map(|number| format!("'{number}'.matches('[a-z]{{9}}{number}')"));
        each.collect::<Vec<_>>().join(" | ")
    };
    assert_eq!(fault(&alternatives(40), Budget::default()), None);
    assert_eq!(fault(&alternatives(200), Budget::default()), Some(Fault::Syntax));
    // Few large ones as well.
    let large = "'a'.matches('\\\\w{40}')";
    assert_eq!(fault(large, Budget::default()), None);
    assert_eq!(fault(&format!("{large}{}", format!(" | {large}").repeat(9)), Budget::default()), Some(Fault::Syntax));
    let mut left = 1 << 20;
    assert!(Expression::compile_sharing("'a'.matches('b')", &mut left).is_ok());
    assert!(left < 1 << 20);
    while left > 0 {
        let _ = Expression::compile_sharing("'a'.matches('b')", &mut left);
    }
    assert!(Expression::compile_sharing("'a'.matches('b')", &mut left).is_err());
    assert!(Expression::compile_sharing("'a' = 'b'", &mut left).is_ok());
}

#[test]
fn a_large_regular_expression_costs_more_for_each_letter() {
    let text = "a".repeat(4_000);
    let budget = Budget { steps: 5_000, ..Budget::default() };
    assert_eq!(fault(&format!("'{text}'.matches('^a+$')"), budget), None);
    assert_eq!(fault(&format!("'{text}'.matches('^(\\\\w{{40}}|a)+$')"), budget), Some(Fault::Bound));
}

#[test]
fn texts_that_are_copied_count_and_all_texts_together_are_bounded() {
    let long = format!(r#"{{"resourceType":"Patient","name":[{{"text":"{}"}}]}}"#, "a".repeat(1 << 20));
    for copy in ["toString()", "getValue()", "substring(1)", "lower()", "toQuantity('a').value.toString()"] {
        let many = a_thousand_times(&format!("iif(true,%resource).name.text.{copy}"));
        let told = fault_on(&long, &many, Budget { steps: usize::MAX, ..Budget::default() });
        assert_eq!(told, Some(Fault::Bound), "{copy}");
    }
}

#[test]
fn a_look_at_something_large_counts_for_more_than_one_step() {
    let text = "a".repeat(1 << 16);
    let other = format!("{}b", "a".repeat((1 << 16) - 1));
    let members: Vec<String> = (0..10_000).map(|number| format!("\"x{number}\":1")).collect();
    let given: Vec<String> = (0..1_000).map(|number| format!("\"{number}\"")).collect();
    let given = given.join(",");
    let resource = format!(
        r#"{{"resourceType":"Patient","name":[{{"text":"{text}"}},{{"text":"{other}"}},
            {{"given":[{given},"x"]}},{{"given":[{given},"y"]}},{{"_text":{{"id":"a"}},{}}}]}}"#,
        members.join(",")
    );
    let budget = Budget { steps: 100_000, ..Budget::default() };
    let name = |place: usize| format!("iif(true,%resource).name[{place}]");
    let (long, longer) = (format!("{}.text", name(0)), format!("{}.text", name(1)));
    for inner in [
        format!("{long} = {longer}"),
        format!("{long} != {longer}"),
        format!("{long} ~ {longer}"),
        format!("{long} < {longer}"),
        format!("{long}.length()"),
        format!("{long} | {longer}"),
        format!("{long} in ({longer}.combine('a'))"),
        format!("{} = {}", name(2), name(3)),
        format!("{} | {}", name(2), name(3)),
        format!("{} ~ {}", name(2), name(3)),
        format!("{}.combine({}).isDistinct()", name(2), name(3)),
        format!("{}.family", name(4)),
        format!("{}.children()", name(4)),
        format!("{}.extension('a')", name(4)),
    ] {
        assert_eq!(fault_on(&resource, &a_thousand_times(&inner), budget), Some(Fault::Bound), "{inner}");
    }
    assert_eq!(fault_on(&resource, &a_thousand_times("iif(true,%resource).name[0].use = 'a'"), budget), None);
    let total = "%resource.descendants().aggregate(iif($index=0,%resource.descendants(),$total)).count()";
    assert_eq!(fault_on(&resource, total, budget), Some(Fault::Bound));
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
