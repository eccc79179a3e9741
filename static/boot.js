// Starts the page. A file of its own, because the Content-Security-Policy permits no script inside
// index.html.
//
// The site's version stands in this file's own URL (`boot.js?v=...`, see xtask/src/content_version.rs) and is
// handed on to everything loaded from here, so that kept old files and new ones never meet.

const version = new URL(import.meta.url).search;
const siteUrl = (name) => new URL(name + version, import.meta.url);

// The theme that was chosen on an earlier visit, or the system's; before anything is drawn.
document.documentElement.dataset.theme = chosenTheme() ?? systemTheme();

document.getElementById("failed-reload").addEventListener("click", () => location.reload());

if (typeof WebAssembly !== "object") {
  fail("This browser has no WebAssembly, which the simulation is made of. Any browser since 2020 has it.", "");
} else {
  await start();
}

async function start() {
  // Both at once: the WebAssembly compiles while it arrives, whenever that is.
  const webAssembly = fetch(siteUrl("faultline-ui_bg.wasm"));
  // Its failure is handled below; here, only not reported twice.
  webAssembly.catch(() => {});
  try {
    const { default: startPage } = await import(siteUrl("faultline-ui.js"));
    await startPage({ module_or_path: webAssembly });
  } catch (error) {
    fail("Faultline could not be loaded. Is there a connection? Reload to try again.", String(error));
    throw error;
  }
}

function fail(what, details) {
  // The page may have said something more precise already.
  if (!document.getElementById("failed").hidden) return;
  document.getElementById("failed-what").textContent = what;
  document.getElementById("failed-details").textContent = details;
  document.getElementById("failed").hidden = false;
}

function chosenTheme() {
  try {
    return localStorage.getItem("faultline-theme");
  } catch {
    // Some browsers lock it away; then nothing was ever chosen.
    return null;
  }
}

function systemTheme() {
  return matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
}
