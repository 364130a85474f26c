//! Runs the proof on a build's images and finds the instructions to blame.

use std::collections::BTreeMap;

use mlint_oci::{Digest, Platform};
use mlint_syntax::Span;

use crate::{
    exec::Exec,
    image::{BuiltImage, layer_steps},
    pattern::Pattern,
    plan::{ImagePlan, MountSource, Op, StepId},
    problem::{BuildError, Problem},
    proof::{ForeignFiles, ForeignGroup, Proof, Scope, Wrong, check},
};

/// Checks all images. Gives the number of ELF files of each.
pub fn prove(
    exec: &Exec<'_>,
    images: &[(BuiltImage, &ImagePlan)],
) -> Result<Vec<usize>, BuildError> {
    let allow = patterns(&exec.request.allow_foreign)?;
    let mut counts = Vec::new();
    let mut foreign = ForeignFiles::default();
    for (built, plan) in images {
        let proof = proof_of(exec, built, plan, &allow)?;
        counts.push(proof.elf_files);
        if !proof.wrong.is_empty() {
            foreign.groups.extend(blame(exec, built, plan, proof.wrong)?);
        }
    }
    match foreign.groups.first().map(|g| g.span) {
        Some(span) => Err(Problem::Foreign(foreign).at(span)),
        None => Ok(counts),
    }
}

/// Reads the patterns of `--allow-foreign`.
pub fn patterns(texts: &[String]) -> Result<Vec<Pattern>, BuildError> {
    let read = |text: &String| Pattern::ignore(text.trim_start_matches('/'));
    let patterns: Result<Vec<Pattern>, _> = texts.iter().map(read).collect();
    patterns.map_err(|e| Problem::Copy(e.into()).into())
}

fn proof_of(
    exec: &Exec<'_>,
    built: &BuiltImage,
    plan: &ImagePlan,
    allow: &[Pattern],
) -> Result<Proof, BuildError> {
    let steps = layer_steps(exec.plan, plan);
    let copied: Vec<usize> = (0..steps.len())
        .filter(|layer| matches!(exec.plan.steps[steps[*layer]].op, Op::Copy(_)))
        .collect();
    let started = started(&built.config);
    let parts = (
        "proof 1",
        built.platform.to_string(),
        &built.snapshot.chain,
        &copied,
        &started,
        &exec.request.allow_foreign,
    );
    let key = Digest::sha256(serde_json::to_vec(&parts).unwrap_or_default());
    if let Some(proof) = exec.record::<Proof>("proof", &key) {
        exec.note("proof", &key, &proof);
        return Ok(proof);
    }
    let view = exec.view(&built.snapshot)?;
    let scope = Scope { platform: &built.platform, allow, copied_layers: &copied, started };
    let proof = check(&view, &scope);
    exec.store.put_record("proof", &key, &proof)?;
    exec.note("proof", &key, &proof);
    Ok(proof)
}

/// The programs that a container starts with.
pub fn started(config: &mlint_oci::ImageConfig) -> Vec<String> {
    let first = |argv: &Option<Vec<String>>| argv.as_ref().and_then(|a| a.first().cloned());
    let config = &config.config;
    first(&config.entrypoint).or_else(|| first(&config.cmd)).into_iter().collect()
}

/// Groups wrong files by the instruction that brought them.
fn blame(
    exec: &Exec<'_>,
    built: &BuiltImage,
    plan: &ImagePlan,
    wrong: Vec<Wrong>,
) -> Result<Vec<ForeignGroup>, BuildError> {
    let steps = layer_steps(exec.plan, plan);
    let mut by_step: BTreeMap<Option<StepId>, Vec<Wrong>> = BTreeMap::new();
    for file in wrong {
        by_step.entry(steps.get(file.layer).copied()).or_default().push(file);
    }
    let mut groups = Vec::new();
    for (step, files) in by_step {
        let (span, text) = match step {
            Some(id) => {
                let origin = &exec.plan.steps[id].origin;
                (origin.span, origin.text.clone())
            }
            None => (plan.base_span, "the base image".to_owned()),
        };
        let made_by = match (step, files.first()) {
            (Some(id), Some(file)) => maker(exec, id, file)?,
            _ => None,
        };
        let platform: Platform = built.platform.clone();
        groups.push(ForeignGroup { platform, span, text, files, made_by });
    }
    Ok(groups)
}

/// The instruction of another stage that made a copied file: the one that brought a file of the
/// same name that says the same of itself.
fn maker(exec: &Exec<'_>, id: StepId, file: &Wrong) -> Result<Option<(Span, String)>, BuildError> {
    let Op::Copy(copy) = &exec.plan.steps[id].op else { return Ok(None) };
    let MountSource::Step(Some(source)) = copy.from else { return Ok(None) };
    let snapshot = exec.snapshot(Some(source));
    let view = exec.view(&snapshot)?;
    let found = view
        .iter()
        .filter(|(_, node)| node.entry.elf.as_ref() == Some(&file.facts))
        .max_by_key(|(path, _)| path.file_name() == file.path.file_name());
    let Some((_, node)) = found else { return Ok(None) };
    let mut layer = 0;
    for step in exec.plan.chain(Some(source)) {
        let step = &exec.plan.steps[step];
        layer += match &step.op {
            Op::Base(number) => exec.plan.bases[*number].layers.len(),
            _ => 1,
        };
        if node.layer < layer {
            return Ok(Some((step.origin.span, step.origin.stage.clone())));
        }
    }
    Ok(None)
}
