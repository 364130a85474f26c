//! `mlint lsp`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use mlint_lint::CheckOptions;
use mlint_lsp::{Host, Queries};
use mlint_model::ImageFacts;
use mlint_syntax::Dockerfile;

use super::Failure;
use crate::{
    args::Global,
    config::{Choice, Configs},
    context::Contexts,
    engine, talk,
};

/// Arguments of `mlint lsp`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    Neovim  vim.lsp.config('mlint', { cmd = { 'mlint', 'lsp' }, filetypes = { 'dockerfile' } })\n          \
            vim.lsp.enable('mlint')\n  \
    Helix   [language-server.mlint] command = \"mlint\", args = [\"lsp\"]")]
pub struct LspArgs {
    /// Ask no registry; judge official images by the table that mlint brings along
    #[arg(long)]
    pub offline: bool,
    /// Where answers of registries are kept [default: $XDG_CACHE_HOME/mlint or ~/.cache/mlint]
    #[arg(long, env = "MLINT_CACHE_DIR", value_name = "DIR", hide_env_values = true)]
    pub cache_dir: Option<PathBuf>,
    /// Accepted because many editors pass it; the server knows no other way
    #[arg(long, hide = true)]
    pub stdio: bool,
}

/// Settings from `mlint.toml`, facts from the cache, registries and the table.
struct Outside {
    choice: Choice,
    offline: bool,
    cache_dir: Option<PathBuf>,
}

impl Outside {
    fn resolve(&self, queries: &Queries, offline: bool) -> ImageFacts {
        engine::resolve(&queries.images, &queries.configs, offline, self.cache_dir.clone()).facts
    }
}

impl Host for Outside {
    fn options(&self, path: Option<&Path>) -> Result<CheckOptions, String> {
        let dir = path.and_then(Path::parent).unwrap_or(Path::new("."));
        // Read anew each time: it is asked for when a document is opened or something was saved.
        let config = Configs::new(self.choice.clone()).for_dir(dir).map_err(|e| e.to_string())?;
        let mut options = config.check_options();
        if let Some(path) = path {
            engine::narrow(path, &config, &mut options);
        }
        Ok(options)
    }

    fn facts_at_hand(&self, queries: &Queries) -> ImageFacts {
        self.resolve(queries, true)
    }

    fn facts(&self, queries: &Queries) -> ImageFacts {
        self.resolve(queries, self.offline)
    }

    fn look(
        &self,
        path: Option<&Path>,
        file: &Dockerfile,
        options: &mut CheckOptions,
        images: &ImageFacts,
    ) {
        let dir = path.and_then(Path::parent).unwrap_or(Path::new("."));
        // A configuration that can't be used was complained about when the options were read.
        let config = Configs::new(self.choice.clone()).for_dir(dir).unwrap_or_default();
        let contexts = Contexts::of(path, file, config.context.as_deref(), &options.contexts);
        contexts.look(file, options, images);
    }
}

/// Serves one client over standard input and output until it says goodbye.
///
/// # Errors
/// None so far: what goes wrong is said on standard error and in the exit status.
pub fn run(args: &LspArgs, global: &Global) -> Result<ExitCode, Failure> {
    let outside = Outside {
        choice: global.config_choice(),
        offline: args.offline,
        cache_dir: args.cache_dir.clone(),
    };
    match mlint_lsp::run_stdio(Box::new(outside)) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            talk::error(&error.to_string());
            // What the protocol asks for.
            Ok(ExitCode::FAILURE)
        }
    }
}
