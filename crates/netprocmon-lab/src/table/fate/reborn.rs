//! A namespace with the number of one that is gone: the kernel gives inode numbers again at once,
//! and what was moved in the one is not the other's.

use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use netprocmon::{NetnsId, Pid};

use crate::net::{Device, Header, Namespace};
use crate::report::{Check, Tolerance};
use crate::scenario::Skip;
use crate::stage::Stage;
use crate::table::args;
use crate::{truth, verify, wait};

const LIMIT: Duration = Duration::from_secs(5);

/// Bytes over the loopback of one, then over that of another, with no look of the monitor's in
/// between. So many others have the number `meanwhile`.
pub(super) fn reborn(stage: &mut Stage, meanwhile: u32) -> Result<()> {
    stage.count()?;
    let mut moved = Vec::new();
    let mut accounts = Vec::new();
    let mut namespace = Namespace::new()?;
    let number = namespace.id()?;
    for (life, size) in ["300", "500"].into_iter().enumerate() {
        let server = args(["udp-server", "--listen", "127.0.0.1", "--count", "100"]);
        let mut server = stage.start_in(None, &namespace, &format!("server-{life}"), &server)?;
        let to = format!("127.0.0.1:{}", server.port()?);
        let client = args(["udp-client", "--to", &to, "--count", "100", "--size", size]);
        let mut client = stage.start_in(None, &namespace, &format!("client-{life}"), &client)?;
        for running in [&mut client, &mut server] {
            accounts.extend(running.accounts(1)?);
        }
        let (_, by_device) = truth::read(&Device {
            namespace: &namespace,
            name: "lo",
            header: Header::both(0),
        })?;
        let both = &accounts[2 * life..];
        let by_calls = both.iter().map(|of| of.wire.unwrap_or_default().bytes_sent);
        stage.check(Check::number(
            format!("loopback in life {}: as the calls have it", life + 1),
            by_calls.sum(),
            Some(by_device.bytes_sent),
            Tolerance::Exact,
        ));
        moved.push(by_device);
        client.release()?;
        server.release()?;
        if life == 0 {
            drop(namespace);
            for _ in 0..meanwhile {
                talk_to_itself(&with_number(number)?)?;
            }
            namespace = with_number(number)?;
        }
    }
    let Some(snapshot) = stage.snapshot()? else {
        return Ok(());
    };
    let checks = verify::processes(&snapshot, &accounts);
    stage.check_all(checks);
    stage.sum_up(verify::sums_of_calls(&snapshot, &accounts));
    let all = snapshot.interfaces.iter();
    let with_number = all.filter(|one| one.id.netns.inode == number.inode);
    let mut ours: Vec<_> = with_number.collect();
    ours.sort_by_key(|one| one.id);
    let found = Some(ours.len() as u64);
    let what = "interfaces in namespaces with that number";
    let truth = 2 + u64::from(meanwhile);
    stage.check(Check::number(what, truth, found, Tolerance::Exact));
    let ours: Vec<_> = ours.first().into_iter().chain(ours.last()).collect();
    for (life, truth) in moved.iter().enumerate() {
        let counters = ours.get(life).map(|one| one.counted);
        for (what, truth, ours) in [
            (
                "bytes sent",
                truth.bytes_sent,
                counters.and_then(|c| c.bytes_sent),
            ),
            (
                "bytes recv",
                truth.bytes_recv,
                counters.and_then(|c| c.bytes_recv),
            ),
        ] {
            let what = format!("loopback in life {}: {what}", life + 1);
            stage.check(Check::number(what, truth, ours, Tolerance::Exact));
        }
    }
    // A process's own interface is the one of the namespace that it was in.
    for account in &accounts {
        let usage = snapshot.process(Pid(account.pid));
        let of_process = usage.map(|usage| {
            usage
                .interfaces
                .iter()
                .map(|one| one.id)
                .collect::<Vec<_>>()
        });
        let life = usize::from(account.name.ends_with('1'));
        let truth = ours.get(life).map(|one| vec![one.id]);
        let what = format!("{}: its interface", account.name);
        stage.check(Check::same(what, truth, of_process));
    }
    Ok(())
}

/// A new namespace with this number, which is free.
fn with_number(number: NetnsId) -> Result<Namespace> {
    let made = wait::until(LIMIT, || {
        let next = Namespace::new()?;
        Ok((next.id()? == number).then_some(next))
    })?;
    let Some(made) = made else {
        bail!(Skip("the kernel does not give the number again".to_owned()));
    };
    Ok(made)
}

/// So that the kernel side hears of the namespace.
fn talk_to_itself(namespace: &Namespace) -> Result<()> {
    namespace.inside(|| -> Result<()> {
        let socket = UdpSocket::bind("127.0.0.1:0").context("bind a socket")?;
        socket.send_to(&[0], socket.local_addr()?)?;
        Ok(())
    })?
}
