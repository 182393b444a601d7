//! The store on real Postgres: the schema's rules, the kept descriptions of its queries, and what holds when many
//! processes write and work at once.

#![allow(missing_docs, clippy::unwrap_used)]

mod composites;
mod diagram;
mod doubts;
mod ground;
mod http_calls;
mod identity;
mod interleavings;
mod journal;
mod lanes;
mod media;
mod merges;
mod meta_templates;
mod migrations;
mod parties;
mod plans;
mod queries;
mod scheduled;
mod signups;
mod silence;
mod stress;
mod suspended_channels;
mod suspended_templates;
mod tenancy;
mod ties;
mod turns;
mod unchecked;
mod upkeep;
mod versions;
mod webhooks;
