// Starts the worker that runs the simulation: a module worker, created by the page as `worker-boot.js` with
// the page's own version (see boot.js), which is handed on here in the same way. The page sends its compiled
// WebAssembly module as the first message.

const version = new URL(import.meta.url).search;

const firstMessage = new Promise((resolve) => {
  self.addEventListener("message", (event) => resolve(event.data), { once: true });
});
const { default: start } = await import(new URL("faultline-ui.js" + version, import.meta.url));
await start({ module_or_path: await firstMessage });
