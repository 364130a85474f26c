//! `--cache-from` and `--cache-to`.

use mlint_builder::{
    layer::Compression,
    request::{CachePlace, CacheTo},
};
use mlint_oci::Reference;

use super::{outputs::fields, values};

/// A cache to be written, and how the flag wants its layers compressed.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    /// Where, and what of it.
    pub to: CacheTo,
    /// `compression=` and `compression-level=`.
    pub compression: Option<Compression>,
}

/// Fields that both flags have.
#[derive(Default)]
struct Given {
    kind: Option<String>,
    reference: Option<String>,
    /// `src` or `dest`.
    path: Option<String>,
    tag: Option<String>,
    max: bool,
    ignore_error: bool,
    compression: Option<String>,
    level: Option<String>,
}

/// `type=registry,ref=NAME`, `type=local,src=DIR`, or a name.
pub fn from(text: &str) -> Result<CachePlace, String> {
    let wrong = |problem: String| format!("--cache-from {text}: {problem}");
    if !text.contains('=') {
        return named(text).map_err(wrong);
    }
    known_type(text).map_err(wrong)?;
    let mut given = Given::default();
    for field in fields(text) {
        let (key, value) =
            field.split_once('=').ok_or_else(|| wrong(format!("'{field}' has no value")))?;
        match key {
            "type" => given.kind = Some(value.to_owned()),
            "ref" => given.reference = Some(value.to_owned()),
            "src" => given.path = Some(value.to_owned()),
            "tag" => given.tag = Some(value.to_owned()),
            _ => return Err(wrong(unknown(key, "type, ref, src and tag"))),
        }
    }
    given.place("src").map_err(wrong)
}

/// `type=registry,ref=NAME,mode=max`, `type=local,dest=DIR`, or a name.
pub fn to(text: &str) -> Result<Written, String> {
    let wrong = |problem: String| format!("--cache-to {text}: {problem}");
    if !text.contains('=') {
        let place = named(text).map_err(wrong)?;
        let to = CacheTo { place, max: false, ignore_error: false };
        return Ok(Written { to, compression: None });
    }
    known_type(text).map_err(wrong)?;
    let mut given = Given::default();
    for field in fields(text) {
        let (key, value) =
            field.split_once('=').ok_or_else(|| wrong(format!("'{field}' has no value")))?;
        given.written_field(key, value).map_err(wrong)?;
    }
    let compression = match (&given.compression, &given.level) {
        (None, None) => None,
        (kind, level) => {
            let kind = kind.as_deref().unwrap_or("gzip");
            let text = level.as_ref().map_or(kind.to_owned(), |level| format!("{kind}:{level}"));
            Some(values::compression(&text)?)
        }
    };
    let (max, ignore_error) = (given.max, given.ignore_error);
    let to = CacheTo { place: given.place("dest").map_err(wrong)?, max, ignore_error };
    Ok(Written { to, compression })
}

impl Given {
    fn written_field(&mut self, key: &str, value: &str) -> Result<(), String> {
        let switch = || match value {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(format!("{key} is true or false")),
        };
        match key {
            "type" => self.kind = Some(value.to_owned()),
            "ref" => self.reference = Some(value.to_owned()),
            "dest" => self.path = Some(value.to_owned()),
            "tag" => self.tag = Some(value.to_owned()),
            "mode" => {
                self.max = match value {
                    "min" => false,
                    "max" => true,
                    _ => return Err("mode is min or max".to_owned()),
                }
            }
            "ignore-error" => self.ignore_error = switch()?,
            "compression" => self.compression = Some(value.to_owned()),
            "compression-level" => self.level = Some(value.to_owned()),
            // The cache has the layers as the build makes them: none of another compression.
            "force-compression" => drop(switch()?),
            "image-manifest" | "oci-mediatypes" if switch()? => {}
            "image-manifest" | "oci-mediatypes" => {
                return Err(format!(
                    "{key}=false is BuildKit's form; mlint's own is always one of image manifests \
                     with OCI's media types"
                ));
            }
            _ => {
                let known = "type, ref, dest, tag, mode, compression, compression-level, \
                             ignore-error, image-manifest and oci-mediatypes";
                return Err(unknown(key, known));
            }
        }
        Ok(())
    }

    fn place(self, path_key: &str) -> Result<CachePlace, String> {
        let missing = |key: &str| format!("{key}= is missing");
        match self.kind.as_deref() {
            None => Err(missing("type")),
            Some("registry") => named(&self.reference.ok_or_else(|| missing("ref"))?),
            Some("local") => {
                let path = self.path.filter(|p| !p.is_empty()).ok_or_else(|| missing(path_key))?;
                let path = std::path::absolute(path).map_err(|e| e.to_string())?;
                Ok(CachePlace::Directory { path, tag: self.tag.unwrap_or("latest".to_owned()) })
            }
            Some("inline") => Err("mlint keeps a cache apart from the image: \
                                   type=registry,ref=NAME with a tag of its own"
                .to_owned()),
            Some("gha") => Err("mlint does not speak the protocol of GitHub's cache: take \
                                type=registry with ref=ghcr.io/OWNER/REPOSITORY:cache, or \
                                type=local with a directory that actions/cache keeps"
                .to_owned()),
            Some(kind @ ("s3" | "azblob")) => Err(format!(
                "mlint does not write to {kind}: take type=registry, or type=local with a directory \
                 that is copied there"
            )),
            Some(kind) => Err(format!("there is no type '{kind}': registry and local are known")),
        }
    }
}

/// Before anything else: another type has other fields.
fn known_type(text: &str) -> Result<(), String> {
    let kind = fields(text).iter().find_map(|field| field.strip_prefix("type=").map(str::to_owned));
    match kind.as_deref() {
        None | Some("registry" | "local") => Ok(()),
        Some(_) => Given { kind, ..Given::default() }.place("").map(drop),
    }
}

fn named(text: &str) -> Result<CachePlace, String> {
    let reference = Reference::parse(text).map_err(|e| e.to_string())?;
    match reference.digest() {
        Some(_) => Err("a cache has a tag, not a digest: it changes".to_owned()),
        None => Ok(CachePlace::Registry(text.to_owned())),
    }
}

fn unknown(key: &str, known: &str) -> String {
    format!("there is no '{key}='; {known} are known")
}

/// How layers are made: caches have them as images do, so all must want the same.
pub fn compression(made: Compression, caches: &[Written]) -> Result<(), String> {
    match caches.iter().filter_map(|c| c.compression).find(|wanted| *wanted != made) {
        None => Ok(()),
        Some(_) => Err("--cache-to: a cache has the layers as they are made, and these are made \
                        in another way: give the same to --compression or --output"
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_or_refused() {
        let registry = |name: &str| Ok(CachePlace::Registry(name.to_owned()));
        assert_eq!(from("a.example/x:cache"), registry("a.example/x:cache"));
        assert_eq!(from("type=registry,ref=a.example/x"), registry("a.example/x"));
        let local = |tag: &str| CachePlace::Directory { path: "/c".into(), tag: tag.to_owned() };
        assert_eq!(from("type=local,src=/c"), Ok(local("latest")));
        assert_eq!(from("type=local,src=/c,tag=x"), Ok(local("x")));
        let written = to("type=local,dest=/c,mode=max,ignore-error=true,compression=zstd");
        let want = CacheTo { place: local("latest"), max: true, ignore_error: true };
        let compression = Some(Compression::Zstd(3));
        assert_eq!(written, Ok(Written { to: want, compression }));
        let plain = to("type=registry,ref=a/b,image-manifest=true,oci-mediatypes=true").unwrap();
        assert!(!plain.to.max && !plain.to.ignore_error && plain.compression.is_none());
        for (text, word) in [
            ("type=gha", "actions/cache"),
            ("type=inline", "tag of its own"),
            ("type=s3,bucket=x", "does not write to s3"),
            ("type=local,dest=/c,bucket=x", "there is no 'bucket='"),
            ("type=s3", "type=registry"),
            ("type=registry", "ref= is missing"),
            ("type=local", "dest= is missing"),
            ("type=local,src=/c", "there is no 'src='"),
            ("type=registry,ref=a/b,mode=most", "min or max"),
            ("type=registry,ref=a/b,oci-mediatypes=false", "BuildKit's form"),
            ("type=registry,ref=a/UPPER", "UPPER"),
        ] {
            let refused = to(text).unwrap_err();
            assert!(refused.contains(word), "{text}: {refused}");
        }
        assert!(from("type=registry,ref=a/b,mode=max").is_err());
    }

    #[test]
    fn one_compression_for_all() {
        let zstd = to("type=local,dest=/c,compression=zstd").unwrap();
        assert_eq!(compression(Compression::Zstd(3), std::slice::from_ref(&zstd)), Ok(()));
        assert!(compression(Compression::Gzip(6), &[zstd]).is_err());
    }
}
