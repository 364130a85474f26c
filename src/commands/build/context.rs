//! Where the files of a build come from: a directory, a tar archive or a Dockerfile on standard input,
//! a git repository, an address; and the contexts with names.

use std::{
    fs::File,
    io::{self, Read, Seek},
    path::{Path, PathBuf},
};

use mlint_builder::{
    context::{digest_file, unpack_context},
    copy::archive::is_archive,
    remote::{Git, GitAddress, GitLogin, fetch_blocking, redacted},
    request::{NamedContext, NamedSource, Origin},
    sandbox::cancel_on_signals,
    store::Store,
};
use mlint_model::{BuildContext, ContextSource};

/// A Dockerfile that is longer is none.
const MAX_DOCKERFILE: u64 = 16 << 20;

/// The build context and the Dockerfile, found.
pub struct Found {
    /// The context's directory; none if there is only a Dockerfile.
    pub context: Option<PathBuf>,
    /// The Dockerfile's name as people should read it.
    pub file: PathBuf,
    /// Its text.
    pub text: String,
    /// The ignore file's path and text.
    pub ignore: Option<(String, String)>,
    /// Where it was brought from.
    pub origin: Option<Origin>,
    /// What was unpacked or fetched, as long as it is needed.
    _kept: Option<Kept>,
}

/// How a repository that is the context is brought here.
pub struct GitWishes {
    /// Who we are for it.
    pub login: GitLogin,
    /// Whether `.git` comes along, if the address says nothing of it.
    pub keep_git_dir: bool,
}

/// Where the context is.
enum Place {
    Here(PathBuf),
    /// Brought here for this build, from there.
    Brought(PathBuf, Kept, Option<Origin>),
    /// There is none, but a Dockerfile, from there.
    Nowhere(String, Option<Origin>),
}

/// Where something is brought to: a session's own directory in the cache, which a later build sweeps
/// if this process is killed.
struct Kept {
    _store: Box<Store>,
    dir: PathBuf,
}

/// Finds the context and the Dockerfile. What has to be brought here comes to lie in the cache.
pub fn find(
    context: &str,
    file: Option<&Path>,
    git: GitWishes,
    cache: &Path,
) -> Result<Found, String> {
    let from_stdin = file.is_some_and(|f| f.as_os_str() == "-");
    let place = if context == "-" {
        if from_stdin {
            return Err("the context and the Dockerfile can't both come from standard input".into());
        }
        stdin_context(cache)?
    } else if let Some(address) = git_address(context)? {
        git_context(&address, git, cache)?
    } else if context.starts_with("http://") || context.starts_with("https://") {
        url_context(context, cache)?
    } else {
        let path = std::path::absolute(context)
            .map_err(|e| format!("cannot find the context {context}: {e}"))?;
        if !path.is_dir() {
            let mut text = format!("the build context {context} is not a directory");
            if matches!(context, "true" | "false") || context.starts_with("mode=") {
                text.push_str(&format!(
                    "; the value of a flag such as --provenance stands behind '=': --provenance={context}"
                ));
            }
            return Err(text);
        }
        Place::Here(path)
    };
    match place {
        Place::Here(root) => {
            let shown = Path::new(context);
            let (file, text) = dockerfile(file, shown, false)?;
            let ignore = ignore_file(&file, &root)?;
            Ok(Found { context: Some(root), file, text, ignore, origin: None, _kept: None })
        }
        Place::Brought(root, kept, origin) => {
            let (file, text) = dockerfile(file, &root, true)?;
            // As in BuildKit, what is left out is for whoever sends files: here all are there.
            let file = file.strip_prefix(&root).map(Path::to_owned).unwrap_or(file);
            let _kept = Some(kept);
            Ok(Found { context: Some(root), file, text, ignore: None, origin, _kept })
        }
        Place::Nowhere(text, origin) => {
            let file = PathBuf::from(if context == "-" { "<stdin>" } else { "Dockerfile" });
            Ok(Found { context: None, file, text, ignore: None, origin, _kept: None })
        }
    }
}

fn git_address(context: &str) -> Result<Option<GitAddress>, String> {
    // A directory of that name is what is meant.
    if Path::new(context).is_dir() {
        return Ok(None);
    }
    GitAddress::parse_context(context).map_err(|e| e.to_string())
}

fn scratch(cache: &Path) -> Result<Kept, String> {
    let failed = |e| format!("cannot make a directory for the context: {e}");
    let store = Store::open(cache).map_err(failed)?;
    let dir = store.temporary_dir("context").map_err(failed)?;
    Ok(Kept { _store: Box::new(store), dir })
}

/// A tar archive, packed or not, or a Dockerfile.
fn stdin_context(cache: &Path) -> Result<Place, String> {
    let kept = scratch(cache)?;
    let path = kept.dir.join("stdin");
    let failed = |e: io::Error| format!("cannot read the context from standard input: {e}");
    let mut file = File::create(&path).map_err(failed)?;
    io::copy(&mut io::stdin().lock(), &mut file).map_err(failed)?;
    unpacked(&path, kept, "standard input", None)
}

fn url_context(url: &str, cache: &Path) -> Result<Place, String> {
    let kept = scratch(cache)?;
    let path = kept.dir.join("fetched");
    // What stands behind the path may be a key.
    let whole = redacted(url);
    let shown = match whole.split_once('?') {
        Some((address, _)) => format!("{address}?…"),
        None => whole.clone(),
    };
    fetch_blocking(url, &path).map_err(|e| e.to_string().replace(&whole, &shown))?;
    let digest =
        File::open(&path).and_then(digest_file).map_err(|e| format!("cannot read {shown}: {e}"))?;
    let digest = digest.hex().to_owned();
    let origin = Origin { uri: shown.clone(), algorithm: "sha256".to_owned(), digest };
    unpacked(&path, kept, &shown, Some(origin))
}

/// What came as one file: an archive is the context, anything else a Dockerfile.
fn unpacked(path: &Path, kept: Kept, name: &str, origin: Option<Origin>) -> Result<Place, String> {
    let file = File::open(path).map_err(|e| format!("cannot read {name}: {e}"))?;
    if is_archive(file) {
        let root = kept.dir.join("context");
        std::fs::create_dir(&root).map_err(|e| format!("cannot unpack {name}: {e}"))?;
        unpack_context(path, &root).map_err(|e| format!("cannot unpack {name}: {e}"))?;
        let _ = std::fs::remove_file(path);
        return Ok(Place::Brought(root, kept, origin));
    }
    let mut bytes = Vec::new();
    let failed = |e: io::Error| format!("cannot read {name}: {e}");
    let mut file = File::open(path).map_err(failed)?;
    file.rewind()
        .and_then(|()| file.take(MAX_DOCKERFILE + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    let text = String::from_utf8(bytes).ok().filter(|text| text.len() as u64 <= MAX_DOCKERFILE);
    match text {
        Some(text) if !text.contains('\0') => Ok(Place::Nowhere(text, origin)),
        _ => Err(format!("{name} is neither a tar archive nor a Dockerfile")),
    }
}

fn git_context(git: &GitAddress, wishes: GitWishes, cache: &Path) -> Result<Place, String> {
    let cancel = cancel_on_signals().map_err(|e| e.to_string())?;
    let kept = scratch(cache)?;
    let (home, dir) = (kept.dir.join("home"), kept.dir.join("context"));
    for path in [&home, &dir] {
        std::fs::create_dir(path).map_err(|e| format!("cannot make {}: {e}", path.display()))?;
    }
    let interrupted = || cancel.is_cancelled();
    let runner = Git { home: &home, login: wishes.login, interrupted: &interrupted };
    let commit = runner.resolve(git, git.checksum.as_deref()).map_err(|e| e.to_string())?;
    let keep = git.keep_git_dir.unwrap_or(wishes.keep_git_dir);
    let root = runner.checkout(git, &commit, keep, &dir).map_err(|e| e.to_string())?;
    match cancel.is_cancelled() {
        true => Err("interrupted".to_owned()),
        false => Ok(Place::Brought(root, kept, Some(Origin::of_repository(git, &commit)))),
    }
}

/// The Dockerfile's path and text. A relative name is one in the context if that was `brought`.
fn dockerfile(
    file: Option<&Path>,
    context: &Path,
    brought: bool,
) -> Result<(PathBuf, String), String> {
    let path = match file {
        Some(path) if path.as_os_str() == "-" => {
            let mut text = String::new();
            io::stdin()
                .take(MAX_DOCKERFILE)
                .read_to_string(&mut text)
                .map_err(|e| format!("cannot read the Dockerfile from standard input: {e}"))?;
            return Ok((PathBuf::from("<stdin>"), text));
        }
        Some(path) if brought => {
            let inside = mlint_builder::layer::entry::ImagePath::from(&*path.to_string_lossy());
            context.join(inside.as_path())
        }
        Some(path) => path.to_owned(),
        None => ["Dockerfile", "dockerfile", "Containerfile"]
            .iter()
            .map(|name| context.join(name))
            .find(|path| path.is_file())
            .ok_or_else(|| match brought {
                true => "there is no Dockerfile in the context; name the file with -f".to_owned(),
                false => {
                    let dir = context.display();
                    format!("there is no Dockerfile in {dir}; name the file with -f")
                }
            })?,
    };
    // A link in an archive or a repository must not lead to a file of this machine's.
    if brought && !is_inside(&path, context) {
        let name = path.strip_prefix(context).unwrap_or(&path).display();
        return Err(format!("there is no {name} in the context"));
    }
    let bytes = std::fs::read(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| format!("{} is no text: it is not valid UTF-8", path.display()))?;
    let path = path.strip_prefix("./").map(Path::to_owned).unwrap_or(path);
    Ok((path, text))
}

/// Whether a path, links followed, is below a directory.
fn is_inside(path: &Path, dir: &Path) -> bool {
    let root = dir.canonicalize();
    root.is_ok_and(|root| path.canonicalize().is_ok_and(|path| path.starts_with(root)))
}

/// `<Dockerfile>.dockerignore` replaces `.dockerignore`.
fn ignore_file(file: &Path, context: &Path) -> Result<Option<(String, String)>, String> {
    let mut own = file.as_os_str().to_owned();
    own.push(".dockerignore");
    for path in [PathBuf::from(own), context.join(".dockerignore")] {
        match std::fs::read(&path) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                return Ok(Some((path.display().to_string(), text)));
            }
            Err(e)
                if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(e) => return Err(format!("cannot read {}: {e}", path.display())),
        }
    }
    Ok(None)
}

/// What the builder is told of named contexts.
pub fn named(contexts: &[BuildContext]) -> Result<Vec<NamedContext>, String> {
    contexts.iter().map(named_one).collect()
}

fn named_one(context: &BuildContext) -> Result<NamedContext, String> {
    let BuildContext { name, platform, source } = context;
    let wrong = |problem: String| format!("--build-context {name}: {problem}");
    let directory = |path: &str| {
        let path = std::path::absolute(path).map_err(|e| wrong(e.to_string()))?;
        match path.is_dir() {
            true => Ok(path),
            false => Err(wrong(format!("there is no directory {}", path.display()))),
        }
    };
    let source = match source {
        ContextSource::Image(image) => NamedSource::Image(image.clone()),
        ContextSource::Layout(layout) => {
            let (path, target) = split_layout(layout);
            NamedSource::Layout { path: directory(path)?, target: target.to_owned() }
        }
        ContextSource::Remote(address) => NamedSource::Remote(address.clone()),
        ContextSource::Directory(path) => {
            let path = directory(path)?;
            let ignore = ignore_file(&path.join("Dockerfile"), &path)?;
            NamedSource::Directory { path, ignore }
        }
        ContextSource::Target(target) => {
            return Err(wrong(format!(
                "target:{target} is another target of a bake file, which mlint does not build; \
                 docker buildx bake does"
            )));
        }
    };
    let platform = platform.as_ref().map(ToString::to_string);
    Ok(NamedContext { name: name.clone(), platform, source })
}

/// Path and tag, or `@` and digest.
fn split_layout(layout: &str) -> (&str, &str) {
    if let Some(at) = layout.find('@') {
        return layout.split_at(at);
    }
    match layout.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        _ => (layout, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_may_name_an_image() {
        for (text, want) in [
            ("/a/b", ("/a/b", "")),
            ("/a/b:v1", ("/a/b", "v1")),
            ("/a:1/b", ("/a:1/b", "")),
            ("/a@sha256:00", ("/a", "@sha256:00")),
        ] {
            assert_eq!(split_layout(text), want, "{text}");
        }
    }

    #[test]
    fn one_file_is_an_archive_or_a_dockerfile() {
        let cache = tempfile::tempdir().unwrap();
        let place = |bytes: &[u8]| {
            let kept = scratch(cache.path()).unwrap();
            let path = kept.dir.join("f");
            std::fs::write(&path, bytes).unwrap();
            unpacked(&path, kept, "it", None)
        };
        assert!(
            matches!(place(b"FROM scratch\n"), Ok(Place::Nowhere(text, None)) if text.starts_with("FROM"))
        );
        assert!(place(b"\x00\x01binary").is_err());
        let text = "FROM scratch\n";
        let mut block = vec![0u8; 512];
        block[..10].copy_from_slice(b"Dockerfile");
        block[100..107].copy_from_slice(b"0000644");
        block[124..135].copy_from_slice(format!("{:011o}", text.len()).as_bytes());
        block[136..147].copy_from_slice(b"00000000000");
        block[156] = b'0';
        block[257..263].copy_from_slice(b"ustar\0");
        block[148..156].copy_from_slice(b"        ");
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block.extend(text.as_bytes());
        block.resize(512 * 4, 0);
        match place(&block) {
            Ok(Place::Brought(root, _kept, None)) => {
                assert_eq!(std::fs::read_to_string(root.join("Dockerfile")).unwrap(), text);
            }
            Ok(_) => panic!("no archive"),
            Err(e) => panic!("{e}"),
        }
    }
}
