//! Cgroup paths as they were seen on hosts of each kind, and noise.

use proptest::prelude::*;

use super::*;

const A: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const B: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
const UID: &str = "2c48913c-b29f-11e7-9350-020968147796";

/// `{A}`, `{B}` and `UID` (`UID_` with `_` for `-`) stand for ids.
fn path(pattern: &str) -> String {
    let parts = pattern.replace("UID_", &UID.replace('-', "_"));
    parts
        .replace("UID", UID)
        .replace("{A}", A)
        .replace("{B}", B)
}

/// Path, unit, user unit, slice, as `sd_pid_get_unit(3)` and its relatives say; `-` for none.
const UNITS: &str = r"
/ - - -
/init.scope init.scope - -.slice
/system.slice/nginx.service nginx.service - system.slice
/system.slice/system-getty.slice/getty@tty1.service getty@tty1.service - system-getty.slice
/system.slice/system-a\x2db.slice/a\x2db@x.service/sub a\x2db@x.service - system-a\x2db.slice
/system.slice/_cgroup.x.service cgroup.x.service - system.slice
/_memory.slice/_x.service x.service - memory.slice
/user.slice/user-1000.slice/session-2.scope session-2.scope - user-1000.slice
/user.slice/user-1000.slice/session-2.scope/run-u3.service session-2.scope run-u3.service user-1000.slice
/user.slice/user-1000.slice/user@1000.service/init.scope user@1000.service init.scope user-1000.slice
/user.slice/user-1000.slice/user@1000.service/app.slice/app-foo.service user@1000.service app-foo.service user-1000.slice
/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.kde.slice/a@b.service user@1000.service a@b.service user-1000.slice
/user.slice/user-1000.slice/user@ana.service/x.service user@ana.service - user-1000.slice
/system.slice - - system.slice
/system.slice/x@.service - - system.slice
/system.slice/no+unit.service - - system.slice
/a@b.slice/x.service - - -
/foo/bar.service - - -
/../../system.slice/x.service - - -
";

#[test]
fn units_of_system_and_user() {
    for line in UNITS.lines().filter(|line| !line.is_empty()) {
        let (path, expected) = line.split_once(' ').unwrap();
        let place = of_cgroup(path);
        let found = [&place.unit, &place.user_unit, &place.slice];
        let found = found.map(|name| name.as_deref().unwrap_or("-"));
        assert_eq!(found.join(" "), expected, "{path}");
        assert_eq!((place.container, place.pod), (None, None), "{path}");
    }
}

/// Path, runtime, id; with the pod's uid behind it where there is one.
const CONTAINERS: &str = r"
/system.slice/docker-{A}.scope docker {A}
/system.slice/docker-{A}.scope/init.scope docker {A}
/docker/{A} docker {A}
/ecs/task/{A} docker {A}
/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{A}.scope docker {A}
/system.slice/docker-{A}.scope/docker/{B} docker {B}
/machine.slice/libpod-{A}.scope podman {A}
/machine.slice/libpod-{A}.scope/container podman {A}
/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope/container podman {A}
/libpod_parent/libpod-{A} podman {A}
/system.slice/web.service/libpod-payload-{A} podman {A}
/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope/container podman {A}
/system.slice/nerdctl-{A}.scope containerd {A}
/default/{A} containerd {A}
/k8s.io/{A} containerd {A}
/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID_.slice/cri-containerd-{A}.scope containerd {A} UID
/kubepods.slice/kubepods-podUID_.slice/cri-containerd-{A}.scope containerd {A} UID
/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-podUID_.slice/cri-containerd-{A}.scope containerd {A} UID
/system.slice/containerd.service/kubepods-burstable-podUID_.slice:cri-containerd:{A} containerd {A} UID
/kubepods/burstable/podUID/{A} containerd {A} UID
/kubepods/podUID/{A} containerd {A} UID
/kubelet/kubepods/besteffort/podUID/{A}/sub containerd {A} UID
/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podUID_.slice/docker-{A}.scope docker {A} UID
/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podUID_.slice/crio-{A}.scope cri-o {A} UID
/kubepods.slice/kubepods-podUID_.slice/crio-{A}.scope/container cri-o {A} UID
/kubepods/besteffort/podUID/crio-{A} cri-o {A} UID
/system.slice/docker-{B}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podUID_.slice/cri-containerd-{A}.scope containerd {A} UID
/lxc.payload.web lxc web
/lxc.payload.web/system.slice/nginx.service lxc web
/lxc.payload/web lxc web
/lxc/101/ns/init.scope lxc 101
/lxc/web/payload lxc web
/machine.slice/machine-lxc\x2d4711\x2dweb.scope lxc web
/machine.slice/systemd-nspawn@debian-13.service/payload/system.slice/x.service nspawn debian-13
/machine.slice/machine-my\x2dbox.scope/payload nspawn my-box
/machine.slice/machine-qemu\x2dx.scope nspawn qemu-x
/user.slice/user-1000.slice/user@1000.service/app.slice/app-flatpak-org.gnome.Maps-12345.scope flatpak org.gnome.Maps
/user.slice/user-1000.slice/user@1000.service/app.slice/app-flatpak-com.x.my\x2dapp-1.scope flatpak com.x.my-app
/user.slice/user-1000.slice/user@1000.service/flatpak-org.gnome.Maps-1.scope flatpak org.gnome.Maps
/user.slice/user-1000.slice/user@1000.service/app.slice/snap.firefox.firefox-UID.scope snap firefox
/user.slice/user-1000.slice/user@1000.service/snap.hello-world.sh.UID.scope snap hello-world
/system.slice/snap.lxd.daemon.service snap lxd
/system.slice/snap.foo.hook.configure-UID.scope snap foo
/system.slice/snap.foo\x2bcomp.hook.install.scope snap foo
";

#[test]
fn containers_of_each_runtime() {
    for line in CONTAINERS.lines().filter(|line| !line.is_empty()) {
        let line = path(line);
        let words: Vec<&str> = line.split(' ').collect();
        let (path, runtime, id, pod) = (words[0], words[1], words[2], words.get(3).copied());
        let place = of_cgroup(path);
        let container = place.container.unwrap_or_else(|| panic!("{path}"));
        assert_eq!(
            (&*container.runtime, &*container.id),
            (runtime, id),
            "{path}"
        );
        let named = (id != A && id != B).then_some(id);
        assert_eq!(container.name.as_deref(), named, "{path}");
        assert_eq!(place.pod.map(|pod| pod.uid).as_deref(), pod, "{path}");
    }
}

#[test]
fn monitors_machines_and_lookalikes_are_no_containers() {
    for pattern in [
        "/machine.slice/libpod-conmon-{A}.scope",
        "/libpod_parent/conmon",
        "/system.slice/web.service/supervisor",
        "/kubepods.slice/kubepods-podUID_.slice/crio-conmon-{A}.scope",
        "/lxc.monitor.web",
        "/lxc.monitor/101",
        "/lxc/web/monitor",
        "/lxc.payload.",
        "/machine.slice/systemd-nspawn@box.service/supervisor",
        r"/machine.slice/machine-qemu\x2d1\x2dvm.scope",
        "/system.slice/docker.service",
        "/system.slice/docker-abc.scope",
        "/system.slice/docker-{A}0.scope",
        "/system.slice/docker-../../../etc.scope",
        "/{A}",
        "/system.slice/snap.mount",
        "/system.slice/snapd.service",
        "/user.slice/app-flatpak-org.gnome.Maps.scope",
    ] {
        // An id alone at the top has no parent that could tell; docker is the guess.
        let expected = (pattern == "/{A}").then_some("docker");
        let place = of_cgroup(&path(pattern));
        let runtime = place.container.map(|container| container.runtime);
        assert_eq!(runtime.as_deref(), expected, "{pattern}");
    }
}

#[test]
fn pods_only_below_kubepods() {
    for pattern in [
        "/podUID",
        "/x/podUID/y",
        "/x-podUID_.slice",
        "/kubepods/pod",
        "/kubepods/podx y",
    ] {
        assert_eq!(of_cgroup(&path(pattern)).pod, None, "{pattern}");
    }
    let fixed = of_cgroup("/kubepods/burstable/pod0123456789abcdef0123456789abcdef");
    assert_eq!(&*fixed.pod.unwrap().uid, "0123456789abcdef0123456789abcdef");
}

#[test]
fn whoever_may_make_names_up() {
    assert_eq!(
        user_of_cgroup("/user.slice/user-1000.slice/user@1000.service/x"),
        Some(1000)
    );
    assert_eq!(
        user_of_cgroup("/user.slice/user-5.slice/session-1.scope"),
        Some(5)
    );
    assert_eq!(user_of_cgroup("/system.slice/user-x.slice"), None);
}

proptest! {
    #[test]
    fn no_path_does_harm(path in r"(/(user@|machine-|lxc|docker-|kubepods-pod|snap\.|app-flatpak-|\\x|[-_.:@0-9a-f]{0,70}|\PC{0,9}){0,4}(\.(slice|scope|service))?){0,6}") {
        let place = of_cgroup(&path);
        if let Some(container) = place.container {
            prop_assert!(!container.id.is_empty() && !container.id.contains('/'));
        }
        let _ = user_of_cgroup(&path);
    }
}
