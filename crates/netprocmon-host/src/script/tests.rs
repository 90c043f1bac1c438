//! Command lines as people write them, and noise.

use proptest::prelude::*;

use super::*;

fn script(exe: &str, line: &str) -> Option<String> {
    let command: Vec<Arc<str>> = line.split(' ').map(Into::into).collect();
    name((!exe.is_empty()).then_some(exe), &command).map(|name| name.to_string())
}

#[test]
fn scripts_among_options() {
    let table = [
        (
            "/usr/bin/python3.12",
            "python3 train.py --epochs 3",
            "train.py",
        ),
        (
            "/usr/bin/python3.12",
            "python -u -W ignore -Xdev /srv/a/b.py",
            "b.py",
        ),
        (
            "/usr/bin/python3.11",
            "python3 -m http.server 8000",
            "http.server",
        ),
        ("/usr/bin/python3", "python3 -Esum pip install x", "pip"),
        ("/usr/bin/python3", "python3 -mvenv x", "venv"),
        ("/opt/pypy/bin/pypy3.10", "pypy3 x.py", "x.py"),
        (
            "/usr/bin/node",
            "node --require ./a.js --max-old-space-size=400 server.js",
            "server.js",
        ),
        (
            "/usr/bin/node18",
            "node --import=tsx inspect app.mjs",
            "app.mjs",
        ),
        ("/usr/bin/nodejs", "nodejs --title t -- -x.js", "-x.js"),
        (
            "/usr/bin/deno",
            "deno run --allow-net=a --config d.json main.ts",
            "main.ts",
        ),
        ("/usr/bin/deno", "deno task dev", "dev"),
        ("/usr/bin/bun", "bun run --cwd x index.ts", "index.ts"),
        ("/usr/bin/bun", "bun --watch index.ts", "index.ts"),
        (
            "/usr/bin/ruby3.1",
            "ruby -W0 -rjson -I lib bin/rails server",
            "rails",
        ),
        ("/usr/bin/perl", "perl -w -I lib -MFoo=bar /x/y.pl", "y.pl"),
        ("/usr/bin/perl5.36.0", "perl5.36.0 -T exim.pl", "exim.pl"),
        (
            "/usr/bin/php8.2",
            "php -d memory_limit=1G artisan queue:work",
            "artisan",
        ),
        (
            "/usr/bin/php8.2",
            "php -S 0:80 -t public router.php",
            "router.php",
        ),
        ("/usr/bin/php", "php -f x.php", "x.php"),
        (
            "/usr/lib/jvm/bin/java",
            "java -Xmx1g -Dx=-jar -jar /opt/app-1.jar --port 1",
            "app-1.jar",
        ),
        (
            "/usr/lib/jvm/bin/java",
            "java -cp a:b --add-opens x=y org.apache.Main",
            "org.apache.Main",
        ),
        (
            "/usr/lib/jvm/bin/java",
            "java -ea -da -server -client -verbose:gc -p mods -m app/com.Main",
            "com.Main",
        ),
        ("/usr/lib/jvm/bin/java", "java --module=app", "app"),
        ("/usr/bin/dash", "sh /opt/deploy.sh now", "deploy.sh"),
        ("/usr/bin/dash", "/bin/sh deploy.sh", "deploy.sh"),
        ("/usr/bin/bash", "bash -euo pipefail build.sh", "build.sh"),
        ("/usr/bin/bash", "bash +x --rcfile r --norc x.sh", "x.sh"),
        ("/bin/busybox", "sh x.sh", "x.sh"),
        ("/usr/bin/zsh", "-zsh x", "x"),
        ("/usr/bin/lua5.4", "lua -e x=1 -l m game.lua", "game.lua"),
        ("/usr/bin/luajit-2.1.0", "luajit -O3 game.lua", "game.lua"),
        ("/usr/bin/Rscript", "Rscript --vanilla fit.R", "fit.R"),
        (
            "/usr/lib/R/bin/exec/R",
            "/usr/lib/R/bin/exec/R --no-echo --file=fit.R --args 1",
            "fit.R",
        ),
        (
            "/usr/bin/dotnet",
            "dotnet exec --depsfile d App.DLL",
            "App.DLL",
        ),
        ("", "/usr/bin/python3 x.py", "x.py"),
        ("", "python3.13t x.py", "x.py"),
    ];
    for (exe, line, expected) in table {
        let found = script(exe, line);
        assert_eq!(found.as_deref().unwrap_or_default(), expected, "{line}");
    }
}

#[test]
fn what_has_no_script() {
    for (exe, line) in [
        ("/usr/bin/python3", "python3"),
        ("/usr/bin/python3", "python3 -"),
        ("/usr/bin/python3", "python3 -Ec print(1) x.py"),
        ("/usr/bin/python3", "python3 -m"),
        ("/usr/bin/node", "node -e 1 x.js"),
        ("/usr/bin/node", "node --eval=1 x.js"),
        ("/usr/bin/deno", "deno eval 1"),
        ("/usr/bin/bun", "bun install x"),
        ("/usr/bin/perl", "perl -lane print x"),
        ("/usr/bin/php", "php -r x"),
        ("/usr/bin/bash", "bash -lc ls"),
        ("/usr/bin/bash", "bash -s x"),
        ("/usr/bin/bash", "-bash"),
        ("/usr/bin/dotnet", "dotnet build x"),
        ("/usr/bin/java", "java -version"),
        ("/usr/bin/curl", "curl x.py"),
        ("/usr/bin/python3-config", "python3-config x"),
        (
            "/usr/sbin/php-fpm8.2",
            "php-fpm: master process (/etc/php.ini)",
        ),
        ("/usr/bin/python3", "python3 /"),
    ] {
        assert_eq!(script(exe, line), None, "{line}");
    }
    assert_eq!(name(Some("/usr/bin/python3"), &[]), None);
}

proptest! {
    #[test]
    fn no_arguments_do_harm(
        exe in prop::sample::select(vec!["python3", "node", "java", "bash", "perl", "dotnet", "deno", "php", "R"]),
        words in prop::collection::vec("[-+=/cemo.é ]{0,6}|--?[a-z]{1,8}(=.{0,3})?|\\PC{0,9}", 0..8),
    ) {
        let command: Vec<Arc<str>> = words.iter().map(|word| word.as_str().into()).collect();
        if let Some(found) = name(Some(exe), &command) {
            prop_assert!(!found.is_empty() && !found.contains('/'));
            prop_assert!(words[1..].iter().any(|word| word.contains(&*found)));
        }
    }
}
