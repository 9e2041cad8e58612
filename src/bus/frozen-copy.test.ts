import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { DataShapes, TopicShapes } from "./data-shapes.js";
import { frozenCopy } from "./frozen-copy.js";
import { EventBus, topic } from "./index.js";

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

/** Sightings after which an object's shape is known. */
const enough = 20;

/** Shapes that know a place where such objects are. */
function shapesOf(...samples: readonly unknown[]): DataShapes {
  const shapes = new DataShapes();
  for (const sample of samples) for (let n = 0; n < enough; n++) frozenCopy(sample, shapes);
  return shapes;
}

function isDeeplyFrozen(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isDeeplyFrozen);
}

/** Copies without and with known shapes; the two must be the same. */
const ways = [
  ["of unknown shape", undefined],
  ["of known shape", shapesOf({ a: 1, b: { c: 2 } }, { a: 1 }, { a: 1, b: [{ c: 1 }] }, { c: 1 })],
] as const;

describe.each(ways)("a payload %s", (_way, shapes) => {
  const copy = (value: unknown): unknown => frozenCopy(value, shapes);

  test("is copied and frozen with everything in it, and the publisher's own is left as it was", () => {
    const own = { a: 1, b: { c: 2 as unknown } };
    const kept = copy(own);
    expect([kept, isDeeplyFrozen(kept), Object.isFrozen(own), Object.isFrozen(own.b)]).toEqual([
      own,
      true,
      false,
      false,
    ]);
    own.b.c = 3;
    expect(kept).toEqual({ a: 1, b: { c: 2 } });
  });

  test("is what its getters said, each asked once", () => {
    let asked = 0;
    const moody = {
      get a() {
        return ++asked;
      },
      b: Object.defineProperty({}, "c", { get: () => [asked], enumerable: true }),
    };
    const kept = copy(moody);
    expect([kept, kept, asked]).toEqual([{ a: 1, b: { c: [1] } }, { a: 1, b: { c: [1] } }, 1]);
    expect(isDeeplyFrozen(kept)).toBe(true);
    expect(Object.getOwnPropertyDescriptor(kept, "a")).toMatchObject({ value: 1, writable: false });
  });

  test("is what a proxy said, each member once", () => {
    const said: string[] = [];
    const target = { a: 1, b: { c: 2 } };
    const proxy = new Proxy(target, {
      get: (of, name) => {
        said.push(String(name));
        return said.length > 2 ? "changed" : Reflect.get(of, name);
      },
    });
    const kept = copy(proxy);
    target.b.c = 3;
    expect([kept, said, isDeeplyFrozen(kept)]).toEqual([{ a: 1, b: { c: 2 } }, ["a", "b"], true]);
  });

  test("has no symbols and no hidden members: what they hold could be changed", () => {
    const hidden = Object.defineProperty({ a: 1, [Symbol("s")]: new Map() }, "b", { value: new Map() });
    expect(Reflect.ownKeys(copy(hidden) as object)).toEqual(["a"]);
    const shy = Object.defineProperty({ a: 1 }, "toJSON", { value: () => "forged" });
    expect(JSON.stringify(copy(shy))).toBe('{"a":1}');
    const list = Object.assign([1], { extra: new Map(), [Symbol("s")]: 1 });
    expect(Reflect.ownKeys(copy(list) as object)).toEqual(["0", "length"]);
  });

  test.each([
    ["a function", () => 1],
    ["toJSON", { a: 1, toJSON: () => "forged" }],
    ["a date", new Date(0)],
    ["a map", new Map()],
    ["a set", new Set()],
    ["a typed array", new Uint8Array(2)],
    ["a buffer", Buffer.from("x")],
    ["a bigint", 1n],
    ["a symbol", Symbol("s")],
    ["an instance", new (class Thing {})()],
    ["an array of a class of its own", new (class Things extends Array {})()],
    ["what only inherits from Array", Object.create(Array.prototype)],
    ["a boxed text", new String("x")],
    ["an error", new Error("no")],
    ["a promise", Promise.resolve()],
    ["a regular expression", /x/],
    ["what inherits from an object of its own", Object.setPrototypeOf({}, {})],
  ])("with %s is refused, wherever it is", (_name, value) => {
    for (const payload of [value, [value], { a: value }, { a: 1, b: { c: value } }, { a: 1, b: [{ c: value }] }])
      expect(() => copy(payload)).toThrow(coded("request_invalid"));
  });

  test("may nest 32 levels, and no more; a circle ends too", () => {
    const nested = (levels: number, wrap: (inner: unknown) => unknown): unknown =>
      Array.from({ length: levels }).reduce(wrap, 1);
    const wraps: readonly ((inner: unknown) => unknown)[] = [(inner) => ({ a: inner }), (inner) => [inner]];
    for (const wrap of wraps) {
      expect(isDeeplyFrozen(copy(nested(32, wrap)))).toBe(true);
      expect(() => copy(nested(33, wrap))).toThrow(coded("request_invalid"));
      expect(() => copy(nested(100_000, wrap))).toThrow(coded("request_invalid"));
    }
    const circle: Record<string, unknown> = {};
    circle["a"] = circle;
    expect(() => copy(circle)).toThrow(coded("request_invalid"));
  });

  test("has 100,000 parts at most, also where an array has fewer elements than it says", () => {
    const parts = Array.from({ length: 100_000 }, () => 0);
    expect(copy(parts)).toEqual(parts);
    expect(() => copy([parts])).toThrow(coded("payload_too_large"));
    const sparse: unknown[] = [];
    sparse.length = 4_000_000_000;
    expect(() => copy(sparse)).toThrow(coded("payload_too_large"));
    for (const length of [-1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => copy(new Proxy([], { get: () => length }))).toThrow(coded("payload_too_large"));
  });

  test("has no holes, and keeps a null prototype and members named __proto__", () => {
    // oxlint-disable-next-line no-sparse-arrays -- that is what is tested
    expect(Object.keys(copy([, 1]) as object)).toEqual(["0", "1"]);
    expect(Object.getPrototypeOf(copy(Object.assign(Object.create(null), { a: 1 })))).toBe(null);
    const odd = copy(JSON.parse('{"a":1,"__proto__":{"b":1}}')) as object;
    expect([Object.keys(odd), Object.getPrototypeOf(odd)]).toEqual([["a", "__proto__"], Object.prototype]);
    expect(isDeeplyFrozen(odd)).toBe(true);
  });

  test("is bounded in parts also where a getter publishes", () => {
    const inner = {
      get a() {
        return copy([1, 2]);
      },
      b: Array.from({ length: 100_000 }, () => 0),
    }; // prettier-ignore
    expect(() => copy(inner)).toThrow(coded("payload_too_large"));
  });
});

describe("shapes", () => {
  test("copy what they learned as everything else is copied", () => {
    const seed = Number(process.env["FC_SEED"] ?? Date.now() % 2 ** 31);
    const shapes = new DataShapes();
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        for (let n = 0; n < enough; n++) {
          const kept = frozenCopy(value, shapes);
          expect(JSON.stringify(kept)).toBe(JSON.stringify(value));
          expect(isDeeplyFrozen(kept)).toBe(true);
        }
      }),
      { seed, numRuns: 300 },
    );
  });

  test("are learned from names that are identifiers, whatever other names say", () => {
    const names = ["a,b", "a:1}),globalThis.hit=1,({c", '"', "x y", "\u2028", "constructor", "__proto__"];
    const value = Object.fromEntries(names.map((name) => [name, 1]));
    expect(frozenCopy(value, shapesOf(value))).toEqual(value);
    for (const name of [...names, "x".repeat(65)]) {
      const one = Object.fromEntries([[name, 1]]);
      const shapes = shapesOf(one);
      expect([frozenCopy(one, shapes), shapes.of(one) !== undefined]).toEqual([one, name === "constructor"]);
    }
    expect("hit" in globalThis).toBe(false);
  });

  test("do not take objects with another prototype for plain ones", () => {
    const shapes = shapesOf({ a: 1 }, {});
    class Thing {
      a = 1;
    }
    expect(() => frozenCopy(new Thing(), shapes)).toThrow(coded("request_invalid"));
    const bare = frozenCopy(Object.assign(Object.create(null), { a: 1 }), shapes);
    expect([Object.getPrototypeOf(bare), frozenCopy([], shapes)]).toEqual([null, []]);
  });

  test("are a bounded number, whatever is published", () => {
    const shapes = new DataShapes();
    for (let n = 0; n < 12_000; n++) {
      const value = Object.fromEntries([[`name${n}`, { a: n }]]);
      expect(frozenCopy(value, shapes)).toEqual(value);
      expect(shapes.of(value)).toBe(undefined);
    }
    const crowded = shapesOf(...Array.from({ length: 6 }, (_, n) => Object.fromEntries([[`m${n}`, 1]])));
    const known = Array.from({ length: 6 }, (_, n) => crowded.of(Object.fromEntries([[`m${n}`, 1]])) !== undefined);
    expect(known).toEqual([true, true, true, true, false, false]);
    const one = new TopicShapes();
    one.left = 1;
    const tree = new DataShapes(one);
    for (let n = 0; n < enough; n++) frozenCopy({ a: { b: 1 } }, tree);
    for (let n = 0; n < enough; n++) frozenCopy({ a: { b: 1 } }, tree);
    expect(tree.of({ a: 1 })?.places[0]?.of({ b: 1 })).toBe(undefined);
  });

  test("count a bounded number of those that they have not learned, at all places of a topic together", () => {
    const all = new TopicShapes();
    const [here, there] = [new DataShapes(all), new DataShapes(all)];
    for (let n = 0; n < 15; n++) frozenCopy({ a: 1 }, here);
    for (let n = 0; n < 128; n++) frozenCopy(Object.fromEntries([[`name${n}`, 1]]), there);
    frozenCopy({ a: 1 }, here);
    expect(here.of({ a: 1 })).toBe(undefined);
    for (let n = 0; n < enough; n++) frozenCopy({ a: 1 }, here);
    expect(here.of({ a: 1 })?.names).toEqual(["a"]);
  });

  test("take nothing that somebody put on the prototype of all objects", () => {
    const shapes = shapesOf({ name: "a", isAdmin: true });
    try {
      Object.defineProperty(Object.prototype, "isAdmin", {
        value: true,
        enumerable: true,
        configurable: true,
        writable: true,
      });
      expect(Object.keys(frozenCopy({ name: "b" }, shapes) as object)).toEqual(["name"]);
    } finally {
      Reflect.deleteProperty(Object.prototype, "isAdmin");
    }
    expect(frozenCopy({ name: "c", isAdmin: false }, shapes)).toEqual({ name: "c", isAdmin: false });
  });

  test("count the parts of an object with another prototype once", () => {
    const bare = (): object => Object.assign(Object.create(null) as object, { a: 1, b: 2, c: 3 });
    const list = Array.from({ length: 20_000 }, bare);
    expect(frozenCopy(list, shapesOf([{ a: 1, b: 2, c: 3 }]))).toEqual(list);
  });

  test("learn two kinds of objects that take turns", () => {
    const shapes = new DataShapes();
    for (let n = 0; n < 2 * enough; n++) frozenCopy(n % 2 === 0 ? { a: 1 } : { a: 1, b: 2 }, shapes);
    expect([shapes.of({ a: 0 })?.names, shapes.of({ a: 0, b: 0 })?.names]).toEqual([["a"], ["a", "b"]]);
  });
});

describe("what is checked is what handlers get", () => {
  test.each([0, enough])("also where a getter answers something else the next time, after %i events", (before) => {
    const schema = { type: "object", properties: { role: { const: "guest" } }, required: ["role"] } as const;
    const bus = new EventBus<{ joined: { readonly role: "guest" } }>({ topics: { joined: topic(schema) } });
    const seen: unknown[] = [];
    bus.on("joined", ({ payload }) => void seen.push(payload.role));
    for (let n = 0; n < before; n++) void bus.publish("joined", { role: "guest" });
    let looks = 0;
    const liar = {
      get role(): "guest" {
        return (looks++ === 0 ? "guest" : "admin") as "guest"; // that is the lie
      },
    };
    void bus.publish("joined", liar);
    expect(new Set(seen)).toEqual(new Set(["guest"]));
    expect(() => bus.publish("joined", liar)).toThrow(coded("schema_violation"));
  });

  test("also where a Standard Schema makes something else of it", () => {
    const made = { n: 1 };
    const validate = (): { readonly value: object } => ({ value: made });
    const standard = { "~standard": { version: 1, vendor: "test", validate } } as const;
    const bus = new EventBus({ topics: { a: topic(standard as never) } });
    void bus.publish("a", {});
    made.n = 2;
    expect(bus.history()[0]?.payload).toEqual({ n: 1 });
  });
});
