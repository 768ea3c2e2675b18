-- The center's store, first form. `PRAGMA user_version` says which migrations a file has seen: see store.py.

CREATE TABLE messages (             -- what came in sequence, as it came
    event_number INTEGER PRIMARY KEY,   -- the live feed's id; grows for ever
    site_id      TEXT NOT NULL,
    run_id       TEXT NOT NULL,
    sequence     INTEGER NOT NULL,
    name         TEXT NOT NULL,         -- the topic's last part
    received_ns  INTEGER NOT NULL,
    fault        TEXT,                  -- why the body could not be read; NULL: it was
    payload      BLOB NOT NULL,
    UNIQUE (site_id, run_id, sequence)
);
CREATE INDEX messages_by_receipt ON messages (received_ns);

CREATE TABLE track_states (         -- every published form of every track
    event_number       INTEGER NOT NULL,
    site_id            TEXT NOT NULL,
    run_id             TEXT NOT NULL,
    track_number       INTEGER NOT NULL,
    revision           INTEGER NOT NULL,
    time_ns            INTEGER NOT NULL,
    latitude_deg       REAL NOT NULL,
    longitude_deg      REAL NOT NULL,
    height_m           REAL NOT NULL,
    east_m_s           REAL NOT NULL,
    north_m_s          REAL NOT NULL,
    up_m_s             REAL NOT NULL,
    horizontal_sigma_m REAL NOT NULL,
    status             TEXT NOT NULL,
    reason             TEXT,
    existence          REAL NOT NULL,
    class              TEXT,
    class_probability  REAL,
    is_direction       INTEGER NOT NULL, -- 1: only the direction was known; the position stands for a wedge
    PRIMARY KEY (event_number, track_number, revision)
) WITHOUT ROWID;
CREATE INDEX track_states_by_track ON track_states (site_id, run_id, track_number, revision);
CREATE INDEX track_states_by_time ON track_states (time_ns);

CREATE TABLE runs (
    site_id           TEXT NOT NULL,
    run_id            TEXT NOT NULL,
    first_received_ns INTEGER NOT NULL,
    last_received_ns  INTEGER NOT NULL,
    PRIMARY KEY (site_id, run_id)
) WITHOUT ROWID;

CREATE TABLE sequence_ranges (      -- which sequence numbers of a run are committed; closed ranges
    site_id TEXT NOT NULL,
    run_id  TEXT NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    PRIMARY KEY (site_id, run_id, first)
) WITHOUT ROWID;

CREATE TABLE latest (               -- the newest site and health message of each post
    site_id     TEXT NOT NULL,
    name        TEXT NOT NULL,
    received_ns INTEGER NOT NULL,
    payload     BLOB NOT NULL,
    PRIMARY KEY (site_id, name)
) WITHOUT ROWID;

CREATE TABLE health_samples (       -- a post's health at every change of state, and now and then between
    site_id     TEXT NOT NULL,
    received_ns INTEGER NOT NULL,
    run_id      TEXT NOT NULL,
    time        TEXT NOT NULL,
    state       TEXT NOT NULL,
    text        TEXT NOT NULL,
    payload     BLOB NOT NULL,
    PRIMARY KEY (site_id, received_ns)
) WITHOUT ROWID;
CREATE INDEX health_samples_by_receipt ON health_samples (received_ns);

CREATE TABLE starts (               -- one row; how often the center was started on this store
    start_number INTEGER NOT NULL
);
INSERT INTO starts VALUES (0);
