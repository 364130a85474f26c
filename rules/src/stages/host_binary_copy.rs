//! `host-binary-copy`

use mlint_lint::{Confidence, Context, Finding, Meta, Rule, Severity, Sink};
use mlint_model::{Artifact, Evaluation, Made, RunsOn, Station};

use crate::{
    stages::wrong_arch_copy::copy_at,
    support::{Cause, cause, collects_platforms, image_role, shown},
};

mlint_lint::declare_rule! {
    /// The build context holds a compiled program or library, and a `COPY` brings it into the
    /// image. It is for one machine: mostly for the one that it was compiled on, before `docker
    /// build`. The image for every other platform gets the same file, which does not start there.
    ///
    /// mlint reads the ELF header of files that a `COPY` names when the context is at hand.
    ///
    /// ## Example
    ///
    /// With `bin/app` compiled for amd64 in the build context:
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// COPY bin/app /usr/local/bin/app
    /// ```
    ///
    /// ## Repaired
    ///
    /// Either the program is compiled in a stage, or there is one file per platform:
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// COPY bin/app-${TARGETARCH} /usr/local/bin/app
    /// ```
    ///
    /// ## Silent
    ///
    /// - for files that are for the target, and for those that do not reach the image;
    /// - where the file's name says which machine it is for: `wrong-arch-copy` looks at those;
    /// - in an image that collects programs for several platforms;
    /// - where the context is not at hand.
    ///
    /// ## Fix
    ///
    /// None: the files for the other platforms have to be made.
    pub struct HostBinaryCopy {
        name: "host-binary-copy",
        group: Stages,
        summary: "A compiled file of the build context is for one machine and is copied into the image",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: false,
        fixes: None,
    }
}

impl Rule for HostBinaryCopy {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations.iter().filter(|e| !collects_platforms(cx, e)) {
            // An image that is itself of another platform is the matter of the rules on stages.
            if !matches!(image_role(evaluation), Some(RunsOn::Target)) {
                continue;
            }
            let mut seen: Vec<(usize, String)> = Vec::new();
            for artifact in evaluation.wrong_artifacts() {
                let Some(station) = artifact.way.first() else { continue };
                let Made::Context { path: Some(file) } = &artifact.made else { continue };
                let at = (station.instruction, file.to_string());
                if cause(evaluation, artifact) == Cause::Context && !seen.contains(&at) {
                    report(evaluation, artifact, station, &at.1, sink);
                    seen.push(at);
                }
            }
        }
    }
}

fn report(
    evaluation: &Evaluation,
    artifact: &Artifact,
    station: &Station,
    file: &str,
    sink: &mut Sink<'_>,
) {
    let sources = copy_at(evaluation, station).map_or(&[][..], |(_, copy)| &copy.sources);
    // Of several sources, the one that ends as the file does.
    let name = file.rsplit('/').next().unwrap_or_default();
    let source = sources
        .iter()
        .find(|s| shown(&s.value).trim_end_matches('/').ends_with(name))
        .or(sources.first());
    let span = source.map_or(station.span, |s| s.span);
    let (path, machine) = (artifact.path.clone(), artifact.machine.to_string());
    let file = file.to_owned();
    let mut finding = Finding::new(span, &evaluation.platform, move |on| {
        format!(
            "{path} in the image for {on} is for {machine}: {file} in the build context was made \
             for that"
        )
    })
    .help(
        "compile it in a stage, or keep a file per platform and copy the one whose name has \
         ${TARGETARCH}",
    );
    for later in artifact.way.iter().skip(1).take(3) {
        finding = finding.related(later.span, format!("brings it to {}", later.path));
    }
    if !artifact.certain {
        finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
    }
    sink.report(finding);
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "host-binary-copy")
            .file("bin/app", Some("linux/amd64"))
            .file("bin/app-amd64", Some("linux/amd64"))
            .file("bin/app-arm64", Some("linux/arm64"))
            .file("lib/libx.so", Some("linux/amd64"))
            .file("run.sh", None)
    }

    #[test]
    fn a_compiled_file_of_the_context() {
        let found = harness().check(
            r"
            FROM debian:12
            COPY bin/app /usr/local/bin/app
                 ^^^^^^^ error: host-binary-copy: /usr/local/bin/app in the image for linux/arm64 is for linux/amd64: bin/app in the build context
            COPY run.sh lib/libx.so /opt/
                        ^^^^^^^^^^^ error: host-binary-copy
            ",
        );
        assert!(found.iter().all(|d| mlint_lint::list(&d.platforms) == "linux/arm64"));
    }

    #[test]
    fn through_a_stage() {
        let found = harness().check(
            r"
            FROM --platform=$BUILDPLATFORM debian:12 AS collect
            COPY bin/app /out/app
                 ^^^^^^^ error: host-binary-copy
            FROM debian:12
            COPY --from=collect /out/app /usr/local/bin/app
            ",
        );
        assert_eq!(found[0].related.len(), 1);
    }

    #[test]
    fn silent_where_it_fits_or_is_not_known() {
        for text in [
            "FROM debian:12\nARG TARGETARCH\nCOPY bin/app-${TARGETARCH} /usr/local/bin/app\n",
            "FROM debian:12\nCOPY run.sh /\n",
            "FROM debian:12\nCOPY bin/other /usr/local/bin/other\n",
            // wrong-arch-copy's.
            "FROM debian:12\nCOPY bin/app-amd64 /usr/local/bin/app\n",
            // A release: one for each.
            "FROM scratch\nCOPY bin/app-amd64 bin/app-arm64 /\n",
            // Used in the build alone.
            r"
            FROM --platform=$BUILDPLATFORM debian:12 AS build
            COPY bin/app /usr/local/bin/app
            RUN app > /out.txt
            FROM debian:12
            COPY --from=build /out.txt /
            ",
        ] {
            harness().silent(text);
        }
    }
}
