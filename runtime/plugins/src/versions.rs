//! Which version is meant, and versions that are run without effect.

use hoopoe_store::plugins::{ChangeError, Plugin, Version};
use uuid::Uuid;

use crate::{ActivateError, Library};

/// Shortest beginning of a digest that names a version.
const SHORTEST_PREFIX: usize = 8;

/// A version that can run, and the configuration that it would have.
#[derive(Debug)]
pub struct Runnable {
    /// Loaded.
    pub plugin: hoopoe_sandbox::Plugin,
    /// The version; none for a built-in plugin.
    pub digest: Option<String>,
    /// The plugin's configuration: JSON text.
    pub config: String,
}

impl Library {
    /// A tenant's plugin.
    pub async fn plugin(&self, tenant_id: Uuid, name: &str) -> Result<Plugin, ChangeError> {
        let found = self.store.plugins(tenant_id, Some(name)).await?.pop();
        found.ok_or_else(|| ChangeError::NoPlugin(name.to_owned()))
    }

    /// The version that is meant: by its digest, by 8 or more digits of its beginning, or by its semantic version (the
    /// newest upload of that version). Without a designation, the newest upload.
    pub async fn version(&self, tenant_id: Uuid, plugin: &str, wanted: Option<&str>) -> Result<Version, ActivateError> {
        self.plugin(tenant_id, plugin).await?;
        let versions = self.store.plugin_versions(tenant_id, plugin).await?;
        pick(plugin, versions, wanted)
    }

    /// A version of the tenant's flow, designated as for [`Library::version`], to run without effect. A built-in plugin
    /// has the tenant's configuration of it when it is in charge, else none.
    pub async fn runnable(&self, tenant_id: Uuid, name: &str, wanted: Option<&str>) -> Result<Runnable, ActivateError> {
        let Some(plugin) = self.store.plugins(tenant_id, Some(name)).await?.pop() else {
            // Not the tenant's: one that is built in has no versions.
            let missing = || ChangeError::NoPlugin(name.to_owned());
            let (None, Ok(built_in)) = (wanted, self.flow(tenant_id, name, None).await) else {
                return Err(missing().into());
            };
            let config = self.store.builtin_config(tenant_id, name).await?;
            return Ok(Runnable { plugin: built_in, digest: None, config });
        };
        if plugin.world != "flow" {
            return Err(ActivateError::NoVersion(format!("{name} renders templates; only flows can be run so")));
        }
        let version = self.version(tenant_id, name, wanted).await?;
        let loaded = self.flow(tenant_id, name, Some(&version.digest)).await?;
        Ok(Runnable { plugin: loaded, digest: Some(version.digest), config: plugin.config })
    }
}

fn pick(plugin: &str, versions: Vec<Version>, wanted: Option<&str>) -> Result<Version, ActivateError> {
    let none = |why: String| ActivateError::NoVersion(format!("plugin {plugin} {why}"));
    let Some(wanted) = wanted else {
        let newest = versions.into_iter().next();
        return newest.ok_or_else(|| none("has no versions; upload one".to_owned()));
    };
    let by_version = versions.iter().position(|version| version.version == wanted);
    let is_prefix = wanted.len() >= SHORTEST_PREFIX && wanted.bytes().all(|byte| byte.is_ascii_hexdigit());
    let wanted_digest = wanted.to_ascii_lowercase();
    let begins = |version: &Version| is_prefix && version.digest.starts_with(&wanted_digest);
    let by_digest: Vec<usize> = (0..versions.len()).filter(|place| begins(&versions[*place])).collect();
    let place = match (by_version, by_digest.as_slice()) {
        (Some(place), _) => place,
        (None, [place]) => *place,
        (None, []) => {
            let advice = "give a digest, 8 or more digits of its beginning, or a semantic version";
            return Err(none(format!("has no version {wanted:?}; {advice}")));
        }
        (None, several) => return Err(ActivateError::Ambiguous { wanted: wanted.to_owned(), count: several.len() }),
    };
    versions.into_iter().nth(place).ok_or_else(|| none(format!("has no version {wanted:?}")))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    fn version(digest: &str, version: &str) -> Version {
        Version {
            digest: digest.to_owned(),
            version: version.to_owned(),
            events: Vec::new(),
            config_schema: None,
            contract: "0.1.0".to_owned(),
            size: 1,
            imports: Vec::new(),
            exports: Vec::new(),
            compile_micros: 1,
            created_at: DateTime::<Utc>::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_version_is_named_by_digest_beginning_or_number() {
        // Newest first.
        let versions = [("aaaaaaaa00", "1.1.0"), ("aaaaaaaa11", "1.0.0"), ("bbbbbbbb00", "1.0.0")];
        let all: Vec<Version> = versions.into_iter().map(|(digest, number)| version(digest, number)).collect();
        let cases = [
            (None, "aaaaaaaa00"),
            (Some("aaaaaaaa11"), "aaaaaaaa11"),
            (Some("bbbbbbbb"), "bbbbbbbb00"),
            (Some("BBBBBBBB"), "bbbbbbbb00"),
            (Some("1.0.0"), "aaaaaaaa11"),
            (Some("aaaaaaaa"), "the beginning of 2 versions"),
            (Some("bbbbbbb"), "has no version"),
            (Some("cccccccc"), "has no version"),
            (Some("2.0.0"), "has no version"),
            (Some(""), "has no version"),
        ];
        for (wanted, expected) in cases {
            let found = match pick("shop", all.clone(), wanted) {
                Ok(version) => version.digest,
                Err(error) => error.to_string(),
            };
            assert!(found.contains(expected), "{wanted:?}: {found}");
        }
        assert!(pick("shop", Vec::new(), None).is_err_and(|error| error.to_string().contains("upload one")));
    }
}
