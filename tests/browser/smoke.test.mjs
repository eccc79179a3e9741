// The page loads, wherever it is put and whoever opens it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launchBrowser, openPage, screens, settings } from "./harness.mjs";

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser.close());

const visitors = [
  { name: "desktop-light", screen: screens.desktop, colorScheme: "light" },
  { name: "desktop-dark", screen: screens.desktop, colorScheme: "dark" },
  { name: "phone-light", screen: screens.phone, colorScheme: "light" },
  { name: "phone-dark", screen: screens.phone, colorScheme: "dark", reducedMotion: "reduce" },
];

for (const { name, ...visitor } of visitors) {
  test(`the page loads without a problem: ${name}`, async () => {
    const opened = await openPage(browser, visitor);
    await opened.page.getByRole("main").waitFor();
    await opened.takeScreenshot(`smoke-${name}`);
    opened.assertNoProblems();
    await opened.close();
  });
}

test("the page loads from below a path", async () => {
  const opened = await openPage(browser, { url: settings.deepUrl });
  await opened.page.getByRole("main").waitFor();
  opened.assertNoProblems();
  for (const { url } of await opened.transfers()) {
    assert.ok(url.startsWith(settings.deepUrl), `${url} is not below ${settings.deepUrl}`);
  }
  await opened.close();
});
