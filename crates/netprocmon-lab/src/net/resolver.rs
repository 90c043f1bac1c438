//! A name server of the lab's own: dnsmasq in a namespace of the lab's, which knows the names that a
//! row gives it and asks nobody.

use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::Namespace;
use crate::scenario::Skip;
use crate::tool;

/// A name server that runs. Killed when dropped.
#[derive(Debug)]
pub struct Resolver {
    child: Child,
    /// It goes on writing here, and must not be stopped by a closed pipe.
    said: BufReader<ChildStderr>,
}

/// It reads and writes no file, keeps its rights and stays where it was started.
const ALONE: [&str; 8] = [
    "--no-daemon",
    "--conf-file=/dev/null",
    "--pid-file=",
    "--user=root",
    "--no-resolv",
    "--no-hosts",
    "--bind-interfaces",
    "--log-facility=-",
];

impl Resolver {
    /// Starts it and waits until it answers. `records` are options of dnsmasq's, such as
    /// `--host-record=NAME,ADDRESS` and `--cname=ALIAS,NAME`.
    ///
    /// [`Skip`] where there is no dnsmasq.
    pub fn start(namespace: &Namespace, listen: &[IpAddr], records: &[String]) -> Result<Self> {
        if !tool::exists("dnsmasq") {
            bail!(Skip("dnsmasq is not installed".to_owned()));
        }
        let netns = namespace.file().try_clone()?;
        let enter = move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(())
        };
        let mut command = Command::new("dnsmasq");
        // SAFETY: between fork and exec it makes two system calls and touches no lock or heap.
        unsafe { command.pre_exec(enter) };
        let mut child = command
            .args(ALONE)
            .args(listen.iter().map(|at| format!("--listen-address={at}")))
            .args(records)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("start dnsmasq")?;
        let stderr = child.stderr.take().context("dnsmasq has no pipe")?;
        let mut resolver = Self {
            child,
            said: BufReader::new(stderr),
        };
        // It says that when its sockets are bound.
        let mut line = String::new();
        while !line.contains(": started,") {
            line.clear();
            let length = resolver.said.read_line(&mut line)?;
            if length == 0 {
                bail!("dnsmasq ended: {}", resolver.child.wait()?);
            }
        }
        Ok(resolver)
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        // Both fail only when it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
