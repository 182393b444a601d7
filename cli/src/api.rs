//! The host's API, as one tenant sees it.

use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

use crate::settings::Settings;
use crate::{Error, http};

/// Longest silence of an answer that goes on: the host says something every 15 seconds.
const SILENCE: Duration = Duration::from_secs(60);

/// Calls the host for one tenant. Paths are below `/tenants/{id}`.
pub struct Api {
    agent: Agent,
    settings: Settings,
}

impl Api {
    /// Nothing is called yet.
    pub fn new(settings: Settings) -> Self {
        Self { agent: http::agent(&settings.url), settings }
    }

    /// Where and who.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn url(&self, path: &str) -> String {
        format!("{}/tenants/{}{path}", self.settings.url, self.settings.tenant)
    }

    fn key(&self) -> String {
        format!("Bearer {}", self.settings.key)
    }

    fn answer(&self, response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<(u16, Value), Error> {
        http::answer(&self.settings.url, response)
    }

    /// GET.
    pub fn get(&self, path: &str) -> Result<Value, Error> {
        self.query(path, &[])
    }

    /// GET with parameters.
    pub fn query(&self, path: &str, parameters: &[(&str, String)]) -> Result<Value, Error> {
        let mut request = self.agent.get(self.url(path)).header("authorization", self.key());
        for (name, value) in parameters {
            request = request.query(*name, value);
        }
        self.answer(request.call()).map(|(_, body)| body)
    }

    /// GET of an answer that goes on, line by line.
    pub fn follow(&self, path: &str) -> Result<impl Iterator<Item = Result<String, Error>>, Error> {
        let request = self.agent.get(self.url(path)).header("authorization", self.key());
        let request = request.config().timeout_global(None).timeout_per_read(Some(SILENCE)).build();
        http::lines(&self.settings.url, request.call())
    }

    /// POST of JSON.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        let request = self.agent.post(self.url(path)).header("authorization", self.key());
        self.answer(request.send_json(body)).map(|(_, body)| body)
    }

    /// PUT of JSON.
    pub fn put(&self, path: &str, body: &Value) -> Result<Value, Error> {
        let request = self.agent.put(self.url(path)).header("authorization", self.key());
        self.answer(request.send_json(body)).map(|(_, body)| body)
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Result<Value, Error> {
        let request = self.agent.delete(self.url(path)).header("authorization", self.key());
        self.answer(request.call()).map(|(_, body)| body)
    }

    /// Upload a version, and make it the active one at once when `activate` says so. Gives the version, and whether
    /// it is new there.
    pub fn upload(&self, plugin: &str, component: &[u8], activate: bool) -> Result<(Value, bool), Error> {
        let mut request = self.agent.put(self.url(&format!("/plugins/{plugin}")));
        if activate {
            request = request.query("activate", "true");
        }
        let request = request.header("authorization", self.key()).header("content-type", "application/wasm");
        self.answer(request.send(component)).map(|(status, body)| (body, status == 201))
    }
}
