//! A conversation with a flow.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::effects::Effects;
use super::{Native, Run, Runner, Runs, content, context, limits, message};
use crate::{
    Content, Context, Event, EventKind, Flow, FlowError, HttpAnswer, HttpRequest, HttpResponse, Outcome, ReplyTo,
    Schedule, Timer,
};

/// A conversation with the flow `F`, which runs natively.
pub type Harness<F> = Chat<Native<F>>;

/// More timers than this in one [`Chat::advance`] are one that keeps setting itself.
const MOST_TIMERS: usize = 1000;

/// A conversation with a flow: gives it events, and carries out what it decides as the runtime does. Only a run that
/// succeeds has effects: the state, timers, HTTP requests, tags and hand-off. Time stands still unless
/// [`Chat::advance`] moves it.
///
/// [`Harness`] runs the flow natively. `hoopoe-harness` has a [`Runner`] for the compiled plugin; a test that takes a
/// `Chat<impl Runner>` can be played with both.
///
/// A run whose outcome the host would refuse, such as a button with too long a title, panics and says why.
pub struct Chat<R> {
    runner: R,
    context: Context,
    state: Option<Vec<u8>>,
    events: u64,
    effects: Effects,
    /// The event that asked for another attempt, and which that is.
    again: Option<(Event, u32)>,
}

impl<F: Flow> Chat<Native<F>> {
    /// A conversation in which nothing has happened, with [`context()`](super::context()).
    pub fn new() -> Self {
        Chat::with(Native::default())
    }
}

impl<F: Flow> Default for Chat<Native<F>> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Runner> Chat<R> {
    /// A conversation in which nothing has happened, with what runs the flow.
    pub fn with(runner: R) -> Self {
        Chat { runner, context: context(), state: None, events: 0, effects: Effects::default(), again: None }
    }

    /// Configure the plugin.
    ///
    /// # Panics
    /// When `config` cannot be written as JSON.
    #[track_caller]
    pub fn config(mut self, config: &(impl Serialize + ?Sized)) -> Self {
        self.context.config = serde_json::to_string(config).expect("a test's configuration can be written as JSON");
        self
    }

    /// The context of the next event, to change it.
    pub fn context_mut(&mut self) -> &mut Context {
        &mut self.context
    }

    /// What the plugin says of itself.
    pub fn manifest(&self) -> crate::Manifest {
        self.runner.manifest()
    }

    /// The contact sends a text.
    #[track_caller]
    pub fn says(&mut self, text: impl Into<String>) -> Run {
        self.sends(content::text(text))
    }

    /// The contact sends something. Its messages are `wamid.TEST1`, `wamid.TEST2` and so on.
    #[track_caller]
    pub fn sends(&mut self, content: Content) -> Run {
        self.sends_to(content, None)
    }

    /// The contact taps the button or list row with this title, in the last message that has any. For an older
    /// message see [`content::button_reply`] and [`content::list_reply`].
    ///
    /// # Panics
    /// When it was not offered.
    #[track_caller]
    pub fn taps(&mut self, title: &str) -> Run {
        let Some((message_id, choice)) = self.effects.choose(title) else {
            panic!("`{title}` was not offered; what was offered last is {:?}", self.effects.titles());
        };
        self.sends_to(choice, Some(message_id))
    }

    #[track_caller]
    fn sends_to(&mut self, content: Content, answered: Option<String>) -> Run {
        let mut event = message(content);
        if let Event::Message(message) = &mut event {
            message.id = format!("wamid.TEST{}", self.events + 1);
            message.timestamp = self.context.now;
            message.reply_to =
                answered.map(|id| ReplyTo { message_id: Some(id), forwarded: false, frequently_forwarded: false });
        }
        self.handles(&event)
    }

    /// Let time pass, in milliseconds. Timers that become due meanwhile fire, in order, each at its own moment.
    ///
    /// # Panics
    /// When a timer is due and the flow does not want timers.
    #[track_caller]
    pub fn advance(&mut self, milliseconds: u64) -> Runs {
        let end = self.context.now.saturating_add(milliseconds);
        let mut runs = Vec::new();
        while let Some(timer) = self.effects.due(end) {
            let name = &timer.name;
            let wanted = self.manifest().events.contains(&EventKind::Timer);
            assert!(wanted, "the timer `{name}` is due, and the flow lacks `events(message, timer)` to see it");
            assert!(runs.len() < MOST_TIMERS, "{MOST_TIMERS} timers fired, the last is `{name}`: does it set itself?");
            self.context.now = self.context.now.max(timer.due);
            let Schedule { name, due, payload } = timer;
            runs.push(self.handles(&Event::Timer(Timer { name, due, payload })));
        }
        self.context.now = end;
        Runs(runs)
    }

    /// The service answers the oldest open request of this name, with a body of JSON.
    ///
    /// # Panics
    /// When there is no such request, or the flow does not want answers.
    #[track_caller]
    pub fn answers(&mut self, name: &str, status: u16, body: impl Serialize) -> Run {
        let body = serde_json::to_vec(&body).expect("a test's answer can be written as JSON");
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        self.responds(name, Ok(HttpAnswer { status, headers, body }))
    }

    /// The oldest open request of this name gets any answer, or the reason why there is none: `timeout: ...`,
    /// `refused: ...`.
    ///
    /// # Panics
    /// When there is no such request, or the flow does not want answers.
    #[track_caller]
    pub fn responds(&mut self, name: &str, outcome: Result<HttpAnswer, String>) -> Run {
        if self.effects.take_request(name).is_none() {
            let open: Vec<&str> = self.requests().iter().map(|request| request.name.as_str()).collect();
            panic!("there is no open request `{name}`; open are {open:?}");
        }
        let wanted = self.manifest().events.contains(&EventKind::HttpResponse);
        assert!(wanted, "the flow lacks `events(message, http_response)` to see the answer to `{name}`");
        self.handles(&Event::HttpResponse(HttpResponse { name: name.to_owned(), outcome }))
    }

    /// Something happens. While people have the conversation the flow does not see it, and the run does nothing.
    #[track_caller]
    pub fn handles(&mut self, event: &Event) -> Run {
        self.events += 1;
        self.attempt(event)
    }

    /// The event that asked for a retry comes again, with its next attempt.
    ///
    /// # Panics
    /// When the last event did not ask for one.
    #[track_caller]
    pub fn retries(&mut self) -> Run {
        let (event, attempt) = self.again.take().expect("the last event asked for a retry");
        let usual = std::mem::replace(&mut self.context.attempt, attempt);
        let run = self.attempt(&event);
        self.context.attempt = usual;
        run
    }

    #[track_caller]
    fn attempt(&mut self, event: &Event) -> Run {
        self.again = None;
        self.context.event_id = format!("00000000-0000-7000-8001-{:012}", self.events);
        let unwanted = !self.manifest().events.contains(&event.kind());
        if unwanted || self.effects.handed_off.is_some() {
            return Run { result: Outcome::nothing(), logs: Vec::new() };
        }
        let run = self.runner.on_event(&self.context, event, self.state.as_deref());
        match &run.result {
            Ok(outcome) => {
                if let Err(reason) = limits::check(outcome) {
                    panic!("the host would refuse this outcome: {reason}");
                }
                self.effects.apply(outcome, &mut self.context.conversation.contact, &mut self.state);
            }
            Err(FlowError::Retry(_)) => self.again = Some((event.clone(), self.context.attempt + 1)),
            Err(FlowError::Reject(_)) => {}
        }
        run
    }

    /// People give the conversation back to the flow.
    ///
    /// # Panics
    /// When they do not have it.
    #[track_caller]
    pub fn released(&mut self) -> &mut Self {
        assert!(self.effects.handed_off.take().is_some(), "the conversation was not handed off");
        self
    }

    /// Why people have the conversation; absent while the flow has it.
    pub fn handed_off(&self) -> Option<&str> {
        self.effects.handed_off.as_deref()
    }

    /// The contact's tags, sorted.
    pub fn tags(&self) -> &[String] {
        &self.context.conversation.contact.tags
    }

    /// The timers that are set, the next one first.
    pub fn timers(&self) -> &[Schedule] {
        &self.effects.timers
    }

    /// The requests that have no answer yet, the oldest first.
    pub fn requests(&self) -> &[HttpRequest] {
        &self.effects.requests
    }

    /// The state after the last event.
    ///
    /// # Panics
    /// When the state is not an `S`.
    #[track_caller]
    pub fn state<S: DeserializeOwned>(&self) -> Option<S> {
        let (_, own) = crate::waiting::open(self.state.as_deref()?);
        Some(serde_json::from_slice(own).expect("the conversation's state has the type that the test asks for"))
    }

    /// An earlier version of the plugin left this state, and the version under test takes over.
    ///
    /// # Panics
    /// When the state cannot be migrated.
    #[track_caller]
    pub fn takes_over(&mut self, from_version: &str, state: impl Serialize) -> &mut Self {
        let old = serde_json::to_vec(&state).expect("a test's state can be written as JSON");
        match self.runner.migrate(from_version, &old) {
            Ok(state) => self.state = Some(state),
            Err(reason) => panic!("the state of version {from_version} cannot be migrated: {reason}"),
        }
        self
    }
}
