//! The operations center: where people see, decide, approve, suspend.
