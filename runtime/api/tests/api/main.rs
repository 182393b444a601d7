//! The HTTP edge through real HTTP: what it takes, what it refuses and in which words, and that its description is
//! true.

#![allow(missing_docs, clippy::unwrap_used)]

mod access;
mod answers;
mod events;
mod flows;
mod idempotency;
mod messages;
mod openapi;
mod outage;
mod plugins;
mod routes;
mod secrecy;
mod send;
mod sizes;
mod templates;
mod tenants;
mod verification;
mod webhook;
mod webhooks;
