//! Building what actions carry: media, templates, lists, HTTP requests.

use std::fmt::Display;

use serde::Serialize;

use crate::{FlowError, HttpRequest, ListRow, MediaSource, SendContent, SendMedia, SendTemplate, StoredTemplate};

impl SendMedia {
    /// A file that Meta has, by its id.
    pub fn id(id: impl Into<String>) -> Self {
        SendMedia { source: MediaSource::Id(id.into()), caption: None, filename: None }
    }

    /// A file that Meta can fetch from an https URL.
    pub fn link(url: impl Into<String>) -> Self {
        SendMedia { source: MediaSource::Link(url.into()), caption: None, filename: None }
    }

    /// At most 1024 characters; not for audio and stickers.
    pub fn caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = Some(caption.into());
        self
    }

    /// For documents.
    pub fn filename(mut self, filename: impl Into<String>) -> Self {
        self.filename = Some(filename.into());
        self
    }
}

impl SendTemplate {
    /// A template without parameters, for example in `en` or `pt_BR`.
    pub fn new(name: impl Into<String>, language: impl Into<String>) -> Self {
        SendTemplate { name: name.into(), language: language.into(), components: "[]".to_owned() }
    }

    /// Parameters, as Meta's `components` array.
    pub fn components<C: Serialize + ?Sized>(mut self, components: &C) -> Result<Self, FlowError> {
        self.components = serde_json::to_string(components)?;
        Ok(self)
    }
}

impl StoredTemplate {
    /// One of the tenant's own templates, by its key of 1 to 64 characters, in its default language.
    ///
    /// ```
    /// # use hoopoe_sdk::prelude::*;
    /// # fn flow() -> FlowResult {
    /// let receipt = StoredTemplate::new("receipt").language("de").variable("total", 12.5).variable("name", "Ada");
    /// Outcome::send(receipt.into())
    /// # }
    /// # assert!(flow().is_ok());
    /// ```
    pub fn new(key: impl Into<String>) -> Self {
        StoredTemplate { key: key.into(), language: None, variables: Vec::new() }
    }

    /// For example `en` or `pt_BR`. When the template lacks it, another of its languages stands in.
    pub fn language(mut self, language: impl Into<String>) -> Self {
        self.language = Some(language.into());
        self
    }

    /// Give a variable its value. Positional variables have the names `1`, `2` and so on.
    pub fn variable(mut self, name: impl Display, value: impl Display) -> Self {
        self.variables.push((name.to_string(), value.to_string()));
        self
    }

    /// Give several variables their values.
    pub fn variables<N: Display, V: Display>(self, variables: impl IntoIterator<Item = (N, V)>) -> Self {
        variables.into_iter().fold(self, |template, (name, value)| template.variable(name, value))
    }
}

impl From<StoredTemplate> for SendContent {
    fn from(template: StoredTemplate) -> Self {
        SendContent::Stored(template)
    }
}

impl From<SendTemplate> for SendContent {
    fn from(template: SendTemplate) -> Self {
        SendContent::Template(template)
    }
}

impl ListRow {
    /// A row: id (1 to 200 characters) and title (1 to 24).
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        ListRow { id: id.into(), title: title.into(), description: None }
    }

    /// At most 72 characters below the title.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }
}

/// Unless the flow says otherwise, in milliseconds.
const HTTP_TIMEOUT: u32 = 10_000;

impl HttpRequest {
    /// A request whose answer comes back under `name`; the URL is https and its host on the plugin's allowlist.
    ///
    /// ```
    /// # use hoopoe_sdk::prelude::*;
    /// # fn flow() -> FlowResult {
    /// let order = HttpRequest::new("order", "POST", "https://shop.example/orders").json(&["pizza"])?;
    /// Outcome::reply("One moment...").then_http(order.header("x-shop", "1"))
    /// # }
    /// # assert!(flow().is_ok());
    /// ```
    pub fn new(name: impl Into<String>, method: impl Into<String>, url: impl Into<String>) -> Self {
        HttpRequest {
            name: name.into(),
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout_ms: HTTP_TIMEOUT,
        }
    }

    /// A GET request.
    pub fn get(name: impl Into<String>, url: impl Into<String>) -> Self {
        HttpRequest::new(name, "GET", url)
    }

    /// Add a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Send JSON, at most 256 KiB.
    pub fn json<B: Serialize + ?Sized>(mut self, body: &B) -> Result<Self, FlowError> {
        self.body = serde_json::to_vec(body)?;
        Ok(self.header("content-type", "application/json"))
    }

    /// Wait at most this long for the answer, in milliseconds, up to 30,000.
    pub fn timeout_ms(mut self, timeout: u32) -> Self {
        self.timeout_ms = timeout;
        self
    }
}
