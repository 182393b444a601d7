-- Meta's ids of inbound messages are looked up in the journal alone: an index of them would take a random page for every
-- message that comes in.
create index messages_metas_id on messages (tenant_id, wa_message_id) where direction = 'OUT' and wa_message_id is not null;
drop index messages_wa_message_id;
