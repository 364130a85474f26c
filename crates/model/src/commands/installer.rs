//! Installers: scripts that fetch what they install for the machine that they run on, archives
//! that unpack themselves, and version managers.

use super::{
    archive,
    build::{Installed, folder_variable, in_home, install},
};
use crate::{
    artifact::{Artifact, Made},
    effect::{Argument, Manager},
    files::{absolute, file_name, join},
    knowledge::Toolchain,
    machine::{Linkage, MachineKind},
    shell::{Call, Interpreter},
};

/// An installer script: what its address holds, and what it leaves where.
struct Script {
    /// A part of the script's address.
    mark: &'static str,
    /// A variable that names the folder.
    variable: &'static str,
    /// The folder where the variable is not set: below the home folder unless absolute.
    folder: &'static str,
    /// What lies in it; a name that ends with `/` is a folder of programs.
    leaves: &'static [&'static str],
    toolchain: Option<Toolchain>,
}

const fn script(
    mark: &'static str,
    variable: &'static str,
    folder: &'static str,
    leaves: &'static [&'static str],
    toolchain: Option<Toolchain>,
) -> Script {
    Script { mark, variable, folder, leaves, toolchain }
}

/// By the documentation of each.
#[rustfmt::skip]
const SCRIPTS: &[Script] = &[
    script("sh.rustup.rs", "CARGO_HOME", ".cargo", &["bin/"], Some(Toolchain::Rust)),
    script("rustup-init.sh", "CARGO_HOME", ".cargo", &["bin/"], Some(Toolchain::Rust)),
    script("bun.sh/install", "BUN_INSTALL", ".bun", &["bin/bun"], Some(Toolchain::Node)),
    script("bun.com/install", "BUN_INSTALL", ".bun", &["bin/bun"], Some(Toolchain::Node)),
    script("deno.land/install.sh", "DENO_INSTALL", ".deno", &["bin/deno"], Some(Toolchain::Node)),
    script("deno.land/x/install", "DENO_INSTALL", ".deno", &["bin/deno"], Some(Toolchain::Node)),
    script("astral.sh/uv", "UV_INSTALL_DIR", ".local/bin", &["uv", "uvx"], None),
    script("astral.sh/ruff", "RUFF_INSTALL_DIR", ".local/bin", &["ruff"], None),
    script("get.pnpm.io/install.sh", "PNPM_HOME", ".local/share/pnpm", &["pnpm"], None),
    script("get.volta.sh", "VOLTA_HOME", ".volta", &["bin/"], None),
    script("fnm.vercel.app", "FNM_DIR", ".local/share/fnm", &["fnm"], None),
    script("mise.run", "MISE_INSTALL_DIR", ".local/bin", &["mise"], None),
    script("get-helm-3", "HELM_INSTALL_DIR", "/usr/local/bin", &["helm"], None),
    script("get.docker.com", "", "/usr/bin", &["docker"], None),
    script("starship.rs/install.sh", "", "/usr/local/bin", &["starship"], None),
    script("fly.io/install.sh", "FLYCTL_INSTALL", ".fly", &["bin/flyctl"], None),
    script("rclone.org/install.sh", "", "/usr/bin", &["rclone"], None),
    script("wasmtime.dev/install.sh", "WASMTIME_HOME", ".wasmtime", &["bin/"], None),
    script("pixi.sh/install.sh", "PIXI_HOME", ".pixi", &["bin/pixi"], None),
    script("dotnet-install.sh", "DOTNET_INSTALL_DIR", ".dotnet", &["/"], Some(Toolchain::DotNet)),
    script("dot.net/v1/dotnet-install", "DOTNET_INSTALL_DIR", ".dotnet", &["/"], Some(Toolchain::DotNet)),
    script("foundry.paradigm.xyz", "FOUNDRY_DIR", ".foundry", &["bin/"], None),
    script("get.haskellstack.org", "", "/usr/local/bin", &["stack"], None),
    script("get-ghcup.haskell.org", "GHCUP_INSTALL_BASE_PREFIX", "", &[".ghcup/bin/"], None),
];

/// Options by which installers are told the folder for programs.
const FOLDER_OPTIONS: &[&str] =
    &["-b", "--bin-dir", "--to", "-i", "--install-dir", "--installdir", "--prefix", "-p", "--path"];

/// Version managers: the word that installs, the variable and folder of their own, what they put
/// below it.
const MANAGERS: &[(&str, &str, &str, &str, &str)] = &[
    ("nvm", "install", "NVM_DIR", ".nvm", "versions"),
    ("fnm", "install", "FNM_DIR", ".local/share/fnm", "node-versions"),
    ("volta", "install", "VOLTA_HOME", ".volta", "tools"),
    ("pyenv", "install", "PYENV_ROOT", ".pyenv", "versions"),
    ("rbenv", "install", "RBENV_ROOT", ".rbenv", "versions"),
    ("asdf", "install", "ASDF_DATA_DIR", ".asdf", "installs"),
    ("mise", "install", "MISE_DATA_DIR", ".local/share/mise", "installs"),
    ("mise", "use", "MISE_DATA_DIR", ".local/share/mise", "installs"),
    ("goenv", "install", "GOENV_ROOT", ".goenv", "versions"),
    ("sdk", "install", "SDKMAN_DIR", ".sdkman", "candidates"),
    ("ghcup", "install", "GHCUP_INSTALL_BASE_PREFIX", "", ".ghcup"),
    ("pixi", "install", "PIXI_HOME", ".pixi", "envs"),
];

/// `None` if the command runs no installer; else whether it prints nothing that matters.
pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> Option<bool> {
    match name {
        "sh" | "bash" | "ash" | "dash" | "zsh" | "ksh" => return interpreted(shell, call),
        "python" | "python3" => {
            let fed = call.arguments().iter().all(|a| a.value.is("-"));
            return if fed { interpreted(shell, call) } else { None };
        }
        _ => {}
    }
    // These have a meaning of their own, wherever they came from.
    let is_build = matches!(name, "configure" | "Configure" | "config" | "gradlew" | "mvnw");
    if !is_build && call.text(0).is_some_and(|t| t.contains('/')) {
        let path = call.argv.first().and_then(|a| shell.path(&a.value));
        let brought = path.and_then(|p| shell.state.files.find(&p));
        if let Some(file) = brought.filter(is_brought) {
            return started(shell, &file, call, call.arguments());
        }
    }
    let row =
        MANAGERS.iter().find(|row| row.0 == name && call.text(1).as_deref() == Some(row.1))?;
    let (_, _, variable, folder, below) = *row;
    let base = folder_variable(shell, call, variable).or_else(|| in_home(shell, folder));
    install(shell, call, Manager::Script, call.argv.get(2..).unwrap_or_default().to_vec());
    if let Some(base) = base {
        let installed =
            Installed { linkage: Linkage::Unknown, ..Installed::native(shell, Manager::Script) };
        installed.put(shell, call, join(&base, below), true);
    }
    Some(true)
}

/// Whether a file came from elsewhere, and so may be an installer.
fn is_brought(file: &Artifact) -> bool {
    matches!(file.made, Made::Downloaded { .. } | Made::Unpacked | Made::Context { .. })
}

/// `sh file words`, `… | sh -s -- words`.
fn interpreted(shell: &mut Interpreter<'_, '_>, call: &Call) -> Option<bool> {
    let mut at = 1;
    let mut from_input = false;
    while let Some(word) = call.argv.get(at) {
        let text = word.value.known_prefix();
        if !text.starts_with(['-', '+']) {
            break;
        }
        at += 1;
        from_input |= text == "-s"
            || text == "-"
            || (text.len() > 1 && text[1..].ends_with('s') && !text.starts_with("--"));
        if text == "--" {
            break;
        }
        if text == "-o" {
            at += 1;
        }
    }
    let stdin = call.argv.get(at).is_some_and(|a| a.value.is("/dev/stdin"));
    if from_input || stdin || at >= call.argv.len() {
        let file = shell.input_file()?;
        let words = call.argv.get(at + usize::from(stdin)..).unwrap_or_default();
        return started(shell, &file, call, words);
    }
    let script = call.argv.get(at)?;
    let name = script.value.as_known().map(|t| file_name(&t).to_owned());
    if let Some(name @ ("mvnw" | "gradlew" | "configure")) = name.as_deref() {
        let argv = call.argv.get(at..)?.to_vec();
        let inner = Call { argv, prefix: call.prefix.clone(), span: call.span };
        return Some(super::run(shell, name, &inner));
    }
    let file = shell.path(&script.value).and_then(|p| shell.state.files.find(&p))?;
    started(shell, &file, call, call.argv.get(at + 1..).unwrap_or_default())
}

/// A value of one of these options among the words of an installer.
fn option(words: &[Argument], names: &[&str]) -> Option<Argument> {
    words.iter().enumerate().find_map(|(i, word)| {
        let text = word.value.known_prefix();
        if names.contains(&&*text) {
            return words.get(i + 1).cloned();
        }
        let (name, _) = text.split_once('=').filter(|(name, _)| names.contains(name))?;
        let value = word.value.without_prefix(name.len() + 1)?;
        Some(Argument { value, span: word.span })
    })
}

/// A file that was fetched or unpacked is started with these words.
fn started(
    shell: &mut Interpreter<'_, '_>,
    file: &Artifact,
    call: &Call,
    words: &[Argument],
) -> Option<bool> {
    let name = file_name(&file.path).to_owned();
    if words.iter().any(|w| w.value.known_prefix().starts_with("--appimage-extract")) {
        let folder = shell.absolute("squashfs-root")?;
        archive::unpack_whole(shell, file, &folder, call);
        return Some(true);
    }
    if file.path.ends_with("aws/install") {
        aws(shell, file, call, words);
        return Some(true);
    }
    if name == "rustup-init" {
        let told = option(words, &["--default-host"]);
        let mut installed = Installed::native(shell, Manager::Script);
        installed.linkage = Linkage::Unknown;
        if file.machine.kind != MachineKind::Unknown {
            installed.machine = file.machine.clone();
        }
        if let Some(told) = told {
            let setting = super::build::option_setting("--default-host", &told);
            installed.machine = Installed::told(shell, Manager::Script, &setting).machine;
        }
        let home = folder_variable(shell, call, "CARGO_HOME").or_else(|| in_home(shell, ".cargo"));
        install(shell, call, Manager::Script, Vec::new());
        shell.state.toolchains.insert(Toolchain::Rust);
        if let Some(home) = home {
            installed.put(shell, call, join(&home, "bin"), true);
        }
        return Some(true);
    }
    // What unpacks itself is of the machine that its name tells.
    let unpacks = [".sh", ".run", ".bin", ".bsx"].iter().any(|e| name.ends_with(e))
        && file.machine.platform().is_some();
    if unpacks {
        let names = [
            "-p",
            "--prefix",
            "--installpath",
            "--toolkitpath",
            "--target",
            "--install-dir",
            "-d",
            "--installdir",
            "-install_dir",
            "--destination",
        ];
        let folder = option(words, &names).and_then(|f| shell.path(&f.value));
        if let Some(folder) = folder {
            archive::unpack_whole(shell, file, &folder, call);
        }
        return Some(true);
    }
    let Made::Downloaded { url } = &file.made else { return None };
    let address = url.spelling();
    downloaded_script(shell, &address, call, words)
}

fn downloaded_script(
    shell: &mut Interpreter<'_, '_>,
    address: &str,
    call: &Call,
    words: &[Argument],
) -> Option<bool> {
    let known = SCRIPTS.iter().find(|s| address.contains(s.mark));
    let told = option(words, FOLDER_OPTIONS).and_then(|f| shell.path(&f.value));
    let installed =
        Installed { linkage: Linkage::Unknown, ..Installed::native(shell, Manager::Script) };
    let Some(row) = known else {
        // A usual convention: programs go to the folder behind `-b`.
        install(shell, call, Manager::Script, Vec::new());
        if let Some(folder) = told.filter(|_| option(words, &["-b", "--bin-dir", "--to"]).is_some())
        {
            installed.put(shell, call, folder, false);
        }
        return Some(false);
    };
    let machine = option(words, &["--default-host", "--architecture", "--arch", "--target"]);
    let installed = match machine {
        Some(argument) => {
            let setting = super::build::option_setting("--architecture", &argument);
            Installed::told(shell, Manager::Script, &setting)
        }
        None => installed,
    };
    install(shell, call, Manager::Script, Vec::new());
    shell.state.toolchains.extend(row.toolchain);
    let by_variable =
        folder_variable(shell, call, row.variable).filter(|_| !row.variable.is_empty());
    let base = told.or(by_variable).or_else(|| match row.folder.starts_with('/') {
        true => Some(row.folder.to_owned()),
        false => in_home(shell, row.folder),
    });
    let Some(base) = base else { return Some(false) };
    for leaf in row.leaves {
        let path = absolute(&base, leaf.trim_start_matches('/'));
        match leaf.ends_with('/') {
            true => installed.put(shell, call, path, true),
            false => installed.put_file(shell, call, path),
        }
    }
    Some(false)
}

/// AWS's command line brings its own Python, for glibc.
fn aws(shell: &mut Interpreter<'_, '_>, file: &Artifact, call: &Call, words: &[Argument]) {
    let folder = |names: &[&str], default: &str| match option(words, names) {
        Some(folder) => shell.path(&folder.value),
        None => Some(default.to_owned()),
    };
    let (own, bin) = (
        folder(&["-i", "--install-dir"], "/usr/local/aws-cli"),
        folder(&["-b", "--bin-dir"], "/usr/local/bin"),
    );
    if let Some(own) = own {
        archive::unpack_whole(shell, file, &own, call);
    }
    if let Some(bin) = bin {
        let path = join(&bin, "aws");
        let (station, certain) = (shell.station(path.clone(), call.span), shell.is_certain());
        let program = Artifact { folder: false, ..file.moved(path, station, certain) };
        shell.state.files.put(program);
    }
}
