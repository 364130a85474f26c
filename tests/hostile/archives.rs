//! Archives that mean harm, as layers, as contexts, and as what ADD unpacks.

use std::{
    fs::{self, File},
    path::Path,
};

use mlint_builder::{
    context::unpack_context,
    copy::{
        Placement,
        archive::{Written, write_archive},
    },
    layer::{
        Compression, EntryKind, LayerWriter, View,
        read::Limits,
        unpack::{scan, unpack},
    },
    sandbox::safe_fs::Root,
};

use crate::{
    support::{Outside, SECRET, listing},
    tar::archive,
};

const CASES: &str = include_str!("archives.txt");

struct Case<'a> {
    name: &'a str,
    lines: Vec<&'a str>,
    expected: &'a str,
}

fn cases() -> Vec<Case<'static>> {
    let texts = CASES.split("\n== ").skip(1);
    let case = |text: &'static str| {
        let mut lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let expected = lines.pop().expect("an expectation");
        Case { name: lines.remove(0), lines, expected }
    };
    texts.map(case).collect()
}

#[test]
fn layers_stay_in_their_directory() {
    for case in cases() {
        let outside = Outside::new();
        let bytes = archive(&case.lines, &outside.text());
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("x/root");
        fs::create_dir_all(&root).unwrap();
        let unpacked = unpack(&bytes[..], &root, Limits::default(), &|| false);
        let scanned = scan(&bytes[..], Limits::default());
        match (case.expected.split_at(2), &unpacked) {
            (("! ", words), Err(error)) => {
                let said = error.to_string();
                assert!(said.contains(words), "{}: {said}", case.name);
            }
            (("=>", "..." | " ..."), Ok(_)) => {}
            (("=>", wanted), Ok(_)) => {
                let wanted = wanted.trim().replace("OUT", &outside.text());
                assert_eq!(listing(&root).join("; "), wanted, "{}", case.name);
            }
            (_, result) => panic!("{}: {:?}", case.name, result.as_ref().map(|_| listing(&root))),
        }
        if let Ok(index) = unpacked {
            assert_eq!(scanned.unwrap(), index, "{}: scanned and unpacked differ", case.name);
            agrees(case.name, &View::of([&index]), &root);
        }
        outside.is_untouched(case.name);
        assert_eq!(listing(dir.path()).iter().filter(|name| !name.starts_with("x/")).count(), 0);
    }
}

/// What the index tells is what is there, and every file of it can be read without a link.
fn agrees(name: &str, view: &View, root: &Path) {
    let opened = Root::open(root).unwrap();
    let mut told = Vec::new();
    for (path, node) in view.iter() {
        let text = String::from_utf8_lossy(&path.0).into_owned();
        told.push(match &node.entry.kind {
            EntryKind::Directory => format!("{text}/"),
            EntryKind::Symlink(to) => format!("{text} -> {}", String::from_utf8_lossy(&to.0)),
            EntryKind::Fifo => format!("{text}|"),
            EntryKind::File(_) | EntryKind::Hardlink(_) => {
                let file = opened.open_file_itself(path.as_path());
                assert!(file.is_ok(), "{name}: {text}: {file:?}");
                text
            }
            _ => continue,
        });
    }
    told.sort();
    // Marks for the layers below are no files.
    let there = listing(root).into_iter().filter(|line| !line.ends_with('~') && line != "/!");
    let mut there: Vec<String> = there.map(|line| line.replace("/!", "/")).collect();
    there.sort();
    assert_eq!(told, there, "{name}: the index and the directory differ");
}

#[test]
fn contexts_and_added_archives_stay_there_too() {
    for case in cases() {
        let outside = Outside::new();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.tar");
        fs::write(&file, archive(&case.lines, &outside.text())).unwrap();
        let root = dir.path().join("x/context");
        fs::create_dir_all(&root).unwrap();
        // Some are fine here, as what is a mark in a layer is a name in a context.
        let _ = unpack_context(&file, &root);
        outside.is_untouched(case.name);

        // Below links that lead out in the image, and beside them.
        let image = fs::read(&file).unwrap();
        let below = dir.path().join("image");
        fs::create_dir(&below).unwrap();
        let dest = unpack(&image[..], &below, Limits::default(), &|| false);
        let dest = dest.map_or_else(|_| View::default(), |index| View::of([&index]));
        let placement = Placement::new(dest, None, None, 0);
        let path = dir.path().join("layer");
        let mut layer = LayerWriter::create(&path, Compression::Gzip(1)).unwrap();
        let added = File::open(&file).unwrap();
        let mut written = Written::default();
        let base = "opt".into();
        if write_archive(added, &base, &placement, &mut layer, &mut written, &|| false).is_ok() {
            let layer = layer.finish().unwrap();
            let files = layer.index.entries.iter().map(|entry| entry.path.display());
            assert!(files.clone().all(|path| !path.contains("/../")), "{}", case.name);
            let bytes = fs::read(&layer.path).unwrap();
            let bytes = String::from_utf8_lossy(&bytes).into_owned();
            assert!(!bytes.contains(SECRET), "{}", case.name);
        }
        outside.is_untouched(case.name);
    }
}
