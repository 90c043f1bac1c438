//! From text to tree, by recursive descent; every limit on hostile input that is not a value's own
//! is here.

use super::FilterError;
use super::field::Field;
use super::lexer::Cursor;
use super::matcher::Test;
use super::syntax::{Expression, Operator, Term};
use super::value::AddressPattern;

/// Longest text, in bytes.
const LENGTH: usize = 16 << 10;
/// Parentheses and `not`s inside one another.
const DEPTH: usize = 64;
/// No address, port and network mask is longer.
const ADDRESS: usize = 64;
/// Regular expressions in one filter: compiling them is what costs most.
const EXPRESSIONS: usize = 4;

/// The tree of a text; `None` where nothing but space is in it.
pub(super) fn parse(text: &str) -> Result<Option<Expression>, FilterError> {
    if text.len() > LENGTH {
        return Err(FilterError::at(
            text,
            text.floor_char_boundary(LENGTH),
            format!("a filter has at most {LENGTH} bytes"),
        ));
    }
    let mut parser = Parser {
        cursor: Cursor::new(text),
        terms: 0,
        expressions: 0,
    };
    parser.cursor.skip_space();
    if parser.cursor.rest().is_empty() {
        return Ok(None);
    }
    let expression = parser.either(0)?;
    if !parser.cursor.rest().is_empty() {
        let message = if parser.cursor.next_is(')') {
            "this ) closes nothing".to_owned()
        } else {
            let found = parser.cursor.found();
            format!("expected and, or, or the end, found {found}")
        };
        return Err(parser.cursor.error(message));
    }
    Ok(Some(expression))
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    terms: usize,
    expressions: usize,
}

impl<'a> Parser<'a> {
    /// `all or all or …`
    fn either(&mut self, depth: usize) -> Result<Expression, FilterError> {
        let mut parts = vec![self.all(depth)?];
        while self.cursor.eat_word(&["or", "||"]) {
            self.cursor.skip_space();
            parts.push(self.all(depth)?);
        }
        Ok(one_or(parts, Expression::Or))
    }

    /// `not and not …`, where the `and` may be missing.
    fn all(&mut self, depth: usize) -> Result<Expression, FilterError> {
        let mut parts = vec![self.negation(depth)?];
        loop {
            self.cursor.skip_space();
            if self.cursor.eat_word(&["and", "&&"]) {
                self.cursor.skip_space();
            } else if self.is_at_end_of_chain() {
                return Ok(one_or(parts, Expression::And));
            }
            parts.push(self.negation(depth)?);
        }
    }

    fn is_at_end_of_chain(&mut self) -> bool {
        let at = self.cursor.at();
        let or = self.cursor.eat_word(&["or", "||"]);
        self.cursor.return_to(at);
        or || self.cursor.rest().is_empty() || self.cursor.next_is(')')
    }

    fn negation(&mut self, depth: usize) -> Result<Expression, FilterError> {
        let mut negations = 0;
        loop {
            let sign = !self.cursor.rest().starts_with("!=") && self.cursor.eat("!");
            if !sign && !self.cursor.eat_word(&["not"]) {
                break;
            }
            negations += 1;
            self.check_depth(depth + negations)?;
            self.cursor.skip_space();
        }
        let mut expression = self.primary(depth + negations)?;
        for _ in 0..negations {
            expression = Expression::Not(Box::new(expression));
        }
        Ok(expression)
    }

    fn primary(&mut self, depth: usize) -> Result<Expression, FilterError> {
        let open = self.cursor.at();
        if !self.cursor.eat("(") {
            return self.term().map(Expression::Term);
        }
        self.check_depth(depth + 1)?;
        self.cursor.skip_space();
        let inner = self.either(depth + 1)?;
        self.cursor.skip_space();
        if !self.cursor.eat(")") {
            let found = self.cursor.found();
            if self.cursor.rest().is_empty() {
                self.cursor.return_to(open);
                return Err(self.cursor.error("this ( is not closed"));
            }
            return Err(self.cursor.error(format!("expected ), found {found}")));
        }
        Ok(inner)
    }

    fn check_depth(&self, depth: usize) -> Result<(), FilterError> {
        if depth <= DEPTH {
            return Ok(());
        }
        Err(self
            .cursor
            .error(format!("parentheses and nots go at most {DEPTH} deep")))
    }

    fn term(&mut self) -> Result<Term, FilterError> {
        let start = self.cursor.at();
        if let Some(text) = self.cursor.quoted()? {
            return Ok(self.bare(&text));
        }
        if let Some(address) = self.address() {
            return Ok(self.bare(address));
        }
        let word = self.cursor.word();
        let end = self.cursor.at();
        self.cursor.skip_space();
        let operator_at = self.cursor.at();
        // `curl ::1` are two words.
        let operator = if self.address().is_some() {
            None
        } else {
            self.cursor.return_to(operator_at);
            self.cursor.operator()
        };
        let keyword = operator.is_none() && is_keyword(word);
        if word.is_empty() || keyword {
            self.cursor.return_to(start);
            let found = self.cursor.found();
            let message = format!("expected a word, a field or (, found {found}");
            return Err(self.cursor.error(message));
        }
        let Some(operator) = operator else {
            self.cursor.return_to(end);
            return Ok(self.bare(word));
        };
        let Some(field) = Field::named(word) else {
            self.cursor.return_to(start);
            return Err(self.cursor.error(unknown(word)));
        };
        if !field.kind().operators().contains(&operator) {
            self.cursor.return_to(operator_at);
            return Err(self.cursor.error(incomparable(field, operator)));
        }
        self.cursor.skip_space();
        self.comparison(field, operator)
    }

    fn comparison(&mut self, field: Field, operator: Operator) -> Result<Term, FilterError> {
        let at = self.cursor.at();
        let text = match self.cursor.quoted()? {
            Some(text) => text,
            None => self.cursor.value().to_owned(),
        };
        if text.is_empty() && self.cursor.at() == at {
            let (found, example) = (self.cursor.found(), field.kind().example());
            return Err(self
                .cursor
                .error(format!("expected {example}, found {found}")));
        }
        self.expressions += usize::from(operator == Operator::Matches);
        let made = if self.expressions > EXPRESSIONS {
            Err(format!(
                "a filter has at most {EXPRESSIONS} regular expressions"
            ))
        } else {
            Test::new(field, operator, &text)
        };
        match made {
            Ok(made) => Ok(self.number(Some(field), operator, &text, made)),
            Err(message) => {
                self.cursor.return_to(at);
                let found = match self.cursor.found() {
                    found if message.contains("needs") => format!(", found {found}"),
                    _ => String::new(),
                };
                Err(self.cursor.error(message + &found))
            }
        }
    }

    /// An address or network that stands alone: its colons are no operators.
    fn address(&mut self) -> Option<&'a str> {
        let start = self.cursor.at();
        let run = self.cursor.value_within(ADDRESS);
        if AddressPattern::read(run).is_some_and(|pattern| pattern.is_numeric()) {
            return Some(run);
        }
        self.cursor.return_to(start);
        None
    }

    fn bare(&mut self, text: &str) -> Term {
        self.number(None, Operator::Contains, text, Test::bare(text))
    }

    fn number(&mut self, field: Option<Field>, operator: Operator, text: &str, made: Test) -> Term {
        let index = self.terms;
        self.terms += 1;
        Term {
            field,
            operator,
            text: text.into(),
            test: made,
            index,
        }
    }
}

fn one_or(mut parts: Vec<Expression>, several: fn(Vec<Expression>) -> Expression) -> Expression {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            several(parts)
        }
    }
}

/// Whether it means something between terms, and so stands for itself only in quotes.
pub(super) fn is_keyword(word: &str) -> bool {
    let mut keywords = ["and", "or", "not", "&&", "||"].iter();
    keywords.any(|keyword| keyword.eq_ignore_ascii_case(word))
}

fn unknown(word: &str) -> String {
    let shown: String = word.chars().take(20).collect();
    match Field::near(word).as_slice() {
        [] => format!(
            "there is no field {shown:?}; a word with such a character in it stands in quotes"
        ),
        near => format!(
            "there is no field {shown:?}; did you mean {}?",
            near.join(" or ")
        ),
    }
}

fn incomparable(field: Field, operator: Operator) -> String {
    let signs = field.kind().operators().iter().map(|one| one.sign());
    format!(
        "{} cannot be compared with {}, only with {}",
        field.name(),
        operator.sign(),
        signs.collect::<Vec<_>>().join(" ")
    )
}
