//! Why the store could not do what it was asked.

/// A failure of the store itself. What the store decides is in the answer of each question, not here.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed: disk full, file damaged, or locked by another process.
    #[error("the database failed: check the disk under `data`, and that no other collector uses it")]
    Database(#[from] sqlx::Error),
    /// The database was made by a newer version, or a migration failed.
    #[error("the database cannot be brought to this version: use the version that wrote it, or a newer one")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row does not hold what was written.
    #[error("the database is damaged: {0}")]
    Damaged(String),
}

impl StoreError {
    pub(in crate::store) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }
}
