//! The diagnosis as text for people: a line a source, what it misses below it, then the host.

use std::fmt;

use netprocmon_model::SourceKind;

use super::{Diagnosis, Verdict};

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for verdict in &self.sources {
            write!(f, "{verdict}")?;
        }
        writeln!(f)?;
        let mark = |yes| if yes { '✓' } else { '✗' };
        writeln!(f, "  kernel       {}", self.kernel)?;
        writeln!(
            f,
            "{} BTF          {}",
            mark(self.btf),
            if self.btf { "there" } else { "missing" }
        )?;
        match &self.cgroup2 {
            Some(path) if self.cgroup2_is_root => writeln!(f, "✓ cgroup v2    {}", path.display()),
            Some(path) => writeln!(f, "✗ cgroup v2    {}, not the host's root", path.display()),
            None => writeln!(
                f,
                "✗ cgroup v2    not mounted; with cap_sys_admin it is, privately"
            ),
        }?;
        let lockdown = match self.lockdown {
            None => "none, or not told",
            Some(super::Lockdown::None) => "none",
            Some(super::Lockdown::Integrity) => "integrity (no hindrance)",
            Some(super::Lockdown::Confidentiality) => "confidentiality (no hindrance)",
        };
        writeln!(f, "  lockdown     {lockdown}")?;
        for (name, held) in &self.capabilities {
            writeln!(f, "{} {name}", mark(*held))?;
        }
        for line in self.confinement() {
            writeln!(f, "! {line}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sees = match self.source {
            SourceKind::Ebpf => "every byte of every process, counted in the kernel",
            SourceKind::Packet => "wire bytes of this network namespace, owners looked up",
            SourceKind::Sockdiag => "payload of TCP of one's own processes",
        };
        let mark = if self.works { '✓' } else { '✗' };
        writeln!(f, "{mark} {:<9} {sees}", self.source.name())?;
        if let Some(why) = &self.why {
            writeln!(f, "    {why}")?;
        }
        if let Some(remedy) = &self.remedy {
            writeln!(f, "    → {remedy}")?;
        }
        for one in &self.degradations {
            writeln!(f, "    {}", one.message)?;
        }
        Ok(())
    }
}
