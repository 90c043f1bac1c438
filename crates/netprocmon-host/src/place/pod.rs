//! Kubernetes pods in a cgroup path, as the kubelet names them with either of its cgroup drivers
//! (`pkg/kubelet/cm/cgroup_manager_linux.go`). Pure.

use netprocmon_model::Pod;

/// Longer than any uid: 36 characters, or 32 for a static pod.
const UID_LIMIT: usize = 64;

/// The innermost pod that the path names.
pub(super) fn find(parts: &[&str]) -> Option<Pod> {
    let uid = (0..parts.len()).rev().find_map(|at| {
        let name = parts.get(at)?;
        of_slice(name).or_else(|| of_directory(name, parts.get(..at)?))
    })?;
    Some(Pod {
        uid: uid.into(),
        name: None,
        namespace: None,
    })
}

/// `kubepods-burstable-podUID.slice`, with `_` for `-` in the uid, for `-` nests slices; perhaps
/// with `:runtime:id` behind it, where kubelet and runtime disagree about the driver, and with a
/// prefix of the cluster's (`kubelet-`).
fn of_slice(name: &str) -> Option<String> {
    let name = name.split(':').next()?.strip_suffix(".slice")?;
    let (class, uid) = name.rsplit_once("-pod")?;
    let class = class
        .strip_suffix("-burstable")
        .or_else(|| class.strip_suffix("-besteffort"))
        .unwrap_or(class);
    let ours = class == "kubepods" || class.ends_with("-kubepods");
    ours.then(|| checked(&uid.replace('_', "-")))?
}

/// `kubepods/burstable/podUID`, `kubepods/podUID`.
fn of_directory(name: &str, above: &[&str]) -> Option<String> {
    let uid = name.strip_prefix("pod")?;
    let below_kubepods = matches!(
        above,
        [.., "kubepods"] | [.., "kubepods", "burstable" | "besteffort" | "guaranteed"]
    );
    below_kubepods.then(|| checked(uid))?
}

fn checked(uid: &str) -> Option<String> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let good = !uid.is_empty() && uid.len() <= UID_LIMIT && uid.bytes().all(valid);
    good.then(|| uid.to_owned())
}
