// Starts the page. A file of its own, because the Content-Security-Policy permits no script inside
// index.html.
//
// The site's version stands in this file's own URL (`boot.js?v=...`, see xtask/src/content_version.rs) and is
// handed on to everything loaded from here, so that kept old files and new ones never meet.
//
// The WebAssembly is compressed with xz (xtask/src/compress.rs), which browsers can't undo: the decoder is
// bundled into this file (xtask/src/bundle.rs).

import { XzReadableStream } from "xz-decompress";

/** What every xz file begins with. */
const XZ_BEGINNING = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
/** What every WebAssembly module begins with. */
const WEB_ASSEMBLY_BEGINNING = [0x00, 0x61, 0x73, 0x6d];

const RELOAD = "Reload to try again; if that does not help, the site has to be copied to its host anew.";

/** Why the page can't start, in a sentence for its visitor; `cause` is for whoever mends it. */
class CannotStart extends Error {}

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
  // Both at once: the WebAssembly is decompressed and compiles while it arrives, whenever that is.
  const webAssembly = compile(siteUrl("faultline-ui_bg.wasm.xz"));
  // Its failure is handled below; here, only not reported twice.
  webAssembly.catch(() => {});
  try {
    const { default: startPage } = await import(siteUrl("faultline-ui.js"));
    await startPage({ module_or_path: await webAssembly });
  } catch (error) {
    if (error instanceof CannotStart) {
      fail(error.message, String(error.cause));
    } else {
      fail("Faultline could not be loaded. Is there a connection? Reload to try again.", String(error));
    }
    throw error;
  }
}

/** The compiled module of a compressed file. */
async function compile(url) {
  const where = url.origin + url.pathname;
  let response;
  try {
    response = await fetch(url);
  } catch (cause) {
    const what = `The simulation could not be fetched from ${where}. Is there a connection? Reload to try again.`;
    throw new CannotStart(what, { cause });
  }
  if (!response.ok) {
    const what = `The simulation could not be fetched: the host answered ${response.status} for ${where}. ${RELOAD}`;
    throw new CannotStart(what, { cause: `${response.status} ${response.statusText}` });
  }
  try {
    const module = await decompressed(response.body, where);
    const headers = { "Content-Type": "application/wasm" };
    return await WebAssembly.compileStreaming(new Response(module, { headers }));
  } catch (cause) {
    if (cause instanceof CannotStart) throw cause;
    // A damaged file may decompress for a while, to what is no WebAssembly.
    const what =
      cause instanceof WebAssembly.CompileError
        ? `The simulation could not be compiled: ${where} is damaged, or this browser is older than 2022.`
        : `The simulation arrived incomplete or damaged from ${where}.`;
    throw new CannotStart(`${what} ${RELOAD}`, { cause });
  }
}

/**
 * The bytes of a WebAssembly module. Where its host has declared the compression, the browser may have undone it
 * already.
 */
async function decompressed(stream, where) {
  const [beginning, whole] = stream.tee();
  const first = await firstBytes(beginning, XZ_BEGINNING.length);
  const beginsWith = (bytes) => bytes.every((byte, index) => first[index] === byte);
  if (beginsWith(XZ_BEGINNING)) return new XzReadableStream(whole);
  if (beginsWith(WEB_ASSEMBLY_BEGINNING)) return whole;
  const hexadecimal = first.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  throw new CannotStart(`The simulation could not be read: ${where} is something else. ${RELOAD}`, {
    cause: `its first bytes are ${hexadecimal || "none"}`,
  });
}

/** The first `count` bytes of a stream, or all where it has fewer. */
async function firstBytes(stream, count) {
  const reader = stream.getReader();
  const bytes = [];
  while (bytes.length < count) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes.push(...value.subarray(0, count - bytes.length));
  }
  // Nobody waits for it: it is only done when the stream's twin is.
  reader.cancel();
  return bytes;
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
