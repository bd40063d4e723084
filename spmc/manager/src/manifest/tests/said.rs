//! What is logged, for tests that judge it.

use std::cell::RefCell;
use std::sync::Once;

use super::*;

struct Kept;

std::thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

impl log::Log for Kept {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        LINES.with_borrow_mut(|lines| lines.push(std::format!("{}: {}", record.level(), record.args())));
    }
    fn flush(&self) {}
}

/// What `f` logs from level info up, as "LEVEL: message".
pub fn logged<T>(f: impl FnOnce() -> T) -> (T, Vec<String>) {
    static START: Once = Once::new();
    START.call_once(|| {
        log::set_logger(&Kept).unwrap();
        log::set_max_level(log::LevelFilter::Info);
    });
    LINES.take();
    let result = f();
    (result, LINES.take())
}
