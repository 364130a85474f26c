//! Effects: what the steps of a stage do, in order.

use std::{borrow::Cow, sync::Arc};

use mlint_oci::arch::find_words;
use mlint_syntax::Span;

use crate::{
    files::last_part,
    foreign::Foreign,
    machine::{Linkage, Machine},
    probe::Probe,
    scope::automatic_arg,
    value::{Hop, HopKind, Piece, Truth, Value},
};

/// Something that a step does on the platform under evaluation.
#[derive(Clone, Debug)]
pub struct Effect {
    /// What.
    pub kind: EffectKind,
    /// The command's or instruction's place.
    pub span: Span,
    /// Whether it happens whenever the step runs. `false` inside a branch whose condition is not
    /// known, in a loop that may not run, after a command that may have ended the script.
    pub certain: bool,
    /// The conditions on the way to it, the outermost first; those that were decided too.
    pub guards: Vec<Guard>,
}

/// A condition that an effect depends on.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Where the condition stands: the `case` word, the `if` condition, the left side of `&&`.
    pub span: Span,
    /// The value that was asked about, where there is one (`case` word, the operands of `=`).
    pub subject: Option<Value>,
    /// Whether this branch is known to be taken.
    pub taken: Truth,
}

impl Guard {
    /// What the condition asks for, if it asks for the platform: the name of the argument whose own
    /// default gives the answer (a platform argument, or another with an architecture as its
    /// default), empty where the platform itself does.
    pub fn question(&self) -> Option<Arc<str>> {
        let subject = self.subject.as_ref()?;
        if subject.follows_platform() {
            return Some(Arc::from(""));
        }
        subject.all_pieces().iter().find_map(|piece| {
            let hops = piece.trail.hops();
            let is_arg = |hop: &Hop| matches!(hop.kind, HopKind::Arg | HopKind::GlobalArg);
            let is_platform_s = |hop: &&Hop| is_arg(hop) && automatic_arg(&hop.name).is_some();
            let oldest = || {
                let oldest = hops.iter().find(|hop| hop.kind != HopKind::Used)?;
                (is_arg(oldest) && is_arch_word(piece)).then_some(oldest)
            };
            let hop = hops.iter().copied().find(is_platform_s).or_else(|| oldest().copied())?;
            Some(Arc::clone(&hop.name))
        })
    }
}

/// Whether a text of the file is a word for an architecture and nothing else.
fn is_arch_word(piece: &Piece) -> bool {
    piece.is_literal()
        && piece.text().is_some_and(|text| {
            let words = find_words(text);
            matches!(&words[..], [word] if word.is_linux() && word.range == (0..text.len()))
        })
}

impl Effect {
    /// Whether some condition on the way asks for the platform: a literal in such a branch was
    /// written for certain platforms on purpose.
    pub fn is_guarded_by_platform(&self) -> bool {
        self.guards.iter().any(|g| g.subject.as_ref().is_some_and(Value::follows_platform))
    }
}

/// A word of a command, with where it stands.
#[derive(Clone, Debug)]
pub struct Argument {
    /// What it is.
    pub value: Value,
    /// The word in the file.
    pub span: Span,
}

/// The kinds of [`Effect`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EffectKind {
    /// A command is run. Every simple command that is not a builtin of the shell gives one; what
    /// is understood of it follows as effects of their own with the same span.
    Command(Command),
    /// A file comes from the network.
    Download(Download),
    /// A package manager installs.
    Install(Install),
    /// A toolchain makes machine code (or code for a virtual machine).
    Compile(Compile),
    /// The step asks for the machine it runs on.
    Ask {
        /// Which question.
        probe: Probe,
        /// The answer on this platform, if known.
        answer: Option<String>,
    },
    /// A file that this Dockerfile made or fetched is run.
    Execute {
        /// Its path.
        path: String,
        /// Its machine.
        machine: Machine,
    },
    /// Files are compared with checksums: `sha256sum -c`, `ADD --checksum`. The build stops where
    /// one differs.
    Checksum {
        /// The list of sums and names, or the one sum of an ADD.
        sums: Value,
    },
    /// A program in another language is run. Never certain: what it does is not followed.
    Foreign(Foreign),
    /// COPY or ADD, or a copy inside RUN, brings files.
    Copy(Copy),
    /// A cache mount of a RUN.
    CacheMount {
        /// The id as given or, without one, the target: what BuildKit keys the cache by.
        id: Value,
        /// Whether an id was written.
        explicit_id: bool,
        /// Where it is mounted.
        target: Value,
        /// Who may use it at the same time.
        sharing: Sharing,
        /// The compilations of the step that wrote into it, by their places: what they make is in
        /// the cache when the next platform's build mounts it.
        compiles: Vec<Span>,
    },
    /// A bind mount of a RUN: files of the context, a stage or an image, for the time of the step.
    BindMount {
        /// Where they come from.
        from: CopyFrom,
        /// The path there, absolute; `None` if it is not known.
        source: Option<String>,
        /// Where they are mounted, absolute.
        target: String,
    },
    /// ENV or an ARG with a value: a variable that later steps see.
    SetEnv {
        /// The name.
        name: String,
        /// The value.
        value: Value,
        /// Whether it stays in the image (ENV).
        kept: bool,
    },
    /// LABEL: something that the image says about itself.
    Label {
        /// The key.
        key: Value,
        /// The value; empty if there is none.
        value: Argument,
    },
}

/// `sharing` of a cache mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// All at the same time, the default.
    Shared,
    /// Each has one of its own.
    Private,
    /// One after the other.
    Locked,
    /// It can't be told.
    Unknown,
}

/// A command and its arguments.
#[derive(Clone, Debug)]
pub struct Command {
    /// The words, the command's name first.
    pub argv: Vec<Argument>,
    /// Variables in front of it, `GOARCH=arm64 go build`.
    pub prefix: Vec<(String, Argument)>,
    /// The working directory, if known.
    pub directory: Option<String>,
}

impl Command {
    /// The command's name without its folder, if known: `go` of `/usr/local/go/bin/go`.
    pub fn name(&self) -> Option<Cow<'_, str>> {
        Some(match self.argv.first()?.value.as_known()? {
            Cow::Borrowed(text) => Cow::Borrowed(last_part(text)),
            Cow::Owned(text) => Cow::Owned(last_part(&text).to_owned()),
        })
    }
}

/// What fetches a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fetcher {
    /// `curl`
    Curl,
    /// `wget`
    Wget,
    /// `aria2c`, `axel`, `http`, `fetch` and others
    Other,
    /// `ADD https://…`
    Add,
    /// `git clone`, `ADD git@…`
    Git,
    /// `pip install https://…`
    Pip,
    /// `npm install https://…`, `npx`, `yarn add`
    Npm,
    /// `rpm -i https://…`, `yum install https://…`, `apk add https://…`
    PackageManager,
    /// `Invoke-WebRequest`
    PowerShell,
}

/// A download.
#[derive(Clone, Debug)]
pub struct Download {
    /// What fetches.
    pub tool: Fetcher,
    /// The address.
    pub url: Value,
    /// Where the address stands as an argument.
    pub url_span: Span,
    /// Where it lands, as an absolute path, if known; `None` when it goes to a pipe.
    pub output: Option<Value>,
}

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Manager {
    /// `apt`, `apt-get`, `aptitude`
    Apt,
    /// `dpkg -i`
    Dpkg,
    /// `apk`
    Apk,
    /// `yum`, `dnf`, `microdnf`, `tdnf`, `zypper`
    Rpm,
    /// `pip`, `uv pip`, `pipx`
    Pip,
    /// `npm`, `yarn`, `pnpm`
    Npm,
    /// `go install`
    Go,
    /// `cargo install`
    Cargo,
    /// `gem`, `bundle`
    Gem,
    /// `pacman`
    Pacman,
    /// `conda`, `mamba`
    Conda,
    /// `composer`
    Composer,
    /// `docker-php-ext-install`, `pecl`
    Php,
    /// `cpanm`, `carton`
    Cpan,
    /// R's `install.packages`
    Cran,
    /// `luarocks`
    LuaRocks,
    /// `dotnet tool install`
    NuGet,
    /// `brew`
    Brew,
    /// `snap`
    Snap,
    /// `nix`
    Nix,
    /// An installer script (`curl … | sh`), a version manager (`nvm install`).
    Script,
    /// Any other
    Other,
}

/// A package installation.
#[derive(Clone, Debug)]
pub struct Install {
    /// The package manager.
    pub manager: Manager,
    /// What it installs, as written.
    pub packages: Vec<Argument>,
    /// Those that say which machine they are for; the others are for the stage's own.
    pub targets: Vec<PackageTarget>,
}

/// A package that says which machine it is for: `libssl-dev:arm64`, `gcc-aarch64-linux-gnu`.
#[derive(Clone, Debug)]
pub struct PackageTarget {
    /// Which of the packages.
    pub package: usize,
    /// The machine.
    pub machine: Machine,
    /// It runs where it is installed, and makes code for the machine: a cross compiler.
    pub makes: bool,
}

/// A toolchain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tool {
    /// `go build`, `go install`, `xx-go`
    Go,
    /// `cargo`, `rustc`
    Rust,
    /// `gcc`, `cc`, `clang`, `g++`
    C,
    /// `make`, `cmake --build`, `ninja`, `meson`
    Make,
    /// `dotnet publish`, `dotnet build`
    DotNet,
    /// `mvn`, `gradle`, `javac`
    Java,
    /// `npm run build`, `tsc`, `webpack`
    Node,
    /// `zig build`
    Zig,
    /// `ghc`, `stack build`, `cabal build`
    Haskell,
    /// `swift build`, `swiftc`
    Swift,
    /// `mix release`, `rebar3 release`: with the virtual machine in it
    Erlang,
    /// GraalVM's `native-image`
    NativeImage,
    /// Anything else
    Other,
}

/// Whether cgo takes part in a Go build.
#[derive(Clone, Debug)]
pub struct Cgo {
    /// Whether it is on.
    pub enabled: Truth,
    /// `CGO_ENABLED` as set, with its way; `None` when the toolchain's default decides (on for a
    /// native build where a C compiler is found, off for a cross build).
    pub setting: Option<Value>,
    /// A C compiler chosen for the target (`CC=aarch64-linux-gnu-gcc`).
    pub cross_compiler: Option<Value>,
}

/// A compilation.
#[derive(Clone, Debug)]
pub struct Compile {
    /// The toolchain.
    pub tool: Tool,
    /// What it makes code for.
    pub machine: Machine,
    /// Whether machine and running platform certainly differ.
    pub cross: Truth,
    /// How the result is linked.
    pub linkage: Linkage,
    /// For Go.
    pub cgo: Option<Cgo>,
    /// The files it makes, absolute, as far as known.
    pub outputs: Vec<String>,
    /// The settings that had a say, with where each is set: `GOOS`, `GOARCH`, `--target`, …
    pub settings: Vec<Setting>,
}

/// A setting of a toolchain.
#[derive(Clone, Debug)]
pub struct Setting {
    /// `GOARCH`, `GOOS`, `CGO_ENABLED`, `CC`, `--target`, …
    pub name: String,
    /// What it is.
    pub value: Value,
    /// Where it is given for this command, or where the variable was set.
    pub span: Span,
}

/// Where copied files come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyFrom {
    /// The build context.
    Context,
    /// A stage, by index.
    Stage(usize),
    /// An image.
    Image(String),
    /// Files that `--build-context` gives this name to.
    Named(String),
    /// A here-document.
    Heredoc,
    /// A file of the same stage (`cp`, `mv`, `install`).
    Here,
    /// Not known.
    Unknown,
}

/// A copy.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Where from.
    pub from: CopyFrom,
    /// The sources.
    pub sources: Vec<Argument>,
    /// The destination as written.
    pub dest: Argument,
    /// The destination as an absolute path, if known.
    pub target: Option<String>,
}
