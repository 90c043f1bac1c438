//! `cargo xtask demo`: the pictures and the recording of the live view that the documents show, made
//! from the real program, in a real terminal (tmux), with real traffic between two namespaces.
//!
//! Writes `docs/top/*.svg` and `docs/top/demo.cast` (asciicast v2: `asciinema play` shows it). Root.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::packages::{TESTS, is_root, try_install};
use crate::shell::{cargo, exists, root, run, target_directory};

mod record;
mod svg;

const SOCKET: &str = "netprocmon-demo";
const SIZE: (u16, u16) = (120, 34);
/// Until the charts have something to show.
const WARM_UP: Duration = Duration::from_secs(25);

/// Traffic of a small office: the namespace, the program, its arguments. It lasts as long as the demo.
const TRAFFIC: &[(&str, &[&str])] = &[
    ("b", &["iperf3", "-s", "-p", "5201"]),
    ("b", &["iperf3", "-s", "-p", "5202"]),
    (
        "b",
        &[
            "python3",
            "-m",
            "http.server",
            "8080",
            "--directory",
            "/usr/share",
        ],
    ),
    (
        "a",
        &[
            "iperf3",
            "-c",
            "10.88.0.2",
            "-p",
            "5201",
            "-b",
            "30M",
            "-t",
            "600",
        ],
    ),
    (
        "a",
        &[
            "iperf3",
            "-c",
            "10.88.0.2",
            "-p",
            "5202",
            "-b",
            "6M",
            "-R",
            "-t",
            "600",
        ],
    ),
    ("a", &["ping", "-q", "-i", "0.3", "10.88.0.2"]),
    (
        "a",
        &[
            "sh",
            "-c",
            "while sleep 2; do curl -s -o /dev/null http://10.88.0.2:8080/; done",
        ],
    ),
];

/// What is pressed while it is recorded, and how long each screen stands.
const SCRIPT: &[(&[&str], u64)] = &[
    (&[], 4),
    (&["Down"], 1),
    (&["Down"], 2),
    (&["2"], 4),
    (&["3"], 4),
    (&["4"], 4),
    (&["1"], 2),
    (&["a"], 2),
    (&["n", "Enter"], 3),
    (&["t"], 3),
    (&["a", "n", "n", "n", "Enter", "t"], 1),
    (&["/"], 1),
    (&["-l", "name=iperf3"], 2),
    (&["Enter"], 2),
    (&["Escape"], 2),
    (&["?"], 4),
    (&["Escape"], 1),
];

/// What is shown.
#[derive(Debug, Default, Args)]
pub(crate) struct Demo {
    /// This netprocmon, instead of one that is built first
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

impl Demo {
    pub(crate) fn run(self) -> Result<()> {
        let program = if let Some(program) = self.program {
            program.canonicalize()?
        } else {
            let build = ["build", "--release", "--locked", "-p", "netprocmon-cli"];
            run(&mut cargo(&build)?)?;
            target_directory()?.join("release/netprocmon")
        };
        demo(&program.display().to_string())
    }
}

fn demo(program: &str) -> Result<()> {
    if !is_root() {
        bail!("namespaces and BPF programs are root's");
    }
    try_install(TESTS);
    if !exists("tmux") {
        bail!("there is no tmux");
    }
    let directory = root()?.join("docs/top");
    fs::create_dir_all(&directory)?;
    let _office = Office::open()?;
    for (theme, keys, name) in [
        ("dark", &["1"][..], "processes"),
        ("light", &["2"], "connections"),
        ("dark", &["3"], "remotes"),
    ] {
        let terminal = Terminal::start(program, theme, name)?;
        thread::sleep(WARM_UP);
        for key in keys {
            terminal.press(&[key])?;
        }
        thread::sleep(Duration::from_secs(2));
        let picture = svg::picture(&terminal.screen()?, SIZE, theme == "dark");
        fs::write(directory.join(format!("{name}.svg")), picture)?;
    }
    let terminal = Terminal::start(program, "dark", "recording")?;
    let recording = record::Recording::start(&terminal.0, SIZE)?;
    for (keys, seconds) in SCRIPT {
        if !keys.is_empty() {
            terminal.press(keys)?;
        }
        thread::sleep(Duration::from_secs(*seconds));
    }
    terminal.press(&["q"])?;
    thread::sleep(Duration::from_secs(1));
    fs::write(directory.join("demo.cast"), recording.end()?)?;
    Ok(())
}

/// Two namespaces with traffic between them.
struct Office(Vec<Child>);

impl Office {
    fn open() -> Result<Self> {
        let mut office = Self(Vec::new());
        for command in [
            "netns add netprocmon-a",
            "netns add netprocmon-b",
            "link add eth0 netns netprocmon-a type veth peer name eth0 netns netprocmon-b",
            "-n netprocmon-a addr add 10.88.0.1/24 dev eth0",
            "-n netprocmon-b addr add 10.88.0.2/24 dev eth0",
            "-n netprocmon-a link set eth0 up",
            "-n netprocmon-b link set eth0 up",
        ] {
            let status = Command::new("ip").args(command.split(' ')).status()?;
            if !status.success() {
                bail!("ip {command}: {status}");
            }
        }
        for (side, command) in TRAFFIC {
            let mut start = Command::new("ip");
            start
                .args(["netns", "exec", &format!("netprocmon-{side}")])
                .args(*command);
            start
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            office.0.push(start.spawn().context("start the traffic")?);
            // Servers before their clients.
            thread::sleep(Duration::from_millis(400));
        }
        Ok(office)
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
        for side in ["a", "b"] {
            let name = format!("netprocmon-{side}");
            let _ = Command::new("ip").args(["netns", "del", &name]).status();
        }
    }
}

/// The program in a terminal, by its tmux.
struct Terminal(String);

impl Terminal {
    fn start(program: &str, theme: &str, name: &str) -> Result<Self> {
        // A server that ends takes a moment: each has its own.
        let terminal = Self(format!("{SOCKET}-{name}"));
        let run = format!(
            "env -u NO_COLOR LANG=C.UTF-8 COLORTERM=truecolor XDG_CONFIG_HOME=/nowhere {program} top \
             --theme {theme} --filter 'interface=eth0'"
        );
        let (columns, rows) = (SIZE.0.to_string(), SIZE.1.to_string());
        terminal.tmux(&["new-session", "-d", "-x", &columns, "-y", &rows, &run])?;
        Ok(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new("tmux")
            .args(["-L", &self.0])
            .args(arguments)
            .output()?;
        if !output.status.success() {
            bail!(
                "tmux {arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    fn press(&self, keys: &[&str]) -> Result<()> {
        self.tmux(&[&["send-keys"], keys].concat()).map(drop)
    }

    /// With its colours.
    fn screen(&self) -> Result<String> {
        self.tmux(&["capture-pane", "-e", "-p"])
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux")
            .args(["-L", &self.0, "kill-server"])
            .output();
    }
}
