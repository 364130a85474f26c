//! Lines broken so that they fit.

use crate::report::text::style::width;

/// Breaks at blanks; a word that is longer than a line is broken after `/`, `-`, `_` and the like,
/// or where it must be.
pub fn fold(text: &str, first: usize, rest: usize) -> Vec<String> {
    let (first, rest) = (first.max(8), rest.max(8));
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        let mut word = word;
        loop {
            let room = if lines.len() == 1 { first } else { rest };
            let gap = usize::from(used > 0);
            let Some(line) = lines.last_mut() else { return lines };
            if used + gap + width(word) <= room {
                line.push_str(&" ".repeat(gap));
                line.push_str(word);
                used += gap + width(word);
                break;
            }
            // A long word begins on this line if a good part of it has room.
            if used == 0 || (width(word) > rest && used + gap + 16 <= room) {
                let cut = cut(word, room - used - gap);
                line.push_str(&" ".repeat(gap));
                line.push_str(&word[..cut]);
                word = &word[cut..];
            }
            lines.push(String::new());
            used = 0;
        }
    }
    lines
}

/// Where to break a word of which `room` columns have space: behind the last separator, if that is
/// not too far in front.
fn cut(word: &str, room: usize) -> usize {
    let mut used = 0;
    let mut end = 0;
    let mut good = None;
    for (at, c) in word.char_indices() {
        used += width(c.encode_utf8(&mut [0; 4]));
        if used > room {
            break;
        }
        end = at + c.len_utf8();
        if matches!(c, '/' | '-' | '_' | '?' | '&' | '=' | ',' | ':') {
            good = Some((end, used));
        }
    }
    match good {
        Some((at, columns)) if columns * 2 > room => at,
        _ if end > 0 => end,
        _ => word.chars().next().map_or(word.len(), char::len_utf8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_break_behind_separators() {
        assert_eq!(fold("one two three", 9, 9), ["one two", "three"]);
        assert_eq!(
            fold("get https://host.example/path/to/file", 24, 24),
            ["get https://host.example", "/path/to/file"]
        );
        assert_eq!(fold(&"x".repeat(20), 9, 9), ["xxxxxxxxx", "xxxxxxxxx", "xx"]);
        assert!(fold(&"語".repeat(50), 9, 9).iter().all(|l| width(l) <= 9));
    }
}
