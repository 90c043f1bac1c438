//! The terminal: taken, given back, and given back whatever happens.
//!
//! Raw mode, the other screen, clicks and pasted text as such. Everything is undone when this is
//! dropped, when the program panics, and when it is stopped. A terminal that is gone (a dropped SSH
//! session) cannot be given back; that is no error.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write as _};
use std::{panic, thread};

use crossterm::{cursor, event, execute, style, terminal};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use crate::settings::Mouse;

/// Clicks and the wheel, in the encoding that has no limit of columns (`xterm`, SGR 1006). Not the
/// motion of the mouse: that would wake us for nothing.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";
/// A frame is one write, as far as the terminal takes it.
const FRAME: usize = 1 << 16;

/// What is drawn on.
pub(crate) type Drawing = Terminal<CrosstermBackend<BufWriter<Stdout>>>;

/// The terminal, ours until it is dropped.
pub(crate) struct Screen {
    pub(crate) drawing: Drawing,
    mouse: Mouse,
    taken: bool,
}

impl Screen {
    /// Whether there is a terminal to draw on and to be typed at.
    pub(crate) fn is_there() -> bool {
        io::stdout().is_terminal() && io::stdin().is_terminal()
    }

    /// Takes the terminal.
    pub(crate) fn take(mouse: Mouse) -> io::Result<Self> {
        let mut screen = Self {
            drawing: drawing()?,
            mouse,
            taken: false,
        };
        give_back_at_a_panic();
        screen.resume()?;
        Ok(screen)
    }

    /// Takes it again, after it was given back or somebody else has used it.
    pub(crate) fn resume(&mut self) -> io::Result<()> {
        self.taken = true;
        terminal::enable_raw_mode()?;
        let mut out = io::stdout();
        execute!(
            out,
            terminal::EnterAlternateScreen,
            event::EnableBracketedPaste,
            cursor::Hide
        )?;
        if self.mouse == Mouse::On {
            out.write_all(MOUSE_ON.as_bytes())?;
            out.flush()?;
        }
        self.anew()
    }

    /// Draws every cell the next time, on a screen of the size that there is now.
    ///
    /// Not by ratatui's own `clear` and resizing: those ask the terminal where its cursor is, and
    /// wait for an answer that may never come.
    pub(crate) fn anew(&mut self) -> io::Result<()> {
        execute!(
            io::stdout(),
            style::ResetColor,
            terminal::Clear(terminal::ClearType::All)
        )?;
        self.drawing = drawing()?;
        Ok(())
    }

    /// Gives it back; what fails there nobody can mend.
    pub(crate) fn give_back(&mut self) {
        if std::mem::take(&mut self.taken) {
            give_back();
        }
    }
}

fn drawing() -> io::Result<Drawing> {
    let out = BufWriter::with_capacity(FRAME, io::stdout());
    let (width, height) = terminal::size().unwrap_or((80, 24));
    let viewport = Viewport::Fixed(Rect::new(0, 0, width, height));
    Terminal::with_options(CrosstermBackend::new(out), TerminalOptions { viewport })
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn give_back() {
    let mut out = io::stdout();
    let _ = out.write_all(MOUSE_OFF.as_bytes());
    let _ = execute!(
        out,
        event::DisableBracketedPaste,
        style::ResetColor,
        terminal::LeaveAlternateScreen,
        cursor::Show
    );
    let _ = terminal::disable_raw_mode();
}

/// Before a panic says what happened: on the other screen nobody would read it. Only where it ends
/// the view; another thread's does not.
fn give_back_at_a_panic() {
    let ours = thread::current().id();
    let says = panic::take_hook();
    panic::set_hook(Box::new(move |what| {
        if thread::current().id() == ours {
            give_back();
        }
        says(what);
    }));
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;

    const IN_TMUX: &str = "NETPROCMON_TEST_IN_TMUX";
    const NAME: &str = "screen::tests::a_panic_gives_the_terminal_back";

    fn tmux(socket: &str, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-L", socket])
            .args(arguments)
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }

    /// Runs itself in a terminal of its own, where it panics.
    #[test]
    fn a_panic_gives_the_terminal_back() {
        if std::env::var_os(IN_TMUX).is_some() {
            let _screen = Screen::take(Mouse::On).unwrap();
            panic!("the view fell over");
        }
        if Command::new("tmux").arg("-V").output().is_err() {
            eprintln!("SKIPPED: there is no tmux");
            return;
        }
        let socket = format!("netprocmon-panic-{}", std::process::id());
        let program = std::env::current_exe().unwrap();
        let run = format!(
            "{IN_TMUX}=1 '{}' --exact {NAME} --nocapture --test-threads=1; stty -a; echo all of it; read x",
            program.display()
        );
        tmux(
            &socket,
            &["new-session", "-d", "-x", "100", "-y", "60", &run],
        );
        let until = Instant::now() + Duration::from_secs(30);
        let mut text = String::new();
        while !text.contains("all of it") && Instant::now() < until {
            text = tmux(&socket, &["capture-pane", "-p"]);
        }
        let state = tmux(
            &socket,
            &[
                "display",
                "-p",
                "#{alternate_on}#{cursor_flag}#{mouse_standard_flag}",
            ],
        );
        tmux(&socket, &["kill-server"]);
        assert!(text.contains("the view fell over"), "{text}");
        assert!(
            text.contains(" icanon") && text.contains(" echo "),
            "{text}"
        );
        assert_eq!(state.trim(), "010");
    }
}
