// The design of the run as its users change it: open the panel, flip switches, apply, see what came of it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { launchBrowser, openPage, screens } from "./harness.mjs";

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser.close());

const button = (opened, name) => opened.page.getByRole("button", { name, exact: true });
const panel = (opened) => opened.page.getByRole("dialog", { name: "Design" });
const setting = (opened, name) => panel(opened).getByLabel(name, { exact: true });
const toggle = (opened, name) => panel(opened).getByRole("switch", { name });
const summary = (opened) => opened.page.getByRole("region", { name: "Sharded SQL" }).locator(".cluster-head p");

/** Simulated seconds, as the page shows them. */
const clock = async (opened) => Number(await opened.page.locator(".clock b").innerText());

/** Opens the playground, and the panel with all of its parts folded out. */
async function openDesign(options = {}) {
  const opened = await openPage(browser, options);
  await button(opened, "Pause").waitFor();
  await button(opened, "Design").click();
  await setting(opened, "Query proxies").waitFor();
  await foldOut(opened);
  return opened;
}

async function foldOut(opened) {
  await panel(opened).locator("details").evaluateAll((parts) => parts.forEach((part) => (part.open = true)));
}

async function type(opened, name, number) {
  await setting(opened, name).fill(number);
  await setting(opened, name).press("Tab");
}

async function runToTheEnd(opened) {
  await button(opened, "Run to the end").click();
  await opened.page.waitForFunction(() => document.querySelector(".clock b").textContent.startsWith("30."), null, {
    timeout: 60_000,
  });
}

const traceHash = (opened) => opened.page.locator("code[data-trace]").getAttribute("data-trace");

test("a changed design restarts the run, is shared by its link and saved as a file", async () => {
  const opened = await openDesign();
  await type(opened, "Replicas per shard", "2");
  await setting(opened, "Reads go to").selectOption({ label: "replicas" });
  await setting(opened, "Time to live").waitFor();
  await toggle(opened, "Result cache").uncheck();
  await setting(opened, "Time to live").waitFor({ state: "detached" });
  await panel(opened).getByText("3 settings to apply.").waitFor();
  assert.match(await summary(opened).innerText(), /1 replica each.*reads from the primary$/);
  const before = await clock(opened);
  await button(opened, "Apply and restart").click();
  await panel(opened).waitFor({ state: "detached" });
  await opened.page.getByText("2 shards, 2 replicas each, asynchronous, reads from replicas, no cache").waitFor();
  assert.ok((await clock(opened)) < before, "it began anew");
  await button(opened, "Pause").waitFor();
  await opened.page.getByText("seed 1").waitFor();

  await button(opened, "Design 3 changed").click();
  await panel(opened).getByText("The run differs from its scenario by 3 settings.").waitFor();
  const downloading = opened.page.waitForEvent("download");
  await panel(opened).getByRole("link", { name: "Save as a file" }).click();
  const download = await downloading;
  assert.equal(download.suggestedFilename(), "video-views.json");
  const saved = JSON.parse(await readFile(await download.path(), "utf8"));
  const { replicas, reads, cache } = saved.clusters[0].sharded_sql;
  assert.deepEqual([replicas, reads, cache.entries], [2, "replica", 0]);
  await opened.page.keyboard.press("Escape");

  await runToTheEnd(opened);
  const hash = await traceHash(opened);
  await button(opened, "Share").click();
  await opened.page.waitForFunction(() => location.hash.startsWith("#1."));
  const again = await openPage(browser, { url: opened.page.url() });
  await button(again, "Run to the end").waitFor();
  assert.match(await summary(again).innerText(), /2 replicas each.*reads from replicas, no cache/);
  await button(again, "Design").click();
  await setting(again, "Query proxies").waitFor();
  await foldOut(again);
  assert.equal(await setting(again, "Replicas per shard").inputValue(), "2");
  assert.equal(await toggle(again, "Result cache").isChecked(), false);
  await again.page.keyboard.press("Escape");
  await runToTheEnd(again);
  assert.equal(await traceHash(again), hash);
  opened.assertNoProblems();
  again.assertNoProblems();
  await opened.close();
  await again.close();
});

test("what cannot be run is said beside its field, and the old run goes on", async () => {
  const opened = await openDesign();
  await type(opened, "Replicas per shard", "99");
  await type(opened, "Cache size", "50");
  await panel(opened).getByLabel("Search the settings").fill("cache");
  const before = await clock(opened);
  await button(opened, "Apply and restart").click();
  const alert = panel(opened).getByRole("alert");
  await alert.waitFor();
  assert.equal(await alert.innerText(), "This is 99; it must be a whole number from 0 to 5.");
  const field = setting(opened, "Replicas per shard");
  assert.ok(await field.evaluate((field) => field === document.activeElement && field.closest("details").open));
  assert.equal(await field.getAttribute("aria-invalid"), "true");
  assert.ok((await clock(opened)) >= before, "the old run goes on");
  assert.match(await summary(opened).innerText(), /1 replica each/);

  await button(opened, "Reset: Replicas per shard").click();
  assert.equal(await field.inputValue(), "1");
  await alert.waitFor({ state: "detached" });
  assert.equal(await setting(opened, "Cache size").inputValue(), "50", "nothing else is lost");
  await opened.page.keyboard.press("Escape");
  await button(opened, "Design").click();
  assert.equal(await setting(opened, "Cache size").inputValue(), "50", "nor by closing the panel");
  await button(opened, "Discard").click();
  assert.equal(await setting(opened, "Cache size").inputValue(), "1000");
  assert.ok(await button(opened, "Apply and restart").isDisabled());
  opened.assertNoProblems();
  await opened.close();
});

test("a design goes back to its scenario", async () => {
  const opened = await openDesign();
  await setting(opened, "Shards").selectOption({ label: "4: A–F, G–M, N–S, T–Z" });
  await setting(opened, "Binlog is flushed").selectOption({ label: "at an interval" });
  // The number comes with what it belongs to.
  await panel(opened).getByRole("region", { name: "Sharded SQL" }).getByLabel("Flush interval").waitFor();
  await toggle(opened, "Limited bandwidth").check();
  await button(opened, "Apply and restart").click();
  await opened.page.getByText("4 shards, 1 replica each").waitFor();
  await opened.page.keyboard.press("d");
  await button(opened, "Reset to scenario").click();
  await button(opened, "Apply and restart").click();
  await opened.page.getByText("2 shards, 1 replica each").waitFor();
  await button(opened, "Design").waitFor();
  opened.assertNoProblems();
  await opened.close();
});

test("a design is changed by keyboard alone", async () => {
  const opened = await openPage(browser);
  const { keyboard } = opened.page;
  await button(opened, "Pause").waitFor();
  await keyboard.press("d");
  await setting(opened, "Query proxies").waitFor();
  // The search has the focus.
  await keyboard.type("result cache");
  await setting(opened, "Query proxies").waitFor({ state: "detached" });
  const focused = () =>
    opened.page.evaluate(() => document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent);
  const tabTo = async (name) => {
    for (let presses = 0; presses < 30; presses += 1) {
      if ((await focused()) === name) return;
      await keyboard.press("Tab");
    }
    assert.fail(`Tab never reaches ${name}`);
  };
  await tabTo("Result cache");
  await keyboard.press("Space");
  await tabTo("Apply and restart");
  await keyboard.press("Enter");
  await opened.page.getByText("reads from the primary, no cache").waitFor();
  assert.equal(await panel(opened).count(), 0);
  await keyboard.press("?");
  await opened.page.getByText("the design: every setting").waitFor();
  opened.assertNoProblems();
  await opened.close();
});

test("settings are found by any of their words", async () => {
  const opened = await openDesign();
  const search = panel(opened).getByLabel("Search the settings");
  await search.fill("fsync disk ring");
  assert.deepEqual(await panel(opened).locator(".setting label").allInnerTexts(), ["Disk fsync", "Disk channels"]);
  await toggle(opened, "Limited bandwidth").waitFor({ state: "detached" });
  await search.fill("mbit");
  await toggle(opened, "Limited bandwidth").waitFor();
  await search.fill("no such thing");
  await panel(opened).getByText("No setting is called that.").waitFor();
  opened.assertNoProblems();
  await opened.close();
});

for (const colorScheme of ["light", "dark"]) {
  for (const [name, screen] of Object.entries(screens)) {
    test(`the design fits its screen, and axe finds nothing: ${name}, ${colorScheme}`, async () => {
      const opened = await openDesign({ screen, colorScheme });
      await type(opened, "Replicas per shard", "99");
      await toggle(opened, "Result cache").uncheck();
      await button(opened, "Apply and restart").click();
      await panel(opened).getByRole("alert").waitFor();
      for (const width of name === "phone" ? [390, 360] : [1440]) {
        await opened.page.setViewportSize({ ...screen.viewport, width });
        const over = await panel(opened).evaluate((dialog) => {
          const wide = [document.documentElement, ...dialog.querySelectorAll("*"), dialog];
          // What is hidden from sight is one pixel wide; a list or field cuts its own text.
          const isCut = (element) => element.matches(".hidden, input, select, option");
          return wide.filter((element) => !isCut(element) && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0)
            .map((element) => element.outerHTML.slice(0, 120));
        });
        assert.deepEqual(over, [], `wider than a screen of ${width} px`);
      }
      await opened.takeScreenshot(`design-${name}-${colorScheme}`);
      assert.deepEqual(await opened.accessibilityViolations(), []);
      opened.assertNoProblems();
      await opened.close();
    });
  }
}
