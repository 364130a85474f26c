//! The registry protocol's routes.

use std::{
    io::{self, BufReader},
    net::TcpStream,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mlint_oci::{Algorithm, Digest, Document};

use super::{
    Access, Death, FaultKind, Shared, State,
    http::{self, Request, Response},
};

/// Serves one connection to its end.
pub(super) fn connection(shared: &Shared, stream: TcpStream) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let request = match http::read_head(&mut reader) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            // Somebody speaks TLS here; real servers answer so as well.
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                return http::write(&mut writer, &Response::new(400), false, None);
            }
            Err(e) => return Err(e),
        };
        shared.state().log.push(format!("{} {}", request.method, request.path));
        match dead(shared) {
            None => {}
            Some(Death::Silent) => return Ok(()),
            Some(Death::Hanging(time)) => {
                std::thread::sleep(time);
                return Ok(());
            }
            Some(Death::Status(status)) => {
                request.read_body(&mut reader, None)?;
                let response = Response::error(status, "UNKNOWN", "it is dying");
                http::write(&mut writer, &response, request.method == "HEAD", None)?;
                continue;
            }
        }
        let fault = take_fault(shared, &request);
        let uploads = matches!(request.method.as_str(), "PUT" | "PATCH");
        let cut = match fault {
            Some(FaultKind::DropAfter(n)) => Some(n),
            _ => None,
        };
        if let (true, Some(n)) = (uploads, cut) {
            let body = request.read_body(&mut reader, Some(n))?;
            keep_part(shared, &request, &body);
            return Ok(());
        }
        let body = request.read_body(&mut reader, None)?;
        let response = answer(shared, &request, body, fault);
        let head_only = request.method == "HEAD";
        http::write(&mut writer, &response, head_only, cut)?;
        if cut.is_some() {
            return Ok(());
        }
    }
}

/// How it is dead, if it is. Each request brings it nearer.
fn dead(shared: &Shared) -> Option<Death> {
    let mut state = shared.state();
    let (left, how) = state.death.as_mut()?;
    match left.checked_sub(1) {
        Some(fewer) => {
            *left = fewer;
            None
        }
        None => Some(*how),
    }
}

fn take_fault(shared: &Shared, request: &Request) -> Option<FaultKind> {
    let mut state = shared.state();
    let fault = state
        .faults
        .iter_mut()
        .find(|f| f.times > 0 && f.method == request.method && request.path.contains(&f.path))?;
    fault.times -= 1;
    Some(fault.kind)
}

fn answer(shared: &Shared, request: &Request, body: Vec<u8>, fault: Option<FaultKind>) -> Response {
    match fault {
        Some(FaultKind::Status(status)) => return Response::error(status, "FAULT", "as ordered"),
        Some(FaultKind::TooManyRequests(after)) => {
            let response = Response::error(429, "TOOMANYREQUESTS", "slow down");
            return match after {
                Some(seconds) => response.header("Retry-After", seconds.to_string()),
                None => response,
            };
        }
        Some(FaultKind::Slow(time)) => std::thread::sleep(time),
        _ => {}
    }
    let ignore_range = fault == Some(FaultKind::IgnoreRange);
    let mut response = route(shared, request, body, ignore_range);
    if fault == Some(FaultKind::WrongBytes) {
        for byte in &mut response.body {
            *byte ^= 1;
        }
    }
    response
}

fn route(shared: &Shared, request: &Request, body: Vec<u8>, ignore_range: bool) -> Response {
    if request.path == "/token" {
        return token(shared, request, &body);
    }
    let Some(path) = request.path.strip_prefix("/v2/") else { return Response::new(404) };
    if path.is_empty() {
        return Response::new(200);
    }
    for (mark, is_upload) in [("/blobs/uploads/", true), ("/blobs/", false), ("/manifests/", false)]
    {
        let Some((repository, rest)) = path.split_once(mark) else { continue };
        if let Err(refusal) = allowed(shared, request, repository) {
            return refusal;
        }
        let state = &mut *shared.state();
        if state.max_body.is_some_and(|max| body.len() > max) {
            return Response::error(413, "SIZE_INVALID", "too large");
        }
        return match (is_upload, mark) {
            (true, _) => upload(state, request, repository, rest, body),
            (_, "/blobs/") => blob(state, request, repository, rest, ignore_range),
            _ => manifest(state, request, repository, rest, body),
        };
    }
    Response::new(404)
}

fn blob(
    state: &mut State,
    request: &Request,
    repository: &str,
    digest: &str,
    ignore_range: bool,
) -> Response {
    let unknown = || Response::error(404, "BLOB_UNKNOWN", "blob unknown to registry");
    let Ok(digest) = Digest::parse(digest) else { return unknown() };
    let known = state.repositories.get(repository).is_some_and(|r| r.blobs.contains(&digest));
    let Some(content) = state.content.get(&digest).filter(|_| known) else { return unknown() };
    let from = request
        .headers
        .get("range")
        .and_then(|r| r.strip_prefix("bytes=")?.split('-').next()?.parse::<usize>().ok())
        .filter(|from| *from < content.len() && !ignore_range);
    let response = match from {
        None => Response::new(200).body(content.clone()),
        Some(from) => Response::new(206)
            .header(
                "Content-Range",
                format!("bytes {from}-{}/{}", content.len() - 1, content.len()),
            )
            .body(&content[from..]),
    };
    response.header("Docker-Content-Digest", digest.to_string())
}

fn manifest(
    state: &mut State,
    request: &Request,
    repository: &str,
    target: &str,
    body: Vec<u8>,
) -> Response {
    if request.method == "PUT" {
        return put_manifest(state, request, repository, target, body);
    }
    let unknown = || Response::error(404, "MANIFEST_UNKNOWN", "manifest unknown");
    let Some(repository) = state.repositories.get(repository) else { return unknown() };
    let digest = match Digest::parse(target) {
        Ok(digest) => digest,
        Err(_) => match repository.tags.get(target) {
            Some(digest) => digest.clone(),
            None => return unknown(),
        },
    };
    let (Some(kind), Some(content)) =
        (repository.manifests.get(&digest), state.content.get(&digest))
    else {
        return unknown();
    };
    let accepted = request.headers.get("accept").is_some_and(|a| a.contains(kind.as_str()));
    if !accepted {
        return unknown();
    }
    Response::new(200)
        .header("Content-Type", kind.clone())
        .header("Docker-Content-Digest", digest.to_string())
        .body(content.clone())
}

/// Takes a manifest only if all that it names is there, as real registries do.
fn put_manifest(
    state: &mut State,
    request: &Request,
    repository: &str,
    target: &str,
    body: Vec<u8>,
) -> Response {
    let kind = request.headers.get("content-type").cloned().unwrap_or_default();
    let Ok(document) = Document::parse(&body, Some(&kind)) else {
        return Response::error(400, "MANIFEST_INVALID", "manifest invalid");
    };
    let repository = state.repositories.entry(repository.to_owned()).or_default();
    let whole = match &document {
        Document::Manifest(m) => m.blobs().all(|b| repository.blobs.contains(&b.digest)),
        Document::Index(i) => {
            i.manifests.iter().all(|m| repository.manifests.contains_key(&m.digest))
        }
    };
    if !whole {
        return Response::error(400, "MANIFEST_BLOB_UNKNOWN", "a part is missing");
    }
    let digest = Digest::sha256(&body);
    match Digest::parse(target) {
        Ok(named) if named != digest => {
            return Response::error(400, "DIGEST_INVALID", "another digest");
        }
        Ok(_) => {}
        Err(_) => {
            repository.tags.insert(target.to_owned(), digest.clone());
        }
    }
    repository.manifests.insert(digest.clone(), kind);
    state.content.insert(digest.clone(), body);
    Response::new(201).header("Docker-Content-Digest", digest.to_string())
}

fn upload(
    state: &mut State,
    request: &Request,
    repository: &str,
    session: &str,
    body: Vec<u8>,
) -> Response {
    let location = |session: &str| format!("/v2/{repository}/blobs/uploads/{session}?_state=x");
    let range = |len: usize| format!("0-{}", len.saturating_sub(1));
    if request.method == "POST" {
        if let (Some(digest), Some(from)) = (request.query("mount"), request.query("from"))
            && let Ok(digest) = Digest::parse(digest)
            && !state.no_mounts
            && state.repositories.get(from).is_some_and(|r| r.blobs.contains(&digest))
        {
            state.repositories.entry(repository.to_owned()).or_default().blobs.insert(digest);
            return Response::new(201);
        }
        state.counter += 1;
        let session = format!("session-{}", state.counter);
        let response = Response::new(202).header("Location", location(&session));
        state.uploads.insert(session, Vec::new());
        return response;
    }
    let Some(kept) = state.uploads.get_mut(session) else {
        return Response::error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
    };
    match request.method.as_str() {
        "GET" => Response::new(204)
            .header("Location", location(session))
            .header("Range", range(kept.len())),
        "PATCH" => {
            let start = request.headers.get("content-range").and_then(|r| r.split('-').next());
            if start.is_some_and(|s| s.parse() != Ok(kept.len())) {
                return Response::new(416).header("Location", location(session));
            }
            kept.extend_from_slice(&body);
            Response::new(202)
                .header("Location", location(session))
                .header("Range", range(kept.len()))
        }
        "PUT" => {
            kept.extend_from_slice(&body);
            let content = std::mem::take(kept);
            state.uploads.remove(session);
            let digest = Digest::of(Algorithm::Sha256, &content);
            if request.query("digest") != Some(digest.as_str()) {
                return Response::error(400, "DIGEST_INVALID", "another digest");
            }
            state.content.insert(digest.clone(), content);
            let repository = state.repositories.entry(repository.to_owned()).or_default();
            repository.blobs.insert(digest);
            Response::new(201)
        }
        _ => Response::new(405),
    }
}

/// What arrived of an upload before its connection was cut stays in the session.
fn keep_part(shared: &Shared, request: &Request, body: &[u8]) {
    let mut state = shared.state();
    if let Some((_, session)) = request.path.split_once("/blobs/uploads/")
        && request.method == "PATCH"
        && let Some(kept) = state.uploads.get_mut(session)
    {
        kept.extend_from_slice(body);
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn allowed(shared: &Shared, request: &Request, repository: &str) -> Result<(), Response> {
    let shown = request.headers.get("authorization");
    let refuse = |challenge: String| {
        let response = Response::error(401, "UNAUTHORIZED", "authentication required");
        Err(response.header("WWW-Authenticate", challenge))
    };
    match &shared.access {
        Access::Open => Ok(()),
        Access::Basic { user, password } if shown == Some(&basic(user, password)) => Ok(()),
        Access::Basic { .. } => refuse("Basic realm=\"test\"".to_owned()),
        Access::Bearer { .. } => {
            let push = !matches!(request.method.as_str(), "GET" | "HEAD");
            let action = if push { "pull,push" } else { "pull" };
            let need = format!("repository:{repository}:{action}");
            let state = shared.state();
            let token = shown.and_then(|h| h.strip_prefix("Bearer "));
            match token.and_then(|t| state.tokens.get(t)) {
                Some(scopes) if scopes.iter().any(|s| s.starts_with(&need)) => Ok(()),
                // The token is good, but not for this: said in a challenge, as real ones do.
                token => refuse(format!(
                    "Bearer realm=\"http://{}/token\",service=\"test\",scope=\"{need}\"{}",
                    shared.address,
                    if token.is_some() { ",error=\"insufficient_scope\"" } else { "" }
                )),
            }
        }
    }
}

fn token(shared: &Shared, request: &Request, body: &[u8]) -> Response {
    let Access::Bearer { user, password, anonymous_pull, read_only, identity_token } =
        &shared.access
    else {
        return Response::new(404);
    };
    let form = http::parse_form(&String::from_utf8_lossy(body));
    let refresh = form.get("refresh_token").and_then(|v| v.first());
    let shown = request.headers.get("authorization");
    let known = match (shown, refresh) {
        (Some(shown), _) if *shown == basic(user, password) => true,
        (None, Some(refresh)) if Some(refresh) == identity_token.as_ref() => true,
        (None, None) => false,
        _ => return Response::error(401, "UNAUTHORIZED", "wrong user name or password"),
    };
    let asked = request.query.get("scope").or_else(|| form.get("scope"));
    let mut granted = Vec::new();
    for scope in asked.into_iter().flatten().flat_map(|s| s.split(' ')) {
        let mut parts = scope.split(':');
        let (Some("repository"), Some(name)) = (parts.next(), parts.next()) else { continue };
        if !known && !anonymous_pull {
            continue;
        }
        let writes = known && !read_only.iter().any(|r| r == name);
        let wants = parts.next().is_some_and(|actions| actions.contains("push"));
        let actions = if writes && wants { "pull,push" } else { "pull" };
        granted.push(format!("repository:{name}:{actions}"));
    }
    if granted.is_empty() {
        return Response::error(401, "UNAUTHORIZED", "authentication required");
    }
    let mut state = shared.state();
    state.counter += 1;
    let token = format!("token-{}", state.counter);
    state.tokens.insert(token.clone(), granted);
    Response::new(200).body(format!(r#"{{"token":"{token}","expires_in":300}}"#))
}
