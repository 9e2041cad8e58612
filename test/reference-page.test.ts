/** The reference page in a real browser: it shows the API without the internet, and no script or style of others could run in it. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchChromium } from "./support/chromium.js";
import { answerOf, type EdgeFixture, startEdge } from "./support/edge-fixture.js";
import { buildCommand } from "./support/evtctl-process.js";

let edge: EdgeFixture;
let browser: Browser;
let page: Page;
/** What the page could not do, and said to its console. */
const complaints: string[] = [];
const asked = new Set<string>();

beforeAll(async () => {
  buildCommand();
  edge = await startEdge();
  browser = await launchChromium();
  page = await browser.newPage();
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("request", (request) => asked.add(new URL(request.url()).origin));
  await page.goto(`${edge.url}/docs`);
  await page.waitForSelector("text=Publish an intent, or a list of them", { timeout: 30_000 });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await edge?.close();
});

test("shows every section and route, and asks nobody but its own edge", async () => {
  const sections = await page.locator(".opblock-tag-section").count();
  expect(sections).toBeGreaterThan(10);
  expect(await page.locator(".opblock").count()).toBeGreaterThan(50);
  await page.screenshot({ path: ".cache/reference-page.png" });
  expect([...asked].filter((origin) => origin !== "null")).toEqual([edge.url]);
  expect(complaints).toEqual([]);
});

test("opens a route with its codes and examples", async () => {
  await page.locator("#operations-Publishing-publish .opblock-summary-control").first().click();
  const shown = page.locator("#operations-Publishing-publish .opblock-body");
  await shown.waitFor();
  const text = await shown.innerText();
  for (const word of ["idempotency-key", "content_mismatch", "organization.create"]) expect(text).toContain(word);
  expect(complaints).toEqual([]);
});

test("runs no script that stands in it, and none of others", async () => {
  const { headers } = await fetch(`${edge.url}/docs`);
  expect(headers.get("content-security-policy")).toMatch(/default-src 'none'; script-src 'self';/);
  // As text: it runs in the page, which has names that this file has not.
  const ran = await page.evaluate(`(async () => {
    const inline = document.createElement("script");
    inline.textContent = "window.ranInline = true";
    document.body.append(inline);
    await new Promise((resolve) => setTimeout(resolve, 50));
    return "ranInline" in window;
  })()`);
  expect(ran).toBe(false);
  expect(complaints.join()).toContain("Content Security Policy");
});

test.each(["..%2f..%2f..%2fpackage.json", "index.html", "__proto__", "LICENSE", "%00"])(
  "gives nothing of the folder but its files: %s",
  async (name) => {
    const response = await fetch(`${edge.url}/docs/${name}`);
    expect([response.status, (await answerOf(response)).code]).toEqual([404, "not_found"]);
  },
);

test("is not there where the reference is not open", async () => {
  const silent = await startEdge({ reference: "off" });
  for (const path of ["/docs", "/docs/start.js", "/asyncapi.json"])
    expect([path, (await fetch(`${silent.url}${path}`)).status]).toEqual([path, 404]);
  await silent.close();
});
