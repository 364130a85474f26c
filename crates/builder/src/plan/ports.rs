//! EXPOSE's port specifications.

/// The config's keys for one word of EXPOSE: `80`, `80/udp`, `8000-8010`, `127.0.0.1:80:8080`.
/// Of a mapping the container's side counts.
pub fn expand(spec: &str) -> Option<Vec<String>> {
    let (ports, protocol) = match spec.split_once('/') {
        Some((ports, protocol)) => (ports, protocol.to_lowercase()),
        None => (spec, "tcp".to_owned()),
    };
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return None;
    }
    let container = ports.rsplit(':').next().unwrap_or(ports);
    let (first, last) = container.split_once('-').unwrap_or((container, container));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then(|| (first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_docker_reads() {
        for (given, want) in [
            ("80", "80/tcp"),
            ("53/UDP", "53/udp"),
            ("8080:80", "80/tcp"),
            ("127.0.0.1:8080:80/tcp", "80/tcp"),
            ("3-5", "3/tcp 4/tcp 5/tcp"),
        ] {
            assert_eq!(expand(given).map(|p| p.join(" ")).as_deref(), Some(want), "{given}");
        }
        for bad in ["", "x", "80/icmp", "5-3", "70000"] {
            assert_eq!(expand(bad), None, "{bad}");
        }
    }
}
