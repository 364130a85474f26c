//! PHP, Ruby, Perl, R, Lua: packages that may compile an extension, and where they go.

use super::{
    build::{Installed, folder_variable, in_home, install},
    image,
    native_packages::is_native_gem,
    options::Line,
};
use crate::{
    artifact::{Artifact, Made},
    effect::{Argument, Manager},
    files::join,
    machine::{Linkage, Machine},
    shell::{Call, Interpreter},
    value::{Origin, Value},
};

/// `false` if the program is none of these, or does nothing that is known.
pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    match name {
        "docker-php-ext-install" | "install-php-extensions" | "pecl" | "pie" | "phpize" => {
            php_extensions(shell, name, call)
        }
        "docker-php-ext-enable" | "docker-php-ext-configure" | "a2enmod" | "phpenmod" => true,
        "composer" | "composer.phar" => composer(shell, call, 1),
        "php" => {
            let phar = call.text(1).is_some_and(|t| t.ends_with("composer.phar"));
            phar && composer(shell, call, 2)
        }
        "bundle" | "bundler" => bundle(shell, call),
        "gem" => gem(shell, call),
        "cpanm" | "cpm" | "cpan" | "carton" => perl(shell, name, call),
        "R" | "Rscript" | "install2.r" | "installGithub.r" | "r" => r(shell, name, call),
        "luarocks" => lua(shell, call),
        "julia" => {
            let adds = call.arguments().iter().any(|a| a.value.spelling().contains("Pkg."));
            let depot = folder_variable(shell, call, "JULIA_DEPOT_PATH")
                .or_else(|| in_home(shell, ".julia"));
            if let (true, Some(depot)) = (adds, depot) {
                install(shell, call, Manager::Other, Vec::new());
                Installed::native(shell, Manager::Other).put(shell, call, depot, false);
            }
            adds
        }
        _ => false,
    }
}

/// PHP's extensions are libraries of the machine, in one folder whose name tells PHP's version.
fn php_extensions(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let line = Line::read(call.arguments(), &["-j", "-D", "--configureoptions"]);
    let skip = usize::from(name == "pecl");
    let runs = match name {
        "phpize" => false,
        "pecl" => matches!(line.operand(0).as_deref(), Some("install" | "upgrade")),
        _ => true,
    };
    if !runs {
        return false;
    }
    install(shell, call, Manager::Php, line.operands.iter().skip(skip).cloned().collect());
    if image::is_official(shell, "php") {
        let folder = "/usr/local/lib/php/extensions".to_owned();
        Installed::native(shell, Manager::Php).put(shell, call, folder, true);
    }
    true
}

/// Composer's packages are PHP.
fn composer(shell: &mut Interpreter<'_, '_>, call: &Call, from: usize) -> bool {
    let words = call.argv.get(from..).unwrap_or_default();
    let line = Line::read(words, &["-d", "--working-dir", "--repository", "--stability"]);
    let verb = line.operand(0).map(std::borrow::Cow::into_owned);
    let base = match line.value(&["-d", "--working-dir"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    let (packages, base) = match verb.as_deref() {
        Some("install" | "update" | "i" | "u" | "dump-autoload" | "dumpautoload") => {
            (Vec::new(), base)
        }
        Some("require") => (line.operands[1..].to_vec(), base),
        Some("create-project") => {
            let folder = line.operands.get(2).and_then(|f| shell.path(&f.value));
            (line.operands.get(1).cloned().into_iter().collect(), folder)
        }
        Some("global") => (line.operands.iter().skip(2).cloned().collect(), None),
        _ => return false,
    };
    install(shell, call, Manager::Composer, packages);
    let given = folder_variable(shell, call, "COMPOSER_VENDOR_DIR");
    if let Some(folder) = given.or_else(|| base.map(|b| join(&b, "vendor"))) {
        Installed::independent(Manager::Composer).put(shell, call, folder, false);
    }
    true
}

/// Where gems go by default.
fn gem_home(shell: &Interpreter<'_, '_>, call: &Call) -> Option<String> {
    folder_variable(shell, call, "GEM_HOME")
        .or_else(|| image::is_official(shell, "ruby").then(|| "/usr/local/bundle".to_owned()))
}

const BUNDLE_CONFIG: &str = ".bundle/config";

/// `bundle install`; its folder may come from `bundle config set path …` of an earlier step.
fn bundle(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read(call.arguments(), &["--path", "--without", "-j", "--jobs", "--retry"]);
    let verb = line.operand(0).map(std::borrow::Cow::into_owned);
    match verb.as_deref() {
        Some("install" | "update" | "add") | None => {}
        Some("config") => {
            configure(shell, call, &line);
            return true;
        }
        Some("exec") => return false,
        _ => return true,
    }
    if verb.is_none() && line.has(&["--version", "-v"]) {
        return false;
    }
    let packages: Vec<Argument> = match verb.as_deref() {
        Some("add") => line.operands[1..].to_vec(),
        _ => Vec::new(),
    };
    install(shell, call, Manager::Gem, packages);
    let configured = || {
        let text = shell.state.files.find(&shell.absolute(BUNDLE_CONFIG)?)?.content?;
        shell.path(&text)
    };
    let folder = line
        .value(&["--path"])
        .and_then(|p| shell.path(&p.value))
        .or_else(|| folder_variable(shell, call, "BUNDLE_PATH"))
        .or_else(configured)
        .or_else(|| line.has(&["--deployment"]).then(|| shell.absolute("vendor/bundle")).flatten())
        .or_else(|| gem_home(shell, call));
    if let Some(folder) = folder {
        Installed::native(shell, Manager::Gem).put(shell, call, folder, false);
    }
    true
}

/// `bundle config set --local path vendor/bundle`, `bundle config --local path vendor/bundle`.
fn configure(shell: &mut Interpreter<'_, '_>, call: &Call, line: &Line) {
    let words: Vec<&Argument> =
        line.operands.iter().skip(1).filter(|o| !o.value.is("set")).collect();
    let value = match &words[..] {
        [name, value] if name.value.is("path") => value.value.clone(),
        [name, on] if name.value.is("deployment") && on.value.is("true") => {
            Value::known("vendor/bundle", Origin::Literal, call.span)
        }
        _ => return,
    };
    let Some(path) = shell.absolute(BUNDLE_CONFIG) else { return };
    let station = shell.station(path.clone(), call.span);
    let certain = shell.is_certain();
    shell.state.files.put(Artifact {
        path,
        folder: false,
        made: Made::Written,
        content: Some(value),
        machine: Machine::independent(),
        linkage: Linkage::Unknown,
        way: vec![station],
        certain,
    });
}

fn gem(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let values = ["-v", "--version", "-i", "--install-dir", "-n", "--bindir", "-s", "--source"];
    let line = Line::read(call.arguments(), &values);
    if line.operand(0).as_deref() != Some("install") {
        return !matches!(line.operand(0).as_deref(), Some("list" | "env" | "which") | None);
    }
    let packages = line.operands[1..].to_vec();
    install(shell, call, Manager::Gem, packages.clone());
    let folder = match line.value(&["-i", "--install-dir"]) {
        Some(folder) => shell.path(&folder.value),
        None if line.has(&["--user-install"]) => in_home(shell, ".local/share/gem"),
        None => gem_home(shell, call),
    };
    let sure = packages.iter().any(|p| {
        p.value.as_known().is_some_and(|t| is_native_gem(t.split(':').next().unwrap_or_default()))
    });
    if let Some(folder) = folder {
        let installed = Installed::native(shell, Manager::Gem);
        installed.put(shell, call, folder.clone(), false);
        if sure {
            installed.put(shell, call, join(&folder, "extensions"), true);
        }
    }
    true
}

/// CPAN's modules may have parts in C.
fn perl(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let values = ["-l", "-L", "--local-lib", "--local-lib-contained", "--installdeps", "--mirror"];
    let line = Line::read(call.arguments(), &values);
    let (packages, default) = match name {
        "carton" if line.operand(0).as_deref() != Some("install") => return false,
        "carton" => (Vec::new(), shell.absolute("local")),
        "cpm" => (line.operands.iter().skip(1).cloned().collect(), shell.absolute("local")),
        _ => (line.operands.clone(), None),
    };
    install(shell, call, Manager::Cpan, packages);
    let given = line.value(&["-l", "-L", "--local-lib", "--local-lib-contained"]);
    let folder = match given {
        Some(folder) => shell.path(&folder.value),
        None if line.has(&["-g", "--global"]) => None,
        None => default,
    };
    if let Some(folder) = folder {
        Installed::native(shell, Manager::Cpan).put(shell, call, folder, false);
    }
    true
}

/// `R -e "install.packages('x', lib='/out')"`, `R CMD INSTALL x`, littler's `install2.r x`.
fn r(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    const CALLS: &[&str] = &[
        "install.packages",
        "install_github",
        "install_version",
        "pak::",
        "BiocManager::install",
        "renv::restore",
    ];
    let code = call.arguments().iter().find_map(|a| {
        let text = a.value.spelling();
        CALLS.iter().any(|c| text.contains(c)).then_some(text)
    });
    let is_script = name.ends_with(".r");
    let is_command =
        call.text(1).as_deref() == Some("CMD") && call.text(2).as_deref() == Some("INSTALL");
    if code.is_none() && !is_script && !is_command {
        return false;
    }
    let line = Line::read(call.arguments(), &["-l", "--library", "-n", "-r", "-e"]);
    let packages: Vec<Argument> = match (is_script, is_command) {
        (true, _) => line.operands.clone(),
        (_, true) => line.operands.iter().skip(2).cloned().collect(),
        _ => Vec::new(),
    };
    install(shell, call, Manager::Cran, packages);
    let given = line.value(&["-l", "--library"]).and_then(|l| shell.path(&l.value));
    let folder = given
        .or_else(|| folder_variable(shell, call, "R_LIBS_USER"))
        .or_else(|| folder_variable(shell, call, "R_LIBS"))
        .or_else(|| {
            code.is_none_or(|c| !c.contains("lib"))
                .then(|| "/usr/local/lib/R/site-library".to_owned())
        });
    if let Some(folder) = folder {
        Installed::native(shell, Manager::Cran).put(shell, call, folder, false);
    }
    true
}

fn lua(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read(call.arguments(), &["--tree", "--server", "--lua-version", "--lua-dir"]);
    if !matches!(line.operand(0).as_deref(), Some("install" | "make" | "build")) {
        return false;
    }
    install(shell, call, Manager::LuaRocks, line.operands[1..].to_vec());
    let folder = match line.value(&["--tree"]) {
        Some(folder) => shell.path(&folder.value),
        None => Some("/usr/local/lib/lua".to_owned()),
    };
    if let Some(folder) = folder {
        Installed::native(shell, Manager::LuaRocks).put(shell, call, folder, false);
    }
    true
}
