//! Reads a filter's text piece by piece. What a piece is depends on where it stands (a `:` in a
//! value is only a character), so the parser asks for what it expects; there is no list of tokens.

use super::FilterError;
use super::syntax::Operator;

/// A place in the text.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

/// What stands between a field and its value, longest first.
const OPERATORS: [(&str, Operator); 9] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    (":", Operator::Contains),
    ("=", Operator::Equal),
    ("~", Operator::Matches),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Goes back to a place that [`Cursor::at`] gave.
    pub(super) const fn return_to(&mut self, at: usize) {
        self.at = at;
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    pub(super) fn next_is(&self, c: char) -> bool {
        self.rest().starts_with(c)
    }

    /// Takes `piece` if it comes next.
    pub(super) fn eat(&mut self, piece: &str) -> bool {
        let is_next = self.rest().starts_with(piece);
        if is_next {
            self.at += piece.len();
        }
        is_next
    }

    /// Takes one of these words, whatever its case, if it stands alone and no operator follows.
    pub(super) fn eat_word(&mut self, words: &[&str]) -> bool {
        let rest = self.rest();
        let alone = |word: &&&str| {
            let (found, after) = rest.split_at_checked(word.len()).unwrap_or_default();
            let ends = after.starts_with(|c: char| c.is_whitespace() || c == '(' || c == ')');
            found.eq_ignore_ascii_case(word) && (after.is_empty() || ends)
        };
        let found = words.iter().find(alone);
        self.at += found.map_or(0, |word| word.len());
        found.is_some()
    }

    /// Takes what can be a bare word or a field's name; empty where neither is.
    pub(super) fn word(&mut self) -> &'a str {
        self.take_while(|c| !c.is_whitespace() && !"():=!~<>".contains(c))
    }

    /// Takes everything up to a space or a parenthesis that was not opened in it.
    pub(super) fn value(&mut self) -> &'a str {
        self.value_within(usize::MAX)
    }

    /// The same, but not much more than `most` bytes of it.
    pub(super) fn value_within(&mut self, most: usize) -> &'a str {
        let mut open = 0_usize;
        let mut taken = 0_usize;
        self.take_while(move |c| {
            match c {
                '(' => open += 1,
                ')' if open == 0 => return false,
                ')' => open -= 1,
                _ => {}
            }
            taken = taken.saturating_add(c.len_utf8());
            !c.is_whitespace() && taken <= most
        })
    }

    /// Takes an operator if one comes next.
    pub(super) fn operator(&mut self) -> Option<Operator> {
        let (piece, operator) = self.operator_follows()?;
        self.at += piece.len();
        Some(operator)
    }

    /// Takes a quoted text if a quote comes next. A backslash takes the meaning from a quote or a
    /// backslash; before anything else it is itself, as in a regular expression.
    pub(super) fn quoted(&mut self) -> Result<Option<String>, FilterError> {
        let quote = self.rest().chars().next();
        let Some(quote) = quote.filter(|&c| c == '"' || c == '\'') else {
            return Ok(None);
        };
        let mut content = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            let escaped =
                chars.next_if(|&(_, next)| c == '\\' && matches!(next, '"' | '\'' | '\\'));
            match (c, escaped) {
                (_, Some((_, literal))) => content.push(literal),
                (c, None) if c == quote => {
                    self.at += at + c.len_utf8();
                    return Ok(Some(content));
                }
                (c, None) => content.push(c),
            }
        }
        Err(self.error(format!("this {quote} is not closed")))
    }

    /// An error at this place.
    pub(super) fn error(&self, message: impl Into<String>) -> FilterError {
        FilterError::at(self.text, self.at, message)
    }

    /// What stands here, for an error: `"x"`, or that it is the end.
    pub(super) fn found(&self) -> String {
        let next = self.rest().chars().take(20);
        let next: String = next.take_while(|c| !c.is_whitespace()).collect();
        match (next.is_empty(), self.rest().is_empty()) {
            (true, true) => "the end".to_owned(),
            (true, false) => "a space".to_owned(),
            _ => format!("{next:?}"),
        }
    }

    fn operator_follows(&self) -> Option<(&'static str, Operator)> {
        let rest = self.rest();
        let mut all = OPERATORS.into_iter();
        all.find(|(piece, _)| rest.starts_with(piece))
    }

    fn take_while(&mut self, mut wanted: impl FnMut(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }
}
