-- Messenger and Instagram beside WhatsApp. Processes of an earlier release know neither: channels of these kinds are to be
-- registered when none of them runs any more.

alter table channels
    drop constraint channels_kind_check,
    add constraint channels_kind_check check (kind in ('whatsapp', 'messenger', 'instagram')),
    -- Instagram: the page that the account is linked to; sends go out by it. phone_number_id holds Meta's id of the
    -- number, page or Instagram account, whatever the kind.
    add column page_id text;

-- Messages of these channels that a person may still read: Meta tells it by a moment, not by message. Deleted when it is
-- told. contacts.user_id of such a person is `<page or account>/<person>`: these ids are one page's only.
create table unread (
    tenant_id  uuid not null,
    channel_id uuid not null,
    contact_id uuid not null,
    message_id uuid not null,
    -- When its last request was begun: Meta's time of the message is not before it.
    begun_at   timestamptz not null,
    primary key (tenant_id, channel_id, contact_id, message_id)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
