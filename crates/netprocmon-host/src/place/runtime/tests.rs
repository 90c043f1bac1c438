//! Trees of files as the runtimes leave them, cut to what matters, and files that lie.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::fs::{Gid, Uid, chown};
use tempfile::TempDir;

use super::*;
use crate::place::of_cgroup;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A root directory with files in it; `{ID}` in paths and texts stands for the id.
struct Root(TempDir);

impl Root {
    fn with(files: &[(&str, &str)]) -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            let path = root.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.replace("{ID}", ID)).unwrap();
        }
        root
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path.replace("{ID}", ID))
    }

    fn place(&self, cgroup: &str) -> (Place, bool) {
        let cgroup = cgroup.replace("{ID}", ID);
        let mut place = of_cgroup(&cgroup);
        let found = Runtimes::below(self.0.path()).describe(&cgroup, &mut place);
        (place, found)
    }

    /// Name, image, pod's uid, name and namespace, where they were found.
    fn found(&self, cgroup: &str) -> [String; 5] {
        let (place, found) = self.place(cgroup);
        assert!(found, "{cgroup}");
        let container = place.container.unwrap();
        let (uid, name, namespace) = place
            .pod
            .map(|pod| (Some(pod.uid), pod.name, pod.namespace))
            .unwrap_or_default();
        [container.name, container.image, uid, name, namespace]
            .map(|text| text.as_deref().unwrap_or_default().to_owned())
    }
}

#[test]
fn docker() {
    let text = r#"{"State":{"Running":true},"ID":"{ID}","Image":"sha256:12","Name":"/web_1",
        "Config":{"Hostname":"x","Image":"nginx:1.27","Labels":{"com.docker.compose.service":"web"}}}"#;
    let scope = "/system.slice/docker-{ID}.scope";
    let root = Root::with(&[("var/lib/docker/containers/{ID}/config.v2.json", text)]);
    assert_eq!(root.found(scope), ["web_1", "nginx:1.27", "", "", ""]);
    let elsewhere = Root::with(&[
        ("etc/docker/daemon.json", r#"{"data-root":"/srv/docker"}"#),
        ("srv/docker/containers/{ID}/config.v2.json", text),
    ]);
    assert_eq!(elsewhere.found(scope)[0], "web_1");
    let pod = r#"{"Name":"/k8s_c_p_n_u_0","Config":{"Image":"i","Labels":{
        "io.kubernetes.pod.name":"web-0","io.kubernetes.pod.namespace":"shop"}}}"#;
    let root = Root::with(&[("var/lib/docker/containers/{ID}/config.v2.json", pod)]);
    let path = "/kubepods/burstable/poda-b/{ID}";
    assert_eq!(
        root.place(path).0.container.unwrap().name,
        None,
        "containerd's by its path"
    );
    let slice = "/kubepods.slice/kubepods-poda_b.slice/docker-{ID}.scope";
    assert_eq!(
        root.found(slice),
        ["k8s_c_p_n_u_0", "i", "a-b", "web-0", "shop"]
    );
}

const LIST: &str = r#"[{"id":"ff","names":["other"]},{"id":"{ID}","names":["db"],"image":"9f",
    "layer":"1","metadata":"{\"image-name\":\"docker.io/library/postgres:17\",\"name\":\"db\"}"}]"#;

#[test]
fn podman_of_root() {
    for list in [
        "var/lib/containers/storage/overlay-containers/containers.json",
        "var/lib/containers/storage/overlay-containers/volatile-containers.json",
        "run/containers/storage/vfs-containers/containers.json",
    ] {
        let root = Root::with(&[(list, LIST)]);
        let image = "docker.io/library/postgres:17";
        let path = "/machine.slice/libpod-{ID}.scope/container";
        assert_eq!(root.found(path), ["db", image, "", "", ""], "{list}");
    }
}

const ROOTLESS: &str = "/user.slice/user-4242.slice/user@4242.service/user.slice/libpod-{ID}.scope";
const USERS: (&str, &str) = ("etc/passwd", "ana:x:4242:4242::/home/ana:/bin/sh\n");
const HERS: &str = "home/ana/.local/share/containers/storage/overlay-containers/containers.json";

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn podman_of_a_user_reads_the_users_own_files_only() {
    let roots = "var/lib/containers/storage/overlay-containers/containers.json";
    let root = Root::with(&[USERS, (HERS, LIST), (roots, LIST)]);
    let (place, found) = root.place(ROOTLESS);
    assert!(
        !found && place.container.unwrap().name.is_none(),
        "root's file in her home"
    );
    let (uid, gid) = (Uid::from_raw(4242), Gid::from_raw(4242));
    chown(root.path(HERS), Some(uid), Some(gid)).unwrap();
    assert_eq!(root.found(ROOTLESS)[0], "db");
    fs::remove_file(root.path(HERS)).unwrap();
    symlink(root.path(roots), root.path(HERS)).unwrap();
    assert!(!root.place(ROOTLESS).1, "a link to another's file");
}

#[test]
fn a_user_cannot_borrow_the_names_of_root_s_containers() {
    let root = Root::with(&[
        USERS,
        (
            "var/lib/docker/containers/{ID}/config.v2.json",
            r#"{"Name":"/secret"}"#,
        ),
    ]);
    let path = "/user.slice/user-4242.slice/user@4242.service/docker-{ID}.scope";
    let (place, found) = root.place(path);
    assert!(!found);
    assert_eq!(place.container.unwrap().name, None);
}

#[test]
fn containerd() {
    let spec = r#"{"ociVersion":"1.1.0","process":{"args":["x"]},"annotations":{
        "io.kubernetes.cri.container-name":"app","io.kubernetes.cri.container-type":"container",
        "io.kubernetes.cri.image-name":"registry.example/app:2","io.kubernetes.cri.sandbox-id":"1",
        "io.kubernetes.cri.sandbox-name":"web-0","io.kubernetes.cri.sandbox-namespace":"shop",
        "io.kubernetes.cri.sandbox-uid":"a-b"}}"#;
    let expected = ["app", "registry.example/app:2", "a-b", "web-0", "shop"];
    for state in ["run/containerd", "run/k3s/containerd"] {
        let file = format!("{state}/io.containerd.runtime.v2.task/k8s.io/{{ID}}/config.json");
        let root = Root::with(&[(&file, spec)]);
        let slice = "/kubepods.slice/kubepods-poda_b.slice/cri-containerd-{ID}.scope";
        assert_eq!(root.found(slice), expected);
        assert_eq!(
            root.found("/k8s.io/{ID}"),
            expected,
            "the pod from the file"
        );
    }
    let file = "run/containerd/io.containerd.runtime.v2.task/default/{ID}/config.json";
    let root = Root::with(&[(file, r#"{"annotations":{"nerdctl/name":"cache"}}"#)]);
    assert_eq!(root.found("/system.slice/nerdctl-{ID}.scope")[0], "cache");
}

#[test]
fn cri_o() {
    let file = "run/containers/storage/overlay-containers/{ID}/userdata/config.json";
    let spec = r#"{"annotations":{"io.kubernetes.container.name":"app","io.kubernetes.pod.name":"web-0",
        "io.kubernetes.pod.namespace":"shop","io.kubernetes.cri-o.ImageName":"quay.io/app:3",
        "io.kubernetes.cri-o.Image":"9f","io.kubernetes.cri-o.Name":"k8s_app"}}"#;
    let root = Root::with(&[(file, spec)]);
    let path = "/kubepods.slice/kubepods-poda_b.slice/crio-{ID}.scope/container";
    assert_eq!(
        root.found(path),
        ["app", "quay.io/app:3", "a-b", "web-0", "shop"]
    );
}

#[test]
fn nothing_is_left_to_find_without_a_container_or_with_a_name() {
    let root = Root::with(&[]);
    assert!(root.place("/system.slice/x.service").1);
    assert!(root.place("/lxc.payload.web").1);
    assert!(!root.place("/docker/{ID}").1);
}

#[test]
fn files_that_lie_leave_the_id() {
    let file = "var/lib/docker/containers/{ID}/config.v2.json";
    let nested = "[".repeat(100_000);
    let long = format!(r#"{{"Name":"/{}"}}"#, "n".repeat(NAME_LIMIT + 1));
    for text in ["", "{", "[]", "\u{0}", &nested, r#"{"Name":7}"#] {
        let (place, found) = Root::with(&[(file, text)]).place("/docker/{ID}");
        assert!(!found, "{}", text.get(..9).unwrap_or(text));
        assert_eq!(&*place.container.unwrap().id, ID);
    }
    let (place, _) = Root::with(&[(file, &long)]).place("/docker/{ID}");
    assert_eq!(place.container.unwrap().name, None);
    let huge = Root::with(&[(file, r#"{"Name":"/x"}"#)]);
    let sparse = fs::File::options()
        .append(true)
        .open(huge.path(file))
        .unwrap();
    sparse.set_len(ONE + 1).unwrap();
    assert!(!huge.place("/docker/{ID}").1);
}

#[test]
fn what_is_no_regular_file_is_not_opened() {
    let root = Root::with(&[("x", "")]);
    let pipe = root.path("pipe");
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    // Opening it would wait for a writer.
    assert_eq!(regular(&pipe, ONE, None), None);
    assert_eq!(regular(Path::new("/dev/zero"), ONE, None), None);
    assert_eq!(regular(root.0.path(), ONE, None), None);
    assert_eq!(regular(&root.path("x"), ONE, None), Some(Vec::new()));
}
