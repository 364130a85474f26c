//! Whom `--chown` and WORKDIR mean.

use super::{Exec, Snapshot};
use crate::{
    copy::{Owner, archive::numeric_owner},
    layer::{View, entry::ImagePath, view::Lookup},
    problem::{BuildError, Problem},
    sandbox::user::resolve_in,
};

/// More than any real passwd or group file.
const LIMIT: u64 = 16 << 20;

impl Exec<'_> {
    /// User and group of a `user[:group]`, by the image's own files. Numbers stand for themselves,
    /// a user without group is its own; a user who is not known is root, a group that is not known is
    /// the user's.
    pub(super) fn owner(
        &self,
        spec: &str,
        snapshot: &Snapshot,
        view: &View,
    ) -> Result<Owner, BuildError> {
        if let Some(owner) = numeric_owner(spec) {
            return Ok(owner);
        }
        if snapshot.layers.is_empty() {
            return Err(Problem::BadValue {
                what: "the owner".to_owned(),
                value: spec.to_owned(),
                expected: "numbers: there are no files below to look names up in",
            }
            .into());
        }
        let passwd = self.read_text(snapshot, view, "etc/passwd")?;
        let group = self.read_text(snapshot, view, "etc/group")?;
        let (user_name, group_name) = match spec.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (spec, None),
        };
        let user = resolve_in(&passwd, &group, user_name).ok();
        let uid = user.as_ref().map_or(0, |u| u.uid);
        let gid = match group_name {
            Some(name) => resolve_in(&passwd, &group, &format!("0:{name}")).ok().map(|u| u.gid),
            None => None,
        };
        let gid = gid.unwrap_or_else(|| match user_name.parse::<u32>() {
            Ok(_) => uid,
            Err(_) => user.map_or(0, |u| u.gid),
        });
        Ok((uid, gid))
    }

    /// A small text file of an image; empty if it has none.
    pub fn read_text(
        &self,
        snapshot: &Snapshot,
        view: &View,
        path: &str,
    ) -> Result<String, BuildError> {
        let bytes = self.read_bytes(snapshot, view, path, LIMIT)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A file of an image, of `limit` bytes at the most; empty if it is not there.
    pub fn read_bytes(
        &self,
        snapshot: &Snapshot,
        view: &View,
        path: &str,
        limit: u64,
    ) -> Result<Vec<u8>, BuildError> {
        let Lookup::Found(path) = view.resolve(&ImagePath::from(path), true) else {
            return Ok(Vec::new());
        };
        let Some(node) = view.get(&path) else { return Ok(Vec::new()) };
        let Some(layer) = snapshot.layers.get(node.layer) else { return Ok(Vec::new()) };
        let dir = self.unpacked(layer)?;
        let root = crate::sandbox::safe_fs::Root::open(&dir)
            .map_err(crate::error::FsError::new("open", &dir))?;
        Ok(root.read(path.as_path(), limit).unwrap_or_default())
    }
}

/// A `--chown` in which `root` is a number already: it is 0 whatever the image's files say, and where
/// there are none (BuildKit's `client/llb/fileop.go`, `parseUID`).
pub(super) fn root_is_zero(spec: &str) -> String {
    let zero = |name| if name == "root" { "0" } else { name };
    match spec.split_once(':') {
        Some((user, group)) => format!("{}:{}", zero(user), zero(group)),
        None => zero(spec).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_needs_no_look_up() {
        let owner = |spec| numeric_owner(&root_is_zero(spec));
        assert_eq!(owner("root"), Some((0, 0)));
        assert_eq!(owner("root:5"), Some((0, 5)));
        assert_eq!(owner("5:root"), Some((5, 0)));
        assert_eq!(owner("root:wheel"), None);
        assert_eq!(root_is_zero("rooted:root"), "rooted:0");
    }
}
