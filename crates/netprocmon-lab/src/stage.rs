//! What a row acts on: its link, its generators, the monitor, and the counters as they stood when
//! counting began.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use netprocmon::{InterfaceId, IpVersion, Monitor, MonitorBuilder, Retention, Snapshot};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::generate::{self, Account, Running};
use crate::net::{Cgroup, Cgroups, Device, End, Header, Link, Namespace, Offload, Resolver};
use crate::peer::company::{Company, Seen};
use crate::peer::share::Mover;
use crate::peer::{Sight, Tool};
use crate::report::{Check, Sums};
use crate::scenario::{Scenario, Seat, Shape};
use crate::truth::filter::{self, Arrived};
use crate::truth::{self, Moved};
use crate::{verify, wait};

/// Longer than a delayed acknowledgement (40 ms, `TCP_DELACK_MIN`).
const STILL: Duration = Duration::from_millis(60);
const LIMIT: Duration = Duration::from_secs(5);

/// One run of one row.
pub struct Stage {
    scenario: Scenario,
    link: Link,
    /// What the link's own devices are used for, at the left and at the right end.
    below: [Role; 2],
    above: Vec<Above>,
    dir: PathBuf,
    with_monitor: bool,
    monitor: Option<Monitor>,
    start_took: Option<Duration>,
    baseline: Option<Readings>,
    accounts: Vec<Account>,
    open: Vec<Running>,
    checks: Vec<Check>,
    sums: Option<Sums>,
    peers: Vec<Tool>,
    company: Option<Company>,
    /// Generators that were started: where, and under which name.
    started: BTreeMap<u32, (End, String)>,
    movers: Vec<Mover>,
    resolver: Option<Resolver>,
    /// Behind the generators that may be in them: dropped, and with it removed, when they are gone.
    cgroups: Option<Cgroups>,
}

/// What a device is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sockets send and receive over it.
    Sockets,
    /// The kernel's own packets cross it, with others inside: a tunnel's outer packets. The packet
    /// filter sees them; no socket's hook does.
    Carrier,
    /// Frames cross it below IP: a bridge's port, the device under a macvlan. Nothing but the
    /// device itself sees them there.
    Port,
}

/// A device that a row has put on top of the link's own.
#[derive(Clone, Copy, Debug)]
struct Above {
    end: End,
    name: &'static str,
    header: Header,
    role: Role,
    cuts: bool,
}

/// Every counter that a row is compared with, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// The devices that sockets use.
    pub devices: Vec<Reading>,
    /// The device of a bridged link that sees packets as they are on the wire.
    pub wire: Option<Moved>,
    /// What the packet filters counted as it came in, at the left and at the right end. What goes
    /// out they see before it is cut into packets, so that tells nothing of the link.
    pub arrived: [Arrived; 2],
}

/// One device at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its name.
    pub name: &'static str,
    /// Which end of the link it is at.
    pub end: End,
    /// What it is used for.
    pub role: Role,
    /// Whether it counts the packets of a segmentation buffer each on its own.
    pub is_wire: bool,
    /// Which interface it is in a snapshot.
    pub id: InterfaceId,
    /// Its counters at the IP layer.
    pub moved: Moved,
}

impl Stage {
    /// Makes the link; nothing moves yet.
    pub fn new(scenario: Scenario, with_monitor: bool) -> Result<Self> {
        let link = match scenario.shape {
            Shape::Direct => Link::direct(scenario.offload)?,
            Shape::Bridged | Shape::Lossy => Link::bridged(scenario.offload)?,
        };
        if scenario.shape == Shape::Bridged {
            // The device behind the bridge tells what is on the wire unless the queue that it fills
            // is full (net.core.netdev_max_backlog, 1,000 packets a processor): then it drops, and
            // counts nothing. So much less is on its way at once.
            for end in [End::Left, End::Right] {
                let namespace = link.namespace(end);
                namespace.sysctl("net/ipv4/tcp_rmem", "4096 131072 524288")?;
            }
        }
        let dir = format!("netprocmon-lab-{}", std::process::id());
        Ok(Self {
            scenario,
            link,
            below: [Role::Sockets; 2],
            above: Vec::new(),
            dir: std::env::temp_dir().join(dir),
            with_monitor,
            monitor: None,
            start_took: None,
            baseline: None,
            accounts: Vec::new(),
            open: Vec::new(),
            checks: Vec::new(),
            sums: None,
            peers: Vec::new(),
            company: None,
            started: BTreeMap::new(),
            movers: Vec::new(),
            resolver: None,
            cgroups: None,
        })
    }

    /// The same, watched by other tools too, from the moment that counting begins.
    #[must_use]
    pub fn beside(mut self, peers: &[Tool]) -> Self {
        self.peers = peers.to_vec();
        self
    }

    /// The row.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The link.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The namespace at one end.
    #[must_use]
    pub fn namespace(&self, end: End) -> &Namespace {
        self.link.namespace(end)
    }

    /// Starts a generator at one end, in a process of this name.
    pub fn start(&mut self, end: End, name: impl AsRef<OsStr>, args: &[String]) -> Result<Running> {
        let running = Running::start(self.namespace(end), &self.dir, &name, args)?;
        let name = name.as_ref().to_string_lossy().into_owned();
        self.started.insert(running.pid(), (end, name));
        Ok(running)
    }

    /// The same in a cgroup, and in any namespace: a generator that [`Stage::start`] cannot start.
    pub fn start_in(
        &self,
        cgroup: Option<&Cgroup>,
        namespace: &Namespace,
        name: &str,
        args: &[String],
    ) -> Result<Running> {
        Running::start_in(cgroup, namespace, &self.dir, name, args)
    }

    /// The cgroups of the row, which are there until its generators are gone.
    pub fn cgroups(&mut self) -> Result<&Cgroups> {
        let cgroups = match self.cgroups.take() {
            Some(cgroups) => cgroups,
            None => Cgroups::new()?,
        };
        Ok(self.cgroups.insert(cgroups))
    }

    /// A name server at the right end, with these options of dnsmasq's, for as long as the row
    /// lasts; the right end gets many addresses.
    pub fn serve_names(&mut self, records: &[String]) -> Result<()> {
        self.link.add_networks()?;
        let listen = [IpVersion::V4, IpVersion::V6].map(|version| End::Right.address(version));
        let right = self.namespace(End::Right);
        self.resolver = Some(Resolver::start(right, &listen, records)?);
        Ok(())
    }

    /// Starts the monitor and takes the counters that everything is a difference from. What was
    /// moved before is not counted.
    pub fn count(&mut self) -> Result<()> {
        self.count_with(Monitor::builder())
    }

    /// The same with a monitor that is asked for more.
    pub fn count_with(&mut self, builder: MonitorBuilder) -> Result<()> {
        if !self.peers.is_empty() {
            self.company = Some(self.gather());
        }
        self.baseline = Some(self.settle()?);
        if !self.with_monitor {
            return Ok(());
        }
        let builder = builder
            .retention(Retention::Keep)
            .source(self.scenario.source);
        let before = Instant::now();
        let monitor = self.seated(|| builder.start())?;
        self.start_took = Some(before.elapsed());
        self.monitor = Some(monitor.context("start the monitor")?);
        Ok(())
    }

    /// A device that the row has put on top of the link's own is compared too. What is below it is
    /// told with [`Stage::is_below`]. `cuts` says that it follows the row's segmentation offload.
    pub fn put_above(&mut self, end: End, name: &'static str, header: Header, cuts: bool) {
        self.above.push(Above {
            end,
            name,
            header,
            role: Role::Sockets,
            cuts,
        });
    }

    /// The link's own device at this end carries what others send.
    pub fn is_below(&mut self, end: End, role: Role) {
        self.below[usize::from(end == End::Right)] = role;
    }

    /// The counts of now, when the row wants to know before the comparison; `None` without a
    /// monitor.
    pub fn snapshot(&mut self) -> Result<Option<Arc<Snapshot>>> {
        self.monitored(Monitor::snapshot)
    }

    /// Waits for the next sample, and attends to what cannot wait for it; `None` when `limit` came
    /// first, or without a monitor.
    pub fn wait_for_sample(&mut self, limit: Duration) -> Result<Option<Arc<Snapshot>>> {
        let sample = self.monitored(|monitor| monitor.wait(Some(limit)))?;
        Ok(sample.flatten())
    }

    fn monitored<T>(
        &mut self,
        work: impl FnOnce(&mut Monitor) -> Result<T, netprocmon::Error>,
    ) -> Result<Option<T>> {
        let Some(mut monitor) = self.monitor.take() else {
            return Ok(None);
        };
        let done = self.seated(|| work(&mut monitor));
        self.monitor = Some(monitor);
        Ok(Some(done?.context("ask the monitor")?))
    }

    /// Does something of the monitor's in the network namespace that it runs in. Everything else
    /// is done outside, and a process is in the namespace that its main thread is in.
    fn seated<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        if self.scenario.seat == Seat::Outside {
            return Ok(work());
        }
        let home = std::fs::File::open("/proc/thread-self/ns/net")?;
        enter(self.namespace(End::Left).file())?;
        let done = work();
        enter(&home)?;
        Ok(done)
    }

    /// Takes into the books what `count` processes of a generator moved, and keeps their sockets
    /// open until the first comparison is made.
    pub fn finish(&mut self, mut running: Running, count: usize) -> Result<()> {
        for account in running.accounts(count)? {
            self.moved_by(&account, running.pid());
            self.accounts.push(account);
        }
        self.open.push(running);
        Ok(())
    }

    /// Takes into the books what one process moved, when its generator cannot be finished as others
    /// are.
    pub fn take(&mut self, account: Account) {
        self.moved_by(&account, account.pid);
        self.accounts.push(account);
    }

    /// Peers are to have put this on that process too, which the row compares by itself; it is a
    /// child of the generator with this pid, or that generator.
    pub fn moved_by(&mut self, account: &Account, generator: u32) {
        let started = self.started.get(&generator);
        self.movers.push(Mover {
            end: started.map_or(End::Left, |(end, _)| *end),
            account: account.clone(),
            started_as: started
                .filter(|_| account.pid == generator)
                .map(|(_, name)| name.clone()),
        });
    }

    /// Who moved what at one end.
    #[must_use]
    pub fn movers(&self, end: End) -> Vec<&Mover> {
        let movers = self.movers.iter();
        movers.filter(|mover| mover.end == end).collect()
    }

    /// How long the monitor took to start.
    #[must_use]
    pub fn start_took(&self) -> Option<Duration> {
        self.start_took
    }

    /// The lab's own program under another name, to be executed.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        generate::named_program(&self.dir, name.as_ref())
    }

    /// The same as a copy, which can be deleted and replaced: a generator that is started under
    /// this name from now on is that file.
    pub fn copy_of_program(&self, name: &str) -> Result<PathBuf> {
        let copy = self.dir.join(name);
        std::fs::create_dir_all(&self.dir)?;
        std::fs::copy("/proc/self/exe", &copy).context("copy the lab's own program")?;
        Ok(copy)
    }

    /// Writes a file that is there for as long as the row lasts.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.dir.join(name);
        std::fs::create_dir_all(&self.dir)?;
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    /// Lets every generator close its sockets and end.
    pub fn release(&mut self) -> Result<()> {
        // In the order in which the row finished them.
        self.open.drain(..).try_for_each(Running::release)
    }

    /// Adds a comparison of the row's own.
    pub fn check(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// Adds many.
    pub fn check_all(&mut self, checks: impl IntoIterator<Item = Check>) {
        self.checks.extend(checks);
    }

    /// What the row moved in all, where it does not use [`Stage::compare`].
    pub fn sum_up(&mut self, sums: Sums) {
        self.sums = Some(sums);
    }

    /// What was moved in all, as of the last comparison with the devices.
    #[must_use]
    pub fn sums(&self) -> Option<Sums> {
        self.sums
    }

    /// All comparisons so far.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// What each process says it moved.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Whether there is a monitor to test.
    #[must_use]
    pub fn with_monitor(&self) -> bool {
        self.with_monitor
    }

    /// Whether counting has begun.
    #[must_use]
    pub fn is_counting(&self) -> bool {
        self.baseline.is_some()
    }

    /// Reads every counter.
    pub fn read(&self) -> Result<Readings> {
        let cut = self.link.offload() != Offload::On;
        let [left, right] = self.below;
        let mut devices = vec![
            (End::Left, self.link.device(End::Left), left, cut),
            (End::Right, self.link.device(End::Right), right, cut),
            (
                End::Left,
                self.link.loopback(End::Left),
                Role::Sockets,
                false,
            ),
        ];
        for above in &self.above {
            let device = Device {
                namespace: self.namespace(above.end),
                name: above.name,
                header: above.header,
            };
            devices.push((above.end, device, above.role, cut && above.cuts));
        }
        Ok(Readings {
            devices: devices
                .iter()
                .map(|(end, device, role, is_wire)| reading(*end, device, *role, *is_wire))
                .collect::<Result<_>>()?,
            wire: match self.link.wire() {
                Some(device) => Some(truth::read(&device)?.1),
                None => None,
            },
            arrived: [
                filter::read(self.namespace(End::Left), "all")?,
                filter::read(self.namespace(End::Right), "all")?,
            ],
        })
    }

    /// Reads every counter once none has changed for a while.
    pub fn settle(&self) -> Result<Readings> {
        match wait::until_stable(STILL, LIMIT, || self.read())? {
            Some(readings) => Ok(readings),
            None => bail!("the link did not come to rest within {LIMIT:?}"),
        }
    }

    /// What the counters moved by since counting began, at rest, and the snapshot of that time;
    /// `None` without a monitor.
    pub fn compare(&mut self) -> Result<(Readings, Option<Arc<Snapshot>>)> {
        let (now, snapshot) = loop {
            let now = self.settle()?;
            let snapshot = self.snapshot()?;
            // A stack may send again just between the two, after loss: they must be of one time.
            if self.read()? == now {
                break (now, snapshot);
            }
        };
        let then = self.baseline.as_ref().context("counting has not begun")?;
        let moved = now.since(then);
        if let Some(snapshot) = &snapshot {
            self.sums = Some(verify::sums(&moved, snapshot, &self.accounts));
        }
        Ok((moved, snapshot))
    }

    /// The peers, where the clients are; on loopback only if the row is about it.
    fn gather(&self) -> Company {
        let above = self.above.iter().filter(|above| above.end == End::Left);
        let above = above.filter(|above| above.role == Role::Sockets);
        let mut devices: Vec<_> = above.map(|above| above.name).collect();
        if self.scenario.over_loopback {
            devices.push(self.link.loopback(End::Left).name);
        } else if self.below[0] == Role::Sockets {
            devices.push(self.link.device(End::Left).name);
        }
        let sight = Sight {
            devices: &devices,
            datagrams: true,
        };
        Company::start(&self.peers, self.namespace(End::Left), sight)
    }

    /// Gives the peers time while the sockets are open.
    pub fn linger(&mut self) {
        if let Some(company) = &mut self.company {
            company.linger();
        }
    }

    /// Ends the peers; what each saw of the left end's traffic. None when none was started.
    pub fn part(&mut self) -> Result<Vec<Seen>> {
        let Some(mut company) = self.company.take() else {
            return Ok(Vec::new());
        };
        company.part();
        let then = self.baseline.as_ref().context("counting has not begun")?;
        let moved = self.settle()?.since(then).devices;
        let left = moved.iter().filter(|device| device.end == End::Left);
        let left = left.filter(|device| device.role == Role::Sockets);
        let bytes = left.map(|device| device.moved.bytes_sent + device.moved.bytes_recv);
        Ok(company.end(bytes.sum(), &self.movers(End::Left)))
    }
}

impl Readings {
    fn since(&self, then: &Self) -> Self {
        let devices = self.devices.iter().zip(&then.devices);
        Self {
            devices: devices
                .map(|(now, then)| Reading {
                    moved: now.moved.since(then.moved),
                    ..*now
                })
                .collect(),
            wire: self.wire.zip(then.wire).map(|(now, then)| now.since(then)),
            arrived: [0, 1].map(|end| self.arrived[end].since(then.arrived[end])),
        }
    }
}

fn reading(end: End, device: &Device<'_>, role: Role, is_wire: bool) -> Result<Reading> {
    let (index, moved) = truth::read(device)?;
    Ok(Reading {
        name: device.name,
        end,
        role,
        is_wire,
        id: InterfaceId {
            netns: device.namespace.id()?,
            index,
        },
        moved,
    })
}

fn enter(netns: &std::fs::File) -> Result<()> {
    use std::os::fd::AsFd;
    move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network))
        .context("enter a network namespace")
}

impl Drop for Stage {
    fn drop(&mut self) {
        // It is the lab's own, and is not there when no generator was started.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
