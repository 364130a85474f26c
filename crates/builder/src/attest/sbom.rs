//! What is in an image, as SPDX 2.3 tells it, by the package databases in it.

use serde_json::{Value, json};

use super::{
    escaped,
    packages::{Distribution, Package, apk, dpkg},
    rpm,
};
use crate::{
    exec::Exec,
    image::BuiltImage,
    layer::{EntryKind, View, entry::ImagePath, view::Lookup},
    problem::{BuildError, Problem},
};

/// Where rpm keeps its database. One may be a link to the other.
const RPM: &[&str] = &["var/lib/rpm", "usr/lib/sysimage/rpm"];

/// What the document calls the image.
const IMAGE: &str = "SPDXRef-Image";

/// More than any database of packages that an image has.
const MAX_DATABASE: u64 = 128 << 20;

/// The document for an image.
pub fn document(exec: &Exec<'_>, image: &BuiltImage) -> Result<Value, BuildError> {
    let view = exec.view(&image.snapshot)?;
    let read = |path: &str| exec.read_text(&image.snapshot, &view, path);
    let distribution = Distribution::of(&release(&read)?);
    let mut packages = dpkg(&read("var/lib/dpkg/status")?);
    for part in parts(&view) {
        packages.extend(dpkg(&read(&part)?));
    }
    for path in ["lib/apk/db/installed", "usr/lib/apk/db/installed"] {
        // The one may be a link to the other.
        let found = apk(&read(path)?);
        packages.extend(found.into_iter().filter(|p| !packages.contains(p)).collect::<Vec<_>>());
    }
    for dir in RPM {
        let found = rpm_packages(exec, image, &view, dir)?;
        packages.extend(found.into_iter().filter(|p| !packages.contains(p)).collect::<Vec<_>>());
    }
    packages.sort_by(|a, b| (&a.kind, &a.name, &a.arch).cmp(&(&b.kind, &b.name, &b.arch)));
    let created = image.config.created.clone().unwrap_or_default();
    Ok(spdx(&packages, &distribution, image, &created))
}

/// The packages of rpm's database in a directory. What can't be read is refused: half a list is none.
fn rpm_packages(
    exec: &Exec<'_>,
    image: &BuiltImage,
    view: &View,
    dir: &str,
) -> Result<Vec<Package>, BuildError> {
    let refused = |path: &str, why: &str| -> BuildError {
        Problem::unsupported(format!("an SBOM by the rpm database /{path} ({why})")).into()
    };
    let there = |path: &str| match view.resolve(&ImagePath::from(path), true) {
        Lookup::Found(found) => view.get(&found).map(|node| node.entry.kind.clone()),
        _ => None,
    };
    type Reader = fn(&[u8]) -> Option<Vec<Package>>;
    let forms: [(&str, Reader); 2] = [("rpmdb.sqlite", rpm::sqlite), ("Packages.db", rpm::ndb)];
    for (name, read) in forms {
        let path = format!("{dir}/{name}");
        let Some(EntryKind::File(size)) = there(&path) else { continue };
        if let Some(EntryKind::File(1..)) = there(&format!("{path}-wal")) {
            return Err(refused(&path, "its last changes lie in a file beside it"));
        }
        if size > MAX_DATABASE {
            return Err(refused(&path, "it is too large"));
        }
        let bytes = exec.read_bytes(&image.snapshot, view, &path, MAX_DATABASE)?;
        return read(&bytes).ok_or_else(|| refused(&path, "it is broken"));
    }
    let oldest = format!("{dir}/Packages");
    match there(&oldest) {
        Some(_) => Err(refused(&oldest, "in Berkeley DB's form")),
        None => Ok(Vec::new()),
    }
}

fn release(read: &dyn Fn(&str) -> Result<String, BuildError>) -> Result<String, BuildError> {
    let own = read("etc/os-release")?;
    match own.is_empty() {
        true => read("usr/lib/os-release"),
        false => Ok(own),
    }
}

/// The databases of distroless images: one file per package.
fn parts(view: &View) -> Vec<String> {
    let dir = ImagePath::from("var/lib/dpkg/status.d");
    let files = view.children(&dir).filter(|(_, node)| !node.entry.is_dir());
    files
        .map(|(path, _)| String::from_utf8_lossy(&path.0).into_owned())
        .filter(|path| !path.ends_with(".md5sums"))
        .collect()
}

fn spdx(
    packages: &[Package],
    distribution: &Distribution,
    image: &BuiltImage,
    created: &str,
) -> Value {
    let digest = image.descriptor.digest.hex();
    let namespace = concat!(env!("CARGO_PKG_REPOSITORY"), "/spdx");
    // The image itself is what the document is about, whether or not a package is in it.
    let mut described = vec![json!({
        "SPDXID": IMAGE,
        "name": image.platform.to_string(),
        "versionInfo": image.descriptor.digest.to_string(),
        "supplier": "NOASSERTION",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": "CONTAINER",
        "checksums": [{ "algorithm": "SHA256", "checksumValue": digest }],
    })];
    let relation = |element: &str, kind: &str, other: &str| {
        json!({
            "spdxElementId": element,
            "relationshipType": kind,
            "relatedSpdxElement": other,
        })
    };
    let mut relations = vec![relation("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE)];
    for (number, package) in packages.iter().enumerate() {
        let id = format!("SPDXRef-Package-{number}");
        relations.push(relation(IMAGE, "CONTAINS", &id));
        described.push(json!({
            "SPDXID": id,
            "name": package.name,
            "versionInfo": package.version,
            "supplier": match &package.supplier {
                Some(supplier) => format!("Organization: {supplier}"),
                None => "NOASSERTION".to_owned(),
            },
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": false,
            "licenseConcluded": "NOASSERTION",
            // What a database calls a licence need not be a name that SPDX knows.
            "licenseDeclared": "NOASSERTION",
            "licenseComments": package.licence.clone().unwrap_or_default(),
            "copyrightText": "NOASSERTION",
            "externalRefs": [{
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": purl(package, distribution),
            }],
        }));
    }
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": image.platform.to_string(),
        "documentNamespace": format!("{namespace}/{digest}"),
        "creationInfo": {
            "created": created,
            "creators": [concat!("Tool: mlint-", env!("CARGO_PKG_VERSION"))],
        },
        "packages": described,
        "relationships": relations,
    })
}

fn purl(package: &Package, distribution: &Distribution) -> String {
    let Package { kind, name, version, arch, .. } = package;
    let Distribution { id, version: release } = distribution;
    // An rpm's epoch is a part of its own.
    let (epoch, version) = match version.split_once(':') {
        Some((epoch, rest)) if *kind == "rpm" => (epoch, rest),
        _ => ("", version.as_str()),
    };
    let vendor = if id.is_empty() { String::new() } else { format!("{}/", escaped(id)) };
    let mut purl = format!("pkg:{kind}/{vendor}{}@{}", escaped(name), escaped(version));
    let mut sign = '?';
    let distro = match (id.as_str(), release.as_str()) {
        ("", _) => String::new(),
        (id, "") => id.to_owned(),
        (id, release) => format!("{id}-{release}"),
    };
    for (key, value) in [("arch", arch.as_str()), ("distro", &distro), ("epoch", epoch)] {
        if !value.is_empty() {
            purl.push_str(&format!("{sign}{key}={}", escaped(value)));
            sign = '&';
        }
    }
    purl
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_have_urls() {
        let mut package = Package {
            kind: "deb",
            name: "libstdc++6".into(),
            version: "12.2.0-14".into(),
            arch: "arm64".into(),
            licence: None,
            supplier: None,
        };
        let debian = Distribution { id: "debian".into(), version: "12".into() };
        assert_eq!(
            purl(&package, &debian),
            "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=arm64&distro=debian-12"
        );
        package.arch.clear();
        let rpm = Package { kind: "rpm", version: "2:5.2-3.el9".into(), ..package.clone() };
        assert_eq!(
            purl(&rpm, &Distribution::default()),
            "pkg:rpm/libstdc%2B%2B6@5.2-3.el9?epoch=2"
        );
        assert_eq!(purl(&package, &Distribution::default()), "pkg:deb/libstdc%2B%2B6@12.2.0-14");
    }
}
