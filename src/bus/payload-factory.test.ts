import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { EventBus, payloadFactory, topic } from "./index.js";

const ticket = topic({
  type: "object",
  properties: {
    id: { type: "string" },
    team: { enum: ["billing", "technical"] },
    tags: { type: "array", items: { type: "string", maxLength: 5 } },
  },
  required: ["id", "team", "tags"],
  additionalProperties: false,
} as const);

describe("a factory of payloads", () => {
  it("fills in its defaults, and lets what is given win; the event has all of it and its id", async () => {
    const bus = new EventBus({ topics: { "ticket.opened": ticket } });
    const desk = bus.context("desk");
    const opened = payloadFactory(ticket, { team: "billing", tags: ["new"] });
    const seen: unknown[] = [];
    desk.on("ticket.opened", ({ id, payload }) => void seen.push([id, payload]));
    const first = desk.publish("ticket.opened", opened({ id: "1" }));
    const second = desk.publish("ticket.opened", opened({ id: "2", team: "technical" }));
    expect(seen).toEqual([
      [first, { id: "1", team: "billing", tags: ["new"] }],
      [second, { id: "2", team: "technical", tags: ["new"] }],
    ]);
    await bus.close();
  });

  it("shares its defaults among events, which none of them can change for the others", async () => {
    const bus = new EventBus({ topics: { "ticket.opened": ticket } });
    const desk = bus.context("desk");
    const tags = ["new"];
    const opened = payloadFactory(ticket, { tags });
    const failures: unknown[] = [];
    desk.on("ticket.opened", ({ payload }) => (payload.tags as string[]).push("evil"));
    desk.on("ticket.opened", ({ payload }) => void failures.push(payload.tags));
    for (const id of ["1", "2"]) await desk.publish("ticket.opened", opened({ id, team: "billing" }));
    expect(failures).toEqual([["new"], ["new"]]);
    await bus.close();
  });

  it.each<[string, object, string[]]>([
    ["of another value", { team: "sales" }, ["/team"]],
    ["deep inside", { tags: ["short", "too long"] }, ["/tags/1"]],
    ["that the schema does not know", { priority: "high" }, ["/priority"]],
  ])("defect C4: a default %s is refused when the factory is made", (_what, defaults, pointers) => {
    expect(() => payloadFactory(ticket, defaults as { team: "billing" })).toThrow(
      expect.objectContaining({ code: "config_invalid", details: { pointers } }),
    );
  });

  it("takes schemas of Standard Schema libraries, and types what is left to give", () => {
    const order = topic(z.object({ cents: z.int(), currency: z.enum(["eur", "usd"]) }));
    const placed = payloadFactory(order, { currency: "eur" });
    expectTypeOf(placed).returns.toEqualTypeOf<{ cents: number; currency: "eur" | "usd" }>();
    expect(placed({ cents: 5 })).toEqual({ cents: 5, currency: "eur" });
    // @ts-expect-error cents has no default
    placed({});
    // @ts-expect-error no such currency
    expect(() => payloadFactory(order, { currency: "gbp" })).toThrow(
      expect.objectContaining({ code: "config_invalid" }),
    );
  });
});
