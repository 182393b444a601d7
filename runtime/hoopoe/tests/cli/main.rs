//! The commands for tenants' developers: the real binary against a running host.

#![allow(missing_docs, clippy::unwrap_used)]

mod dead_letters;
mod dev;
mod events;
mod https;
mod live;
mod project;
mod refusals;
mod served;
mod story;
mod support;
mod webhooks;
