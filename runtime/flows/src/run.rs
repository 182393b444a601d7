//! One lane's events through their plugin, in order, each seeing what the one before it left.

mod failures;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_sandbox::contract::{NextState as Next, Outcome};
use hoopoe_sandbox::{Failure, Owner, Plugin, Run};
use hoopoe_store::Store;
use hoopoe_store::flow_work::{Advance, Event, Handled, NextState, State, Work};
use hoopoe_telemetry::metrics;
use hoopoe_telemetry::trace::Span;
use uuid::Uuid;

use self::failures::Failed;
use crate::actions::{Decisions, Refused};
use crate::breaker::{Breaker, Verdict};
use crate::choice::{Chosen, Unavailable};
use crate::configs::Configs;
use crate::lane::Lane;
use crate::record::record;
use crate::{Settings, burst, event, observe, trace};
use hoopoe_plugins::Library;

/// Pause of an event whose plugin cannot be loaded now, or for which the sandbox had no room.
const NOT_NOW: TimeDelta = TimeDelta::seconds(2);
/// Pause of a lane whose plugin is paused. A resume makes it ready at once.
const PAUSED: TimeDelta = TimeDelta::seconds(60);
/// Longest pause between two runs of an event.
const LONGEST: TimeDelta = TimeDelta::minutes(10);

/// What runs need.
pub(crate) struct Runner {
    pub store: Store,
    pub library: Library,
    pub configs: Configs,
    pub breaker: Breaker,
    pub settings: Settings,
}

/// What to do after an event.
enum After {
    GoOn(Handled),
    /// The event stays first in its lane. `counted` runs are recorded and limited.
    Again {
        at: DateTime<Utc>,
        counted: Option<Handled>,
    },
    /// As [`After::Again`], because the flow is paused: whoever ends that ends the wait.
    Paused(Option<Handled>),
}

impl Runner {
    pub(crate) async fn lane(&self, work: Work) -> Advance {
        let tenant_id = work.lease.lane.tenant_id;
        let mut advance = Advance {
            lease: work.lease,
            handled: Vec::new(),
            done_event: work.done_event,
            again: None,
            is_paused: false,
        };
        let mut attempts = work.attempts;
        let mut lane = Lane::default();
        let mut events = work.events.into_iter().peekable();
        while let Some((before, mut event)) = burst::next(&mut events) {
            lane.catch_up(&mut event);
            let id = event.id;
            match self.one(tenant_id, event, attempts + 1, &lane).await {
                After::GoOn(handled) => {
                    lane.note(&handled);
                    advance.handled.extend(before.into_iter().map(|event| {
                        record(None, event, attempts + 1, None, ("joined", Some(format!("with event {id}"))))
                    }));
                    advance.handled.push(handled);
                    advance.done_event = id;
                    attempts = 0;
                }
                After::Again { at, counted } => {
                    attempts += i32::from(counted.is_some());
                    advance.handled.extend(counted);
                    advance.again = Some((at, attempts));
                    break;
                }
                After::Paused(counted) => {
                    attempts += i32::from(counted.is_some());
                    advance.handled.extend(counted);
                    advance.again = Some((self.now() + PAUSED, attempts));
                    advance.is_paused = true;
                    break;
                }
            }
        }
        advance
    }

    async fn one(&self, tenant_id: Uuid, event: Event, attempt: i32, lane: &Lane) -> After {
        let mut span = observe::begin(tenant_id, &event, attempt);
        if event.around.handed_off {
            observe::ended(&mut span, "handed-off");
            return After::GoOn(record(None, event, attempt, None, ("handed-off", None)));
        }
        if event.around.flow.paused {
            return After::Paused(None);
        }
        let chosen = match self.choose(tenant_id, &event, attempt).await {
            Ok(chosen) => chosen,
            Err(Unavailable::Now(error)) => {
                tracing::error!(tenant = %tenant_id, event = event.id, plugin = event.around.flow.name, %error,
                    "the plugin is not to be had; trying again");
                return After::Again { at: self.now() + NOT_NOW, counted: None };
            }
            Err(Unavailable::Canary { digest, reason }) => {
                observe::ended(&mut span, "canary-failed");
                let failed = Failed { code: "canary-failed", reason };
                self.judge(tenant_id, &event, digest, true, &failed).await;
                let handled = record(None, event, attempt, None, ("canary-failed", Some(failed.reason)));
                return After::Again { at: self.now(), counted: Some(handled) };
            }
            Err(Unavailable::State(reason)) => {
                observe::ended(&mut span, "migration-failed");
                tracing::warn!(tenant = %tenant_id, event = event.id, reason, "the flow failed");
                return After::GoOn(record(None, event, attempt, None, ("migration-failed", Some(reason))));
            }
        };
        observe::chosen(&mut span, &chosen.plugin);
        if !event::wants(&chosen.plugin, &event.kind) {
            observe::ended(&mut span, "unwanted");
            return After::GoOn(record(Some(&chosen.plugin), event, attempt, None, ("unwanted", None)));
        }
        let config = match self.configs.get(tenant_id, event.around.flow.config_id).await {
            Ok(config) => config,
            Err(error) => {
                tracing::warn!(tenant = %tenant_id, event = event.id, %error, "the configuration cannot be read");
                return After::Again { at: self.now() + NOT_NOW, counted: None };
            }
        };
        let (context, input) = event::contract(tenant_id, &event, attempt, &config);
        let owner = Owner(tenant_id.as_u128());
        if attempt == 1 {
            let waited = self.now() - event.received_at;
            metrics().flow_wait.observe(waited.as_seconds_f64().max(0.0));
        }
        let run = chosen.plugin.on_event(owner, context, input, chosen.state.clone()).await;
        observe::ran(&mut span, &run);
        self.settle(tenant_id, event, attempt, (chosen, run), lane, &mut span).await
    }

    async fn settle(
        &self,
        tenant_id: Uuid,
        event: Event,
        attempt: i32,
        (chosen, run): (Chosen, Run),
        lane: &Lane,
        span: &mut Span,
    ) -> After {
        let failed = match &run.result {
            Ok(outcome) => match self.decide(&outcome.actions, tenant_id, &event, lane).await {
                Ok(mut decisions) => {
                    observe::ended(span, "done");
                    decisions.messages.iter_mut().for_each(|message| message.trace = span.context());
                    return After::GoOn(self.done(event, attempt, &chosen, &run, outcome, decisions));
                }
                Err(Refused::Later(error)) => {
                    tracing::warn!(tenant = %tenant_id, event = event.id, %error, "a decision cannot be carried out now");
                    return After::Again { at: self.now() + NOT_NOW, counted: None };
                }
                Err(Refused::Invalid { code, reason }) => Failed { code, reason },
            },
            Err(Failure::Busy) => {
                observe::ended(span, "busy");
                return After::Again { at: self.now() + NOT_NOW, counted: None };
            }
            Err(Failure::Retry(reason)) if attempt <= self.settings.retries => {
                observe::ended(span, "retry");
                tracing::info!(tenant = %tenant_id, event = event.id, attempt, reason, "the flow asks for a retry");
                let reason = Some(reason.clone());
                let handled = record(Some(&chosen.plugin), event, attempt, Some((&run, &chosen)), ("retry", reason));
                return After::Again { at: self.now() + backoff(attempt), counted: Some(handled) };
            }
            Err(Failure::Retry(reason)) => Failed { code: "retries-exhausted", reason: reason.clone() },
            Err(failure) => Failed { code: failure.code(), reason: failure.to_string() },
        };
        observe::ended(span, failed.code);
        tracing::warn!(tenant = %tenant_id, event = event.id, attempt, code = failed.code, reason = failed.reason,
            "the flow failed");
        let keep = |code: &str, reason: String| {
            let ran = Some((&run, &chosen));
            let mut handled = record(Some(&chosen.plugin), event.clone(), attempt, ran, (code, Some(reason)));
            handled.run.outcome = run.result.as_ref().ok().map(trace::outcome);
            handled
        };
        let digest = *chosen.plugin.digest().as_bytes();
        let verdict = self.judge(tenant_id, &event, digest, chosen.canary, &failed).await;
        if chosen.canary {
            // The conversation is answered all the same: the next attempt is the active version's.
            let handled = keep("canary-failed", format!("{}: {}", failed.code, failed.reason));
            return After::Again { at: self.now(), counted: Some(handled) };
        }
        match verdict {
            Verdict::Pause(_) => {
                let handled = keep("paused", format!("{}: {}", failed.code, failed.reason));
                After::Paused(Some(handled))
            }
            _ => After::GoOn(keep(failed.code, failed.reason)),
        }
    }

    fn done(
        &self,
        event: Event,
        attempt: i32,
        chosen: &Chosen,
        run: &Run,
        outcome: &Outcome,
        decisions: Decisions,
    ) -> Handled {
        let plugin = &chosen.plugin;
        self.breaker.succeeded(decisions.tenant_id, *plugin.digest().as_bytes(), chosen.canary);
        tracing::debug!(tenant = %decisions.tenant_id, event = event.id, fuel = run.fuel,
            actions = outcome.actions.len(), "flow ran");
        let mut handled = record(Some(plugin), event, attempt, Some((run, chosen)), ("done", chosen.note.clone()));
        handled.run.actions = i32::try_from(outcome.actions.len()).unwrap_or(i32::MAX);
        handled.run.outcome = Some(trace::outcome(outcome));
        handled.state = next_state(plugin, &outcome.state, chosen);
        handled.messages = decisions.messages;
        handled.timers = decisions.timers;
        handled.calls = decisions.calls;
        handled.tags = decisions.tags;
        handled.hand_off = decisions.hand_off;
        handled
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.store.ambient.now()
    }
}

/// The state that the conversation has now. One that was migrated for this run is kept in its new form.
fn next_state(plugin: &Plugin, next: &Next, chosen: &Chosen) -> NextState {
    let left = |bytes: Vec<u8>| {
        let manifest = plugin.manifest();
        NextState::Set(Some(State {
            bytes,
            plugin: format!("{}@{}", manifest.name, manifest.version),
            digest: plugin.digest().to_string(),
        }))
    };
    match next {
        Next::Keep => match &chosen.state {
            Some(state) if chosen.migrated => left(state.clone()),
            _ => NextState::Keep,
        },
        Next::Replace(state) => left(state.clone()),
        Next::Clear => NextState::Set(None),
    }
}

/// 2, 4, 8, ... seconds.
fn backoff(attempt: i32) -> TimeDelta {
    TimeDelta::seconds(1 << attempt.clamp(1, 16)).min(LONGEST)
}
