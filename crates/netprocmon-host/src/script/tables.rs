//! The options of each interpreter that matter for finding its script; each from its manual page
//! or `--help`. Options that take nothing and stand alone need no line.

/// What follows an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing; said only of commands (`deno run`), which are skipped.
    Nothing,
    /// A value, in the same word or the next.
    Value,
    /// A value, in the next word even if letters follow: `-eo pipefail`.
    Next,
    /// A value, only ever in the same word.
    Rest,
    /// The script's name; or a module, an archive.
    Script,
    /// Code, or something else that makes that there is no script.
    Code,
}

use Takes::{Code, Next, Nothing, Rest, Script, Value};

/// An interpreter's way with arguments.
pub(super) struct Interpreter {
    /// File names, without the version.
    pub(super) names: &'static [&'static str],
    pub(super) options: &'static [(&'static str, Takes)],
    /// First words that are not the script.
    pub(super) commands: &'static [(&'static str, Takes)],
    /// Whether options may begin with `+`.
    pub(super) plus: bool,
    /// How scripts must end, in whatever case; empty for any way.
    pub(super) endings: &'static [&'static str],
}

const ORDINARY: Interpreter = Interpreter {
    names: &[],
    options: &[],
    commands: &[],
    plus: false,
    endings: &[],
};

pub(super) const INTERPRETERS: [Interpreter; 13] = [
    Interpreter {
        names: &["python", "pypy"],
        options: &[
            ("-c", Code),
            ("-m", Script),
            ("-W", Value),
            ("-X", Value),
            ("-Q", Value), // Python 2
            ("--check-hash-based-pycs", Value),
        ],
        ..ORDINARY
    },
    Interpreter {
        names: &["node", "nodejs"],
        options: &[
            ("-e", Code),
            ("-p", Code),
            ("-pe", Code),
            ("-i", Code),
            ("--eval", Code),
            ("--print", Code),
            ("--interactive", Code),
            ("-r", Value),
            ("-C", Value),
            ("--require", Value),
            ("--import", Value),
            ("--loader", Value),
            ("--experimental-loader", Value),
            ("--conditions", Value),
            ("--input-type", Value),
            ("--env-file", Value),
            ("--env-file-if-exists", Value),
            ("--title", Value),
            ("--icu-data-dir", Value),
            ("--openssl-config", Value),
            ("--redirect-warnings", Value),
            ("--disable-warning", Value),
            ("--diagnostic-dir", Value),
            ("--report-dir", Value),
            ("--cpu-prof-dir", Value),
            ("--heap-prof-dir", Value),
            ("--trace-event-categories", Value),
            ("--unhandled-rejections", Value),
            ("--dns-result-order", Value),
            ("--watch-path", Value),
            ("--max-http-header-size", Value),
            ("--stack-trace-limit", Value),
        ],
        commands: &[("inspect", Nothing)],
        ..ORDINARY
    },
    Interpreter {
        names: &["deno"],
        options: &[
            ("-c", Value),
            ("-L", Value),
            ("--config", Value),
            ("--import-map", Value),
            ("--log-level", Value),
            ("--location", Value),
            ("--cert", Value),
            ("--seed", Value),
            ("--ext", Value),
            ("--host", Value),
            ("--port", Value),
            ("--preload", Value),
        ],
        commands: &[
            ("run", Nothing),
            ("serve", Nothing),
            ("task", Nothing),
            ("test", Nothing),
            ("bench", Nothing),
            ("eval", Code),
            ("repl", Code),
            ("install", Code),
            ("add", Code),
            ("remove", Code),
            ("cache", Code),
            ("check", Code),
            ("compile", Code),
            ("fmt", Code),
            ("lint", Code),
            ("info", Code),
            ("jupyter", Code),
            ("lsp", Code),
            ("publish", Code),
            ("upgrade", Code),
        ],
        ..ORDINARY
    },
    Interpreter {
        names: &["bun"],
        options: &[
            ("-e", Code),
            ("-p", Code),
            ("--eval", Code),
            ("--print", Code),
            ("-r", Value),
            ("-c", Value),
            ("-d", Value),
            ("-l", Value),
            ("--preload", Value),
            ("--require", Value),
            ("--import", Value),
            ("--config", Value),
            ("--cwd", Value),
            ("--define", Value),
            ("--env-file", Value),
            ("--loader", Value),
            ("--port", Value),
            ("--conditions", Value),
            ("--tsconfig-override", Value),
            ("--filter", Value),
        ],
        commands: &[
            ("run", Nothing),
            ("test", Nothing),
            ("x", Nothing),
            ("install", Code),
            ("i", Code),
            ("add", Code),
            ("remove", Code),
            ("update", Code),
            ("upgrade", Code),
            ("create", Code),
            ("init", Code),
            ("build", Code),
            ("link", Code),
            ("pm", Code),
            ("publish", Code),
            ("repl", Code),
            ("exec", Code),
        ],
        ..ORDINARY
    },
    Interpreter {
        names: &["ruby", "jruby", "truffleruby"],
        options: &[
            ("-e", Code),
            ("-I", Value),
            ("-r", Value),
            ("-C", Value),
            ("-E", Value),
            ("-X", Value),
            ("--encoding", Value),
            ("--external-encoding", Value),
            ("--internal-encoding", Value),
            ("-0", Rest),
            ("-F", Rest),
            ("-K", Rest),
            ("-T", Rest),
            ("-W", Rest),
            ("-i", Rest),
            ("-x", Rest),
        ],
        ..ORDINARY
    },
    Interpreter {
        names: &["perl"],
        options: &[
            ("-e", Code),
            ("-E", Code),
            ("-I", Value),
            ("-0", Rest),
            ("-C", Rest),
            ("-D", Rest),
            ("-F", Rest),
            ("-M", Rest),
            ("-V", Rest),
            ("-d", Rest),
            ("-i", Rest),
            ("-m", Rest),
            ("-x", Rest),
        ],
        ..ORDINARY
    },
    Interpreter {
        names: &["php", "php-cgi"],
        options: &[
            ("-r", Code),
            ("-B", Code),
            ("-R", Code),
            ("-E", Code),
            ("-a", Code),
            ("--run", Code),
            ("--interactive", Code),
            ("-f", Script),
            ("-F", Script),
            ("--file", Script),
            ("--process-file", Script),
            ("-c", Value),
            ("-d", Value),
            ("-z", Value),
            ("-t", Value),
            ("-S", Value),
            ("--php-ini", Value),
            ("--define", Value),
            ("--zend-extension", Value),
            ("--docroot", Value),
            ("--server", Value),
        ],
        ..ORDINARY
    },
    Interpreter {
        names: &["java"],
        options: &[
            ("-jar", Script),
            ("-m", Script),
            ("--module", Script),
            ("-cp", Value),
            ("-classpath", Value),
            ("--class-path", Value),
            ("-p", Value),
            ("--module-path", Value),
            ("--upgrade-module-path", Value),
            ("--add-modules", Value),
            ("--limit-modules", Value),
            ("--add-reads", Value),
            ("--add-exports", Value),
            ("--add-opens", Value),
            ("--patch-module", Value),
            ("--enable-native-access", Value),
            ("--describe-module", Code),
            ("--source", Value),
            // Single dashes with long names: no cluster of letters.
            ("-D", Rest),
            ("-X", Rest),
            ("-a", Rest),
            ("-v", Rest),
            ("-s", Rest),
            ("-e", Rest),
            ("-minimal", Rest),
        ],
        ..ORDINARY
    },
    Interpreter {
        names: &["sh", "bash", "dash", "zsh", "ash", "ksh", "mksh"],
        options: &[
            ("-c", Code),
            ("-s", Code),
            ("-o", Next),
            ("+o", Next),
            ("-O", Next),
            ("+O", Next),
            ("--rcfile", Value),
            ("--init-file", Value),
        ],
        plus: true,
        ..ORDINARY
    },
    Interpreter {
        names: &["lua", "luajit"],
        options: &[
            ("-e", Value),
            ("-l", Value),
            ("-j", Value),
            ("-O", Rest),
            ("-b", Code),
        ],
        ..ORDINARY
    },
    Interpreter {
        names: &["Rscript"],
        options: &[("-e", Code)],
        ..ORDINARY
    },
    Interpreter {
        // What Rscript becomes: `R --no-echo --no-restore --file=x.R --args …`.
        names: &["R"],
        options: &[
            ("-f", Script),
            ("--file", Script),
            ("-e", Code),
            ("-g", Value),
            ("-d", Value),
            ("--gui", Value),
            ("--debugger", Value),
            ("--args", Code),
        ],
        commands: &[("CMD", Code)],
        ..ORDINARY
    },
    Interpreter {
        names: &["dotnet"],
        options: &[
            ("--runtimeconfig", Value),
            ("--depsfile", Value),
            ("--additionalprobingpath", Value),
            ("--additional-deps", Value),
            ("--fx-version", Value),
            ("--roll-forward", Value),
        ],
        commands: &[("exec", Nothing)],
        endings: &[".dll", ".exe"],
        ..ORDINARY
    },
];
