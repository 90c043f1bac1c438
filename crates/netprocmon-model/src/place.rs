//! Where a process runs, in the words of what started it: unit, container, pod, script.
//!
//! Only what these are. They are found by reading cgroup paths, arguments and the runtimes' own
//! files, which is the host crate's work; every text here is hostile all the same.

use std::sync::Arc;

use serde::{Serialize, Serializer};

/// What has become of the file that a process was started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProgramFile {
    /// Nothing stands at its path any more.
    Deleted,
    /// Another file stands there now: it was upgraded under the running process.
    Replaced,
}

/// Where a process runs. The same for all processes of a cgroup, so it is shared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Place {
    /// systemd unit of the system (`sd_pid_get_unit(3)`): service, scope, socket.
    pub unit: Option<Arc<str>>,
    /// systemd unit of a user's own manager (`sd_pid_get_user_unit(3)`).
    pub user_unit: Option<Arc<str>>,
    /// systemd slice, the innermost (`sd_pid_get_slice(3)`).
    pub slice: Option<Arc<str>>,
    /// The container, flat.
    #[serde(flatten, serialize_with = "container_fields")]
    pub container: Option<Container>,
    /// The Kubernetes pod, flat.
    #[serde(flatten, serialize_with = "pod_fields")]
    pub pod: Option<Pod>,
}

/// A container, or what people use as one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Container {
    /// What made it: `docker`, `podman`, `containerd`, `cri-o`, `lxc`, `nspawn`, `flatpak`, `snap`.
    pub runtime: Arc<str>,
    /// The runtime's id, whole; for those that have only names, the name.
    pub id: Arc<str>,
    /// Its name, where the runtime's files tell it.
    pub name: Option<Arc<str>>,
    /// The image it was made from, where the runtime's files tell it.
    pub image: Option<Arc<str>>,
}

/// A Kubernetes pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pod {
    /// The pod's uid, from the cgroup path.
    pub uid: Arc<str>,
    /// Its name, where the runtime's files tell it.
    pub name: Option<Arc<str>>,
    /// Its namespace, where the runtime's files tell it.
    pub namespace: Option<Arc<str>>,
}

impl Container {
    /// What people call it: the name, else the first twelve characters of the id.
    #[must_use]
    pub fn label(&self) -> &str {
        match &self.name {
            Some(name) => name,
            None => self.id.get(..12).unwrap_or(&self.id),
        }
    }
}

impl Pod {
    /// What people call it: the name, else the uid.
    #[must_use]
    pub fn label(&self) -> &str {
        self.name.as_ref().unwrap_or(&self.uid)
    }
}

#[derive(Serialize)]
struct ContainerFields<'a> {
    /// The contract's field: a name, else an id.
    container: Option<&'a str>,
    container_id: Option<&'a str>,
    container_runtime: Option<&'a str>,
    container_image: Option<&'a str>,
}

#[allow(clippy::ref_option)] // serde gives the field by reference
fn container_fields<S: Serializer>(of: &Option<Container>, to: S) -> Result<S::Ok, S::Error> {
    let of = of.as_ref();
    ContainerFields {
        container: of.map(|of| of.name.as_deref().unwrap_or(&of.id)),
        container_id: of.map(|of| &*of.id),
        container_runtime: of.map(|of| &*of.runtime),
        container_image: of.and_then(|of| of.image.as_deref()),
    }
    .serialize(to)
}

#[derive(Serialize)]
struct PodFields<'a> {
    pod: Option<&'a str>,
    pod_namespace: Option<&'a str>,
}

#[allow(clippy::ref_option)] // serde gives the field by reference
fn pod_fields<S: Serializer>(of: &Option<Pod>, to: S) -> Result<S::Ok, S::Error> {
    let of = of.as_ref();
    PodFields {
        pod: of.map(Pod::label),
        pod_namespace: of.and_then(|of| of.namespace.as_deref()),
    }
    .serialize(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_flat_and_has_every_field_always() {
        let nowhere = serde_json::to_value(Place::default()).unwrap();
        assert!(
            nowhere
                .as_object()
                .unwrap()
                .values()
                .all(serde_json::Value::is_null)
        );
        let place = Place {
            container: Some(Container {
                runtime: "docker".into(),
                id: "4f0c9a7be21d77".into(),
                name: None,
                image: None,
            }),
            ..Place::default()
        };
        let json = serde_json::to_value(&place).unwrap();
        assert_eq!(json["container"], "4f0c9a7be21d77");
        assert_eq!(json["container_runtime"], "docker");
        assert_eq!(
            nowhere.as_object().unwrap().len(),
            json.as_object().unwrap().len()
        );
        assert_eq!(place.container.unwrap().label(), "4f0c9a7be21d");
    }
}
