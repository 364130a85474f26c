//! What each message does.

use std::path::Path;

use lsp_server::{ErrorCode, Message, Notification, Request, Response};
use lsp_types::{
    CodeActionParams, DidChangeTextDocumentParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, DidSaveTextDocumentParams,
    notification::{
        DidChangeConfiguration, DidChangeTextDocument, DidChangeWatchedFiles, DidCloseTextDocument,
        DidOpenTextDocument, DidSaveTextDocument, Exit, Notification as _,
    },
    request::{CodeActionRequest, Request as _, Shutdown},
};
use mlint_lint::CheckOptions;
use serde::de::DeserializeOwned;

use crate::{
    actions::actions,
    document::Document,
    server::{Next, Server},
    uri::path_of,
};

impl Server {
    pub(crate) fn handle(&mut self, message: Message, shutting_down: &mut bool) -> Next {
        match message {
            Message::Request(request) => {
                let response = self.request(request, shutting_down);
                self.send(response.into());
                Next::GoOn
            }
            Message::Notification(n) if n.method == Exit::METHOD => {
                Next::Exit { after_shutdown: *shutting_down }
            }
            Message::Notification(n) => {
                self.notification(n);
                Next::GoOn
            }
            // The server asks the client nothing.
            Message::Response(_) => Next::GoOn,
        }
    }

    fn request(&mut self, request: Request, shutting_down: &mut bool) -> Response {
        let Request { id, method, params } = request;
        if *shutting_down {
            let code = ErrorCode::InvalidRequest as i32;
            return Response::new_err(id, code, "the server is shutting down".to_owned());
        }
        match method.as_str() {
            Shutdown::METHOD => {
                *shutting_down = true;
                Response::new_ok(id, ())
            }
            CodeActionRequest::METHOD => match read::<CodeActionParams>(params) {
                Ok(params) => {
                    let encoding = self.encoding;
                    let key = params.text_document.uri.as_str();
                    let found = self.documents.get_mut(key).map(|d| actions(d, &params, encoding));
                    Response::new_ok(id, found.unwrap_or_default())
                }
                Err(message) => Response::new_err(id, ErrorCode::InvalidParams as i32, message),
            },
            other => {
                let message = format!("mlint does not answer '{other}'");
                Response::new_err(id, ErrorCode::MethodNotFound as i32, message)
            }
        }
    }

    fn notification(&mut self, notification: Notification) {
        let Notification { method, params } = notification;
        let outcome = match method.as_str() {
            DidOpenTextDocument::METHOD => read(params).map(|p| self.open(p)),
            DidChangeTextDocument::METHOD => read(params).map(|p| self.change(p)),
            DidSaveTextDocument::METHOD => read(params).map(|p| self.saved(&p)),
            DidCloseTextDocument::METHOD => read(params).map(|p| self.close(p)),
            DidChangeConfiguration::METHOD | DidChangeWatchedFiles::METHOD => {
                self.reload_options();
                Ok(())
            }
            // The protocol lets a server ignore notifications that it doesn't know.
            _ => Ok(()),
        };
        if let Err(message) = outcome {
            self.show(format!("mlint could not read a '{method}' message: {message}"));
        }
    }

    fn open(&mut self, params: DidOpenTextDocumentParams) {
        let item = params.text_document;
        let path = path_of(&item.uri);
        if !is_dockerfile(&item.language_id, path.as_deref()) {
            return;
        }
        let options = self.options(path.as_deref());
        let key = item.uri.as_str().to_owned();
        let document = Document::new(item.uri, path, item.version, item.text, options);
        self.documents.insert(key, document);
    }

    fn change(&mut self, params: DidChangeTextDocumentParams) {
        let id = params.text_document;
        let encoding = self.encoding;
        if let Some(document) = self.documents.get_mut(id.uri.as_str()) {
            document.change(id.version, params.content_changes, encoding);
        }
    }

    /// A saved `mlint.toml` changes the settings of what is open; so may one that a client does
    /// not watch, hence a look at each save.
    fn saved(&mut self, _: &DidSaveTextDocumentParams) {
        self.reload_options();
    }

    fn close(&mut self, params: DidCloseTextDocumentParams) {
        let uri = params.text_document.uri;
        if self.documents.remove(uri.as_str()).is_some() {
            self.publish(uri, Vec::new(), None);
        }
    }

    fn reload_options(&mut self) {
        let keys: Vec<String> = self.documents.keys().cloned().collect();
        for key in keys {
            let path = self.documents.get(&key).and_then(|d| d.path.clone());
            let options = self.options(path.as_deref());
            if let Some(document) = self.documents.get_mut(&key) {
                document.set_options(options);
            }
        }
    }

    fn options(&mut self, path: Option<&Path>) -> CheckOptions {
        match self.host.options(path) {
            Ok(options) => {
                self.complaint = None;
                options
            }
            Err(message) => {
                if self.complaint.as_ref() != Some(&message) {
                    self.show(message.clone());
                    self.complaint = Some(message);
                }
                CheckOptions::default()
            }
        }
    }
}

fn read<P: DeserializeOwned>(params: serde_json::Value) -> Result<P, String> {
    serde_json::from_value(params).map_err(|e| e.to_string())
}

/// Whether a document is one of ours: by the client's language, else by the file's name.
fn is_dockerfile(language: &str, path: Option<&Path>) -> bool {
    if matches!(language, "dockerfile" | "containerfile" | "docker") {
        return true;
    }
    let Some(name) = path.and_then(|p| p.file_name()?.to_str()) else { return false };
    let name = name.to_ascii_lowercase();
    ["dockerfile", "containerfile"].iter().any(|stem| {
        name == *stem
            || name.strip_prefix(stem).is_some_and(|rest| rest.starts_with('.'))
            || name.strip_suffix(stem).is_some_and(|rest| rest.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_documents() {
        let ours = |language: &str, path: &str| is_dockerfile(language, Some(Path::new(path)));
        assert!(ours("dockerfile", "/x/y"));
        assert!(ours("plaintext", "/x/Dockerfile"));
        assert!(ours("", "/x/Dockerfile.dev"));
        assert!(ours("", "/x/api.Dockerfile"));
        assert!(ours("", "/x/Containerfile"));
        assert!(!ours("toml", "/x/mlint.toml"));
        assert!(!ours("", "/x/Dockerfiles"));
        assert!(!is_dockerfile("plaintext", None));
    }
}
