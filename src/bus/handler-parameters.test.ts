import { expect, test } from "vitest";
import { seesOneArgument } from "./handler-parameters.js";
import { EventBus } from "./index.js";

const handlers = {
  arrow: (event: unknown) => event,
  destructured: ({ payload, ...rest }: { payload: unknown }) => [payload, rest],
  nested: ({ payload: { id }, topic }: { payload: { id: string }; topic: string }) => [id, topic],
  asynchronous: async (event: unknown) => event,
  method(event: unknown) {
    return event;
  },
  async later(event: unknown) {
    return event;
  },
  named: function named(event: unknown) {
    return event;
  },
};

test.each(Object.entries(handlers))("a handler that sees the event alone is known for one: %s", (_name, handler) => {
  expect(seesOneArgument(handler)).toBe(true);
});

test("one whose text says nothing is taken to see more", () => {
  expect(seesOneArgument(handlers.arrow.bind(null))).toBe(false);
  expect(seesOneArgument(new Proxy(handlers.arrow, {}))).toBe(false);
  expect(seesOneArgument(() => 1)).toBe(false);
});

const seesIt: readonly (readonly [string, (seen: unknown[]) => (...given: never[]) => void])[] = [
  ["(event, context)", (seen) => (event: unknown, context: unknown) => void seen.push(event && context)],
  [
    "(event, ...rest)",
    (seen) =>
      (event: unknown, ...rest: unknown[]) =>
        void seen.push(event && rest[0]),
  ],
  [
    "({ id }, ...rest)",
    (seen) =>
      ({ id }: { id: string }, ...rest: unknown[]) =>
        void seen.push(id && rest[0]),
  ],
  [
    "(event, context = …)",
    (seen) =>
      (event: unknown, context: unknown = "none") =>
        void seen.push(event && context),
  ],
  [
    "arguments",
    (seen) =>
      function (_event: unknown) {
        seen.push(arguments[1]);
      },
  ],
  [
    "a bound rest",
    (seen) => ((_: unknown, event: unknown, ...rest: unknown[]) => void seen.push(event && rest[0])).bind(null, 0),
  ],
];
test.each(seesIt)("the context of a call is given to whatever can see it: %s", (_name, make) => {
  const seen: unknown[] = [];
  for (const correlation of [false, true]) {
    const bus = new EventBus({ unknownTopics: "allow", correlation });
    bus.on("a", make(seen) as () => void);
    void bus.publish("a", {});
  }
  expect(seen).toMatchObject([{ attempt: 1 }, { attempt: 1 }]);
});
