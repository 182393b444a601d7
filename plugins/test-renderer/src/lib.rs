//! A renderer for the runtime's tests: the first component's `do` says what it does.

use hoopoe_sdk::renderer::prelude::*;
use hoopoe_sdk::{SendContent, StoredTemplate, log};
use serde::Deserialize;

#[derive(Deserialize)]
struct Component {
    r#do: String,
}

#[derive(Deserialize)]
struct Config {
    greeting: Option<String>,
}

#[renderer]
fn render(request: &Request) -> RenderResult {
    let components: Vec<Component> = request.components()?;
    let [first, ..] = components.as_slice() else { return Err(RenderError::invalid("there is nothing to do")) };
    log::info(&first.r#do);
    match first.r#do.as_str() {
        "tell" => Ok(SendContent::text(told(request)?)),
        "miss" => Err(RenderError::missing(["one", "two"])),
        "refuse" => Err(RenderError::invalid("not today")),
        "panic" => panic!("boom"),
        "spin" => loop {
            std::hint::black_box(&components);
        },
        "long" => Ok(SendContent::text("x".repeat(4097))),
        "stored" => Ok(StoredTemplate::new("other").into()),
        "raw" => Ok(SendContent::Raw("[]".to_owned())),
        other => Err(RenderError::invalid(format!("nobody knows how to {other}"))),
    }
}

/// All that a renderer is told.
fn told(request: &Request) -> Result<String, RenderError> {
    let config: Config = request.config()?;
    let Request { tenant, template, variables, now, .. } = request;
    let variables: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Ok(format!(
        "{} {}: {} {} v{} [{}] at {now}",
        config.greeting.as_deref().unwrap_or("-"),
        tenant.name,
        template.key,
        template.language,
        template.version,
        variables.join(" ")
    ))
}
