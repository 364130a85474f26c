//! Downloads and archives: which file lands where, for which machine, and what comes out of it.

use crate::{evaluate, has, lacks};

/// The files of an image for linux/arm64 after a `RUN` on Debian.
#[track_caller]
fn leaves(body: &str, want: &[&str]) {
    on("linux/arm64", body, want);
}

#[track_caller]
fn on(platform: &str, body: &str, want: &[&str]) {
    let text = format!("FROM debian:12\nARG TARGETARCH\nWORKDIR /s\nRUN {body}\n");
    let dumped = mlint_model::dump::dump(&evaluate(&text, platform), &text);
    let got: Vec<&str> = dumped
        .lines()
        .filter_map(|l| l.trim().strip_prefix("file "))
        .filter_map(|l| l.split_once(", lines ").map(|(file, _)| file))
        .collect();
    assert_eq!(got, want, "{body}\n{dumped}");
}

#[test]
fn curl_pairs_outputs_with_addresses() {
    leaves(
        "curl -fsSLo a https://h/x-amd64 -O https://h/y-arm64",
        &["/s/a: linux/amd64 ? downloaded", "/s/y-arm64: linux/arm64 ? downloaded"],
    );
    leaves(
        "curl --remote-name-all https://h/x-amd64 https://h/y-arm64",
        &["/s/x-amd64: linux/amd64 ? downloaded", "/s/y-arm64: linux/arm64 ? downloaded"],
    );
    leaves(
        "curl -L --output-dir /opt --create-dirs -o x --url https://h/x-amd64 --retry 3 -w '%{http_code}'",
        &["/opt/x: linux/amd64 ? downloaded"],
    );
    // Only the first of two addresses has an output.
    leaves("curl -o a https://h/x-amd64 https://h/y", &["/s/a: linux/amd64 ? downloaded"]);
    leaves(
        "curl -I https://h/x-amd64; curl -F f=@x https://h/amd64; curl -o /dev/null https://h/amd64",
        &[],
    );
}

#[test]
fn curl_patterns_stand_for_many_addresses() {
    leaves(
        "curl -O 'https://h/{kubectl,kubeadm}-amd64'",
        &[
            "/s/kubeadm-amd64: linux/amd64 ? downloaded",
            "/s/kubectl-amd64: linux/amd64 ? downloaded",
        ],
    );
    leaves(
        "curl -o 'f#1.txt' 'https://h/p[1-2].txt'",
        &["/s/f1.txt: any ? downloaded", "/s/f2.txt: any ? downloaded"],
    );
    leaves("curl -g -o a 'https://h/{x}-amd64'", &["/s/a: linux/amd64 ? downloaded"]);
    leaves("curl -O 'https://h/x[1-9999].txt'", &[]);
}

#[test]
fn lists_and_configurations_that_the_dockerfile_wrote() {
    has(
        "FROM debian\nRUN echo 'https://h/x-amd64' > l && wget -P /opt -i l\n",
        "linux/arm64",
        &["2: download https://h/x-amd64 -> /opt/x-amd64"],
    );
    has(
        "FROM debian\nRUN printf 'url = \"https://h/x-amd64\"\\noutput = \"/x\"\\n' > c && curl -K c\n",
        "linux/arm64",
        &["2: download https://h/x-amd64 -> /x"],
    );
    lacks("FROM debian\nCOPY l .\nRUN wget -i l\n", "linux/arm64", &["download"]);
}

#[test]
fn wget_and_others() {
    for (body, want) in [
        ("wget -nv -P /opt https://h/x-amd64", "/opt/x-amd64: linux/amd64 ? downloaded"),
        (
            "wget -qO/usr/local/bin/x https://h/x-$TARGETARCH",
            "/usr/local/bin/x: linux/arm64 ? downloaded",
        ),
        (
            "wget --no-check-certificate --output-document=x https://h/x-amd64?raw=1",
            "/s/x: linux/amd64 ? downloaded",
        ),
        ("aria2c -x16 -s16 -d /opt -o x https://h/x-amd64", "/opt/x: linux/amd64 ? downloaded"),
        ("axel -n 4 -o x https://h/x-amd64", "/s/x: linux/amd64 ? downloaded"),
        ("http --download https://h/x-amd64 -o x", "/s/x: linux/amd64 ? downloaded"),
        ("lwp-download https://h/x-amd64 x", "/s/x: linux/amd64 ? downloaded"),
        ("gh release download v1 -R o/r -p x_linux_amd64 -O x", "/s/x: linux/amd64 ? downloaded"),
        ("git clone --depth 1 -b v1 https://h/amd64-tool.git t", "/s/t/*: ? ? downloaded"),
        ("git -C /opt clone https://h/t.git", "/opt/t/*: ? ? downloaded"),
        ("svn export https://h/r/t", "/s/t/*: ? ? downloaded"),
        (
            "python3 -c \"import urllib.request as u; u.urlretrieve('https://h/x-amd64', '/x')\"",
            "/x: linux/amd64 ? downloaded",
        ),
        (
            "pwsh -Command \"Invoke-WebRequest -Uri https://h/x-amd64 -OutFile /x; exit\"",
            "/x: linux/amd64 ? downloaded",
        ),
    ] {
        leaves(body, &[want]);
    }
    leaves("http https://h/x-amd64; wget --spider https://h/y-amd64; git status", &[]);
}

#[test]
fn words_of_the_target_are_of_the_target() {
    let body = "curl -o /x https://h/x-$(dpkg --print-architecture)";
    on("linux/amd64", body, &["/x: linux/amd64 ? downloaded"]);
    on("linux/arm64", body, &["/x: linux/arm64 ? downloaded"]);
    on("linux/arm/v7", body, &["/x: linux/arm/v7 ? downloaded"]);
    leaves(
        "curl -o /x https://h/x-$(cat arch); curl -o /y https://h/y.tar.gz",
        &["/x: ? ? downloaded", "/y: ? ? downloaded"],
    );
}

#[test]
fn what_is_unpacked_is_of_the_archive() {
    const GET: &str = "curl -fsSLO https://h/x-amd64.tgz && ";
    const ARCHIVE: &str = "/s/x-amd64.tgz: linux/amd64 ? downloaded";
    for (body, want) in [
        ("tar xzf x-amd64.tgz -C /opt/x", "/opt/x/*: linux/amd64 ? downloaded"),
        ("tar xzfC x-amd64.tgz /opt/x", "/opt/x/*: linux/amd64 ? downloaded"),
        (
            "tar -xzf x-amd64.tgz -C /usr/bin --strip-components=1 d/x",
            "/usr/bin/x: linux/amd64 ? downloaded",
        ),
        (
            "tar -xzf x-amd64.tgz -C /usr/bin --strip 2 --wildcards '*/bin/x'",
            "/usr/bin/x: linux/amd64 ? downloaded",
        ),
        ("tar -xOf x-amd64.tgz d/x > /x", "/x: linux/amd64 ? downloaded"),
        ("7z x -y -aoa x-amd64.tgz -o/opt/x", "/opt/x/*: linux/amd64 ? downloaded"),
        ("bsdtar -xf x-amd64.tgz -C /opt/x", "/opt/x/*: linux/amd64 ? downloaded"),
        ("unzip -qj x-amd64.tgz d/x -d /opt", "/opt/x: linux/amd64 ? downloaded"),
        ("unzip -q x-amd64.tgz -x d/y -d /opt/x", "/opt/x/*: linux/amd64 ? downloaded"),
        ("busybox unzip x-amd64.tgz -d /opt/x", "/opt/x/*: linux/amd64 ? downloaded"),
        ("python3 -m zipfile -e x-amd64.tgz /opt/x", "/opt/x/*: linux/amd64 ? downloaded"),
        ("dpkg -x x-amd64.tgz /opt/x", "/opt/x/*: linux/amd64 ? downloaded"),
        (
            "dpkg-deb --fsys-tarfile x-amd64.tgz | tar x -C /opt/x",
            "/opt/x/*: linux/amd64 ? downloaded",
        ),
        (
            "mkdir /opt/x && cd /opt/x && rpm2cpio /s/x-amd64.tgz | cpio -idm",
            "/opt/x/*: linux/amd64 ? downloaded",
        ),
        ("cd /opt/x && jar xf /s/x-amd64.tgz", "/opt/x/*: linux/amd64 ? downloaded"),
    ] {
        leaves(&format!("{GET}{body}"), &{
            let mut all = vec![want, ARCHIVE];
            all.sort_unstable();
            all
        });
    }
    leaves(&format!("{GET}tar tzf x-amd64.tgz && file x-amd64.tgz && rm x-amd64.tgz"), &[]);
    leaves(
        "curl -L https://h/x-amd64.gz | gunzip > /x && chmod +x /x",
        &["/x: linux/amd64 ? downloaded"],
    );
    leaves(
        "curl -LO https://h/x-amd64.xz && xz -d x-amd64.xz && mv x-amd64 /usr/bin/x",
        &["/usr/bin/x: linux/amd64 ? downloaded"],
    );
    // Packed again, it is still for the same machine.
    leaves(
        "curl -o /o/x https://h/x-amd64 && tar czf /x.tgz -C /o x && rm -r /o",
        &["/x.tgz: linux/amd64 ? downloaded"],
    );
}

#[test]
fn links_and_moves_of_parts() {
    leaves(
        "curl -L https://h/x-amd64.tgz | tar xz -C /opt/x && mv /opt/x/bin/x /usr/bin/x && rm -rf /opt/x",
        &["/usr/bin/x: linux/amd64 ? downloaded"],
    );
    leaves(
        "curl -o /o/x https://h/x-amd64 && cd /usr/bin && ln -s /o/x",
        &["/o/x: linux/amd64 ? downloaded", "/usr/bin/x: linux/amd64 ? downloaded"],
    );
    leaves(
        "curl -o /o/x https://h/x-amd64 && update-alternatives --install /usr/bin/y y /o/x 1",
        &["/o/x: linux/amd64 ? downloaded", "/usr/bin/y: linux/amd64 ? downloaded"],
    );
    leaves(
        "curl -o /o/x https://h/x-amd64 && mv /o/* /usr/bin/",
        &["/usr/bin/x: linux/amd64 ? downloaded"],
    );
}

#[test]
fn installers_follow_the_machine() {
    for (body, want) in [
        (
            "curl https://sh.rustup.rs -sSf | sh -s -- -y",
            "/root/.cargo/bin/*: linux/arm64 ? installed by Script",
        ),
        (
            "curl -fsSL https://bun.sh/install | bash",
            "/root/.bun/bin/bun: linux/arm64 ? installed by Script",
        ),
        (
            "curl -LsSf https://astral.sh/uv/install.sh | env UV_INSTALL_DIR=/b sh",
            "/b/uv: linux/arm64 ? installed by Script",
        ),
        (
            "curl -sSfL https://h/install.sh | sh -s -- -b /b v1",
            "/b/*: maybe linux/arm64 ? installed by Script",
        ),
        ("nvm install 20", "/root/.nvm/versions/*: linux/arm64 ? installed by Script"),
    ] {
        let text = format!("FROM debian:12\nRUN {body}\n");
        has(&text, "linux/arm64", &[&format!("file {want}, lines 2")]);
        has(&text, "linux/amd64", &[&format!("file {want}, lines 2").replace("arm64", "amd64")]);
    }
    // Those that unpack themselves are of the machine that their name tells.
    has(
        "FROM debian\nRUN wget -O /m.sh https://repo.anaconda.com/miniconda/Miniconda3-latest-Linux-x86_64.sh && bash /m.sh -b -p /opt/conda\n",
        "linux/arm64",
        &["file /opt/conda/*: linux/amd64 glibc downloaded, lines 2 2"],
    );
    has(
        "FROM debian\nRUN curl https://awscli.amazonaws.com/awscli-exe-linux-x86_64.zip -o a.zip && unzip a.zip && ./aws/install\n",
        "linux/arm64",
        &["file /usr/local/bin/aws: maybe linux/amd64 glibc downloaded, lines 2 2 2"],
    );
    leaves("curl -fsSL https://deb.nodesource.com/setup_20.x | bash -", &[]);
}

#[test]
fn a_sum_of_the_file_for_another_machine_does_not_fit() {
    let check = |sum: &str| {
        format!(
            "FROM debian:12\nRUN curl -o /t/x-aarch64.zip https://h/x && \
             echo \"24  {sum}\" | sha256sum -c - && touch /done\n"
        )
    };
    has(
        &check("/t/x-x86_64.zip"),
        "linux/arm64",
        &["2: fails: the last command ends with a status other than 0"],
    );
    lacks(&check("/t/x-aarch64.zip"), "linux/arm64", &["fails"]);
    // It may have come in ways that are not followed.
    lacks(&check("/t/y-x86_64.zip"), "linux/arm64", &["fails"]);
}

#[test]
fn templates_of_easy_add_are_filled() {
    has(
        "FROM debian:12\nARG TARGETARCH\n\
         RUN easy-add --var version=1 --var app=x --file {{.app}} \
         --from https://h/{{.app}}/{{.version}}/{{.app}}_{{.os}}_${TARGETARCH}.tar.gz\n\
         RUN easy-add --to /opt --file y --from https://h/{{.other}}/y_{{.arch}}.tgz\n",
        "linux/arm64",
        &[
            "3: download https://h/x/1/x_linux_arm64.tar.gz <Opaque, TARGETARCH> -> /usr/local/bin/x",
            "4: download https://h/?/y_amd64.tgz <Opaque> -> /opt/y",
            "file /opt/y: linux/amd64 ? downloaded, lines 4",
            "file /usr/local/bin/x: linux/arm64 ? downloaded, lines 3",
        ],
    );
}

#[test]
fn what_programs_in_here_documents_fetch_may_be_fetched() {
    let python = "FROM debian:12\nRUN python3 <<'EOF'\n\
        # it's here\n\
        urlretrieve(\"https://h/x-amd64\", '/usr/bin/x')\n\
        note = 'https://h/not-fetched'\n\
        urlopen(f\"https://h/{x}\")\nEOF\n";
    has(
        python,
        "linux/arm64",
        &[
            "2: maybe download https://h/x-amd64 -> /usr/bin/x",
            "file /usr/bin/x: maybe linux/amd64 ? downloaded, lines 2",
        ],
    );
    lacks(python, "linux/arm64", &["download https://h/not", "download https://h/{"]);
    has(
        "FROM debian:12\nRUN <<EOF\n#!/usr/bin/env python3\nurlretrieve('https://h/x', 'y')\nEOF\n",
        "linux/arm64",
        &["3: maybe download https://h/x -> /y"],
    );
    has(
        "FROM node:22\nRUN node <<EOF\nawait fetch('https://h/y-amd64')\nEOF\n",
        "linux/arm64",
        &["2: maybe download https://h/y-amd64 -> ?"],
    );
}
