//! The same traffic beside other tools.

use anyhow::{Result, bail};

use super::Options;
use super::report::Section;

pub(super) fn measure(_options: &Options) -> Result<Section> {
    bail!("this is still to be written")
}
