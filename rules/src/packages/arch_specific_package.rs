//! `arch-specific-package`

use std::ops::Range;

use mlint_lint::{
    Confidence, Context, Effect as Harm, Finding, Meta, ProposedFix, Rule, Severity, Sink,
};
use mlint_model::{
    Argument, Command, Effect, EffectKind, Evaluation, HopKind, Install, Made, Manager, Piece,
    RunsOn, Stage, Step, Value,
};
use mlint_oci::arch::{Vocabulary, find_words, word_for};
use mlint_syntax::{Edit, EditSet, Span};

use crate::{
    packages::{
        follow,
        source::{comes_from_download, installs, is_source, lists},
        wants_others,
    },
    support::{
        FoundWord, collects_platforms, follows_another_platform, is_deliberate,
        is_platform_arg_default, literal_words, root_stage, shown, with_trail,
    },
};

mlint_lint::declare_rule! {
    /// A package, or the source that packages come from, is named for one architecture as text. On
    /// every other platform the package manager does not find it, or refuses it, and the build
    /// stops: `[arch=amd64]` in a source of apt, `libfoo:amd64`, `linux-headers-amd64`, a file
    /// `tool_amd64.deb` or `tool.x86_64.rpm`, a wheel for one machine, an npm package such as
    /// `@esbuild/linux-x64`.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// RUN echo "deb [arch=amd64] https://apt.example.org stable main" > /etc/apt/sources.list.d/example.list \
    ///  && apt-get update && apt-get install -y example
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// RUN echo "deb [arch=$(dpkg --print-architecture)] https://apt.example.org stable main" > /etc/apt/sources.list.d/example.list \
    ///  && apt-get update && apt-get install -y example
    /// ```
    ///
    /// ## Silent
    ///
    /// - when the list has the target's word too (`[arch=amd64,arm64]`), or the same command also
    ///   names the target's package;
    /// - in branches that ask for the platform, and in stages on the build platform or on a
    ///   constant one, where packages of a fixed architecture are right;
    /// - after `dpkg --add-architecture`, which says that packages of another machine are wanted,
    ///   and for cross compilers, whose names tell what they make;
    /// - for a file that was downloaded from an address with the same word: `hardcoded-arch-url`
    ///   has that, and for a word that comes from an ARG.
    ///
    /// ## Fix
    ///
    /// In a source of apt, and in the names of Debian's kernel packages, `$(dpkg
    /// --print-architecture)`, or `${TARGETARCH}` where no shell is at work: safe, since the
    /// platform of the literal gets what it got. A suffix such as `:amd64` or `.x86_64` goes: it
    /// needs a look, since mlint can't see what the package manager takes then. Files, wheels and
    /// npm packages are renamed by hand.
    pub struct ArchSpecificPackage {
        name: "arch-specific-package",
        group: Packages,
        summary: "A package or its source is named for one architecture, whatever the target is",
        severity: Error,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

/// Debian packages that end in the architecture and are there for others under the others' names.
const NAMED_BY_ARCH: &[&str] =
    &["linux-headers-", "linux-image-", "linux-headers-cloud-", "linux-image-cloud-", "grub-efi-"];

/// The architectures for which Debian calls its kernel as `dpkg --print-architecture` calls them.
const KERNELS: &[&str] = &["amd64", "arm64", "riscv64", "s390x"];

impl Rule for ArchSpecificPackage {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations.iter().filter(|e| !collects_platforms(cx, e)) {
            for stage in evaluation.reachable() {
                let on_target = root_stage(evaluation, stage).platform.role == RunsOn::Target
                    && stage.userland.as_ref() == Some(&evaluation.platform);
                if on_target && !wants_others(stage) {
                    check_stage(&Site { cx, evaluation, stage }, sink);
                }
            }
        }
    }
}

/// A stage whose packages are the target's.
struct Site<'a> {
    cx: &'a Context<'a>,
    evaluation: &'a Evaluation,
    stage: &'a Stage,
}

fn check_stage(site: &Site<'_>, sink: &mut Sink<'_>) {
    for (path, artifact) in site.stage.files.iter() {
        let here = artifact.way.first().filter(|s| s.stage == site.stage.index);
        let written = matches!(artifact.made, Made::Written) && artifact.certain;
        if let (Some(station), Some(content)) = (here, &artifact.content)
            && written
            && is_source(path)
        {
            check_source(site, content, station.span, sink);
        }
    }
    for (step, effect) in site.stage.effects().filter(|(_, e)| !is_deliberate(e)) {
        match &effect.kind {
            EffectKind::Command(command) => check_command(site, effect, command, sink),
            EffectKind::Install(install) => check_install(site, step, effect, install, sink),
            _ => {}
        }
    }
}

/// The words of the author that are wrong here; none if a right one stands beside them, or
/// something unknown.
fn wrong_words(site: &Site<'_>, value: &Value, range: Range<usize>) -> Vec<FoundWord> {
    let text = shown(value);
    let Some(part) = text.get(range.clone()) else { return Vec::new() };
    let right = find_words(part).iter().any(|w| w.means(&site.evaluation.platform));
    if right || part.contains('*') || part.trim() == "any" {
        return Vec::new();
    }
    let inside = |w: &FoundWord| w.word.range.start >= range.start && w.word.range.end <= range.end;
    let mut words = literal_words(value);
    words.retain(|w| inside(w) && !w.word.platforms.is_empty() && is_ours(&w.piece));
    words
}

/// Whether the text is this rule's matter: no default of an argument, no branch that asks.
fn is_ours(piece: &Piece) -> bool {
    let through_arg = |kind: HopKind| matches!(kind, HopKind::Arg | HopKind::GlobalArg);
    !piece.trail.hops().iter().any(|hop| through_arg(hop.kind) || hop.kind == HopKind::Guarded)
        && !is_platform_arg_default(piece)
        && !follows_another_platform(piece, RunsOn::Target)
}

fn check_source(site: &Site<'_>, content: &Value, span: Span, sink: &mut Sink<'_>) {
    for list in lists(&shown(content)) {
        let words = wrong_words(site, content, list.clone());
        let Some(word) = words.first() else { continue };
        let said = shown(content).get(list).unwrap_or_default().trim().to_owned();
        let mut finding = Finding::new(word.span, &site.evaluation.platform, move |on| {
            format!(
                "the build for {on} finds no package of its own in this source of apt: it is only \
                 for {said}"
            )
        })
        .help("leave the architecture out, or let it follow: $(dpkg --print-architecture)");
        if !span.contains(word.span) {
            finding = finding.related(span, "the source is written here");
        }
        if !installs(site.stage) {
            finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
        }
        let fix = (words.len() == 1).then(|| follow_fix(site, word, Vocabulary::Debian)).flatten();
        sink.report(with_trail(finding, &word.piece).maybe_fix(fix));
    }
}

fn follow_fix(site: &Site<'_>, word: &FoundWord, vocabulary: Vocabulary) -> Option<ProposedFix> {
    let from = word.word.platforms.first()?;
    if word_for(from, vocabulary) != Some(&word.text) {
        return None;
    }
    let edits = follow::edits(site.cx, site.evaluation, site.stage, word.place?, vocabulary)?;
    Some(ProposedFix::safe("let the word follow the machine", edits).keeping(from).or_nothing())
}

/// `add-apt-repository "deb [arch=amd64] …"`, `pip download --platform manylinux…_x86_64`
fn check_command(site: &Site<'_>, effect: &Effect, command: &Command, sink: &mut Sink<'_>) {
    let name = command.name().unwrap_or_default();
    if name == "add-apt-repository" {
        for argument in &command.argv {
            check_source(site, &argument.value, effect.span, sink);
        }
    }
    let is_pip = name.starts_with("pip") || name.starts_with("python") || name == "uv";
    if !is_pip {
        return;
    }
    let tags = |a: &&Argument| {
        let text = shown(&a.value);
        text.strip_prefix("--platform=").unwrap_or(&text).starts_with("manylinux")
    };
    let tagged: Vec<&Argument> = command.argv.iter().filter(tags).collect();
    let words = tagged.iter().map(|a| wrong_words(site, &a.value, 0..shown(&a.value).len()));
    let words: Vec<FoundWord> = words.filter_map(|w| w.into_iter().next()).collect();
    // Of several tags, one is the target's.
    if words.len() == tagged.len()
        && let Some(word) = words.first()
    {
        report_wheels(site, effect, word, sink);
    }
}

fn check_install(
    site: &Site<'_>,
    step: &Step,
    effect: &Effect,
    install: &Install,
    sink: &mut Sink<'_>,
) {
    for (index, package) in install.packages.iter().enumerate() {
        let text = shown(&package.value);
        if text.contains("://") || install.targets.iter().any(|t| t.package == index && t.makes) {
            continue;
        }
        let words = wrong_words(site, &package.value, 0..text.len());
        let Some(word) = words.last().filter(|w| w.word.is_linux()) else { continue };
        let Some(form) = Form::of(install.manager, &text, word) else { continue };
        if form == Form::File && comes_from_download(site.stage, &text, word) {
            continue;
        }
        // Both are there, and the one that fits is taken.
        let stem = text.get(..word.word.range.start).unwrap_or_default();
        let beside = |a: &Argument| {
            let other = shown(&a.value);
            other.starts_with(stem)
                && find_words(&other).iter().any(|w| w.means(&site.evaluation.platform))
        };
        if !stem.is_empty() && install.packages.iter().any(beside) {
            continue;
        }
        let what = if form == Form::File { "the file is" } else { "the package is" };
        let fix = fix(site, step, form, word);
        report(site, effect, word, what, fix, sink);
    }
}

/// How a package says its architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// A file: `x_amd64.deb`, `x-1-cp311-manylinux_x86_64.whl`.
    File,
    /// Behind a separator that the package manager knows: `x:amd64`, `x.x86_64`.
    Suffix,
    /// In a name that Debian has for other architectures too.
    Kernel,
    /// A package of npm that holds one machine's program.
    Npm,
}

impl Form {
    fn of(manager: Manager, text: &str, word: &FoundWord) -> Option<Self> {
        let (start, end) = (word.word.range.start, word.word.range.end);
        let (before, after) = (text.get(..start)?, text.get(end..)?);
        let ends = |extension: &str| text.ends_with(extension);
        match manager {
            Manager::Apt | Manager::Dpkg if ends(".deb") => (before.ends_with(['_', '-'])
                && after.starts_with(['.', '*']))
            .then_some(Self::File),
            Manager::Rpm if ends(".rpm") => before.ends_with('.').then_some(Self::File),
            Manager::Pip if ends(".whl") => Some(Self::File),
            Manager::Apt if before.ends_with(':') => Some(Self::Suffix),
            Manager::Rpm if before.ends_with('.') && after.is_empty() => Some(Self::Suffix),
            Manager::Apt => {
                let kernel = NAMED_BY_ARCH.contains(&before);
                (kernel && matches!(after, "" | "-bin" | "-signed")).then_some(Self::Kernel)
            }
            Manager::Npm => {
                let whole = word.word.system_is_written && !before.is_empty();
                let tail = ["", "-gnu", "-glibc", "-musl"];
                let version = after.split('@').next().unwrap_or_default();
                (whole && tail.contains(&version) && !word.text.is_empty()).then_some(Self::Npm)
            }
            _ => None,
        }
    }
}

/// pip takes what it is told to take, for whatever machine.
fn report_wheels(site: &Site<'_>, effect: &Effect, word: &FoundWord, sink: &mut Sink<'_>) {
    let machine = word.word.platforms.first().map(ToString::to_string).unwrap_or_default();
    let mut finding = Finding::new(word.span, &site.evaluation.platform, move |on| {
        format!("in the build for {on} pip takes the wheels for {machine}")
    })
    .effect(Harm::WrongBinary)
    .help("leave --platform out, so that pip takes the wheels of its own machine");
    if !effect.certain {
        finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
    }
    sink.report(with_trail(finding, &word.piece));
}

fn report(
    site: &Site<'_>,
    effect: &Effect,
    word: &FoundWord,
    what: &'static str,
    fix: Option<ProposedFix>,
    sink: &mut Sink<'_>,
) {
    let machine = word.word.platforms.first().map(ToString::to_string).unwrap_or_default();
    let mut finding = Finding::new(word.span, &site.evaluation.platform, move |on| {
        format!("the build for {on} can't install this: {what} for {machine}")
    })
    .help("leave the architecture out, or let it follow the target");
    if !effect.certain {
        finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
    }
    if !effect.span.contains(word.span) {
        finding = finding.related(effect.span, "it is installed here");
    }
    sink.report(with_trail(finding, &word.piece).maybe_fix(fix));
}

fn fix(site: &Site<'_>, step: &Step, form: Form, word: &FoundWord) -> Option<ProposedFix> {
    let from = word.word.platforms.first()?;
    match form {
        Form::Kernel => {
            let named = |p: &mlint_oci::Platform| KERNELS.contains(&p.arch());
            let all = site.cx.options.platforms.iter().all(named);
            all.then(|| follow_fix(site, word, Vocabulary::Debian)).flatten()
        }
        // `.i686` means another set of libraries on a machine that has both.
        Form::Suffix if from.arch() != "386" => {
            let place = word.place.filter(|p| step.span.contains(*p))?;
            let span = Span::new(place.start.checked_sub(1)?, place.end);
            if !site.cx.text(span).starts_with([':', '.']) {
                return None;
            }
            let edits = EditSet::from_edits([Edit { span, text: String::new() }]).ok()?;
            Some(
                ProposedFix::needs_look("leave the architecture out", edits)
                    .because("the package manager then takes the package of its own machine"),
            )
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "arch-specific-package")
    }

    #[test]
    fn sources_of_apt() {
        let found = harness().check(
            r#"
            FROM debian:12
            RUN echo "deb [arch=amd64 signed-by=/k.gpg] https://a.example.org/apt stable main" > /etc/apt/sources.list.d/a.list
                                ^^^^^ error: arch-specific-package: the build for linux/arm64 finds no package of its own in this source of apt
            RUN echo 'deb [arch=amd64,i386] https://b.example.org/apt stable main' | tee /etc/apt/sources.list.d/b.list
                                ^^^^^ error: arch-specific-package: only for amd64,i386
            RUN add-apt-repository "deb [arch=amd64] https://c.example.org/apt stable main"
                                              ^^^^^ error: arch-specific-package
            COPY <<EOF /etc/apt/sources.list.d/d.sources
            Types: deb
            URIs: https://d.example.org/apt
            Architectures: amd64
                           ^^^^^ error: arch-specific-package
            EOF
            RUN apt-get update && apt-get install -y a b c d
            "#,
        );
        assert!(found.iter().all(|d| d.platforms.len() == 1));
    }

    #[test]
    fn a_source_that_nothing_is_installed_from_here() {
        harness().check(
            r#"
            FROM debian:12
            RUN echo "deb [arch=amd64] https://a.example.org/apt stable main" >> /etc/apt/sources.list
                                ^^^^^ warning: arch-specific-package
            "#,
        );
    }

    #[test]
    fn packages_of_system_and_language() {
        harness().check(
            r"
            FROM debian:12
            COPY tool_1.2_amd64.deb /tmp/
            RUN dpkg -i /tmp/tool_1.2_amd64.deb
                                      ^^^^^ error: arch-specific-package: the build for linux/arm64 can't install this: the file is for linux/amd64
            RUN apt-get install -y libpq5:amd64 linux-headers-amd64
                                          ^^^^^ error: arch-specific-package: the package is for linux/amd64
                                                              ^^^^^ error: arch-specific-package
            RUN pip download --platform manylinux2014_x86_64 --only-binary=:all: -d /w numpy
                                                      ^^^^^^ error: arch-specific-package: pip takes the wheels for linux/amd64
            RUN npm install --no-save @esbuild/linux-x64 @rollup/rollup-linux-x64-gnu@4
                                               ^^^^^^^^^ error: arch-specific-package
                                                                        ^^^^^^^^^ error: arch-specific-package
            ",
        );
        harness().check(
            r"
            FROM fedora:40
            RUN dnf install -y zlib-devel.x86_64 ./tool-1.2.x86_64.rpm
                                          ^^^^^^ error: arch-specific-package
                                                            ^^^^^^ error: arch-specific-package
            ",
        );
    }

    #[test]
    fn the_source_follows_the_machine() {
        harness().check_fix(
            r#"
            FROM debian:12
            RUN echo 'deb [arch=amd64] https://a.example.org/apt stable main' > /etc/apt/sources.list.d/a.list \
             && apt-get update && apt-get install -y a linux-headers-amd64
            COPY <<EOF /etc/apt/sources.list.d/b.list
            deb [arch=amd64] https://b.example.org/apt stable main
            EOF
            "#,
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN echo 'deb [arch='"$(dpkg --print-architecture)"'] https://a.example.org/apt stable main' > /etc/apt/sources.list.d/a.list \
             && apt-get update && apt-get install -y a linux-headers-$(dpkg --print-architecture)
            COPY <<EOF /etc/apt/sources.list.d/b.list
            deb [arch=${TARGETARCH}] https://b.example.org/apt stable main
            EOF
            "#,
        );
    }

    #[test]
    fn suffixes_go_and_that_needs_a_look() {
        harness().check_unsafe_fix(
            "FROM debian:12\nRUN apt-get install -y libpq5:amd64 curl\n",
            "FROM debian:12\nRUN apt-get install -y libpq5 curl\n",
        );
        harness().check_unsafe_fix(
            "FROM fedora:40\nRUN dnf install -y zlib-devel.x86_64\n",
            "FROM fedora:40\nRUN dnf install -y zlib-devel\n",
        );
        harness().check_no_fix("FROM fedora:40\nRUN dnf install -y glibc.i686\n");
    }

    #[test]
    fn nothing_is_expanded_here() {
        harness().check_no_fix(
            "FROM debian:12\nCOPY <<'EOF' /etc/apt/sources.list.d/a.list\ndeb [arch=amd64] https://a.example.org/apt s m\nEOF\n",
        );
    }

    #[test]
    fn silent_where_it_follows_or_is_meant() {
        for text in [
            "FROM debian:12\nRUN echo \"deb [arch=amd64,arm64] https://a.example.org/apt s m\" > /etc/apt/sources.list.d/a.list && apt-get install -y a\n",
            "FROM debian:12\nRUN echo \"deb [arch=$(dpkg --print-architecture)] https://a.example.org/apt s m\" > /etc/apt/sources.list.d/a.list\n",
            "FROM debian:12\nRUN echo \"deb https://a.example.org/apt/amd64 s m\" > /etc/apt/sources.list.d/a.list\n",
            "FROM debian:12\nARG TARGETARCH\nRUN if [ \"$TARGETARCH\" = amd64 ]; then echo \"deb [arch=amd64] https://a.example.org/apt s m\" > /etc/apt/sources.list.d/a.list; fi\n",
            "FROM --platform=$BUILDPLATFORM debian:12 AS b\nRUN dpkg --add-architecture arm64 && apt-get install -y libc6-dev:arm64 libc6-dev:amd64\nRUN echo > /a\nFROM debian:12\nCOPY --from=b /a /a\n",
            "FROM --platform=linux/amd64 debian:12 AS b\nRUN apt-get install -y linux-headers-amd64 && echo > /a\nFROM debian:12\nCOPY --from=b /a /a\n",
            "FROM debian:12\nRUN dpkg --add-architecture amd64 && apt-get update && apt-get install -y libc6:amd64\n",
            "FROM debian:12\nRUN apt-get install -y gcc-x86-64-linux-gnu crossbuild-essential-amd64 libc6-dev-amd64-cross\n",
            "FROM debian:12\nRUN curl -fsSLO https://example.org/t_amd64.deb && dpkg -i t_amd64.deb\n",
            "FROM debian:12\nRUN curl -fsSLo t_amd64.deb https://example.org/t && dpkg -i ./t_amd64.deb\n",
            "FROM debian:12\nRUN npm install @esbuild/linux-x64 @esbuild/linux-arm64\n",
            "FROM debian:12\nRUN npm install --no-save esbuild && apt-get install -y qemu-system-x86 grub-efi-amd64-bin grub-efi-arm64-bin\n",
            "FROM debian:12\nARG TARGETARCH\nRUN apt-get install -y linux-headers-${TARGETARCH}\n",
            "FROM debian:12\nRUN pip download --platform manylinux2014_x86_64 --platform manylinux2014_aarch64 -d /w numpy\n",
        ] {
            harness().silent(text);
        }
    }
}
