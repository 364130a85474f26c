//! What steps fetch: files by their address, git repositories. Each once per build, and with a key
//! that its content decides.

use std::{path::PathBuf, sync::Arc};

use mlint_oci::Digest;
use mlint_registry::WebAsk;
use serde::{Deserialize, Serialize};

use super::{Exec, LoadedContext};
use crate::{
    context::{Context, FileDigests, Ignore},
    error::FsError,
    layer::{EntryKind, IndexEntry, LayerIndex, View, entry::ImagePath},
    plan::{GitItem, UrlItem},
    problem::{BuildError, Problem},
    remote::{
        Commit, Git, GitAddress, GitLogin, Page, RemoteError, fetch, redacted, without_credentials,
    },
};

/// What is remembered of an address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Known {
    digest: Digest,
    size: u64,
    mark: Option<String>,
    modified: i64,
}

/// A file that was fetched.
#[derive(Clone, Debug)]
pub(super) struct FetchedFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its content.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// Its time.
    pub modified: i64,
}

impl FetchedFile {
    /// The file alone, as BuildKit sees it: for its owner only.
    pub fn view(&self, name: &str) -> View {
        let entry = IndexEntry {
            path: ImagePath(name.as_bytes().to_vec()),
            kind: EntryKind::File(self.size),
            mode: 0o600,
            uid: 0,
            gid: 0,
            mtime: self.modified,
            elf: None,
        };
        View::of([&LayerIndex { entries: vec![entry] }])
    }
}

impl Exec<'_> {
    /// What identifies the file at an address. With a checksum nobody has to be asked.
    pub(super) fn url_key(&self, item: &UrlItem) -> Result<String, BuildError> {
        let UrlItem { name, unpack, .. } = item;
        if let Some(checksum) = &item.checksum {
            return Ok(format!("url {name} {unpack} {checksum}"));
        }
        let known = self.url(item)?;
        Ok(format!("url {name} {unpack} {} {}", known.digest, known.modified))
    }

    /// The file at an address.
    pub(super) fn url_file(&self, item: &UrlItem) -> Result<FetchedFile, BuildError> {
        let mut known = self.url(item)?;
        if !self.store.has_blob(&known.digest) {
            // Known to be unchanged, but cleared away here.
            known = self.download(item, None)?;
        }
        let Known { digest, size, modified, .. } = known;
        Ok(FetchedFile { path: self.store.blob_path(&digest), digest, size, modified })
    }

    fn url(&self, item: &UrlItem) -> Result<Known, BuildError> {
        let memo = format!("{} {:?}", item.url, item.checksum);
        self.urls.get(&memo, || {
            let known: Option<Known> = self.record("url", &record_key(item));
            if let (Some(known), Some(checksum)) = (&known, &item.checksum)
                && known.digest == *checksum
                && self.store.has_blob(checksum)
            {
                return Ok(known.clone());
            }
            let known = self.download(item, known)?;
            self.note("url", &record_key(item), &known);
            Ok(known)
        })
    }

    /// Asks the server, and takes in what it sends.
    fn download(&self, item: &UrlItem, known: Option<Known>) -> Result<Known, BuildError> {
        let mark = known.as_ref().and_then(|known| known.mark.clone());
        let path = self.store.temporary("download");
        let authorization = self.http_login(&item.url);
        let ask = WebAsk { mark: mark.as_deref(), authorization: authorization.as_deref() };
        let request = fetch(self.client, &item.url, ask, &path, None);
        let file = match (self.wait(request)??, known) {
            (Page::File(file), _) => file,
            (Page::Unchanged, Some(known)) => return Ok(known),
            (Page::Unchanged, None) => return self.download(item, None),
        };
        if let Some(expected) = item.checksum.as_ref().filter(|c| **c != file.digest) {
            let _ = std::fs::remove_file(&path);
            let (url, expected) = (redacted(&item.url), expected.clone());
            return Err(RemoteError::OtherContent { url, found: file.digest, expected }.into());
        }
        self.store.adopt_blob(&path, &file.digest)?;
        let known = Known {
            digest: file.digest,
            size: file.size,
            mark: file.mark,
            modified: file.modified.unwrap_or(0),
        };
        self.store.put_record("url", &record_key(item), &known)?;
        Ok(known)
    }

    /// What identifies the files of a repository.
    pub(super) fn git_key(&self, item: &GitItem) -> Result<String, BuildError> {
        let commit = self.git_commit(item)?;
        let GitAddress { subdir, submodules, commit_times, .. } = &item.git;
        // What is kept of git tells where it is from, and by which name.
        let kept = item.keep_git_dir.then(|| {
            let remote = without_credentials(&item.git.remote).0;
            format!("{remote} {:?}", commit.reference)
        });
        Ok(format!("git {} {subdir:?} {submodules} {commit_times} {kept:?}", commit.id))
    }

    /// The digest of the file at an address.
    pub fn url_digest(&self, item: &UrlItem) -> Result<Digest, BuildError> {
        Ok(self.url(item)?.digest)
    }

    /// The commit that an address means.
    pub fn git_commit(&self, item: &GitItem) -> Result<Commit, BuildError> {
        let memo = format!("{} {:?} {:?}", item.git.remote, item.git.reference, item.checksum);
        self.commits.get(&memo, || {
            let home = self.store.temporary_dir("git-home")?;
            let commit =
                self.git(&item.git, &home, |git| git.resolve(&item.git, item.checksum.as_deref()));
            crate::store::remove_tree(&home);
            commit
        })
    }

    /// The files of a repository.
    pub(super) fn git_tree(&self, item: &GitItem) -> Result<Arc<LoadedContext>, BuildError> {
        let memo = format!("{} {}", item.git.remote, self.git_key(item)?);
        self.contexts.get(&memo, || {
            let commit = self.git_commit(item)?;
            let home = self.store.temporary_dir("git-home")?;
            let dir = self.store.temporary_dir("git")?;
            let root = self.git(&item.git, &home, |git| {
                git.checkout(&item.git, &commit, item.keep_git_dir, &dir)
            });
            crate::store::remove_tree(&home);
            let root = root?;
            let context = Context::read(&root, &Ignore::default())?;
            let digests = FileDigests::load(self.store, &root);
            Ok(Arc::new(LoadedContext { context, digests }))
        })
    }

    /// A named context from elsewhere: a repository, or a file that is called `context` then.
    pub(super) fn remote_context(&self, address: &str) -> Result<Arc<LoadedContext>, BuildError> {
        if let Some(git) = GitAddress::parse_context(address)? {
            let (keep_git_dir, checksum) =
                (git.keep_git_dir.unwrap_or(false), git.checksum.clone());
            return self.git_tree(&GitItem { git, keep_git_dir, checksum });
        }
        self.contexts.get(&format!("file {address}"), || {
            let item = UrlItem {
                url: address.to_owned(),
                name: "context".to_owned(),
                checksum: None,
                unpack: false,
            };
            let file = self.url_file(&item)?;
            let dir = self.store.temporary_dir("context")?;
            let path = dir.join("context");
            let place = || -> std::io::Result<()> {
                std::fs::copy(&file.path, &path)?;
                let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                std::fs::set_permissions(&path, own)?;
                let time = u64::try_from(file.modified).unwrap_or_default();
                let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(time);
                std::fs::File::open(&path)?.set_modified(time)
            };
            place().map_err(FsError::new("write", &path))?;
            let context = Context::read(&dir, &Ignore::default())?;
            let digests = FileDigests::load(self.store, &dir);
            Ok(Arc::new(LoadedContext { context, digests }))
        })
    }

    fn git<T>(
        &self,
        address: &GitAddress,
        home: &std::path::Path,
        run: impl FnOnce(&Git<'_>) -> Result<T, RemoteError>,
    ) -> Result<T, BuildError> {
        let interrupted = || self.interrupted();
        let login = self.git_login(address);
        let git = Git { home, login, interrupted: &interrupted };
        run(&git).map_err(|e| Problem::Remote(e).into())
    }

    /// Who we are for a server: the secrets that BuildKit looks for, by the server's name. One with
    /// a port is for that port alone.
    fn http_login(&self, url: &str) -> Option<String> {
        let (plain, _) = without_credentials(url);
        let host = plain.split_once("://").and_then(|(_, rest)| rest.split('/').next())?.to_owned();
        let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
        let secret = |kind: &str| {
            let found = [host.as_str(), name]
                .into_iter()
                .find_map(|host| self.request.secret(&format!("HTTP_AUTH_{kind}_{host}")))?;
            Some(String::from_utf8_lossy(found).trim().to_owned())
        };
        secret("HEADER").or_else(|| secret("TOKEN").map(|token| format!("Bearer {token}")))
    }

    /// Who we are for a repository: the secrets that BuildKit looks for, and the agent.
    fn git_login(&self, address: &GitAddress) -> GitLogin {
        let (remote, _) = without_credentials(&address.remote);
        let host = remote.split_once("://").and_then(|(_, rest)| rest.split('/').next());
        let secret = |name: &str| {
            let own = host.map(|host| format!("{name}.{host}"));
            let text = |id: &str| {
                let value = self.request.secret(id)?;
                Some(String::from_utf8_lossy(value).trim().to_owned())
            };
            own.as_deref().and_then(text).or_else(|| text(name))
        };
        let header = secret("GIT_AUTH_HEADER")
            .or_else(|| secret("GIT_AUTH_TOKEN").map(|t| GitLogin::token(&t)));
        GitLogin { header, agent: self.request.agent("default").cloned() }
    }
}

/// Where what is known of an address is kept. Who may read it is none of its business.
fn record_key(item: &UrlItem) -> Digest {
    let (plain, _) = without_credentials(&item.url);
    Digest::sha256(format!("{plain} {:?}", item.checksum))
}
