//! Python: packages, environments, and what makes programs of scripts.
//!
//! Wheels are chosen, and source packages compiled, for the machine and C library that the
//! installer runs on, unless `--platform` names another. Whether there is machine code among them
//! only the packages tell; those that are known for it and named in the command make it certain.
//! An environment's own programs are scripts and a link to the interpreter.

use super::{
    archive,
    build::{Build, Installed, first_setting, folder_variable, in_home, install, variable},
    built::Place,
    download, image,
    native_packages::{is_native_python, python_name},
    options::Line,
};
use crate::{
    effect::{Argument, Fetcher, Manager, Tool},
    files::{UNKNOWN_NAME, file_name, join},
    knowledge::Toolchain,
    machine::{Linkage, Machine, MachineKind},
    shell::{Call, Dialect, Interpreter},
};

#[rustfmt::skip]
const PIP_VALUES: &[&str] = &[
    "-r", "--requirement", "-c", "--constraint", "-i", "--index-url", "--extra-index-url", "-t",
    "--target", "--prefix", "--root", "-f", "--find-links", "--platform", "--python-platform",
    "--python-version", "--implementation", "--abi", "--only-binary", "--no-binary", "--timeout",
    "--cache-dir", "--python", "-p", "--retries", "--trusted-host", "--src", "-e", "--editable",
    "-d", "--dest", "-w", "--wheel-dir", "--progress-bar", "--root-user-action", "--log",
    "--config-settings", "--index", "--default-index", "--extra", "--group", "--only-group",
    "--no-group", "--project", "--directory", "--link-mode", "--index-strategy", "--with",
    "--exclude-newer", "--override", "--torch-backend",
];

/// `false` if the program is none of these, or does nothing that is known.
pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    match name {
        "pip" | "pip3" => pip(shell, call.arguments(), call),
        "pipx" => launchers(shell, call, "PIPX_BIN_DIR", "PIPX_HOME"),
        "uv" | "uvx" => uv(shell, call),
        "poetry" | "pdm" | "pipenv" | "hatch" | "rye" => project(shell, name, call),
        "conda" | "mamba" | "micromamba" | "conda-lock" => conda(shell, call),
        "conda-pack" => conda_pack(shell, call),
        "virtualenv" => environment(shell, call, call.arguments()),
        "pyinstaller" | "nuitka" | "nuitka3" | "cxfreeze" | "pyoxidizer" => {
            program(shell, name, call)
        }
        "cythonize" | "auditwheel" | "f2py" => compiled_here(shell, call),
        "easy_install" => {
            install(shell, call, Manager::Pip, call.arguments().to_vec());
            true
        }
        _ if name == "python" || name.starts_with("python2") || name.starts_with("python3") => {
            python(shell, call)
        }
        _ if name.starts_with("pip3.") || name == "pip2" => pip(shell, call.arguments(), call),
        _ => false,
    }
}

/// `python -m pip …`, `python -m venv …`, `python setup.py …`.
fn python(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    if archive::python_module(shell, call) || download::python(shell, call) {
        return true;
    }
    let Some(at) = call.argv.iter().position(|a| a.value.is("-m")) else {
        let setup = call.text(1).is_some_and(|t| file_name(&t) == "setup.py");
        return setup && setup_script(shell, call);
    };
    let rest = call.argv.get(at + 2..).unwrap_or_default();
    match call.text(at + 1).as_deref() {
        Some("pip") => pip(shell, rest, call),
        Some("venv" | "virtualenv") => environment(shell, call, rest),
        Some("build") => compiled_here(shell, call),
        Some(module @ ("poetry" | "pipenv" | "pdm" | "uv" | "nuitka" | "PyInstaller" | "pipx")) => {
            let argv = call.argv.get(at + 1..).unwrap_or_default().to_vec();
            let inner = Call { argv, prefix: call.prefix.clone(), span: call.span };
            run(shell, &module.to_ascii_lowercase(), &inner)
        }
        _ => false,
    }
}

/// `python setup.py bdist_wheel`, `build_ext --inplace`, `install --prefix=/out`.
fn setup_script(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read_long(call.arguments().get(1..).unwrap_or_default(), PIP_VALUES);
    let has = |verb: &str| line.operands.iter().any(|o| o.value.is(verb));
    if has("install") || has("develop") {
        install(shell, call, Manager::Pip, Vec::new());
        if let Some(folder) = line.value(&["--prefix", "--root"]).and_then(|p| shell.path(&p.value))
        {
            Installed::native(shell, Manager::Pip).put(shell, call, folder, false);
        }
        return true;
    }
    (has("bdist_wheel") || has("build_ext") || has("build") || has("bdist_egg"))
        && compiled_here(shell, call)
}

/// `dist` and `build` hold what was compiled, if the package has anything to compile.
fn compiled_here(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let built = Installed::native(shell, Manager::Pip);
    for folder in ["dist", "build"] {
        if let Some(path) = shell.absolute(folder) {
            built.put(shell, call, path, false);
        }
    }
    true
}

/// For which machine packages come. `--platform any` takes those without machine code only.
fn machine_of(shell: &Interpreter<'_, '_>, line: &Line) -> Installed {
    let told = first_setting(line, &["--platform", "--python-platform"]);
    match told {
        Some(setting) if setting.value.is("any") => Installed::independent(Manager::Pip),
        Some(setting) if setting.value.is("linux") => Installed::native(shell, Manager::Pip),
        Some(setting) => Installed::told(shell, Manager::Pip, &setting),
        None => Installed::native(shell, Manager::Pip),
    }
}

/// pip, and what takes its arguments.
fn pip(shell: &mut Interpreter<'_, '_>, words: &[Argument], call: &Call) -> bool {
    let line = Line::read(words, PIP_VALUES);
    let verb = line.operand(0).map(std::borrow::Cow::into_owned);
    if !matches!(verb.as_deref(), Some("install" | "download" | "wheel" | "sync")) {
        return !matches!(verb.as_deref(), Some("freeze" | "list" | "show" | "config"));
    }
    if line.has(&["--dry-run"]) {
        return false;
    }
    let mut packages: Vec<Argument> = line.operands[1..].to_vec();
    packages.extend(line.values(&["-e", "--editable"]).cloned());
    download::addresses(shell, Fetcher::Pip, &packages, call.span);
    if verb.as_deref() != Some("download") {
        install(shell, call, Manager::Pip, packages.clone());
    }
    let installed = machine_of(shell, &line);
    if matches!(verb.as_deref(), Some("download" | "wheel")) {
        let folder = match line.value(&["-d", "--dest", "-w", "--wheel-dir"]) {
            Some(folder) => shell.path(&folder.value),
            // A few wheels among other files say nothing of the folder.
            None if verb.as_deref() == Some("download") => None,
            None => shell.directory.clone(),
        };
        if let Some(folder) = folder {
            installed.put(shell, call, folder, false);
        }
        return true;
    }
    let given = line.value(&["-t", "--target"]).or_else(|| line.value(&["--prefix"]));
    let (folder, packages_in) = match given.or_else(|| line.value(&["--root"])) {
        Some(given) => {
            let path = shell.path(&given.value);
            let flat = line.value(&["-t", "--target"]).is_some();
            (path.clone(), path.filter(|_| flat))
        }
        None => default_folder(shell, call, &line),
    };
    if let Some(folder) = folder {
        installed.put(shell, call, folder, false);
    }
    if let Some(folder) = packages_in {
        named_packages(shell, call, &installed, &packages, &folder);
    }
    true
}

/// Packages in the command that are known to hold machine code.
fn named_packages(
    shell: &mut Interpreter<'_, '_>,
    call: &Call,
    installed: &Installed,
    packages: &[Argument],
    folder: &str,
) {
    if installed.machine.kind == MachineKind::Independent {
        return;
    }
    for word in packages {
        let Some(text) = word.value.as_known() else { continue };
        let name = python_name(&text);
        if is_native_python(&name) && !text.contains('/') {
            // What the folder is called that it is imported by, its name does not tell.
            installed.put(shell, call, join(folder, &name), true);
        }
    }
}

/// Where packages go without `--target`: the folder to record, and the one that packages lie right
/// in.
fn default_folder(
    shell: &Interpreter<'_, '_>,
    call: &Call,
    line: &Line,
) -> (Option<String>, Option<String>) {
    if line.has(&["--user"]) {
        let base =
            folder_variable(shell, call, "PYTHONUSERBASE").or_else(|| in_home(shell, ".local"));
        return (base, None);
    }
    // `/venv/bin/pip`, or an environment that VIRTUAL_ENV or PATH makes the current one.
    let program = call.text(0).map(std::borrow::Cow::into_owned).unwrap_or_default();
    let by_path = program.rsplit_once("/bin/").map(|(folder, _)| folder.to_owned());
    let by_path = by_path.filter(|f| !matches!(f.as_str(), "" | "/usr" | "/usr/local"));
    let current = by_path
        .and_then(|f| shell.absolute(&f))
        .or_else(|| folder_variable(shell, call, "VIRTUAL_ENV"))
        .or_else(|| first_environment_in_path(shell, call));
    if current.is_some() {
        return (current, None);
    }
    // Debian's own Python keeps what pip installs apart, in a folder that tells its version.
    let of_debian = shell.state.sh == Dialect::Dash
        && image::reference(shell).is_some_and(|r| r.official_name().is_some())
        && !image::is_official(shell, "python")
        && shell.state.toolchains.contains(&Toolchain::Python);
    if of_debian {
        return (Some(format!("/usr/local/lib/python3{UNKNOWN_NAME}/dist-packages")), None);
    }
    let version = image::version(shell).filter(|_| image::is_official(shell, "python"));
    let folder = version
        .and_then(|v| Some(format!("/usr/local/lib/python{}.{}/site-packages", v.major, v.minor?)));
    (folder.clone(), folder)
}

/// The environment that this Dockerfile made and put first in PATH.
fn first_environment_in_path(shell: &Interpreter<'_, '_>, call: &Call) -> Option<String> {
    let path = shell.environment(call, "PATH")?.value;
    let first = path.known_prefix();
    let folder = first.split(':').next()?.strip_suffix("/bin")?;
    let is_environment = |a: &crate::Artifact| {
        matches!(a.made, crate::Made::Installed { manager: Manager::Pip | Manager::Conda })
    };
    shell.state.files.at(folder).filter(|a| is_environment(a))?;
    Some(folder.to_owned())
}

/// `python -m venv folder`, `virtualenv folder`, `uv venv [folder]`.
fn environment(shell: &mut Interpreter<'_, '_>, call: &Call, words: &[Argument]) -> bool {
    let line = Line::read(words, &["-p", "--python", "--prompt"]);
    let path = match line.operands.last() {
        Some(folder) => shell.path(&folder.value),
        None => shell.absolute(".venv"),
    };
    let Some(path) = path else { return true };
    let installed = Installed::native(shell, Manager::Pip);
    installed.put(shell, call, path.clone(), false);
    // A copy of the interpreter, and not a link to it.
    if line.has(&["--copies", "--always-copy"]) {
        installed.put_file(shell, call, join(&path, "bin/python"));
    }
    true
}

fn uv(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read(call.arguments(), PIP_VALUES);
    let at = |n: usize| line.operand(n).map(std::borrow::Cow::into_owned);
    match (at(0).as_deref(), at(1).as_deref()) {
        (Some("pip"), _) => pip(shell, call.argv.get(2..).unwrap_or_default(), call),
        (Some("venv"), _) => environment(shell, call, call.argv.get(2..).unwrap_or_default()),
        (Some("sync" | "add"), _) => {
            let packages = match at(0).as_deref() {
                Some("add") => line.operands[1..].to_vec(),
                _ => Vec::new(),
            };
            install(shell, call, Manager::Pip, packages);
            let base = line.value(&["--directory", "--project"]).and_then(|d| shell.path(&d.value));
            let base = base.or_else(|| shell.directory.clone());
            let folder = folder_variable(shell, call, "UV_PROJECT_ENVIRONMENT")
                .or_else(|| base.map(|b| join(&b, ".venv")));
            if let Some(folder) = folder {
                let told = first_setting(&line, &["--python-platform"]);
                let installed = match told {
                    Some(setting) => Installed::told(shell, Manager::Pip, &setting),
                    None => Installed::native(shell, Manager::Pip),
                };
                installed.put(shell, call, folder, false);
            }
            true
        }
        (Some("python"), Some("install")) => {
            let folder = folder_variable(shell, call, "UV_PYTHON_INSTALL_DIR")
                .or_else(|| in_home(shell, ".local/share/uv/python"));
            install(shell, call, Manager::Pip, line.operands[2..].to_vec());
            if let Some(folder) = folder {
                Installed::native(shell, Manager::Pip).put(shell, call, folder, true);
            }
            true
        }
        (Some("tool"), Some("install")) => launchers(shell, call, "UV_TOOL_BIN_DIR", "UV_TOOL_DIR"),
        (Some("build"), _) => compiled_here(shell, call),
        _ => false,
    }
}

/// `pipx install x`: an environment of its own, and links to its programs.
fn launchers(shell: &mut Interpreter<'_, '_>, call: &Call, bin: &str, home: &str) -> bool {
    if !call.arguments().iter().any(|a| a.value.is("install")) {
        return false;
    }
    let line = Line::read(call.arguments(), PIP_VALUES);
    let skip = if line.operand(0).as_deref() == Some("tool") { 2 } else { 1 };
    install(shell, call, Manager::Pip, line.operands.iter().skip(skip).cloned().collect());
    let installed = Installed::native(shell, Manager::Pip);
    let folders = [
        folder_variable(shell, call, bin).or_else(|| in_home(shell, ".local/bin")),
        folder_variable(shell, call, home).or_else(|| in_home(shell, ".local/share")),
    ];
    for folder in folders.into_iter().flatten() {
        installed.put(shell, call, folder, false);
    }
    true
}

/// Poetry, PDM, Pipenv: an environment in the project, or in the system.
fn project(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let line =
        Line::read(call.arguments(), &["-C", "--directory", "-P", "--with", "--without", "-p"]);
    match line.operand(0).as_deref() {
        Some("install" | "sync" | "add" | "update") => {}
        Some("build") => return compiled_here(shell, call),
        _ => return false,
    }
    let packages = match line.operand(0).as_deref() {
        Some("add") => line.operands[1..].to_vec(),
        _ => Vec::new(),
    };
    install(shell, call, Manager::Pip, packages);
    let is_off = |name: &str| {
        variable(shell, call, &[name])
            .and_then(|s| Some(matches!(&*s.value.as_known()?, "false" | "0")))
            .unwrap_or(false)
    };
    let in_system = line.has(&["--system"]) || is_off("POETRY_VIRTUALENVS_CREATE");
    let base = line.value(&["-C", "--directory", "-p"]).and_then(|d| shell.path(&d.value));
    let base = base.or_else(|| shell.directory.clone());
    let current = folder_variable(shell, call, "VIRTUAL_ENV");
    let folder = match in_system {
        true => default_folder(shell, call, &line).0,
        // Whether it lies in the project is a matter of configuration: then under this name.
        false => current.or_else(|| base.as_ref().map(|b| join(b, ".venv"))),
    };
    let installed = Installed::native(shell, Manager::Pip);
    if let Some(folder) = folder {
        installed.put(shell, call, folder, false);
    }
    if let (Some(base), "pdm") = (base, name) {
        installed.put(shell, call, join(&base, "__pypackages__"), false);
    }
    true
}

/// conda's environments hold the interpreter and all its libraries, down to glibc.
fn conda(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    #[rustfmt::skip]
    let values = [
        "-n", "--name", "-c", "--channel", "-p", "--prefix", "-f", "--file", "-r", "--root-prefix",
        "--platform", "--subdir", "--override-channels", "--solver",
    ];
    let line = Line::read(call.arguments(), &values);
    let verbs = ["install", "create", "update", "env"];
    let Some(at) = line.operands.iter().position(|o| verbs.iter().any(|v| o.value.is(v))) else {
        return call.text(1).is_some_and(|t| matches!(&*t, "clean" | "config" | "init"));
    };
    let is_env = line.operands[at].value.is("env");
    let skip = if is_env { at + 2 } else { at + 1 };
    let packages = line.operands.iter().skip(skip).cloned().collect();
    install(shell, call, Manager::Conda, packages);
    let told = first_setting(&line, &["--platform", "--subdir"])
        .or_else(|| variable(shell, call, &["CONDA_SUBDIR"]));
    let installed = match told {
        Some(setting) => Installed {
            linkage: Linkage::Unknown,
            ..Installed::told(shell, Manager::Conda, &setting)
        },
        None => Installed { linkage: Linkage::Unknown, ..Installed::native(shell, Manager::Conda) },
    };
    let root = folder_variable(shell, call, "MAMBA_ROOT_PREFIX")
        .or_else(|| folder_variable(shell, call, "CONDA_DIR"))
        .or_else(|| line.value(&["-r", "--root-prefix"]).and_then(|r| shell.path(&r.value)))
        .unwrap_or_else(|| "/opt/conda".to_owned());
    let name = line.value(&["-n", "--name"]).map(|n| n.value.as_known());
    let folder = match (line.value(&["-p", "--prefix"]), name) {
        (Some(prefix), _) => shell.path(&prefix.value),
        (None, Some(Some(name))) if name != "base" => Some(join(&join(&root, "envs"), &name)),
        (None, Some(None)) => Some(join(&root, "envs")),
        // The file tells the name.
        (None, None) if is_env => Some(join(&root, "envs")),
        _ => Some(root),
    };
    if let Some(folder) = folder {
        installed.put(shell, call, folder, true);
    }
    true
}

/// `conda-pack -n name -o file`.
fn conda_pack(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read(call.arguments(), &["-n", "--name", "-p", "--prefix", "-o", "--output"]);
    if let Some(path) = line.value(&["-o", "--output"]).and_then(|o| shell.path(&o.value)) {
        let native = Installed::native(shell, Manager::Conda);
        Installed { linkage: Linkage::Unknown, ..native }.put_file(shell, call, path);
    }
    true
}

/// PyInstaller and Nuitka make programs for the machine that they run on.
fn program(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    #[rustfmt::skip]
    let values = [
        "-n", "--name", "--distpath", "--workpath", "--specpath", "-p", "--paths", "--add-data",
        "--add-binary", "--hidden-import", "--collect-all", "--icon", "-i", "--output-dir",
        "--output-filename", "-o", "--target-dir", "--target-name", "--collect-data", "--runtime-hook",
        "--copy-metadata", "--additional-hooks-dir", "--exclude-module", "--log-level",
    ];
    let line = Line::read(call.arguments(), &values);
    let script = line.operands.last().and_then(|o| o.value.as_known());
    let stem = script.as_deref().map(|s| {
        let file = file_name(s);
        file.rsplit_once('.').map_or(file, |(stem, _)| stem).to_owned()
    });
    let named = line.value(&["-n", "--name", "--output-filename", "-o", "--target-name"]);
    let named = named.and_then(|n| n.value.as_known()).map(std::borrow::Cow::into_owned);
    let has_name = named.is_some();
    let given = line.value(&["--distpath", "--output-dir", "--target-dir"]);
    let is_nuitka = name.starts_with("nuitka");
    let base = match given {
        Some(folder) => shell.path(&folder.value),
        None if is_nuitka => shell.directory.clone(),
        None => shell.absolute("dist"),
    };
    let Some(base) = base else { return true };
    // Of a spec file the name of the result is not known.
    let by_spec = script.is_some_and(|s| s.ends_with(".spec"));
    let place = match named.or(stem).filter(|_| !by_spec) {
        Some(file) if is_nuitka && line.has(&["--standalone"]) && !line.has(&["--onefile"]) => {
            Place::folder(join(&base, &format!("{file}.dist")))
        }
        Some(file) if is_nuitka && !has_name => Place::file(join(&base, &format!("{file}.bin"))),
        Some(file) if line.has(&["--onefile", "-F"]) || is_nuitka => {
            Place::file(join(&base, &file))
        }
        Some(file) => Place::folder(join(&base, &file)),
        None => Place::folder(base),
    };
    let mut build = Build::native(shell, Tool::Other);
    if let Some(arch) = first_setting(&line, &["--target-arch", "--target-architecture"]) {
        // macOS only.
        build.machine = Machine::unknown();
        build.settings.push(arch);
    }
    build.make(shell, call, vec![place]);
    true
}
