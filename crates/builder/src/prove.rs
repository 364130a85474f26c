//! Runs the proof on a build's images and finds the instructions to blame.

use std::collections::BTreeMap;

use mlint_oci::{Digest, Platform};
use mlint_syntax::Span;

use crate::{
    exec::Exec,
    image::{BuiltImage, layer_steps},
    pattern::Pattern,
    plan::{ImagePlan, MountSource, Op, StepId},
    problem::{At, BuildError, Problem},
    proof::{Allow, ForeignFiles, ForeignGroup, Proof, Scope, Wrong, check},
    request::Remark,
};

/// What the proof found in images that are right.
#[derive(Debug, Default)]
pub struct Found {
    /// The number of ELF files of each.
    pub counts: Vec<usize>,
    /// Files that may not work.
    pub doubtful: Vec<ForeignGroup>,
    /// The numbers of the allowances that were needed, as [`Allowed`] counts them.
    pub used: Vec<usize>,
}

/// What is allowed by the request and the file.
#[derive(Debug)]
pub struct Allowed {
    request: Vec<Pattern>,
    /// Pattern, its text, the comment's place, and the instruction's if it is for one.
    file: Vec<(Pattern, String, Span, Option<Span>)>,
}

impl Allowed {
    /// Reads all patterns.
    ///
    /// # Errors
    /// When one can't be read, or a comment gives no reason.
    pub fn of(exec: &Exec<'_>) -> Result<Self, BuildError> {
        let mut file = Vec::new();
        for allowance in &exec.plan.allowances {
            for text in &allowance.patterns {
                let pattern = Pattern::ignore(text)
                    .map_err(|e| Problem::Copy(e.into()))
                    .at(allowance.comment)?;
                file.push((pattern, text.clone(), allowance.comment, allowance.instruction));
            }
        }
        Ok(Self { request: patterns(&exec.request.allow_foreign)?, file })
    }

    /// For an image whose layers come from these instructions.
    fn for_layers(&self, layers: &[Span]) -> Vec<Allow> {
        let own = |instruction: &Span| -> Vec<usize> {
            (0..layers.len()).filter(|at| layers[*at] == *instruction).collect()
        };
        let request = self.request.iter().cloned().map(Allow::anywhere);
        let file = self.file.iter().map(|(pattern, _, _, instruction)| Allow {
            pattern: pattern.clone(),
            layers: instruction.as_ref().map(own),
        });
        request.chain(file).collect()
    }

    /// What was allowed in the file and nobody needed.
    pub fn unused(&self, used: &[usize]) -> Vec<Remark> {
        let own = self.file.iter().enumerate();
        let idle = own.filter(|(number, _)| !used.contains(&(self.request.len() + number)));
        idle.map(|(_, (_, text, comment, _))| Remark {
            message: format!(
                "no file of another machine is at /{text}: nothing needs this allowance"
            ),
            place: Some((comment.start, comment.end)),
            notes: Vec::new(),
        })
        .collect()
    }
}

/// Checks all images.
pub fn prove(
    exec: &Exec<'_>,
    allowed: &Allowed,
    images: &[(BuiltImage, &ImagePlan)],
) -> Result<Found, BuildError> {
    let mut found = Found::default();
    let mut foreign = ForeignFiles::default();
    for (built, plan) in images {
        let proof = proof_of(exec, allowed, built, plan)?;
        found.counts.push(proof.elf_files);
        found.used.extend(proof.used);
        foreign.groups.extend(blame(exec, built, plan, proof.wrong)?);
        found.doubtful.extend(blame(exec, built, plan, proof.doubtful)?);
    }
    match foreign.groups.first().map(|g| g.span) {
        Some(span) => Err(Problem::Foreign(foreign).at(span)),
        None => Ok(found),
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
    allowed: &Allowed,
    built: &BuiltImage,
    plan: &ImagePlan,
) -> Result<Proof, BuildError> {
    let steps = layer_steps(exec.plan, plan);
    let copied: Vec<usize> = (0..steps.len())
        .filter(|layer| matches!(exec.plan.steps[steps[*layer]].op, Op::Copy(_)))
        .collect();
    let spans: Vec<Span> = steps.iter().map(|id| exec.plan.steps[*id].origin.span).collect();
    let allow = allowed.for_layers(&spans);
    let Started { programs: started, handed } = started(&built.config);
    let env = &built.config.config.env;
    let said: Vec<_> = allow.iter().map(|a| (format!("{:?}", a.pattern), &a.layers)).collect();
    let parts = (
        "proof 4",
        built.platform.to_string(),
        &built.snapshot.chain,
        &copied,
        (&started, &handed),
        env,
        &said,
    );
    let key = Digest::sha256(serde_json::to_vec(&parts).unwrap_or_default());
    if let Some(proof) = exec.record::<Proof>("proof", &key) {
        exec.note("proof", &key, &proof);
        return Ok(proof);
    }
    let view = exec.view(&built.snapshot)?;
    // What can't be read says nothing about where to look.
    let text = |path: &str| exec.read_text(&built.snapshot, &view, path).unwrap_or_default();
    let proof = check(
        &view,
        &Scope {
            platform: &built.platform,
            allow: &allow,
            copied_layers: &copied,
            started,
            handed,
            env,
            text: &text,
        },
    );
    exec.store.put_record("proof", &key, &proof)?;
    exec.note("proof", &key, &proof);
    Ok(proof)
}

/// The programs that a container starts with: the first one, and the one that it leads to if that is
/// plain to see.
pub fn started(config: &mlint_oci::ImageConfig) -> Started {
    let config = &config.config;
    let words = |argv: &Option<Vec<String>>| argv.clone().unwrap_or_default();
    let (entrypoint, cmd) = (words(&config.entrypoint), words(&config.cmd));
    let argv: Vec<String> = entrypoint.into_iter().chain(cmd).collect();
    let (mut found, mut handed, mut is_handed) = (Vec::new(), Vec::new(), false);
    let mut rest: &[String] = &argv;
    while let [program, arguments @ ..] = rest {
        let name = program.rsplit('/').next().unwrap_or_default();
        let list = if is_handed { &mut handed } else { &mut found };
        list.push(located(program, &config.working_dir));
        // Most end with `exec "$@"`.
        if name.ends_with(".sh") || name.contains("entrypoint") {
            (rest, is_handed) = (arguments, true);
            continue;
        }
        if INITS.contains(&name) {
            let after = arguments.iter().position(|word| word == "--").map(|at| at + 1);
            let plain = || arguments.iter().position(|word| !word.starts_with('-'));
            let begins = after.or_else(plain).unwrap_or(arguments.len());
            rest = &arguments[begins..];
            continue;
        }
        let script = Some(arguments).filter(|_| SHELLS.contains(&name)).and_then(script);
        let first = script.and_then(first_program);
        list.extend(first.map(|program| located(program, &config.working_dir)));
        break;
    }
    Started { programs: found, handed }
}

/// What a container starts with.
#[derive(Debug, Default)]
pub struct Started {
    /// Programs.
    pub programs: Vec<String>,
    /// Programs that a script among them is told to start.
    pub handed: Vec<String>,
}

/// Programs that start another one and wait for its children.
const INITS: [&str; 5] = ["tini", "tini-static", "dumb-init", "docker-init", "catatonit"];
const SHELLS: [&str; 4] = ["sh", "bash", "dash", "ash"];

/// What a shell does itself where another command may come first, and what is no command.
const OF_SHELLS: &str = " . alias bg bind break builtin caller case cd chdir command compgen \
    complete compopt continue coproc declare dirs disown do done echo elif else enable esac eval \
    exec exit export false fc fg fi for function getopts hash help history if in jobs kill let \
    local logout mapfile popd printf pushd pwd read readarray readonly return select set shift \
    shopt source suspend test then time times trap true type typeset ulimit umask unalias unset \
    until wait while ";

/// A program as it is looked for: a path from the root, or a name for `PATH`.
fn located(program: &str, working_dir: &str) -> String {
    match program.contains('/') && !program.starts_with('/') {
        true => format!("{working_dir}/{program}"),
        false => program.to_owned(),
    }
}

/// The script that a shell is given, if it reads nothing before it.
fn script(arguments: &[String]) -> Option<&str> {
    let mut words = arguments.iter();
    while let Some(flag) = words.next() {
        let letters = flag.strip_prefix('-')?;
        if !letters.chars().all(|letter| "ceuxo".contains(letter)) {
            return None;
        }
        if letters.contains('o') {
            words.next();
        }
        if letters.contains('c') {
            return words.next().map(String::as_str);
        }
    }
    None
}

/// The program of a script's first command, if it is written out, and nothing stands in for it where
/// it fails.
fn first_program(text: &str) -> Option<&str> {
    let start = text.trim_start();
    let start = start.strip_prefix("exec ").unwrap_or(start).trim_start();
    let word = start.split([' ', '\t', '\n', ';', '&', '|']).next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+');
    let is_plain = !word.is_empty() && !word.starts_with(['-', '+']) && word.chars().all(plain);
    let is_of_shell = OF_SHELLS.contains(&format!(" {word} "));
    (is_plain && !is_of_shell && !text.contains("||")).then_some(word)
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
    // Of a stage that nobody had to look into there may be nothing here but its name.
    let view = match exec.view(&snapshot) {
        Err(error) if error.is_interrupt() => return Err(error),
        Err(_) => return Ok(None),
        Ok(view) => view,
    };
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

#[cfg(test)]
mod tests {
    use super::{Started, started};

    #[test]
    fn what_a_container_starts_with_is_found_behind_what_starts_it() {
        let of = |entrypoint: &[&str], cmd: &[&str]| {
            let list = |words: &[&str]| {
                Some(words.iter().map(|w| (*w).to_owned()).collect())
                    .filter(|w: &Vec<_>| !w.is_empty())
            };
            let mut config = mlint_oci::ImageConfig::new(&"linux/amd64".parse().unwrap());
            config.config.working_dir = "/opt/app".to_owned();
            (config.config.entrypoint, config.config.cmd) = (list(entrypoint), list(cmd));
            let Started { programs, handed } = started(&config);
            let handed = handed.iter().map(|program| format!("({program})"));
            programs.into_iter().chain(handed).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of(&["/a"], &["b"]), "/a");
        assert_eq!(of(&[], &["b", "c"]), "b");
        assert_eq!(of(&[], &["./b"]), "/opt/app/./b");
        assert_eq!(of(&["/sbin/tini", "-g", "--"], &["/a", "x"]), "/sbin/tini /a");
        assert_eq!(of(&["dumb-init", "-v"], &["a"]), "dumb-init a");
        assert_eq!(of(&["/bin/sh", "-c", "exec /a --port 1"], &[]), "/bin/sh /a");
        assert_eq!(of(&["tini"], &["sh", "-c", "/a;b"]), "tini sh /a");
        assert_eq!(of(&["tini", "/run.sh"], &["a", "b"]), "tini /run.sh (a)");
        assert_eq!(of(&["docker-entrypoint"], &["-v"]), "docker-entrypoint (-v)");
        for (text, program) in [
            ("a", "a"),
            ("exec a --port 1", "a"),
            ("./a&", "/opt/app/./a"),
            ("bin/a", "/opt/app/bin/a"),
        ] {
            assert_eq!(of(&["/bin/sh", "-c", text], &[]), format!("/bin/sh {program}"));
            let bash = ["/bin/bash", "-eo", "pipefail", "-c", text];
            assert_eq!(of(&bash, &[]), format!("/bin/bash {program}"));
        }
        for text in [
            "[ -f /a ] && /a",
            "cd /x && ./a",
            "set -e; a",
            "export A=1; a",
            "if a; then b; fi",
            "exec -a x a",
            "exec",
            "A=1 a",
            ". ./a",
            "\"a\"",
            "$A",
            "a$B",
            "a() { b; }; a",
            "{ a; }",
            "! a",
            "a || b",
            "# a",
            "",
        ] {
            assert_eq!(of(&["/bin/sh", "-c", text], &[]), "/bin/sh", "{text}");
        }
        assert_eq!(of(&["bash", "-lc", "a"], &[]), "bash", "a profile may change PATH");
        assert_eq!(of(&["sh", "a.sh"], &[]), "sh");
        assert_eq!(of(&["tini"], &[]), "tini");
        assert_eq!(of(&[], &[]), "");
    }
}
