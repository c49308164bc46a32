ALTER TABLE readings ADD COLUMN source text NOT NULL DEFAULT 'unknown';
CREATE INDEX readings_taken_at ON readings (taken_at);
