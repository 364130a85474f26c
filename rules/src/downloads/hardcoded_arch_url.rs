//! `hardcoded-arch-url`

use mlint_lint::{Context, Finding, Meta, Rule, Sink};

use crate::{
    downloads::wrong::{WrongDownload, wrong_downloads},
    words::is_arch_arg_default,
};

mlint_lint::declare_rule! {
    /// A URL names one architecture as text, so the build for every other platform downloads that
    /// one's file: with `curl`, `wget`, `ADD`, `pip`, a package manager; directly or through `ARG`,
    /// `ENV` and shell variables. The image then holds a program that does not start, or the build
    /// stops where it is run or installed.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ADD https://example.org/tool-linux-amd64 /usr/local/bin/tool
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// ADD https://example.org/tool-linux-${TARGETARCH} /usr/local/bin/tool
    /// ```
    ///
    /// ## Silent
    ///
    /// - when the word follows the platform (`TARGETARCH`, `uname -m`, `dpkg
    ///   --print-architecture`, a `case` over them), or the download stands in a branch that asks
    ///   for it;
    /// - when the URL also has the right word, or names a cross toolchain, an emulator or a system
    ///   root, whose name tells its target;
    /// - in a stage on the build platform or on a constant one, unless the file reaches the image;
    /// - in a stage whose base image is by its name for the same architecture (`arm64v8/debian`),
    ///   and in an image that collects programs for several platforms;
    /// - for repositories that are cloned, for the index of a package repository
    ///   (`binary-amd64/Packages`, `x86_64/APKINDEX.tar.gz`), which is read for a version, and for
    ///   other systems than Linux.
    ///
    /// ## Fix
    ///
    /// The word follows the target, in the URL and in the file names beside it:
    ///
    /// - `${TARGETARCH}` where the project uses Docker's words (`amd64`, `arm64`): safe;
    /// - `$(uname -m)`, or a `case` over `TARGETARCH` with a failing default, in a `RUN`, where
    ///   mlint knows the project's words: safe; where it only knows whose word it is: unsafe, since
    ///   `x86_64` goes with `aarch64` here and with `arm64` there;
    /// - unsafe as well if a checksum stands beside it, which is that of one file.
    ///
    /// Safe means that the platform of the literal gets the same file as before.
    pub struct HardcodedArchUrl {
        name: "hardcoded-arch-url",
        group: Downloads,
        summary: "A URL names one architecture, whatever the target is",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for HardcodedArchUrl {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for wrong in wrong_downloads(cx, evaluation) {
                let is_default = is_arch_arg_default(&wrong.main().piece);
                if !is_default && wrong.deciding_default(cx).is_none() {
                    report(cx, &wrong, sink);
                }
            }
        }
    }
}

fn report(cx: &Context<'_>, wrong: &WrongDownload<'_>, sink: &mut Sink<'_>) {
    let main = wrong.main();
    let (said, machine) = (main.text.clone(), wrong.from.to_string());
    let finding = Finding::new(main.span, &wrong.evaluation.platform, move |on| {
        format!(
            "the build for {on} downloads the file for {machine}: the URL says '{said}' whatever \
             the target is"
        )
    });
    sink.report(wrong.complete(cx, finding));
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "hardcoded-arch-url")
    }

    #[test]
    fn in_add_curl_and_wget() {
        let found = harness().check(
            r"
            FROM debian:12
            ADD https://example.org/tool-linux-amd64 /usr/local/bin/tool
                                               ^^^^^ error: hardcoded-arch-url: the build for linux/arm64 downloads the file for linux/amd64
            RUN curl -fsSL https://example.org/a-x86_64.tar.gz | tar xz -C /usr/local
                                                 ^^^^^^ error: hardcoded-arch-url
            RUN wget https://example.org/b_amd64.deb && dpkg -i b_amd64.deb
                                           ^^^^^ error: hardcoded-arch-url
            ",
        );
        assert!(found.iter().all(|d| d.platforms.len() == 1));
        assert_eq!(found[2].effect, mlint_lint::Effect::BuildFails);
    }

    #[test]
    fn a_run_that_may_fail_does_not_stop_the_build() {
        for (after, want) in [
            ("/t --version", mlint_lint::Effect::BuildFails),
            ("/t --version || true", mlint_lint::Effect::WrongBinary),
        ] {
            let text = format!(
                "FROM debian:12\nRUN curl -fsSLo /t https://example.org/t-amd64; chmod +x /t; {after}\n"
            );
            let report = harness().report(&text);
            assert_eq!(report.diagnostics[0].effect, want, "{after}");
        }
    }

    #[test]
    fn an_installer_that_is_a_script_runs_anywhere() {
        let report = harness().report(
            "FROM debian:12\nRUN wget -O /i.sh https://example.org/t-linux-x86_64.sh && /i.sh\n",
        );
        assert_eq!(report.diagnostics[0].effect, mlint_lint::Effect::WrongBinary);
    }

    #[test]
    fn through_arg_and_env() {
        let found = harness().check(
            r"
            FROM debian:12
            ARG TOOL=tool-linux-amd64
                                ^^^^^ error: hardcoded-arch-url
            ENV TOOL_URL=https://example.org/tool-linux-x64.tar.gz
                                                  ^^^^^^^^^ error: hardcoded-arch-url
            RUN curl -fsSLO https://example.org/${TOOL}.tar.gz
            RUN curl -fsSL $TOOL_URL | tar xz
            ",
        );
        assert!(found[0].related.iter().any(|r| r.message == "it is downloaded here"));
    }

    #[test]
    fn docker_s_words_follow_targetarch() {
        harness().check_fix(
            r"
            FROM debian:12
            # a tool
            RUN curl -fsSLO https://example.org/v1/tool-linux-amd64.tar.gz \
             && tar xzf tool-linux-amd64.tar.gz \
             && mv linux-amd64/tool /usr/local/bin/
            ",
            r"
            FROM debian:12
            ARG TARGETARCH
            # a tool
            RUN curl -fsSLO https://example.org/v1/tool-linux-${TARGETARCH}.tar.gz \
             && tar xzf tool-linux-${TARGETARCH}.tar.gz \
             && mv linux-${TARGETARCH}/tool /usr/local/bin/
            ",
        );
    }

    #[test]
    fn the_kernel_s_words_follow_uname() {
        harness().check_fix(
            r#"
            FROM debian:12
            RUN curl -fsSL "https://awscli.amazonaws.com/awscli-exe-linux-x86_64.zip" -o awscli.zip
            "#,
            r#"
            FROM debian:12
            RUN curl -fsSL "https://awscli.amazonaws.com/awscli-exe-linux-$(uname -m).zip" -o awscli.zip
            "#,
        );
    }

    #[test]
    fn a_project_s_own_words_get_a_case() {
        harness().check_fix(
            r"
            FROM debian:12
            RUN set -eux; \
                curl -fsSLo /usr/local/bin/hadolint https://github.com/hadolint/hadolint/releases/download/v2.12.0/hadolint-Linux-x86_64; \
                chmod +x /usr/local/bin/hadolint
            ",
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN set -eux; \
                case "${TARGETARCH}" in \
                  amd64) arch=x86_64 ;; \
                  arm64) arch=arm64 ;; \
                  *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
                esac; \
                curl -fsSLo /usr/local/bin/hadolint https://github.com/hadolint/hadolint/releases/download/v2.12.0/hadolint-Linux-${arch}; \
                chmod +x /usr/local/bin/hadolint
            "#,
        );
    }

    #[test]
    fn an_unknown_project_s_words_need_a_look() {
        harness().check_unsafe_fix(
            r"
            FROM debian:12
            RUN curl -fsSL https://example.org/a-x86_64.tar.gz | tar xz -C /usr/local
            ",
            r"
            FROM debian:12
            RUN curl -fsSL https://example.org/a-$(uname -m).tar.gz | tar xz -C /usr/local
            ",
        );
    }

    #[test]
    fn a_checksum_is_of_one_file() {
        harness().check_unsafe_fix(
            r#"
            FROM debian:12
            RUN curl -fsSLo /t https://example.org/t-amd64 && echo "0f3c9a0e5b7e4d9c1f2a3b4c5d6e7f800f3c9a0e5b7e4d9c1f2a3b4c5d6e7f80  /t" | sha256sum -c
            "#,
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN curl -fsSLo /t https://example.org/t-${TARGETARCH} && echo "0f3c9a0e5b7e4d9c1f2a3b4c5d6e7f800f3c9a0e5b7e4d9c1f2a3b4c5d6e7f80  /t" | sha256sum -c
            "#,
        );
    }

    #[test]
    fn no_expansion_between_single_quotes() {
        harness()
            .check_no_fix("FROM debian:12\nRUN curl -fsSLo /t 'https://example.org/t-amd64'\n");
        harness().check_no_fix(
            "FROM debian:12\nRUN [\"curl\", \"-fsSLo\", \"/t\", \"https://example.org/t-amd64\"]\n",
        );
    }

    #[test]
    fn silent_where_it_follows_the_platform() {
        for text in [
            "FROM debian:12\nARG TARGETARCH\nADD https://example.org/t-${TARGETARCH} /t\n",
            "FROM debian:12\nRUN curl -fsSLo /t https://example.org/t-$(uname -m)\n",
            "FROM debian:12\nRUN curl -fsSLo /t https://example.org/t-$(dpkg --print-architecture)\n",
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN case "$TARGETARCH" in \
                  amd64) curl -fsSLo /t https://example.org/t-x86_64 ;; \
                  arm64) curl -fsSLo /t https://example.org/t-aarch64 ;; \
                esac
            "#,
            r#"
            FROM debian:12
            RUN set -eux; \
                case "$(uname -m)" in \
                  x86_64) a=x64; sum=1111 ;; \
                  aarch64) a=arm64; sum=2222 ;; \
                  *) exit 1 ;; \
                esac; \
                curl -fsSLo /t "https://example.org/t-linux-$a"; \
                echo "$sum  /t" | sha256sum -c
            "#,
            // There is no file for arm64, and its machines run this one.
            r"
            FROM debian:12
            ARG TARGETARCH
            ARG URL_AMD64=https://example.org/t_linux_amd64.tar.gz
            ARG URL_ARM64=https://example.org/t_linux_arm.tar.gz
            RUN if [ $TARGETARCH = arm64 ]; then URL=$URL_ARM64; else URL=$URL_AMD64; fi; wget $URL
            ",
            r"
            FROM debian:12 AS base-amd64
            ADD https://example.org/t-x86_64 /t
            FROM debian:12 AS base-arm64
            ADD https://example.org/t-aarch64 /t
            FROM base-${TARGETARCH}
            ",
        ] {
            harness().silent(text);
        }
    }

    #[test]
    fn silent_where_the_answer_is_wrong_and_not_the_word() {
        for text in [
            r#"
            FROM debian:12
            ARG TARGETPLATFORM=linux/amd64
            RUN case "$TARGETPLATFORM" in linux/amd64) A=x86_64 ;; linux/arm64) A=aarch64 ;; esac; \
                curl -fsSLo /t https://example.org/t-$A
            "#,
            r#"
            FROM --platform=$BUILDPLATFORM debian:12 AS tools
            RUN case "$(uname -m)" in x86_64) A=amd64 ;; aarch64) A=arm64 ;; esac; \
                curl -fsSLo /t https://example.org/t-$A
            FROM debian:12
            COPY --from=tools /t /t
            "#,
        ] {
            harness().silent(text);
        }
    }

    #[test]
    fn a_vendor_s_word_means_what_the_vendor_says() {
        let text = r"
            FROM debian:12
            ADD https://dl.google.com/dl/cloudsdk/channels/rapid/downloads/google-cloud-cli-linux-arm.tar.gz /
        ";
        harness().platforms(&["linux/arm64"]).silent(text);
        let report = harness().report(text);
        assert!(report.diagnostics[0].message.contains("the file for linux/arm64"));
    }

    #[test]
    fn the_package_beside_an_index_is_found() {
        harness().check(
            r"
            FROM debian:13
            RUN curl -fsSLO https://repo.example.org/dists/trixie/main/binary-amd64/Packages.xz
            RUN curl -fsSLo /a.deb https://repo.example.org/dists/trixie/main/binary-amd64/app.deb
                                                                                     ^^^^^ error: hardcoded-arch-url
            ",
        );
    }

    #[test]
    fn silent_where_the_word_means_something_else() {
        for text in [
            "FROM debian:12\nADD https://example.org/qemu-aarch64-static /usr/bin/\n",
            "FROM debian:12\nADD https://musl.cc/aarch64-linux-musl-cross.tgz /opt/\n",
            "FROM debian:12\nADD https://example.org/tool-darwin-arm64 /t\n",
            "FROM debian:12\nADD https://example.org/setup.x64.exe /setup.exe\n",
            "FROM debian:12\nRUN git clone https://example.org/amd64-notes.git\n",
            "FROM debian:12\nADD https://developer.arm.com/files/manual.pdf /\n",
            // An index that is read for a version.
            r"
            FROM debian:13
            RUN REL=$(curl -s https://repo.example.org/dists/trixie/main/binary-amd64/Packages \
                  | grep -A7 -m1 '^Package: app$' | awk '/^Version/{print $2}') \
             && apt-get install -y app=$REL
            ",
            r"
            FROM alpine:3.22
            RUN wget -q -O /tmp/index.tar.gz https://repo.example.org/v3.22/main/x86_64/APKINDEX.tar.gz \
             && tar -xzf /tmp/index.tar.gz -C /tmp APKINDEX \
             && apk add app=$(grep -A1 '^P:app$' /tmp/APKINDEX | sed -n 's/^V://p')
            ",
            // A build tool, where it runs.
            r"
            FROM --platform=$BUILDPLATFORM debian:12 AS build
            RUN curl -fsSLo /usr/local/bin/gen https://example.org/gen-amd64 && gen > /out.txt
            FROM debian:12
            COPY --from=build /out.txt /
            ",
        ] {
            harness().silent(text);
        }
    }
}
