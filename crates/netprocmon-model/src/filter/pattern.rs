//! Regular expressions whose cost is bounded before they are compiled.
//!
//! The engine matches in linear time and can be told how large a compiled expression may be, but it
//! folds the case of classes before it knows their size, one character after the other: sixty
//! bytes, `(?i)` and a few ranges over all of Unicode, keep it busy for a tenth of a second.

use regex::{Regex, RegexBuilder};
use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{Ast, ClassSetItem, Flag, Flags, GroupKind, Visitor, visit};

/// Longest text, in bytes: classes can be large, and each is looked at before the whole is too.
const LENGTH: usize = 256;
/// Largest compiled, in bytes.
const COMPILED: usize = 1 << 18;
/// Parentheses inside one another.
const DEPTH: u32 = 32;
/// Characters that may be folded one by one, in all ranges together.
const FOLDED: u32 = 1 << 12;

/// Compiles a regular expression, or says why not.
pub(super) fn compile(text: &str) -> Result<Regex, String> {
    if text.len() > LENGTH {
        return Err(format!("a regular expression has at most {LENGTH} bytes"));
    }
    let mut parser = ParserBuilder::new().nest_limit(DEPTH).build();
    let parsed = parser.parse(text);
    let parsed = parsed.map_err(|error| refused(&error.kind().to_string()))?;
    let cost = match visit(&parsed, Cost::default()) {
        Ok(cost) => cost,
        Err(never) => match never {},
    };
    if cost.ignores_case && cost.characters > FOLDED {
        return Err(refused("a range is too wide to ignore case in"));
    }
    let built = RegexBuilder::new(text)
        .size_limit(COMPILED)
        .dfa_size_limit(COMPILED)
        .nest_limit(DEPTH)
        .build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "this regular expression is too large".to_owned(),
        // The last line says what; those before it draw a picture of where.
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            refused(last.trim_start_matches("error: "))
        }
    })
}

fn refused(why: &str) -> String {
    format!("not a regular expression: {why}")
}

/// What folding would cost.
#[derive(Debug, Default)]
struct Cost {
    ignores_case: bool,
    characters: u32,
}

impl Cost {
    fn see(&mut self, flags: &Flags) {
        self.ignores_case |= flags.flag_state(Flag::CaseInsensitive).is_some();
    }
}

impl Visitor for Cost {
    type Output = Self;
    type Err = std::convert::Infallible;

    fn finish(self) -> Result<Self, Self::Err> {
        Ok(self)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        match ast {
            Ast::Flags(set) => self.see(&set.flags),
            Ast::Group(group) => {
                if let GroupKind::NonCapturing(flags) = &group.kind {
                    self.see(flags);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        if let ClassSetItem::Range(range) = item {
            let width = u32::from(range.end.c).saturating_sub(range.start.c.into());
            self.characters = self.characters.saturating_add(width);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_that_explodes_is_refused() {
        let folds = format!("(?i){}", r"[a-\u{10ffff}]".repeat(9));
        let folds_verbosely = "(?x: ( ?i: [a- \u{10ffff}] ) )";
        for bomb in [
            "((a{100}){100}){100}",
            r"\w{200}",
            &"(".repeat(100),
            &"a".repeat(300),
            &folds,
            folds_verbosely,
        ] {
            assert!(compile(bomb).is_err(), "{bomb}");
        }
    }

    #[test]
    fn what_people_write_is_taken() {
        for text in [
            r"^(?i)python\d?(\.\d+)*$",
            r"(?i)\w+-\w+\.[а-яё]+",
            r"[a-\u{10ffff}]",
            "^(curl|wget)$",
        ] {
            assert!(compile(text).is_ok(), "{text}");
        }
    }
}
