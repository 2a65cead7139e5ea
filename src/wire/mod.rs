//! Messages between sidecar and collector: versioned, apart from the domain.
