//! Small files that notice when they were damaged: a checksum stands in their last line. Whatever
//! does not fit it is as good as missing, and made anew.

use flate2::Crc;
use serde::{Serialize, de::DeserializeOwned};

/// The line end, and the checksum in hexadecimal.
const SEAL: usize = 9;

/// A value as JSON, sealed.
pub(super) fn seal(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value)?;
    let sum = checksum(&bytes);
    bytes.extend(format!("\n{sum:08x}").as_bytes());
    Ok(bytes)
}

/// The value of a sealed file; `None` if it is damaged, or not sealed at all.
pub(super) fn unseal<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (json, seal) = bytes.split_at_checked(bytes.len().checked_sub(SEAL)?)?;
    let stated = std::str::from_utf8(seal.strip_prefix(b"\n")?).ok()?;
    if u32::from_str_radix(stated, 16).ok()? != checksum(json) {
        return None;
    }
    serde_json::from_slice(json).ok()
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_is_noticed() {
        let value = vec!["a".to_owned(), "b".to_owned()];
        let whole = seal(&value).unwrap();
        assert_eq!(unseal::<Vec<String>>(&whole), Some(value));
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert_eq!(unseal::<Vec<String>>(&damaged), None, "byte {at}");
            assert_eq!(unseal::<Vec<String>>(&whole[..at]), None, "cut at {at}");
        }
    }
}
