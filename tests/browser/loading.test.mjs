// The page starts from its compressed WebAssembly, however a host sends it; and where it can't start, it says why.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import xz from "xz-decompress";

import { launchBrowser, openPage, settings } from "./harness.mjs";

const MODULE = "faultline-ui_bg.wasm.xz";

let browser;
let compressed;
before(async () => {
  browser = await launchBrowser();
  compressed = Buffer.from(await (await fetch(settings.url + MODULE)).arrayBuffer());
});
after(() => browser.close());

const runs = (opened) => opened.page.getByRole("button", { name: "Pause", exact: true }).waitFor();

/** What the page says when its module is answered like this. */
async function failure(answer) {
  const opened = await openPage(browser, { answers: { [MODULE]: answer } });
  const box = opened.page.getByRole("alert").filter({ hasText: "Faultline stopped" });
  await box.waitFor();
  const text = await box.innerText();
  await opened.close();
  assert.ok(text.includes("Reload"), text);
  return text;
}

test("the page starts from the compressed file, which is all of the WebAssembly that is loaded", async () => {
  const opened = await openPage(browser, { url: settings.deepUrl });
  await runs(opened);
  const loaded = (await opened.transfers()).map(({ url }) => new URL(url).pathname.split("/").pop());
  assert.deepEqual(loaded.filter((name) => name.includes(".wasm")), [MODULE]);
  opened.assertNoProblems();
  await opened.close();
});

test("the page starts where the host has declared the compression, and the browser undone it", async () => {
  const stream = new xz.XzReadableStream(new Blob([compressed]).stream());
  const body = Buffer.from(await new Response(stream).arrayBuffer());
  const opened = await openPage(browser, { answers: { [MODULE]: (route) => route.fulfill({ body }) } });
  await runs(opened);
  opened.assertNoProblems();
  await opened.close();
});

for (const [name, length] of [
  ["in the middle", () => compressed.length / 2],
  ["within its first bytes", () => 20],
  ["before its last byte", () => compressed.length - 1],
]) {
  test(`a file that ends ${name} is said to be incomplete`, async () => {
    const body = () => compressed.subarray(0, length());
    const text = await failure((route) => route.fulfill({ body: body() }));
    assert.match(text, /arrived incomplete or damaged from http:.*\/faultline-ui_bg\.wasm\.xz\./);
  });
}

test("a file with a wrong bit is said to be damaged", async () => {
  const body = Buffer.from(compressed);
  body[Math.floor(body.length / 2)] ^= 1;
  const text = await failure((route) => route.fulfill({ body }));
  assert.match(text, /damaged/);
});

test("a missing file is named, with what the host answered", async () => {
  const text = await failure((route) => route.fulfill({ status: 404, body: "there is no such file" }));
  assert.match(text, /the host answered 404 for http:.*\/faultline-ui_bg\.wasm\.xz\./);
});

test("another file in its place is said to be something else", async () => {
  const text = await failure((route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
  assert.match(text, /faultline-ui_bg\.wasm\.xz is something else\./);
  assert.match(text, /3c 21 64 6f 63 74/);
  assert.match(await failure((route) => route.fulfill({ body: "" })), /its first bytes are none/);
});

test("a connection that fails is asked about", async () => {
  const text = await failure((route) => route.abort("connectionfailed"));
  assert.match(text, /could not be fetched from http:.*\/faultline-ui_bg\.wasm\.xz\. Is there a connection\?/);
});
