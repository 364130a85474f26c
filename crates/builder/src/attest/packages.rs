//! What package databases say is installed.

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The kind of package, as package URLs name it.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture.
    pub arch: String,
    /// Its licence, if the database says so.
    pub licence: Option<String>,
    /// Who made it.
    pub supplier: Option<String>,
}

/// The distribution, by its `os-release`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// `debian`.
    pub id: String,
    /// `12`.
    pub version: String,
}

impl Distribution {
    /// Reads `/etc/os-release`.
    pub fn of(text: &str) -> Self {
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned()
        };
        Self { id: value("ID"), version: value("VERSION_ID") }
    }
}

/// The packages of dpkg's status file, or of one of its parts.
pub fn dpkg(text: &str) -> Vec<Package> {
    let read = |paragraph: &str| {
        let field = |name: &str| {
            let line = paragraph.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": "));
            line.map(|value| value.trim().to_owned())
        };
        // The parts that distroless images have tell no status: they are there.
        let installed = field("Status").is_none_or(|s| s.ends_with(" installed"));
        installed.then_some(())?;
        Some(Package {
            kind: "deb",
            name: field("Package")?,
            version: field("Version")?,
            arch: field("Architecture").unwrap_or_default(),
            licence: None,
            supplier: field("Maintainer"),
        })
    };
    text.split("\n\n").filter_map(read).collect()
}

/// The packages of apk's database.
pub fn apk(text: &str) -> Vec<Package> {
    let read = |paragraph: &str| {
        let field = |key: &str| {
            let line = paragraph.lines().find_map(|line| line.strip_prefix(key));
            line.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        Some(Package {
            kind: "apk",
            name: field("P:")?,
            version: field("V:")?,
            arch: field("A:").unwrap_or_default(),
            licence: field("L:"),
            supplier: field("m:"),
        })
    };
    text.split("\n\n").filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_read() {
        let status = "Package: libc6\nStatus: install ok installed\nMaintainer: GNU <g@x>\n\
                      Architecture: arm64\nVersion: 2.36-9\nDescription: x\n Package: no\n\n\
                      Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
                      Package: part\nVersion: 2\n";
        let names: Vec<_> = dpkg(status).into_iter().map(|p| (p.name, p.version, p.arch)).collect();
        let want = [("libc6", "2.36-9", "arm64"), ("part", "2", "")];
        assert_eq!(names, want.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
        let installed =
            "C:Q1x\nP:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\nm:N <n@x>\nF:lib\nR:ld\n\nP:bad\n\n";
        let all = apk(installed);
        assert_eq!(all.len(), 1);
        assert_eq!((&all[0].name[..], all[0].licence.as_deref()), ("musl", Some("MIT")));
        assert!(dpkg("").is_empty() && apk("\n\n").is_empty());
        let release = "PRETTY_NAME=\"x\"\nID=debian\nVERSION_ID=\"12\"\n";
        assert_eq!(
            Distribution::of(release),
            Distribution { id: "debian".into(), version: "12".into() }
        );
    }
}
