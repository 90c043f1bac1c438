//! Packets that a link loses on their way: dropped in the middle, where the sender has counted them
//! and the receiver has not.

use anyhow::{Context, Result};

use super::Link;
use crate::tool;

impl Link {
    /// From now on a bridged link loses one TCP packet in `each`, in either direction, picked at
    /// random.
    pub fn lose_one_in(&self, each: u32) -> Result<()> {
        let middle = self
            .middle()
            .context("only a bridged link can lose packets")?;
        let rules = ["near0", "far0"].map(|device| {
            format!(
                "table netdev loss_{device} {{\n chain lost {{\n\
                 type filter hook ingress device \"{device}\" priority 0;\n\
                 meta l4proto tcp numgen random mod {each} == 0 drop\n }}\n}}\n"
            )
        });
        let args = ["netns", "exec", middle.name(), "nft", "-f", "-"];
        tool::run_with_input("ip", &args, &rules.concat())?;
        Ok(())
    }
}
