//! The page's worker: runs a session off the main thread.
//!
//! The page and its worker are one WebAssembly module, which is downloaded and
//! compiled once: `main` asks where it is. Here is only glue. What is asked comes in as postcard bytes, what is answered goes
//! out in the same way; everything in between is [`Driver`](faultline::session::driver::Driver)'s,
//! which is tested natively.

use faultline::session::driver::Driver;
use faultline::session::protocol::{FromWorker, ToWorker};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel, MessageEvent};

/// The driver, and the ways in and out of it.
struct Worker {
    scope: DedicatedWorkerGlobalScope,
    driver: Driver,
    /// A message to itself ends a slice: whatever the page said meanwhile comes first.
    to_itself: MessageChannel,
    /// A message to itself is under way.
    slice_is_due: bool,
}

pub fn start() {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    std::panic::set_hook(Box::new(tell_panic));
    let to_itself = MessageChannel::new().expect("every browser with module workers has message channels");
    let worker =
        Rc::new(RefCell::new(Worker { scope, driver: Driver::new(), to_itself, slice_is_due: false }));

    let on_message = {
        let worker = worker.clone();
        Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            worker.borrow_mut().hear(&event.data());
        })
    };
    let on_slice = {
        let worker = worker.clone();
        Closure::<dyn FnMut(MessageEvent)>::new(move |_| worker.borrow_mut().slice())
    };
    let worker = worker.borrow();
    worker.to_itself.port1().set_onmessage(Some(on_slice.as_ref().unchecked_ref()));
    worker.scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    // They live as long as the worker.
    on_slice.forget();
    on_message.forget();
    post(&worker.scope, &FromWorker::Ready);
}

impl Worker {
    fn hear(&mut self, data: &JsValue) {
        let bytes = js_sys::Uint8Array::new(data).to_vec();
        let answers = match postcard::from_bytes::<ToWorker>(&bytes) {
            Ok(message) => {
                let mut clock = clock(&self.scope);
                self.driver.handle(message, &mut clock)
            }
            Err(_) => vec![FromWorker::Refused(
                "The page and its simulation are of different versions. Reload the page.".to_string(),
            )],
        };
        self.answer(answers);
    }

    fn slice(&mut self) {
        self.slice_is_due = false;
        let mut clock = clock(&self.scope);
        let answers = self.driver.slice(&mut clock);
        self.answer(answers);
    }

    fn answer(&mut self, answers: Vec<FromWorker>) {
        for answer in &answers {
            post(&self.scope, answer);
        }
        if self.driver.wants_slice() && !self.slice_is_due {
            self.slice_is_due = self.to_itself.port2().post_message(&JsValue::NULL).is_ok();
        }
    }
}

/// Milliseconds since the worker started.
fn clock(scope: &DedicatedWorkerGlobalScope) -> impl FnMut() -> f64 + use<> {
    let performance = scope.performance().expect("every browser with workers has a clock in them");
    move || performance.now()
}

fn post(scope: &DedicatedWorkerGlobalScope, message: &FromWorker) {
    let bytes = postcard::to_allocvec(message).expect("every message can be encoded");
    let array = js_sys::Uint8Array::from(bytes.as_slice());
    let transfer = js_sys::Array::of1(&array.buffer());
    // Fails only where the page is gone, and then nobody misses it.
    let _ = scope.post_message_with_transfer(&array, &transfer);
}

/// The page hears of a panic as of any error that a worker does not catch; the console gets its words.
fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    web_sys::console::error_1(&JsValue::from_str(&panic.to_string()));
}
