//! Going on with an outcome: more actions, details of the last message, the state.

use serde::Serialize;

use crate::{
    Action, FlowError, FlowResult, HttpRequest, ListRow, ListSection, MarkRead, NextState, Outcome, Reaction,
    ReplyButton, Schedule, Send, SendButtons, SendContent, SendList, SendText, StoredTemplate, Tag,
};

/// Builder methods of [`FlowResult`].
///
/// Methods that begin with `then_` add an action; actions are carried out in this order, after the commit. The
/// others say more about the message that was added last, or about the state. What does not fit together
/// (buttons without a text) rejects the event with a reason. On an error they do nothing.
///
/// ```
/// use hoopoe_sdk::prelude::*;
///
/// fn ask(message: &Message) -> FlowResult {
///     Outcome::reply("Shall we call you?")
///         .buttons([("yes", "Yes, please"), ("no", "No")])
///         .quoting(&message.id)
///         .then_reply("We are here until six.")
///         .then_mark_read(&message.id)
///         .then_tag("asked")
///         .state(&"asked")
/// }
/// # let hoopoe_sdk::Event::Message(message) = testing::text("hi") else { unreachable!() };
/// # assert_eq!(ask(&message).unwrap().actions.len(), 4);
/// ```
pub trait Build: Sized {
    /// Change the outcome, when there is one.
    #[doc(hidden)]
    fn change(self, change: impl FnOnce(&mut Outcome) -> Result<(), FlowError>) -> Self;

    /// Add any action.
    fn then(self, action: Action) -> Self {
        self.change(|outcome| {
            outcome.actions.push(action);
            Ok(())
        })
    }

    /// Send something to the contact.
    fn then_send(self, content: SendContent) -> Self {
        self.then(Action::Send(Send { content, reply_to: None, idempotency_key: None }))
    }

    /// Send a text of 1 to 4096 characters to the contact.
    fn then_reply(self, text: impl Into<String>) -> Self {
        self.then_send(SendContent::Text(SendText { body: text.into(), preview_url: false }))
    }

    /// Send one of the tenant's own templates; see [`Outcome::template`].
    fn then_template<const N: usize>(self, key: impl Into<String>, variables: [(&str, &str); N]) -> Self {
        self.then_send(SendContent::Stored(StoredTemplate::new(key).variables(variables)))
    }

    /// Send any message of Meta's Graph API, without its recipient; see [`Outcome::payload`].
    fn then_payload<P: Serialize + ?Sized>(self, payload: &P) -> Self {
        self.change(|outcome| {
            let content = SendContent::Raw(serde_json::to_string(payload)?);
            outcome.actions.push(Action::Send(Send { content, reply_to: None, idempotency_key: None }));
            Ok(())
        })
    }

    /// React to a message with an emoji.
    fn then_react(self, message_id: impl Into<String>, emoji: impl Into<String>) -> Self {
        let reaction = Reaction { message_id: message_id.into(), emoji: Some(emoji.into()) };
        self.then_send(SendContent::Reaction(reaction))
    }

    /// Tell the contact that a message was read.
    fn then_mark_read(self, message_id: impl Into<String>) -> Self {
        self.then(Action::MarkRead(MarkRead { message_id: message_id.into(), typing: false }))
    }

    /// Tell the contact that a message was read, and show "typing" until the next message, at most 25 s.
    fn then_typing(self, message_id: impl Into<String>) -> Self {
        self.then(Action::MarkRead(MarkRead { message_id: message_id.into(), typing: true }))
    }

    /// Call an HTTP service; the answer comes as [`Event::HttpResponse`](crate::Event::HttpResponse).
    fn then_http(self, request: HttpRequest) -> Self {
        self.then(Action::HttpRequest(request))
    }

    /// Set a timer of this conversation, due at a moment in milliseconds (`ctx.now` plus something); one of the
    /// same name is replaced. It comes as [`Event::Timer`](crate::Event::Timer).
    fn then_schedule(self, name: impl Into<String>, due: u64, payload: impl Into<String>) -> Self {
        self.then(Action::Schedule(Schedule { name: name.into(), due, payload: payload.into() }))
    }

    /// Cancel the timer of this name, if there is one.
    fn then_cancel(self, name: impl Into<String>) -> Self {
        self.then(Action::Cancel(name.into()))
    }

    /// Hand the conversation to people; the flow is silent until it is released.
    fn then_hand_off(self, reason: impl Into<String>) -> Self {
        self.then(Action::HandOff(reason.into()))
    }

    /// Put a tag of 1 to 64 characters on the contact.
    fn then_tag(self, name: impl Into<String>) -> Self {
        self.then(Action::Tag(Tag { name: name.into(), present: true }))
    }

    /// Take a tag off the contact.
    fn then_untag(self, name: impl Into<String>) -> Self {
        self.then(Action::Tag(Tag { name: name.into(), present: false }))
    }

    /// The last message's key: a second send with a used key is left out. Unique per tenant, 1 to 256 characters.
    fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.change(|outcome| {
            last_send(outcome, "idempotency_key")?.idempotency_key = Some(key.into());
            Ok(())
        })
    }

    /// The last message answers this one.
    fn quoting(self, message_id: impl Into<String>) -> Self {
        self.change(|outcome| {
            last_send(outcome, "quoting")?.reply_to = Some(message_id.into());
            Ok(())
        })
    }

    /// The language of the last stored template, for example `en` or `pt_BR`. When the template lacks it, another
    /// of its languages stands in.
    fn language(self, language: impl Into<String>) -> Self {
        self.change(|outcome| {
            let SendContent::Stored(template) = &mut last_send(outcome, "language")?.content else {
                return Err(misplaced("language", "a stored template"));
            };
            template.language = Some(language.into());
            Ok(())
        })
    }

    /// The last text shows a preview of its first link.
    fn preview_url(self) -> Self {
        self.change(|outcome| {
            let SendContent::Text(text) = &mut last_send(outcome, "preview_url")?.content else {
                return Err(misplaced("preview_url", "a text"));
            };
            text.preview_url = true;
            Ok(())
        })
    }

    /// Put 1 to 3 buttons under the last text: id (1 to 256 characters) and title (1 to 20).
    fn buttons<I: Into<String>, T: Into<String>>(self, buttons: impl IntoIterator<Item = (I, T)>) -> Self {
        let button = |(id, title): (I, T)| ReplyButton { id: id.into(), title: title.into() };
        let buttons = buttons.into_iter().map(button).collect();
        self.change(|outcome| {
            replace_text(outcome, "buttons", |body| {
                SendContent::Buttons(SendButtons { body, header: None, footer: None, buttons })
            })
        })
    }

    /// Put a list under the last text, opened by a button of 1 to 20 characters; at most 10 rows in all.
    fn list(self, button: impl Into<String>, sections: impl IntoIterator<Item = ListSection>) -> Self {
        let (button, sections) = (button.into(), sections.into_iter().collect());
        self.change(|outcome| {
            replace_text(outcome, "list", |body| {
                SendContent::List(SendList { body, header: None, footer: None, button, sections })
            })
        })
    }

    /// Offer 1 to 10 choices under the last text, each with an id and a title: as buttons when they are at most 3
    /// with titles of at most 20 characters, else as a list that a button with the text `open` opens.
    ///
    /// ```
    /// # use hoopoe_sdk::prelude::*;
    /// let result = Outcome::reply("Which day?").choices("Days", [("mon", "Monday"), ("tue", "Tuesday")]);
    /// # assert!(result.is_ok());
    /// ```
    fn choices<I: Into<String>, T: Into<String>>(
        self,
        open: impl Into<String>,
        choices: impl IntoIterator<Item = (I, T)>,
    ) -> Self {
        let choices: Vec<(String, String)> = choices.into_iter().map(|(id, title)| (id.into(), title.into())).collect();
        if choices.len() <= 3 && choices.iter().all(|(_, title)| title.chars().count() <= 20) {
            return self.buttons(choices);
        }
        let rows = choices.into_iter().map(|(id, title)| ListRow::new(id, title)).collect();
        self.list(open, [ListSection { title: None, rows }])
    }

    /// A line above the last message's buttons or list.
    fn header(self, text: impl Into<String>) -> Self {
        self.change(|outcome| {
            *match &mut last_send(outcome, "header")?.content {
                SendContent::Buttons(buttons) => &mut buttons.header,
                SendContent::List(list) => &mut list.header,
                _ => return Err(misplaced("header", "buttons or a list")),
            } = Some(text.into());
            Ok(())
        })
    }

    /// A line below the last message's buttons or list.
    fn footer(self, text: impl Into<String>) -> Self {
        self.change(|outcome| {
            *match &mut last_send(outcome, "footer")?.content {
                SendContent::Buttons(buttons) => &mut buttons.footer,
                SendContent::List(list) => &mut list.footer,
                _ => return Err(misplaced("footer", "buttons or a list")),
            } = Some(text.into());
            Ok(())
        })
    }

    /// What the next event of this conversation will see, kept as JSON of at most 64 KiB.
    fn state<S: Serialize + ?Sized>(self, state: &S) -> Self {
        self.change(|outcome| {
            outcome.state = NextState::Replace(serde_json::to_vec(state)?);
            Ok(())
        })
    }

    /// Forget the state of this conversation.
    fn clear_state(self) -> Self {
        self.change(|outcome| {
            outcome.state = NextState::Clear;
            Ok(())
        })
    }
}

impl Build for FlowResult {
    fn change(self, change: impl FnOnce(&mut Outcome) -> Result<(), FlowError>) -> Self {
        let mut outcome = self?;
        change(&mut outcome)?;
        Ok(outcome)
    }
}

fn misplaced(method: &str, needs: &str) -> FlowError {
    FlowError::Reject(format!("`.{method}` needs {needs} before it"))
}

fn last_send<'a>(outcome: &'a mut Outcome, method: &str) -> Result<&'a mut Send, FlowError> {
    let send = outcome.actions.iter_mut().rev().find_map(|action| match action {
        Action::Send(send) => Some(send),
        _ => None,
    });
    send.ok_or_else(|| misplaced(method, "a message"))
}

/// Make something else of the last message, which has to be a text.
fn replace_text(
    outcome: &mut Outcome,
    method: &str,
    replacement: impl FnOnce(String) -> SendContent,
) -> Result<(), FlowError> {
    let content = &mut last_send(outcome, method)?.content;
    let SendContent::Text(text) = content else { return Err(misplaced(method, "a text")) };
    *content = replacement(std::mem::take(&mut text.body));
    Ok(())
}
