//! Arguments, variables and the words in them.

mod apt_words;
pub mod arch_arg_default;
pub mod arch_comparison_never_true;
pub mod arch_name_mismatch;
pub mod arch_variable_lost;
pub mod constant_arch_expansion;
pub mod incomplete_arch_case;
pub mod platform_arg_default;
pub mod platform_arg_out_of_scope;
pub mod undeclared_platform_arg;
