//! The language: what parses to what, what is refused where, and what hostile text costs.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn filter(text: &str) -> Filter {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn error(text: &str) -> FilterError {
    match text.parse::<Filter>() {
        Ok(filter) => panic!("{text} is {filter:?}"),
        Err(error) => error,
    }
}

#[test]
fn precedence_and_what_is_printed() {
    for (typed, printed) in [
        ("", ""),
        ("  curl ", "curl"),
        ("a b or c and not d", "a and b or c and not d"),
        ("a AND (b OR c)", "a and (b or c)"),
        ("(a (b c))", "a and (b and c)"),
        ("!a !(b c)", "not a and not (b and c)"),
        ("not not a", "not not a"),
        ("a || b && c", "a or b and c"),
        ("name = curl  sent >10M", "name=curl and sent>10M"),
        (
            "cmd:x iface==eth0 dport!=53",
            "command:x and interface=eth0 and rport!=53",
        ),
        (
            "remote=::1 remote=[::1]:443",
            "remote=::1 and remote=[::1]:443",
        ),
        ("curl ::1", "curl and \"::1\""),
        ("10.0.0.1:443 10.0.0.0/8", "\"10.0.0.1:443\" and 10.0.0.0/8"),
        ("(name~^(a|b)$)", "name~\"^(a|b)$\""),
        ("name=(sd-pam)", "name=\"(sd-pam)\""),
        (r#"command~"\d+ \"x""#, r#"command~"\\d+ \"x""#),
        ("'it is' \"and\" and", "err"),
        ("name='' \"or\"", "name=\"\" and \"or\""),
        ("command:--foo=bar!<>~:x", "command:\"--foo=bar!<>~:x\""),
        ("name=and or or:", "err"),
        ("not=5", "err"),
    ] {
        if printed == "err" {
            error(typed);
            continue;
        }
        assert_eq!(filter(typed).to_string(), printed, "{typed}");
        assert_eq!(filter(printed), filter(typed), "{typed}");
    }
}

#[test]
fn errors_say_where_and_what_was_expected() {
    for (text, column, part) in [
        (
            "name>5",
            5,
            "name cannot be compared with >, only with : = != ~",
        ),
        ("pord=5", 1, "did you mean pod or port?"),
        ("zzz:b", 1, "stands in quotes"),
        (
            "sent>",
            6,
            "expected a size such as 1500, 10M or 1Gi, found the end",
        ),
        (
            "sent>ten",
            6,
            "sent needs a size such as 1500, 10M or 1Gi, found \"ten\"",
        ),
        ("sent>10M/s", 6, "sent needs a size"),
        ("é (a", 3, "this ( is not closed"),
        ("a)", 2, "this ) closes nothing"),
        ("a or", 5, "expected a word, a field or (, found the end"),
        ("a and and b", 7, "found \"and\""),
        ("()", 2, "found \")\""),
        ("name=\"x", 6, "this \" is not closed"),
        ("state=open", 7, "one of established, syn-sent"),
        ("protocol=nope", 10, "protocol needs a protocol"),
        ("port=70000", 6, "port needs a port number from 0 to 65535"),
        (
            "remote=10.0.0.0/40",
            8,
            "remote needs an address, a network",
        ),
        ("name~(", 6, "not a regular expression"),
        ("name~\"(a{1000}){1000}\"", 6, "too large"),
        ("tree>1", 5, "tree cannot be compared with >"),
        ("pid~1", 4, "pid cannot be compared with ~"),
        ("age>5parsecs", 5, "a duration such as 90s"),
        ("\"name\"=x", 7, "expected a word"),
        ("!=x", 1, "expected a word"),
    ] {
        let error = error(text);
        assert_eq!(error.column(), column, "{text}: {error}");
        assert!(error.message().contains(part), "{text}: {error}");
    }
}

#[test]
fn the_mark_stands_below_the_place_however_hostile_the_text() {
    let text = format!("{} \x1b[2J日本 pord=1", "a ".repeat(200));
    let pointed = error(&text).pointed(&text);
    assert!(!pointed.contains('\x1b'));
    let lines: Vec<&str> = pointed.lines().collect();
    let mark = lines[2].find('^').unwrap();
    let place = &lines[1][..lines[1].find("pord").unwrap()];
    assert_eq!(crate::text::width(place), mark);
    assert!(mark < 60);
}

#[test]
fn what_it_needs() {
    for (text, recounts, needs) in [
        ("name=x sent>1 rate>1 age>1s reason=kernel", false, false),
        ("interface=eth0 netns=1", false, false),
        ("protocol=tcp", false, false),
        ("interface=eth0 not protocol=tcp", true, true),
        ("not remote=x", true, true),
        ("curl", false, true),
    ] {
        let filter = filter(text);
        assert_eq!(filter.recounts_connections(), recounts, "{text}");
        assert_eq!(filter.needs_connections(), needs, "{text}");
    }
}

/// Everything that anybody could make of a megabyte of time: the bound is generous, since other
/// work may run beside this test, and still far below what unbounded parsing takes.
#[test]
fn hostile_text_is_refused_or_taken_quickly() {
    let classes = r"(?i)\pL\PN".repeat(25);
    let longest = r"[\w\d]{3}\w\W".repeat(12);
    let several = |pattern: &str| {
        let terms: Vec<_> = (0..4).map(|_| format!("name~\"{pattern}\"")).collect();
        terms.join(" ")
    };
    let hostile = [
        "(".repeat(10_000),
        "not ".repeat(4_000),
        "!".repeat(10_000),
        ")".repeat(10_000),
        "\"".repeat(10_001),
        "\\".repeat(10_000),
        "a ".repeat(8_000),
        "a or ".repeat(3_000),
        "name~a* ".repeat(2_000),
        "remote=*a*a*a ".repeat(1_000),
        several("((a{50}){50}){50}"),
        several(&classes),
        several(&longest),
        several(&format!("(?i){}", r"\\pL".repeat(6))),
        several(&format!("(?i){}", r"\W".repeat(126))),
        several(&format!("(?i){}", r"[\w--\d]".repeat(28))),
        several(&format!("(?i){}", r"[^\w~~\s]?".repeat(22))),
        several(&format!("(?i)^{}$", r"[a-\u{10ffff}]".repeat(18))),
        several(&"|\\w".repeat(80)),
        several(r"(\w|\d|\s|.){40}"),
        several("a{0,250}{0,250}"),
        format!("name~{}", "(".repeat(10_000)),
        format!("name~{}", "[a-z".repeat(60)),
        String::from_utf8_lossy(&[0xff; 5_000]).into_owned(),
        String::from_utf8_lossy(b"name=\xf0\x9f\x92 \xc0\x80~\xed\xa0\x80").into_owned(),
        "pord=".repeat(3_000),
    ];
    let mut slowest = Duration::ZERO;
    for text in &hostile {
        let started = Instant::now();
        let parsed = text.parse::<Filter>();
        let took = started.elapsed();
        if let Err(error) = parsed {
            assert!(error.position() <= text.len());
            drop(error.pointed(text));
        }
        let shown: String = text.chars().take(30).collect();
        println!("{took:>10.1?}  {shown:?}");
        slowest = slowest.max(took);
    }
    let allowed = if cfg!(debug_assertions) { 2_000 } else { 200 };
    assert!(slowest < Duration::from_millis(allowed), "{slowest:?}");
}

/// Any tree that can be typed, as a text of it.
fn typed() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        "[a-z]{1,8}",
        r#"[ -~é日"\\]{0,12}"#,
        Just("and".to_owned()),
        any::<String>().prop_map(|text| text.chars().take(12).collect()),
    ];
    let quoted =
        value.prop_map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
    let texts = prop::sample::select(vec!["name", "command", "unit", "peer", "interface"]);
    let signs = prop::sample::select(vec![":", "=", "!=", " = "]);
    let numbers = prop::sample::select(vec![
        "pid=7",
        "ppid!=1",
        "tree=5",
        "sent>10M",
        "recv<=1.5Gi",
        "rate>=1k/s",
        "age<90s",
        "port=https",
        "lport>1024",
        "remote=10.0.0.0/8",
        "local!=::1",
        "protocol=17",
        "state!=listen",
        "name~^a",
        "direction=in",
        "scope:link",
        "reason=exited",
        "payload<1",
        "::1",
        "10.0.0.1:443",
    ]);
    let leaf = prop_oneof![
        quoted.clone(),
        (texts, signs, quoted).prop_map(|(field, sign, value)| format!("{field}{sign}{value}")),
        numbers.prop_map(ToOwned::to_owned),
        "[a-zA-Z0-9_./-]{1,6}",
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} or ({b})")),
            inner.clone().prop_map(|a| format!("not ({a})")),
            inner.prop_map(|a| format!("!{a}")),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same(text in typed()) {
        // A bare word may be a keyword, too many expressions may have come together.
        if let Ok(filter) = text.parse::<Filter>() {
            let printed = filter.to_string();
            let again = printed.parse::<Filter>();
            prop_assert_eq!(again.as_ref(), Ok(&filter), "{} → {}", text, printed);
            prop_assert_eq!(again.unwrap().to_string(), printed);
        }
    }

    #[test]
    fn nothing_panics_and_places_are_in_the_text(text in r#"([a-z:=!~<>()"'\\ é日/*.0-9|&-]|sent>|name~|not |remote=){0,60}"#) {
        match text.parse::<Filter>() {
            Ok(filter) => prop_assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter)),
            Err(error) => {
                prop_assert!(text.is_char_boundary(error.position()));
                drop(error.pointed(&text));
            }
        }
    }
}
