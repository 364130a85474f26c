//! `--annotation`, and `annotation…=` of an output.

use mlint_builder::request::{Annotation, AnnotationLevel};

/// `annotation.KEY`, `annotation-index.KEY`, `annotation-manifest[PLATFORM].KEY`.
pub fn key(key: &str) -> Option<Result<Annotation, String>> {
    let rest = key.strip_prefix("annotation")?;
    let (said, key) = match rest.strip_prefix('.') {
        Some(key) => ("manifest", key),
        // The platform may hold no dot, so the first one ends the level.
        None => rest.strip_prefix('-')?.split_once('.')?,
    };
    let (key, value) = (key.to_owned(), String::new());
    Some(level(said).map(|(level, platform)| Annotation { level, platform, key, value }))
}

/// `[LEVEL[PLATFORM],…:]KEY=VALUE`.
pub fn read(text: &str) -> Result<Vec<Annotation>, String> {
    let wrong = |problem: String| format!("--annotation {text}: {problem}");
    let (left, value) =
        text.split_once('=').ok_or_else(|| wrong("expected KEY=VALUE".to_owned()))?;
    // What stands before a colon is a level, as for buildx: a misspelt one is no part of a key.
    let (levels, key) = left.split_once(':').unwrap_or(("manifest", left));
    if key.is_empty() {
        return Err(wrong("the key is missing".to_owned()));
    }
    levels
        .split(',')
        .map(|said| {
            let (level, platform) = level(said).map_err(wrong)?;
            Ok(Annotation { level, platform, key: key.to_owned(), value: value.to_owned() })
        })
        .collect()
}

fn level(said: &str) -> Result<(AnnotationLevel, Option<String>), String> {
    let (name, platform) = match said.split_once('[') {
        Some((name, rest)) => {
            let platform = rest.strip_suffix(']').ok_or("a bracket is not closed")?;
            let platform = platform.parse::<mlint_oci::Platform>().map_err(|e| e.to_string())?;
            (name, Some(platform.to_string()))
        }
        None => (said, None),
    };
    let level = match name {
        "manifest" => AnnotationLevel::Manifest,
        "index" => AnnotationLevel::Index,
        "manifest-descriptor" => AnnotationLevel::ManifestDescriptor,
        "index-descriptor" => AnnotationLevel::IndexDescriptor,
        _ => {
            return Err(format!(
                "there is no level '{name}': manifest, index, manifest-descriptor and \
                 index-descriptor are known"
            ));
        }
    };
    let of_index = matches!(level, AnnotationLevel::Index | AnnotationLevel::IndexDescriptor);
    match of_index && platform.is_some() {
        true => Err("an index is for all platforms".to_owned()),
        false => Ok((level, platform)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_have_levels_and_platforms() {
        let shown = |text: &str| {
            let all = read(text)?;
            let show = |a: &Annotation| {
                let platform = a.platform.clone().unwrap_or_default();
                format!("{:?} {platform} {}={}", a.level, a.key, a.value)
            };
            Ok::<_, String>(all.iter().map(show).collect::<Vec<_>>().join("; "))
        };
        for (text, want) in [
            ("a.b/c=d:e", "Manifest  a.b/c=d:e"),
            ("index:a=b", "Index  a=b"),
            ("manifest[linux/arm64/v8]:a=b", "Manifest linux/arm64 a=b"),
            ("index,manifest-descriptor:a=", "Index  a=; ManifestDescriptor  a="),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(want), "{text}");
        }
        for bad in [
            "a",
            "index:=b",
            "index[linux/arm64]:a=b",
            "manifest[x:a=b",
            "index,x:a=b",
            "manifst:a=b",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
