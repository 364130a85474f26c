//! The language server: diagnostics as one types and a quick fix for each fix.
