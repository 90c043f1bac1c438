//! Interfaces that change while they are counted on: another name, another device with the index of
//! one that is gone.

use anyhow::Result;
use netprocmon::IpVersion::V4;

use super::{args, at};
use crate::net::End;
use crate::report::{Check, Tolerance};
use crate::scenario::Scenario;
use crate::stage::Stage;
use crate::truth;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("an interface that is renamed", renamed),
    Scenario::new(
        "an interface removed, and another made with its index",
        remade,
    )
    .own_comparison(),
];

/// An exchange of datagrams, whose sockets stay open.
fn exchange(stage: &mut Stage, count: u32) -> Result<()> {
    let (listen, count) = (End::Right.address(V4).to_string(), count.to_string());
    let server = args(["udp-server", "--listen", &listen, "--count", &count]);
    let mut server = stage.start(End::Right, "udp-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let client = args([
        "udp-client",
        "--to",
        &to,
        "--count",
        &count,
        "--size",
        "500",
    ]);
    let client = stage.start(End::Left, "udp-client", &client)?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)
}

/// It is shown under its new name, and what it counted goes on.
fn renamed(stage: &mut Stage) -> Result<()> {
    stage.count()?;
    exchange(stage, 400)?;
    stage.snapshot()?;
    let (index, _) = truth::read(&stage.link().device(End::Left))?;
    stage.link().rename(End::Left, "left0", "other0")?;
    exchange(stage, 300)?;
    if let Some(snapshot) = stage.snapshot()? {
        let netns = stage.namespace(End::Left).id()?;
        let mut all = snapshot.interfaces.iter();
        let one = all.find(|one| one.id.netns == netns && one.id.index == index);
        let name = one.and_then(|one| one.name.as_deref());
        stage.check(Check::same("its name is the new one", Some("other0"), name));
    }
    stage.link().rename(End::Left, "other0", "left0")?;
    // So that the usual comparison finds it under the old one: names are read with what has moved.
    exchange(stage, 200)
}

/// Both count: ours is one row, and so much is what both devices counted together. The second counts
/// less than the first, or nobody could tell that it is another.
fn remade(stage: &mut Stage) -> Result<()> {
    stage.count()?;
    exchange(stage, 3000)?;
    let first = stage.settle()?;
    stage.snapshot()?;
    stage.link().remake()?;
    exchange(stage, 1000)?;
    // The link is at rest when both ends say that all has come.
    let second = stage.settle()?;
    let Some(snapshot) = stage.snapshot()? else {
        return Ok(());
    };
    for at in 0..2 {
        let (one, other) = (&first.devices[at], &second.devices[at]);
        let name = one.name;
        let shown = snapshot.interfaces.iter().find(|shown| shown.id == one.id);
        let both = one.moved.bytes_sent + other.moved.bytes_sent;
        let counted = shown.and_then(|shown| shown.counted.bytes_sent);
        let what = format!("{name}: bytes sent over both devices");
        stage.check(Check::number(what, both, counted, Tolerance::Exact));
        for (what, share) in [
            ("sent", shown.and_then(|shown| shown.explained_sent)),
            ("recv", shown.and_then(|shown| shown.explained_recv)),
        ] {
            let share = share.map(|share| format!("{share:.4}"));
            let what = format!("{name}: explained {what}");
            stage.check(Check::same(what, Some("1.0000"), share.as_deref()));
        }
    }
    Ok(())
}
