//! Plans RUN.

use mlint_model::scope::PROXY_ARGS;
use mlint_syntax::{CommandLine, Instruction, Span};

use super::{
    MountSource, Op, RunMount, RunOp, flags, mounts, paths,
    stage::{Planner, StageState, text_of},
};
use crate::problem::{At, BuildError, Problem};

/// The command of a RUN, ready to be run.
struct Command {
    argv: Vec<String>,
    script: Option<(String, String)>,
}

impl Planner<'_> {
    pub(super) fn run(
        &mut self,
        state: &mut StageState,
        instruction: &Instruction,
        command: &CommandLine,
        span: Span,
    ) -> Result<(), BuildError> {
        flags::check(instruction, &["mount", "network", "security"])?;
        if let Some(flag) = instruction.flag("security")
            && flag.value.as_ref().is_none_or(|word| word.as_str() != "sandbox")
        {
            return Err(Problem::unsupported("RUN --security").at(flag.span));
        }
        let command = state.command(instruction, command);
        let mounts = self.mounts(state, instruction)?;
        let network = network(state, instruction, !self.inputs.run.no_network)?;
        let known = |name: &str| {
            let args = self.inputs.build_args.iter().rev();
            args.filter(|(n, _)| n == name).map(|(_, v)| v.clone()).next()
        };
        // Some programs read one spelling, some the other.
        let proxy = |name: &&str| {
            let [upper, lower] = [name.to_uppercase(), name.to_lowercase()];
            Some((
                (*name).to_owned(),
                known(name).or_else(|| known(&upper)).or_else(|| known(&lower))?,
            ))
        };
        let proxies = PROXY_ARGS.iter().filter_map(proxy).collect();
        let op = RunOp {
            argv: command.argv,
            script: command.script,
            env: environment(state),
            proxies,
            cwd: paths::clean(&state.config.config.working_dir),
            user: state.config.config.user.clone(),
            mounts,
            network,
            platform: state.platform.to_string(),
            hosts: self.inputs.run.hosts.clone(),
            shm_size: self.inputs.run.shm_size,
            limits: self.inputs.run.limits.clone(),
        };
        let entry = format!("RUN {} # buildkit", state.history_command(&op.argv));
        self.step(state, Op::Run(op), instruction, span, entry);
        Ok(())
    }

    fn mounts(
        &mut self,
        state: &StageState,
        instruction: &Instruction,
    ) -> Result<Vec<RunMount>, BuildError> {
        let mut mounts = Vec::new();
        for flag in instruction.flags.iter().filter(|f| f.name.as_str() == "mount") {
            let Some(word) = &flag.value else {
                let flag_text = "--mount without a value".to_owned();
                let problem =
                    Problem::UnknownFlag { flag: flag_text, instruction: "RUN".to_owned() };
                return Err(problem.at(flag.span));
            };
            let parsed = mounts::parse(&state.expand(word)?).at(flag.span)?;
            let required = parsed.required;
            let from = match mounts::mount_from(word.as_str()) {
                Some(from) => {
                    let mut name = word.clone();
                    name.raw = mlint_syntax::LogicalText::contiguous(from, word.span().start);
                    self.copy_source(state, &name, false).map_err(|mut e| {
                        e.span = Some(word.span());
                        e
                    })?
                }
                None => MountSource::Context,
            };
            let needs_context = from == MountSource::Context && parsed.kind() == "bind";
            if needs_context && !self.has_context() {
                return Err(Problem::NoContext.at(flag.span));
            }
            let cwd = &state.config.config.working_dir;
            let platform = state.platform.to_string();
            let mut mount = parsed.resolve(from, &platform, cwd).at(flag.span)?;
            let mut spaces = self.inputs.build_args.iter().rev();
            let space = spaces.find(|(name, _)| name == "BUILDKIT_CACHE_MOUNT_NS");
            if let (RunMount::Cache { id, .. }, Some((_, space))) = (&mut mount, space)
                && !space.is_empty()
            {
                *id = format!("{space}/{id}");
            }
            match &mount {
                RunMount::Secret { id, .. } if required && !self.inputs.secrets.contains(id) => {
                    return Err(Problem::NoSecret { id: id.clone() }.at(flag.span));
                }
                RunMount::Ssh { id, .. } if required && !self.inputs.agents.contains(id) => {
                    return Err(Problem::NoAgent { id: id.clone() }.at(flag.span));
                }
                _ => mounts.push(mount),
            }
        }
        Ok(mounts)
    }
}

fn network(
    state: &StageState,
    instruction: &Instruction,
    default: bool,
) -> Result<bool, BuildError> {
    let Some(flag) = instruction.flag("network") else { return Ok(default) };
    let value = match &flag.value {
        Some(word) => state.expand(word)?,
        None => String::new(),
    };
    match value.as_str() {
        "default" => Ok(default),
        // The host's network is the default here.
        "host" => Ok(true),
        "none" => Ok(false),
        _ => Err(Problem::BadValue {
            what: "--network".to_owned(),
            value,
            expected: "default, none or host",
        }
        .at(flag.span)),
    }
}

fn environment(state: &StageState) -> Vec<(String, String)> {
    let known = state.scope.environment().into_iter();
    known.map(|(name, value)| (name.to_owned(), text_of(value))).collect()
}

impl StageState {
    fn command(&self, instruction: &Instruction, command: &CommandLine) -> Command {
        let text = match command {
            CommandLine::Exec(argv) => {
                let argv = argv.iter().map(|a| a.value.clone()).collect();
                return Command { argv, script: None };
            }
            CommandLine::Shell(text) => text.as_str(),
        };
        let mut script = None;
        let text = match &instruction.heredocs[..] {
            [] => text.to_owned(),
            [only] if text.trim() == marker_text(instruction) => {
                let body = only.body.as_str();
                if body.starts_with("#!") {
                    script = Some((only.name.clone(), body.to_owned()));
                    format!("/dev/pipes/{}", only.name)
                } else {
                    body.to_owned()
                }
            }
            several => {
                let mut full = text.to_owned();
                for heredoc in several {
                    full.push('\n');
                    full.push_str(heredoc.raw_body.as_str());
                    full.push_str(&heredoc.name);
                }
                full
            }
        };
        let mut argv = self.shell();
        argv.push(text);
        Command { argv, script }
    }

    /// What the history says of a RUN: the ARGs in force, then the command.
    fn history_command(&self, argv: &[String]) -> String {
        let args = self.scope.run_args();
        let mut words: Vec<String> = Vec::new();
        if !args.is_empty() {
            words.push(format!("|{}", args.len()));
            words.extend(args.iter().map(|(name, value)| format!("{name}={}", text_of(value))));
        }
        words.extend(argv.iter().cloned());
        words.join(" ")
    }
}

/// The marker of the only here-document, as written.
fn marker_text(instruction: &Instruction) -> &str {
    let rest = instruction.rest.as_str().trim();
    let only = rest.strip_prefix("<<").is_some_and(|r| {
        !r.contains(|c: char| c.is_whitespace() || matches!(c, ';' | '|' | '&' | '>' | '<'))
    });
    // No shell text trims to this.
    if only { rest } else { "\n" }
}
