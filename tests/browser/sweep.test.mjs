// Right-sizing as its users meet it: from a run to a search, cancelled or to its end, and from a point to its run.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

import { launchBrowser, openPage, runCommandLine, screens } from "./harness.mjs";

/** Small enough that a search is over in seconds. */
const small = {
  version: 1, name: "small", title: "Small", duration_ms: 2000, seed: 7,
  workload: { rate_per_s: 300, keys: 200, reads: 0.7, clients: 4 },
  clusters: [{ sharded_sql: {} }, { gossip_ring: {} }],
};

let browser;
let folder;
before(async () => {
  browser = await launchBrowser();
  folder = await mkdtemp(path.join(tmpdir(), "faultline-sweep-"));
});
after(async () => {
  await browser.close();
  await rm(folder, { recursive: true });
});

const button = (opened, name) => opened.page.getByRole("button", { name, exact: true });
const field = (opened, name) => opened.page.getByLabel(name);
const status = (opened) => opened.page.getByRole("region", { name: "What was found" }).getByRole("status");
const rows = (opened) => opened.page.locator(".sizing-table tbody tr");

/** Opens a scenario as the site's first one, and goes from one of its clusters to the search. */
async function openSizing(scenario, cluster, options = {}) {
  const answer = (route) => route.fulfill({ contentType: "application/json", body: JSON.stringify(scenario) });
  const opened = await openPage(browser, { answers: { "video-views.json": answer }, ...options });
  await button(opened, `Right-size ${cluster}`).click();
  await opened.page.getByRole("heading", { name: `Right-size: ${scenario.title}` }).waitFor();
  return opened;
}

async function fill(opened, name, text) {
  await field(opened, name).fill(text);
  await field(opened, name).press("Tab");
}

async function untilOver(opened) {
  await button(opened, "Start").waitFor({ timeout: 120_000 });
}

test("a search finds the same as the command line, and its points open their runs", async () => {
  const opened = await openSizing(small, "Gossip ring");
  assert.match(opened.page.url(), /#\/right-size$/);
  await fill(opened, "Reads, 99 % within", "8");
  await fill(opened, "Writes, 99 % within", "8");
  await fill(opened, "Runs at most", "40");
  await button(opened, "Start").click();
  await untilOver(opened);
  assert.match(await status(opened).innerText(), /^Done: .* The cheapest that keeps the target costs \$\d+ a month\./);

  const file = path.join(folder, "small.json");
  await writeFile(file, JSON.stringify(small));
  const target = ["--read-p99-ms", "8", "--write-p99-ms", "8", "--success-min", "0.999", "--lost-writes-max", "0"];
  const told = JSON.parse(await runCommandLine("right-size", file, "--cluster", "Gossip ring", ...target, "--runs", "40", "--json"));
  const traces = await rows(opened).evaluateAll((found) => found.map((row) => row.dataset.trace));
  assert.deepEqual(traces.toSorted(), told.points.map((point) => point.trace_hashes[0]).toSorted());
  const best = opened.page.locator(".sizing-table tr.best");
  assert.equal(await best.getAttribute("data-trace"), told.points[told.best].trace_hashes[0]);
  assert.equal(await opened.page.locator(".scatter circle.hit").count(), traces.length);
  assert.ok((await opened.page.locator(".scatter .frontier").getAttribute("d")).startsWith("M"));

  const design = await best.getByRole("link").innerText();
  assert.match(design, /Nodes: /);
  await best.getByRole("link").click();
  await button(opened, "Run to the end").click();
  await opened.page.waitForFunction(() => document.querySelector(".clock b")?.textContent.startsWith("2."), null, { timeout: 60_000 });
  const nodes = /Nodes: (\d+)/.exec(design)[1];
  await opened.page.getByRole("region", { name: "Gossip ring" }).getByText(`${nodes} nodes`).waitFor();
  await opened.page.getByText("seed 7").waitFor();
  await opened.page.goBack();
  await best.waitFor();
  assert.equal(await rows(opened).count(), traces.length, "Back leads to what was found");
  opened.assertNoProblems();
  await opened.close();
});

test("cancelling ends a search at once, and it can be started again", async () => {
  const long = { ...small, duration_ms: 600_000 };
  const opened = await openSizing(long, "Sharded SQL");
  await button(opened, "Start").click();
  await button(opened, "Cancel").waitFor();
  assert.ok(await field(opened, "Runs at most").isDisabled());
  await opened.page.waitForTimeout(500);
  await button(opened, "Cancel").click();
  await button(opened, "Start").waitFor({ timeout: 2_000 });
  assert.match(await status(opened).innerText(), /^Cancelled\./);
  // The browser ends workers in its own time.
  for (let tries = 0; opened.page.workers().length > 1 && tries < 50; tries += 1) await opened.page.waitForTimeout(100);
  assert.equal(opened.page.workers().length, 1, "only the one that plays is left");
  await button(opened, "Start").click();
  await button(opened, "Cancel").click();
  await opened.page.getByRole("link", { name: "Back to the run" }).click();
  await button(opened, "Pause").or(button(opened, "Play")).first().waitFor();
  opened.assertNoProblems();
  await opened.close();
});

test("every combination gives the command line's trace hashes", async () => {
  const opened = await openSizing(small, "Sharded SQL");
  await button(opened, "Every combination").click();
  const vary = ["workload.rate_per_s=100,400", "clusters.sharded_sql.replicas=0,1"];
  await field(opened, "Values: a path and its values a line").fill(vary.join("\n"));
  await fill(opened, "Seeds, from..to", "1..2");
  await button(opened, "Start").click();
  await untilOver(opened);
  await opened.page.getByText("8 of 8 runs").waitFor();
  const file = path.join(folder, "swept.json");
  await writeFile(file, JSON.stringify(small));
  const csv = await runCommandLine("sweep", file, "--vary", vary[0], "--vary", vary[1], "--seeds", "1..2");
  const traces = await rows(opened).evaluateAll((found) => found.map((row) => row.dataset.trace));
  assert.equal(traces.length, 8);
  for (const trace of traces) assert.ok(csv.includes(`,${trace},`), `${trace} is in no row`);
  await fill(opened, "Seeds, from..to", "1..4000");
  await button(opened, "Start").click();
  await opened.page.getByRole("alert").getByText("16,000 runs; the page does at most 400").waitFor();
  await field(opened, "Values: a path and its values a line").fill("workload.rate=1");
  await button(opened, "Start").click();
  await opened.page.getByRole("alert").getByText("did you mean `rate_per_s`?").waitFor();
  opened.assertNoProblems();
  await opened.close();
});

for (const colorScheme of ["light", "dark"]) {
  for (const [name, screen] of Object.entries(screens)) {
    test(`right-sizing fits its screen, and axe finds nothing: ${name}, ${colorScheme}`, async () => {
      const opened = await openSizing(small, "Gossip ring", { screen, colorScheme });
      await fill(opened, "Runs at most", "12");
      await button(opened, "Start").click();
      await untilOver(opened);
      await rows(opened).first().waitFor();
      const over = await opened.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 1, `${over} px too wide`);
      await opened.takeScreenshot(`right-size-${name}-${colorScheme}`, { fullPage: true });
      assert.deepEqual(await opened.accessibilityViolations(), []);
      opened.assertNoProblems();
      await opened.close();
    });
  }
}

test("the page says what to do where there is no run", async () => {
  const opened = await openPage(browser, { url: `${process.env.FAULTLINE_URL}#/right-size` });
  await opened.page.getByText("press Right-size beside the cluster's name").waitFor();
  opened.assertNoProblems();
  await opened.close();
});
