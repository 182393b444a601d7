// Asks how it was, with buttons; then for a comment. Who does not answer is asked once more. Who was unhappy gets a
// person.

import { log } from "hoopoe:flow/host@0.1.0";

import { DEFAULTS, SCHEMA } from "./config.js";

const RATINGS = { good: "Good", fair: "So-so", bad: "Bad" };
const REMINDER = "remind";
const MINUTE = 60_000n;

// One form for names of fields and kinds: `config-schema` is `configSchema`, kinds stay as in flow.wit.
export const handler = {
  describe() {
    return { name: "feedback", version: "1.0.0", events: ["message", "timer"], configSchema: JSON.stringify(SCHEMA) };
  },

  onEvent(context, event, bytes) {
    const config = { ...DEFAULTS, ...JSON.parse(context.config) };
    const state = bytes ? JSON.parse(new TextDecoder().decode(bytes)) : { step: "new" };
    console.log(`${event.tag} at ${new Date().toISOString()}, step ${state.step}`);
    switch (event.tag) {
      case "message":
        return onMessage(context, config, state, event.val);
      case "timer":
        return event.val.name === REMINDER && state.step === "rating"
          ? outcome([send(question(config, "You have not told us yet. "))], state)
          : outcome([]);
      default:
        // Only what `describe` asks for is given to a flow.
        throw reject(`no ${event.tag} was asked for`);
    }
  },

  migrateState(_fromVersion, bytes) {
    return bytes;
  },
};

function onMessage(context, config, state, message) {
  const rating = message.content.tag === "button-reply" ? message.content.val.id : undefined;
  if (Object.hasOwn(RATINGS, rating ?? "")) return rated(state, rating);
  if (state.step === "comment" && message.content.tag === "text") return commented(state, message.content.val.body);
  // Anything else: (once more) the question.
  const due = context.now + BigInt(config.remindAfterMinutes) * MINUTE;
  return outcome([send(question(config)), schedule(REMINDER, due)], { step: "rating" });
}

function rated(state, rating) {
  log("info", `rated ${rating}`);
  // A second thought takes the first tag off.
  const old = state.rating && state.rating !== rating ? [tag(`feedback-${state.rating}`, false)] : [];
  const ask = rating === "good" ? "Great! What did you like best?" : "Sorry to hear that. What should we do better?";
  return outcome(
    [cancel(REMINDER), ...old, tag(`feedback-${rating}`, true), send(text(ask))],
    { step: "comment", rating },
  );
}

function commented(state, comment) {
  const thanks = send(text("Thank you, that helps us."));
  const person = { tag: "hand-off", val: `feedback ${state.rating}: ${comment.slice(0, 200)}` };
  return outcome(state.rating === "bad" ? [thanks, person] : [thanks], { step: "done", rating: state.rating });
}

function question(config, before = "") {
  const buttons = Object.entries(RATINGS).map(([id, title]) => ({ id, title }));
  return { tag: "buttons", val: { body: before + config.question, buttons } };
}

const text = (body) => ({ tag: "text", val: { body, previewUrl: false } });
const send = (content) => ({ tag: "send", val: { content } });
const schedule = (name, due) => ({ tag: "schedule", val: { name, due, payload: "" } });
const cancel = (name) => ({ tag: "cancel", val: name });
const tag = (name, present) => ({ tag: "tag", val: { name, present } });

// Without a state: keep the one that is there.
const outcome = (actions, state) => ({
  actions,
  state: state ? { tag: "replace", val: new TextEncoder().encode(JSON.stringify(state)) } : { tag: "keep" },
});

// What is thrown with a `payload` is the error of the WIT result; anything else that is thrown is a panic.
const reject = (reason) => Object.assign(new Error(reason), { payload: { tag: "reject", val: reason } });
