use super::*;

fn literal(text: &str, at: u32) -> Value {
    Value::literal(&LogicalText::contiguous(text, at))
}

fn unknown() -> Value {
    Value::unknown(Origin::Unset, Span::new(50, 52))
}

#[test]
fn equality_is_three_valued() {
    let either = Value::one_of([literal("a", 0), literal("b", 5)], Span::default());
    let version = Value::join([&literal("v", 0), &unknown()]);
    for (a, b, want) in [
        (literal("x", 0), literal("x", 9), Truth::Yes),
        (literal("x", 0), literal("y", 0), Truth::No),
        (either.clone(), literal("a", 0), Truth::Unknown),
        (either.clone(), literal("c", 0), Truth::No),
        (version.clone(), literal("v1", 0), Truth::Unknown),
        (version.clone(), literal("1", 0), Truth::No),
        (unknown(), literal("", 0), Truth::Unknown),
    ] {
        assert_eq!(a.equals(&b), want, "{a} = {b}");
        assert_eq!(b.equals(&a), want, "{b} = {a}");
    }
    assert_eq!(version.emptiness(), Truth::No);
    assert_eq!(unknown().emptiness(), Truth::Unknown);
    assert_eq!(literal("", 0).emptiness(), Truth::Yes);
}

#[test]
fn alternatives_melt_and_spread() {
    let span = Span::default();
    assert!(Value::one_of([literal("a", 0), literal("a", 7)], span).is("a"));
    let either = Value::one_of([literal("a", 0), literal("b", 0)], span);
    let nested = Value::one_of([either.clone(), literal("c", 0)], span);
    assert_eq!(nested.to_string(), "{a|b|c}");
    let joined = Value::join([&literal("x", 0), &either]);
    assert_eq!(joined.texts().unwrap(), ["xa", "xb"]);
    assert_eq!(joined.map(span, |t| Some(t.to_uppercase())).to_string(), "{XA|XB}");
    let many = (0..100).map(|i| literal(&i.to_string(), 0));
    assert_eq!(Value::one_of(many, span).to_string(), "?");
}

#[test]
fn parts_keep_their_places() {
    let value = Value::join([&literal("ab", 10), &literal("cd", 30)]);
    let part = value.slice(1..3).unwrap();
    let spans: Vec<_> = part.pieces().iter().map(|p| (p.span.start, p.span.end)).collect();
    assert_eq!(spans, [(11, 12), (30, 31)]);
    let backwards = Range { start: 3, end: 1 };
    assert!(value.slice(0..5).is_none() && value.slice(backwards).is_none());
    assert!(value.without_prefix(3).unwrap().is("d"));
    assert!(unknown().without_prefix(1).is_none());
    let url = Value::join([&literal("x-", 0), &unknown(), &literal("-y", 9)]);
    assert_eq!(url.spelled().text, "x-\u{fffd}-y");
    assert_eq!((&*url.known_prefix(), &*url.known_suffix()), ("x-", "-y"));
}

#[test]
fn growth_is_bounded() {
    let mut value = literal("0123456789", 0);
    for _ in 0..40 {
        value = value.concat(&value);
    }
    assert_eq!(value.to_string(), "?");
    // Alternatives within alternatives double with each round.
    let (x, y) = (literal("-x", 0), literal("-y", 3));
    let mut either = literal("a", 9);
    let mut heaviest = 0;
    for _ in 0..40 {
        either = Value::one_of([either.concat(&x), either.concat(&y)], Span::default());
        heaviest = heaviest.max(either.all_pieces().len());
    }
    assert!(heaviest <= MAX_PIECES, "{heaviest}");
    let mut trail = Trail::default();
    for _ in 0..1000 {
        let hop = Hop { kind: HopKind::Used, name: "x".into(), span: Span::default() };
        trail = trail.then(hop);
    }
    assert!(trail.hops().len() <= 64);
}
