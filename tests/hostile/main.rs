//! Input that means harm: archives, images, registries, contexts, repositories. Whatever it is, it is
//! refused with a reason or handled rightly; nothing outside of its root is read or touched, and no
//! tag is set.

mod archives;
mod bombs;
mod contexts;
mod images;
mod server;
mod support;
mod tar;
