//! The JSON schemas of the OCI image specification, from Debian's package of it, and documents
//! against them.

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::{Draft, Retrieve, Uri, Validator};
use serde_json::Value;

use crate::apt::{self, Apt, SUITE};
use crate::{Error, Result, paths};

/// Debian's package, and where in it they are.
const PACKAGE: &str = "golang-github-opencontainers-image-spec-dev";
const SCHEMAS: &str = "usr/share/gocode/src/github.com/opencontainers/image-spec/schema";

/// A kind of document that has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `oci-layout`.
    Layout,
    /// An image index.
    Index,
    /// An image manifest.
    Manifest,
    /// An image's config.
    Config,
}

/// The schemas, ready to be asked.
#[derive(Debug)]
pub struct Schemas {
    layout: Validator,
    index: Validator,
    manifest: Validator,
    config: Validator,
}

/// Schemas name each other by file.
struct Files(PathBuf);

impl Retrieve for Files {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> std::result::Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let name = uri.path().as_str().rsplit('/').next().unwrap_or_default();
        read(&self.0.join(name)).map_err(Into::into)
    }
}

impl Schemas {
    /// Downloads them where that is not yet done, and reads them.
    pub fn load() -> Result<Self> {
        let root = paths::cache().join("programs").join(PACKAGE);
        let dir = root.join(SCHEMAS);
        if !dir.join("image-manifest-schema.json").exists() {
            fs::create_dir_all(&root).map_err(Error::file(&root))?;
            Apt::open(SUITE, apt::native_arch())?.unpack(&[PACKAGE], &root)?;
        }
        let open = |name: &str| -> Result<Validator> {
            jsonschema::options()
                .with_draft(Draft::Draft4)
                .should_validate_formats(true)
                .with_retriever(Files(dir.clone()))
                .build(&read(&dir.join(name))?)
                .map_err(|error| Error::unexpected(name, "a schema", error.to_string()))
        };
        Ok(Self {
            layout: open("image-layout-schema.json")?,
            index: open("image-index-schema.json")?,
            manifest: open("image-manifest-schema.json")?,
            config: open("config-schema.json")?,
        })
    }

    /// What is wrong with a document.
    pub fn wrong(&self, kind: Kind, document: &Value) -> Vec<String> {
        let schema = match kind {
            Kind::Layout => &self.layout,
            Kind::Index => &self.index,
            Kind::Manifest => &self.manifest,
            Kind::Config => &self.config,
        };
        // The specification's text (manifest.md, `layers`) says that there should be one, its schema
        // that there must. An image of which all instructions are configuration has none, for its
        // config, equal to BuildKit's, lists none.
        let none =
            kind == Kind::Manifest && document["layers"].as_array().is_some_and(Vec::is_empty);
        let empty = |error: &jsonschema::ValidationError<'_>| {
            none && error.instance_path().as_str() == "/layers"
        };
        let errors = schema.iter_errors(document).filter(|error| !empty(error));
        errors.map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}

/// A schema without its identifiers: they would send references between the files elsewhere.
fn read(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).map_err(Error::file(path))?;
    let mut schema = serde_json::from_slice(&bytes).map_err(|error| {
        Error::unexpected(path.display().to_string(), "JSON", error.to_string())
    })?;
    without_ids(&mut schema);
    Ok(schema)
}

fn without_ids(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("id").is_some_and(Value::is_string) {
                map.remove("id");
            }
            map.remove("$schema");
            map.values_mut().for_each(without_ids);
        }
        Value::Array(items) => items.iter_mut().for_each(without_ids),
        _ => {}
    }
}
