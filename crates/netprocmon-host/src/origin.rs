//! Where addresses are said to be, from a database file that the user gives (`MaxMind` DB format).
//!
//! Countries come from GeoLite2-Country, GeoLite2-City, DB-IP lite and their like, networks from
//! GeoLite2-ASN and its like; one file has the one or the other. None is shipped or fetched. What a
//! database says is an estimate of its maker's.
//!
//! The file is read whole (GeoLite2-City has 60 MB) rather than mapped: an update that cuts a mapped
//! file under us would end the process.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use maxminddb::{MaxMindDbError, Reader, path};
use netprocmon_model::Origin;
use thiserror::Error;

/// Longer than any country's code or name of an organisation.
const TEXT_LIMIT: usize = 256;

/// An opened database. Looking up takes microseconds and no memory but for the answer.
pub struct OriginDatabase {
    reader: Reader<Vec<u8>>,
}

/// The file could not be read or is no database.
#[derive(Debug, Error)]
#[error("open {path}: {source}")]
pub struct OriginError {
    path: String,
    source: MaxMindDbError,
}

impl OriginDatabase {
    /// Reads a file of the `MaxMind` DB format (`.mmdb`). The error names the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OriginError> {
        let path = path.as_ref();
        let reader = Reader::open_readfile(path).map_err(|source| OriginError {
            path: path.display().to_string(),
            source,
        })?;
        Ok(Self { reader })
    }

    /// What kind of database it says it is: `GeoLite2-ASN`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.reader.metadata().database_type
    }

    /// What it says of an address; `None` for one that it does not know, or of which it has nothing
    /// that we show. A record that cannot be read is as good as none.
    #[must_use]
    pub fn lookup(&self, address: IpAddr) -> Option<Origin> {
        let found = self.reader.lookup(address.to_canonical()).ok()?;
        let text = |path: &[_]| {
            let text: &str = found.decode_path(path).ok()??;
            (!text.is_empty() && text.len() <= TEXT_LIMIT).then(|| Arc::from(text))
        };
        let origin = Origin {
            country: text(&path!["country", "iso_code"])
                .or_else(|| text(&path!["registered_country", "iso_code"])),
            asn: found
                .decode_path(&path!["autonomous_system_number"])
                .ok()
                .flatten(),
            organization: text(&path!["autonomous_system_organization"]),
        };
        (origin != Origin::default()).then_some(origin)
    }
}

#[cfg(test)]
mod tests;
