//! Where cargo and rustc write.

use super::{Line, config};
use crate::{
    commands::built::Place,
    effect::Setting,
    files::{absolute, file_name, join},
    shell::{Call, Interpreter},
};

/// cargo's target folder.
fn target_folder(
    shell: &Interpreter<'_, '_>,
    call: &Call,
    line: &Line,
    settings: &[Setting],
) -> Option<String> {
    let given = line.value(&["--target-dir"]).map(|d| d.value.clone());
    let from_env = || {
        let names = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"];
        let set = |s: &&Setting| names.contains(&s.name.as_str()) && !s.value.is_empty();
        settings.iter().find(set).map(|s| s.value.clone())
    };
    if let Some(folder) = given.or_else(from_env) {
        return shell.path(&folder);
    }
    match config::read(shell, call, "build", "target-dir") {
        config::Answer::Is(setting) => return shell.path(&setting.value),
        config::Answer::Unset | config::Answer::Unknown => {}
    }
    let manifest = line.value(&["--manifest-path"]).and_then(|m| shell.path(&m.value));
    let base = match manifest {
        Some(path) => path.rsplit_once('/').map(|(folder, _)| absolute("/", folder)),
        None => shell.directory.clone(),
    };
    base.map(|b| join(&b, "target"))
}

/// The folder that cargo names after the profile.
fn profile_folder(line: &Line) -> Option<String> {
    match line.value(&["--profile"]).map(|p| p.value.as_known()) {
        Some(Some(profile)) => Some(match &*profile {
            "dev" | "test" => "debug".to_owned(),
            "bench" => "release".to_owned(),
            _ => profile.into_owned(),
        }),
        Some(None) => None,
        None if line.has(&["--release", "-r"]) => Some("release".to_owned()),
        None => Some("debug".to_owned()),
    }
}

pub(super) fn built(
    shell: &Interpreter<'_, '_>,
    call: &Call,
    line: &Line,
    settings: &[Setting],
    triple: Option<&Setting>,
) -> Vec<Place> {
    let copied = line.value(&["--out-dir", "--artifact-dir"]).and_then(|o| shell.path(&o.value));
    let mut places: Vec<Place> = copied.into_iter().map(Place::folder).collect();
    let Some(folder) = target_folder(shell, call, line, settings) else { return places };
    let folder = match triple.map(|t| t.value.as_known()) {
        // zigbuild takes a glibc version behind the triple, which is not in the folder's name.
        Some(Some(triple)) => {
            let triple = triple.split(".2").next().unwrap_or(&triple);
            join(&folder, file_name(triple).trim_end_matches(".json"))
        }
        Some(None) => {
            places.push(Place::folder(folder));
            return places;
        }
        None => folder,
    };
    let Some(profile) = profile_folder(line) else {
        places.push(Place::folder(folder));
        return places;
    };
    let folder = join(&folder, &profile);
    let named = |options: &[&str], below: &str| -> Vec<Option<Place>> {
        line.values(options)
            .map(|n| Some(Place::file(join(&folder, &format!("{below}{}", n.value.as_known()?)))))
            .collect()
    };
    let mut programs = named(&["--bin"], "");
    programs.extend(named(&["--example"], "examples/"));
    match programs.into_iter().collect::<Option<Vec<Place>>>() {
        Some(programs) if !programs.is_empty() => places.extend(programs),
        _ => places.push(Place::folder(folder)),
    }
    places
}

/// The program of a crate, which is mostly called like it.
fn program_of(name: &str) -> &str {
    const OTHERS: &[(&str, &str)] = &[
        ("ripgrep", "rg"),
        ("fd-find", "fd"),
        ("du-dust", "dust"),
        ("git-delta", "delta"),
        ("bottom", "btm"),
        ("sqlx-cli", "sqlx"),
        ("diesel_cli", "diesel"),
        ("wasm-bindgen-cli", "wasm-bindgen"),
        ("tauri-cli", "cargo-tauri"),
        ("tree-sitter-cli", "tree-sitter"),
        ("atuin-server", "atuin"),
    ];
    OTHERS.iter().find(|(known, _)| *known == name).map_or(name, |(_, program)| program)
}

pub(super) fn installed(shell: &Interpreter<'_, '_>, call: &Call, line: &Line) -> Vec<Place> {
    let from_env = |name: &str| shell.environment(call, name).and_then(|h| shell.path(&h.value));
    let root = match line.value(&["--root", "--install-path"]) {
        Some(root) => shell.path(&root.value),
        None => from_env("CARGO_INSTALL_ROOT")
            .or_else(|| from_env("CARGO_HOME"))
            .or_else(|| shell.state.home.clone().map(|h| join(&h, ".cargo"))),
    };
    let Some(bin) = root.map(|r| join(&r, "bin")) else { return Vec::new() };
    let programs: Option<Vec<String>> = line
        .values(&["--bin"])
        .map(|b| b.value.as_known().map(std::borrow::Cow::into_owned))
        .collect();
    if let Some(programs) = programs.filter(|p| !p.is_empty()) {
        return programs.iter().map(|p| Place::file(join(&bin, p))).collect();
    }
    let crates = &line.operands[1.min(line.operands.len())..];
    let names: Option<Vec<String>> = crates
        .iter()
        .map(|c| Some(program_of(c.value.as_known()?.split('@').next()?).to_owned()))
        .collect();
    match names {
        Some(names) if !names.is_empty() && !line.has(&["--path", "--git"]) => {
            names.iter().map(|n| Place::file(join(&bin, n))).collect()
        }
        _ => vec![Place::folder(bin)],
    }
}

/// `rustc -o x x.rs`, `rustc --out-dir d x.rs`, `rustc x.rs`.
pub(super) fn rustc(shell: &Interpreter<'_, '_>, line: &Line) -> Vec<Place> {
    if let Some(output) = line.value(&["-o"]) {
        return shell.path(&output.value).map(Place::file).into_iter().collect();
    }
    let folder = match line.value(&["--out-dir"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    let is_program = line.value(&["--crate-type"]).is_none_or(|t| t.value.is("bin"));
    let source = line.operand(0);
    let (Some(folder), Some(source), true) = (folder, source, is_program) else {
        return Vec::new();
    };
    let name = match line.value(&["--crate-name"]).map(|n| n.value.as_known()) {
        Some(Some(name)) => name.into_owned(),
        Some(None) => return Vec::new(),
        None => file_name(&source).trim_end_matches(".rs").to_owned(),
    };
    vec![Place::file(join(&folder, &name))]
}
