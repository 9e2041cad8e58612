import { describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { type BusEvent, EventBus, type Handler, topic } from "./index.js";

interface Topics {
  "user.created": { readonly name: string };
  "user.login": { readonly ip: string };
  "user.login.failed": { readonly reason: string };
  "order.placed": { readonly cents: number };
}

const open = { unknownTopics: "allow" } as const;

describe("types of a bus", () => {
  const bus = new EventBus<Topics>(open);

  test("publish takes the payload of its topic, and no other topic", () => {
    void bus.publish("user.created", { name: "Ada" });
    // @ts-expect-error the payload of another topic
    void bus.publish("user.created", { ip: "::1" });
    // @ts-expect-error no topic of the bus
    void bus.publish("user.craeted", { name: "Ada" });
    expectTypeOf(bus.publish("order.placed", { cents: 1 })).toEqualTypeOf<string | Promise<string>>();
  });

  test("an exact pattern gives its topic's event", () => {
    bus.on("user.created", (event) => {
      expectTypeOf(event).toEqualTypeOf<BusEvent<"user.created", Topics["user.created"]>>();
    });
  });

  test("* is one token, ** the rest, and event.topic tells the payloads apart", () => {
    bus.on("user.*", (event) => {
      expectTypeOf(event.topic).toEqualTypeOf<"user.created" | "user.login">();
      if (event.topic === "user.login") expectTypeOf(event.payload).toEqualTypeOf<Topics["user.login"]>();
    });
    bus.on("user.**", (event) => {
      expectTypeOf(event.topic).toEqualTypeOf<"user.created" | "user.login" | "user.login.failed">();
    });
    bus.on("*.login", (event) => {
      expectTypeOf(event.topic).toEqualTypeOf<"user.login">();
    });
    bus.on("**", (event) => {
      expectTypeOf(event.topic).toEqualTypeOf<keyof Topics>();
    });
  });

  test("several patterns give the union of their events, to the filter too", () => {
    bus.on(
      ["user.created", "order.*"],
      (event) => {
        expectTypeOf(event.topic).toEqualTypeOf<"user.created" | "order.placed">();
      },
      {
        filter: (event) => {
          expectTypeOf(event.topic).toEqualTypeOf<"user.created" | "order.placed">();
          return true;
        },
      },
    );
  });

  test("a pattern that takes no topic does not compile", () => {
    // @ts-expect-error misspelt
    bus.on("usr.*", () => undefined);
    // @ts-expect-error two tokens have no topic
    bus.once("order.*.*", () => undefined);
    // @ts-expect-error the second one is misspelt
    bus.on(["user.*", "ordr.*"], () => undefined);
    expect(bus.subscriptions().length).toBeGreaterThan(2);
  });

  test("subscriptions as data and as loops have the same types", async () => {
    bus.register([
      bus.define("order.placed", ({ payload }) => expectTypeOf(payload.cents).toEqualTypeOf<number>()),
      bus.define(["user.*"], (event) => expectTypeOf(event.topic).toEqualTypeOf<"user.created" | "user.login">()),
    ]);
    const stream = bus.stream("order.*");
    void stream.next().then((result) => {
      if (result.done !== true) expectTypeOf(result.value.payload).toEqualTypeOf<Topics["order.placed"]>();
    });
    await stream.return?.();
  });

  test("a handler in threads takes the same patterns and filters, and its module's function the same type", () => {
    const module = new URL("data:text/javascript,export default () => undefined");
    const closed = AbortSignal.abort();
    bus.on(
      "user.*",
      { isolation: "thread", module },
      {
        signal: closed,
        filter: (event) => {
          expectTypeOf(event.topic).toEqualTypeOf<"user.created" | "user.login">();
          return true;
        },
      },
    );
    // @ts-expect-error a pattern that takes no topic
    bus.once("usr.*", { isolation: "thread", module }, { signal: closed });
    // @ts-expect-error there is no other isolation
    expect(() => bus.on("user.*", { isolation: "process", module })).toThrow("function");
    const inModule: Handler<Topics, "order.*"> = ({ payload }, { signal }) => {
      expectTypeOf(payload).toEqualTypeOf<Topics["order.placed"]>();
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
    };
    bus.on("order.*", inModule, { signal: closed });
    // @ts-expect-error the payload of another topic
    bus.on("user.created", inModule, { signal: closed });
  });

  test("topics follow from JSON Schema and from Standard Schema", () => {
    const made = new EventBus({
      topics: {
        "user.created": topic({
          type: "object",
          properties: { name: { type: "string" }, age: { type: "integer" } },
          required: ["name"],
          additionalProperties: false,
        }),
        "order.placed": topic(z.object({ cents: z.int() })),
        "order.gone": topic<{ readonly why: string }>(),
      },
    });
    made.on("user.created", ({ payload }) => {
      expectTypeOf(payload).toEqualTypeOf<{ readonly name: string; readonly age?: number }>();
    });
    made.on("order.*", (event) => {
      if (event.topic === "order.placed") expectTypeOf(event.payload).toEqualTypeOf<{ cents: number }>();
      else expectTypeOf(event.payload).toEqualTypeOf<{ readonly why: string }>();
    });
    // @ts-expect-error cents is a number
    expect(() => made.publish("order.placed", { cents: "1" })).toThrow("/cents");
    // @ts-expect-error what it takes is not what it gives
    topic(z.string().transform(Number));
  });

  test("without types every topic is taken and payloads are unknown", () => {
    const loose = new EventBus(open);
    loose.on("a.*", (event) => {
      expectTypeOf(event.payload).toEqualTypeOf<unknown>();
    });
    void loose.publish("a.b", 1);
  });
});
