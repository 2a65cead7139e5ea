//! What the collector keeps, as the collector asks for it.
