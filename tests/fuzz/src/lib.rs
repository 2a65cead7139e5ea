//! What the fuzz targets share.

pub mod files;
pub mod messages;
pub mod request;
pub mod whole_answers;

/// A folder of this process, for targets that read files.
pub fn folder() -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("pactgate-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the files");
    folder
}
