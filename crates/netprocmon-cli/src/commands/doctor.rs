//! `netprocmon doctor`: what can be counted here, and what would make it better.

use std::env;

use netprocmon::ErrorKind;

use crate::commands::{print, print_line};
use crate::exit::Status;
use crate::flags::typed::Doctor;
use crate::render::{Style, Terminal};

/// Tries each source and says what became of it. The status is that of the best one.
pub(crate) fn doctor(typed: &Doctor) -> anyhow::Result<Status> {
    let diagnosis = netprocmon::doctor();
    if typed.json {
        print_line(&diagnosis)?;
    } else {
        let text = shown(
            &diagnosis.to_string(),
            Terminal::of_stdout().style,
            is_utf8(),
        );
        print(text.as_bytes())?;
    }
    Ok(match diagnosis.obstacle() {
        None => Status::Success,
        Some(ErrorKind::PermissionDenied) => Status::NotPermitted,
        Some(_) => Status::Failure,
    })
}

/// Colours the marks, or spells them where the terminal does not know them. A path or a release
/// cannot bring control characters in.
fn shown(text: &str, style: Style, utf8: bool) -> String {
    let (yes, no) = match (style, utf8) {
        (Style::Coloured, true) => ("\x1b[32m✓\x1b[0m", "\x1b[31m✗\x1b[0m"),
        (Style::Plain, true) => ("✓", "✗"),
        (_, false) => ("+", "-"),
    };
    let lines = text
        .lines()
        .map(|line| netprocmon::text::escape(line).to_string() + "\n");
    let escaped: String = lines.collect();
    let arrow = if utf8 { "→" } else { "->" };
    escaped
        .replace('✓', yes)
        .replace('✗', no)
        .replace('→', arrow)
}

/// By the first that is set, as setlocale(3) does.
fn is_utf8() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
    let mut set = set
        .filter_map(env::var_os)
        .filter(|value| !value.is_empty());
    set.next().is_none_or(|value| {
        let value = value.to_string_lossy().to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_coloured_or_spelled() {
        let text = "✓ a\n✗ b \u{1b}[2J\n    → c\n";
        let spelled = shown(text, Style::Plain, false);
        assert!(spelled.starts_with("+ a\n- b "), "{spelled}");
        assert!(spelled.ends_with("\n    -> c\n"), "{spelled}");
        assert!(shown(text, Style::Coloured, true).starts_with("\x1b[32m✓\x1b[0m a\n"));
        assert!(!shown(text, Style::Plain, true).contains('\x1b'));
    }
}
