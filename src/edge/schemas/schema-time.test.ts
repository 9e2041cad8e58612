import { expect, test } from "vitest";
import { newTenantId, VirtualClock } from "../../testing/index.js";
import { SchemaBook } from "../platform/schema-book.js";
import { checkSchema } from "./administration.js";
import { SchemaTime } from "./schema-time.js";

/** A clock on which reading takes time. */
class Slow extends VirtualClock {
  skippedMs = 0;
  override monotonicMs(): number {
    return super.monotonicMs() + this.skippedMs;
  }
}

test("a tenant whose schemas have taken ten seconds waits, others do not, and a twentieth of the time comes back", () => {
  const clock = new Slow();
  const time = new SchemaTime(clock);
  const [greedy, other] = [newTenantId(), newTenantId()];
  const read = (tenantId: typeof greedy, ms: number): (() => void) => {
    return () => time.take(tenantId, () => void (clock.skippedMs += ms));
  };
  for (let n = 0; n < 3; n++) read(greedy, 4_000)();
  expect(read(greedy, 1)).toThrow(
    expect.objectContaining({ code: "busy", retryable: true, details: { retryAfterSeconds: expect.any(Number) } }),
  );
  expect(read(other, 1)).not.toThrow();
  clock.skippedMs += 40_000;
  expect(read(greedy, 1_000)).not.toThrow();
  expect(read(greedy, 1)).toThrow("as much of this edge's time");
});

test("no schema is read, good or bad, while its tenant has no time left", () => {
  const clock = new Slow();
  const schemaTime = new SchemaTime(clock);
  const tenantId = newTenantId();
  const platform = { state: { schemas: new SchemaBook() } };
  const check = (schema: object): (() => unknown) => {
    return () => checkSchema({ platform, schemaTime }, { tenantId, type: "x-a.b", schema: { ...schema } });
  };
  expect(check({ type: "object" })).not.toThrow();
  schemaTime.take(tenantId, () => void (clock.skippedMs += 11_000));
  expect(check({ type: "object" })).toThrow(expect.objectContaining({ code: "busy" }));
  expect(check({ type: "nonsense" })).toThrow(expect.objectContaining({ code: "busy" }));
});
