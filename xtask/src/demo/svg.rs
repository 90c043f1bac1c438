//! A screen with its escape sequences (`tmux capture-pane -e`) as a picture.
//!
//! Only what tmux writes there is understood: select graphic rendition (ECMA-48, SGR).

use std::fmt::Write as _;

const CELL: (f64, f64) = (8.4, 17.0);
const MARGIN: f64 = 12.0;

/// How a character looks.
#[derive(Clone, Debug, Default, PartialEq)]
struct Look {
    fore: Option<String>,
    back: Option<String>,
    bold: bool,
    dim: bool,
}

/// The picture.
pub(super) fn picture(screen: &str, (columns, rows): (u16, u16), is_dark: bool) -> String {
    let (ground, ink) = if is_dark {
        ("#16181d", "#d8dae0")
    } else {
        ("#ffffff", "#24262b")
    };
    let width = f64::from(columns) * CELL.0 + 2.0 * MARGIN;
    let height = f64::from(rows) * CELL.1 + 2.0 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{ground}\"/>\n"
    );
    let mut look = Look::default();
    for (line, row) in screen.lines().zip(0_u16..) {
        let y = MARGIN + f64::from(row) * CELL.1;
        let mut x = MARGIN;
        for (style, text) in runs(line, &mut look) {
            let wide = f64::from(u16::try_from(text.chars().count()).unwrap_or(0)) * CELL.0;
            // Writing to a string cannot fail.
            if let Some(back) = &style.back {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{}\" fill=\"{back}\"/>",
                    CELL.1
                );
            }
            if !text.trim().is_empty() {
                let fore = style.fore.as_deref().unwrap_or(ink);
                let weight = if style.bold {
                    " font-weight=\"bold\""
                } else {
                    ""
                };
                let faint = if style.dim { " opacity=\"0.6\"" } else { "" };
                let _ = writeln!(
                    svg,
                    "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{fore}\"{weight}{faint} textLength=\"{wide:.1}\" \
                     lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\">{}</text>",
                    y + 13.0,
                    escaped(&text)
                );
            }
            x += wide;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// A line in runs that look the same.
fn runs(line: &str, look: &mut Look) -> Vec<(Look, String)> {
    let mut runs: Vec<(Look, String)> = Vec::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if let Some((codes, after)) = rest
            .strip_prefix("\x1b[")
            .and_then(|text| text.split_once('m'))
        {
            change(look, codes);
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        // Shifts between character sets, which tmux writes around lines.
        if c.is_control() {
            continue;
        }
        match runs.last_mut() {
            Some((last, text)) if last == look => text.push(c),
            _ => runs.push((look.clone(), c.to_string())),
        }
    }
    runs
}

fn change(look: &mut Look, codes: &str) {
    let codes: Vec<u32> = codes
        .split([';', ':'])
        .map(|code| code.parse().unwrap_or(0))
        .collect();
    let mut at = 0;
    while let Some(code) = codes.get(at) {
        at += 1;
        match code {
            0 => *look = Look::default(),
            1 => look.bold = true,
            2 => look.dim = true,
            22 => (look.bold, look.dim) = (false, false),
            39 => look.fore = None,
            49 => look.back = None,
            38 | 48 => {
                let (colour, used) = match codes[at..] {
                    [2, red, green, blue, ..] => (format!("#{red:02x}{green:02x}{blue:02x}"), 4),
                    _ => ("#888888".to_owned(), 2),
                };
                at += used;
                let place = if *code == 38 {
                    &mut look.fore
                } else {
                    &mut look.back
                };
                *place = Some(colour);
            }
            _ => {}
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_kept_and_text_is_escaped() {
        let screen = "\x1b[1m\x1b[38;2;1;2;255ma<b\x1b[0m c";
        let svg = picture(screen, (10, 1), true);
        assert!(
            svg.contains("fill=\"#0102ff\" font-weight=\"bold\""),
            "{svg}"
        );
        assert!(svg.contains(">a&lt;b</text>"), "{svg}");
        assert!(!svg.contains('\x1b'));
    }
}
