//! From a Dockerfile with defects to a proved index in a registry.

use xtask::demo::host_emulators;
use xtask::image;

use crate::support::Place;

const THREE_DEFECTS: &str = r#"FROM --platform=linux/amd64 REGISTRY/busybox:1.35 AS tools
RUN mkdir /out && cp /bin/busybox /out/tool

FROM REGISTRY/busybox:1.35
ARG TARGETARCH=amd64
RUN wget -q -O /bin/first "FILES/tini/tini-${TARGETARCH}" && chmod +x /bin/first
RUN wget -q -O /bin/second FILES/tini/tini-amd64 && chmod +x /bin/second
COPY --from=tools /out/tool /bin/tool
RUN uname -m > /machine
ENTRYPOINT ["/bin/first", "--"]
CMD ["/bin/tool", "cat", "/machine"]
"#;

const SETTINGS: &str = r#"platforms = ["linux/amd64", "linux/arm64"]
tags = ["REGISTRY/line/app:1", "REGISTRY/line/app:latest"]
"#;

#[test]
fn checked_repaired_built_pushed_verified() {
    let place = Place::new().with_base();
    let emulators = host_emulators();
    place.write("Dockerfile", THREE_DEFECTS);
    place.write("mlint.toml", SETTINGS);

    let found = place.mlint(&["check", "--format", "json"]).ends_with(1);
    let report: serde_json::Value = serde_json::from_str(&found.out).unwrap();
    let findings = report["files"][0]["findings"].as_array().unwrap();
    for rule in ["platform-arg-default", "hardcoded-arch-url"] {
        assert!(findings.iter().any(|finding| finding["rule"] == rule), "{}", found.out);
    }
    let verdict = |platform: &str| {
        let verdicts = report["files"][0]["verdicts"].as_array().unwrap();
        verdicts.iter().find(|verdict| verdict["platform"] == platform).unwrap()["verdict"].clone()
    };
    assert_eq!(verdict("linux/amd64"), "ok");
    assert_eq!(verdict("linux/arm64"), "wrong-binary");

    // The proof says the same as the check, and nothing is pushed.
    place.mlint(&["build", "--push"]).refuses(&["Dockerfile:", "linux/arm64", "/bin/second"]);
    assert!(place.registry.tags("line/app").is_empty());

    // What the tool's stage copies from its own base is beyond what mlint can see.
    place.mlint(&["fix"]).ends_with(0);
    let path = place.project().join("Dockerfile");
    let repaired = std::fs::read_to_string(&path).unwrap();
    place.mlint(&["fix"]).ends_with(0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), repaired, "a second run changes nothing");
    let by_hand = repaired.replace("--platform=linux/amd64 ", "");
    std::fs::write(&path, by_hand).unwrap();
    place.mlint(&["check"]).ends_with(0);

    place.mlint(&["build", "--push"]).ends_with(0);
    assert_eq!(place.registry.tags("line/app"), ["1", "latest"]);
    let digest = place.registry.digest("line/app", "1").unwrap();
    assert_eq!(place.registry.digest("line/app", "latest").as_ref(), Some(&digest));
    let again = place.mlint(&["build", "--push"]).ends_with(0);
    assert!(again.err.contains("all steps from the cache"), "{}", again.err);
    assert!(again.err.contains("(0 blobs sent)"), "{}", again.err);
    assert_eq!(place.registry.digest("line/app", "1"), Some(digest));

    let name = format!("{}/line/app:1", place.registry.host());
    place.mlint(&["verify", &name]).ends_with(0);
    for (platform, machine) in [("linux/amd64", "x86_64\n"), ("linux/arm64", "aarch64\n")] {
        let image = image::unpack(&name, platform).unwrap();
        for file in ["bin/busybox", "bin/tool", "bin/first", "bin/second"] {
            assert_eq!(image.elf(file).unwrap().platform, platform, "{file}");
        }
        let said = std::fs::read_to_string(image.root().join("machine")).unwrap();
        assert_eq!(said, machine);
    }
    assert_eq!(host_emulators(), emulators, "nothing is registered on this host");
    place.assert_clean();
    assert_eq!(place.half_written(), Vec::<std::path::PathBuf>::new());
}
