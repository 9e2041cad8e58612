/** examples/live-page as a reader runs it: `evtctl dev`, the shop's server, and the page in a real browser. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createClient, type EventplaneClient } from "../src/client/index.js";
import { launchChromium } from "./support/chromium.js";
import { repository } from "./support/embedded-fixture.js";
import { buildCommand, freePort, Served, until } from "./support/evtctl-process.js";
import { openRelay, type Relay } from "./support/relay.js";

const example = join(repository, "examples/live-page");
let folder: string;
let dev: Served;
let relay: Relay;
let shop: ChildProcess;
let browser: Browser;
let page: Page;
let client: EventplaneClient;
/** What the page could not do, and said to its console. */
const complaints: string[] = [];

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-page-"));
  const [port, shopPort] = [await freePort(), await freePort()];
  const dataDir = join(folder, "data");
  dev = Served.start(["dev", "--data-dir", dataDir, "--config", join(example, "eventplane.config.ts")], port, {
    environment: { EVENTPLANE_EDGE__ALLOWED_ORIGINS: `http://127.0.0.1:${shopPort}` },
  });
  await dev.ready();
  await dev.says("verify --data-dir"); // then its context is written
  relay = await openRelay(port);
  const { tenant, apiKey } = JSON.parse(await readFile(join(dataDir, "context.json"), "utf8")) as Record<
    string,
    string
  >; // as dev writes it
  client = createClient({ baseUrl: dev.url, tenant: tenant ?? "", apiKey: apiKey ?? "" });
  await startShop({
    EVENTPLANE_URL: dev.url,
    EVENTPLANE_TENANT: tenant ?? "",
    EVENTPLANE_API_KEY: apiKey ?? "",
    EDGE_FOR_PAGES: relay.url,
    PORT: String(shopPort),
  });
  browser = await launchChromium();
  page = await browser.newPage();
  page.on("pageerror", (error) => complaints.push(error.message));
  await client.publish({ type: "order.place", aggregateId: "4711", spec: { article: "tea cup", pieces: 2 } });
  await page.goto(`http://127.0.0.1:${shopPort}/orders/4711`);
}, 120_000);

afterAll(async () => {
  await browser?.close();
  shop?.kill("SIGKILL");
  await relay?.close();
  await dev?.end("SIGTERM");
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function startShop(environment: Record<string, string>): Promise<void> {
  const { PATH = "", HOME = "" } = process.env;
  const jiti = join(repository, "node_modules/jiti/lib/jiti-cli.mjs"); // what npx jiti runs
  shop = spawn(process.execPath, [jiti, join(example, "server.ts")], { env: { PATH, HOME, ...environment } });
  let said = "";
  for (const stream of [shop.stdout, shop.stderr]) stream?.setEncoding("utf8").on("data", (text) => (said += text));
  await until(
    async () => said.includes("Listening on "),
    60_000,
    () => said,
  );
}

/** Versions of the events that the page shows, in its order. */
const versions = (): Promise<readonly number[]> =>
  page.locator("li").evaluateAll((items) => items.map((item) => Number(item.getAttribute("data-version"))));
const counted = (last: number): readonly number[] => Array.from({ length: last }, (_, index) => index + 1);
const shows = async (text: string | RegExp): Promise<void> => page.getByText(text).first().waitFor();

test("shows a resource live: as it is, and at once when the page asks for a change", async () => {
  await shows("2 × tea cup");
  await shows("Ready");
  await shows("live");
  await page.getByRole("button", { name: "one more" }).click();
  await shows("3 × tea cup");
  await page.getByText("3 reserved").waitFor();
  const { version } = await client.resource("order", "4711");
  await page.locator(`li[data-version="${version}"]`).waitFor();
  expect(await versions()).toEqual(counted(version));
});

test("says that the connection broke, and goes on without a gap when it is mended", async () => {
  relay.cut();
  await shows("connecting …");
  for (const pieces of [10, 20, 30])
    await client.publish({ type: "order.change", aggregateId: "4711", spec: { pieces } });
  await shows("3 × tea cup");
  relay.mend();
  await shows("30 × tea cup");
  await shows("live");
  await page.getByText("30 reserved").waitFor();
  const { version } = await client.resource("order", "4711");
  await page.locator(`li[data-version="${version}"]`).waitFor();
  expect(await versions()).toEqual(counted(version));
  expect(complaints).toEqual([]);
});

test("its browser's own EventSource goes on with the same address where it broke", async () => {
  const seen = (): Promise<readonly number[]> => page.evaluate<number[]>("seen");
  await page.evaluate(`(async () => {
    const { token } = await (await fetch("/orders/4711/stream-token", { method: "POST" })).json();
    const { edge, tenant } = document.documentElement.dataset;
    window.seen = [];
    window.source = new EventSource(edge + "/v1/tenants/" + tenant + "/subscribe?after=0&access_token=" + token);
    for (const kind of ["intent", "fact", "internal"])
      source.addEventListener(kind, ({ lastEventId }) => seen.push(Number(lastEventId)));
  })()`);
  const reached = (position: number): Promise<unknown> => page.waitForFunction(`seen.at(-1) >= ${position}`);
  await reached((await client.resource("order", "4711")).position);
  relay.cut();
  await page.waitForFunction("source.readyState === EventSource.CONNECTING");
  const { position } = await client.publish({ type: "order.change", aggregateId: "4711", spec: { pieces: 40 } });
  relay.mend();
  await reached(position);
  await page.evaluate("source.close()");
  const events = client.stream("order", "4711");
  const positions: number[] = [];
  for await (const event of events) if (event.position <= position) positions.push(event.position);
  expect((await seen()).filter((each) => each <= position)).toEqual(positions);
});

test("has no key: what its server gives it opens this order alone", async () => {
  const seen = await page.evaluate(`(async () => {
    const { token } = await (await fetch("/orders/4711/stream-token", { method: "POST" })).json();
    const { edge, tenant } = document.documentElement.dataset;
    const headers = { authorization: "Bearer " + token };
    const status = async (id) => (await fetch(edge + "/v1/tenants/" + tenant + "/resources/order/" + id, { headers })).status;
    return [await status("4711"), await status("4712")];
  })()`);
  expect(seen).toEqual([200, 403]);
  expect(await page.content()).not.toContain("epk_");
});
