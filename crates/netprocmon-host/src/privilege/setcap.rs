//! The command that gives this program capabilities for good (setcap(8)).

/// With these capabilities, as setcap(8) takes them: `cap_net_raw,cap_sys_ptrace`.
///
/// It names this program's real path where that is `netprocmon`, for the shell that it is typed into
/// may find another. A program that has the library in it is not told to be given capabilities. Nor
/// is a Python that all of the host's scripts use: an environment of one's own may have them.
#[must_use]
pub fn setcap(capabilities: &str) -> String {
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(|path| path.file_name());
    let name = name.unwrap_or_default().to_string_lossy();
    let target = match program {
        Some(path) if name == "netprocmon" => {
            format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
        }
        _ if name.starts_with("python") => "venv/bin/python (a virtual environment of your own, \
                                            made by python3 -m venv --copies venv)"
            .to_owned(),
        _ => "\"$(command -v netprocmon)\"".to_owned(),
    };
    format!("sudo setcap {capabilities}+ep {target}")
}
