//! Names that `--build-context` gives: they win over stages and images.

use std::path::PathBuf;

use mlint_oci::{Platform, Reference};
use mlint_syntax::Span;

use super::{images::ImageNeed, stages::Source};
use crate::{
    problem::{At, BuildError},
    request::{NamedContext, NamedSource},
};

/// All named contexts of a build.
#[derive(Debug, Default)]
pub struct Contexts(Vec<Context>);

/// One of them.
#[derive(Debug)]
pub struct Context {
    name: String,
    platform: Option<Platform>,
    what: What,
}

#[derive(Debug)]
enum What {
    /// Files, by the number in the request.
    Files(usize),
    Scratch,
    Image(Reference),
    Layout(Reference, PathBuf, String),
}

impl Contexts {
    /// Reads the names of a request.
    pub fn of(contexts: &[NamedContext]) -> Result<Self, BuildError> {
        let read = |(number, context): (usize, &NamedContext)| {
            let NamedContext { name, platform, source } = context;
            let platform = platform.as_deref().map(str::parse::<Platform>).transpose()?;
            let what = match source {
                NamedSource::Directory { .. } | NamedSource::Remote(_) => What::Files(number),
                NamedSource::Image(image) if image == "scratch" => What::Scratch,
                NamedSource::Image(image) => What::Image(Reference::parse(image)?),
                NamedSource::Layout { path, target } => {
                    What::Layout(Reference::parse(name)?, path.clone(), target.clone())
                }
            };
            Ok::<_, BuildError>(Context { name: name.clone(), platform, what })
        };
        contexts.iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// What a name of a stage or an image stands for on a platform; nothing if it has not been given
    /// another meaning. One that is for this very platform wins.
    pub fn find(&self, name: &str, platform: &Platform) -> Option<&Context> {
        if self.0.is_empty() || matches!(&name.to_lowercase()[..], "scratch" | "context") {
            return None;
        }
        let familiar = Reference::parse(name).ok()?.familiar();
        let name = familiar.strip_suffix(":latest").unwrap_or(&familiar);
        let named = || self.0.iter().rev().filter(|c| c.name == name);
        named()
            .find(|c| c.platform.as_ref() == Some(platform))
            .or_else(|| named().find(|c| c.platform.is_none()))
    }
}

impl Context {
    /// Where it takes from.
    pub fn source(&self, platform: &Platform, span: Span) -> Result<Source, BuildError> {
        let image = |reference: &Reference, layout| {
            let (reference, platform) = (reference.clone(), platform.clone());
            Source::Image(ImageNeed { reference, platform, span, layout })
        };
        let source: Result<Source, BuildError> = Ok(match &self.what {
            What::Files(number) => Source::Files(*number),
            What::Scratch => Source::Scratch,
            What::Image(reference) => image(reference, None),
            What::Layout(reference, path, target) => {
                image(reference, Some((path.clone(), target.clone())))
            }
        });
        source.at(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_for_the_very_platform_wins() {
        let context = |name: &str, platform: Option<&str>, image: &str| NamedContext {
            name: name.to_owned(),
            platform: platform.map(str::to_owned),
            source: NamedSource::Image(image.to_owned()),
        };
        let contexts = Contexts::of(&[
            context("alpine", Some("linux/arm64"), "arm"),
            context("alpine", None, "all"),
            context("base", None, "scratch"),
        ])
        .unwrap();
        let found = |name: &str, arch: &str| {
            let platform = Platform::linux(arch);
            let context = contexts.find(name, &platform)?;
            Some(match context.source(&platform, Span::new(0, 0)).unwrap() {
                Source::Image(need) => need.reference.familiar(),
                other => format!("{other:?}"),
            })
        };
        assert_eq!(found("alpine", "arm64").as_deref(), Some("arm"));
        assert_eq!(found("docker.io/library/alpine:latest", "amd64").as_deref(), Some("all"));
        assert_eq!(found("base", "amd64").as_deref(), Some("Scratch"));
        assert_eq!(found("alpine:3", "amd64"), None);
        assert_eq!(found("scratch", "amd64"), None);
    }
}
