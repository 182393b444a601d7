//! What a process does. More machines are more processes with the same or with fewer roles.

use std::fmt;
use std::str::FromStr;

/// A part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Webhooks and the REST API.
    Api,
    /// Plugins.
    Flows,
    /// Calls of Meta.
    Delivery,
}

/// The roles of this process, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles(Vec<Role>);

impl Roles {
    /// Whether the process has this role.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }
}

impl Default for Roles {
    fn default() -> Self {
        Self(vec![Role::Api, Role::Flows, Role::Delivery])
    }
}

impl FromStr for Roles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let role = |word: &str| match word.trim() {
            "api" => Ok(Role::Api),
            "flows" => Ok(Role::Flows),
            "delivery" => Ok(Role::Delivery),
            other => Err(format!("{other:?} is no role; give some of api,flows,delivery")),
        };
        text.split(',').map(role).collect::<Result<Vec<_>, _>>().map(Self)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|role| format!("{role:?}").to_lowercase()).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_named_and_unknown_ones_refused() {
        assert_eq!("flows, delivery".parse(), Ok(Roles(vec![Role::Flows, Role::Delivery])));
        assert_eq!(Roles::default().to_string(), "api,flows,delivery");
        assert!("api,cook".parse::<Roles>().is_err_and(|error| error.contains("\"cook\"")));
        assert!("".parse::<Roles>().is_err());
    }
}
