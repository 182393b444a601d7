"""Reminders: "remind me in 20 minutes to take the cake out". One that is due can be snoozed by a button."""

import json
import re
from datetime import datetime, timezone

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import host
from wit_world.imports.types import (
    Action, Action_Cancel, Action_Schedule, Action_Send, Content_ButtonReply, Content_Text, Context, Event,
    Event_Message, Event_Timer, EventKind, FlowError_Reject, Manifest, NextState_Keep, NextState_Replace, Outcome,
    ReplyButton, Schedule, Send, SendButtons, SendContent_Buttons, SendContent_Text, SendText,
)

MINUTE = 60_000
UNITS = {"minute": MINUTE, "hour": 60 * MINUTE, "day": 24 * 60 * MINUTE}
REQUEST = re.compile(r"remind me in (\d{1,4}) (minute|hour|day)s? to (.{1,200})", re.IGNORECASE | re.DOTALL)
CANCEL = re.compile(r"cancel (\d{1,6})", re.IGNORECASE)
SNOOZE = 10
MOST = 20
HELP = 'Tell me for example: "remind me in 20 minutes to take the cake out". "list" shows what I keep, "cancel 2" drops one.'


class Handler(exports.Handler):
    def describe(self) -> Manifest:
        return Manifest("reminders", "1.0.0", [EventKind.MESSAGE, EventKind.TIMER], None)

    def on_event(self, context: Context, event: Event, state: bytes | None) -> Outcome:
        kept = Reminders(context, state)
        print(f"{type(event).__name__} at {kept.clock(context.now)}, {len(kept.due)} kept")
        match event:
            case Event_Message(message):
                match message.content:
                    case Content_Text(text):
                        return kept.told(text.body.strip())
                    case Content_ButtonReply(choice):
                        return kept.pressed(choice.id)
                    case _:
                        return kept.answer(HELP)
            case Event_Timer(timer):
                return kept.rang(timer.name)
            case _:
                # Only what `describe` asks for is given to a flow.
                raise Err(FlowError_Reject(f"no {type(event).__name__} was asked for"))

    def migrate_state(self, from_version: str, state: bytes) -> bytes:
        return state


class Reminders:
    """What the conversation's state holds: when each reminder is due, what it says, and the next one's number."""

    def __init__(self, context: Context, state: bytes | None):
        kept = json.loads(state) if state else {"next": 1, "due": {}, "text": {}}
        self.now: int = context.now
        self.next: int = kept["next"]
        self.due: dict[str, int] = kept["due"]
        self.text: dict[str, str] = kept["text"]

    def told(self, words: str) -> Outcome:
        if request := REQUEST.fullmatch(words):
            return self.add(int(request[1]) * UNITS[request[2].lower()], request[3])
        if cancel := CANCEL.fullmatch(words):
            return self.drop(cancel[1])
        return self.answer(self.list() if words.lower() == "list" else HELP)

    def add(self, wait: int, text: str) -> Outcome:
        if len(self.text) >= MOST:
            return self.answer(f"I keep {MOST} reminders at most. Cancel one first.")
        number, self.next = str(self.next), self.next + 1
        self.text[number] = text
        host.log(host.Level.INFO, f"reminder {number} in {wait // MINUTE} minutes")
        return self.wait(number, wait, f"I will remind you: {text}")

    def drop(self, number: str) -> Outcome:
        if number not in self.text:
            return self.answer(f"There is no reminder {number}.")
        answer = f"Cancelled: {self.text.pop(number)}"
        self.due.pop(number, None)
        return self.answer(answer, Action_Cancel(number))

    def rang(self, number: str) -> Outcome:
        """A reminder is due. It is kept until a button says what becomes of it."""
        if number not in self.text:
            return Outcome([], NextState_Keep())
        self.due.pop(number, None)
        buttons = [ReplyButton(f"done {number}", "Done"), ReplyButton(f"snooze {number}", f"In {SNOOZE} minutes")]
        content = SendContent_Buttons(SendButtons(f"Reminder: {self.text[number]}", None, None, buttons))
        return self.outcome(Action_Send(Send(content, None, None)))

    def pressed(self, button: str) -> Outcome:
        choice, _, number = button.partition(" ")
        if number not in self.text:
            return self.answer("That reminder is gone already.")
        if choice == "snooze":
            return self.wait(number, SNOOZE * MINUTE, f"Once more in {SNOOZE} minutes.")
        self.text.pop(number)
        self.due.pop(number, None)
        return self.answer("Well done.", Action_Cancel(number))

    def wait(self, number: str, wait: int, answer: str) -> Outcome:
        self.due[number] = self.now + wait
        return self.answer(answer, Action_Schedule(Schedule(number, self.due[number], "")))

    def list(self) -> str:
        def line(number: str, text: str) -> str:
            due = self.due.get(number)
            return f"{number}. {text} ({self.clock(due) if due else 'waits for your answer'})"

        return "\n".join(line(number, text) for number, text in self.text.items()) or "There is nothing to remind you of."

    def answer(self, text: str, *more: Action) -> Outcome:
        return self.outcome(Action_Send(Send(SendContent_Text(SendText(text, False)), None, None)), *more)

    def outcome(self, *actions: Action) -> Outcome:
        state = {"next": self.next, "due": self.due, "text": self.text}
        return Outcome(list(actions), NextState_Replace(json.dumps(state).encode()))

    @staticmethod
    def clock(milliseconds: int) -> str:
        return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
