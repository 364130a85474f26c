//! Java and its kin: jars run anywhere; run-time images and native images do not.

use super::{
    build::{Build, option_setting},
    built::Place,
    options::Line,
};
use crate::{
    effect::{Argument, Setting, Tool},
    files::{absolute, join},
    machine::{Linkage, MachineKind},
    shell::{Call, Interpreter},
};

/// `false` if the program is none of these.
pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    match name {
        "mvn" | "mvnw" | "mvnd" => maven(shell, call),
        "gradle" | "gradlew" => gradle(shell, call),
        "javac" | "kotlinc" | "scalac" => {
            let line = Line::read_long(call.arguments(), &["-d", "-cp", "-classpath", "--release"]);
            let folder = line.value(&["-d"]).and_then(|d| shell.path(&d.value));
            independent(shell, call, folder.into_iter().collect(), false);
        }
        "sbt" | "mill" | "lein" | "clojure" | "clj" | "ant" | "boot" => {
            let here = shell.directory.clone();
            let folders = ["target", "build", "dist", "out"];
            let folders = here.iter().flat_map(|d| folders.iter().map(|f| join(d, f))).collect();
            independent(shell, call, folders, true);
        }
        "java" => return layers(shell, call),
        "jlink" => run_time_image(shell, call, &["--output"], ""),
        "jpackage" => run_time_image(shell, call, &["--dest", "-d"], "."),
        _ => return false,
    }
    true
}

fn independent(shell: &mut Interpreter<'_, '_>, call: &Call, folders: Vec<String>, guessed: bool) {
    let places = folders.into_iter().map(|path| Place { path, folder: true, guessed }).collect();
    Build::independent(Tool::Java).make(shell, call, places);
}

/// `-Dname=value` words that choose the machine of native parts.
fn classifier(call: &Call) -> Option<Setting> {
    call.arguments().iter().find_map(|word| {
        let prefix = word.value.known_prefix();
        let (key, _) = prefix.split_once('=')?;
        let name = key.strip_prefix("-D").or_else(|| key.strip_prefix("-P"))?;
        let names = ["os.detected.classifier", "os.detected.arch", "os.arch", "javacpp.platform"];
        let value = word.value.without_prefix(key.len() + 1).filter(|_| names.contains(&name))?;
        Some(option_setting(name, &Argument { value, span: word.span }))
    })
}

/// Whether a word of the command asks for a native image.
fn is_native(call: &Call) -> bool {
    const MARKS: &[&str] =
        &["-Pnative", "-Dnative", "native:compile", "native:build", "nativeCompile"];
    call.arguments().iter().any(|word| {
        let text = word.value.known_prefix();
        MARKS.contains(&&*text)
            || text.ends_with(":nativeCompile")
            || text.starts_with("-Pnative,")
            || text.starts_with("-Dquarkus.native.enabled=true")
            || text.starts_with("-Dquarkus.package.type=native")
            || text.starts_with("-Dpackaging=native-image")
    })
}

fn built(
    shell: &mut Interpreter<'_, '_>,
    call: &Call,
    folders: Vec<String>,
    native_folders: Vec<String>,
) {
    let place = |path| Place { path, folder: true, guessed: true };
    if is_native(call) {
        // The native image lies among jars, under a name that the build file tells.
        let files = native_folders.iter().map(|f| join(f, crate::files::UNKNOWN_NAME));
        let files = files.map(|path| Place { path, folder: false, guessed: true }).collect();
        Build::native(shell, Tool::Java).make(shell, call, files);
        let made = crate::artifact::Made::Compiled { tool: Tool::Java, cgo: None };
        let machine = crate::machine::Machine::independent();
        let places = folders.into_iter().map(place).collect();
        super::built::put(shell, call, places, &made, &machine, Linkage::Unknown);
        return;
    }
    let mut build = Build::independent(Tool::Java);
    build.settings.extend(classifier(call));
    build.make(shell, call, folders.into_iter().map(place).collect());
}

fn maven(shell: &mut Interpreter<'_, '_>, call: &Call) {
    let values = ["-f", "--file", "-pl", "--projects", "-s", "--settings", "-P", "-T", "-gs"];
    let line = Line::read_long(call.arguments(), &values);
    let base = match line.value(&["-f", "--file"]).and_then(|f| shell.path(&f.value)) {
        Some(path) if path.ends_with(".xml") => {
            path.rsplit_once('/').map(|(d, _)| absolute("/", d))
        }
        Some(path) => Some(path),
        None => shell.directory.clone(),
    };
    let mut folders: Vec<String> = base.iter().map(|b| join(b, "target")).collect();
    let modules = line.value(&["-pl", "--projects"]).and_then(|m| m.value.as_known());
    if let (Some(base), Some(modules)) = (&base, modules) {
        let named = modules.split(',').filter(|m| !m.contains(':') && !m.starts_with('!'));
        folders.extend(named.take(16).map(|m| join(&join(base, m), "target")));
    }
    built(shell, call, folders.clone(), folders);
}

fn gradle(shell: &mut Interpreter<'_, '_>, call: &Call) {
    let values = ["-p", "--project-dir", "-b", "--build-file", "-x", "--exclude-task", "-c", "-g"];
    let line = Line::read(call.arguments(), &values);
    let base = match line.value(&["-p", "--project-dir"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    let Some(base) = base else { return built(shell, call, Vec::new(), Vec::new()) };
    let mut folders = vec![join(&base, "build")];
    // `:app:bootJar` is a task of the project in `app`.
    for task in line.operands.iter().filter_map(|o| o.value.as_known()).take(16) {
        if let Some((project, _)) = task.trim_start_matches(':').rsplit_once(':') {
            folders.push(join(&join(&base, &project.replace(':', "/")), "build"));
        }
    }
    let native = folders.iter().map(|f| join(f, "native/nativeCompile")).collect();
    built(shell, call, folders, native);
}

/// `java -Djarmode=tools -jar app.jar extract`: Spring's layers.
fn layers(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let extracts = call.arguments().iter().any(|a| a.value.known_prefix().starts_with("-Djarmode"))
        && call.arguments().iter().any(|a| a.value.is("extract"));
    if !extracts {
        return false;
    }
    let line = Line::read_long(call.arguments(), &["--destination", "-jar"]);
    let base = match line.value(&["--destination"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    let parts = ["dependencies", "spring-boot-loader", "snapshot-dependencies", "application"];
    let folders = base.iter().flat_map(|b| parts.iter().map(|p| join(b, p))).collect();
    independent(shell, call, folders, true);
    true
}

/// jlink takes the modules, and with them the native parts, from the JDK that runs it, unless
/// `--module-path` names the `jmods` of another one.
fn run_time_image(shell: &mut Interpreter<'_, '_>, call: &Call, output: &[&str], default: &str) {
    let values = ["--output", "--dest", "-d", "--module-path", "-p", "--add-modules", "--compress"];
    let line = Line::read_long(call.arguments(), &values);
    let mut build = Build::native(shell, Tool::Java);
    if let Some(modules) = line.value(&["--module-path", "-p"]) {
        let paths = modules.value.as_known();
        let jmods = paths.iter().flat_map(|p| p.split(':')).find(|p| p.ends_with("jmods"));
        let brought =
            jmods.and_then(|p| shell.absolute(p)).and_then(|p| shell.state.files.find(&p));
        if let Some(jdk) = brought.filter(|a| a.machine.kind != MachineKind::Independent) {
            build.machine = jdk.machine;
            build.linkage = jdk.linkage;
        }
        build.settings.push(option_setting("--module-path", modules));
    }
    let folder = match line.value(output) {
        Some(folder) => shell.path(&folder.value),
        None if default.is_empty() => None,
        None => shell.directory.clone(),
    };
    build.make(shell, call, folder.into_iter().map(Place::folder).collect());
}
