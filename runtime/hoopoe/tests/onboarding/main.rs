//! How numbers come aboard and stay usable: tenants' own Meta apps, several numbers, Embedded Signup, and the state of
//! access tokens. Meta is simulated over HTTP.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../webhooks/endpoint.rs"]
#[allow(dead_code)]
mod endpoint;
mod kinds;
mod numbers;
mod own_app;
mod signup;
mod signup_limit;
mod signup_secrets;
mod tokens;
