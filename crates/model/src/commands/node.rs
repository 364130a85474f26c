//! Node: npm and its kin, bundlers, and what makes programs of scripts.
//!
//! `node_modules` may hold native modules: they are compiled, or chosen among prebuilt ones, for
//! the machine that the package manager runs on, unless npm's `cpu`, `os` and `libc` settings (or
//! `npm_config_arch` and the like, which prebuilt addons listen to) say otherwise. Whether there
//! are any, only the package file tells; a package that is known for it and named in the command
//! makes it certain.

use super::{
    build::{
        Build, Installed, first_setting, folder_variable, in_home, install, option_setting,
        variable,
    },
    built::Place,
    download,
    names::platform_in,
    native_packages::{is_native_npm, npm_name},
    options::Line,
};
use crate::{
    effect::{Argument, Fetcher, Manager, Setting, Tool},
    files::join,
    machine::{Linkage, Machine, MachineKind, MachineSource},
    shell::{Call, Interpreter},
};

#[rustfmt::skip]
const VALUES: &[&str] = &[
    "--prefix", "--registry", "--cpu", "--os", "--libc", "--omit", "--include", "-w", "--workspace",
    "--cwd", "-C", "--dir", "--filter", "-F", "--network-timeout", "--modules-folder",
    "--target_arch", "--target-arch", "--arch", "--loglevel", "--cache", "--userconfig",
    "--network-concurrency", "--reporter", "--cache-folder", "--store-dir", "--target_platform",
];

/// Variables by which npm's addons are told the machine, the strongest first.
const MACHINE_VARIABLES: &[&str] = &[
    "npm_config_target_arch",
    "npm_config_arch",
    "npm_config_cpu",
    "NPM_CONFIG_TARGET_ARCH",
    "NPM_CONFIG_ARCH",
    "NPM_CONFIG_CPU",
];

/// Folders that bundlers write.
const BUNDLES: &[&str] =
    &["dist", "build", "out", "public", ".next", ".nuxt", ".output", ".svelte-kit", "www", "_site"];

/// `false` if the program is none of these, or does nothing that is known.
pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    match name {
        "npm" | "yarn" | "yarnpkg" | "pnpm" | "bun" | "cnpm" => {
            packages(shell, name, call) || script(shell, call)
        }
        "npx" | "pnpx" | "bunx" => inner(shell, call, 1),
        "deno" => deno(shell, call),
        "lerna" | "rush" => {
            let verb = call.text(1);
            let installs = matches!(verb.as_deref(), Some("bootstrap" | "install" | "update"));
            if installs && let Some(directory) = shell.directory.clone() {
                let place = join(&directory, "node_modules");
                Installed::native(shell, Manager::Npm).put(shell, call, place, false);
            }
            installs
        }
        _ => tool(shell, name, call),
    }
}

/// What a program out of `node_modules` does, by whatever way it was started.
fn inner(shell: &mut Interpreter<'_, '_>, call: &Call, from: usize) -> bool {
    let value_options = ["-p", "--package", "-c", "--call", "-w"];
    let mut at = from;
    while let Some(word) = call.argv.get(at) {
        let text = word.value.known_prefix();
        if value_options.contains(&&*text) {
            at += 2;
        } else if text.starts_with('-') {
            at += 1;
        } else {
            break;
        }
    }
    let Some(name) = call.text(at).map(|t| npm_name(&t).to_owned()) else { return false };
    let argv = call.argv.get(at..).unwrap_or_default().to_vec();
    let inner = Call { argv, prefix: call.prefix.clone(), span: call.span };
    match name.as_str() {
        "npm" | "yarn" | "pnpm" | "bun" => run(shell, &name, &inner),
        name => tool(shell, name.trim_start_matches("@yao-pkg/"), &inner),
    }
}

/// `npm ci`, `yarn`, `pnpm install`, `npm install -g x`.
fn packages(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let line = Line::read(call.arguments(), VALUES);
    let verb = line.operand(0).map(std::borrow::Cow::into_owned);
    let installs = match verb.as_deref() {
        Some(
            "install" | "i" | "ci" | "add" | "clean-install" | "rebuild" | "it" | "cit" | "update"
            | "up" | "upgrade" | "install-test" | "deploy" | "fetch" | "import",
        ) => true,
        // `yarn workspaces focus`, `yarn global add`
        Some("workspaces" | "global") if name == "yarn" => {
            matches!(line.operand(1).as_deref(), Some("focus" | "add"))
        }
        None => name == "yarn" && !line.has(&["--version", "-v", "--help", "-h"]),
        _ => false,
    };
    if !installs {
        return false;
    }
    let is_global =
        line.has(&["-g", "--global", "--location"]) || verb.as_deref() == Some("global");
    let skip = match verb.as_deref() {
        Some("global") => 2,
        // Behind it are workspaces.
        Some("workspaces") => usize::MAX,
        _ => 1,
    };
    let names: Vec<Argument> = line.operands.iter().skip(skip).cloned().collect();
    if verb.as_deref() == Some("deploy") {
        install(shell, call, Manager::Npm, Vec::new());
    } else {
        download::addresses(shell, Fetcher::Npm, &names, call.span);
        install(shell, call, Manager::Npm, names.clone());
    }
    let folder = match (is_global, verb.as_deref()) {
        (true, _) => global_folder(shell, call),
        // `pnpm deploy --prod /out`
        (_, Some("deploy")) => names.last().and_then(|n| shell.path(&n.value)),
        _ => match line.value(&["--prefix", "--cwd", "-C", "--dir"]) {
            Some(folder) => shell.path(&folder.value),
            None => shell.directory.clone(),
        },
    };
    let modules = match line.value(&["--modules-folder"]) {
        Some(folder) => shell.path(&folder.value),
        None => folder.map(|f| join(&f, "node_modules")),
    };
    let Some(modules) = modules else { return true };
    let installed = machine_of(shell, call, &line);
    installed.put(shell, call, modules.clone(), false);
    named_packages(shell, call, &installed, &names, &modules);
    true
}

/// Where `-g` installs: below npm's prefix, which is Node's own.
fn global_folder(shell: &Interpreter<'_, '_>, call: &Call) -> Option<String> {
    let given = folder_variable(shell, call, "NPM_CONFIG_PREFIX")
        .or_else(|| folder_variable(shell, call, "npm_config_prefix"));
    let prefix = given
        .or_else(|| super::image::is_official(shell, "node").then(|| "/usr/local".to_owned()))?;
    Some(join(&prefix, "lib"))
}

/// For which machine native modules come.
fn machine_of(shell: &Interpreter<'_, '_>, call: &Call, line: &Line) -> Installed {
    let options = ["--cpu", "--target_arch", "--target-arch", "--arch"];
    let told = first_setting(line, &options).or_else(|| variable(shell, call, MACHINE_VARIABLES));
    if let Some(setting) = told {
        let libc = line.value(&["--libc"]).and_then(|l| l.value.as_known());
        let linkage = match libc.as_deref() {
            Some("musl") => Linkage::Musl,
            Some("glibc") => Linkage::Glibc,
            _ => Linkage::Unknown,
        };
        let other_system = line.value(&["--os"]).is_some_and(|os| !os.value.is("linux"));
        let installed = Installed::told(shell, Manager::Npm, &setting);
        return match other_system {
            true => Installed::unknown(Manager::Npm),
            false => Installed { linkage, ..installed },
        };
    }
    // What scripts would compile or fetch is left out; prebuilt parts are not.
    let quiet = variable(shell, call, &["npm_config_ignore_scripts", "NPM_CONFIG_IGNORE_SCRIPTS"]);
    if line.has(&["--ignore-scripts", "--os", "--libc"])
        || quiet.is_some_and(|q| q.value.is("true"))
    {
        return Installed::unknown(Manager::Npm);
    }
    Installed::native(shell, Manager::Npm)
}

/// Packages that the command names and that are known to hold machine code, or that are for one
/// machine by their name (`@esbuild/linux-x64`).
fn named_packages(
    shell: &mut Interpreter<'_, '_>,
    call: &Call,
    installed: &Installed,
    names: &[Argument],
    modules: &str,
) {
    for word in names {
        let Some(text) = word.value.as_known() else { continue };
        let name = npm_name(&text);
        if name.contains("://") || name.starts_with(['.', '/']) {
            continue;
        }
        let path = join(modules, name);
        if let Some(platform) = platform_in(name, shell.world.target).filter(|_| text.contains('-'))
        {
            let source = MachineSource::Name { value: word.value.clone() };
            let machine = Machine { kind: MachineKind::Platform(platform), source };
            Installed { manager: Manager::Npm, machine, linkage: Linkage::Unknown }
                .put(shell, call, path, true);
        } else if is_native_npm(name) {
            installed.put(shell, call, path, true);
        }
    }
}

/// `npm run build`, `yarn build:prod`, and programs by name: `yarn webpack`.
fn script(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let compiles = call.arguments().iter().any(|a| a.value.is("--compile"));
    if compiles {
        return compile(shell, call);
    }
    let builds = call.arguments().iter().any(|a| {
        a.value.as_known().is_some_and(|t| t.split(':').any(|part| part.starts_with("build")))
            || a.value.as_known().is_some_and(|t| matches!(&*t, "generate" | "export" | "bundle"))
    });
    if builds {
        bundles(shell, call);
        return true;
    }
    // `yarn playwright install`, `pnpm exec pkg …`
    let at = 1 + call
        .arguments()
        .iter()
        .position(|a| {
            !matches!(a.value.as_known().as_deref(), Some("exec" | "dlx" | "run" | "x" | "--"))
        })
        .unwrap_or(0);
    inner(shell, call, at)
}

/// What a bundler leaves runs anywhere, except that Next's `standalone` folder holds a copy of the
/// native modules in use.
fn bundles(shell: &mut Interpreter<'_, '_>, call: &Call) {
    let here = shell.directory.clone();
    let place = |d: &String, f: &&str| Place { path: join(d, f), folder: true, guessed: true };
    let places = here.iter().flat_map(|d| BUNDLES.iter().map(|f| place(d, f))).collect();
    Build::independent(Tool::Node).make(shell, call, places);
    if let Some(directory) = here {
        let modules = join(&directory, ".next/standalone/node_modules");
        Installed::unknown(Manager::Npm).put(shell, call, modules, false);
    }
}

/// Programs out of `node_modules`.
fn tool(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let verb = call.text(1).map(std::borrow::Cow::into_owned);
    match name {
        "tsc" | "vite" | "webpack" | "rollup" | "esbuild" | "parcel" | "tsup" | "grunt"
        | "gulp" | "vue-cli-service" | "ncc" => bundles(shell, call),
        "ng" | "next" | "nuxt" | "nuxi" | "nx" | "turbo" | "react-scripts" | "astro" | "gatsby"
        | "nest" | "remix" | "svelte-kit" | "expo" | "hexo" => {
            let builds = call.arguments().iter().any(|a| {
                let text = a.value.known_prefix();
                text.starts_with("build") || text == "generate" || text == "export"
            });
            if !builds {
                return false;
            }
            bundles(shell, call);
        }
        "playwright" | "puppeteer" | "cypress" if is_install(call) => {
            browsers(shell, call, name);
        }
        "node-gyp" | "node-pre-gyp" | "prebuild" | "cmake-js" => {
            if !matches!(verb.as_deref(), Some("rebuild" | "build" | "configure" | "install")) {
                return false;
            }
            addon(shell, call);
        }
        "pkg" | "nexe" => packed_program(shell, call),
        "electron-builder" | "electron-packager" => electron(shell, call),
        "prisma" if verb.as_deref() == Some("generate") => {
            if let Some(directory) = shell.directory.clone() {
                let told = variable(shell, call, &["PRISMA_CLI_BINARY_TARGETS"]);
                let engines = match told {
                    Some(_) => Installed::unknown(Manager::Npm),
                    None => Installed::native(shell, Manager::Npm),
                };
                let path = join(&directory, "node_modules/.prisma");
                engines.put(shell, call, path, false);
            }
        }
        _ => return false,
    }
    true
}

fn is_install(call: &Call) -> bool {
    call.arguments().iter().any(|a| a.value.is("install"))
}

/// Browsers for the machine that fetches them.
fn browsers(shell: &mut Interpreter<'_, '_>, call: &Call, name: &str) {
    let (variable, cache) = match name {
        "playwright" => ("PLAYWRIGHT_BROWSERS_PATH", ".cache/ms-playwright"),
        "puppeteer" => ("PUPPETEER_CACHE_DIR", ".cache/puppeteer"),
        _ => ("CYPRESS_CACHE_FOLDER", ".cache/Cypress"),
    };
    install(shell, call, Manager::Npm, Vec::new());
    let folder = folder_variable(shell, call, variable).or_else(|| in_home(shell, cache));
    if let Some(folder) = folder {
        // They are linked to glibc wherever they are fetched.
        let browsers =
            Installed { linkage: Linkage::Unknown, ..Installed::native(shell, Manager::Npm) };
        browsers.put(shell, call, folder, true);
    }
}

fn addon(shell: &mut Interpreter<'_, '_>, call: &Call) {
    let line = Line::read(call.arguments(), VALUES);
    let told = first_setting(&line, &["--target_arch", "--target-arch", "--arch"])
        .or_else(|| variable(shell, call, MACHINE_VARIABLES));
    let folder = match line.value(&["-C"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    let place = folder.map(|f| Place::folder(join(&f, "build/Release")));
    let build = Build::told(shell, Tool::Node, told);
    build.make(shell, call, place.into_iter().collect());
}

/// `pkg -t node18-linux-x64 -o out .`, `nexe -t linux-x64-14 -o out`: without a machine, for the
/// one it runs on.
fn packed_program(shell: &mut Interpreter<'_, '_>, call: &Call) {
    let values = [
        "-t",
        "--target",
        "--targets",
        "-o",
        "--output",
        "--out-path",
        "-c",
        "--config",
        "--options",
        "-i",
        "--input",
        "-r",
        "-C",
        "--compress",
    ];
    let line = Line::read(call.arguments(), &values);
    let told = first_setting(&line, &["-t", "--target", "--targets"]);
    let many = told.as_ref().is_some_and(|t| t.value.spelling().contains(','));
    let names_machine = told.as_ref().is_some_and(|t| {
        let text = t.value.spelling();
        t.value.as_known().is_none() || platform_in(&text, shell.world.target).is_some()
    });
    let mut build = Build::told(shell, Tool::Node, told.filter(|_| names_machine));
    if many {
        build.machine = Machine::unknown();
    }
    let file = line.value(&["-o", "--output"]).and_then(|o| shell.path(&o.value)).map(Place::file);
    let folder = line.value(&["--out-path"]).and_then(|o| shell.path(&o.value)).map(Place::folder);
    build.make(shell, call, file.or(folder).into_iter().collect());
}

/// `bun build --compile --target=bun-linux-arm64 --outfile app`.
fn compile(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read(call.arguments(), &["--target", "--outfile", "--outdir"]);
    let build = Build::told(shell, Tool::Node, first_setting(&line, &["--target"]));
    let place = line.value(&["--outfile"]).and_then(|o| shell.path(&o.value)).map(Place::file);
    build.make(shell, call, place.into_iter().collect());
    true
}

/// `deno compile --target x86_64-unknown-linux-gnu -o app main.ts`; its programs need glibc.
fn deno(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    if call.text(1).as_deref() != Some("compile") {
        return !matches!(call.text(1).as_deref(), Some("run" | "eval" | "info" | "task") | None);
    }
    let line = Line::read(call.arguments(), &["--target", "-o", "--output"]);
    let build = Build::told(shell, Tool::Node, first_setting(&line, &["--target"]));
    let file = line.value(&["-o", "--output"]).and_then(|o| shell.path(&o.value)).map(Place::file);
    build.make(shell, call, file.into_iter().collect());
    true
}

/// `electron-builder --linux --arm64`.
fn electron(shell: &mut Interpreter<'_, '_>, call: &Call) {
    let line = Line::read(call.arguments(), &["--arch", "--out", "--platform"]);
    let machines = ["--x64", "--arm64", "--armv7l", "--ia32"];
    let chosen: Vec<&&str> = machines.iter().filter(|m| line.has(&[m])).collect();
    let flag = chosen.first().and_then(|name| {
        let word = call.arguments().iter().find(|a| a.value.is(name))?;
        let value = word.value.without_prefix(2)?;
        Some(option_setting(name, &Argument { value, span: word.span }))
    });
    let told: Option<Setting> = flag.or_else(|| first_setting(&line, &["--arch"]));
    let mut build = Build::told(shell, Tool::Node, told);
    let elsewhere = line.has(&["--mac", "-m", "--win", "-w", "--platform"]);
    if chosen.len() > 1 || elsewhere {
        build.machine = Machine::unknown();
    }
    let place = shell.directory.as_ref().map(|d| Place::folder(join(d, "dist")));
    build.make(shell, call, place.into_iter().collect());
}
