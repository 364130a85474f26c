//! Who a `USER` line names, by the files of the image itself.

use std::io;

use serde::{Deserialize, Serialize};

use super::safe_fs::Root;

/// More than any real passwd or group file: an image can hold anything under that name.
const LIMIT: u64 = 64 << 20;

/// A user as the kernel knows it, with what the image's files add.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary group ids.
    pub groups: Vec<u32>,
    /// Home directory by the image's passwd file; `/` when it has none.
    pub home: String,
}

impl User {
    /// root, as in an image without any files.
    pub fn root() -> Self {
        Self { uid: 0, gid: 0, groups: Vec::new(), home: "/root".to_owned() }
    }
}

/// Why a user could not be found.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The name is in no passwd file.
    #[error("unable to find user {0}: no matching entry in the image's /etc/passwd")]
    NoUser(String),
    /// The name is in no group file.
    #[error("unable to find group {0}: no matching entry in the image's /etc/group")]
    NoGroup(String),
    /// A number beyond what an id can be.
    #[error("{0} is no valid user or group id: ids go from 0 to 4294967294")]
    OutOfRange(String),
    /// The files could not be read.
    #[error("cannot read {file} in the image: {source}")]
    Unreadable {
        /// Which one.
        file: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// Resolves `user`, `user:group`, `uid`, `uid:gid` (or mixed) against an image's root.
///
/// A numeric user need not exist. Supplementary groups come from the group file, unless a group
/// is given: then there are none.
pub fn resolve(root: &Root, spec: &str) -> Result<User, UserError> {
    let passwd = read(root, "/etc/passwd")?;
    let group = read(root, "/etc/group")?;
    resolve_in(&passwd, &group, spec)
}

/// As [`resolve`], on the text of the two files.
pub fn resolve_in(passwd: &str, group: &str, spec: &str) -> Result<User, UserError> {
    let (user, wanted_group) = match spec.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|g| !g.is_empty())),
        None => (spec, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    // A number is always an id, even where an account has it as its name.
    let number = numeric(user)?;
    let entry = accounts(passwd).find(|account| match number {
        Some(uid) => account.uid == uid,
        None => account.name == user,
    });
    let uid = match (&entry, number) {
        (Some(account), _) => account.uid,
        (None, Some(uid)) => uid,
        (None, None) => return Err(UserError::NoUser(user.to_owned())),
    };
    let home = entry.as_ref().map(|account| account.home).filter(|home| !home.is_empty());
    let (gid, groups) = match wanted_group {
        Some(name) => (find_group(group, name)?, Vec::new()),
        None => {
            let gid = entry.as_ref().map_or(0, |account| account.gid);
            let name = entry.as_ref().map(|account| account.name);
            (gid, name.map(|name| memberships(group, name)).unwrap_or_default())
        }
    };
    Ok(User { uid, gid, groups, home: home.unwrap_or("/").to_owned() })
}

fn read(root: &Root, file: &'static str) -> Result<String, UserError> {
    match root.read(file, LIMIT) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        // An image may well have neither file.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(String::new())
        }
        Err(source) => Err(UserError::Unreadable { file, source }),
    }
}

fn numeric(text: &str) -> Result<Option<u32>, UserError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u32>() {
        // The largest value means "no change" to the kernel.
        Ok(id) if id != u32::MAX => Ok(Some(id)),
        _ => Err(UserError::OutOfRange(text.to_owned())),
    }
}

struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn accounts(passwd: &str) -> impl Iterator<Item = Account<'_>> {
    passwd.lines().filter_map(|line| {
        let fields: Vec<&str> = line.trim().split(':').collect();
        Some(Account {
            name: fields.first().copied().filter(|name| !name.is_empty())?,
            uid: fields.get(2)?.parse().ok()?,
            gid: fields.get(3)?.parse().ok()?,
            home: fields.get(5).copied().unwrap_or(""),
        })
    })
}

/// Name, id, members.
fn groups(group: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    group.lines().filter_map(|line| {
        let fields: Vec<&str> = line.trim().split(':').collect();
        let name = fields.first().copied().filter(|name| !name.is_empty())?;
        Some((name, fields.get(2)?.parse().ok()?, fields.get(3).copied().unwrap_or("")))
    })
}

fn find_group(group: &str, name: &str) -> Result<u32, UserError> {
    if let Some(gid) = numeric(name)? {
        return Ok(gid);
    }
    groups(group)
        .find(|(known, ..)| *known == name)
        .map(|(_, gid, _)| gid)
        .ok_or_else(|| UserError::NoGroup(name.to_owned()))
}

fn memberships(group: &str, user: &str) -> Vec<u32> {
    let mut found: Vec<u32> = groups(group)
        .filter(|(_, _, members)| members.split(',').any(|m| m == user))
        .map(|(_, gid, _)| gid)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n# comment\napp:x:1000:1000::/home/app:\n\
                          1234:x:77:78::/odd:\nbroken:x\n";
    const GROUP: &str = "root:x:0:\napp:x:1000:\nwheel:x:10:app,other\naudio:x:29:other,app\n";

    fn ids(spec: &str) -> (u32, u32, Vec<u32>) {
        let user = resolve_in(PASSWD, GROUP, spec).unwrap();
        (user.uid, user.gid, user.groups)
    }

    #[test]
    fn names_and_numbers_resolve_as_in_an_oci_runtime() {
        assert_eq!(ids(""), (0, 0, vec![]));
        assert_eq!(ids("root"), (0, 0, vec![]));
        assert_eq!(ids("app"), (1000, 1000, vec![10, 29]));
        assert_eq!(ids("1000"), (1000, 1000, vec![10, 29]), "a number finds its account");
        assert_eq!(ids("app:wheel"), (1000, 10, vec![]), "a given group stands alone");
        assert_eq!(ids("5:6"), (5, 6, vec![]));
        assert_eq!(ids("4242"), (4242, 0, vec![]), "nobody by that number");
        assert_eq!(ids("1234"), (1234, 0, vec![]), "a number is never a name");
        assert_eq!(ids(":10"), (0, 10, vec![]));
    }

    #[test]
    fn unknown_names_are_errors() {
        for spec in ["nobody-here", "app:nogroup", "4294967295", "99999999999", "app:-1"] {
            assert!(resolve_in(PASSWD, GROUP, spec).is_err(), "{spec}");
        }
    }

    #[test]
    fn files_are_read_inside_the_root() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        // A link to the host's file must not be followed out of the root.
        std::os::unix::fs::symlink("/../../../etc/passwd", dir.path().join("etc/group")).unwrap();
        std::fs::write(dir.path().join("etc/passwd"), "x:x:7:8::/x:").unwrap();
        let root = Root::open(dir.path()).unwrap();
        assert_eq!(resolve(&root, "x").unwrap().uid, 7);
        let empty = tempfile::tempdir().unwrap();
        let root = Root::open(empty.path()).unwrap();
        assert_eq!(resolve(&root, "0").unwrap().home, "/");
        assert_eq!(resolve(&root, "").unwrap().uid, 0);
        assert!(resolve(&root, "root").is_err(), "a name needs an entry, even this one");
    }
}
