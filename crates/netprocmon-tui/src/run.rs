//! The only impure part: one poll for the monitor, the terminal and the signals; events go into the
//! state, effects are done, and the screen is drawn when something has changed.
//!
//! One thread.

use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use crossterm::event::{self, Event as Typed, KeyEventKind};
use crossterm::{queue, terminal};
use netprocmon::Monitor;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, kill_process_group};
use signal_hook::consts::signal::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};

use crate::error::Error;
use crate::export::file;
use crate::screen::Screen;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::state::State;
use crate::update::{Effect, Event};
use crate::views;

/// What is typed and pasted is taken in before a frame is drawn, but not for ever.
const AT_ONCE: usize = 512;

/// crossterm looks at the terminal only where it may wait; there is something, so it does not.
const NOW: Duration = Duration::from_millis(1);

const CAUGHT: &[i32] = &[SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT];

/// Shows what `monitor` counts until it is told to end; and `diagnosis`, when it is asked for.
///
/// # Errors
///
/// [`Error::NoTerminal`] before anything is drawn; a terminal or a monitor that fails. A terminal
/// that has gone is no error.
pub fn run(mut monitor: Monitor, settings: Settings, diagnosis: String) -> Result<(), Error> {
    if !Screen::is_there() {
        return Err(Error::NoTerminal);
    }
    let signals =
        Signals::catch(CAUGHT).map_err(|error| Error::io("install signal handlers", error))?;
    let screen =
        Screen::take(settings.mouse).map_err(|error| Error::io("take the terminal", error))?;
    let (width, height) = terminal::size().unwrap_or((80, 24));
    let mut state = State::new(settings, width, height);
    state.diagnosis = diagnosis;
    let mut app = App {
        state,
        screen,
        signals,
        over: false,
    };
    let done = app.live(&mut monitor);
    app.screen.give_back();
    done
}

struct App {
    state: State,
    screen: Screen,
    signals: Signals,
    over: bool,
}

impl App {
    fn live(&mut self, monitor: &mut Monitor) -> Result<(), Error> {
        // Something to look at before the first interval is over.
        let first = monitor.snapshot().map_err(Error::Monitor)?;
        self.happen(Event::Sample(first))?;
        self.draw()?;
        while !self.over {
            let ready = self.wait(monitor)?;
            let mut changed = false;
            if ready.monitor
                && let Some(sample) = monitor.try_sample().map_err(Error::Monitor)?
            {
                self.happen(Event::Sample(sample))?;
                changed = true;
            }
            if ready.signals {
                changed |= self.signalled()?;
            }
            if ready.typed {
                changed |= self.typed()?;
            }
            if changed && !self.over {
                self.draw()?;
            }
        }
        Ok(())
    }

    /// Sleeps until something has happened.
    fn wait(&mut self, monitor: &Monitor) -> Result<Ready, Error> {
        let stdin = io::stdin();
        let mut fds = [
            PollFd::from_borrowed_fd(monitor.as_fd(), PollFlags::IN),
            PollFd::new(&self.signals, PollFlags::IN),
            PollFd::new(&stdin, PollFlags::IN),
        ];
        match poll(&mut fds, None::<&Timespec>) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Ready::default()),
            Err(error) => return Err(Error::io("wait for something to happen", error.into())),
        }
        let is = |at: usize| !fds[at].revents().is_empty();
        // The terminal has gone: nobody is there to be told.
        let hung = fds[2]
            .revents()
            .intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
        let ready = Ready {
            monitor: is(0),
            signals: is(1),
            typed: is(2) && !hung,
        };
        if hung {
            self.over = true;
        }
        Ok(ready)
    }

    /// Takes in what was typed; whether the screen has to be drawn.
    fn typed(&mut self) -> Result<bool, Error> {
        let mut changed = false;
        for _ in 0..AT_ONCE {
            match event::poll(NOW) {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => {
                    self.over = true;
                    break;
                }
            }
            let Ok(typed) = event::read() else {
                self.over = true;
                break;
            };
            let event = match typed {
                Typed::Key(key) if key.kind != KeyEventKind::Release => Event::Key(key),
                Typed::Mouse(mouse) => Event::Mouse(mouse),
                Typed::Paste(text) => Event::Paste(text),
                Typed::Resize(width, height) => Event::Resized(width, height),
                _ => continue,
            };
            self.happen(event)?;
            changed = true;
            if self.over {
                break;
            }
        }
        Ok(changed)
    }

    fn signalled(&mut self) -> Result<bool, Error> {
        let mut changed = false;
        for signal in self.signals.arrived() {
            match signal.number {
                SIGWINCH => {
                    if let Ok((width, height)) = terminal::size() {
                        self.happen(Event::Resized(width, height))?;
                    }
                    changed = true;
                }
                SIGTSTP => {
                    self.suspend()?;
                    changed = true;
                }
                // Stopped and continued by somebody else: the shell has used the terminal.
                SIGCONT => {
                    self.resume()?;
                    changed = true;
                }
                _ => self.over = true,
            }
        }
        Ok(changed)
    }

    /// Takes an event in and does what it asks for.
    fn happen(&mut self, event: Event) -> Result<(), Error> {
        if let Event::Resized(..) = event {
            self.screen.anew().map_err(terminal_failed)?;
        }
        let Some(effect) = self.state.update(event) else {
            return Ok(());
        };
        match effect {
            Effect::Quit => self.over = true,
            Effect::Suspend => self.suspend()?,
            Effect::Redraw => self.screen.anew().map_err(terminal_failed)?,
            Effect::Export(export) => {
                let done = file::write(&export);
                let name = format!("{}.{}", export.stem, export.extension);
                let done = done.map_err(|error| format!("cannot write {name}: {error}"));
                self.state.update(Event::Exported(done));
            }
        }
        Ok(())
    }

    /// Gives the terminal back and stops, as the shell expects; goes on when it is continued.
    fn suspend(&mut self) -> Result<(), Error> {
        self.screen.give_back();
        // The whole group, as the key does where it is the terminal's. SIGSTOP, since the other is
        // caught.
        let group = rustix::process::getpgrp();
        kill_process_group(group, Signal::STOP).map_err(|error| Error::io("stop", error.into()))?;
        self.resume()
    }

    fn resume(&mut self) -> Result<(), Error> {
        self.screen.resume().map_err(terminal_failed)?;
        if let Ok((width, height)) = terminal::size() {
            self.happen(Event::Resized(width, height))?;
        }
        Ok(())
    }

    fn draw(&mut self) -> Result<(), Error> {
        let drawing = &mut self.screen.drawing;
        let state = &self.state;
        let mut frame = || -> io::Result<()> {
            queue!(drawing.backend_mut(), terminal::BeginSynchronizedUpdate)?;
            drawing.draw(|frame| views::draw(state, frame))?;
            queue!(drawing.backend_mut(), terminal::EndSynchronizedUpdate)?;
            io::Write::flush(drawing.backend_mut())
        };
        match frame() {
            Ok(()) => Ok(()),
            // The other side has hung up.
            Err(error) if is_gone(&error) => {
                self.over = true;
                Ok(())
            }
            Err(error) => Err(terminal_failed(error)),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // one a descriptor
struct Ready {
    monitor: bool,
    signals: bool,
    typed: bool,
}

fn is_gone(error: &io::Error) -> bool {
    let gone = [
        rustix::io::Errno::IO,
        rustix::io::Errno::PIPE,
        rustix::io::Errno::NXIO,
    ];
    let number = error.raw_os_error();
    gone.iter()
        .any(|errno| number == Some(errno.raw_os_error()))
}

fn terminal_failed(error: io::Error) -> Error {
    Error::io("write to the terminal", error)
}
