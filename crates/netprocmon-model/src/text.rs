//! Text from outside, made fit for a terminal.
//!
//! Process names, command lines and host names are an attacker's to choose. Nothing here trusts
//! them: control characters, escape sequences and invisible formatting never get through, and
//! cutting never splits a wide character.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

/// The text with every character that could move the cursor, change colours, reverse the writing
/// direction or hide something replaced by a visible escape such as `\x1b` or `\u{202e}`.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\t' => safe.push_str("\\t"),
            '\r' => safe.push_str("\\r"),
            c if !is_unsafe(c) => safe.push(c),
            // Writing to a String cannot fail.
            c if c.is_ascii() => drop(write!(safe, "\\x{:02x}", u32::from(c))),
            c => drop(write!(safe, "\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(safe)
}

/// Columns that already escaped text takes on a terminal.
#[must_use]
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Already escaped text cut to at most `columns`, with `…` where something was cut.
#[must_use]
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > columns {
            break;
        }
        used += wide;
        kept.push(c);
    }
    if columns > 0 {
        kept.push('…');
    }
    Cow::Owned(kept)
}

/// Control characters, line and paragraph separators, and the format characters that reorder or
/// hide text (Unicode categories Cc, Zl, Zp and the bidirectional and invisible part of Cf).
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Those of `names` that may have been meant by one that is none of them: the nearest, at most
/// three.
#[must_use]
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str> + Clone) -> Vec<&'a str> {
    let name: String = name.chars().take(16).collect::<String>().to_lowercase();
    let near = names.map(|known| {
        if known.starts_with(&name) {
            (1, known)
        } else {
            (distance(&name, known), known)
        }
    });
    let nearest = near.clone().map(|(distance, _)| distance).min();
    let near = near
        .filter(|(distance, known)| Some(*distance) == nearest && *distance <= 1 + known.len() / 4);
    near.map(|(_, known)| known).take(3).collect()
}

/// Changes of one character that make `a` of `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let changed = corner + usize::from(from != *to);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_visible_and_ordinary_text_is_untouched() {
        assert_eq!(escape("curl"), "curl");
        assert!(matches!(escape("naïve 日本"), Cow::Borrowed(_)));
        assert_eq!(
            escape("a\x1b[31m\nb\u{202e}\u{9b}"),
            "a\\x1b[31m\\nb\\u{202e}\\u{9b}"
        );
    }

    #[test]
    fn cutting_respects_wide_characters() {
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 0), "");
    }

    proptest! {
        #[test]
        fn nothing_dangerous_survives(text in any::<String>(), columns in 0_usize..30) {
            let safe = escape(&text);
            prop_assert!(!safe.chars().any(is_unsafe));
            prop_assert!(width(&cut(&safe, columns)) <= columns);
        }
    }
}
