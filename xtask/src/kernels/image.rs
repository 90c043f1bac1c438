//! The file system of a guest: busybox, the lab and the command as they were built here, the
//! programs that the lab calls with their libraries, and the modules that the links need.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::archive::{Archive, Kernel};
use crate::shell::{command, find, target_directory};

/// What the lab calls.
const PROGRAMS: [&str; 3] = ["ip", "nft", "ethtool"];
/// Modules that no automatic loading finds; what a kernel has built in or elsewhere is not missed.
pub(super) const MODULES: [&str; 10] = [
    "veth",
    "nf_tables",
    "nft_counter",
    "nft_objref",
    "nft_numgen",
    "bridge",
    "af_packet_diag",
    "raw_diag",
    "tcp_diag",
    "udp_diag",
];

/// Makes the file that a kernel unpacks at its start.
pub(super) fn make(archive: &Archive, kernel: &Kernel, init: &str) -> Result<PathBuf> {
    let root = archive.directory().join("guest");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    for path in [
        "bin", "sbin", "usr/bin", "proc", "sys", "dev", "tmp", "run", "etc", "lab",
    ] {
        fs::create_dir_all(root.join(path))?;
    }
    let busybox = archive.program("usr/bin/busybox");
    fs::copy(&busybox, root.join("bin/busybox"))?;
    let built = target_directory()?.join("release");
    let mut programs = Vec::new();
    for name in ["netprocmon-lab", "netprocmon"] {
        let copy = root.join("lab").join(name);
        fs::copy(built.join(name), &copy).with_context(|| format!("copy {name}"))?;
        programs.push(copy);
    }
    for name in PROGRAMS {
        let program = find(name).with_context(|| format!("{name} is not installed"))?;
        let copy = root.join("usr/bin").join(name);
        fs::copy(&program, &copy).with_context(|| format!("copy {}", program.display()))?;
        programs.push(copy);
    }
    for library in libraries(&programs)? {
        let copy = root.join(library.strip_prefix("/")?);
        fs::create_dir_all(copy.parent().unwrap_or(&root))?;
        fs::copy(&library, copy).with_context(|| format!("copy {}", library.display()))?;
    }
    copy_modules(&busybox, kernel, &root)?;
    // What nft calls protocols by.
    fs::write(
        root.join("etc/protocols"),
        "icmp 1\ntcp 6\nudp 17\nipv6-icmp 58\n",
    )?;
    fs::write(root.join("init"), init)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(root.join("init"), mode)?;
    pack(archive, &busybox, &root)
}

/// The libraries that these programs are linked with, and the loader.
fn libraries(programs: &[PathBuf]) -> Result<BTreeSet<PathBuf>> {
    let output = command("ldd", &[])?.args(programs).output()?;
    anyhow::ensure!(output.status.success(), "ldd: {}", output.status);
    Ok(paths(&String::from_utf8_lossy(&output.stdout)))
}

/// The absolute paths in what ldd prints: `name => /path (address)`, `/loader (address)`.
fn paths(ldd: &str) -> BTreeSet<PathBuf> {
    let lines = ldd.lines().filter(|line| line.starts_with('\t'));
    let words = lines.flat_map(str::split_whitespace);
    words
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}

fn copy_modules(busybox: &Path, kernel: &Kernel, root: &Path) -> Result<()> {
    let to = root.join("lib/modules").join(&kernel.release);
    fs::create_dir_all(&to)?;
    let all = walk(&kernel.modules.join("kernel"))?;
    let mut wanted: Vec<_> = MODULES.map(str::to_owned).into();
    let mut seen = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let Some(file) = all.iter().find(|path| is_module(path, &name)) else {
            continue; // built in, or of another kernel
        };
        let module = plain(busybox, file)?;
        wanted.extend(depends(&module));
        fs::write(to.join(format!("{name}.ko")), module)?;
    }
    // The packages of 7.x have none; depmod wants them to be there.
    for list in ["modules.order", "modules.builtin"] {
        let text = fs::read(kernel.modules.join(list)).unwrap_or_default();
        fs::write(to.join(list), text).with_context(|| format!("write {list}"))?;
    }
    let mut depmod = Command::new(busybox);
    let depmod = depmod.args(["depmod", "-b"]).arg(root).arg(&kernel.release);
    let status = depmod.status().context("start busybox depmod")?;
    anyhow::ensure!(status.success(), "busybox depmod: {status}");
    Ok(())
}

/// A module as it is loaded; Debian compresses those of newer kernels.
fn plain(busybox: &Path, file: &Path) -> Result<Vec<u8>> {
    if file.extension().is_none_or(|extension| extension != "xz") {
        return Ok(fs::read(file)?);
    }
    let unpacked = Command::new(busybox)
        .args(["xz", "-dc"])
        .arg(file)
        .output()?;
    anyhow::ensure!(unpacked.status.success(), "unpack {}", file.display());
    Ok(unpacked.stdout)
}

/// The files below a directory.
fn walk(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let to = if entry.file_type()?.is_dir() {
                &mut left
            } else {
                &mut files
            };
            to.push(entry.path());
        }
    }
    Ok(files)
}

/// In file names a dash may stand for an underscore.
fn is_module(path: &Path, name: &str) -> bool {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = file.split(".ko").next().unwrap_or_default();
    stem.replace('-', "_") == name
}

/// What a module says in its `.modinfo` section that it depends on.
fn depends(module: &[u8]) -> Vec<String> {
    let texts = module.split(|byte| *byte == 0);
    let list = texts.filter_map(|text| text.strip_prefix(b"depends="));
    let list = list
        .map(String::from_utf8_lossy)
        .collect::<Vec<_>>()
        .join(",");
    let names = list.split(',').filter(|name| !name.is_empty());
    names.map(|name| name.replace('-', "_")).collect()
}

fn pack(archive: &Archive, busybox: &Path, root: &Path) -> Result<PathBuf> {
    let file = archive.directory().join("guest.cpio");
    let list = archive.directory().join("guest.list");
    let mut names = vec![".".to_owned()];
    names.extend(all_names(root, root)?);
    fs::write(&list, names.join("\n") + "\n")?;
    let status = Command::new(busybox)
        .args(["cpio", "-o", "-H", "newc"])
        .current_dir(root)
        .stdin(fs::File::open(list)?)
        .stdout(fs::File::create(&file)?)
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("busybox cpio: {status}");
    }
    Ok(file)
}

/// Directories before what is in them.
fn all_names(root: &Path, directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        names.push(path.strip_prefix(root)?.to_string_lossy().into_owned());
        if entry.file_type()?.is_dir() {
            names.extend(all_names(root, &path)?);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_the_paths_that_ldd_prints() {
        let text = "/build/ip:\n\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/libc.so.6 (0x2)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x3)\n";
        let found: Vec<_> = paths(text).into_iter().collect();
        let expected = ["/lib/libc.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(found, expected.map(PathBuf::from));
    }

    #[test]
    fn a_module_says_what_it_depends_on() {
        let module = b"\0license=GPL\0depends=nfnetlink,libcrc32c,nf-tables\0name=x\0";
        assert_eq!(depends(module), ["nfnetlink", "libcrc32c", "nf_tables"]);
        assert!(depends(b"\0depends=\0").is_empty());
        assert!(is_module(Path::new("/k/nf-tables.ko.xz"), "nf_tables"));
        assert!(!is_module(Path::new("/k/nf_tables_x.ko"), "nf_tables"));
    }
}
