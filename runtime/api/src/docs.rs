//! `GET /openapi.json` and `GET /docs`: the API described by its own handlers. The page brings its scripts along.

use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::Server;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// The document and the page.
pub fn router(mut document: OpenApi) -> Router {
    complete(&mut document);
    // By default the page asks a validator on the internet what it thinks of the document.
    let page = Config::default().validator_url("none");
    SwaggerUi::new("/docs").url("/openapi.json", document).config(page).into()
}

/// The OpenAPI document of the whole API.
pub fn openapi() -> OpenApi {
    let mut document = crate::routed().into_openapi();
    complete(&mut document);
    document
}

/// Adds what no handler says: title, probes, security, base paths.
fn complete(document: &mut OpenApi) {
    document.merge(crate::probed().into_openapi());
    document.info.title = "Hoopoe".to_owned();
    document.info.description =
        Some("A plugin-driven integration runtime for messaging. Every route also answers under /api.".to_owned());
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    // utoipa fills these in with its own author.
    document.info.contact = None;
    document.info.license = None;
    document.servers = Some(vec![Server::new("/"), Server::new("/api")]);
    let bearer = SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("MASTER_KEY, or the API key of the tenant"))
            .build(),
    );
    document.components.get_or_insert_default().add_security_scheme("bearer", bearer);
}
