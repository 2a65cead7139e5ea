-- What the collector keeps. Times are microseconds since 1970, UTC.

-- Counters that must survive a restart.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY NOT NULL,
    value BIGINT NOT NULL
);

-- One log of one sidecar, and how far its records are held without a gap.
CREATE TABLE sources (
    id               INTEGER PRIMARY KEY NOT NULL,
    source           TEXT NOT NULL UNIQUE,
    sidecar          TEXT NOT NULL,
    accepted_through BIGINT NOT NULL,
    head             BLOB NOT NULL,
    seen_at          BIGINT NOT NULL
);
CREATE INDEX sources_by_sidecar ON sources (sidecar);

-- Records, exactly as received, and what is asked about them.
CREATE TABLE records (
    position    INTEGER PRIMARY KEY NOT NULL,
    source_id   BIGINT NOT NULL REFERENCES sources (id),
    sequence    BIGINT NOT NULL,
    hash        BLOB NOT NULL,
    received_at BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    agent       TEXT,
    pact        TEXT,
    verdict     TEXT NOT NULL,
    effect      TEXT NOT NULL,
    reason      TEXT,
    clause      TEXT,
    action_kind TEXT,
    action      TEXT NOT NULL,
    event       BLOB NOT NULL,
    UNIQUE (source_id, sequence)
);
CREATE INDEX records_by_agent ON records (agent, position);
CREATE INDEX records_by_pact ON records (pact, position);
CREATE INDEX records_by_reason ON records (reason, position) WHERE reason IS NOT NULL;

-- Each agent's score: a shortcut that the records can rebuild.
CREATE TABLE agents (
    agent       TEXT PRIMARY KEY NOT NULL,
    tier        TEXT NOT NULL,
    since       BIGINT NOT NULL,
    mean        DOUBLE PRECISION NOT NULL,
    lower       DOUBLE PRECISION NOT NULL,
    confidence  DOUBLE PRECISION NOT NULL,
    why         TEXT NOT NULL,
    suspended   BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    computed_at BIGINT NOT NULL,
    position    BIGINT NOT NULL,
    override_id BIGINT NOT NULL,
    revision    BIGINT NOT NULL,
    state       BLOB NOT NULL
);
CREATE INDEX agents_by_revision ON agents (revision);
CREATE INDEX agents_by_tier ON agents (tier, agent);
CREATE INDEX agents_by_computed_at ON agents (computed_at);

CREATE TABLE tier_changes (
    id        INTEGER PRIMARY KEY NOT NULL,
    agent     TEXT NOT NULL,
    at        BIGINT NOT NULL,
    from_tier TEXT NOT NULL,
    to_tier   TEXT NOT NULL,
    why       TEXT NOT NULL
);
CREATE INDEX tier_changes_by_agent ON tier_changes (agent, id);

-- What operators decided. `after_position` is its place among the records.
CREATE TABLE overrides (
    id             INTEGER PRIMARY KEY NOT NULL,
    agent          TEXT NOT NULL,
    action         TEXT NOT NULL,
    operator       TEXT NOT NULL,
    why            TEXT NOT NULL,
    at             BIGINT NOT NULL,
    after_position BIGINT NOT NULL
);
CREATE INDEX overrides_by_agent ON overrides (agent, id);

-- The same thing within an hour is one signal: `fingerprint` says what the same is.
CREATE TABLE signals (
    id          INTEGER PRIMARY KEY NOT NULL,
    fingerprint TEXT NOT NULL UNIQUE,
    kind        TEXT NOT NULL,
    severity    TEXT NOT NULL,
    agent       TEXT,
    source      TEXT,
    detail      TEXT NOT NULL,
    raised_by   TEXT NOT NULL,
    raised_at   BIGINT NOT NULL,
    last_at     BIGINT NOT NULL,
    count       BIGINT NOT NULL
);

CREATE TABLE approvals (
    id          INTEGER PRIMARY KEY NOT NULL,
    approval    TEXT NOT NULL UNIQUE,
    sidecar     TEXT NOT NULL,
    question    TEXT NOT NULL,
    state       TEXT NOT NULL,
    expires_at  BIGINT NOT NULL,
    answered_by TEXT,
    why         TEXT,
    answered_at BIGINT,
    revision    BIGINT NOT NULL
);
CREATE INDEX approvals_by_state ON approvals (state, id);
CREATE INDEX approvals_by_revision ON approvals (revision);
