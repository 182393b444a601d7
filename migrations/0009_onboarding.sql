-- How tenants come aboard: Meta apps of their own, several numbers with a default, Embedded Signup, and what Meta says of
-- their access tokens.

-- A tenant's own app at Meta, whose webhooks come to an address of their own.
create table meta_apps (
    tenant_id     uuid not null references tenants (id),
    -- The last part of that address: random, so that nobody finds another's.
    webhook_key   text not null,
    -- Meta's id of the app, when it was told.
    app_id        text,
    -- AES-256-GCM, as all that is sealed here; key_id names the key, which is derived from MASTER_KEY. The former secret
    -- is taken along until `until`.
    secret_sealed bytea not null,
    secret_key_id text not null,
    former_sealed bytea,
    former_key_id text,
    former_until  timestamptz,
    verify_sealed bytea not null,
    verify_key_id text not null,
    -- When Meta has verified the address last.
    verified_at   timestamptz,
    created_at    timestamptz not null,
    updated_at    timestamptz not null,
    primary key (tenant_id)
);
create unique index meta_apps_webhook_key on meta_apps (webhook_key);

-- What a send goes out by that names no number; null: the oldest. No reference: rows of tenants come first.
alter table tenants add column default_channel_id uuid;

-- What Meta says of a channel's access token. A row is its own place in the queue of checks.
create table channel_tokens (
    tenant_id  uuid not null,
    channel_id uuid not null,
    -- When Meta is to be asked next. A claim moves it to the end of a lease.
    check_at   timestamptz not null,
    -- When Meta has answered last; null: this token was not checked yet.
    checked_at timestamptz,
    valid      boolean,
    -- Why it is not valid, or why nobody knows.
    reason     text,
    -- Null: never.
    expires_at timestamptz,
    data_access_expires_at timestamptz,
    scopes     text[] not null default '{}',
    app_id     text,
    -- When the tenant was warned that it expires.
    warned_at  timestamptz,
    primary key (tenant_id, channel_id),
    foreign key (tenant_id, channel_id) references channels (tenant_id, id)
);
create index channel_tokens_due on channel_tokens (check_at);

-- Embedded Signup: how far each number has come, so that a repeat goes on where the former attempt stopped. The tenant is
-- made by the last step, so nothing refers to it.
create table signups (
    tenant_id       uuid not null,
    phone_number_id text not null,
    waba_id         text not null,
    business_id     text,
    name            text not null,
    -- The tenant is new, not one that gets a further number.
    makes_tenant    boolean not null,
    -- Meta takes a code once: this one was, or is to be, exchanged.
    code_sha256     bytea not null check (length(code_sha256) = 32),
    -- From the exchange to the last step, which moves it into the channel.
    token_sealed    bytea,
    token_key_id    text,
    -- Of the number's two-step verification.
    pin_sealed      bytea,
    pin_key_id      text,
    subscribed_at   timestamptz,
    registered_at   timestamptz,
    completed_at    timestamptz,
    -- While somebody works on it.
    lease_until     timestamptz,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    primary key (tenant_id, phone_number_id)
);
create unique index signups_phone_number_id on signups (phone_number_id);
