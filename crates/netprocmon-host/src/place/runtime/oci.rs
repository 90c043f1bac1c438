//! The OCI configuration of a container (`config.json` of its bundle): what containerd's CRI
//! plugin, nerdctl and cri-o write into its annotations; docker's labels of pods are alike.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use serde::Deserialize;

use super::{Description, ONE, Runtimes, json, name};

/// Where containerd keeps its state: its own, k3s's, k0s's, microk8s's.
const STATES: [&str; 4] = [
    "run/containerd",
    "run/k3s/containerd",
    "run/k0s/containerd",
    "var/snap/microk8s/common/run/containerd",
];
/// Nobody has more namespaces of containerd's.
const NAMESPACES: usize = 64;

/// What is used of a configuration.
#[derive(Deserialize)]
pub(super) struct Spec {
    #[serde(default)]
    annotations: HashMap<String, String>,
}

impl Spec {
    /// `None` where no annotation is one that we know.
    pub(super) fn describe(&self) -> Option<Description> {
        let found = describe(&self.annotations);
        (found != Description::default()).then_some(found)
    }
}

/// The keys, in the order of trust: containerd `internal/cri/annotations`, cri-o
/// `internal/annotations`, the kubelet's labels (which cri-o repeats), nerdctl `pkg/labels`.
pub(super) fn describe(annotations: &HashMap<String, String>) -> Description {
    let first = |keys: &[&str]| -> Option<Arc<str>> {
        keys.iter().find_map(|key| name(annotations.get(*key)?))
    };
    Description {
        name: first(&[
            "io.kubernetes.cri.container-name",
            "io.kubernetes.container.name",
            "nerdctl/name",
        ]),
        image: first(&[
            "io.kubernetes.cri.image-name",
            "io.kubernetes.cri-o.ImageName",
            "io.kubernetes.cri-o.Image",
        ]),
        pod_uid: first(&["io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"]),
        pod_name: first(&[
            "io.kubernetes.cri.sandbox-name",
            "io.kubernetes.pod.name",
            "io.kubernetes.cri-o.KubeName",
        ]),
        pod_namespace: first(&[
            "io.kubernetes.cri.sandbox-namespace",
            "io.kubernetes.pod.namespace",
            "io.kubernetes.cri-o.Namespace",
        ]),
    }
}

impl Runtimes {
    /// `io.containerd.runtime.v2.task/NAMESPACE/ID/config.json` of whatever namespace has the id.
    /// What users run for themselves has its state in a mount namespace of theirs, out of sight.
    pub(super) fn containerd(&self, id: &str, user: Option<u32>) -> Option<Description> {
        if user.is_some() {
            return None;
        }
        STATES.iter().find_map(|state| {
            let tasks = self.root.join(state).join("io.containerd.runtime.v2.task");
            let namespaces = fs::read_dir(tasks).ok()?.flatten().take(NAMESPACES);
            namespaces.into_iter().find_map(|namespace| {
                let path = namespace.path().join(id).join("config.json");
                json::<Spec>(&path, ONE, None)?.describe()
            })
        })
    }
}
