//! The loop: messages in, in order; diagnostics out, for the newest text only.

use std::{collections::HashMap, sync::Arc};

use crossbeam_channel::{Receiver, Sender, select};
use lsp_server::{Connection, Message, Notification, ProtocolError};
use lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionProviderCapability, InitializeParams,
    InitializeResult, MessageType, PublishDiagnosticsParams, SaveOptions, ServerCapabilities,
    ServerInfo, ShowMessageParams, TextDocumentSyncCapability, TextDocumentSyncKind,
    TextDocumentSyncOptions, TextDocumentSyncSaveOptions, Uri,
    notification::{Notification as _, PublishDiagnostics, ShowMessage},
};

use crate::{
    Host,
    actions::fix_all_kind,
    convert::Encoding,
    document::Document,
    facts::{Answer, FactsThread},
};

/// Why the server ended before the client said goodbye.
#[derive(Debug)]
pub enum ServerError {
    /// The client broke the protocol.
    Protocol(ProtocolError),
    /// Its parameters could not be read.
    Parameters(serde_json::Error),
    /// Standard input or output failed.
    Io(std::io::Error),
    /// The client went away, or said `exit` without `shutdown`.
    Gone,
}

impl std::fmt::Display for ServerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Protocol(e) => write!(f, "the client broke the protocol: {e}"),
            Self::Parameters(e) => write!(f, "the client's parameters can't be read: {e}"),
            Self::Io(e) => write!(f, "the connection to the client failed: {e}"),
            Self::Gone => f.write_str("the client went away without `shutdown`"),
        }
    }
}

impl std::error::Error for ServerError {}

impl From<ProtocolError> for ServerError {
    fn from(e: ProtocolError) -> Self {
        Self::Protocol(e)
    }
}

impl From<serde_json::Error> for ServerError {
    fn from(e: serde_json::Error) -> Self {
        Self::Parameters(e)
    }
}

impl From<std::io::Error> for ServerError {
    fn from(e: std::io::Error) -> Self {
        Self::Io(e)
    }
}

/// All that the loop owns.
pub(crate) struct Server {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) encoding: Encoding,
    pub(crate) with_related: bool,
    /// By the URI's text: the protocol's own type has no cheap hash.
    pub(crate) documents: HashMap<String, Document>,
    /// The last complaint about settings, so that it is shown once and not at each key.
    pub(crate) complaint: Option<String>,
    facts: FactsThread,
    out: Sender<Message>,
}

/// What to do after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    GoOn,
    Exit { after_shutdown: bool },
}

pub(crate) fn serve(connection: &Connection, host: Arc<dyn Host>) -> Result<(), ServerError> {
    let (id, params) = connection.initialize_start()?;
    let params: InitializeParams = serde_json::from_value(params)?;
    let capabilities = &params.capabilities;
    let offered = capabilities.general.as_ref().and_then(|g| g.position_encodings.as_deref());
    let encoding = Encoding::choose(offered);
    let with_related = capabilities
        .text_document
        .as_ref()
        .and_then(|t| t.publish_diagnostics.as_ref()?.related_information)
        .unwrap_or(false);
    connection.initialize_finish(id, serde_json::to_value(initialize_result(encoding))?)?;
    let mut server = Server {
        encoding,
        with_related,
        documents: HashMap::new(),
        complaint: None,
        facts: FactsThread::start(Arc::clone(&host)),
        host,
        out: connection.sender.clone(),
    };
    server.run(&connection.receiver)
}

fn initialize_result(encoding: Encoding) -> InitializeResult {
    InitializeResult {
        capabilities: ServerCapabilities {
            position_encoding: Some(encoding.kind()),
            text_document_sync: Some(TextDocumentSyncCapability::Options(
                TextDocumentSyncOptions {
                    open_close: Some(true),
                    change: Some(TextDocumentSyncKind::INCREMENTAL),
                    save: Some(TextDocumentSyncSaveOptions::SaveOptions(SaveOptions {
                        include_text: Some(false),
                    })),
                    ..TextDocumentSyncOptions::default()
                },
            )),
            code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
                code_action_kinds: Some(vec![CodeActionKind::QUICKFIX, fix_all_kind()]),
                ..CodeActionOptions::default()
            })),
            ..ServerCapabilities::default()
        },
        server_info: Some(ServerInfo {
            name: "mlint".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }),
    }
}

impl Server {
    fn run(&mut self, inbox: &Receiver<Message>) -> Result<(), ServerError> {
        let mut shutting_down = false;
        loop {
            let message = select! {
                recv(inbox) -> message => message.map_err(|_| ServerError::Gone)?,
                recv(self.answers()) -> answer => {
                    if let Ok(answer) = answer {
                        self.take(answer);
                        self.publish_stale();
                    }
                    continue;
                }
            };
            // What has come meanwhile is taken first, so that a fast typist's text is checked
            // once, in its newest state.
            let mut next = self.handle(message, &mut shutting_down);
            while next == Next::GoOn {
                let Ok(message) = inbox.try_recv() else { break };
                next = self.handle(message, &mut shutting_down);
            }
            match next {
                Next::GoOn => self.publish_stale(),
                Next::Exit { after_shutdown: true } => return Ok(()),
                Next::Exit { after_shutdown: false } => return Err(ServerError::Gone),
            }
        }
    }

    fn answers(&self) -> &Receiver<Answer> {
        &self.facts.answers
    }

    /// Checks and publishes every document whose findings are not of its newest text.
    fn publish_stale(&mut self) {
        let stale: Vec<String> = self
            .documents
            .iter()
            .filter(|(_, d)| d.is_stale())
            .map(|(key, _)| key.clone())
            .collect();
        for key in stale {
            self.ask_for_facts(&key);
            let Some(document) = self.documents.get_mut(&key) else { continue };
            document.look(&*self.host);
            document.report();
            let Some(document) = self.documents.get_mut(&key) else { continue };
            let findings = document.report().diagnostics.clone();
            let converter = document.converter(self.encoding);
            let shown = findings
                .iter()
                .map(|f| converter.diagnostic(f, &document.uri, self.with_related))
                .collect();
            let (uri, version) = (document.uri.clone(), document.version);
            self.publish(uri, shown, Some(version));
        }
    }

    /// Takes what is at hand about the images of a text at once, and asks for the rest.
    fn ask_for_facts(&mut self, key: &str) {
        let Some(document) = self.documents.get_mut(key) else { return };
        let queries = document.queries();
        if queries == document.asked {
            return;
        }
        document.asked.clone_from(&queries);
        let at_hand = self.host.facts_at_hand(&queries);
        document.set_facts(at_hand);
        if !queries.images.is_empty() {
            self.facts.ask(document.uri.clone(), queries);
        }
    }

    /// Takes an answer, unless the text asks for other images by now.
    fn take(&mut self, answer: Answer) {
        if let Some(document) = self.documents.get_mut(answer.uri.as_str())
            && document.asked == answer.queries
        {
            document.set_facts(answer.facts);
        }
    }

    pub(crate) fn publish(
        &self,
        uri: Uri,
        diagnostics: Vec<lsp_types::Diagnostic>,
        version: Option<i32>,
    ) {
        self.notify(
            PublishDiagnostics::METHOD,
            PublishDiagnosticsParams { uri, diagnostics, version },
        );
    }

    pub(crate) fn show(&self, message: String) {
        self.notify(ShowMessage::METHOD, ShowMessageParams { typ: MessageType::WARNING, message });
    }

    fn notify(&self, method: &str, params: impl serde::Serialize) {
        self.send(Notification::new(method.to_owned(), params).into());
    }

    pub(crate) fn send(&self, message: Message) {
        // If the writer is gone, so is the reader, and the loop ends by itself.
        let _ = self.out.send(message);
    }
}
