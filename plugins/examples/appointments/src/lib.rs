//! Books appointments with buttons and lists, and reminds of them. See the README.

mod calendar;

use hoopoe_sdk::Timer;
use hoopoe_sdk::dialog::{Dialog, choice};
use hoopoe_sdk::prelude::*;
use hoopoe_sdk::time::HOUR;
use serde::{Deserialize, Serialize};

use crate::calendar::Config;

/// The name of the timer.
const REMINDER: &str = "reminder";
/// The tag of contacts who have an appointment.
const TAG: &str = "appointment";
const YES_NO: [(&str, &str); 2] = [("yes", "Yes"), ("no", "No")];
const KEEP_CANCEL: [(&str, &str); 2] = [("keep", "Keep it"), ("cancel", "Cancel it")];

/// What was asked last, and what is known so far.
#[derive(Serialize, Deserialize)]
enum Step {
    Service,
    Day { service: String },
    Time { service: String, day: String },
    Confirm(Appointment),
    Booked(Appointment),
}

#[derive(Serialize, Deserialize)]
struct Appointment {
    service: String,
    /// `2026-01-05` and `09:00`, on the tenant's clock.
    day: String,
    time: String,
}

#[flow(events(message, timer), config_schema = include_str!("../config.schema.json"))]
fn appointments(ctx: &Context, event: &Event, step: Option<Step>) -> FlowResult {
    let config: Config = ctx.config()?;
    let dialog = Dialog::new(ctx, event).timeout(HOUR, "Write again when you would like an appointment.");
    match step {
        Some(Step::Booked(appointment)) if config.begin(&appointment)? > ctx.now => {
            booked(&config, event, &appointment)
        }
        Some(Step::Service) => dialog.answer(choice(config.services()), "Please choose a service.", |service| {
            dialog.ask("Which day?", &Step::Day { service }).choices("Days", config.days(ctx.now))
        }),
        Some(Step::Day { service }) => dialog.answer(choice(config.days(ctx.now)), "Please choose a day.", |day| {
            let times = config.times(ctx.now, &day);
            dialog.ask("At what time?", &Step::Time { service, day }).choices("Times", times)
        }),
        Some(Step::Time { service, day }) => {
            dialog.answer(choice(config.times(ctx.now, &day)), "Please choose a time.", |time| {
                let appointment = Appointment { service, day, time };
                let question = format!("{}. Shall I book it?", config.words(&appointment));
                dialog.ask(question, &Step::Confirm(appointment)).buttons(YES_NO)
            })
        }
        Some(Step::Confirm(appointment)) => dialog.answer(choice(YES_NO), "Yes or no?", |answer| match &*answer {
            "yes" => book(ctx, &config, appointment),
            _ => dialog.end("Nothing is booked. Write again when you like."),
        }),
        // Nothing yet, or an appointment that is past.
        _ if event.message().is_some() => {
            dialog.ask("What can we do for you?", &Step::Service).choices("Services", config.services())
        }
        _ => Outcome::nothing(),
    }
}

fn book(ctx: &Context, config: &Config, appointment: Appointment) -> FlowResult {
    let begin = config.begin(&appointment)?;
    if begin <= ctx.now {
        return Outcome::reply("I am sorry, this time has passed meanwhile. Write again for another.").clear_state();
    }
    let result = Outcome::reply(format!("Booked: {}.", config.words(&appointment))).then_tag(TAG);
    let remind = begin.saturating_sub(config.remind_hours * HOUR);
    let result = if remind > ctx.now { result.then_schedule(REMINDER, remind, "") } else { result };
    result.state(&Step::Booked(appointment))
}

/// Somebody who has an appointment is reminded or writes.
fn booked(config: &Config, event: &Event, appointment: &Appointment) -> FlowResult {
    let words = config.words(appointment);
    match event {
        Event::Timer(Timer { name, .. }) if name == REMINDER => match &config.reminder_template {
            Some(key) => {
                let day = calendar::day_in_words(&appointment.day);
                let variables = [("service", &*appointment.service), ("day", &day), ("time", &appointment.time)];
                Outcome::template(key, variables)
            }
            None => Outcome::reply(format!("Do not forget: {words}.")).buttons(KEEP_CANCEL),
        },
        Event::Message(message) => match choice(KEEP_CANCEL)(message).as_deref() {
            Some("keep") => Outcome::reply("Fine, see you then!"),
            Some(_) => Outcome::reply("It is cancelled.").then_cancel(REMINDER).then_untag(TAG).clear_state(),
            None => Outcome::reply(format!("You have an appointment: {words}.")).buttons(KEEP_CANCEL),
        },
        _ => Outcome::nothing(),
    }
}

#[cfg(test)]
#[path = "../stories.rs"]
mod stories;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stories::stories;

    #[test]
    fn natively() {
        for story in stories() {
            story(testing::Harness::<appointments>::new());
        }
    }
}
