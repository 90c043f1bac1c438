//! Records what a program writes to its terminal, with the times: asciicast v2
//! (docs.asciinema.org/manual/asciicast/v2), a line of JSON an output.

use std::io::Read;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::json;

/// A recording that goes on.
pub(super) struct Recording {
    head: String,
    end: UnixStream,
    lines: mpsc::Receiver<String>,
    path: PathBuf,
}

impl Recording {
    /// Records the pane of this tmux from now on.
    pub(super) fn start(socket: &str, (width, height): (u16, u16)) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("netprocmon-demo-{}", std::process::id()));
        let listener = UnixListener::bind(&path).context("listen for the recording")?;
        let to = format!(
            "python3 -c 'import socket,sys,os\ns=socket.socket(socket.AF_UNIX);s.connect(\"{}\")\nwhile \
             True:\n d=os.read(0,65536)\n if not d: break\n s.sendall(d)'",
            path.display()
        );
        let status = Command::new("tmux")
            .args(["-L", socket, "pipe-pane", &to])
            .status()?;
        if !status.success() {
            bail!("tmux pipe-pane: {status}");
        }
        let (mut stream, _) = listener.accept()?;
        let end = stream.try_clone()?;
        let (tell, lines) = mpsc::channel();
        let start = Instant::now();
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            let mut kept = Vec::new();
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                kept.extend_from_slice(&buffer[..count]);
                // A character may come in two parts.
                let whole = match std::str::from_utf8(&kept) {
                    Ok(text) => text.len(),
                    Err(error) => error.valid_up_to(),
                };
                let text = String::from_utf8_lossy(&kept[..whole]).into_owned();
                kept.drain(..whole);
                let at = (start.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
                if tell.send(json!([at, "o", text]).to_string()).is_err() {
                    break;
                }
            }
        });
        let head = json!({
            "version": 2,
            "width": width,
            "height": height,
            "title": "netprocmon top",
            "env": { "TERM": "xterm-256color" },
        });
        Ok(Self {
            head: head.to_string(),
            end,
            lines,
            path,
        })
    }

    /// What was recorded.
    pub(super) fn end(self) -> Result<String> {
        // It may have ended by itself.
        let _ = self.end.shutdown(Shutdown::Both);
        std::fs::remove_file(&self.path)?;
        let lines: Vec<_> = std::iter::once(self.head).chain(self.lines).collect();
        Ok(lines.join("\n") + "\n")
    }
}
