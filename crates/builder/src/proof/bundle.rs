//! Files of another machine that are meant to be there: one of several variants side by side.

use mlint_oci::{Platform, arch::find_words};

use crate::layer::{View, entry::ImagePath};

/// Whether a path says that its file is for another machine and the file for `platform` lies
/// beside it: `prebuilds/linux-x64/…` next to `prebuilds/linux-arm64/…`, `tool-amd64` next to
/// `tool-arm64`. Programs pick theirs at run time.
pub fn is_variant(path: &ImagePath, platform: &Platform, view: &View) -> bool {
    let Ok(text) = std::str::from_utf8(&path.0) else { return false };
    find_words(text).into_iter().filter(|word| !word.means(platform)).any(|word| {
        let component_end =
            text[word.range.end..].find('/').map_or(text.len(), |slash| word.range.end + slash);
        let component_start = text[..word.range.start].rfind('/').map_or(0, |slash| slash + 1);
        // Every image has a library directory of its own machine: there the very file must have
        // its counterpart.
        let whole_path = is_multiarch(&text[component_start..component_end]);
        let tail =
            if whole_path { &text[word.range.end..] } else { &text[word.range.end..component_end] };
        word.counterparts(platform).into_iter().any(|(_, other)| {
            let beside = format!("{}{other}{tail}", &text[..word.range.start]);
            beside != text && view.get(&ImagePath::from(beside.as_str())).is_some()
        })
    })
}

/// Debian's library directories: `x86_64-linux-gnu`.
fn is_multiarch(component: &str) -> bool {
    component.matches('-').count() == 2
        && (component.contains("-linux-gnu") || component.contains("-linux-musl"))
}
