-- Of a channel that a status has suspended: when Meta took a message of it last. Meta takes every message then, and
-- reports each as failed; so the next one is tried a while after this, and only a status lets the channel go on. It counts
-- unless it is before suspended_at: processes of the release before suspend and resume without looking at it.
alter table channels add column taken_at timestamptz;
