//! `/tenants/{id}/templates` and `POST /tenants/{id}/send/template`.

mod kept;
mod refused;
mod sent;

use hoopoe_testing::{Tenant, World};
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::{Answer, answer};

/// The former system's example.
fn welcome() -> Value {
    json!({
        "key": "welcome_v1",
        "language": "en",
        "components": [{ "type": "body", "text": "Hello {{first_name}}, welcome to our service!" }],
        "metadata": { "description": "Welcome message" },
    })
}

fn body(text: &str) -> Value {
    json!([{ "type": "body", "text": text }])
}

/// A tenant's requests.
struct Caller<'a> {
    world: &'a World,
    tenant: &'a Tenant,
}

impl Caller<'_> {
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let path = format!("/tenants/{}{path}", self.tenant.id);
        let request = self.world.api.request(method, &path, &self.tenant.key);
        answer(body.iter().fold(request, |request, body| request.json(body))).await
    }

    async fn create(&self, body: &Value) -> Answer {
        self.call(Method::POST, "/templates", Some(body)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    async fn send(&self, changes: Value) -> Answer {
        let mut body = json!({ "to": "+15551234567", "templateKey": "welcome_v1" });
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.call(Method::POST, "/send/template", Some(&body)).await
    }

    /// The payload of the newest message.
    async fn payload(&self) -> Value {
        sqlx::query_scalar("select payload from messages where tenant_id = $1 order by id desc limit 1")
            .bind(self.tenant.id)
            .fetch_one(&self.world.db.pool)
            .await
            .unwrap()
    }
}
