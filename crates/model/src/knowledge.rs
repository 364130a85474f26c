//! What is known about images by their names.

/// A toolchain that an image brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Toolchain {
    /// Go.
    Go,
    /// Rust.
    Rust,
    /// A C compiler.
    C,
    /// Node.
    Node,
    /// Python.
    Python,
    /// .NET's SDK.
    DotNet,
    /// A JDK, Maven, Gradle.
    Java,
    /// Ruby.
    Ruby,
    /// PHP.
    Php,
    /// Zig.
    Zig,
}
