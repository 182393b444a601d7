//! Where things are, once the development instance runs, and what to try.

use anyhow::Result;
use serde_json::json;

use crate::runtime::Instance;
use crate::tenant::Tenant;
use crate::workspace;

/// Write `.hoopoe/dev.json`, where the commands of `hoopoe` find this instance and its tenant.
pub fn write(instance: &Instance, tenant: &Tenant) -> Result<()> {
    let places = json!({
        "url": instance.url, "tenant": tenant.id, "key": tenant.key, "simulator": instance.simulator_url,
        "phoneNumberId": tenant.phone_number_id,
    });
    workspace::write_secret(&workspace::state_dir()?.join("dev.json"), &format!("{places:#}\n"))
}

/// Print addresses, keys and commands that work as they stand.
pub fn print(instance: &Instance, tenant: &Tenant) {
    let Instance { url, simulator_url, master_key, app_secret, .. } = instance;
    let Tenant { id, key, phone_number_id } = tenant;
    let database = instance.database_url();
    let redis = instance.redis_url().unwrap_or("none");
    println!(
        "\
API             {url}
documentation   {url}/docs
OpenAPI         {url}/openapi.json
admin key       {master_key}
tenant          {id} (phone number id {phone_number_id})
tenant's key    {key}
simulator       {simulator_url}
database        {database}
Redis           {redis}

For the examples of the README
  export API={url} MASTER_KEY={master_key} TENANT={id} KEY={key} APP_SECRET={app_secret}

Try: a customer writes
  curl -X POST {simulator_url}/_sim/inbound -H 'content-type: application/json' \\
    -d '{{\"phone_number_id\": \"{phone_number_id}\", \"from\": \"15550001111\", \"text\": \"hello\"}}'
you write to a customer
  curl -X POST {url}/tenants/{id}/send -H 'authorization: Bearer {key}' -H 'content-type: application/json' \\
    -d '{{\"to\": \"15550001111\", \"text\": \"fresh bread at nine\"}}'
what was written, and what became of it
  curl {url}/tenants/{id}/messages -H 'authorization: Bearer {key}'
"
    );
}
