//! Sizes, as people write them.

/// `1024`, `64k`, `64m`, `1.5g`, `64MiB`, in bytes: what Docker's `units.RAMInBytes` reads.
pub fn parse_size(text: &str) -> Option<u64> {
    let lower = text.to_lowercase();
    let digits = lower.trim_end_matches(|c: char| !c.is_ascii_digit() && c != '.');
    let unit = &lower[digits.len()..];
    let factor: u128 = match unit.strip_prefix(' ').unwrap_or(unit) {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        "p" | "pb" | "pib" => 1 << 50,
        _ => return None,
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + part.len() == 0 {
        return None;
    }
    let number = |text: &str| match text {
        "" => Some(0),
        text if text.bytes().all(|b| b.is_ascii_digit()) => text.parse::<u64>().ok(),
        _ => None,
    };
    // More digits say nothing that a byte would show.
    let known = part.get(..part.len().min(18))?;
    number(&part[known.len()..].chars().take(1).collect::<String>())?;
    let scale = 10_u128.pow(u32::try_from(known.len()).ok()?);
    let below = u128::from(number(known)?) * factor / scale;
    let bytes = u128::from(number(whole)?) * factor + below;
    u64::try_from(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, want) in [
            ("65536", Some(65536)),
            ("64k", Some(64 << 10)),
            ("64 MiB", Some(64 << 20)),
            ("1.5m", Some(3 << 19)),
            (".5g", Some(1 << 29)),
            ("1.", Some(1)),
            ("0", Some(0)),
            ("1.0000000000000000000000001k", Some(1024)),
            ("-1", None),
            (".", None),
            ("1.5.2m", None),
            ("m", None),
            ("1e3", None),
            ("99999999999999t", None),
        ] {
            assert_eq!(parse_size(text), want, "{text}");
        }
    }
}
