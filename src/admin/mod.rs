//! The sidecar's own surfaces: health, metrics, inspection.
