//! The values of `mlint build`'s flags.

use std::path::Path;

use mlint_builder::{
    layer::Compression,
    plan::parse_size,
    request::Secret,
    sandbox::step::{Limit, Resource},
};

/// `NAME=VALUE`, or a name whose value is the environment's.
pub fn build_arg(text: &str) -> Option<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) => Some((name.to_owned(), value.to_owned())),
        None => Some((text.to_owned(), std::env::var(text).ok()?)),
    }
}

/// `NAME=VALUE`, all of them.
pub fn pairs(flag: &str, texts: &[String]) -> Result<Vec<(String, String)>, String> {
    texts
        .iter()
        .map(|text| match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            None if !text.is_empty() => Ok((text.clone(), String::new())),
            _ => Err(format!("{flag} {text}: expected NAME=VALUE")),
        })
        .collect()
}

/// `gzip`, `zstd:19`.
pub fn compression(text: &str) -> Result<Compression, String> {
    let (name, level) = text.split_once(':').map_or((text, None), |(n, l)| (n, Some(l)));
    let level = |default: i32, most: i32| match level {
        None => Ok(default),
        Some(level) => level
            .parse()
            .ok()
            .filter(|level| (0..=most).contains(level))
            .ok_or_else(|| format!("--compression {text}: levels go from 0 to {most}")),
    };
    match name {
        "gzip" => Ok(Compression::Gzip(level(6, 9)?.unsigned_abs())),
        "zstd" => Ok(Compression::Zstd(level(3, 19)?)),
        _ => Err(format!("--compression {text}: gzip and zstd are known")),
    }
}

/// Larger secrets are mistakes: BuildKit's limit.
const MAX_SECRET: u64 = 500 * 1024;

/// `id=ID,src=FILE`, `id=ID,env=NAME`; without either, the variable of that name if there is one,
/// else the file.
pub fn secrets(texts: &[String]) -> Result<Vec<Secret>, String> {
    texts.iter().map(|text| secret(text)).collect()
}

fn secret(text: &str) -> Result<Secret, String> {
    let (mut id, mut file, mut variable, mut kind) = (None, None, None, None);
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("id", value)) => id = Some(value),
            Some(("src" | "source", value)) => file = Some(value),
            Some(("env", value)) => variable = Some(value),
            Some(("type", value @ ("file" | "env"))) => kind = Some(value),
            _ => {
                return Err(format!("--secret: '{field}' is none of id=, src=, env= and type="));
            }
        }
    }
    let id = id.filter(|id| !id.is_empty()).ok_or("--secret: id= is missing")?;
    // As buildx has it: with type=env, src names the variable.
    if kind == Some("env") && variable.is_none() {
        variable = file.take();
    }
    if kind != Some("file")
        && file.is_none()
        && variable.is_none()
        && std::env::var_os(id).is_some()
    {
        variable = Some(id);
    }
    let value = match variable {
        Some(name) => std::env::var_os(name)
            .ok_or_else(|| format!("--secret id={id}: the environment has no {name}"))?
            .into_encoded_bytes(),
        None => {
            let path = Path::new(file.unwrap_or(id));
            let failed = |e| format!("--secret id={id}: cannot read {}: {e}", path.display());
            let mut value = Vec::new();
            let file = std::fs::File::open(path).map_err(failed)?;
            std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX_SECRET + 1), &mut value)
                .map_err(failed)?;
            value
        }
    };
    if value.len() as u64 > MAX_SECRET {
        return Err(format!("--secret id={id}: it is longer than {MAX_SECRET} bytes"));
    }
    Ok(Secret { id: id.to_owned(), value })
}

/// `NAME:ADDRESS` or `NAME=ADDRESS`; an IPv6 address may stand in brackets.
pub fn host(text: &str) -> Result<(String, String), String> {
    let at = text.find(['=', ':']).filter(|at| *at > 0);
    let at = at.ok_or_else(|| format!("--add-host {text}: expected NAME:ADDRESS"))?;
    let (name, address) = (&text[..at], &text[at + 1..]);
    // Commands are on this machine's network.
    let address = if address == "host-gateway" { "127.0.0.1" } else { address };
    let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
    match bare.parse::<std::net::IpAddr>() {
        Ok(address) => Ok((name.to_owned(), address.to_string())),
        Err(_) => Err(format!("--add-host {text}: '{address}' is no IP address")),
    }
}

/// `64m`, in bytes.
pub fn size(flag: &str, text: &str) -> Result<u64, String> {
    parse_size(text)
        .ok_or_else(|| format!("{flag} {text}: expected a size, as in 65536, 64k, 64m or 1g"))
}

/// All limits; of those with one name the last counts, in the place of the first.
pub fn limits(texts: &[String]) -> Result<Vec<Limit>, String> {
    let mut limits: Vec<Limit> = Vec::new();
    for text in texts {
        let limit = limit(text)?;
        match limits.iter_mut().find(|known| known.resource == limit.resource) {
            Some(known) => *known = limit,
            None => limits.push(limit),
        }
    }
    Ok(limits)
}

/// `nofile=1024:2048`; `-1` is unlimited.
fn limit(text: &str) -> Result<Limit, String> {
    let wrong = || format!("--ulimit {text}: expected NAME=SOFT[:HARD], as in nofile=1024:2048");
    let (name, values) = text.split_once('=').ok_or_else(wrong)?;
    let resource = match name {
        "as" => Resource::As,
        "core" => Resource::Core,
        "cpu" => Resource::Cpu,
        "data" => Resource::Data,
        "fsize" => Resource::Fsize,
        "locks" => Resource::Locks,
        "memlock" => Resource::Memlock,
        "msgqueue" => Resource::Msgqueue,
        "nice" => Resource::Nice,
        "nofile" => Resource::Nofile,
        "nproc" => Resource::Nproc,
        "rss" => Resource::Rss,
        "rtprio" => Resource::Rtprio,
        "rttime" => Resource::Rttime,
        "sigpending" => Resource::Sigpending,
        "stack" => Resource::Stack,
        _ => return Err(format!("--ulimit {text}: there is no limit '{name}'")),
    };
    let value = |text: &str| match text {
        "-1" | "unlimited" => Ok(None),
        number => number.parse::<u64>().map(Some).map_err(|_| wrong()),
    };
    let (soft, hard) = match values.split_once(':') {
        Some((soft, hard)) => (value(soft)?, value(hard)?),
        None => (value(values)?, value(values)?),
    };
    let above = match (soft, hard) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(soft), Some(hard)) => soft > hard,
    };
    if above {
        return Err(format!("--ulimit {text}: the soft limit is above the hard one"));
    }
    Ok(Limit { resource, soft, hard })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressions() {
        assert_eq!(compression("gzip"), Ok(Compression::Gzip(6)));
        assert_eq!(compression("gzip:9"), Ok(Compression::Gzip(9)));
        assert_eq!(compression("zstd:19"), Ok(Compression::Zstd(19)));
        for bad in ["lzma", "gzip:10", "zstd:x", "gzip:-1"] {
            assert!(compression(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hosts_and_limits() {
        let host = |text: &str| host(text).ok();
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(host("db:10.0.0.1"), pair("db", "10.0.0.1"));
        assert_eq!(host("db=10.0.0.1"), pair("db", "10.0.0.1"));
        assert_eq!(host("db:::1"), pair("db", "::1"));
        assert_eq!(host("db=[fe80::1]"), pair("db", "fe80::1"));
        assert_eq!(host("up:host-gateway"), pair("up", "127.0.0.1"));
        for bad in ["db", ":1.2.3.4", "db:nowhere", "db:"] {
            assert_eq!(host(bad), None, "{bad}");
        }
        let values = |text: &str| limit(text).map(|l| (l.soft, l.hard)).ok();
        assert_eq!(values("nofile=5"), Some((Some(5), Some(5))));
        assert_eq!(values("core=0:-1"), Some((Some(0), None)));
        for bad in ["nofile", "nofile=", "nofile=2:1", "colour=1", "nofile=-1:5", "nofile=x"] {
            assert_eq!(values(bad), None, "{bad}");
        }
        let several = ["nofile=1", "core=5", "nofile=2:3"].map(str::to_owned);
        let several = limits(&several).unwrap();
        let values: Vec<_> = several.iter().map(|l| (l.resource, l.soft, l.hard)).collect();
        let [nofile, core] = [Resource::Nofile, Resource::Core];
        assert_eq!(values, [(nofile, Some(2), Some(3)), (core, Some(5), Some(5))]);
        assert_eq!(size("--shm-size", "64m"), Ok(64 << 20));
        assert_eq!(size("--shm-size", "1.5k"), Ok(1536));
        assert!(size("--shm-size", "much").is_err());
    }

    #[test]
    fn secrets_come_from_files_and_variables() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        std::fs::write(&file, "s3cret").unwrap();
        let read = |text: String| secret(&text).map(|s| (s.id, s.value));
        let path = file.display();
        let want = Ok(("k".to_owned(), b"s3cret".to_vec()));
        assert_eq!(read(format!("id=k,src={path}")), want);
        assert_eq!(read(format!("type=file,id=k,source={path}")), want);
        let set = std::env::var("PATH").unwrap().into_bytes();
        assert_eq!(read("id=k,env=PATH".to_owned()), Ok(("k".to_owned(), set.clone())));
        assert_eq!(read("id=PATH".to_owned()), Ok(("PATH".to_owned(), set.clone())));
        assert_eq!(read("type=env,id=k,src=PATH".to_owned()), Ok(("k".to_owned(), set)));
        std::fs::write(&file, vec![b'x'; 500 * 1024 + 1]).unwrap();
        for bad in [format!("id=k,src={path}"), "src=x".into(), "id=k,colour=red".into()] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
        assert!(
            !format!("{:?}", Secret { id: "k".into(), value: b"s3cret".into() }).contains("99")
        );
    }
}
