import { beforeEach, describe, expect, test } from "vitest";
import { type AppendItem, EventFactory } from "../event/index.js";
import { type ErrorCode, EventplaneError, PLATFORM_TENANT_ID, systemIds, type TenantId } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import type { Ruling } from "./authz/ruling.js";
import { platformApp } from "./platform/definitions.js";
import type { Principal } from "./principal.js";
import { RefusalLog } from "./refusals.js";

const tenantId = "01900000-0000-7000-8000-00000000000a" as TenantId;
const attacker: Principal = {
  type: "service",
  id: "01900000-0000-8000-8000-00000000000b",
  tenantId,
  grants: new Set(),
};

const ruling: Ruling = {
  allowed: false,
  rulingId: "01900000-0000-8000-8000-00000000000c",
  policySetHash: "h",
  policies: [],
};

let clock: VirtualClock;
let written: AppendItem[];
let failing: boolean;
let failures: unknown[];
let log: RefusalLog;

beforeEach(() => {
  clock = new VirtualClock();
  written = [];
  failures = [];
  failing = false;
  log = new RefusalLog({
    factory: new EventFactory({ app: platformApp, ids: systemIds }),
    log: {
      append: async ({ items }) => {
        if (failing) throw new EventplaneError("unavailable", "The store is away.");
        written.push(...items);
        return { result: "appended", receipts: [] };
      },
    },
    authorizer: { rule: () => ruling },
    clock,
    edge: "edge-1",
    report: (failure) => failures.push(failure),
  });
});

const note = (code: ErrorCode, principal: Principal | undefined = attacker): void => {
  const error = new EventplaneError(code, "secret-in-message", { details: { pointer: "/secret-in-details" } });
  log.note({ principal, error, action: "PublishIntent", requestId: systemIds.uuid7(), via: "http" });
};
const specs = (): Record<string, unknown>[] =>
  written.map(({ event }) => JSON.parse(event.specText) as Record<string, unknown>);

describe("refusals", () => {
  test("are written at once the first time, and summed at the end of the minute", async () => {
    for (let n = 0; n < 5; n++) note("forbidden");
    expect(specs()).toMatchObject([{ code: "forbidden", count: 1, principal: attacker.id }]);
    await clock.advance(59_000);
    log.sweep();
    expect(specs()).toHaveLength(1);
    await clock.advance(1_000);
    log.sweep();
    expect(specs()[1]).toMatchObject({ code: "forbidden", count: 4 });
  });

  test("are at most two events in the first minute and one in each further, however many there are", async () => {
    for (let second = 0; second < 180; second++) {
      for (let n = 0; n < 50; n++) note("schema_violation");
      log.sweep();
      await clock.advance(1_000);
    }
    await log.close();
    expect(written.length).toBeLessThanOrEqual(4);
    expect(specs().reduce((sum, { count }) => sum + Number(count), 0)).toBe(9_000);
  });

  test("of one code or principal are apart from those of another", () => {
    note("forbidden");
    note("schema_violation");
    note("forbidden", { ...attacker, id: "01900000-0000-8000-8000-00000000000d" });
    expect(written).toHaveLength(3);
  });

  test("go into the caller's log, and into the platform's when nobody was authenticated", () => {
    note("forbidden");
    log.note({
      principal: undefined,
      error: new EventplaneError("unauthenticated", ""),
      action: "Read",
      requestId: systemIds.uuid7(),
      via: "http",
    });
    expect(written.map(({ event }) => event.tenantId)).toEqual([tenantId, PLATFORM_TENANT_ID]);
    expect(specs()[1]).toMatchObject({ principal: "anonymous" });
  });

  test("hold neither message nor details of the error", () => {
    note("json_nul");
    expect(JSON.stringify(written)).not.toContain("secret");
  });

  test("count once per error, and not for what is an answer rather than a refusal", () => {
    const error = new EventplaneError("forbidden", "");
    for (let n = 0; n < 3; n++) log.note({ principal: attacker, error, action: "Read", requestId: "r", via: "http" });
    for (const code of ["not_found", "wrong_expected_version", "resource_exists", "busy", "internal"] as const)
      note(code);
    expect(specs()).toMatchObject([{ code: "forbidden", count: 1 }]);
  });

  test("stay counted while the log is away, and are written when it is back", async () => {
    failing = true;
    note("forbidden");
    note("forbidden");
    await clock.advance(0);
    expect([written.length, failures.length]).toEqual([0, 1]);
    failing = false;
    await log.close();
    expect(specs()).toMatchObject([{ count: 2 }]);
  });

  test("of very many principals are counted together beyond a bound", async () => {
    for (let n = 0; n < 10_050; n++) note("forbidden", { ...attacker, id: systemIds.uuid7() });
    expect(written.length).toBeLessThanOrEqual(10_001);
    expect(specs().at(-1)).toMatchObject({ principal: "others" });
  });
});
