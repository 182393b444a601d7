-- What a conversation allows: Meta's window for free-form messages, the contact's wishes, and who the contact is. And what
-- Meta tells of a channel.

alter table tenants
    -- What becomes of a free-form message when the contact wrote more than 24 hours ago: refused, let through, or
    -- replaced by a template (a Graph API message without recipient).
    add column outside_window  text not null default 'refuse' check (outside_window in ('refuse', 'pass', 'template')),
    add column window_template json,
    -- Words by which people opt out of marketing and come back, lower case; null: those of the release.
    add column stop_words      text[],
    add column start_words     text[],
    -- What they are answered; null: the words of the release; empty: nothing.
    add column stop_answer     text,
    add column start_answer    text,
    -- Messages that come so soon after the first reach the flow together; 0: each by itself.
    add column debounce_seconds smallint not null default 0 check (debounce_seconds between 0 and 60);

-- consent_at: the moment, by Meta's clock, of the last wish that counts.
alter table contacts
    add column opted_out  boolean not null default false,
    add column consent_at timestamptz;

-- Not for who has opted out.
alter table messages add column marketing boolean not null default false;

-- Who opted out and came back, how and when; appended.
create table consent_changes (
    tenant_id   uuid not null,
    id          bigint generated always as identity,
    contact_id  uuid not null,
    change      text not null check (change in ('opt-out', 'opt-in')),
    -- message: the contact wrote the word; meta: the preference in WhatsApp; api: somebody of the tenant.
    source      text not null check (source in ('message', 'meta', 'api')),
    -- The word, Meta's words, or the reason that was given.
    detail      text,
    event_id    bigint,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    primary key (tenant_id, id)
);

-- What Meta told last of a number or its account, one row per kind.
create table channel_facts (
    tenant_id  uuid not null,
    channel_id uuid not null,
    kind       text not null,
    value      json not null,
    -- By Meta's clock, as far as it tells.
    told_at    timestamptz not null,
    primary key (tenant_id, channel_id, kind),
    foreign key (tenant_id, channel_id) references channels (tenant_id, id)
);
create index consent_changes_contact on consent_changes (tenant_id, contact_id, id);

-- Of two contacts that are one person the older stays; the other keeps its row, without ids, and its conversations
-- theirs, because the history names them. merged_into: the conversation that goes on in place of this one;
-- merged_contact_id: its contact.
alter table contacts drop constraint contacts_check;
alter table conversations
    add column merged_into       uuid,
    add column merged_contact_id uuid;
create index conversations_merged on conversations (tenant_id, merged_contact_id) where merged_contact_id is not null;

-- Contacts that are others now. Whoever adds work for a contact looks here, once it has locked the contact's lane.
create table merged_contacts (
    tenant_id  uuid not null,
    contact_id uuid not null,
    into_id    uuid not null,
    merged_at  timestamptz not null,
    primary key (tenant_id, contact_id)
);
create index merged_contacts_into on merged_contacts (tenant_id, into_id);

-- Numbers and user ids that a contact had: what was sent up to `until` is still that contact's.
create table former_ids (
    tenant_id  uuid not null,
    former_id  text not null,
    contact_id uuid not null,
    until      timestamptz not null,
    primary key (tenant_id, former_id)
);
