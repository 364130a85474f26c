//! Puts a case's context on disk.

use std::fs;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::Path;
use std::process::Command;

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps};

use super::case::{Member, MemberKind, Setup};
use super::served;
use crate::{Error, Result};

/// The times of everything in contexts that names no other: old ones, so that times which a
/// builder makes up are told apart; and another one in each case, since BuildKit takes a file of
/// the same path, size and time as in the build before for unchanged.
pub const TIMES: Range<i64> = 1_577_934_245..1_627_934_245;

/// The time of everything in an archive.
const MEMBER_TIME: u64 = 1_500_000_000;

/// Makes the context in the new directory `root`.
pub fn make(root: &Path, setup: &[Setup], number: u32) -> Result<()> {
    fs::create_dir_all(root).map_err(Error::file(root))?;
    for item in setup {
        let path = match item {
            Setup::File { path, .. }
            | Setup::Dir { path, .. }
            | Setup::Symlink { path, .. }
            | Setup::Hardlink { path, .. }
            | Setup::Fifo { path, .. }
            | Setup::Own { path, .. }
            | Setup::Xattr { path, .. }
            | Setup::Time { path, .. }
            | Setup::Git { path }
            | Setup::Tar { path, .. } => root.join(path),
        };
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(Error::file(dir))?;
        }
        one(root, item, &path).map_err(Error::file(&path))?;
    }
    age(root, TIMES.start + i64::from(number))?;
    for item in setup {
        if let Setup::Time { path, seconds } = item {
            set_time(&root.join(path), *seconds).map_err(Error::file(root.join(path)))?;
        }
    }
    Ok(())
}

fn one(root: &Path, item: &Setup, path: &Path) -> std::io::Result<()> {
    let permit = |mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    match item {
        Setup::File { mode, content, .. } => fs::write(path, content).and_then(|()| permit(*mode)),
        Setup::Dir { mode, .. } => fs::create_dir_all(path).and_then(|()| permit(*mode)),
        Setup::Symlink { target, .. } => symlink(target, path),
        Setup::Hardlink { to, .. } => fs::hard_link(root.join(to), path),
        Setup::Fifo { mode, .. } => {
            rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(*mode), 0)?;
            permit(*mode)
        }
        Setup::Own { uid, gid, .. } => lchown(path, Some(*uid), Some(*gid)),
        Setup::Xattr { name, value, .. } => {
            Ok(rustix::fs::lsetxattr(path, name, value, rustix::fs::XattrFlags::empty())?)
        }
        // Times come last: whatever is made afterwards would change them.
        Setup::Time { .. } => Ok(()),
        Setup::Git { .. } => served::commit(path),
        Setup::Tar { path: name, members } => {
            fs::write(path, pack(name, archive(members)?)?).and_then(|()| permit(0o644))
        }
    }
}

fn set_time(path: &Path, seconds: i64) -> std::io::Result<()> {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Gives a whole tree that time.
fn age(path: &Path, seconds: i64) -> Result<()> {
    if fs::symlink_metadata(path).map_err(Error::file(path))?.is_dir() {
        for child in fs::read_dir(path).map_err(Error::file(path))? {
            age(&child.map_err(Error::file(path))?.path(), seconds)?;
        }
    }
    set_time(path, seconds).map_err(Error::file(path))
}

fn archive(members: &[Member]) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for member in members {
        let mut header = tar::Header::new_ustar();
        let mut content: &[u8] = &[];
        let kind = match &member.kind {
            MemberKind::File(bytes) => {
                content = bytes;
                tar::EntryType::Regular
            }
            MemberKind::Dir => tar::EntryType::Directory,
            MemberKind::Symlink(_) => tar::EntryType::Symlink,
            MemberKind::Hardlink(_) => tar::EntryType::Link,
            MemberKind::Fifo => tar::EntryType::Fifo,
        };
        header.set_entry_type(kind);
        header.set_mode(member.mode);
        header.set_uid(member.owner.0.into());
        header.set_gid(member.owner.1.into());
        header.set_mtime(MEMBER_TIME);
        header.set_size(content.len() as u64);
        // Names are written as they are: some are meant to be hostile, which the crate refuses.
        let old = header.as_old_mut();
        put(&mut old.name, &member.path)?;
        if let MemberKind::Symlink(target) | MemberKind::Hardlink(target) = &member.kind {
            put(&mut old.linkname, target)?;
        }
        header.set_cksum();
        let xattrs = member.xattrs.iter();
        let records: Vec<(String, &[u8])> =
            xattrs.map(|(name, value)| (format!("SCHILY.xattr.{name}"), &value[..])).collect();
        if !records.is_empty() {
            builder.append_pax_extensions(records.iter().map(|(key, value)| (&key[..], *value)))?;
        }
        builder.append(&header, content)?;
    }
    builder.into_inner()
}

fn put(field: &mut [u8], text: &str) -> std::io::Result<()> {
    let room = field.get_mut(..text.len());
    let room = room.ok_or_else(|| std::io::Error::other(format!("{text} is too long")))?;
    room.copy_from_slice(text.as_bytes());
    Ok(())
}

fn pack(name: &str, bytes: Vec<u8>) -> std::io::Result<Vec<u8>> {
    let ending = name.rsplit('.').next().unwrap_or_default();
    match ending {
        "gz" | "tgz" => {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(&bytes)?;
            out.finish()
        }
        "bz2" => {
            let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            out.write_all(&bytes)?;
            out.finish()
        }
        "xz" => through("xz", &bytes),
        "zst" => zstd::encode_all(&bytes[..], 1),
        _ => Ok(bytes),
    }
}

/// Packs with a program: there is a crate for reading these only.
fn through(program: &str, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(bytes)?;
    let out = Command::new(program).arg("--stdout").arg(file.path()).output()?;
    match out.status.success() {
        true => Ok(out.stdout),
        false => Err(std::io::Error::other(format!("{program} ended with {}", out.status))),
    }
}
