//! Opening the database, and bringing it to this version.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::broadcast;

use crate::domain::Timestamp;
use crate::scoring::Weights;
use crate::store::{Store, StoreError};

/// Hints that a slow listener may fall behind before it has to look for itself.
const CHANGES_MAX: usize = 1_024;
const READERS: u32 = 4;

impl Store {
    /// Opens the database file, or makes it; brings scores made by another algorithm or other weights to `weights`
    /// by folding their records again.
    ///
    /// # Errors
    /// When the file cannot be opened, was made by a newer version, or is damaged.
    pub async fn open(file: &Path, weights: Weights, now: Timestamp) -> Result<Self, StoreError> {
        // An acknowledged record is deleted at the sidecar, so a commit here must survive a power loss: FULL.
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(30))
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await?;
        migrations().run(&writer).await?;
        let reader = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(Duration::from_secs(30))
            .connect_with(options.read_only(true))
            .await?;
        let (changes, _) = broadcast::channel(CHANGES_MAX);
        let store = Self { writer, reader, weights: Arc::new(weights), changes };
        store.refold_stale(now).await?;
        Ok(store)
    }

    /// Closes the database after the last transaction.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// The steps from an empty database to this version, compiled in. Steps are added, never edited: each is kept
/// with its checksum in the database.
fn migrations() -> Migrator {
    let steps = [("first", include_str!("migrations/sqlite/0001_first.sql"))];
    let migrations = steps.into_iter().zip(1..).map(|((name, sql), version)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}
