//! Downloads of well-known projects: each in its project's own words for the other platform.

use mlint_lint::testing::Harness;

fn harness() -> Harness<'static> {
    Harness::new(mlint_rules::all(), "hardcoded-arch-url")
}

#[test]
fn each_project_s_words() {
    for (address, fixed) in [
        (
            "https://github.com/protocolbuffers/protobuf/releases/download/v27.3/protoc-27.3-linux-x86_64.zip",
            "amd64) arch=x86_64 ;; arm64) arch=aarch_64 ;; protoc-27.3-linux-${arch}.zip",
        ),
        (
            "https://github.com/aquasecurity/trivy/releases/download/v0.54.1/trivy_0.54.1_Linux-64bit.tar.gz",
            "amd64) arch=64bit ;; arm64) arch=ARM64 ;; trivy_0.54.1_Linux-${arch}.tar.gz",
        ),
        (
            "https://github.com/oven-sh/bun/releases/download/bun-v1.1.26/bun-linux-x64.zip",
            "amd64) arch=x64 ;; arm64) arch=aarch64 ;; bun-linux-${arch}.zip",
        ),
        (
            "https://github.com/goreleaser/goreleaser/releases/download/v2.2.0/goreleaser_Linux_x86_64.tar.gz",
            "amd64) arch=x86_64 ;; arm64) arch=arm64 ;; goreleaser_Linux_${arch}.tar.gz",
        ),
        (
            "https://github.com/adoptium/temurin21-binaries/releases/download/jdk-21.0.4%2B7/OpenJDK21U-jre_x64_linux_hotspot_21.0.4_7.tar.gz",
            "amd64) arch=x64 ;; arm64) arch=aarch64 ;; OpenJDK21U-jre_${arch}_linux_hotspot_21.0.4_7.tar.gz",
        ),
        (
            "https://github.com/open-policy-agent/opa/releases/download/v0.67.1/opa_linux_amd64",
            "amd64) arch=amd64 ;; arm64) arch=arm64_static ;; opa_linux_${arch}",
        ),
        (
            "https://github.com/open-policy-agent/opa/releases/download/v0.67.1/opa_linux_amd64_static",
            "opa_linux_${TARGETARCH}_static",
        ),
        (
            "https://github.com/ahmetb/kubectx/releases/download/v0.9.5/kubens_v0.9.5_linux_x86_64.tar.gz",
            "amd64) arch=x86_64 ;; arm64) arch=arm64 ;; kubens_v0.9.5_linux_${arch}.tar.gz",
        ),
        (
            "https://releases.hashicorp.com/terraform/1.9.5/terraform_1.9.5_linux_amd64.zip",
            "terraform_1.9.5_linux_${TARGETARCH}.zip",
        ),
        (
            "https://github.com/mozilla/sccache/releases/download/v0.8.1/sccache-v0.8.1-x86_64-unknown-linux-musl.tar.gz",
            "sccache-v0.8.1-$(uname -m)-unknown-linux-musl.tar.gz",
        ),
    ] {
        let text = format!("FROM debian:12\nRUN curl -fsSLo /tmp/f {address}\n");
        let outcome = harness().fixed(&text);
        let name = fixed.rsplit(' ').next().unwrap();
        let arms = fixed.strip_suffix(name).unwrap().trim();
        let flat =
            outcome.text.replace(" \\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(arms) && flat.ends_with(name), "{address}:\n{}", outcome.text);
    }
}

#[test]
fn no_fix_where_the_project_has_no_file() {
    for address in [
        "https://dl.google.com/linux/direct/google-chrome-stable_current_amd64.deb",
        "https://storage.googleapis.com/chrome-for-testing-public/128.0.6613.84/linux64/chromedriver-linux64.zip",
    ] {
        let text = format!("FROM debian:12\nRUN wget {address}\n");
        harness().check_no_fix(&text);
        let report = harness().report(&text);
        let found = report.diagnostics.iter().find(|d| d.rule == "hardcoded-arch-url").unwrap();
        assert!(found.help.as_ref().unwrap().contains("publishes no file for linux/arm64"));
    }
}
