//! Properties of the source tree itself: floors, purity, file headers.
