//! Arguments, variables and the words in them.

pub mod arch_variable_lost;
pub mod platform_arg_default;
pub mod undeclared_platform_arg;
