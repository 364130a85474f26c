//! What differs between two answers, as keys with both sides' words.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::image::{Image, Node};
use super::setup::TIMES;

/// How a build ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// With an image per platform.
    Built(BTreeMap<String, Image>),
    /// With an error: the Dockerfile's line, if it is named, and the words.
    Failed(Option<u32>, String),
}

/// A difference: `/a mode` and what each side has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What differs.
    pub key: String,
    /// BuildKit's and mlint's.
    pub sides: String,
}

/// Times before this one come from somewhere; later ones are those of the build (2025-06-15).
const RECENT: i64 = 1_750_000_000;
/// The same in configs.
const RECENT_DAY: &str = "2025-06-15";

struct Differ<'a> {
    found: Vec<Difference>,
    prefix: String,
    given: &'a [i64],
}

/// Compares BuildKit's answer with mlint's. `given` are the times that the context names.
pub fn compare(buildkit: &Answer, mlint: &Answer, given: &[i64]) -> Vec<Difference> {
    let mut differ = Differ { found: Vec::new(), prefix: String::new(), given };
    match (buildkit, mlint) {
        (Answer::Failed(theirs, _), Answer::Failed(ours, said)) => {
            if let Some(theirs) = theirs
                && ours.as_ref() != Some(theirs)
            {
                let ours = ours.map_or("none".to_owned(), |line| line.to_string());
                differ.add("line", format!("{theirs} | {ours}: {said}"));
            }
        }
        (Answer::Failed(_, said), Answer::Built(_)) => {
            differ.add("builds", format!("fails: {said} | builds"));
        }
        (Answer::Built(_), Answer::Failed(_, said)) => {
            differ.add("fails", format!("builds | fails: {said}"));
        }
        (Answer::Built(theirs), Answer::Built(ours)) => differ.platforms(theirs, ours),
    }
    differ.found
}

impl Differ<'_> {
    fn created(&mut self, key: &str, theirs: &Value, ours: &Value) {
        self.unless_equal(key, &when(theirs), &when(ours));
    }

    fn add(&mut self, key: &str, sides: String) {
        self.found.push(Difference { key: format!("{}{key}", self.prefix), sides });
    }

    fn unless_equal<T: PartialEq + std::fmt::Debug>(&mut self, key: &str, theirs: &T, ours: &T) {
        if theirs != ours {
            self.add(key, format!("{theirs:?} | {ours:?}"));
        }
    }

    fn platforms(&mut self, theirs: &BTreeMap<String, Image>, ours: &BTreeMap<String, Image>) {
        let names = |images: &BTreeMap<String, Image>| images.keys().cloned().collect::<Vec<_>>();
        self.unless_equal("platforms", &names(theirs), &names(ours));
        for (platform, theirs) in theirs {
            let Some(ours) = ours.get(platform) else { continue };
            if platform != "linux/amd64" {
                self.prefix = format!("{platform} ");
            }
            self.files(&theirs.nodes, &ours.nodes);
            self.config(theirs, ours);
            self.prefix.clear();
        }
    }

    fn files(&mut self, theirs: &BTreeMap<String, Node>, ours: &BTreeMap<String, Node>) {
        let paths: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
        for path in paths {
            match (theirs.get(path), ours.get(path)) {
                (Some(theirs), Some(ours)) => self.node(path, theirs, ours),
                (Some(theirs), None) => {
                    self.add(&format!("{path} is missing"), format!("{} | nothing", theirs.kind));
                }
                (None, Some(ours)) => {
                    self.add(&format!("{path} is extra"), format!("nothing | {}", ours.kind));
                }
                (None, None) => {}
            }
        }
    }

    fn node(&mut self, path: &str, theirs: &Node, ours: &Node) {
        let key = |what: &str| format!("{path} {what}");
        self.unless_equal(&key("type"), &theirs.kind, &ours.kind);
        if theirs.kind != ours.kind {
            return;
        }
        // A link's mode means nothing on Linux.
        if theirs.kind != "link" && theirs.mode != ours.mode {
            self.add(&key("mode"), format!("{:o} | {:o}", theirs.mode, ours.mode));
        }
        self.unless_equal(&key("owner"), &theirs.owner, &ours.owner);
        self.unless_equal(&key("content"), &theirs.content, &ours.content);
        self.unless_equal(&key("target"), &theirs.target, &ours.target);
        self.unless_equal(&key("xattrs"), &theirs.xattrs, &ours.xattrs);
        self.unless_equal(&key("device"), &theirs.device, &ours.device);
        self.unless_equal(&key("hard link"), &theirs.same_as, &ours.same_as);
        self.time(&key("time"), theirs, ours);
    }

    fn time(&mut self, key: &str, theirs: &Node, ours: &Node) {
        let shown = |time: i64| match time {
            RECENT.. => "now".to_owned(),
            // BuildKit takes equal steps of builds at the same time for one, whatever their times.
            time if TIMES.contains(&time) => "the context's".to_owned(),
            time => time.to_string(),
        };
        // It also forgets a directory's time when it brings an earlier context up to date.
        let from_context = TIMES.contains(&ours.time) || self.given.contains(&ours.time);
        if theirs.kind == "directory" && theirs.time >= RECENT && from_context {
            return;
        }
        self.unless_equal(key, &shown(theirs.time), &shown(ours.time));
    }

    fn config(&mut self, theirs: &Image, ours: &Image) {
        let (theirs, ours) = (&theirs.config, &ours.config);
        let outer = (theirs, ours);
        for key in keys(theirs, ours) {
            if !["config", "history", "rootfs", "created"].contains(&key) {
                self.unless_equal(key, &plain(&theirs[key]), &plain(&ours[key]));
            }
        }
        let (inner, other) = (&theirs["config"], &ours["config"]);
        for key in keys(inner, other) {
            let (theirs, ours) = (plain(&inner[key]), plain(&other[key]));
            self.unless_equal(&format!("config.{key}"), &theirs, &ours);
        }
        let empty = Vec::new();
        let entries = |config: &Value| config["history"].as_array().unwrap_or(&empty).clone();
        let (theirs, ours) = (entries(theirs), entries(ours));
        self.unless_equal("history length", &theirs.len(), &ours.len());
        self.created("created", &outer.0["created"], &outer.1["created"]);
        for (number, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
            for key in ["created_by", "comment", "author", "empty_layer"] {
                let (theirs, ours) = (plain(&theirs[key]), plain(&ours[key]));
                self.unless_equal(&format!("history {number} {key}"), &theirs, &ours);
            }
            self.created(
                &format!("history {number} created"),
                &theirs["created"],
                &ours["created"],
            );
        }
    }
}

/// A time in a config: what is of the build is "now".
fn when(created: &Value) -> &str {
    match created.as_str().unwrap_or_default() {
        recent if recent >= RECENT_DAY => "now",
        time => time,
    }
}

fn keys<'a>(theirs: &'a Value, ours: &'a Value) -> BTreeSet<&'a str> {
    let of = |value: &'a Value| value.as_object().into_iter().flat_map(|map| map.keys());
    of(theirs).chain(of(ours)).map(String::as_str).collect()
}

/// What says nothing is as good as left out.
fn plain(value: &Value) -> Option<String> {
    let nothing = match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    let sorted = |map: &serde_json::Map<String, Value>| {
        map.iter().map(|(k, v)| (k.clone(), plain(v))).collect::<BTreeMap<_, _>>()
    };
    match value {
        _ if nothing => None,
        Value::Object(map) => Some(format!("{:?}", sorted(map))),
        value => Some(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn built(config: Value, nodes: &[(&str, Node)]) -> Answer {
        let nodes = nodes.iter().map(|(path, node)| ((*path).to_owned(), node.clone())).collect();
        let image = Image { config, layers: 1, nodes };
        Answer::Built(BTreeMap::from([("linux/amd64".to_owned(), image)]))
    }

    fn keys_of(theirs: &Answer, ours: &Answer) -> Vec<String> {
        compare(theirs, ours, &[9]).into_iter().map(|difference| difference.key).collect()
    }

    #[test]
    fn differences_have_keys() {
        let file = |mode, time| Node { kind: "file".into(), mode, time, ..Node::default() };
        let config = |env: &str, label: Value| {
            json!({"os": "linux", "config": {"Env": [env], "Labels": label},
                   "history": [{"created_by": env, "created": "2026-01-01T00:00:00Z"}]})
        };
        let theirs =
            built(config("A=1", json!({})), &[("/f", file(0o644, 5)), ("/gone", file(0, 0))]);
        let ours = built(
            config("A=2", Value::Null),
            &[("/f", file(0o4644, RECENT)), ("/new", file(0, 0))],
        );
        assert_eq!(
            keys_of(&theirs, &ours),
            [
                "/f mode",
                "/f time",
                "/gone is missing",
                "/new is extra",
                "config.Env",
                "history 0 created_by"
            ]
        );
        assert!(keys_of(&theirs, &theirs).is_empty());
    }

    #[test]
    fn failures_agree_on_the_line_if_one_is_named() {
        let failed = |line| Answer::Failed(line, "why".to_owned());
        let fine = built(json!({}), &[]);
        assert!(keys_of(&failed(None), &failed(Some(3))).is_empty());
        assert!(keys_of(&failed(Some(3)), &failed(Some(3))).is_empty());
        assert_eq!(keys_of(&failed(Some(3)), &failed(Some(4))), ["line"]);
        assert_eq!(keys_of(&failed(None), &fine), ["builds"]);
        assert_eq!(keys_of(&fine, &failed(None)), ["fails"]);
    }
}
