//! Debian's archive: kernels, QEMU and busybox, fetched with the machine's own apt, from the mirror
//! that it has configured, with lists, cache and state of our own.
//!
//! Several releases are asked for, whatever release this machine runs: each maintains another line
//! of kernels, and QEMU 7.2 of Debian 12 emulates CMPXCHG16B wrongly (kernels from 6.12 on panic).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::shell::{command, exists, run};

/// Suites of the main archive. QEMU and busybox come from the first.
const SUITES: [&str; 4] = [
    "trixie",
    "trixie-backports",
    "bookworm",
    "bookworm-backports",
];
/// Suites of the security archive; 5.10 is kept there alone.
const SECURITY: [&str; 3] = ["bullseye-security", "bookworm-security", "trixie-security"];
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Lists are asked for anew after this.
const FRESH: Duration = Duration::from_hours(24);

/// What was fetched, and can be.
#[derive(Debug)]
pub(super) struct Archive {
    directory: PathBuf,
    /// Names of all kernel packages.
    names: Vec<String>,
}

/// An unpacked kernel.
#[derive(Debug)]
pub(super) struct Kernel {
    /// What `uname -r` says.
    pub(super) release: String,
    pub(super) image: PathBuf,
    pub(super) modules: PathBuf,
}

impl Archive {
    /// Fetches the lists and the programs that a guest takes.
    pub(super) fn open(directory: &Path) -> Result<Self> {
        if std::env::consts::ARCH != "x86_64" {
            bail!("guests are x86-64, and this machine is not");
        }
        for program in ["apt-get", "dpkg-deb", "timeout", "ldd"] {
            if !exists(program) {
                bail!("there is no {program} here");
            }
        }
        let mut archive = Self {
            directory: directory.to_owned(),
            names: Vec::new(),
        };
        archive.configure()?;
        archive.update()?;
        archive.fetch_programs()?;
        let names = archive.apt("apt-cache", &["pkgnames", "linux-"])?;
        archive.names = names.lines().map(str::to_owned).collect();
        Ok(archive)
    }

    /// The last kernel of a line; `newest` is that of all.
    pub(super) fn kernel(&self, line: &str) -> Result<Kernel> {
        let mut releases: Vec<_> = self.names.iter().filter_map(|name| release(name)).collect();
        releases.retain(|release| line == "newest" || release.starts_with(&format!("{line}.")));
        let release = releases.into_iter().max_by_key(|release| numbers(release));
        let release = release.with_context(|| format!("Debian's archive has no Linux {line}"))?;
        let directory = self.directory.join(release);
        if !directory.join("complete").is_file() {
            // Since 7.x the image is in one package and the modules are in another.
            let parts =
                ["image", "binary", "modules"].map(|part| format!("linux-{part}-{release}"));
            let parts: Vec<_> = parts
                .iter()
                .filter(|part| self.names.contains(part))
                .map(String::as_str)
                .collect();
            self.download(&[&["download", "-q"], &parts[..]].concat(), &directory)?;
        }
        let modules =
            ["lib/modules", "usr/lib/modules"].map(|path| directory.join(path).join(release));
        let modules = modules
            .into_iter()
            .find(|path| path.join("kernel").is_dir());
        let modules =
            modules.with_context(|| format!("the packages of {release} have no modules"))?;
        let images = [
            directory.join("boot").join(format!("vmlinuz-{release}")),
            modules.join("vmlinuz"),
        ];
        let image = images.into_iter().find(|path| path.is_file());
        Ok(Kernel {
            release: release.to_owned(),
            image: image.with_context(|| format!("the packages of {release} have no image"))?,
            modules,
        })
    }

    /// A file of the fetched programs.
    pub(super) fn program(&self, path: &str) -> PathBuf {
        self.directory.join("programs").join(path)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Apt's own files: nothing is read from the machine's state, nothing is written to it.
    fn configure(&self) -> Result<()> {
        let here = self.directory.display();
        for path in ["lists/partial", "cache/archives/partial", "etc/none"] {
            fs::create_dir_all(self.directory.join(path))?;
        }
        let (main, security) = mirrors()?;
        let entry = |mirror: &str, suite: &str| {
            format!("deb [signed-by={KEYRING}] {mirror} {suite} main\n")
        };
        let main = SUITES.iter().map(|suite| entry(&main, suite));
        let security = SECURITY.iter().map(|suite| entry(&security, suite));
        let sources: String = main.chain(security).collect();
        let configuration = format!(
            "Dir::State::Lists \"{here}/lists\";\nDir::State::status \"{here}/etc/status\";\n\
             Dir::Cache \"{here}/cache\";\nDir::Etc::SourceList \"{here}/etc/sources.list\";\n\
             Dir::Etc::SourceParts \"{here}/etc/none\";\nDir::Etc::Preferences \"{here}/etc/status\";\n\
             Dir::Etc::PreferencesParts \"{here}/etc/none\";\nAcquire::Languages \"none\";\n\
             APT::Install-Recommends \"false\";\nAPT::Sandbox::User \"\";\nDebug::NoLocking \"true\";\n"
        );
        for (name, text) in [
            ("sources.list", sources),
            ("apt.conf", configuration),
            ("status", String::new()),
        ] {
            fs::write(self.directory.join("etc").join(name), text)?;
        }
        Ok(())
    }

    fn update(&self) -> Result<()> {
        let stamp = self.directory.join("etc/updated");
        let age = fs::metadata(&stamp).and_then(|stamp| stamp.modified());
        let age = age.ok().and_then(|then| then.elapsed().ok());
        if age.is_some_and(|age| age < FRESH) {
            return Ok(());
        }
        // A suite that is no longer served fails it, and leaves the others usable.
        if let Err(error) = run(self
            .command("apt-get", &["update", "-q"])?
            .stdout(Stdio::null()))
        {
            eprintln!("xtask: {error:#}");
        }
        Ok(fs::write(stamp, "")?)
    }

    /// QEMU with all its libraries, the C library too: it runs on whatever this machine has.
    fn fetch_programs(&self) -> Result<()> {
        let directory = self.directory.join("programs");
        if directory.join("complete").is_file() {
            return Ok(());
        }
        let install = ["install", "-q", "-y", "--download-only", "-t", SUITES[0]];
        let what = ["qemu-system-x86", "busybox-static"];
        self.download(&[&install[..], &what].concat(), &directory)
    }

    /// Downloads packages and unpacks them, without installing any.
    fn download(&self, args: &[&str], into: &Path) -> Result<()> {
        // `download` puts them where it is run, `install` into the cache.
        let archives = self.directory.join("cache/archives");
        run(self
            .command("apt-get", args)?
            .current_dir(&archives)
            .stdout(Stdio::null()))?;
        fs::create_dir_all(into)?;
        for entry in fs::read_dir(&archives)? {
            let package = entry?.path();
            if package
                .extension()
                .is_some_and(|extension| extension == "deb")
            {
                let unpack = command("dpkg-deb", &["-x"])?
                    .arg(&package)
                    .arg(into)
                    .status()?;
                anyhow::ensure!(unpack.success(), "unpack {}: {unpack}", package.display());
                fs::remove_file(package)?;
            }
        }
        Ok(fs::write(into.join("complete"), "")?)
    }

    fn apt(&self, program: &str, args: &[&str]) -> Result<String> {
        output(&mut self.command(program, args)?)
    }

    fn command(&self, program: &str, args: &[&str]) -> Result<Command> {
        let mut apt = command(program, args)?;
        apt.env("APT_CONFIG", self.directory.join("etc/apt.conf"));
        Ok(apt)
    }
}

/// The mirrors of Debian's archive and of its security archive that this machine is configured with.
fn mirrors() -> Result<(String, String)> {
    let format = "$(RELEASE) $(REPO_URI)";
    let targets = ["indextargets", "--format", format, "Created-By: Packages"];
    let text = output(&mut command("apt-get", &targets)?)?;
    find_mirrors(&text)
        .context("no mirror of Debian and of its security archive is configured for apt")
}

/// Of lines with a suite and an address: those of a suite and of the one that secures it.
fn find_mirrors(text: &str) -> Option<(String, String)> {
    let all: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    all.iter().find_map(|(suite, security)| {
        let secured = suite.strip_suffix("-security")?;
        let (_, main) = all.iter().find(|(suite, _)| *suite == secured)?;
        Some(((*main).to_owned(), (*security).to_owned()))
    })
}

fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_owned();
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("start {}", name.display()))?;
    anyhow::ensure!(
        output.status.success(),
        "{}: {}",
        name.display(),
        output.status
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// The release in the name of a package with a kernel for guests; none in those with a line's name.
fn release(name: &str) -> Option<&str> {
    let parts = ["linux-image-", "linux-binary-"];
    let release = parts.iter().find_map(|part| name.strip_prefix(part))?;
    let number = release.strip_suffix("-cloud-amd64")?;
    let is_one = number.starts_with(|first: char| first.is_ascii_digit());
    (is_one && number.matches('.').count() >= 2).then_some(release)
}

/// What releases are ordered by.
fn numbers(release: &str) -> Vec<u32> {
    let digits = release.split(|one: char| !one.is_ascii_digit());
    digits.filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_release_is_found_by_its_numbers() {
        let names = [
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-56-cloud-amd64",
            "linux-image-6.1.0-0.deb11.50-cloud-amd64",
            "linux-image-6.1-cloud-amd64",
            "linux-image-cloud-amd64",
            "linux-image-6.1.0-57-cloud-amd64-dbg",
            "linux-image-6.1.0-57-amd64",
        ];
        let releases = names.iter().filter_map(|name| release(name));
        let last = releases.max_by_key(|release| numbers(release));
        assert_eq!(last, Some("6.1.0-56-cloud-amd64"));
        assert_eq!(
            release("linux-binary-7.3.4+deb13-cloud-amd64"),
            Some("7.3.4+deb13-cloud-amd64")
        );
    }

    #[test]
    fn mirrors_are_those_of_a_suite_and_its_security() {
        let text = "nodistro http://other/\nbookworm-security http://mirror/security/\n\
                    bookworm-updates http://mirror/debian/\nbookworm http://mirror/debian/\n";
        let found = find_mirrors(text).unwrap();
        assert_eq!(found.0, "http://mirror/debian/");
        assert_eq!(found.1, "http://mirror/security/");
        assert_eq!(find_mirrors("bookworm http://mirror/debian/\n"), None);
    }
}
