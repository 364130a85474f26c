//! "Did you mean …?"

/// The known word that the given one was probably meant to be.
pub fn nearest<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let given = given.to_lowercase().replace('_', "-");
    known
        .into_iter()
        .map(|word| (similarity(&given, word), word))
        .filter(|(alike, _)| *alike >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

fn similarity(given: &str, word: &str) -> f64 {
    // A word that was cut short ("warn") is near, however much is missing.
    let cut = given.len() >= 3 && (word.starts_with(given) || word.ends_with(given));
    strsim::jaro_winkler(given, word).max(if cut { 0.9 } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["platforms", "tags", "fail-on", "hardcoded-arch-url"];
        assert_eq!(nearest("platform", known), Some("platforms"));
        assert_eq!(nearest("fail_on", known), Some("fail-on"));
        assert_eq!(nearest("arch-url", known), Some("hardcoded-arch-url"));
        assert_eq!(nearest("hardcoded-url", known), Some("hardcoded-arch-url"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
    }
}
