//! Arguments, variables and the words in them.

pub mod platform_arg_default;
pub mod undeclared_platform_arg;
