//! Overlay file systems over any number of layers.

use std::{
    collections::HashSet,
    ffi::OsStr,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, UnmountFlags, fsconfig_create,
        fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount, unmount,
    },
};

use super::{
    error::{During, SysError},
    mounts, safe_fs,
    session::{EMPTY, LEGACY, OVERLAYS, Session},
};

/// The kernel takes 500 lower layers; what is beyond this many is put together first.
const GROUP: usize = 480;
/// The kernel takes configuration strings of at most 255 bytes.
const LONGEST_TEXT: usize = 255;

/// Where changes go.
#[derive(Clone, Copy, Debug)]
pub struct Writable<'a> {
    /// The directory that collects the changes.
    pub upper: &'a Path,
    /// An empty directory on the same file system, for the kernel.
    pub work: &'a Path,
}

/// An overlay in the session's mount namespace; unmounted when dropped.
#[derive(Debug)]
pub struct Overlay {
    root: OwnedFd,
    places: Places,
}

/// Mount points that are given back at the end, whatever happens. The first is the overlay's.
#[derive(Debug)]
struct Places(Vec<PathBuf>);

impl Places {
    fn add(&mut self, session: &Session) -> Result<PathBuf, SysError> {
        /// Numbers the mount points of one session.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = session.scratch().join(OVERLAYS).join(number.to_string());
        std::fs::create_dir(&path).at("make the directory", &path)?;
        self.0.push(path.clone());
        Ok(path)
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        for path in &self.0 {
            // Lazily, so that a descriptor somebody still holds can't keep the mount in the tree.
            let _ = unmount(path, UnmountFlags::DETACH);
            let _ = std::fs::remove_dir(path);
        }
    }
}

impl Overlay {
    /// Mounts layers, topmost first. Without `writable` the view is read-only; with it, changes
    /// land in its upper directory.
    ///
    /// Nothing is synced to disk at the end: the caller reads the upper directory, and starts
    /// over when the machine dies before that.
    pub fn mount(
        session: &Session,
        lower: &[PathBuf],
        writable: Option<Writable<'_>>,
    ) -> Result<Self, SysError> {
        let mut places = Places(Vec::new());
        let path = places.add(session)?;
        let root = detached(lower, writable, session.scratch(), &mut |layers| {
            let path = places.add(session)?;
            mounts::attach_path(layers, &path).at("mount layers at", &path)?;
            Ok(path)
        })?;
        mounts::attach_path(root.as_fd(), &path).at("mount an overlay at", &path)?;
        Ok(Self { root, places })
    }

    /// Where it is mounted, for this session's processes alone.
    pub fn path(&self) -> &Path {
        &self.places.0[0]
    }

    /// Its root, for work that must not leave it.
    pub fn root(&self) -> std::io::Result<safe_fs::Root> {
        Ok(safe_fs::Root::from_fd(self.root.try_clone()?))
    }
}

/// Attaches a detached mount somewhere and says where.
pub(super) type AttachBelow<'a> = dyn FnMut(BorrowedFd<'_>) -> Result<PathBuf, SysError> + 'a;

/// Makes a detached overlay. `attach` is asked for a place for the lowest layers when there are
/// more than one overlay takes.
pub(super) fn detached(
    lower: &[PathBuf],
    writable: Option<Writable<'_>>,
    scratch: &Path,
    attach: &mut AttachBelow<'_>,
) -> Result<OwnedFd, SysError> {
    // The same layer twice (identical steps are one directory in the store) is refused by the
    // kernel. All that the lower one could show or hide, the upper one shows or hides too.
    let mut seen = HashSet::new();
    let mut layers: Vec<&Path> =
        lower.iter().map(PathBuf::as_path).filter(|layer| seen.insert(*layer)).collect();
    let together;
    if layers.len() > GROUP {
        // Only the lowest ones may be merged beforehand: the marks by which a layer hides what is
        // below it are not visible through an overlay, and below these is nothing.
        let bottom = layers.split_off(layers.len() - GROUP);
        if layers.len() >= GROUP {
            let action = format!("stack {} layers (at most {})", lower.len(), 2 * GROUP - 1);
            return Err(SysError::new(action, Errno::TOOBIG));
        }
        together = attach(single(&bottom, None, scratch)?.as_fd())?;
        layers.push(&together);
    }
    single(&layers, writable, scratch)
}

/// One overlay, of no more layers than the kernel takes.
fn single(
    layers: &[&Path],
    writable: Option<Writable<'_>>,
    scratch: &Path,
) -> Result<OwnedFd, SysError> {
    let empty = scratch.join(EMPTY);
    let layers = match (layers, writable) {
        ([], Some(_)) => &[empty.as_path()],
        // Nothing to lay over one another, and the kernel refuses to try.
        ([], None) => return read_only_view(&empty),
        ([one], None) => return read_only_view(one),
        (layers, _) => layers,
    };
    match by_new_api(layers, writable) {
        // Kernels before 6.7 do not know layers given one by one.
        Err(error) if error.errno == libc::EINVAL => {
            by_mount_string(layers, writable, &scratch.join(LEGACY)).map_err(|_| error)
        }
        result => result,
    }
}

fn read_only_view(path: &Path) -> Result<OwnedFd, SysError> {
    let mount = mounts::clone_path(path, false).at("bind", path)?;
    mounts::restrict(&mount, MountAttrFlags::MOUNT_ATTR_RDONLY, false)
        .at("make read-only the view of", path)?;
    Ok(mount)
}

fn by_new_api(layers: &[&Path], writable: Option<Writable<'_>>) -> Result<OwnedFd, SysError> {
    let context =
        fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).during(|| "make an overlay".to_owned())?;
    // Descriptors that stand for paths too long to be passed; open until the mount is made.
    let mut held = Vec::new();
    let mut set = |key: &str, path: &Path| -> Result<(), SysError> {
        let set = |path: &OsStr| fsconfig_set_string(&context, key, path);
        if path.as_os_str().len() <= LONGEST_TEXT {
            return set(path.as_os_str()).at("use as a layer the directory", path);
        }
        let fd = rustix::fs::open(
            path,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .at("open the directory", path)?;
        let short = format!("/proc/self/fd/{}", fd.as_raw_fd());
        held.push(fd);
        set(OsStr::new(&short)).at("use as a layer the directory", path)
    };
    for layer in layers {
        set("lowerdir+", layer)?;
    }
    if let Some(Writable { upper, work }) = writable {
        set("upperdir", upper)?;
        set("workdir", work)?;
    }
    fsconfig_set_string(&context, "source", "overlay")
        .and_then(|()| fsconfig_set_flag(&context, "userxattr"))
        .during(|| "set up an overlay that keeps its marks in user attributes".to_owned())?;
    if writable.is_some() {
        // Layers are read and stored right after: syncing the scratch area is time lost. Where
        // the kernel does not know it, nothing is lost.
        let _ = fsconfig_set_flag(&context, "volatile");
    }
    let describe = || match layers.first() {
        Some(top) => {
            format!("mount an overlay of {} layers, the top one {}", layers.len(), top.display())
        }
        None => "mount an overlay".to_owned(),
    };
    fsconfig_create(&context)
        .during(|| format!("{}{}", describe(), kernel_words(context.as_fd())))?;
    drop(held);
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).during(describe)
}

/// What the kernel noted about a failed set-up, to be put behind the action.
fn kernel_words(context: BorrowedFd<'_>) -> String {
    let mut words = String::new();
    let mut buffer = [0_u8; 512];
    while let Ok(length @ 1..) = rustix::io::read(context, &mut buffer) {
        let line = String::from_utf8_lossy(&buffer[..length]);
        // A letter for the severity, then the text.
        let line = line.get(2..).unwrap_or("").trim();
        words.push_str(if words.is_empty() { " (the kernel: " } else { "; " });
        words.push_str(line);
    }
    if !words.is_empty() {
        words.push(')');
    }
    words
}

/// The old way: all layers in one string, which the kernel cuts at a page.
fn by_mount_string(
    layers: &[&Path],
    writable: Option<Writable<'_>>,
    place: &Path,
) -> Result<OwnedFd, SysError> {
    static PLACE: Mutex<()> = Mutex::new(());
    let mut text = b"userxattr,lowerdir=".to_vec();
    for (index, layer) in layers.iter().enumerate() {
        if index > 0 {
            text.push(b':');
        }
        escape(layer, &mut text);
    }
    if let Some(Writable { upper, work }) = writable {
        text.extend_from_slice(b",upperdir=");
        escape(upper, &mut text);
        text.extend_from_slice(b",workdir=");
        escape(work, &mut text);
    }
    let action = || format!("mount an overlay of {} layers", layers.len());
    if text.len() >= 4096 {
        return Err(SysError::new(action(), Errno::TOOBIG));
    }
    let text = std::ffi::CString::new(text).map_err(|_| SysError::new(action(), Errno::INVAL))?;
    // The old call only mounts at a path: one thread at a time, and taken off it right away.
    let _alone = PLACE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    mount("overlay", place, "overlay", MountFlags::empty(), Some(text.as_c_str()))
        .during(action)?;
    let taken = mounts::clone_path(place, false).during(action);
    let _ = unmount(place, UnmountFlags::DETACH);
    taken
}

/// Backslashes before what the option parser takes for its own.
fn escape(path: &Path, into: &mut Vec<u8>) {
    use std::os::unix::ffi::OsStrExt;
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b':' | b',' | b'\\') {
            into.push(b'\\');
        }
        into.push(*byte);
    }
}
