//! `hoopoe hosts`: which hosts the plugin's HTTP requests may go to.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::output::{Output, text};
use crate::plugin::OnHost;
use crate::{Api, Error};

const EXAMPLES: &str = "\
Examples:
  hoopoe hosts list
  hoopoe hosts add api.example.com '*.shop.example'
  hoopoe hosts remove api.example.com
  hoopoe hosts set api.example.com     # this one and no other";

/// Show or change the hosts that the plugin may call
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The hosts
    List(All),
    /// Allow more hosts
    Add(Named),
    /// Allow hosts no longer
    #[command(visible_alias = "rm")]
    Remove(Named),
    /// Allow these hosts and no others
    Set(Named),
}

#[derive(Debug, Args)]
struct Named {
    /// `api.example.com`, or `*.example.com` for all below
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<String>,
    #[command(flatten)]
    all: All,
}

#[derive(Debug, Args)]
struct All {
    #[command(flatten)]
    host: OnHost,
    #[command(flatten)]
    output: Output,
}

impl Options {
    /// How to print.
    pub fn output(&self) -> Output {
        match &self.action {
            Action::List(all) => all.output,
            Action::Add(some) | Action::Remove(some) | Action::Set(some) => some.all.output,
        }
    }
}

/// Show or change them.
pub fn run(options: &Options) -> Result<(), Error> {
    let hosts = match &options.action {
        Action::List(all) => {
            let (api, path) = all.host.open()?;
            current(&api, &path)?
        }
        Action::Add(some) => change(some, |hosts, given| hosts.extend(given))?,
        Action::Remove(some) => change(some, |hosts, given| hosts.retain(|host| !given.contains(host)))?,
        Action::Set(some) => change(some, |hosts, given| *hosts = given)?,
    };
    options.output().show(&json!({ "hosts": hosts }), |_| match hosts.is_empty() {
        true => "no host: every HTTP request is refused".to_owned(),
        false => hosts.iter().cloned().collect::<Vec<_>>().join("\n"),
    });
    Ok(())
}

fn change(
    some: &Named,
    change: impl FnOnce(&mut BTreeSet<String>, BTreeSet<String>),
) -> Result<BTreeSet<String>, Error> {
    let (api, path) = some.all.host.open()?;
    let mut hosts = current(&api, &path)?;
    change(&mut hosts, some.hosts.iter().cloned().collect());
    api.put(&format!("{path}/hosts"), &json!({ "hosts": hosts }))?;
    Ok(hosts)
}

fn current(api: &Api, path: &str) -> Result<BTreeSet<String>, Error> {
    let answer = api.get(path)?;
    Ok(answer["plugin"]["hosts"].as_array().into_iter().flatten().map(text).collect())
}
