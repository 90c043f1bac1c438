//! podman: the lists of containers/storage, `containers.json` and, for those that are removed at
//! their end, `volatile-containers.json` (`storage/containers.go`).

use std::path::PathBuf;

use serde::Deserialize;

use super::{ALL, Description, ONE, Runtimes, json, name, oci};

/// Storage drivers; the directories are called after them.
const DRIVERS: [&str; 3] = ["overlay", "vfs", "btrfs"];

/// What is used of an entry of a list.
#[derive(Deserialize)]
struct Entry {
    id: String,
    #[serde(default)]
    names: Vec<String>,
    /// JSON in a text: [`Metadata`].
    #[serde(default)]
    metadata: String,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(rename = "image-name", default)]
    image: String,
    #[serde(default)]
    name: String,
}

impl Runtimes {
    pub(super) fn podman(&self, id: &str, user: Option<u32>) -> Option<Description> {
        let directories = self.storage(user)?;
        let entry = directories.iter().find_map(|directory| {
            ["containers.json", "volatile-containers.json"]
                .iter()
                .filter_map(|list| json::<Vec<Entry>>(&directory.join(list), ALL, user))
                .find_map(|list| list.into_iter().find(|entry| entry.id == id))
        });
        let Some(entry) = entry else {
            return bundle(&directories, id, user);
        };
        let metadata: Metadata = serde_json::from_str(&entry.metadata).unwrap_or_default();
        let first = entry.names.first().map_or("", String::as_str);
        Some(Description {
            name: name(first).or_else(|| name(&metadata.name)),
            image: name(&metadata.image),
            ..Description::default()
        })
    }

    pub(super) fn cri_o(&self, id: &str, user: Option<u32>) -> Option<Description> {
        bundle(&self.storage(user)?, id, user)
    }

    /// The containers' directories of containers/storage: graph root, then run root.
    fn storage(&self, user: Option<u32>) -> Option<Vec<PathBuf>> {
        let roots = match user {
            None => [
                self.root.join("var/lib/containers/storage"),
                self.root.join("run/containers/storage"),
            ],
            Some(uid) => [
                self.home(uid)?.join(".local/share/containers/storage"),
                self.root.join(format!("run/user/{uid}/containers")),
            ],
        };
        let of = |root: &PathBuf| DRIVERS.map(|driver| root.join(format!("{driver}-containers")));
        Some(roots.iter().flat_map(of).collect())
    }
}

/// `ID/userdata/config.json`: the OCI configuration that a container was started with.
fn bundle(directories: &[PathBuf], id: &str, user: Option<u32>) -> Option<Description> {
    directories.iter().find_map(|directory| {
        let path = directory.join(id).join("userdata/config.json");
        json::<oci::Spec>(&path, ONE, user)?.describe()
    })
}
