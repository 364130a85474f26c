//! `mlint completions`.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Failure, print};
use crate::args::Cli;

/// Arguments of `mlint completions`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    mlint completions bash > /etc/bash_completion.d/mlint\n  \
    mlint completions zsh > \"${fpath[1]}/_mlint\"\n  \
    mlint completions fish > ~/.config/fish/completions/mlint.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Runs the command.
///
/// # Errors
/// When standard output can't be written.
pub fn run(args: &CompletionsArgs) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "mlint", &mut script);
    print(|out| out.write_all(&script))?;
    Ok(ExitCode::SUCCESS)
}
