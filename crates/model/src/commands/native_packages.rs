//! Packages that are known to bring machine code, by the registry that they come from. A name that
//! is not here may do so, too.

/// npm packages that compile an addon or bring a program.
#[rustfmt::skip]
const NPM: &[&str] = &[
    "@biomejs/biome", "@parcel/watcher", "@prisma/engines", "@sentry/cli", "@sentry/profiling-node",
    "@swc/core", "@tailwindcss/oxide", "argon2", "bcrypt", "better-sqlite3", "bufferutil", "canvas",
    "cpu-features", "deasync", "dtrace-provider", "electron", "esbuild", "farmhash", "ffi-napi",
    "fsevents", "grpc", "heapdump", "ibm_db", "iconv", "isolated-vm", "kerberos", "keytar",
    "leveldown", "libxmljs", "libxmljs2", "lightningcss", "lmdb", "microtime", "node-pty",
    "node-rdkafka", "node-sass", "oracledb", "re2", "ref-napi", "rocksdb", "sass-embedded",
    "serialport", "sharp", "snappy", "sodium-native", "sqlite3", "tree-sitter", "turbo", "usb",
    "utf-8-validate", "zeromq",
];

/// Distributions on PyPI whose wheels hold compiled modules.
#[rustfmt::skip]
const PYTHON: &[&str] = &[
    "aiohttp", "argon2-cffi-bindings", "asyncpg", "bcrypt", "cffi", "confluent-kafka", "contourpy",
    "cryptography", "cython", "faiss-cpu", "gevent", "greenlet", "grpcio", "grpcio-tools", "h5py",
    "httptools", "lightgbm", "llvmlite", "lxml", "matplotlib", "mysqlclient", "numba", "numpy",
    "onnxruntime", "opencv-python", "opencv-python-headless", "orjson", "pandas", "pillow",
    "polars", "psutil", "psycopg-binary", "psycopg2", "psycopg2-binary", "pyarrow", "pycryptodome",
    "pydantic-core", "pymssql", "pynacl", "pyodbc", "python-ldap", "pyzmq", "ray", "rpds-py",
    "ruff", "scikit-image", "scikit-learn", "scipy", "spacy", "tensorflow", "tensorflow-cpu",
    "tiktoken", "tokenizers", "torch", "torchaudio", "torchvision", "ujson", "uvloop", "xgboost",
];

/// Ruby gems with an extension.
#[rustfmt::skip]
const GEMS: &[&str] = &[
    "bcrypt", "bigdecimal", "bootsnap", "debug", "ffi", "google-protobuf", "grpc", "hiredis",
    "json", "libv8-node", "mini_racer", "msgpack", "mysql2", "nio4r", "nokogiri", "oj", "pg",
    "puma", "racc", "rdkafka", "redcarpet", "sassc", "snappy", "sqlite3", "strscan", "thin",
    "tiny_tds", "unf_ext", "websocket-driver",
];

/// An npm package's name without its version: `@scope/name@1` → `@scope/name`.
pub(super) fn npm_name(word: &str) -> &str {
    match word[1.min(word.len())..].find('@') {
        Some(at) => &word[..=at],
        None => word,
    }
}

/// A Python requirement's name in its normal form: `PyNaCl[x]>=1` → `pynacl`.
pub(super) fn python_name(word: &str) -> String {
    let end = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let name = &word[..word.find(end).unwrap_or(word.len())];
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

/// Whether an npm package is known to bring machine code; `name` is without a version.
pub(super) fn is_native_npm(name: &str) -> bool {
    NPM.binary_search(&name).is_ok()
}

/// Whether a Python package is known to bring machine code; `name` is in normal form.
pub(super) fn is_native_python(name: &str) -> bool {
    PYTHON.binary_search(&name).is_ok()
}

/// Whether a gem is known to bring machine code.
pub(super) fn is_native_gem(name: &str) -> bool {
    GEMS.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_names_are_cut() {
        assert!([NPM, PYTHON, GEMS].iter().all(|list| list.is_sorted()));
        assert_eq!(npm_name("@scope/name@^1"), "@scope/name");
        assert_eq!(npm_name("sharp@0.33"), "sharp");
        assert_eq!(npm_name("@"), "@");
        assert_eq!(npm_name(""), "");
        assert_eq!(python_name("PyNaCl[x]>=1"), "pynacl");
        assert_eq!(python_name("opencv_python==4"), "opencv-python");
        assert!(is_native_npm("sharp") && !is_native_npm("express"));
        assert!(is_native_python("numpy") && !is_native_python("flask"));
        assert!(is_native_gem("pg") && !is_native_gem("rails"));
    }
}
