// Counting views end to end, as the page shows it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, openPage, runCommandLine, screens, settings } from "./harness.mjs";

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser.close());

const button = (opened, name) => opened.page.getByRole("button", { name, exact: true });
const number = (text) => Number(text.replace(/[^\d]/g, ""));

async function open(name, options = {}) {
  const opened = await openPage(browser, { url: `${settings.url}#/s/${name}`, ...options });
  await button(opened, "Pause").waitFor();
  return opened;
}

async function figure(opened, cluster, term) {
  const region = opened.page.getByRole("region", { name: cluster, exact: true });
  return region.locator("dl > div").filter({ hasText: term }).last().locator("dd").first().innerText();
}

async function until(what, condition, timeoutMs = 60_000) {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function runToTheEnd(opened) {
  await button(opened, "Run to the end").click();
  await opened.page.waitForFunction(
    () => {
      const slider = document.querySelector('[role=slider][aria-label="Time"]');
      const [now, end] = slider.getAttribute("aria-valuetext").match(/[\d.]+/g).map(Number);
      return now >= end;
    },
    null,
    { timeout: 120_000 },
  );
}

/** The widest fill of a bar of the partitions. */
const fullest = (opened) =>
  opened.page.locator(".strip .lag").evaluateAll((bars) => Math.max(...bars.map((bar) => Number(bar.getAttribute("width")))));

test("in an outage of the database the partitions fill, and drain when it is over", async () => {
  const opened = await open("database-down");
  assert.equal(await opened.page.locator(".strip .bar").count(), 8);
  await opened.page.locator(".speed input").evaluate((slider) => {
    slider.value = slider.max;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const time = opened.page.getByRole("slider", { name: "Time" });
  const seconds = async () => Number.parseFloat(await time.getAttribute("aria-valuetext"));
  await until("views wait in the log", async () => (await seconds()) > 20 && (await fullest(opened)) > 25);
  await opened.page.getByText("it fetches nothing more").first().waitFor();
  await until("the log is drained", async () => (await fullest(opened)) < 10);
  await opened.takeScreenshot("database-down");
  opened.assertNoProblems();
  await opened.close();
});

test("a worker is killed by one press, and others get its partitions", async () => {
  const opened = await open("count-views");
  const time = opened.page.getByRole("slider", { name: "Time" });
  // By then every partition has been put aside.
  await until("some seconds have passed", async () => Number.parseFloat(await time.getAttribute("aria-valuetext")) > 5);
  await button(opened, "Kill a worker").click();
  await opened.page.getByRole("dialog").getByRole("button", { name: "Break it" }).click();
  await opened.page.getByRole("button", { name: /^worker-1,.*down/ }).first().waitFor();
  await opened.page.getByText("has not been heard of for too long").first().waitFor();
  await opened.page.getByText("from its checkpoint").first().waitFor();
  opened.assertNoProblems();
  await opened.close();
});

test("what was counted at the end is what the command line says", async () => {
  const report = JSON.parse(await runCommandLine("run", "service-reliable", "--json"));
  const opened = await open("service-reliable");
  await runToTheEnd(opened);
  for (const cluster of report.clusters) {
    const { views, shown_after_ms: shown } = cluster.service;
    assert.equal(number(await figure(opened, cluster.name, "not counted")), views.missing, cluster.name);
    assert.equal(number(await figure(opened, cluster.name, "counted twice")), views.counted_twice, cluster.name);
    const readable = await figure(opened, cluster.name, "readable p99");
    assert.equal(readable, `${(shown.p99 / 1_000).toFixed(2)} s`, cluster.name);
  }
  const hash = await opened.page.locator("code[data-trace]").getAttribute("data-trace");
  assert.equal(hash, report.trace_hash);
  await opened.takeScreenshot("service-reliable");
  opened.assertNoProblems();
  await opened.close();
});

test("settings of the service stand in the design, and one that is changed runs anew", async () => {
  const opened = await open("service-reliable");
  await button(opened, "Design").click();
  const scope = opened.page.getByRole("region", { name: "At most once: service" });
  await scope.locator("summary").filter({ hasText: "Workers" }).click();
  await scope.getByLabel("Delivery", { exact: true }).selectOption({ label: "effectively once" });
  await opened.page.getByRole("button", { name: /^Apply/ }).click();
  await opened.page.getByText("1 changed").first().waitFor();
  opened.assertNoProblems();
  await opened.close();
});

test("a measurement: the default path in Chromium's worker against real time", async (context) => {
  const opened = await open("count-views");
  await button(opened, "Pause").click();
  await button(opened, "Restart").click();
  const began = performance.now();
  await runToTheEnd(opened);
  const factor = 60 / ((performance.now() - began) / 1_000);
  context.diagnostic(`9,000 views a second through two clusters: ${factor.toFixed(1)} times real time in Chromium`);
  // A loaded machine is no stopwatch: far below real time is a defect all the same.
  assert.ok(factor > 0.5, `${factor}`);
  await opened.close();
});

for (const [name, screen] of Object.entries(screens)) {
  test(`the path fits its screen: ${name}`, async () => {
    const opened = await open("a-page-and-a-rename", { screen });
    const wide = await opened.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${wide} pixels too wide`);
    await opened.takeScreenshot(`path-${name}`);
    opened.assertNoProblems();
    await opened.close();
  });
}
