//! Bodies that come, stall, trickle and swell.

use std::convert::Infallible;

use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};

use super::*;

const BOUNDS: BodyBounds =
    BodyBounds { idle: Duration::from_secs(30), total: Some(Duration::from_secs(100)), bytes_max: 10 };

/// A body that sends one byte after each pause.
fn trickle(
    pauses: impl IntoIterator<Item = u64>,
) -> impl http_body::Body<Data = Bytes, Error = Infallible> + Unpin {
    let pauses: Vec<u64> = pauses.into_iter().collect();
    Box::pin(StreamBody::new(stream::unfold(pauses.into_iter(), async |mut pauses| {
        tokio::time::sleep(Duration::from_secs(pauses.next()?)).await;
        Some((Ok(Frame::data(Bytes::from_static(b"x"))), pauses))
    })))
}

#[tokio::test(start_paused = true)]
async fn a_body_within_its_bounds_passes_with_its_trailers() {
    let trailers = http::HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("e"))]);
    let frames = [Frame::data(Bytes::from_static(b"0123456789")), Frame::trailers(trailers.clone())];
    let body = StreamBody::new(stream::iter(frames.map(Ok::<_, Infallible>)));
    let got = TimedBody::new(body, BOUNDS).collect().await.unwrap();
    assert_eq!(got.trailers(), Some(&trailers));
    assert_eq!(got.to_bytes(), "0123456789");
}

#[tokio::test(start_paused = true)]
async fn slow_but_steady_passes() {
    let got = TimedBody::new(trickle([29, 29, 29]), BOUNDS).collect().await.unwrap();
    assert_eq!(got.to_bytes(), "xxx");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_is_cut() {
    let began = Instant::now();
    let error = TimedBody::new(trickle([5, 31]), BOUNDS).collect().await.unwrap_err();
    assert!(matches!(error, BodyError::Stalled { .. }), "{error}");
    assert_eq!(began.elapsed().as_secs(), 35);
}

#[tokio::test(start_paused = true)]
async fn a_trickle_without_end_is_cut() {
    let began = Instant::now();
    let error = TimedBody::new(trickle([20; 9]), BOUNDS).collect().await.unwrap_err();
    assert!(matches!(error, BodyError::TooSlow { .. }), "{error}");
    assert_eq!(began.elapsed().as_secs(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_body_beyond_its_size_is_cut() {
    let error = TimedBody::new(trickle([0; 11]), BOUNDS).collect().await.unwrap_err();
    assert!(matches!(error, BodyError::TooLarge { bytes_max: 10 }), "{error}");
}
