-- Whether the outcome of a request for the message was ever unknown. It may be at Meta then, also while it waits to be sent
-- again, and cannot be taken back. Processes of the release before do not write it down; what they doubt can be canceled
-- as it could before.
alter table outbox add column doubted boolean not null default false;
