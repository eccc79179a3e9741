// What the browser's tests have in common: a Chromium, pages opened in it as different users would, and
// everything about a page that is watched without being asked for. `cargo xtask test` builds and serves the
// site and names it all in the environment; see `settings`.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

import { chromium } from "playwright-core";

/** What the tests are told by `cargo xtask test`. */
export const settings = {
  /** Where the site is served, at the root of a server. */
  url: setting("FAULTLINE_URL"),
  /** Where the same site is served below a path, to prove that it loads everything by relative URL. */
  deepUrl: setting("FAULTLINE_DEEP_URL"),
  /** The Chromium to take. */
  chromium: setting("FAULTLINE_CHROMIUM"),
  /** The native command line, whose trace hashes the page's must equal. */
  commandLine: setting("FAULTLINE_BIN"),
  /** The folder that screenshots are put into. */
  screenshots: setting("FAULTLINE_SCREENSHOTS"),
};

/** The screens that the page must look right on. */
export const screens = {
  desktop: { viewport: { width: 1440, height: 900 } },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};

/** Chromium is started without what would look for a network or a GPU: tests run where there is neither. */
const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A page that is open, and what was noticed about it. */
export class OpenPage {
  /** Playwright's page. */
  page;
  /** One line for each thing that went wrong, in the order in which it did. Empty for a good page. */
  problems = [];
  #context;
  #responses = [];

  constructor(context, page) {
    this.#context = context;
    this.page = page;
  }

  /** Watches for whatever a good page never does. Must come before the page is loaded. */
  async watch(origin) {
    const notice = (problem) => this.problems.push(problem);
    this.page.on("console", (message) => {
      const type = message.type();
      if (["error", "warning"].includes(type)) notice(`console ${type}: ${message.text()}`);
    });
    this.page.on("pageerror", (error) => notice(`uncaught: ${error.stack ?? error}`));
    this.page.on("crash", () => notice("the page crashed"));
    this.#context.on("requestfailed", (request) => {
      notice(`request failed: ${request.url()} (${request.failure()?.errorText})`);
    });
    this.#context.on("response", (response) => {
      this.#responses.push(response);
      if (response.status() >= 400) notice(`${response.status()} for ${response.url()}`);
    });
    await this.#context.route("**/*", (route) => {
      const url = new URL(route.request().url());
      if (url.origin === origin || ["data:", "blob:"].includes(url.protocol)) return route.continue();
      notice(`request to another origin: ${url}`);
      return route.abort();
    });
    await this.#context.exposeBinding("noticePolicyViolation", (_source, violation) => {
      notice(`content security policy: ${violation}`);
    });
    await this.page.addInitScript(observeFromInside);
  }

  /** Fails with all problems so far, if there are any. */
  assertNoProblems() {
    assert.deepEqual(this.problems, [], `${this.page.url()} has problems`);
  }

  /** Saves what is on the screen, or the whole page, as `<name>.png`, and returns that file's path. */
  async takeScreenshot(name, { fullPage = false } = {}) {
    await mkdir(settings.screenshots, { recursive: true });
    const file = path.join(settings.screenshots, `${name}.png`);
    await this.page.screenshot({ path: file, fullPage });
    return file;
  }

  /**
   * The main thread's tasks of more than 50 ms since the page was opened: `{ startMs, durationMs }` each.
   * While one runs, the page answers nothing.
   */
  async longTasks() {
    return this.page.evaluate(() => window.longTasksSeen);
  }

  /**
   * What has been loaded so far, as a server that compresses would send it: `{ url, bytes, gzipBytes }` for
   * each file, largest first. Headers are not counted.
   */
  async transfers() {
    // What was preloaded and then used is one file.
    const byUrl = new Map(this.#responses.map((response) => [response.url(), response]));
    const measured = [...byUrl].map(async ([url, response]) => {
      const body = await response.body();
      return { url, bytes: body.length, gzipBytes: gzipSync(body, { level: 9 }).length };
    });
    return (await Promise.all(measured)).sort((left, right) => right.gzipBytes - left.gzipBytes);
  }

  /** The accessibility violations that axe-core finds: one text for each, with the elements concerned. */
  async accessibilityViolations() {
    // Playwright evaluates through the debugger, which no policy of the page's applies to: the policy under
    // test stays in force, as it would not with the option `bypassCSP`.
    await this.page.evaluate(await axeSource());
    const { violations } = await this.page.evaluate(() => window.axe.run());
    return violations.map(({ id, help, nodes }) => {
      return `${id}: ${help}\n${nodes.map((node) => `  ${node.html}`).join("\n")}`;
    });
  }

  async close() {
    await this.#context.close();
  }
}

/** Starts Chromium. One serves all tests of a file; each page gets a context, so a storage, of its own. */
export async function launchBrowser() {
  return chromium.launch({ executablePath: settings.chromium, args: CHROMIUM_FLAGS });
}

/**
 * Opens `url` as somebody with that screen and those preferences would, and waits until it is loaded.
 *
 * @param {import("playwright-core").Browser} browser
 * @param {{
 *   url?: string,
 *   screen?: object,
 *   colorScheme?: "light" | "dark",
 *   reducedMotion?: "reduce" | "no-preference",
 *   answers?: Record<string, (route: import("playwright-core").Route) => Promise<void>>,
 * }} options `answers` says, by a file's name, what is answered in place of that file.
 */
export async function openPage(browser, options = {}) {
  const { url = settings.url, screen = screens.desktop, colorScheme = "light" } = options;
  const { reducedMotion = "no-preference" } = options;
  const context = await browser.newContext({ ...screen, colorScheme, reducedMotion });
  const opened = new OpenPage(context, await context.newPage());
  await opened.watch(new URL(url).origin);
  for (const [name, answer] of Object.entries(options.answers ?? {})) {
    await context.route((address) => address.pathname.endsWith(`/${name}`), answer);
  }
  await opened.page.goto(url, { waitUntil: "load" });
  return opened;
}

/** Runs the native command line, and returns what it prints. */
export async function runCommandLine(...args) {
  const { stdout } = await promisify(execFile)(settings.commandLine, args);
  return stdout;
}

/** Runs inside the page, before anything of its own does. */
function observeFromInside() {
  window.longTasksSeen = [];
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) {
      window.longTasksSeen.push({ startMs: startTime, durationMs: duration });
    }
  }).observe({ type: "longtask", buffered: true });
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile }) => {
    window.noticePolicyViolation(`${violatedDirective} forbids ${blockedURI} (${sourceFile})`);
  });
}

async function axeSource() {
  return readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
}

function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; run the browser's tests by \`cargo xtask test\``);
  return value;
}
