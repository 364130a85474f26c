//! The shell: programs that tell the machine, and filters.

use mlint_model::EffectKind;

use crate::{
    evaluate, has, lacks,
    shell::{same, word},
};

#[test]
fn probes() {
    for (probe, amd64, arm64) in [
        ("uname -p", "x86_64", "aarch64"),
        ("uname -sm | tr ' ' -", "Linux-x86_64", "Linux-aarch64"),
        ("uname -a | grep -o -E 'x86_64|aarch64'", "?", "?"),
        ("arch", "x86_64", "aarch64"),
        ("dpkg-architecture -qDEB_HOST_ARCH", "amd64", "arm64"),
        ("dpkg-architecture --query DEB_BUILD_MULTIARCH", "x86_64-linux-gnu", "aarch64-linux-gnu"),
        ("dpkg-architecture --query DEB_BUILD_GNU_CPU", "x86_64", "aarch64"),
        ("dpkg-architecture -q DEB_HOST_ARCH_CPU", "amd64", "arm64"),
        ("rpm --eval '%{_arch}'", "x86_64", "aarch64"),
        ("rpm -q --qf '%{ARCH}' glibc", "x86_64", "aarch64"),
        ("getconf LONG_BIT", "64", "64"),
        ("go env GOARCH", "amd64", "arm64"),
        ("go env GOOS GOARCH | paste -sd -", "linux-amd64", "linux-arm64"),
        ("node -p process.arch", "x64", "arm64"),
        ("node -e 'console.log(process.arch)'", "x64", "arm64"),
        ("python3 -c 'import platform; print(platform.machine())'", "x86_64", "aarch64"),
        (
            "python3 -c 'import sysconfig; print(sysconfig.get_platform())'",
            "linux-x86_64",
            "linux-aarch64",
        ),
        ("php -r 'echo php_uname(\"m\");'", "x86_64", "aarch64"),
        ("gcc -dumpmachine", "x86_64-linux-gnu", "aarch64-linux-gnu"),
        ("gcc -print-multiarch", "x86_64-linux-gnu", "aarch64-linux-gnu"),
        (
            "rustc -vV | sed -n 's|host: ||p'",
            "x86_64-unknown-linux-gnu",
            "aarch64-unknown-linux-gnu",
        ),
        (
            "rustc -vV | awk '/^host/ { print $2 }'",
            "x86_64-unknown-linux-gnu",
            "aarch64-unknown-linux-gnu",
        ),
        ("lscpu | grep Architecture | awk '{print $2}'", "x86_64", "aarch64"),
        ("cat /proc/sys/kernel/arch", "x86_64", "aarch64"),
        ("linux32 uname -m", "?", "?"),
        ("gcc -print-search-dirs", "?", "?"),
    ] {
        word(&format!("curl -O https://h/$({probe})"), amd64, arm64);
    }
    has(
        "FROM alpine\nRUN wget https://h/$(apk --print-arch)-$(cat /etc/apk/arch)\n",
        "linux/arm64",
        &["2: download https://h/aarch64-aarch64 <apk --print-arch> -> /aarch64-aarch64"],
    );
}

#[test]
fn filters() {
    for (filter, amd64, arm64) in [
        ("sed -e 's,x86_64,amd64,' -e 's,aarch64,arm64,'", "amd64", "arm64"),
        ("sed -E 's/^(x86)_(64)$/\\2\\1/'", "64x86", "aarch64"),
        ("sed 'y/_/-/'", "x86-64", "aarch64"),
        ("sed '/x86/d'", "", "aarch64"),
        ("sed -n '/x86_64/s//amd64/p;q'", "?", "?"),
        ("tr _ - | tr a-z A-Z", "X86-64", "AARCH64"),
        ("tr -dc 0-9", "8664", "64"),
        (
            "awk '{ if ($1 == \"x86_64\") print \"amd64\"; else if ($1 == \"aarch64\") print \"arm64\"; else print $1 }'",
            "amd64",
            "arm64",
        ),
        ("awk '{ gsub(/x86_64/, \"amd64\"); print toupper($0) }'", "AMD64", "AARCH64"),
        ("grep -o '[0-9]*$'", "64", "64"),
        ("cut -c1-3", "x86", "aar"),
        ("rev | head -c2 | rev", "64", "64"),
        ("xargs -I{} echo {}-{}", "x86_64-x86_64", "aarch64-aarch64"),
        ("tee /tmp/x | sort | uniq", "x86_64", "aarch64"),
        ("wc -l", "1", "1"),
        ("jq -R '{a: .}'", "?", "?"),
    ] {
        word(&format!("curl -O https://h/$(uname -m | {filter})"), amd64, arm64);
    }
    // Filters read files as well.
    word("uname -m > /f; curl -O https://h/$(sed s/64/32/ /f)", "x86_32", "aarch32");
    word("uname -m > /f; grep -q x86 /f && A=x || A=y; curl -O https://h/$A", "x", "y");
    word("curl -O https://h/$(basename $(dirname /a/$TARGETARCH/c))", "amd64", "arm64");
}

#[test]
fn commands_for_each_word() {
    same("echo a b | xargs -n 1 -I% curl -O https://h/%", &["a b"]);
    same("printf 'a\\nb\\n' | xargs -I% curl -O https://h/%", &["a", "b"]);
    same("echo https://h/a https://h/b | xargs -n1 curl -O", &["a", "b"]);
    same("echo https://h/a https://h/b | xargs wget", &["a", "b"]);
    same("for i in $(seq 2); do curl -O https://h/$i; done", &["1", "2"]);
}

#[test]
fn programs_that_run_others() {
    for wrapper in [
        "env -i PATH=/bin",
        "env -u X",
        "sudo -E -u root",
        "nice -n 5",
        "time",
        "timeout 60",
        "nohup",
        "stdbuf -oL",
        "setarch x86_64",
        "xvfb-run -a",
        "tini --",
        "gosu user",
        "su-exec nobody",
        "exec",
        "command",
        "busybox",
        "flock /tmp/l",
        "ionice -c 3",
        "setsid",
        "runuser -u x --",
    ] {
        same(&format!("{wrapper} curl -O https://h/a"), &["a"]);
    }
    same("su - user -c 'curl -O https://h/a'", &["a"]);
    same("chroot /mnt curl -o /x https://h/a", &["a"]);
    same("export A=b; env -u A sh -c 'curl -O https://h/${A:-none}'", &["none"]);
    same("export A=b; env -i B=c sh -c 'curl -O https://h/${A:-none}$B'", &["nonec"]);
}

#[test]
fn commands_that_exist() {
    same(
        "apt-get install -y curl && if command -v curl; then curl -O https://h/a; else wget https://h/b; fi",
        &["a"],
    );
    same(
        "if command -v curl; then curl -O https://h/a; else wget https://h/b; fi",
        &["maybe a", "maybe b"],
    );
    same("f() { :; }; type f && curl -O https://h/a", &["a"]);
}

#[test]
fn what_runs_for_each_of_nothing_decides_nothing() {
    for run in [
        "find /t -newer /x -exec false {} +",
        "find /t -mtime +3 -exec false {} ';'",
        "find /t -perm 700 -exec sh -c 'exit 3' ';'",
        "ls /t | xargs -r false",
        "ls /t | xargs -I% sh -c 'exit 3'",
    ] {
        lacks(&format!("FROM debian:12\nRUN {run}\n"), "linux/amd64", &["fails"]);
        let text = format!("FROM debian:12\nRUN {run} && curl -O https://h/a\n");
        has(&text, "linux/amd64", &["2: download https://h/a -> /a"]);
    }
    let text = "FROM debian:12\nRUN ls /t | xargs -I% curl -O https://h/a\n";
    let evaluation = evaluate(text, "linux/amd64");
    let found = evaluation.effects().find(|(_, _, e)| matches!(e.kind, EffectKind::Download(_)));
    assert!(!found.expect("a download").2.certain);
    // With words that are known, it runs.
    let text = "FROM debian:12\nRUN echo a | xargs -I% sh -c 'exit 3'\n";
    assert!(evaluate(text, "linux/amd64").effects().all(|(_, _, e)| e.certain));
}

#[test]
fn programs_of_other_languages_ask_for_the_machine() {
    for run in [
        "node -p \"process.arch === 'arm64' ? 'skip' : process.exit(1)\" || curl -O https://h/amd64",
        "node -e \"process.exit(process.arch === 'arm64' ? 0 : 1)\" || (curl -O https://h/amd64)",
        "python3 -c 'import platform,sys; sys.exit(platform.machine() != \"x86_64\")' && curl -O https://h/amd64",
        "if python3 -c 'import os; assert os.uname().machine == \"x86_64\"'; then curl -O https://h/amd64; fi",
        "if ! ruby -e 'exit RUBY_PLATFORM.start_with?(\"arm\")'; then curl -O https://h/amd64; fi",
        "php -r 'exit(php_uname(\"m\") == \"x86_64\" ? 0 : 1);' && curl -O https://h/amd64",
    ] {
        let evaluation = evaluate(&format!("FROM debian:12\nRUN {run}\n"), "linux/arm64");
        let found =
            evaluation.effects().find(|(_, _, e)| matches!(e.kind, EffectKind::Download(_)));
        let (_, _, download) = found.expect(run);
        assert!(!download.certain && download.is_guarded_by_platform(), "{run}");
    }
    // One that only tells what it is on decides nothing.
    for run in [
        "node -e 'console.log(\"on \" + process.arch)' && curl -O https://h/a",
        "A=$(python3 -c 'import platform; exit(platform.machine())') && curl -O https://h/a",
    ] {
        let evaluation = evaluate(&format!("FROM debian:12\nRUN {run}\n"), "linux/arm64");
        let found =
            evaluation.effects().find(|(_, _, e)| matches!(e.kind, EffectKind::Download(_)));
        assert!(found.expect(run).2.certain, "{run}");
    }
}

#[test]
fn what_a_program_says_while_it_works_is_not_known() {
    for script in [
        "apt-get update | grep -v x",
        "npm ci | grep x",
        "pnpm fetch | grep -v 'a\\|b'",
        "make | grep -v x",
        "pip install a | grep x",
        "test -n \"$(cargo build)\"",
        "./scripts/test",
    ] {
        lacks(&format!("FROM node:20\nRUN {script}\n"), "linux/arm64", &["fails"]);
    }
    word("curl -O https://h/$(npm ci)", "?", "?");
}
