//! Who is who inside: writing the id maps of a session's user namespace.

use std::{fs, process::Command};

use rustix::process::{Pid, getgid, getuid};

use super::{IdMap, IdMapMode};

/// The ways to try, best first. The text says why better ones were left out.
pub(super) fn candidates(wanted: IdMap) -> Vec<IdMap> {
    match wanted {
        IdMap::Auto if getuid().is_root() => vec![IdMap::Identity, IdMap::Single],
        IdMap::Auto => vec![IdMap::Range, IdMap::Single],
        one => vec![one],
    }
}

/// Maps the ids of a process that has just taken a user namespace.
pub(super) fn write(pid: Pid, how: IdMap, reasons: &[String]) -> Result<IdMapMode, String> {
    match how {
        IdMap::Identity | IdMap::Auto => identity(pid),
        IdMap::Range => range(pid),
        IdMap::Single => single(pid, reasons),
    }
}

fn put(pid: Pid, file: &str, text: &str) -> Result<(), String> {
    let path = format!("/proc/{}/{file}", pid.as_raw_nonzero());
    fs::write(&path, text).map_err(|error| format!("cannot write {path}: {error}"))
}

/// Maps every id that we see onto itself. In a container that has only some, these.
fn identity(pid: Pid) -> Result<IdMapMode, String> {
    // In a namespace that somebody without rights has made there is one id, and groups stay as they are.
    let groups = fs::read_to_string("/proc/self/setgroups").unwrap_or_default();
    if groups.trim() == "deny" {
        return Err("this user namespace has no groups of its own".to_owned());
    }
    for file in ["uid_map", "gid_map"] {
        let own = fs::read_to_string(format!("/proc/self/{file}"))
            .map_err(|error| format!("cannot read /proc/self/{file}: {error}"))?;
        put(pid, file, &identity_lines(&own))?;
    }
    Ok(IdMapMode::Identity)
}

/// `inside outside count` of ours becomes `inside inside count` of the child's.
fn identity_lines(own: &str) -> String {
    let mut lines = String::new();
    for line in own.lines() {
        let mut fields = line.split_whitespace();
        if let (Some(inside), Some(_), Some(count)) = (fields.next(), fields.next(), fields.next())
        {
            lines.push_str(&format!("{inside} {inside} {count}\n"));
        }
    }
    lines
}

/// A subordinate range: first id, number.
type SubRange = (u32, u32);

fn range(pid: Pid) -> Result<IdMapMode, String> {
    let user = user_name();
    let uids = ranges("/etc/subuid", user.as_deref())?;
    let gids = ranges("/etc/subgid", user.as_deref())?;
    run_mapper("newuidmap", pid, getuid().as_raw(), &uids)?;
    run_mapper("newgidmap", pid, getgid().as_raw(), &gids)?;
    Ok(IdMapMode::Range { count: uids.iter().map(|(_, n)| n).sum() })
}

/// The name of the user who runs this, by /etc/passwd.
fn user_name() -> Option<String> {
    let uid = getuid().as_raw().to_string();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.get(2) == Some(&uid.as_str()))
        .map(|fields| fields[0].to_owned())
        .or_else(|| std::env::var("USER").ok())
}

fn ranges(file: &str, user: Option<&str>) -> Result<Vec<SubRange>, String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let uid = getuid().as_raw().to_string();
    let found = parse_ranges(&text, user.unwrap_or(&uid), &uid);
    if found.is_empty() {
        let who = user.unwrap_or(&uid);
        return Err(format!(
            "{file} has no range for {who}; as root: usermod --add-subuids 100000-165535 \
             --add-subgids 100000-165535 {who}"
        ));
    }
    Ok(found)
}

fn parse_ranges(text: &str, user: &str, uid: &str) -> Vec<SubRange> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            let owner = fields.next()?;
            let start = fields.next()?.parse().ok()?;
            let count: u32 = fields.next()?.parse().ok()?;
            (count > 0 && (owner == user || owner == uid)).then_some((start, count))
        })
        .collect()
}

fn run_mapper(program: &str, pid: Pid, own: u32, ranges: &[SubRange]) -> Result<(), String> {
    let mut command = Command::new(program);
    command.arg(pid.as_raw_nonzero().to_string());
    command.args(["0", &own.to_string(), "1"]);
    let mut inside = 1_u32;
    for (start, count) in ranges {
        command.args([inside.to_string(), start.to_string(), count.to_string()]);
        inside = inside.saturating_add(*count);
    }
    let output = command.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("{program} is not installed; as root: apt-get install uidmap")
        }
        _ => format!("cannot run {program}: {error}"),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} failed ({}): {}", output.status, said.trim()))
}

fn single(pid: Pid, reasons: &[String]) -> Result<IdMapMode, String> {
    put(pid, "setgroups", "deny")?;
    put(pid, "uid_map", &format!("0 {} 1\n", rustix::process::geteuid().as_raw()))?;
    put(pid, "gid_map", &format!("0 {} 1\n", rustix::process::getegid().as_raw()))?;
    let reason = if reasons.is_empty() {
        "a single id was asked for".to_owned()
    } else {
        reasons.join("; ")
    };
    Ok(IdMapMode::Single { reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subordinate_ranges_go_by_name_or_number() {
        let text = "root:1:2\nann:100000:65536\n1000:300000:10\nbroken\nann:x:1\nann:9:0\n";
        assert_eq!(parse_ranges(text, "ann", "1000"), [(100_000, 65_536), (300_000, 10)]);
        assert!(parse_ranges(text, "bob", "1001").is_empty());
    }

    #[test]
    fn identity_follows_our_own_map() {
        assert_eq!(identity_lines("  0  0 4294967295\n"), "0 0 4294967295\n");
        assert_eq!(identity_lines("0 1000 1\n1 100000 65536\n"), "0 0 1\n1 1 65536\n");
    }
}
