//! docker: `containers/ID/config.v2.json` below its data root (moby, `container/container.go`).

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Description, ONE, Runtimes, json, name, oci};

/// What is used of `config.v2.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    /// With a slash before it.
    #[serde(default)]
    name: String,
    config: Option<Config>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    /// As the user wrote it; the hash is elsewhere.
    #[serde(default)]
    image: String,
    labels: Option<HashMap<String, String>>,
}

/// What is used of `daemon.json`.
#[derive(Deserialize)]
struct Daemon {
    #[serde(rename = "data-root")]
    data_root: Option<PathBuf>,
}

impl Runtimes {
    pub(super) fn docker(&self, id: &str, user: Option<u32>) -> Option<Description> {
        let roots = match user {
            Some(uid) => vec![self.home(uid)?.join(".local/share/docker")],
            None => self.docker_roots(),
        };
        let file: File = roots.iter().find_map(|root| {
            let path = root.join("containers").join(id).join("config.v2.json");
            json(&path, ONE, user)
        })?;
        let config = file.config;
        let labels = config.as_ref().and_then(|config| config.labels.as_ref());
        let labels = labels.map(oci::describe).unwrap_or_default();
        Some(Description {
            name: name(file.name.trim_start_matches('/')),
            image: config.and_then(|config| name(&config.image)),
            ..labels
        })
    }

    /// Where dockerd may keep its containers: its default, what it is told, and its snap's.
    fn docker_roots(&self) -> Vec<PathBuf> {
        let told = json(&self.root.join("etc/docker/daemon.json"), ONE, None)
            .and_then(|daemon: Daemon| daemon.data_root)
            .and_then(|path| Some(self.root.join(path.strip_prefix("/").ok()?)));
        let usual = ["var/lib/docker", "var/snap/docker/common/var-lib-docker"];
        let usual = usual.into_iter().map(|path| self.root.join(path));
        usual.chain(told).collect()
    }
}
