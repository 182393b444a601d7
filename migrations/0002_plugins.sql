-- Tenants' own plugins, rules and templates, and what flows may ask for besides messages.

-- Configurations of plugins: immutable, so that a run can name the one it had.
create table plugin_configs (
    tenant_id  uuid not null references tenants (id),
    id         bigint generated always as identity,
    config     json not null,
    created_at timestamptz not null,
    primary key (tenant_id, id)
);

-- What handles a tenant's events. flow is the name of a built-in plugin or of one of the tenant's; flow_digest says
-- which version of the latter (null: built-in). A share of the conversations can go to a canary version.
alter table tenants
    drop column flow_config,
    add column flow_digest          text,
    -- Null: {}.
    add column flow_config_id       bigint,
    add column flow_canary_digest   text,
    add column flow_canary_percent  smallint not null default 0 check (flow_canary_percent between 0 and 100),
    -- The circuit breaker: while set, the tenant's events wait.
    add column flow_paused_at       timestamptz,
    add column flow_paused_reason   text,
    -- What renders the tenant's templates; null: the built-in plugin.
    add column renderer             text,
    add column renderer_digest      text,
    add column renderer_config_id   bigint;

-- Who left a conversation's state, by digest of the component: a new version is handed it through migrate-state.
-- handed_off_at: people have the conversation; its flow is silent until it is released.
alter table conversations
    add column state_digest    text,
    add column handed_off_at   timestamptz,
    add column handed_off_reason text;
create index conversations_handed_off on conversations (tenant_id, handed_off_at) where handed_off_at is not null;

-- Sorted, without repeats.
alter table contacts add column tags text[] not null default '{}';

-- What a run was given and what it decided, so that it can be replayed: the context without the event, the
-- configuration, the state before, the outcome or null. Removed with the run after RUN_RETENTION.
alter table flow_runs
    add column conversation_id uuid,
    add column context json,
    add column config_id bigint,
    add column state   bytea,
    add column outcome json;
create index flow_runs_at on flow_runs (tenant_id, at desc);
create index flow_runs_age on flow_runs (at);

-- A tenant's plugins, by the name that the tenant gave them.
create table plugins (
    tenant_id   uuid not null references tenants (id),
    name        text not null,
    -- flow | template
    world       text not null check (world in ('flow', 'template')),
    -- Null: {}.
    config_id   bigint,
    -- Hosts that http-request actions may call: `api.example.com` or `*.example.com`.
    hosts       text[] not null default '{}',
    created_at  timestamptz not null,
    primary key (tenant_id, name)
);

-- Versions of a plugin: immutable, named by the SHA-256 of the component.
create table plugin_versions (
    tenant_id      uuid not null,
    plugin         text not null,
    digest         text not null check (length(digest) = 64),
    -- From the manifest.
    version        text not null,
    events         text[] not null,
    config_schema  json,
    -- Version of the contract in wit/.
    contract       text not null,
    size           integer not null,
    imports        text[] not null,
    exports        text[] not null,
    compile_micros bigint not null,
    component      bytea not null,
    created_at     timestamptz not null,
    primary key (tenant_id, plugin, digest),
    foreign key (tenant_id, plugin) references plugins (tenant_id, name)
);
-- Read whole and cached in compiled form: compressing it would only cost time.
alter table plugin_versions alter column component set storage external;

-- What became active when, and why; appended.
create table plugin_activations (
    tenant_id uuid not null,
    plugin    text not null,
    id        bigint generated always as identity,
    -- Null: the plugin was switched off.
    digest    text,
    -- activate | rollback | canary | promote | canary-failed | deactivate | pause | resume | migration-failed
    action    text not null,
    reason    text,
    at        timestamptz not null,
    primary key (tenant_id, plugin, id),
    foreign key (tenant_id, plugin) references plugins (tenant_id, name)
);

-- AES-256-GCM; never given out, only put into headers of http-request actions.
create table plugin_secrets (
    tenant_id  uuid not null,
    plugin     text not null,
    name       text not null,
    sealed     bytea not null,
    key_id     text not null,
    updated_at timestamptz not null,
    primary key (tenant_id, plugin, name),
    foreign key (tenant_id, plugin) references plugins (tenant_id, name)
);

-- Rule sets of the built-in plugin `rules`: the greatest version counts; a rollback appends a copy.
create table rule_sets (
    tenant_id  uuid not null references tenants (id),
    version    integer not null,
    -- {"set": as the API takes it, "configId": the configuration that it was compiled to, or null}.
    rules      json not null,
    -- The version that this one restores.
    restores   integer,
    created_at timestamptz not null,
    primary key (tenant_id, version)
);

-- Templates, every version of every language; the greatest version of a language counts.
create table templates (
    tenant_id  uuid not null references tenants (id),
    key        text not null,
    -- Which language stands in for one that is missing.
    default_language text not null,
    created_at timestamptz not null,
    deleted_at timestamptz,
    primary key (tenant_id, key)
);
create table template_versions (
    tenant_id  uuid not null,
    key        text not null,
    language   text not null,
    version    integer not null,
    components json not null,
    metadata   json not null default '{}',
    created_at timestamptz not null,
    -- The language was taken away with this version.
    removed    boolean not null default false,
    primary key (tenant_id, key, language, version),
    foreign key (tenant_id, key) references templates (tenant_id, key)
);

-- Timers of conversations; one that is due becomes an event and is deleted.
create table timers (
    tenant_id       uuid not null,
    conversation_id uuid not null,
    name            text not null,
    -- Names the event that it becomes: a timer that is set again is another one.
    id              uuid not null,
    contact_id      uuid not null,
    channel_id      uuid not null,
    due_at          timestamptz not null,
    payload         text not null,
    primary key (tenant_id, conversation_id, name),
    foreign key (tenant_id, conversation_id) references conversations (tenant_id, id)
);
create index timers_due on timers (due_at);

-- Calls that flows asked for; the answer becomes an event and the row is deleted.
create table http_calls (
    tenant_id       uuid not null,
    id              uuid not null,
    conversation_id uuid not null,
    contact_id      uuid not null,
    channel_id      uuid not null,
    -- Whose hosts and secrets count; null for a built-in plugin, which has none.
    plugin          text,
    name            text not null,
    -- {"method", "url", "headers": [[name, value]], "body" (base64), "timeoutMs"}
    request         json not null,
    attempts        integer not null default 0,
    -- When it may be claimed; a claim moves it to the end of its lease.
    ready_at        timestamptz not null,
    lease_token     bigint not null default 0,
    created_at      timestamptz not null,
    primary key (tenant_id, id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
create index http_calls_ready on http_calls (ready_at);
