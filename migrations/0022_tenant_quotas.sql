-- Messages per second of all that the tenant sends, as the operator has set them; TENANT_RATE when null. Processes of the
-- release before go by TENANT_RATE alone.
alter table tenants add column messages_per_second double precision check (messages_per_second > 0);
