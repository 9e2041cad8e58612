/** The bytes of a tenant that this process holds for slow clients. */
import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { systemIds, type TenantId } from "../kernel/index.js";
import { HeldBytes } from "./held-bytes.js";

const [acme, other] = [systemIds.uuid4() as string as TenantId, systemIds.uuid4() as string as TenantId];
const mebibyte = 1_048_576;
const exchange = (): ServerResponse => new EventEmitter() as ServerResponse; // of which only `close` is heard

describe("bytes that are held", () => {
  test("end with their exchange, and are bounded for each tenant however many were let in at once", () => {
    const held = new HeldBytes("Wait.");
    const exchanges = Array.from({ length: 100 }, exchange);
    for (const _ of exchanges) held.assertRoom(acme);
    const taken = exchanges.filter((each) => {
      try {
        held.hold(acme, 8 * mebibyte, each);
        return true;
      } catch (error) {
        expect(error).toMatchObject({ code: "busy" });
        return false;
      }
    });
    expect(taken).toHaveLength(8);
    held.hold(other, mebibyte, exchange());
    taken[0]?.emit("close");
    expect(() => held.assertRoom(acme)).not.toThrow();
    const giveBack = held.take(acme, 8 * mebibyte);
    expect(() => held.take(acme, 1)).toThrow(expect.objectContaining({ code: "busy" }));
    giveBack();
    held.take(acme, 1);
  });
});
