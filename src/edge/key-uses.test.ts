import { beforeEach, describe, expect, test } from "vitest";
import { EventFactory } from "../event/index.js";
import { EventplaneError, PLATFORM_TENANT_ID, systemIds } from "../kernel/index.js";
import { createDoorbell } from "../plane/doorbell/index.js";
import { Coalescer, createMemoryStore, type LogReader } from "../store/index.js";
import { createTestKeys, VirtualClock } from "../testing/index.js";
import { issueKey } from "./credentials.js";
import type { EventLog } from "./dependencies.js";
import { KeyUses } from "./key-uses.js";
import { platformApp, principalIdOf, tenantIdOf } from "./platform/definitions.js";
import { PlatformFold } from "./platform/fold.js";

const keys = createTestKeys();
const acme = tenantIdOf("acme");
const factory = new EventFactory({ app: platformApp, ids: systemIds });
const causedBy = {
  principal: { type: "system", id: "t" },
  via: "system",
  requestId: "r",
  rulingId: "r",
  policySetHash: "h",
  policies: [],
  edge: "e",
  keyId: null,
  at: "2026-01-01T00:00:00.000000Z",
};

let clock: VirtualClock;
let reader: LogReader;
let log: Coalescer;
let platform: PlatformFold;
let away: boolean;
let failures: number;

beforeEach(() => {
  clock = new VirtualClock();
  away = false;
  failures = 0;
  const store = createMemoryStore({ clock });
  const doorbell = createDoorbell();
  ({ reader } = store);
  log = new Coalescer({ appender: store.edge, signer: keys.edge, clock, doorbell });
  platform = new PlatformFold({ reader, doorbell, clock, verify: (row) => keys.verifier.verify(row) });
});

function usesOf(edge: string): KeyUses {
  const failing: EventLog = {
    append: (append) => (away ? Promise.reject(new EventplaneError("unavailable", "Away.")) : log.append(append)),
  };
  const report = (): void => void failures++;
  return new KeyUses({ factory, log: failing, platform, clock, ids: systemIds, edge, report });
}

async function makeKey(): Promise<string> {
  const id = systemIds.uuid7();
  const principalId = principalIdOf(acme, "ci");
  const spec = { tenantId: acme, name: "ci", principalId, grants: ["reader"], secretHash: issueKey(id).secretHash };
  const wanted = { tenantId: PLATFORM_TENANT_ID, type: "key.create", aggregateId: id, spec };
  await log.append({
    tenantId: PLATFORM_TENANT_ID,
    items: [factory.intent({ ...wanted, specText: JSON.stringify(spec) }, causedBy)],
  });
  await platform.catchUp();
  return id;
}

const recorded = async (): Promise<readonly { day: string; keys: readonly string[] }[]> =>
  (await reader.read(PLATFORM_TENANT_ID, { filter: { type: "key-use.recorded" } })).map(
    (row) => JSON.parse(row.specText) as { day: string; keys: readonly string[] }, // as KeyUses writes it
  );

describe("uses of keys", () => {
  test("are one fact for all keys of a minute, and none more on that day", async () => {
    const uses = usesOf("one");
    const [first, second] = [await makeKey(), await makeKey()];
    for (let n = 0; n < 1_000; n++) for (const id of [first, second]) uses.note(id);
    await uses.write();
    await platform.catchUp();
    for (const id of [first, second]) uses.note(id);
    await uses.write();
    expect(await recorded()).toEqual([{ day: "2026-01-01", keys: [first, second] }]);
    expect(platform.state.key(first)?.lastUsedOn).toBe("2026-01-01");
  });

  test("are not told again by another edge that knows of them, and on the next day they are", async () => {
    const id = await makeKey();
    const [one, other] = [usesOf("one"), usesOf("other")];
    for (const uses of [one, other]) uses.note(id);
    await one.write();
    await platform.catchUp();
    await other.write();
    expect(await recorded()).toHaveLength(1);
    await clock.advance(86_400_000);
    for (const uses of [one, other]) uses.note(id);
    await other.write();
    await platform.catchUp();
    await one.write();
    expect((await recorded()).map(({ day }) => day)).toEqual(["2026-01-01", "2026-01-02"]);
  });

  test("that could not be written are written later, and the last when the edge ends", async () => {
    const id = await makeKey();
    const uses = usesOf("one");
    const stop = new AbortController();
    const running = uses.run(stop.signal);
    away = true;
    uses.note(id);
    await clock.advance(60_000);
    expect([failures, await recorded()]).toEqual([1, []]);
    away = false;
    stop.abort();
    await running;
    expect(await recorded()).toEqual([{ day: "2026-01-01", keys: [id] }]);
  });

  test("of 1,200 keys are three facts", async () => {
    const uses = usesOf("one");
    for (let n = 0; n < 1_200; n++) uses.note(`key-${n}`);
    await uses.write();
    expect((await recorded()).map((each) => each.keys.length)).toEqual([500, 500, 200]);
  });
});
