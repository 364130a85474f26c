//! `mlint verify`.

use std::{io::Write, process::ExitCode};

use clap::Args;
use mlint_builder::{
    request::VerifyRequest,
    sandbox::session::spawn,
    verify::{VerifiedPlatform, VerifyReply},
};

use super::{
    build::{MachineArgs, cache_dir, session_options},
    session::SessionRequest,
};
use crate::report::failure;

/// How many wrong files are shown per platform.
const SHOWN: usize = 20;

/// Arguments of `mlint verify`.
#[derive(Args, Clone, Debug)]
pub struct VerifyArgs {
    /// The image, in a registry
    pub image: String,
    /// Platforms that must be there and right, separated by commas [default: all that are there]
    #[arg(long, visible_alias = "platform", value_delimiter = ',', value_name = "P,…")]
    pub platforms: Vec<String>,
    /// Let files of another machine pass at paths that match; as in .dockerignore
    #[arg(long, value_name = "PATTERN")]
    pub allow_foreign: Vec<String>,
    /// What the builder runs with
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// Runs the command: 0 all right, 1 wrong files or missing platforms, 2 could not look.
pub fn run(args: &VerifyArgs) -> ExitCode {
    match try_run(args) {
        Ok(code) => code,
        Err(message) => {
            failure::say(&message);
            ExitCode::from(2)
        }
    }
}

fn try_run(args: &VerifyArgs) -> Result<ExitCode, String> {
    let request = VerifyRequest {
        image: args.image.clone(),
        platforms: args.platforms.clone(),
        allow_foreign: args.allow_foreign.clone(),
        plain_http: args.machine.plain_http.clone(),
        cache_dir: cache_dir(args.machine.cache_dir.as_deref())?,
        cache_max: args.machine.cache_max_size,
    };
    let options = session_options(&args.machine)?;
    let bytes = serde_json::to_vec(&SessionRequest::Verify(request)).map_err(|e| e.to_string())?;
    let exit = spawn(&bytes, &options).map_err(|e| e.to_string())?;
    let reply: VerifyReply = serde_json::from_slice(&exit.reply)
        .map_err(|e| format!("the session's answer cannot be read: {e}"))?;
    match reply {
        VerifyReply::Failed(failed) => Err(failed.message),
        VerifyReply::Done(outcome) => {
            let mut out = anstream::stdout().lock();
            let mut fine = true;
            for platform in &outcome.platforms {
                fine &= !platform.missing && platform.wrong.is_empty();
                for line in lines(platform) {
                    let _ = writeln!(out, "{line}");
                }
            }
            Ok(ExitCode::from(u8::from(!fine)))
        }
    }
}

fn lines(platform: &VerifiedPlatform) -> Vec<String> {
    let VerifiedPlatform { platform: name, elf_files, wrong, missing, .. } = platform;
    if *missing {
        return vec![format!("{name}: missing")];
    }
    if wrong.is_empty() {
        return vec![format!("{name}: ok, {elf_files} ELF files")];
    }
    let mut lines = vec![format!("{name}: {} of {elf_files} ELF files are wrong", wrong.len())];
    for file in wrong.iter().take(SHOWN) {
        lines.push(format!("  {}", file.problem));
        if let Some(created_by) = &file.created_by {
            lines.push(format!("    brought by: {created_by}"));
        }
    }
    if wrong.len() > SHOWN {
        lines.push(format!("  and {} more", wrong.len() - SHOWN));
    }
    lines
}
