//! The compilers, one row each.

/// Where a compiler writes if no option says so.
#[derive(Clone, Copy)]
pub(super) enum Default {
    /// A program called like the source, beside it or in the working directory.
    Stem,
    /// As `Stem`, with this extension.
    StemWith(&'static str),
    /// Some folder below the working directory.
    Folder(&'static str),
    /// A fixed name in the working directory.
    Name(&'static str),
    /// Below the home folder.
    Home(&'static str),
    /// Nobody knows.
    Nowhere,
}

/// One compiler.
pub(super) struct Row {
    pub(super) program: &'static str,
    /// The first word (or `a b` for two); empty for a program that only compiles.
    pub(super) verb: &'static str,
    /// Options with a value, those of the other columns included.
    pub(super) values: &'static [&'static str],
    /// Options that name the output file, and the output folder.
    pub(super) output: &'static [&'static str],
    pub(super) folder: &'static [&'static str],
    pub(super) default: Default,
    /// Options that name the target.
    pub(super) target: &'static [&'static str],
    /// Options, or parts of an option's value, that make the result static.
    pub(super) statics: &'static [&'static str],
    /// What comes out runs on a virtual machine.
    pub(super) independent: bool,
}

const ROW: Row = Row {
    program: "",
    verb: "",
    values: &["-o", "--output"],
    output: &["-o", "--output"],
    folder: &[],
    default: Default::Stem,
    target: &[],
    statics: &["-static", "--static"],
    independent: false,
};

const SWIFT: &[&str] = &[
    "-c",
    "--configuration",
    "--product",
    "--target",
    "--triple",
    "--arch",
    "--swift-sdk",
    "--experimental-swift-sdk",
    "--scratch-path",
    "--build-path",
    "--package-path",
    "-Xswiftc",
    "-Xlinker",
    "-Xcc",
    "--jobs",
    "-j",
];

const NIM: &[&str] = &["-o", "--out", "--outdir", "--cpu", "--os", "-d", "--define", "--passL"];

pub(super) const ROWS: &[Row] = &[
    // Haskell: native only.
    Row {
        program: "ghc",
        values: &["-o", "-outputdir", "-odir", "-hidir", "-i", "-package"],
        output: &["-o"],
        statics: &["-optl-static", "-optl=-static"],
        ..ROW
    },
    Row {
        program: "stack",
        verb: "install",
        values: &["--local-bin-path", "--flag", "--ghc-options", "--resolver", "--stack-yaml"],
        output: &[],
        folder: &["--local-bin-path"],
        default: Default::Home(".local/bin"),
        statics: &["-optl-static", "-optl=-static"],
        ..ROW
    },
    Row {
        program: "stack",
        verb: "build",
        values: &["--local-bin-path", "--flag", "--ghc-options", "--resolver", "--stack-yaml"],
        output: &[],
        folder: &["--local-bin-path"],
        default: Default::Folder(".stack-work"),
        statics: &["-optl-static", "-optl=-static"],
        ..ROW
    },
    Row {
        program: "cabal",
        verb: "install",
        values: &["--installdir", "--install-method", "--ghc-options", "--bindir", "-w"],
        output: &[],
        folder: &["--installdir", "--bindir"],
        default: Default::Home(".local/bin"),
        statics: &["--enable-executable-static", "-optl-static"],
        ..ROW
    },
    Row {
        program: "cabal",
        verb: "build",
        values: &["--builddir", "--ghc-options", "-w"],
        output: &[],
        folder: &["--builddir"],
        default: Default::Folder("dist-newstyle"),
        statics: &["--enable-executable-static", "-optl-static"],
        ..ROW
    },
    // Nim goes by way of a C compiler.
    Row {
        program: "nim",
        verb: "c",
        values: NIM,
        output: &["-o", "--out"],
        folder: &["--outdir"],
        target: &["--cpu"],
        statics: &["-static"],
        ..ROW
    },
    Row {
        program: "nim",
        verb: "cpp",
        values: NIM,
        output: &["-o", "--out"],
        folder: &["--outdir"],
        target: &["--cpu"],
        statics: &["-static"],
        ..ROW
    },
    Row {
        program: "nimble",
        verb: "build",
        values: NIM,
        output: &[],
        default: Default::Nowhere,
        ..ROW
    },
    Row {
        program: "crystal",
        verb: "build",
        values: &["-o", "--output", "--target", "--mcpu", "-D", "--link-flags", "--threads"],
        target: &["--target"],
        ..ROW
    },
    Row { program: "shards", verb: "build", output: &[], default: Default::Folder("bin"), ..ROW },
    // D
    Row {
        program: "dmd",
        values: &["-of", "-od", "-I", "-L"],
        output: &["-of"],
        statics: &["-static"],
        ..ROW
    },
    Row {
        program: "ldc2",
        values: &["-of", "--of", "-od", "-mtriple", "--mtriple", "-I", "-L"],
        output: &["-of", "--of"],
        target: &["-mtriple", "--mtriple"],
        ..ROW
    },
    Row {
        program: "dub",
        verb: "build",
        values: &["-b", "--build", "-c", "-a", "--arch", "--compiler"],
        output: &[],
        target: &["-a", "--arch"],
        default: Default::Nowhere,
        ..ROW
    },
    // OCaml
    Row {
        program: "ocamlopt",
        output: &["-o"],
        default: Default::Name("a.out"),
        values: &["-o", "-I", "-ccopt", "-cclib", "-package"],
        ..ROW
    },
    Row {
        program: "ocamlfind",
        verb: "ocamlopt",
        output: &["-o"],
        default: Default::Name("a.out"),
        values: &["-o", "-I", "-ccopt", "-cclib", "-package"],
        ..ROW
    },
    Row {
        program: "dune",
        verb: "build",
        values: &["--profile", "-p", "--build-dir"],
        output: &[],
        folder: &["--build-dir"],
        default: Default::Folder("_build"),
        statics: &[],
        ..ROW
    },
    Row {
        program: "dune",
        verb: "install",
        values: &["--prefix", "--bindir", "--destdir"],
        output: &[],
        folder: &["--prefix", "--bindir"],
        default: Default::Nowhere,
        statics: &[],
        ..ROW
    },
    // Swift
    Row {
        program: "swift",
        verb: "build",
        values: SWIFT,
        output: &[],
        folder: &["--scratch-path", "--build-path"],
        default: Default::Folder(".build"),
        target: &["--swift-sdk", "--experimental-swift-sdk", "--triple", "--arch"],
        statics: &["-static-executable"],
        ..ROW
    },
    Row {
        program: "swiftc",
        values: &["-o", "-target", "-sdk", "-I", "-L"],
        output: &["-o"],
        target: &["-target"],
        statics: &["-static-executable"],
        ..ROW
    },
    // Dart
    Row {
        program: "dart",
        verb: "compile exe",
        values: &["-o", "--output", "--target-arch", "--target-os", "-D", "--define"],
        target: &["--target-arch"],
        default: Default::StemWith("exe"),
        ..ROW
    },
    Row {
        program: "dart",
        verb: "compile aot-snapshot",
        values: &["-o", "--output"],
        default: Default::StemWith("aot"),
        ..ROW
    },
    Row {
        program: "dart",
        verb: "compile kernel",
        values: &["-o", "--output"],
        default: Default::StemWith("dill"),
        independent: true,
        ..ROW
    },
    Row {
        program: "dart",
        verb: "compile js",
        values: &["-o", "--output"],
        default: Default::StemWith("js"),
        independent: true,
        ..ROW
    },
    // GraalVM and Kotlin
    Row {
        program: "native-image",
        values: &["-o", "-jar", "-cp", "-H", "--class-path", "-m"],
        output: &["-o"],
        default: Default::Nowhere,
        statics: &["--static"],
        ..ROW
    },
    Row {
        program: "kotlinc-native",
        values: &["-o", "-output", "-target"],
        output: &["-o", "-output"],
        target: &["-target"],
        default: Default::Name("program.kexe"),
        ..ROW
    },
    // Releases with the runtime in them.
    Row {
        program: "mix",
        verb: "release",
        values: &["--path"],
        output: &[],
        folder: &["--path"],
        default: Default::Folder("_build"),
        statics: &[],
        ..ROW
    },
    Row {
        program: "rebar3",
        verb: "release",
        values: &["-o", "--output-dir", "-n"],
        output: &[],
        folder: &["-o", "--output-dir"],
        default: Default::Folder("_build"),
        statics: &[],
        ..ROW
    },
    Row {
        program: "rebar3",
        verb: "tar",
        values: &["-o"],
        output: &[],
        folder: &["-o"],
        default: Default::Folder("_build"),
        statics: &[],
        ..ROW
    },
    // Others
    Row {
        program: "v",
        values: &["-o", "-cc", "-cflags", "-os", "-arch"],
        output: &["-o"],
        target: &["-arch"],
        ..ROW
    },
    Row { program: "fpc", values: &["-o"], output: &["-o"], statics: &["-Xs"], ..ROW },
    Row { program: "gnatmake", output: &["-o"], ..ROW },
    Row {
        program: "odin",
        verb: "build",
        values: &["-out", "-target"],
        output: &["-out"],
        target: &["-target"],
        default: Default::Nowhere,
        ..ROW
    },
    // WebAssembly runs everywhere.
    Row {
        program: "emcc",
        output: &["-o"],
        default: Default::Name("a.out.js"),
        independent: true,
        ..ROW
    },
    Row {
        program: "em++",
        output: &["-o"],
        default: Default::Name("a.out.js"),
        independent: true,
        ..ROW
    },
    Row {
        program: "wasm-pack",
        verb: "build",
        values: &["-d", "--out-dir", "-t", "--target"],
        output: &[],
        folder: &["-d", "--out-dir"],
        default: Default::Folder("pkg"),
        independent: true,
        ..ROW
    },
    Row {
        program: "trunk",
        verb: "build",
        values: &["-d", "--dist"],
        output: &[],
        folder: &["-d", "--dist"],
        default: Default::Folder("dist"),
        independent: true,
        ..ROW
    },
];
