//! The way to the worker that runs the session, and back.

use crate::session::protocol::{FromWorker, ToWorker};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};
use yew::Callback;

/// A worker that is told things and answers. Lives as long as the page, or until it is stopped.
#[derive(Clone)]
pub struct WorkerLink {
    worker: Worker,
    /// What was said before the worker could hear.
    waiting: Rc<RefCell<Option<Vec<ToWorker>>>>,
}

impl WorkerLink {
    /// Starts the worker. `on_message` hears its answers, `on_failure` how it broke.
    pub fn start(
        on_message: Callback<FromWorker>,
        on_failure: Callback<String>,
    ) -> Result<WorkerLink, String> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(&super::site::address("worker-boot.js"), &options)
            .map_err(|error| format!("{error:?}"))?;
        let link = WorkerLink { worker, waiting: Rc::new(RefCell::new(Some(Vec::new()))) };

        let hear = {
            let link = link.clone();
            let on_failure = on_failure.clone();
            Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
                let bytes = js_sys::Uint8Array::new(&event.data()).to_vec();
                match postcard::from_bytes::<FromWorker>(&bytes) {
                    Ok(FromWorker::Ready) => link.send_what_waits(),
                    Ok(message) => on_message.emit(message),
                    Err(error) => on_failure.emit(format!("an answer could not be decoded: {error}")),
                }
            })
        };
        let fail = Closure::<dyn FnMut(ErrorEvent)>::new(move |event: ErrorEvent| {
            on_failure.emit(event.message());
        });
        link.worker.set_onmessage(Some(hear.as_ref().unchecked_ref()));
        link.worker.set_onerror(Some(fail.as_ref().unchecked_ref()));
        hear.forget();
        fail.forget();
        // The worker runs the page's own module: it is downloaded and compiled once.
        link.worker.post_message(&wasm_bindgen::module()).map_err(|error| format!("{error:?}"))?;
        Ok(link)
    }

    pub fn send(&self, message: ToWorker) {
        if let Some(waiting) = self.waiting.borrow_mut().as_mut() {
            waiting.push(message);
            return;
        }
        let bytes = postcard::to_allocvec(&message).expect("every message can be encoded");
        let array = js_sys::Uint8Array::from(bytes.as_slice());
        let transfer = js_sys::Array::of1(&array.buffer());
        // Fails only where the worker is gone, which it has said.
        let _ = self.worker.post_message_with_transfer(&array, &transfer);
    }

    /// Ends it at once, whatever it is doing.
    pub fn stop(&self) {
        self.worker.terminate();
    }

    fn send_what_waits(&self) {
        let waiting = self.waiting.borrow_mut().take();
        for message in waiting.into_iter().flatten() {
            self.send(message);
        }
    }
}
