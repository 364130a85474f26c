//! `RUN --mount`.

use serde::Serialize;

use super::StepId;
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

/// What a cache mount begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seed {
    /// Whose files.
    pub from: MountSource,
    /// Which directory's.
    pub source: String,
    /// Whether it begins empty where there is no such directory.
    pub or_new: bool,
}

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
        /// Its mode when it is made.
        mode: u32,
        /// Its owner when it is made.
        uid: u32,
        /// Its group when it is made.
        gid: u32,
        /// What it begins with; nothing without it.
        seed: Option<Seed>,
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
            Self::Cache { seed, .. } => seed.as_ref().map(|seed| seed.from),
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
    sharing: Sharing,
    read_only: Option<bool>,
    size: Option<u64>,
    mode: Option<u32>,
    uid: u32,
    gid: u32,
    /// Whether mode, user or group are given.
    owned: bool,
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
            None | Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(_) => Err(bad("true or false")),
        };
        match key.as_str() {
            "type" => mount.kind = owned,
            "from" => mount.from = owned,
            "source" | "src" => mount.source = owned,
            "target" | "dst" | "destination" => mount.target = owned,
            "id" => mount.id = owned,
            "ro" | "readonly" => mount.read_only = Some(flag()?),
            "rw" | "readwrite" => mount.read_only = Some(!flag()?),
            "uid" => (mount.uid, mount.owned) = (number()?, true),
            "gid" => (mount.gid, mount.owned) = (number()?, true),
            "mode" => {
                let mode = value.and_then(|v| u32::from_str_radix(v, 8).ok());
                mount.mode = Some(mode.ok_or_else(|| bad("an octal mode"))?);
                mount.owned = true;
            }
            "size" => {
                let size = value.and_then(parse_size);
                mount.size = Some(size.ok_or_else(|| bad("a size, as in 64m"))?);
            }
            "sharing" => {
                mount.sharing = match value {
                    Some("shared") => Sharing::Shared,
                    Some("private") => Sharing::Private,
                    Some("locked") => Sharing::Locked,
                    _ => return Err(bad("shared, private or locked")),
                }
            }
            "required" => mount.required = flag()?,
            "env" => mount.env = Some(owned.ok_or_else(|| bad("a variable's name"))?),
            _ => {
                let flag = format!("--mount: {key}");
                return Err(Problem::UnknownFlag { flag, instruction: "RUN".to_owned() });
            }
        }
    }
    Ok(mount)
}

impl Parsed {
    /// The mount that it describes. `platform` keeps the caches of different machines apart where
    /// the file names no id; `cwd` is where relative targets begin.
    pub fn resolve(
        self,
        from: MountSource,
        platform: &str,
        cwd: &str,
    ) -> Result<RunMount, Problem> {
        let kind = self.kind.as_deref().unwrap_or("bind");
        let target =
            self.target.as_deref().map(|t| absolute(t, cwd)).ok_or_else(|| Problem::BadValue {
                what: "--mount".to_owned(),
                value: kind.to_owned(),
                expected: "complete: target= is missing",
            });
        match kind {
            "cache" => {
                let target = target?;
                let seed = self.seed(from)?;
                // Without a name of its own a cache must not be fed by two machines in turn.
                let id = self.id.filter(|id| !id.is_empty());
                Ok(RunMount::Cache {
                    id: id.unwrap_or_else(|| format!("{target} {platform}")),
                    target,
                    sharing: self.sharing,
                    read_only: self.read_only.unwrap_or(false),
                    mode: self.mode.unwrap_or(0o755),
                    uid: self.uid,
                    gid: self.gid,
                    seed,
                })
            }
            "bind" => Ok(RunMount::Bind {
                from,
                source: self.source.unwrap_or_default(),
                target: target?,
                read_only: self.read_only.unwrap_or(true),
            }),
            "tmpfs" => Ok(RunMount::Tmpfs { target: target?, size: self.size }),
            "secret" => self.secret(cwd),
            "ssh" => {
                if let Some(source) = self.source {
                    let (what, value) = ("--mount: source".to_owned(), source);
                    return Err(Problem::BadValue { what, value, expected: "a key of type=ssh" });
                }
                Ok(RunMount::Ssh {
                    id: self.id.filter(|id| !id.is_empty()).unwrap_or_else(|| "default".to_owned()),
                    target: self.target.as_deref().map(|t| absolute(t, cwd)),
                    file: (self.mode.unwrap_or(0o600), self.uid, self.gid),
                })
            }
            _ => Err(Problem::BadValue {
                what: "--mount: type".to_owned(),
                value: kind.to_owned(),
                expected: "bind, cache, tmpfs, secret or ssh",
            }),
        }
    }
}

impl Parsed {
    /// What a cache begins with. As with BuildKit, a mode or an owner is that of a directory /cache,
    /// which is then what is mounted.
    fn seed(&self, from: MountSource) -> Result<Option<Seed>, Problem> {
        let source = clean(self.source.as_deref().unwrap_or("/"));
        let root = source == "/";
        if self.from.is_none() {
            return match root {
                true => Ok(None),
                false => Err(Problem::BadValue {
                    what: "--mount: source".to_owned(),
                    value: source,
                    expected: "there: a cache begins empty, unless from= says with what",
                }),
            };
        }
        Ok(Some(match root && self.owned {
            true => Seed { from, source: "/cache".to_owned(), or_new: true },
            false => Seed { from, source, or_new: false },
        }))
    }

    fn secret(self, cwd: &str) -> Result<RunMount, Problem> {
        let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let filled = |text: Option<String>| text.filter(|t| !t.is_empty());
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
            (Some(target), _) => Some(absolute(&target, cwd)),
            (None, Some(_)) => None,
            (None, None) => Some(format!("/run/secrets/{}", base(&id))),
        };
        let env = self.env.map(|name| if name.is_empty() { id.clone() } else { name });
        let file = (self.mode.unwrap_or(0o400), self.uid, self.gid);
        Ok(RunMount::Secret { id, target, env, file })
    }
}

/// A path of an instruction: absolute ones stay as written, relative ones begin at the working
/// directory and come out clean.
pub fn absolute(path: &str, cwd: &str) -> String {
    match path.starts_with('/') {
        true => path.to_owned(),
        false => clean(&format!("{cwd}/{path}")),
    }
}

/// An absolute path without `.`, `..`, doubled slashes and one at the end, told from its text alone.
pub fn clean(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// `1024`, `64k`, `64m`, `1g`, `64MiB`.
pub fn parse_size(text: &str) -> Option<u64> {
    let lower = text.to_lowercase();
    let digits = lower.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor = match &lower[digits.len()..] {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
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
    fn caches_begin_with_what_from_names() {
        let seed = |text: &str| match mount(&format!("type=cache,target=/c,{text}")).unwrap() {
            RunMount::Cache { seed, .. } => seed.map(|seed| (seed.source, seed.or_new)),
            other => panic!("{other:?}"),
        };
        let some = |source: &str, or_new| Some((source.to_owned(), or_new));
        assert_eq!(seed("id=a,source=/"), None);
        assert_eq!(seed("from=base"), some("/", false));
        assert_eq!(seed("from=base,source=opt/x/,uid=5"), some("/opt/x", false));
        assert_eq!(seed("from=base,mode=0700"), some("/cache", true));
        assert!(mount("type=cache,target=/c,source=/x").is_err());
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
    fn relative_paths_come_out_clean() {
        for (path, cwd, want) in [
            ("sub//deep/../x/", "/w", "/w/sub/x"),
            ("../z", "/x y", "/z"),
            ("../../..", "/w/", "/"),
            ("/a//b/../c/", "/w", "/a//b/../c/"),
        ] {
            assert_eq!(absolute(path, cwd), want, "{path}");
        }
        assert_eq!(clean("/a//b/../c/."), "/a/c");
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
        ] {
            assert!(mount(bad).is_err(), "{bad}");
        }
        assert_eq!(mount_from("type=bind,from=Base,target=/x").as_deref(), Some("Base"));
    }
}
