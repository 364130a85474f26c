//! Working inside a root that somebody else filled, without ever leaving it.
//!
//! Every path is resolved by the kernel with `RESOLVE_IN_ROOT`: absolute links start at the root,
//! `..` stops there, and nothing can be swapped between a check and its use, since the work is
//! done on the descriptor that the resolution gave.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps,
        Uid, chmod, chownat, fchmod, fstat, linkat, mkdirat, mknodat, openat, openat2, readlinkat,
        renameat, statat, symlinkat, unlinkat, utimensat,
    },
    io::Errno,
};

/// How often a resolution that raced with a rename is tried again.
const RACES: usize = 64;
/// How many dangling links a new directory's path may go through.
const LINKS: usize = 40;

/// A directory that is the world.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
}

/// A parent directory inside the root and the last name of a path.
#[derive(Debug)]
pub struct Entry {
    /// The directory.
    pub dir: OwnedFd,
    /// The name in it; never empty, `.`, `..` or with a slash.
    pub name: OsString,
}

impl Entry {
    /// What is there, the link itself if it is one.
    pub fn stat(&self) -> io::Result<Option<Stat>> {
        match statat(&self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Changes the owner, of a link itself if it is one.
    pub fn chown(&self, uid: u32, gid: u32) -> io::Result<()> {
        Ok(chownat(
            &self.dir,
            &self.name,
            Some(Uid::from_raw(uid)),
            Some(Gid::from_raw(gid)),
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    /// Changes the mode of what is no link.
    pub fn chmod(&self, mode: u32) -> io::Result<()> {
        match self.stat()? {
            // A link has no mode of its own, and following it could lead outside.
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => Ok(()),
            Some(_) => {
                let file = openat(
                    &self.dir,
                    &self.name,
                    OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                    Mode::empty(),
                )?;
                Ok(chmod_path_fd(file.as_fd(), mode)?)
            }
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Sets the modification time (and the access time with it), of a link itself if it is one.
    pub fn set_mtime(&self, seconds: i64, nanoseconds: u32) -> io::Result<()> {
        let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() };
        let times = Timestamps { last_access: time, last_modification: time };
        Ok(utimensat(&self.dir, &self.name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// A path that names the entry for calls that take no directory descriptor, such as those for
    /// extended attributes. Valid while the entry lives.
    pub fn proc_path(&self) -> PathBuf {
        use std::os::fd::AsRawFd;
        let mut path = PathBuf::from(format!("/proc/self/fd/{}", self.dir.as_raw_fd()));
        path.push(&self.name);
        path
    }
}

/// `fchmod` refuses descriptors opened with O_PATH; going through /proc does the same job.
fn chmod_path_fd(fd: BorrowedFd<'_>, mode: u32) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    chmod(format!("/proc/self/fd/{}", fd.as_raw_fd()), Mode::from_raw_mode(mode & 0o7777))
}

impl Root {
    /// Takes a directory of the host as root.
    pub fn open(path: &Path) -> io::Result<Self> {
        let fd =
            openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { fd })
    }

    /// Takes an open directory as root.
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// The root directory itself.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn openat2(&self, path: &Path, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        for _ in 0..RACES {
            let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
            match openat2(&self.fd, path, flags | OFlags::CLOEXEC, mode, resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                result => return result,
            }
        }
        Err(Errno::AGAIN)
    }

    /// What a path leads to, links followed, as a descriptor that only names it (O_PATH).
    pub fn resolve(&self, path: impl AsRef<Path>) -> io::Result<OwnedFd> {
        Ok(self.openat2(path.as_ref(), OFlags::PATH, Mode::empty())?)
    }

    /// The same without following the last link.
    pub fn resolve_nofollow(&self, path: impl AsRef<Path>) -> io::Result<OwnedFd> {
        Ok(self.openat2(path.as_ref(), OFlags::PATH | OFlags::NOFOLLOW, Mode::empty())?)
    }

    /// A directory inside, links followed, as a root of its own.
    pub fn subroot(&self, path: impl AsRef<Path>) -> io::Result<Self> {
        let fd = self.openat2(path.as_ref(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        Ok(Self { fd })
    }

    /// What a path leads to, links followed.
    pub fn stat(&self, path: impl AsRef<Path>) -> io::Result<Stat> {
        Ok(fstat(self.resolve(path)?)?)
    }

    /// What is at a path, the link itself if it is one; `None` when nothing is.
    pub fn lstat(&self, path: impl AsRef<Path>) -> io::Result<Option<Stat>> {
        match self.resolve_nofollow(path) {
            Ok(fd) => Ok(Some(fstat(fd)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a regular file for reading, links followed. A fifo or device is refused rather than
    /// waited for.
    pub fn open_file(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let fd = self.openat2(
            path.as_ref(),
            OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
            Mode::empty(),
        )?;
        let kind = FileType::from_raw_mode(fstat(&fd)?.st_mode);
        match kind {
            FileType::RegularFile => Ok(File::from(fd)),
            FileType::Directory => Err(io::ErrorKind::IsADirectory.into()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        }
    }

    /// The same, but a link in the file's own place is refused. Those on the way are followed.
    pub fn open_file_itself(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let entry = self.entry(path)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
        let fd = openat(&entry.dir, &entry.name, flags | OFlags::CLOEXEC, Mode::empty())?;
        match FileType::from_raw_mode(fstat(&fd)?.st_mode) {
            FileType::RegularFile => Ok(File::from(fd)),
            FileType::Directory => Err(io::ErrorKind::IsADirectory.into()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        }
    }

    /// Reads a whole file of at most `limit` bytes.
    pub fn read(&self, path: impl AsRef<Path>, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open_file(path)?.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    /// The names in a directory, unsorted, without `.` and `..`.
    pub fn read_dir(&self, path: impl AsRef<Path>) -> io::Result<Vec<OsString>> {
        let fd = self.openat2(path.as_ref(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        let mut names = Vec::new();
        for entry in Dir::new(fd)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        Ok(names)
    }

    /// The parent directory of a path (links followed, it must exist) and the last name.
    pub fn entry(&self, path: impl AsRef<Path>) -> io::Result<Entry> {
        let (parent, name) = split(path.as_ref())?;
        let dir = self.openat2(&parent, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        Ok(Entry { dir, name })
    }

    /// Makes one directory. It must not exist.
    pub fn create_dir(&self, path: impl AsRef<Path>, mode: u32) -> io::Result<Entry> {
        let entry = self.entry(path)?;
        mkdirat(&entry.dir, &entry.name, Mode::from_raw_mode(mode & 0o7777))?;
        // mkdir obeys the umask; what was asked for counts.
        entry.chmod(mode)?;
        Ok(entry)
    }

    /// Makes a directory and the parents it lacks. Links on the way are followed inside the root,
    /// dangling ones too. `made` is called with each new directory, parents first.
    pub fn create_dir_all(
        &self,
        path: impl AsRef<Path>,
        mode: u32,
        made: &mut dyn FnMut(&Entry) -> io::Result<()>,
    ) -> io::Result<OwnedFd> {
        let mut links = LINKS;
        self.make_dirs(path.as_ref(), mode, made, &mut links)
    }

    fn make_dirs(
        &self,
        path: &Path,
        mode: u32,
        made: &mut dyn FnMut(&Entry) -> io::Result<()>,
        links: &mut usize,
    ) -> io::Result<OwnedFd> {
        match self.openat2(path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()) {
            Err(Errno::NOENT) => {}
            result => return Ok(result?),
        }
        // Walk down by a loop rather than by recursion: a path may have thousands of parts.
        let parts: Vec<Component<'_>> = path.components().collect();
        let mut here = PathBuf::from("/");
        let mut directory = self.openat2(&here, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        for part in parts {
            let Component::Normal(name) = part else {
                if part == Component::ParentDir {
                    here.push("..");
                    directory =
                        self.openat2(&here, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
                }
                continue;
            };
            here.push(name);
            directory = match self.openat2(&here, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()) {
                Ok(next) => next,
                Err(Errno::NOENT) => self.make_one(directory, name, &here, mode, made, links)?,
                Err(errno) => return Err(errno.into()),
            };
        }
        Ok(directory)
    }

    /// Makes one missing directory, or the one that a dangling link in its place points to.
    fn make_one(
        &self,
        parent: OwnedFd,
        name: &OsStr,
        path: &Path,
        mode: u32,
        made: &mut dyn FnMut(&Entry) -> io::Result<()>,
        links: &mut usize,
    ) -> io::Result<OwnedFd> {
        match mkdirat(&parent, name, Mode::from_raw_mode(mode & 0o7777)) {
            Ok(()) => {
                let entry = Entry { dir: parent, name: name.to_owned() };
                entry.chmod(mode)?;
                made(&entry)?;
            }
            Err(Errno::EXIST) => {
                *links = links.checked_sub(1).ok_or(Errno::LOOP)?;
                if *links == 0 {
                    return Err(Errno::LOOP.into());
                }
                // Made by somebody else meanwhile (then opening it works), or a dangling link.
                if let Ok(target) = readlinkat(&parent, name, Vec::new()) {
                    let target = Path::new(OsStr::from_bytes(target.to_bytes())).to_owned();
                    let base = path.parent().unwrap_or(Path::new("/"));
                    return self.make_dirs(&base.join(target), mode, made, links);
                }
            }
            Err(errno) => return Err(errno.into()),
        }
        Ok(self.openat2(path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?)
    }

    /// Makes a file that must not exist, for writing. A link in its place is not followed.
    pub fn create_new(&self, path: impl AsRef<Path>, mode: u32) -> io::Result<File> {
        let entry = self.entry(path)?;
        let fd = openat(
            &entry.dir,
            &entry.name,
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::from_raw_mode(mode & 0o777),
        )?;
        fchmod(&fd, Mode::from_raw_mode(mode & 0o7777))?;
        Ok(File::from(fd))
    }

    /// Opens a file for writing, emptied, made when missing. A link in its place is followed
    /// inside the root.
    pub fn create(&self, path: impl AsRef<Path>, mode: u32) -> io::Result<File> {
        let fd = self.openat2(
            path.as_ref(),
            OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NONBLOCK | OFlags::NOCTTY,
            Mode::from_raw_mode(mode & 0o777),
        )?;
        if FileType::from_raw_mode(fstat(&fd)?.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        fchmod(&fd, Mode::from_raw_mode(mode & 0o7777))?;
        Ok(File::from(fd))
    }

    /// Makes a symbolic link. Its target is text and is not looked at.
    pub fn symlink(&self, target: &OsStr, path: impl AsRef<Path>) -> io::Result<Entry> {
        let entry = self.entry(path)?;
        symlinkat(target, &entry.dir, &entry.name)?;
        Ok(entry)
    }

    /// Makes a hard link to an existing entry, a link itself if it is one.
    pub fn hard_link(&self, existing: impl AsRef<Path>, path: impl AsRef<Path>) -> io::Result<()> {
        let from = self.entry(existing)?;
        let to = self.entry(path)?;
        Ok(linkat(&from.dir, &from.name, &to.dir, &to.name, AtFlags::empty())?)
    }

    /// Makes a fifo, socket or device node (devices only as whiteouts: 0:0, in a user namespace).
    pub fn mknod(
        &self,
        path: impl AsRef<Path>,
        kind: FileType,
        mode: u32,
        device: u64,
    ) -> io::Result<Entry> {
        let entry = self.entry(path)?;
        mknodat(&entry.dir, &entry.name, kind, Mode::from_raw_mode(mode & 0o7777), device)?;
        Ok(entry)
    }

    /// Renames within the root, replacing a file that is there.
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        let (from, to) = (self.entry(from)?, self.entry(to)?);
        Ok(renameat(&from.dir, &from.name, &to.dir, &to.name)?)
    }

    /// Removes whatever is at a path, with all below it; a link itself. Nothing there is fine.
    pub fn remove_all(&self, path: impl AsRef<Path>) -> io::Result<()> {
        match self.entry(path) {
            Ok(entry) => remove_tree(entry.dir, &entry.name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Removes an entry and all below it, never following a link.
///
/// Uses a stack of open directories, so depth is bounded by descriptors rather than by the call
/// stack; beyond that it moves what is deep up to the top first.
pub(crate) fn remove_tree(dir: OwnedFd, name: &OsStr) -> io::Result<()> {
    const DEEPEST: usize = 256;
    match unlinkat(&dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(errno.into()),
    }
    let open = |parent: BorrowedFd<'_>, name: &OsStr| {
        openat(
            parent,
            name,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        )
    };
    let top = open(dir.as_fd(), name)?;
    let mut moved = 0_u64;
    // Each level: the directory, its name in the one above, and what is still to be looked at.
    let mut stack: Vec<(OwnedFd, OsString, Vec<OsString>)> =
        vec![(top, name.to_owned(), Vec::new())];
    stack[0].2 = names(&stack[0].0)?;
    loop {
        let depth = stack.len();
        let Some((here, _, rest)) = stack.last_mut() else { return Ok(()) };
        let Some(next) = rest.pop() else {
            // Emptied, unless deep parts were moved up here meanwhile.
            *rest = names(here)?;
            if rest.is_empty()
                && let Some((_, own, _)) = stack.pop()
            {
                let parent = stack.last().map_or(dir.as_fd(), |(fd, ..)| fd.as_fd());
                unlinkat(parent, &own, AtFlags::REMOVEDIR)?;
            }
            continue;
        };
        match unlinkat(&*here, &next, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => continue,
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(errno) => return Err(errno.into()),
        }
        let below = open(here.as_fd(), &next)?;
        if depth < DEEPEST {
            let inside = names(&below)?;
            stack.push((below, next, inside));
            continue;
        }
        moved += 1;
        let aside = OsString::from(format!(".mlint-removing-{moved}"));
        renameat(&stack[depth - 1].0, &next, &stack[0].0, &aside)?;
    }
}

fn names(dir: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    Ok(names)
}

/// The parent path and last name. Refuses what names no entry: empty, `/`, `.`, `..`.
fn split(path: &Path) -> io::Result<(PathBuf, OsString)> {
    match path.components().next_back() {
        Some(Component::Normal(name)) => {
            Ok((path.parent().unwrap_or(Path::new("")).to_owned(), name.to_owned()))
        }
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("'{}' names no entry of a directory", path.display()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn sandbox() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("root")).unwrap();
        let root = Root::open(&dir.path().join("root")).unwrap();
        (dir, root)
    }

    fn nothing(_: &Entry) -> io::Result<()> {
        Ok(())
    }

    #[test]
    fn links_and_dots_stay_inside() {
        let (dir, root) = sandbox();
        let inside = dir.path().join("root");
        std::fs::write(dir.path().join("secret"), "outside").unwrap();
        symlink("/../../secret", inside.join("absolute")).unwrap();
        symlink("../secret", inside.join("relative")).unwrap();
        symlink("../../../../../..", inside.join("up")).unwrap();
        for path in ["absolute", "relative", "../secret", "/../secret", "up/secret"] {
            assert!(root.open_file(path).is_err(), "{path} left the root");
        }
        use std::io::Write;
        root.create("up/new", 0o644).unwrap().write_all(b"x").unwrap();
        assert!(inside.join("new").exists(), "the link led to the root, not above it");
        root.create("relative", 0o644).unwrap().write_all(b"y").unwrap();
        assert_eq!(std::fs::read_to_string(inside.join("secret")).unwrap(), "y");
        assert_eq!(std::fs::read_to_string(dir.path().join("secret")).unwrap(), "outside");
    }

    #[test]
    fn directories_are_made_through_dangling_links_inside() {
        let (dir, root) = sandbox();
        let inside = dir.path().join("root");
        symlink("/data/real", inside.join("alias")).unwrap();
        symlink("loop", inside.join("loop")).unwrap();
        let mut made = 0;
        root.create_dir_all("alias/a/../b", 0o751, &mut |_| {
            made += 1;
            Ok(())
        })
        .unwrap();
        assert!(inside.join("data/real/b").is_dir());
        assert_eq!(made, 4, "data, real, a, b");
        assert_eq!(inside.join("data/real/b").metadata().unwrap().mode() & 0o777, 0o751);
        assert!(!dir.path().join("data").exists());
        assert!(root.create_dir_all("loop/x", 0o755, &mut nothing).is_err());
        std::fs::write(inside.join("file"), "").unwrap();
        assert!(root.create_dir_all("file/x", 0o755, &mut nothing).is_err());
    }

    #[test]
    fn new_files_do_not_go_through_links() {
        let (dir, root) = sandbox();
        let inside = dir.path().join("root");
        symlink("target", inside.join("link")).unwrap();
        assert!(root.create_new("link", 0o644).is_err());
        assert!(!inside.join("target").exists());
        root.create_new("plain", 0o4755).unwrap();
        let mode = inside.join("plain").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o4755, "whatever the umask");
        assert!(root.create_new("plain", 0o644).is_err(), "it exists");
    }

    #[test]
    fn owner_mode_and_time_change_the_link_itself() {
        let (dir, root) = sandbox();
        let inside = dir.path().join("root");
        std::fs::write(inside.join("file"), "").unwrap();
        symlink("file", inside.join("link")).unwrap();
        let before = inside.join("file").metadata().unwrap();
        let link = root.entry("link").unwrap();
        link.set_mtime(1_000_000_000, 5).unwrap();
        link.chmod(0o000).unwrap();
        let after = inside.join("file").metadata().unwrap();
        assert_eq!((before.mtime(), before.mode()), (after.mtime(), after.mode()));
        let link = inside.join("link").symlink_metadata().unwrap();
        assert_eq!((link.mtime(), link.mtime_nsec()), (1_000_000_000, 5));
    }

    #[test]
    fn what_names_no_entry_is_refused() {
        let (_dir, root) = sandbox();
        for path in ["", "/", "..", "a/..", "/.."] {
            assert!(root.entry(path).is_err(), "{path:?}");
        }
        assert_eq!(root.entry("/x/").err().map(|e| e.kind()), None, "a trailing slash is fine");
    }

    #[test]
    fn trees_are_removed_and_links_not_followed() {
        let (dir, root) = sandbox();
        let inside = dir.path().join("root");
        let outside = dir.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("keep"), "").unwrap();
        std::fs::create_dir_all(inside.join("tree/a/b")).unwrap();
        symlink(&outside, inside.join("tree/a/link")).unwrap();
        std::fs::write(inside.join("tree/a/b/file"), "").unwrap();
        root.remove_all("tree").unwrap();
        assert!(!inside.join("tree").exists());
        assert!(outside.join("keep").exists());
        root.remove_all("tree").unwrap();
        root.remove_all("no/such").unwrap();
    }

    #[test]
    fn deep_trees_are_removed_without_running_out_of_descriptors() {
        let (dir, root) = sandbox();
        let mut here = root.subroot("/").unwrap();
        for _ in 0..1500 {
            here.create_dir("d", 0o755).unwrap();
            here = here.subroot("d").unwrap();
        }
        drop(here);
        root.remove_all("d").unwrap();
        assert!(!dir.path().join("root/d").exists());
    }

    #[test]
    fn a_fifo_is_refused_and_does_not_block() {
        let (_dir, root) = sandbox();
        root.mknod("fifo", FileType::Fifo, 0o644, 0).unwrap();
        assert!(root.open_file("fifo").is_err());
        assert!(root.create("fifo", 0o644).is_err());
    }
}
