//! What else is to be known of the other ends of connections, as typed.

use std::path::PathBuf;

use clap::Args;

const GEOIP: &str = "Say where remotes are by this database (.mmdb: GeoLite2, DB-IP lite and the \
                     like); may be given several times, for countries and for networks";

/// What is said of remotes besides the names that DNS answers gave them.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Remotes (of connections and their groups)")]
pub(crate) struct Remotes {
    /// Say where remotes are by this database (.mmdb); may be given several times
    #[arg(long, value_name = "FILE", help = GEOIP)]
    pub(crate) geoip: Vec<PathBuf>,

    /// Look up the names of remotes that no DNS answer has named. Asks your name servers, which
    /// learn of these addresses; nothing waits for their answers
    #[arg(long)]
    pub(crate) resolve: bool,
}
