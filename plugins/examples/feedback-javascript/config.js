// What a tenant can set, and what holds without.

export const DEFAULTS = { question: "How was it with us?", remindAfterMinutes: 120 };

export const SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  additionalProperties: false,
  properties: {
    question: {
      type: "string",
      minLength: 1,
      maxLength: 900,
      default: DEFAULTS.question,
      description: "What the contact is asked.",
    },
    remindAfterMinutes: {
      type: "integer",
      minimum: 1,
      maximum: 1380,
      default: DEFAULTS.remindAfterMinutes,
      description: "When the question is asked once more. WhatsApp takes plain messages for 24 hours after the contact's last.",
    },
  },
};
