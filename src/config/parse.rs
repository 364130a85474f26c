//! From the text of `mlint.toml` to a [`Config`], every mistake at its place.

use std::{collections::BTreeMap, ops::Range};

use mlint_builder::plan::parse_size;
use mlint_lint::Level;
use mlint_model::BuildContext;
use mlint_oci::{Platform, PlatformError, Reference};
use mlint_syntax::Span;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Config, Invalid};
use crate::{args::FailOn, catalogue, suggest};

/// The keys at the top.
const KEYS: [&str; 11] = [
    "platforms",
    "tags",
    "target",
    "build-args",
    "build-contexts",
    "build-platform",
    "cache",
    "context",
    "ignore",
    "rules",
    "fail-on",
];

/// What a rule can be set to.
const LEVELS: [&str; 5] = ["off", "note", "advice", "warning", "error"];

/// A mistake whose file is not yet named.
struct Mistake {
    span: Range<usize>,
    message: String,
    help: Option<String>,
}

type Parsed<T> = Result<T, Mistake>;
type Value<'i> = Spanned<DeValue<'i>>;

/// Reads the text of a configuration; `name` is the file's, for messages.
///
/// # Errors
/// The first mistake.
pub fn parse(name: &str, text: &str) -> Result<Config, Invalid> {
    let table = DeTable::parse(text).map_err(|e| Mistake {
        span: e.span().unwrap_or(0..0),
        message: e.message().trim_end_matches('.').replace('\n', "; "),
        help: None,
    });
    table.and_then(|table| top(table.get_ref())).map_err(|mistake| {
        let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Invalid {
            name: name.to_owned(),
            text: text.to_owned(),
            span: Span::new(at(mistake.span.start), at(mistake.span.end)),
            message: mistake.message,
            help: mistake.help,
        }
    })
}

fn top(table: &DeTable<'_>) -> Parsed<Config> {
    let mut config = Config::default();
    for (key, value) in in_file_order(table) {
        match key.get_ref().as_ref() {
            "platforms" => config.platforms = platforms(value)?,
            "tags" => config.tags = tags(value)?,
            "target" => config.target = Some(text(value, "the name of a stage")?.to_owned()),
            "build-args" => config.build_args = build_args(value)?,
            "build-contexts" => config.build_contexts = build_contexts(value)?,
            "build-platform" => {
                config.build_platform = Some(platform(value)?);
            }
            "cache" => cache(value, &mut config)?,
            "context" => config.context = Some(text(value, "a directory")?.into()),
            "ignore" => ignore(value, &mut config.levels)?,
            "rules" => rules(value, &mut config.levels)?,
            "fail-on" => config.fail_on = Some(fail_on(value)?),
            other => return Err(unknown(key.span(), "key", other, &KEYS)),
        }
    }
    Ok(config)
}

/// The first mistake in the file is the one to tell.
fn in_file_order<'t, 'i>(
    table: &'t DeTable<'i>,
) -> Vec<(&'t Spanned<std::borrow::Cow<'i, str>>, &'t Value<'i>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn unknown(span: Range<usize>, what: &str, given: &str, known: &[&str]) -> Mistake {
    let help = match suggest::nearest(given, known.iter().copied()) {
        Some(near) => format!("did you mean '{near}'?"),
        None if known.len() <= 8 => format!("known: {}", known.join(", ")),
        None => "`mlint rules` lists them all".to_owned(),
    };
    Mistake { span, message: format!("there is no {what} '{given}'"), help: Some(help) }
}

fn expected(value: &Value<'_>, what: &str) -> Mistake {
    let article = |word: &str| if word.starts_with(['a', 'i']) { "an" } else { "a" }.to_owned();
    let is = value.get_ref().type_str();
    Mistake {
        span: value.span(),
        message: format!("expected {what}, not {} {is}", article(is)),
        help: None,
    }
}

fn text<'t>(value: &'t Value<'_>, what: &str) -> Parsed<&'t str> {
    value.get_ref().as_str().ok_or_else(|| expected(value, what))
}

fn list<'t, 'i>(value: &'t Value<'i>, what: &str) -> Parsed<&'t [Value<'i>]> {
    value.get_ref().as_array().map(|a| &a[..]).ok_or_else(|| expected(value, what))
}

fn platforms(value: &Value<'_>) -> Parsed<Vec<Platform>> {
    let mut all: Vec<Platform> = Vec::new();
    for item in list(value, "a list of platforms, as in [\"linux/amd64\", \"linux/arm64\"]")? {
        let platform = platform(item)?;
        if !all.contains(&platform) {
            all.push(platform);
        }
    }
    if all.is_empty() {
        return Err(Mistake {
            span: value.span(),
            message: "the list of platforms is empty".to_owned(),
            help: Some("name one at least, or leave the key out".to_owned()),
        });
    }
    Ok(all)
}

fn platform(value: &Value<'_>) -> Parsed<Platform> {
    let mistake =
        |e: PlatformError| Mistake { span: value.span(), message: e.to_string(), help: None };
    text(value, "a platform, as in \"linux/arm64\"")?.parse().map_err(mistake)
}

fn build_contexts(value: &Value<'_>) -> Parsed<Vec<BuildContext>> {
    let what = "a table of contexts, as in base = \"docker-image://debian:12\"";
    let table = value.get_ref().as_table().ok_or_else(|| expected(value, what))?;
    in_file_order(table)
        .into_iter()
        .map(|(key, value)| {
            let stands_for = text(value, "an image, a directory or an address in quotes")?;
            BuildContext::new(key.get_ref(), stands_for).map_err(|e| Mistake {
                span: key.span(),
                message: e.to_string(),
                help: None,
            })
        })
        .collect()
}

fn cache(value: &Value<'_>, config: &mut Config) -> Parsed<()> {
    let what = "a table about the cache, as in max-size = \"20g\"";
    let table = value.get_ref().as_table().ok_or_else(|| expected(value, what))?;
    for (key, value) in in_file_order(table) {
        match key.get_ref().as_ref() {
            "max-size" => {
                let given = text(value, "a size in quotes, as in \"20g\"")?;
                let size = parse_size(given).ok_or_else(|| Mistake {
                    span: value.span(),
                    message: format!("'{given}' is no size"),
                    help: Some("as in \"500m\" or \"20g\"".to_owned()),
                })?;
                config.cache_max = Some(size);
            }
            other => return Err(unknown(key.span(), "key of [cache]", other, &["max-size"])),
        }
    }
    Ok(())
}

fn tags(value: &Value<'_>) -> Parsed<Vec<String>> {
    let what = "a list of image names, as in [\"registry.example.com/team/app:1.0\"]";
    list(value, what)?
        .iter()
        .map(|item| {
            let name = text(item, "an image name")?;
            Reference::parse(name).map_err(|e| Mistake {
                span: item.span(),
                message: format!("'{name}' is no image name: {e}"),
                help: None,
            })?;
            Ok(name.to_owned())
        })
        .collect()
}

fn build_args(value: &Value<'_>) -> Parsed<Vec<(String, String)>> {
    let what = "a table of build arguments, as in VERSION = \"1.2\"";
    let table = value.get_ref().as_table().ok_or_else(|| expected(value, what))?;
    in_file_order(table)
        .into_iter()
        .map(|(key, value)| {
            Ok((
                key.get_ref().to_string(),
                text(value, "the argument's value in quotes")?.to_owned(),
            ))
        })
        .collect()
}

fn rule_name(span: Range<usize>, name: &str) -> Parsed<String> {
    if catalogue::find(name).is_some() {
        return Ok(name.to_owned());
    }
    let names: Vec<&str> = catalogue::all().map(|meta| meta.name).collect();
    Err(unknown(span, "rule", name, &names))
}

fn ignore(value: &Value<'_>, levels: &mut BTreeMap<String, Level>) -> Parsed<()> {
    for item in list(value, "a list of rules, as in [\"constant-platform\"]")? {
        let name = rule_name(item.span(), text(item, "a rule's name")?)?;
        set(levels, name, Level::Off, item.span())?;
    }
    Ok(())
}

fn rules(value: &Value<'_>, levels: &mut BTreeMap<String, Level>) -> Parsed<()> {
    let what = "a table of rules, as in constant-platform = \"off\"";
    let table = value.get_ref().as_table().ok_or_else(|| expected(value, what))?;
    for (key, value) in in_file_order(table) {
        let name = rule_name(key.span(), key.get_ref())?;
        let level = match text(value, "\"off\" or a severity")? {
            "off" => Level::Off,
            word => {
                Level::At(word.parse().map_err(|()| unknown(value.span(), "level", word, &LEVELS))?)
            }
        };
        set(levels, name, level, key.span())?;
    }
    Ok(())
}

fn set(
    levels: &mut BTreeMap<String, Level>,
    name: String,
    level: Level,
    span: Range<usize>,
) -> Parsed<()> {
    match levels.get(&name) {
        Some(&before) if before != level => Err(Mistake {
            span,
            message: format!("'{name}' is both ignored and set under [rules]"),
            help: Some("keep one of the two".to_owned()),
        }),
        _ => {
            levels.insert(name, level);
            Ok(())
        }
    }
}

fn fail_on(value: &Value<'_>) -> Parsed<FailOn> {
    let word = text(value, "a severity, or \"never\"")?;
    <FailOn as clap::ValueEnum>::from_str(word, false).map_err(|_| {
        unknown(value.span(), "severity", word, &["note", "advice", "warning", "error", "never"])
    })
}

#[cfg(test)]
mod tests {
    use mlint_lint::Severity;

    use super::*;

    fn mistake(text: &str) -> (String, String, String) {
        let invalid = parse("mlint.toml", text).expect_err(text);
        let place = text[invalid.span.range()].to_owned();
        (place, invalid.message, invalid.help.unwrap_or_default())
    }

    #[test]
    fn says_what_it_can_say() {
        let config = parse(
            "mlint.toml",
            "platforms = [\"amd64\", \"linux/arm64/v8\", \"linux/amd64\"]\n\
             tags = [\"localhost:5000/app:1\"]\ntarget = \"prod\"\nfail-on = \"error\"\n\
             ignore = [\"syntax-error\"]\n[rules]\nunused-suppression = \"note\"\n\
             build-stops = \"off\"\n[build-args]\nB = \"2\"\nA = \"1\"\n",
        )
        .expect("valid");
        let platforms: Vec<String> = config.platforms.iter().map(ToString::to_string).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
        assert_eq!(config.tags, ["localhost:5000/app:1"]);
        assert_eq!(config.target.as_deref(), Some("prod"));
        assert_eq!(config.fail_on, Some(FailOn::Error));
        assert_eq!(config.build_args, [("B".into(), "2".into()), ("A".into(), "1".into())]);
        assert_eq!(config.levels["syntax-error"], Level::Off);
        assert_eq!(config.levels["build-stops"], Level::Off);
        assert_eq!(config.levels["unused-suppression"], Level::At(Severity::Note));
        assert_eq!(parse("mlint.toml", "").expect("empty"), Config::default());
    }

    #[test]
    fn the_documented_example_is_valid() {
        let page = include_str!("../../docs/configuration.md");
        let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
        let config = parse("mlint.toml", example.expect("an example")).expect("valid");
        // Every key is in it.
        assert_eq!(config.platforms.len(), 3);
        assert!(!config.tags.is_empty() && config.target.is_some() && config.fail_on.is_some());
        assert_eq!((config.levels.len(), config.build_args.len()), (3, 1));
        assert_eq!(config.build_contexts.len(), 2);
        assert!(config.context.is_some() && config.build_platform.is_some());
        assert_eq!(config.cache_max, Some(20 << 30));
        for key in KEYS {
            assert!(page.contains(&format!("\n{key} =")) || page.contains(&format!("[{key}]")));
        }
    }

    #[test]
    fn mistakes_have_a_place_and_a_way_out() {
        let (place, message, help) = mistake("platfroms = []");
        assert_eq!((&*place, &*help), ("platfroms", "did you mean 'platforms'?"));
        assert_eq!(message, "there is no key 'platfroms'");
        let (place, _, help) = mistake("ignore = [\"sintax-error\"]");
        assert_eq!((&*place, &*help), ("\"sintax-error\"", "did you mean 'syntax-error'?"));
        let (place, message, _) = mistake("platforms = \"linux/amd64\"");
        assert_eq!(place, "\"linux/amd64\"");
        assert!(message.contains("not a string"), "{message}");
        let (place, _, _) = mistake("platforms = [\"linux/amd64\", \"linux/\"]");
        assert_eq!(place, "\"linux/\"");
        let (place, ..) = mistake("tags = [\"app/UPPER\"]");
        assert_eq!(place, "\"app/UPPER\"");
        let (place, _, help) = mistake("fail-on = \"warn\"");
        assert_eq!((&*place, &*help), ("\"warn\"", "did you mean 'warning'?"));
        let (_, message, _) = mistake("ignore = [\"build-stops\"]\nrules.build-stops = \"error\"");
        assert!(message.contains("both ignored and set"), "{message}");
        let (_, message, _) = mistake("platforms = [");
        assert!(!message.is_empty());
        let (place, message, _) = mistake("[build-contexts]\n\"Base\" = \"x\"");
        assert_eq!(place, "\"Base\"");
        assert!(message.contains("can't be a context's name"), "{message}");
        let (place, _, help) = mistake("[cache]\nmax-sise = \"1g\"");
        assert_eq!((&*place, &*help), ("max-sise", "did you mean 'max-size'?"));
        let (place, ..) = mistake("[cache]\nmax-size = \"plenty\"");
        assert_eq!(place, "\"plenty\"");
        let (place, ..) = mistake("build-platform = \"bogus\"");
        assert_eq!(place, "\"bogus\"");
        mistake("platforms = []");
        mistake("a = 1\na = 2");
    }
}
