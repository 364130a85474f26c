//! `arch-library-path`

use mlint_lint::{
    Confidence, Context, Effect as Harm, Finding, Meta, ProposedFix, Rule, Severity, Sink,
};
use mlint_model::{
    Command, Copy, CopyFrom, Effect, EffectKind, Evaluation, HopKind, RunsOn, Stage, Step, Value,
};
use mlint_oci::{
    Platform,
    arch::{Vocabulary, find_words, word_for},
};
use mlint_syntax::{Edit, EditSet, Span};

use crate::{
    packages::follow,
    support::{
        FoundWord, collects_platforms, follows_another_platform, is_deliberate,
        is_platform_arg_default, literal_words, root_stage, shown, with_trail,
    },
};

mlint_lint::declare_rule! {
    /// A path has the name of one architecture in it: Debian and Ubuntu keep libraries in
    /// `/usr/lib/x86_64-linux-gnu` and Java in `/usr/lib/jvm/java-17-openjdk-amd64`, and on another
    /// platform the folder is called otherwise. A `COPY` or a command that names it stops the
    /// build; in `ENV` it makes programs miss their library, or Java, when the container runs.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// RUN apt-get update && apt-get install -y openjdk-17-jre-headless
    /// ENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// RUN apt-get update && apt-get install -y openjdk-17-jre-headless
    /// ENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-${TARGETARCH}
    /// ```
    ///
    /// ## Silent
    ///
    /// - when the value or the stage names the target's folder too, so that the one that is there
    ///   is found;
    /// - in branches that ask for the platform, and in stages on the build platform or on a
    ///   constant one, whose folder is called so;
    /// - where a missing folder does no harm: `rm -f`, tests, `mkdir -p`, `|| true`;
    /// - for folders that this Dockerfile itself makes, and other places than the system's own.
    ///
    /// ## Fix
    ///
    /// - `JAVA_HOME`: `${TARGETARCH}`, which has Debian's words on most platforms: safe;
    /// - in a RUN: `$(uname -m)-linux-gnu` where that is the folder's name on all platforms that
    ///   are built for: safe; else `$(dpkg-architecture -qDEB_HOST_MULTIARCH)`, from `dpkg-dev`;
    /// - the source of a COPY: a pattern, `/usr/lib/*-linux-gnu*/`, if the destination is a folder:
    ///   it needs a look, since a pattern that matches nothing is no error;
    /// - `LD_PRELOAD`: the file's name alone, which the loader looks for: it needs a look.
    pub struct ArchLibraryPath {
        name: "arch-library-path",
        group: Packages,
        summary: "A path has one architecture's name in it, whatever the target is",
        severity: Error,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for ArchLibraryPath {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations.iter().filter(|e| !collects_platforms(cx, e)) {
            for stage in evaluation.reachable() {
                let site = Site { cx, evaluation, stage };
                let on_target = is_on_target(evaluation, stage);
                for (step, effect) in stage.effects().filter(|(_, e)| !is_deliberate(e)) {
                    match &effect.kind {
                        EffectKind::SetEnv { name, value, kept: true } if on_target => {
                            check_env(&site, effect, name, value, sink);
                        }
                        EffectKind::Command(command) if on_target => {
                            check_command(&site, step, effect, command, sink);
                        }
                        EffectKind::Copy(copy) => check_copy(&site, effect, copy, sink),
                        _ => {}
                    }
                }
            }
        }
    }
}

struct Site<'a> {
    cx: &'a Context<'a>,
    evaluation: &'a Evaluation,
    stage: &'a Stage,
}

fn is_on_target(evaluation: &Evaluation, stage: &Stage) -> bool {
    root_stage(evaluation, stage).platform.role == RunsOn::Target
        && stage.userland.as_ref() == Some(&evaluation.platform)
}

/// What a folder is called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Folder {
    /// `/usr/lib/x86_64-linux-gnu`
    Multiarch,
    /// `/usr/lib/jvm/java-17-openjdk-amd64`
    Java,
}

/// The word of a system path that names another machine than `platform`.
fn wrong_folder(value: &Value, platform: &Platform) -> Option<(FoundWord, Folder)> {
    let text = shown(value);
    if !text.contains("-linux-gnu") && !text.contains("/jvm/") {
        return None;
    }
    let mut found: Option<(FoundWord, Folder)> = None;
    let mut right: Vec<Folder> = Vec::new();
    for word in find_words(&text) {
        if let Some(folder) = folder(&text, &word.range)
            && word.means(platform)
        {
            right.push(folder);
        }
    }
    for word in literal_words(value) {
        let Some(folder) = folder(&text, &word.word.range) else { continue };
        let through_arg =
            word.piece.trail.hops().iter().any(|hop| {
                matches!(hop.kind, HopKind::Arg | HopKind::GlobalArg | HopKind::Guarded)
            });
        let ours = !through_arg
            && !is_platform_arg_default(&word.piece)
            && !follows_another_platform(&word.piece, RunsOn::Target);
        if word.word.is_linux() && !word.word.means(platform) && ours && found.is_none() {
            found = Some((word, folder));
        }
    }
    found.filter(|(_, folder)| !right.contains(folder))
}

/// What kind of system folder the word at `range` names, if it does.
fn folder(text: &str, range: &std::ops::Range<usize>) -> Option<Folder> {
    let before = text.get(..range.start)?;
    let after = text.get(range.end..)?.chars().next();
    let ends = matches!(after, None | Some('/' | ':' | ';' | ' ' | ',' | '"' | '\n'));
    let path = before.rsplit([':', '=', ' ', ',', '"']).next()?;
    let word = text.get(range.clone())?;
    let roots = ["/usr/lib/", "/lib/", "/usr/include/", "usr/lib/", "lib/"];
    if ends && word.contains("-linux-gnu") && roots.contains(&path) {
        return Some(Folder::Multiarch);
    }
    let java = path.contains("/usr/lib/jvm/") && path.ends_with('-') && !path.ends_with("linux-");
    (ends && java && path.rsplit('/').next()?.starts_with("java-")).then_some(Folder::Java)
}

/// Whether the stage itself makes the folder, or names the target's in the same kind of step.
fn is_provided(site: &Site<'_>, word: &FoundWord, value: &Value) -> bool {
    let text = shown(value);
    let Some(path) = text.get(..word.word.range.end) else { return false };
    let Some(at) = path.rfind([':', '=', ' ', ',', '"']) else {
        return provides(site, path);
    };
    path.get(at + 1..).is_some_and(|path| provides(site, path))
}

fn provides(site: &Site<'_>, path: &str) -> bool {
    let below =
        |file: &String| file.strip_prefix(path).is_some_and(|r| r.is_empty() || r.starts_with('/'));
    let jvm = path.contains("/jvm/");
    site.stage.files.keys().any(below)
        || site.stage.effects().any(|(_, e)| match &e.kind {
            // `mkdir -p`, `ln -s … /usr/lib/jvm/java-17-openjdk-amd64`
            EffectKind::Command(c) => {
                let makes = ["mkdir", "ln", "install", "update-alternatives"];
                let named = c.name().is_some_and(|n| makes.contains(&&*n));
                let last = c.argv.last().map(|a| shown(&a.value)).unwrap_or_default();
                named
                    && last.trim_end_matches('/') == path
                    && (jvm || c.name().as_deref() == Some("mkdir"))
            }
            _ => false,
        })
}

/// Whether another step of the stage names the target's own folder: then somebody has thought of
/// it, and the step that does not fit is harmless or tolerated.
fn also_right(site: &Site<'_>) -> bool {
    let Some(word) = word_for(&site.evaluation.platform, Vocabulary::GnuTriple) else {
        return false;
    };
    let names = |v: &Value| {
        let text = shown(v);
        text.contains(word)
            && literal_words(v).iter().any(|w| w.word.means(&site.evaluation.platform))
    };
    site.stage.effects().any(|(_, e)| match &e.kind {
        EffectKind::Copy(c) => c.sources.iter().any(|a| names(&a.value)),
        EffectKind::Command(c) => c.argv.iter().any(|a| names(&a.value)),
        EffectKind::SetEnv { value, .. } => names(value),
        _ => false,
    })
}

fn check_env(site: &Site<'_>, effect: &Effect, name: &str, value: &Value, sink: &mut Sink<'_>) {
    let Some((word, folder)) = wrong_folder(value, &site.evaluation.platform) else { return };
    // What was set in an earlier ENV was said there.
    // Where pkg-config looks is about what is compiled, perhaps for another machine.
    let compiles = name.starts_with("PKG_CONFIG");
    if compiles
        || !effect.span.contains(word.span)
        || is_provided(site, &word, value)
        || also_right(site)
    {
        return;
    }
    let (name_text, said) = (name.to_owned(), word.text.clone());
    let finding = Finding::new(word.span, &site.evaluation.platform, move |on| {
        format!("{name_text} names a folder that the image for {on} does not have: it is called after {said}")
    })
    .severity(Severity::Warning)
    .effect(Harm::Latent);
    let finding = match folder {
        Folder::Java => finding.help("let the folder follow the target: ${TARGETARCH}, with `ARG TARGETARCH` in the stage"),
        Folder::Multiarch => finding.help("the loader looks into the machine's own folder by itself; name files without it, or make a link without the architecture in a RUN"),
    };
    let fix = match folder {
        Folder::Java => follow_fix(site, &word, Vocabulary::Debian),
        Folder::Multiarch if name == "LD_PRELOAD" => name_alone(site, effect.span, value),
        Folder::Multiarch => None,
    };
    sink.report(with_trail(finding, &word.piece).maybe_fix(fix));
}

fn follow_fix(site: &Site<'_>, word: &FoundWord, vocabulary: Vocabulary) -> Option<ProposedFix> {
    let from = word.word.platforms.first()?;
    if word_for(from, vocabulary) != Some(&word.text) {
        return None;
    }
    let edits = follow::edits(site.cx, site.evaluation, site.stage, word.place?, vocabulary)?;
    Some(ProposedFix::safe("let the folder follow the machine", edits).keeping(from).or_nothing())
}

/// `LD_PRELOAD=libx.so`, which the loader looks for in the machine's own folder.
fn name_alone(site: &Site<'_>, env: Span, value: &Value) -> Option<ProposedFix> {
    let text = value.as_known()?;
    let name = text.rsplit('/').next()?;
    let [piece] = value.pieces() else { return None };
    let source =
        piece.source.as_ref().filter(|s| s.is_contiguous() && env.contains(s.full_span()))?;
    let folder = source.span(0, (text.len() - name.len()) as u32);
    if text.contains([':', ' ']) || !name.contains(".so") || site.cx.text(folder).contains('\\') {
        return None;
    }
    let edits = EditSet::from_edits([Edit { span: folder, text: String::new() }]).ok()?;
    Some(
        ProposedFix::needs_look("name the library without its folder", edits)
            .because("the loader takes the first library of that name that it finds"),
    )
}

fn check_copy(site: &Site<'_>, effect: &Effect, copy: &Copy, sink: &mut Sink<'_>) {
    let platform = match copy.from {
        CopyFrom::Stage(index) => {
            let Some(stage) = site.evaluation.stages.get(index) else { return };
            if !is_on_target(site.evaluation, stage) {
                return;
            }
            // What the stage itself put there is there.
            let made = copy.sources.iter().any(|s| {
                wrong_folder(&s.value, &site.evaluation.platform)
                    .is_some_and(|(word, _)| is_provided(&Site { stage, ..*site }, &word, &s.value))
            });
            if made {
                return;
            }
            &site.evaluation.platform
        }
        CopyFrom::Image(_) if is_on_target(site.evaluation, site.stage) => {
            &site.evaluation.platform
        }
        _ => return,
    };
    for source in &copy.sources {
        let Some((word, _)) = wrong_folder(&source.value, platform) else { continue };
        if also_right(site) {
            return;
        }
        let text = shown(&source.value);
        let pattern = text.get(word.word.range.end..).is_some_and(|t| t.contains(['*', '?', '[']));
        let said = word.text.clone();
        let mut finding = Finding::new(word.span, &site.evaluation.platform, move |on| {
            if pattern {
                format!("the build for {on} copies nothing here: its folder is not called {said}")
            } else {
                format!("the build for {on} finds nothing to copy here: its folder is not called {said}")
            }
        })
        .help("copy by a pattern, or gather the files in a folder without the architecture in a RUN of the stage");
        if pattern {
            finding = finding.severity(Severity::Warning).effect(Harm::Latent);
        }
        let fix = pattern_fix(copy, &word);
        if !effect.span.contains(word.span) {
            finding = finding.related(effect.span, "it is copied here");
        }
        sink.report(with_trail(finding, &word.piece).maybe_fix(fix));
    }
}

/// `/usr/lib/*-linux-gnu*/libx.so`, into a folder.
fn pattern_fix(copy: &Copy, word: &FoundWord) -> Option<ProposedFix> {
    let into_folder = shown(&copy.dest.value).ends_with('/');
    let dest_is_free = find_words(&shown(&copy.dest.value)).is_empty();
    let place =
        word.place.filter(|_| into_folder && dest_is_free && word.text.ends_with("-linux-gnu"))?;
    let edits =
        EditSet::from_edits([Edit { span: place, text: "*-linux-gnu*".to_owned() }]).ok()?;
    Some(
        ProposedFix::needs_look("copy by a pattern", edits)
            .because("a pattern that matches nothing is no error, and whole folders are copied without their names"),
    )
}

/// What stops where the folder is missing.
const STOPS: &[&str] = &[
    "cp",
    "mv",
    "install",
    "strip",
    "chmod",
    "chown",
    "tar",
    "cat",
    "sed",
    "patchelf",
    "cd",
    "du",
    "./configure",
    "docker-php-ext-configure",
    "configure",
    "cmake",
];

fn check_command(
    site: &Site<'_>,
    step: &Step,
    effect: &Effect,
    command: &Command,
    sink: &mut Sink<'_>,
) {
    let Some(name) = command.name() else { return };
    let links = name == "ln";
    if !links && !STOPS.contains(&&*name) || is_tolerated(site.cx, effect.span) {
        return;
    }
    // The last word of a copy is where it goes.
    let to = matches!(&*name, "cp" | "mv" | "install" | "ln");
    let count = command.argv.len() - usize::from(to && command.argv.len() > 2);
    for argument in command.argv.iter().take(count).skip(1) {
        let option = shown(&argument.value).starts_with('-') && !name.contains("configure");
        let Some((word, folder)) = wrong_folder(&argument.value, &site.evaluation.platform) else {
            continue;
        };
        if option || is_provided(site, &word, &argument.value) || also_right(site) {
            continue;
        }
        let said = word.text.clone();
        let mut finding = Finding::new(word.span, &site.evaluation.platform, move |on| {
            match links {
                true => format!("the image for {on} gets a link to nothing: its folder is not called after {said}"),
                false => format!("the build for {on} does not find this: its folder is not called after {said}"),
            }
        })
        .help("let the folder follow: $(uname -m)-linux-gnu, or $(dpkg-architecture -qDEB_HOST_MULTIARCH) from dpkg-dev");
        if links {
            finding = finding.severity(Severity::Warning).effect(Harm::Latent);
        } else if !effect.certain {
            finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
        }
        if !effect.span.contains(word.span) {
            finding = finding.related(effect.span, "it is used here");
        }
        let vocabulary = match folder {
            Folder::Multiarch => Vocabulary::GnuTriple,
            Folder::Java => Vocabulary::Debian,
        };
        let here = word.place.is_some_and(|p| step.span.contains(p));
        let fix = here.then(|| follow_fix(site, &word, vocabulary)).flatten();
        sink.report(with_trail(finding, &word.piece).maybe_fix(fix));
        return;
    }
}

/// `… || true`, `… 2>/dev/null || :`
fn is_tolerated(cx: &Context<'_>, span: Span) -> bool {
    let rest = cx.file.text.get(span.end as usize..).unwrap_or_default();
    let end = rest.find(['\n', ';', '&']).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default().contains("||")
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "arch-library-path")
    }

    #[test]
    fn in_env_copy_and_run() {
        let found = harness().check(
            r"
            FROM debian:12 AS build
            RUN cp /usr/lib/x86_64-linux-gnu/libpq.so.5 /out.so
                            ^^^^^^^^^^^^^^^^ error: arch-library-path: the build for linux/arm64 does not find this
            FROM debian:12
            ENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64 \
                                                       ^^^^^ warning: arch-library-path: JAVA_HOME names a folder that the image for linux/arm64 does not have
                LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2
                                    ^^^^^^^^^^^^^^^^ warning: arch-library-path: LD_PRELOAD
            COPY --from=build /usr/lib/x86_64-linux-gnu/libpq.so.5 /usr/lib/
                                       ^^^^^^^^^^^^^^^^ error: arch-library-path: the build for linux/arm64 finds nothing to copy here
            RUN ln -s /usr/lib/x86_64-linux-gnu/libssl.so.3 /usr/lib/libssl.so
                               ^^^^^^^^^^^^^^^^ warning: arch-library-path: a link to nothing
            ",
        );
        assert!(found.iter().all(|d| d.platforms.len() == 1));
    }

    #[test]
    fn a_pattern_that_matches_nothing() {
        harness().check(
            r"
            FROM debian:12 AS build
            RUN apt-get install -y libpq5
            FROM debian:12
            COPY --from=build /usr/lib/x86_64-linux-gnu/libpq* /usr/lib/
                                       ^^^^^^^^^^^^^^^^ warning: arch-library-path: the build for linux/arm64 copies nothing here
            ",
        );
    }

    #[test]
    fn a_run_asks_the_machine() {
        harness().check_fix(
            "FROM debian:12\nRUN cp /usr/lib/x86_64-linux-gnu/libpq.so.5 /out.so\n",
            "FROM debian:12\nRUN cp /usr/lib/$(uname -m)-linux-gnu/libpq.so.5 /out.so\n",
        );
        harness().platforms(&["linux/amd64", "linux/arm/v7"]).check_fix(
            "FROM debian:12\nRUN cp /usr/lib/x86_64-linux-gnu/libpq.so.5 /out.so\n",
            "FROM debian:12\nRUN cp /usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)/libpq.so.5 /out.so\n",
        );
    }

    #[test]
    fn what_needs_a_look() {
        harness().check_unsafe_fix(
            "FROM debian:12 AS b\nRUN true\nFROM debian:12\nCOPY --from=b /usr/lib/x86_64-linux-gnu/libpq.so.5 /usr/lib/\n",
            "FROM debian:12 AS b\nRUN true\nFROM debian:12\nCOPY --from=b /usr/lib/*-linux-gnu*/libpq.so.5 /usr/lib/\n",
        );
        harness().check_unsafe_fix(
            "FROM debian:12\nENV LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2\n",
            "FROM debian:12\nENV LD_PRELOAD=libjemalloc.so.2\n",
        );
        harness()
            .check_no_fix("FROM debian:12\nENV LD_LIBRARY_PATH=/opt/x:/usr/lib/x86_64-linux-gnu\n");
    }

    #[test]
    fn silent_where_it_is_there_or_does_no_harm() {
        for text in [
            "FROM debian:12\nENV LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu:/usr/lib/aarch64-linux-gnu\n",
            "FROM debian:12\nRUN rm -rf /usr/lib/x86_64-linux-gnu/libasan*\n",
            "FROM debian:12\nRUN cp /usr/lib/x86_64-linux-gnu/a.so / || cp /usr/lib/aarch64-linux-gnu/a.so /\n",
            "FROM debian:12\nRUN if [ \"$(uname -m)\" = x86_64 ]; then cp /usr/lib/x86_64-linux-gnu/a.so /a.so; fi\n",
            "FROM --platform=linux/amd64 debian:12 AS b\nRUN cp /usr/lib/x86_64-linux-gnu/a.txt /a\nFROM debian:12\nCOPY --from=b /usr/lib/x86_64-linux-gnu/a.txt /a\n",
            "FROM debian:12\nRUN cp /usr/lib/$(uname -m)-linux-gnu/a.so /\n",
            "FROM debian:12 AS b\nRUN true\nFROM debian:12\nCOPY --from=b /usr/lib/x86_64-linux-gnu*/a.so /usr/lib/aarch64-linux-gnu*/a.so /usr/lib/\n",
            "FROM debian:12\nRUN ln -s /usr/lib/jvm/java-17-openjdk-$(dpkg --print-architecture) /usr/lib/jvm/java-17-openjdk-amd64\nENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64\n",
            "FROM debian:12\nRUN apt-get install -y gcc-x86-64-linux-gnu && x86_64-linux-gnu-strip /a\n",
            "FROM debian:12\nENV JAVA_HOME=/usr/lib/jvm/default-java\n",
            "FROM debian:12\nENV CC=aarch64-linux-gnu-gcc PKG_CONFIG_PATH=/usr/lib/aarch64-linux-gnu/pkgconfig\n",
        ] {
            harness().silent(text);
        }
    }
}
