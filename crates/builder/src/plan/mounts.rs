//! `RUN --mount`.

use serde::Serialize;

use super::{
    StepId,
    paths::{absolute, clean, clean_name},
    size::parse_size,
};
use crate::problem::Problem;

/// Where files come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum MountSource {
    /// The build context.
    Context,
    /// A named context with files, by its number in the request.
    Named(usize),
    /// What is there after a step; `None` is the empty file system.
    Step(Option<StepId>),
}

impl MountSource {
    /// The step that must be done before.
    pub fn step(self) -> Option<StepId> {
        match self {
            Self::Step(step) => step,
            Self::Context | Self::Named(_) => None,
        }
    }
}

/// How several steps share a cache mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Sharing {
    /// All at the same time.
    #[default]
    Shared,
    /// Each its own.
    Private,
    /// One after another.
    Locked,
}

/// Mode, user and group.
pub type Own = (u32, u32, u32);

/// What a cache mount begins with: all of something, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seed {
    /// Whose files.
    pub from: Option<MountSource>,
    /// What its directory [`OWN_PART`] is like, which is made unless it is there.
    pub own: Option<Own>,
}

/// The directory of a cache that is mounted where a mode or an owner is given and no `source`
/// (BuildKit's `dockerfile2llb/convert_runmount.go`, `setCacheUIDGID`).
pub const OWN_PART: &str = "/cache";

/// A mount of a RUN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum RunMount {
    /// A directory that outlives the build.
    Cache {
        /// Its name.
        id: String,
        /// Where it appears.
        target: String,
        /// Who may use it at the same time.
        sharing: Sharing,
        /// Whether it can't be written to.
        read_only: bool,
        /// What it begins with.
        seed: Seed,
        /// The directory in it that is mounted.
        source: String,
    },
    /// Files of the context, a stage or an image.
    Bind {
        /// Whose.
        from: MountSource,
        /// Which.
        source: String,
        /// Where they appear.
        target: String,
        /// Whether they can't be written to; what is written is lost.
        read_only: bool,
    },
    /// Memory.
    Tmpfs {
        /// Where it appears.
        target: String,
        /// The most it holds.
        size: Option<u64>,
    },
    /// A secret, in a file or a variable.
    Secret {
        /// Its name.
        id: String,
        /// The file.
        target: Option<String>,
        /// The variable.
        env: Option<String>,
        /// Mode, owner and group of the file.
        file: (u32, u32, u32),
    },
    /// The socket of an ssh agent.
    Ssh {
        /// The agent's name.
        id: String,
        /// Where it appears; `None` where BuildKit puts it.
        target: Option<String>,
        /// Mode, owner and group of the socket.
        file: (u32, u32, u32),
    },
}

impl RunMount {
    /// Where its files come from.
    pub fn source(&self) -> Option<MountSource> {
        match self {
            Self::Bind { from, .. } => Some(*from),
            Self::Cache { seed, .. } => seed.from,
            _ => None,
        }
    }
}

/// A `--mount` as it is written, keys known.
#[derive(Debug, Default)]
pub struct Parsed {
    /// `type`.
    pub kind: Option<String>,
    /// `from`.
    pub from: Option<String>,
    source: Option<String>,
    target: Option<String>,
    id: Option<String>,
    sharing: Option<Sharing>,
    read_only: Option<bool>,
    size: Option<u64>,
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
    env: Option<String>,
    /// `required`.
    pub required: bool,
}

/// The `from` of a mount as written.
pub fn mount_from(text: &str) -> Option<String> {
    let from = fields(text).find_map(|(key, value)| (key == "from").then_some(value?))?;
    Some(from.to_owned())
}

fn fields(text: &str) -> impl Iterator<Item = (String, Option<&str>)> {
    text.split(',').map(|field| {
        let field = field.trim().trim_matches('"');
        match field.split_once('=') {
            Some((key, value)) => (key.to_lowercase(), Some(value)),
            None => (field.to_lowercase(), None),
        }
    })
}

/// Reads an expanded `--mount`.
pub fn parse(text: &str) -> Result<Parsed, Problem> {
    let mut mount = Parsed::default();
    for (key, value) in fields(text) {
        let bad = |expected| Problem::BadValue {
            what: format!("--mount: {key}"),
            value: value.unwrap_or_default().to_owned(),
            expected,
        };
        let owned = value.map(str::to_owned);
        let number = || value.and_then(|v| v.parse::<u32>().ok()).ok_or_else(|| bad("a number"));
        let flag = || match value {
            None => Ok(true),
            Some(text) => parse_bool(text).ok_or_else(|| bad("true or false")),
        };
        // As BuildKit has it, by the type as it is known so far.
        let of = |kinds: &[&str], expected| match kinds.contains(&mount.kind()) {
            true => Ok(()),
            false => Err(bad(expected)),
        };
        let flags = ["ro", "readonly", "rw", "readwrite", "required"];
        if value.is_none() && KEYS.contains(&key.as_str()) && !flags.contains(&key.as_str()) {
            return Err(bad("a key with a value"));
        }
        match key.as_str() {
            "type" => {
                let kind = value.unwrap_or_default().to_lowercase();
                if !KINDS.contains(&kind.as_str()) {
                    return Err(bad("bind, cache, tmpfs, secret or ssh"));
                }
                mount.kind = Some(kind);
            }
            "from" => mount.from = owned,
            "source" | "src" => mount.source = owned,
            "target" | "dst" | "destination" => mount.target = owned,
            "id" => mount.id = owned,
            "ro" | "readonly" => mount.read_only = Some(flag()?),
            "rw" | "readwrite" => mount.read_only = Some(!flag()?),
            "uid" => mount.uid = Some(number()?),
            "gid" => mount.gid = Some(number()?),
            "mode" => {
                let mode = value.and_then(|v| u32::from_str_radix(v, 8).ok());
                mount.mode = Some(mode.ok_or_else(|| bad("an octal mode"))?);
            }
            "size" => {
                of(&["tmpfs"], "a key of type=tmpfs, which comes before it")?;
                let size = value.and_then(parse_size);
                mount.size = Some(size.ok_or_else(|| bad("a size, as in 64m"))?);
            }
            "sharing" => {
                mount.sharing = Some(match value.map(str::to_lowercase).as_deref() {
                    Some("shared") => Sharing::Shared,
                    Some("private") => Sharing::Private,
                    Some("locked") => Sharing::Locked,
                    _ => return Err(bad("shared, private or locked")),
                });
            }
            "required" => {
                of(&["secret", "ssh"], "a key of type=secret and type=ssh, which come before it")?;
                mount.required = flag()?;
            }
            "env" => mount.env = owned,
            _ => {
                let flag = format!("--mount: {key}");
                return Err(Problem::UnknownFlag { flag, instruction: "RUN".to_owned() });
            }
        }
    }
    mount.foreign_keys()?;
    Ok(mount)
}

const KINDS: [&str; 5] = ["bind", "cache", "tmpfs", "secret", "ssh"];

/// What a mount can say.
const KEYS: [&str; 19] = [
    "type",
    "from",
    "source",
    "src",
    "target",
    "dst",
    "destination",
    "id",
    "ro",
    "readonly",
    "rw",
    "readwrite",
    "uid",
    "gid",
    "mode",
    "size",
    "sharing",
    "required",
    "env",
];

/// A truth value as Go's `strconv.ParseBool` reads it.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

impl Parsed {
    /// The type; a mount that names none is a bind mount.
    pub fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("bind")
    }

    /// Refuses keys that mean something to another type only (BuildKit's
    /// `instructions/commands_runmount.go`, at the end of `parseMount`).
    fn foreign_keys(&self) -> Result<(), Problem> {
        let refuse = |key: &str, value: String, expected| {
            Err(Problem::BadValue { what: format!("--mount: {key}"), value, expected })
        };
        let kind = self.kind();
        if matches!(kind, "bind" | "tmpfs") {
            let expected = "a key of type=cache, type=secret and type=ssh";
            let mode = self.mode.map(|mode| format!("{mode:o}"));
            let [uid, gid] = [self.uid, self.gid].map(|id| id.map(|id| id.to_string()));
            for (key, value) in [("mode", mode), ("uid", uid), ("gid", gid)] {
                if let Some(value) = value {
                    return refuse(key, value, expected);
                }
            }
        }
        if let Some(from) = self.from.as_ref().filter(|from| !from.is_empty() && kind == "secret") {
            return refuse("from", from.clone(), "a key of type=bind and type=cache");
        }
        if let Some(source) = &self.source
            && kind == "tmpfs"
            && clean(source) != "/"
        {
            return refuse("source", source.clone(), "no key of type=tmpfs, which begins empty");
        }
        if let Some(sharing) = self.sharing.filter(|_| kind != "cache") {
            return refuse("sharing", format!("{sharing:?}").to_lowercase(), "a key of type=cache");
        }
        Ok(())
    }

    /// The mount that it describes. `platform` keeps the caches of different machines apart where
    /// the file names no id; `cwd` is where relative targets begin.
    pub fn resolve(
        self,
        from: MountSource,
        platform: &str,
        cwd: &str,
    ) -> Result<RunMount, Problem> {
        let kind = self.kind();
        let own_target = self.target.as_deref().map(|t| clean(&absolute(t, cwd)));
        let target = match own_target.as_deref() {
            None => Err("complete: target= is missing"),
            Some("/") => Err("below the root: target= is the root itself"),
            Some(path) => Ok(path.to_owned()),
        };
        let target = target.map_err(|expected| {
            let (what, value) = ("--mount".to_owned(), kind.to_owned());
            Problem::BadValue { what, value, expected }
        });
        match kind {
            "cache" => {
                let (seed, source) = self.beginning(from);
                // Without a name of its own a cache must not be fed by two machines in turn. The name
                // is the target as it is written, made clean: BuildKit's `convert_runmount.go`.
                let written = self.target.as_deref().map(clean_name).unwrap_or_default();
                let id = self.id.filter(|id| !id.is_empty());
                Ok(RunMount::Cache {
                    id: id.unwrap_or_else(|| format!("{written} {platform}")),
                    target: target?,
                    sharing: self.sharing.unwrap_or_default(),
                    read_only: self.read_only.unwrap_or(false),
                    seed,
                    source,
                })
            }
            "bind" => Ok(RunMount::Bind {
                from,
                source: self.source.unwrap_or_default(),
                target: target?,
                read_only: self.read_only.unwrap_or(true),
            }),
            // Of no size it is as large as it likes.
            "tmpfs" => Ok(RunMount::Tmpfs { target: target?, size: self.size.filter(|s| *s > 0) }),
            "ssh" => {
                if let Some(source) = self.source {
                    let (what, value) = ("--mount: source".to_owned(), source);
                    let expected = "no key of type=ssh";
                    return Err(Problem::BadValue { what, value, expected });
                }
                let id = self.id.clone().filter(|id| !id.is_empty());
                Ok(RunMount::Ssh {
                    id: id.unwrap_or_else(|| "default".to_owned()),
                    target: own_target,
                    file: self.own(0o600),
                })
            }
            _ => self.secret(cwd),
        }
    }
}

impl Parsed {
    /// Mode, user and group, of which only the mode depends on what it is that has them.
    fn own(&self, mode: u32) -> Own {
        let [uid, gid] = [self.uid, self.gid].map(Option::unwrap_or_default);
        (self.mode.unwrap_or(mode), uid, gid)
    }

    /// What a cache begins with, and which directory of it is mounted. As with BuildKit, a mode or
    /// an owner is that of a directory /cache, which is then what is mounted; with a `source` it
    /// means nothing.
    fn beginning(&self, from: MountSource) -> (Seed, String) {
        let source = clean(self.source.as_deref().unwrap_or("/"));
        let from = self.from.as_ref().filter(|name| !name.is_empty()).map(|_| from);
        let owned = self.mode.or(self.uid).or(self.gid).is_some();
        match source == "/" && owned {
            true => (Seed { from, own: Some(self.own(0o755)) }, OWN_PART.to_owned()),
            false => (Seed { from, own: None }, source),
        }
    }

    fn secret(self, cwd: &str) -> Result<RunMount, Problem> {
        let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let filled = |text: Option<String>| text.filter(|t| !t.is_empty());
        let file = self.own(0o400);
        let (source, own, target) = (filled(self.source), filled(self.id), filled(self.target));
        if source.is_some() && own.is_some() {
            let (what, value) = ("--mount".to_owned(), "secret".to_owned());
            return Err(Problem::BadValue { what, value, expected: "clear: give id or source" });
        }
        let id = source.or(own).or_else(|| target.as_deref().map(base));
        let id = id.filter(|id| !id.is_empty()).ok_or_else(|| Problem::BadValue {
            what: "--mount".to_owned(),
            value: "secret".to_owned(),
            expected: "complete: id= or target= is missing",
        })?;
        let target = match (target, &self.env) {
            (Some(target), _) => Some(clean(&absolute(&target, cwd))),
            (None, Some(_)) => None,
            (None, None) => Some(format!("/run/secrets/{}", base(&id))),
        };
        let env = self.env.map(|name| if name.is_empty() { id.clone() } else { name });
        Ok(RunMount::Secret { id, target, env, file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(text: &str) -> Result<RunMount, Problem> {
        parse(text)?.resolve(MountSource::Context, "linux/arm64", "/pack")
    }

    #[test]
    fn caches_of_two_machines_are_two_unless_named() {
        let id = |text: &str| match mount(text).unwrap() {
            RunMount::Cache { id, .. } => id,
            other => panic!("{other:?}"),
        };
        assert_eq!(id("type=cache,target=/root/.cache"), "/root/.cache linux/arm64");
        assert_eq!(id("type=cache,dst=/x,id=mine,sharing=locked"), "mine");
    }

    #[test]
    fn a_cache_without_a_name_has_its_clean_target() {
        for (target, want) in [
            ("/k", "/k"),
            ("/k/", "/k"),
            ("/a/../k", "/k"),
            ("m/", "m"),
            ("../m", "../m"),
            ("x/../../m/.", "../m"),
        ] {
            let RunMount::Cache { id, .. } = mount(&format!("type=cache,target={target}")).unwrap()
            else {
                panic!("{target}")
            };
            assert_eq!(id, format!("{want} linux/arm64"), "{target}");
        }
        let tmpfs = RunMount::Tmpfs { target: "/b".to_owned(), size: None };
        assert_eq!(mount("type=tmpfs,target=/a/../b,size=0").unwrap(), tmpfs);
    }

    #[test]
    fn a_cache_begins_with_all_of_from_and_shows_a_directory() {
        let cache = |text: &str| match mount(&format!("type=cache,target=/c,{text}")).unwrap() {
            RunMount::Cache { seed, source, .. } => (seed.from.is_some(), seed.own, source),
            other => panic!("{other:?}"),
        };
        let is = |from, own, source: &str| (from, own, source.to_owned());
        assert_eq!(cache("id=a,source=/"), is(false, None, "/"));
        assert_eq!(cache("id=a,source=x"), is(false, None, "/x"));
        assert_eq!(cache("from=base"), is(true, None, "/"));
        assert_eq!(cache("from=base,source=opt/x/,uid=5"), is(true, None, "/opt/x"));
        assert_eq!(cache("from=base,mode=0700"), is(true, Some((0o700, 0, 0)), "/cache"));
        assert_eq!(cache("gid=5"), is(false, Some((0o755, 0, 5)), "/cache"));
    }

    #[test]
    fn binds_are_read_only_unless_told() {
        let read_only = |text: &str| match mount(text).unwrap() {
            RunMount::Bind { read_only, target, .. } => (read_only, target),
            other => panic!("{other:?}"),
        };
        assert_eq!(read_only("target=src"), (true, "/pack/src".to_owned()));
        assert_eq!(read_only("type=bind,source=a,target=/b,rw"), (false, "/b".to_owned()));
        assert_eq!(read_only("type=bind,target=/b,readonly=false"), (false, "/b".to_owned()));
    }

    #[test]
    fn secrets_have_a_name_and_a_place() {
        let secret = |text: &str| match mount(&format!("type=secret,{text}")).unwrap() {
            RunMount::Secret { id, target, env, file } => (id, target, env, file),
            other => panic!("{other:?}"),
        };
        let some = |text: &str| Some(text.to_owned());
        let by = (0o400, 0, 0);
        for (text, want) in [
            ("id=a", ("a".to_owned(), some("/run/secrets/a"), None, by)),
            ("id=d/a", ("d/a".to_owned(), some("/run/secrets/a"), None, by)),
            ("source=a,target=x", ("a".to_owned(), some("/pack/x"), None, by)),
            ("target=/etc/key", ("key".to_owned(), some("/etc/key"), None, by)),
            ("id=a,env=A", ("a".to_owned(), None, some("A"), by)),
            ("id=a,env=", ("a".to_owned(), None, some("a"), by)),
            ("id=a,env=A,dst=/x,uid=7", ("a".to_owned(), some("/x"), some("A"), (0o400, 7, 0))),
        ] {
            assert_eq!(secret(text), want, "{text}");
        }
        let ssh = mount("type=ssh,mode=0666,gid=5,required").unwrap();
        let want = RunMount::Ssh { id: "default".into(), target: None, file: (0o666, 0, 5) };
        assert_eq!(ssh, want);
    }

    #[test]
    fn mistakes_are_refused() {
        for bad in [
            "type=cache",
            "type=bogus,target=/x",
            "type=bind,target=/x,colour=red",
            "type=cache,target=/x,sharing=maybe",
            "type=cache,target=/x,mode=9",
            "type=tmpfs,target=/x,size=lots",
            "type=secret",
            "type=secret,id=x,source=y",
            "type=secret,id=x,env",
            "type=ssh,source=x",
            "type=ssh,required=maybe",
            "type=ssh,sharing=shared",
            "target=/x,size=1m",
            "target=/x,uid=1",
            "target=/x,gid=1",
            "target=/x,mode=700",
            "target=/x,sharing=shared",
            "target=/x,required",
            "target=/",
            "target",
            "type=tmpfs,target=/x,mode=700",
            "type=tmpfs,target=/x,uid=1",
            "type=tmpfs,target=/x,gid=1",
            "type=tmpfs,target=/x,source=/y",
            "type=secret,id=x,from=y",
            "type=secret,id=x,sharing=private",
            "type=cache,target=/x,required=false",
            "size=1m,type=tmpfs,target=/x",
            "type=bind,target=/x,ro=yes",
        ] {
            assert!(mount(bad).is_err(), "{bad}");
        }
        for good in [
            "type=CACHE,target=/x,sharing=Locked,mode=700,uid=1,gid=2,ro=T",
            "type=Tmpfs,target=/x,size=1.5m,source=/",
            "type=secret,id=x,required=False",
            "target=/x,rw=f",
        ] {
            assert!(mount(good).is_ok(), "{good}");
        }
        assert_eq!(mount_from("type=bind,from=Base,target=/x").as_deref(), Some("Base"));
    }
}
