//! File paths from URIs.

use std::path::PathBuf;

use lsp_types::Uri;

/// The path that a `file:` URI names; `None` for other schemes (`untitled:`) and for bytes that
/// are no UTF-8 when decoded.
pub(crate) fn path_of(uri: &Uri) -> Option<PathBuf> {
    if !uri.scheme()?.as_str().eq_ignore_ascii_case("file") {
        return None;
    }
    let decoded = percent_decode(uri.path().as_str())?;
    // `file:///c:/x` names `c:/x`.
    let bytes = decoded.as_bytes();
    let drive =
        bytes.len() > 2 && bytes[0] == b'/' && bytes[1].is_ascii_alphabetic() && bytes[2] == b':';
    Some(PathBuf::from(if drive { &decoded[1..] } else { &decoded }))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let digit = |b: Option<u8>| char::from(b?).to_digit(16);
            let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
            out.push((high * 16 + low) as u8);
        } else {
            out.push(b);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[test]
    fn paths() {
        let path = |uri: &str| {
            path_of(&Uri::from_str(uri).unwrap()).map(|p| p.to_string_lossy().into_owned())
        };
        assert_eq!(path("file:///a/Dockerfile").as_deref(), Some("/a/Dockerfile"));
        assert_eq!(path("file:///a%20b/%C3%A9").as_deref(), Some("/a b/é"));
        assert_eq!(path("file:///c:/x/Dockerfile").as_deref(), Some("c:/x/Dockerfile"));
        assert_eq!(path("untitled:Untitled-1"), None);
        assert_eq!(path("file:///a%FF"), None);
    }
}
