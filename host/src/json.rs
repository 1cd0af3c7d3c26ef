//! Results for programs: how figures are written.

use serde::Serializer;
use std::time::Duration;

/// A duration as a number of seconds.
pub(crate) fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
