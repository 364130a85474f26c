//! Images that are made to compile for one target: what they set for that.

use mlint_oci::{
    Platform, Reference,
    arch::{Vocabulary, word_for},
};

/// What such an image brings.
#[derive(Debug)]
pub(crate) struct CrossImage {
    pub(crate) env: Vec<(String, String)>,
    pub(crate) directory: &'static str,
}

/// dockcross's images, and the triple of each one's compilers.
const DOCKCROSS: &[(&str, &str)] = &[
    ("linux-arm64", "aarch64-unknown-linux-gnu"),
    ("linux-arm64-lts", "aarch64-unknown-linux-gnu"),
    ("linux-arm64-musl", "aarch64-linux-musl"),
    ("linux-armv5", "armv5-unknown-linux-gnueabi"),
    ("linux-armv5-musl", "armv5-unknown-linux-musleabi"),
    ("linux-armv6", "armv6-unknown-linux-gnueabihf"),
    ("linux-armv6-musl", "armv6-unknown-linux-musleabihf"),
    ("linux-armv7", "armv7-unknown-linux-gnueabi"),
    ("linux-armv7l-musl", "armv7l-linux-musleabihf"),
    ("linux-ppc64le", "powerpc64le-unknown-linux-gnu"),
    ("linux-riscv64", "riscv64-unknown-linux-gnu"),
    ("linux-s390x", "s390x-unknown-linux-gnu"),
    ("linux-x64", "x86_64-linux-gnu"),
    ("linux-x86", "i686-linux-gnu"),
    ("windows-static-x64", "x86_64-w64-mingw32"),
    ("windows-shared-x64", "x86_64-w64-mingw32"),
    ("windows-static-x86", "i686-w64-mingw32"),
];

/// What the image of this name sets; it runs on `platform`.
pub(crate) fn cross_image(reference: &str, platform: Option<&Platform>) -> Option<CrossImage> {
    // All of them have an owner; most images have none.
    let reference = reference.contains('/').then(|| Reference::parse(reference))?.ok()?;
    let repository = reference.repository();
    let (owner, name) = repository.rsplit_once('/')?;
    let tag = reference.tag().unwrap_or("latest");
    let set = |name: &str, value: String| (name.to_owned(), value);
    let (env, directory) = match (owner, name) {
        // Tags are `aarch64-musl`, `armv7-musleabihf`; a date may precede or follow.
        (_, "rust-musl-cross") | ("blackdex", "rust-musl") => {
            let (arch, abi) = tag.split_once('-')?;
            let abi = abi.split('-').next().filter(|abi| abi.starts_with("musl"))?;
            let triple = format!("{arch}-unknown-linux-{abi}");
            (vec![set("CARGO_BUILD_TARGET", triple)], "/home/rust/src")
        }
        ("clux", "muslrust") => {
            let triple = word_for(platform?, Vocabulary::RustMusl)?.to_owned();
            let env = vec![set("CARGO_BUILD_TARGET", triple), set("CC", "musl-gcc".to_owned())];
            (env, "/volume")
        }
        (_, "rust-musl-builder") => {
            let triple = "x86_64-unknown-linux-musl".to_owned();
            (vec![set("CARGO_BUILD_TARGET", triple)], "/home/rust/src")
        }
        ("dockcross", name) => {
            let (_, triple) = DOCKCROSS.iter().find(|(known, _)| *known == name)?;
            let tool = |tool: &str| format!("/usr/xcc/{triple}/bin/{triple}-{tool}");
            let env = vec![
                set("CC", tool("gcc")),
                set("CXX", tool("g++")),
                set("AR", tool("ar")),
                set("LD", tool("ld")),
                set("CROSS_TRIPLE", (*triple).to_owned()),
                set("CROSS_COMPILE", format!("{triple}-")),
                set("CMAKE_TOOLCHAIN_FILE", format!("/usr/xcc/{triple}/Toolchain.cmake")),
            ];
            (env, "/work")
        }
        _ => return None,
    };
    Some(CrossImage { env, directory })
}
