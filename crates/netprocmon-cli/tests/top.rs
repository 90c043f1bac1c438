//! The live view as people use it: the real program in a real terminal (tmux), real traffic in a
//! network namespace, and the figures beside those of `watch --json`.
#![allow(clippy::unwrap_used, clippy::panic)] // a test's helpers may, as its tests do

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use netprocmon::units::Units;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_mins(1);

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_netprocmon")
}

/// Asks again until there is an answer.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "not in time: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A terminal with a shell in it.
struct Terminal(String);

impl Terminal {
    fn new(name: &str, columns: u16, rows: u16) -> Self {
        let terminal = Self(format!("netprocmon-{name}-{}", std::process::id()));
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let shell = "env -u NO_COLOR PS1='ready> ' LANG=C.UTF-8 XDG_CONFIG_HOME=/nowhere sh";
        let new = ["new-session", "-d", "-x", &columns, "-y", &rows, shell];
        terminal.tmux(&new);
        terminal.wait_for("ready>");
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut tmux = Command::new("tmux");
        let output = tmux.args(["-L", &self.0]).args(arguments).output().unwrap();
        assert!(output.status.success(), "tmux {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn wait_for(&self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if screen.contains(text) {
                return screen;
            }
            assert!(Instant::now() < end, "no {text:?} on the screen:\n{screen}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Gives the shell a command when it asks for one: what is typed while the view still gives the
    /// terminal back is lost with it.
    fn run(&self, command: &str) {
        until("the shell's prompt", || {
            let is_asking = self.screen().trim_end().ends_with("ready>");
            is_asking.then_some(())
        });
        self.press(&[command, "Enter"]);
    }

    /// Closes what is open. The key is one byte, which with another behind it would be a key with Alt:
    /// so the next one waits until it has done its work.
    fn escape(&self, what_closes: &str) {
        self.press(&["Escape"]);
        until(&format!("{what_closes:?} closed"), || {
            (!self.screen().contains(what_closes)).then_some(())
        });
    }

    /// Whether the other screen is shown, the cursor is, clicks are asked for.
    fn modes(&self) -> String {
        let modes = self.tmux(&[
            "display",
            "-p",
            "#{alternate_on}#{cursor_flag}#{mouse_standard_flag}",
        ]);
        modes.trim().to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux")
            .args(["-L", &self.0, "kill-server"])
            .output();
    }
}

/// A network namespace with a loopback.
struct Namespace(String);

impl Namespace {
    fn new(name: &str) -> Self {
        let namespace = Self(format!("npm-{name}-{}", std::process::id()));
        ip(&["netns", "add", &namespace.0]);
        ip(&["-n", &namespace.0, "link", "set", "lo", "up"]);
        namespace
    }

    fn start(&self, command: &[&str]) -> Child {
        let mut start = Command::new("ip");
        start.args(["netns", "exec", &self.0]).args(command);
        // What it complains of is seen where the test's output is.
        start.stdin(Stdio::null()).stdout(Stdio::null());
        start.spawn().unwrap()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

fn ip(arguments: &[&str]) {
    assert!(
        Command::new("ip")
            .args(arguments)
            .status()
            .unwrap()
            .success(),
        "{arguments:?}"
    );
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The last line of a `watch --json` that goes on.
struct Watch {
    _running: Running,
    lines: mpsc::Receiver<Value>,
}

impl Watch {
    fn start() -> Self {
        let mut watch = Command::new(program());
        watch.args(["watch", "--json", "-d", "0.2"]);
        let mut child = watch.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if tell.send(serde_json::from_str(&line).unwrap()).is_err() {
                    break;
                }
            }
        });
        Self {
            _running: Running(child),
            lines,
        }
    }

    fn next(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).unwrap();
        self.lines.try_iter().last().unwrap_or(line)
    }
}

fn counter<'a>(line: &'a Value, pid: u32, field: &str) -> Option<u64> {
    let find = |one: &&'a Value| one["pid"] == pid;
    line["processes"].as_array()?.iter().find(find)?[field].as_u64()
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn the_figures_are_those_of_watch_and_the_keys_do_what_they_say() {
    let namespace = Namespace::new("top");
    let terminal = Terminal::new("top", 120, 30);
    let watch = Watch::start();
    watch.next();
    terminal.run(&format!("{} top -d 0.2 --keep-ended 0", program()));
    terminal.wait_for("1 Processes");
    let server = Running(namespace.start(&["iperf3", "-s", "-p", "5205"]));
    let pid = server.0.id(); // ip executes it
    let mut client = until("a connection to the server", || {
        let client = &["iperf3", "-c", "127.0.0.1", "-p", "5205", "-n", "3M"];
        let mut client = namespace.start(client);
        client.wait().unwrap().success().then_some(client)
    });
    assert!(client.wait().unwrap().success());
    // Until the counters stand still. A server of iperf3 ends with the test, whatever still waits: the
    // least that the device has seen of the 3 MB are 129,000 bytes.
    let mut last = None;
    let (sent, recv) = until("counters at rest", || {
        let line = watch.next();
        let now = counter(&line, pid, "bytes_sent").zip(counter(&line, pid, "bytes_recv"));
        let rests = now.is_some() && now == last;
        last = now;
        now.filter(|(_, recv)| rests && *recv > 100_000)
    });
    let units = Units::default();
    terminal.press(&["/"]);
    terminal.press(&["-l", &format!("pid={pid}")]);
    terminal.press(&["Enter"]);
    let row = until("the figures of watch", || {
        let screen = terminal.screen();
        let row = screen
            .lines()
            .find(|line| line.trim_start().starts_with(&pid.to_string()))?;
        let is_equal =
            row.contains(&units.size(Some(sent))) && row.contains(&units.size(Some(recv)));
        is_equal.then(|| row.to_owned())
    });
    assert!(row.contains("iperf3"), "{row}");
    terminal.press(&["u"]);
    terminal.wait_for("bit");
    terminal.press(&["u"]);
    terminal.press(&["Enter"]);
    let detail = terminal.wait_for(&format!("process {pid}"));
    assert!(detail.contains("iperf3 -s -p 5205"), "{detail}");
    terminal.escape(&format!("process {pid}"));
    terminal.wait_for("HISTORY");
    terminal.escape("filter pid=");
    terminal.press(&["4"]);
    terminal.wait_for("EXPLAINED");
    terminal.press(&["s"]);
    terminal.wait_for("sort by");
    terminal.escape("sort by");
    terminal.press(&["Space"]);
    terminal.wait_for("paused");
    terminal.press(&["?"]);
    terminal.wait_for("keys that work here");
    terminal.escape("keys that work here");
    terminal.tmux(&["resize-window", "-x", "40", "-y", "12"]);
    terminal.wait_for("1 Proc ");
    terminal.press(&["q"]);
    terminal.wait_for("ready>");
    assert_eq!(terminal.modes(), "010");
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn the_terminal_is_given_back_when_it_is_stopped_and_when_it_is_killed() {
    for signal in ["TERM", "INT", "HUP"] {
        let terminal = Terminal::new(&format!("end-{}", signal.to_lowercase()), 80, 24);
        terminal.run(&format!("{} top", program()));
        terminal.wait_for("1 Processes");
        until("the terminal taken", || {
            (terminal.modes() == "101").then_some(())
        });
        terminal.press(&["C-z"]);
        until("the terminal given back", || {
            (terminal.modes() == "010").then_some(())
        });
        terminal.run("fg");
        until("the terminal taken again", || {
            (terminal.modes() == "101").then_some(())
        });
        terminal.wait_for("1 Processes");
        let shell = terminal.tmux(&["display", "-p", "#{pane_pid}"]);
        let children = format!("/proc/{0}/task/{0}/children", shell.trim());
        let child = fs::read_to_string(children).unwrap();
        let kill = format!("-{signal}");
        assert!(
            Command::new("kill")
                .args([&kill, child.trim()])
                .status()
                .unwrap()
                .success()
        );
        until("the terminal given back", || {
            (terminal.modes() == "010").then_some(())
        });
        terminal.run("stty -a");
        terminal.wait_for(" icanon");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn hostile_names_do_nothing_to_the_terminal() {
    let namespace = Namespace::new("evil");
    let directory = tempfile::tempdir().unwrap();
    // A program whose name sets the title, clears the screen and rings.
    let name = "\u{1b}]0;x\u{7}\u{1b}[2J";
    let evil = directory.path().join(name);
    let ping = ["/usr/bin/ping", "/bin/ping"]
        .iter()
        .find(|path| fs::metadata(path).is_ok());
    symlink(ping.unwrap(), &evil).unwrap();
    let evil = evil.to_str().unwrap();
    let _running = Running(namespace.start(&[evil, "-i", "0.2", "127.0.0.1"]));
    let terminal = Terminal::new("evil", 200, 50);
    let title = || terminal.tmux(&["display", "-p", "#{pane_title}"]);
    let before = title();
    terminal.run(&format!("{} top -d 0.2", program()));
    terminal.wait_for("\\x1b]0;x\\x07\\x1b[2J");
    terminal.press(&["l"]);
    // The command begins with the program's path.
    terminal.wait_for(evil.get(..8).unwrap());
    terminal.press(&["l", "2"]);
    terminal.wait_for("CLIENT");
    terminal.wait_for("\\x1b]0;x\\x07");
    assert_eq!(title(), before);
    // It is the view that is seen, not what a clearing left.
    assert!(terminal.screen().contains("1 Processes"));
}
