import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import {
  type AuthorizationOptions,
  EventBus,
  ed25519Verifier,
  hmacVerifier,
  type SourceMessage,
  type SourceOptions,
  type SubscribeRequest,
  signedBytes,
  topic,
} from "./index.js";

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

function openBus(options: AuthorizationOptions): { readonly bus: EventBus; readonly clock: VirtualClock } {
  const clock = new VirtualClock();
  return { bus: new EventBus({ unknownTopics: "allow", clock, ...options }), clock };
}

describe("permits to publish", () => {
  test("are asked for before anything is queued, with who, where and what", async () => {
    const requests: unknown[] = [];
    const { bus } = openBus({
      authorizePublish: (request) => {
        requests.push(request);
        return request.principal === "writer";
      },
    });
    const seen: unknown[] = [];
    bus.on("**", ({ payload }) => seen.push(payload));
    expect(() => bus.publish("a", 1, { principal: "reader" })).toThrow(coded("forbidden"));
    await expect(bus.publishAndSettle("a", 1)).rejects.toThrow(coded("forbidden"));
    const batch = [
      { topic: "a", payload: 1, principal: "writer" },
      { topic: "b", payload: 2 },
    ];
    await expect(bus.publishBatch(batch)).rejects.toThrow(coded("forbidden"));
    void bus.publish("a", 3, { principal: "writer" });
    expect(seen).toEqual([3]);
    expect(requests[0]).toEqual({ context: "default", topic: "a", principal: "reader", source: undefined });
  });

  test("are not given by a hook that throws, or that answers anything but true", () => {
    const answers: (() => unknown)[] = [
      () => {
        throw new Error("down");
      },
      () => 1,
      () => Promise.resolve(true),
      () => undefined,
    ];
    for (const answer of answers) {
      const { bus } = openBus({ authorizePublish: answer as () => boolean });
      expect(() => bus.publish("a", 1)).toThrow(coded("forbidden"));
    }
  });

  test("cannot be had by naming oneself a source", () => {
    const sources: unknown[] = [];
    const { bus } = openBus({
      authorizePublish: ({ source }) => {
        sources.push(source);
        return true;
      },
    });
    bus.on("a", ({ source }) => sources.push(source));
    void bus.publish("a", 1, { source: "github", context: "other", id: "x" } as { id: string });
    expect(sources).toEqual([undefined, undefined]);
  });
});

describe("permits to subscribe", () => {
  test("are asked for before anything is registered", () => {
    const requests: SubscribeRequest[] = [];
    const { bus } = openBus({
      authorizeSubscribe: (request) => {
        requests.push(request);
        return request.principal === "ops";
      },
    });
    for (const attempt of [
      () => bus.on("a.*", () => undefined),
      () => bus.once("a.*", () => undefined),
      () => bus.stream("a.*"),
    ])
      expect(attempt).toThrow(coded("forbidden"));
    expect(bus.subscriptions()).toEqual([]);
    bus.on(["a.*", "b"], () => undefined, { principal: "ops", name: "x" });
    expect(requests.at(-1)).toEqual({
      context: "default",
      subscription: "x",
      patterns: ["a.*", "b"],
      principal: "ops",
    });
  });

  test("of some topics let only those through, whatever the patterns take", () => {
    const { bus } = openBus({ authorizeSubscribe: () => ["user.*"] });
    const seen: string[] = [];
    bus.on("**", ({ topic: name }) => seen.push(name));
    for (const name of ["user.created", "user.a.b", "payment.made", "user.gone"]) void bus.publish(name, {});
    expect(seen).toEqual(["user.created", "user.gone"]);
  });

  test("that are withdrawn end the subscription and what waits for it; those that are narrowed drop the rest", async () => {
    let permitted: boolean | readonly string[] = true;
    const { bus, clock } = openBus({
      authorizeSubscribe: ({ subscription }) => (subscription === "kept" ? true : permitted),
    });
    const seen: string[] = [];
    const kept = bus.on("**", ({ topic: name }) => seen.push(`kept ${name}`), { name: "kept" });
    const slow = bus.on("**", () => clock.sleep(100), { name: "slow" });
    for (const name of ["a", "b", "c"]) void bus.publish(name, {});
    permitted = ["a", "b"];
    expect(bus.reauthorize()).toEqual([]);
    void bus.publish("c", {});
    expect(slow.status()).toMatchObject({ inFlight: 1, depth: 1, dropped: 1 });
    permitted = false;
    expect(bus.reauthorize()).toEqual(["slow"]);
    void bus.publish("a", {});
    expect(slow.status()).toMatchObject({ state: "closed", depth: 0, dropped: 2 });
    expect(kept.status().done).toBe(5);
  });

  test("that are narrowed let in who waits at the door of the queue for what was dropped", async () => {
    let permitted: readonly string[] = ["a.**"];
    const bus = new EventBus({ unknownTopics: "allow", authorizeSubscribe: () => permitted });
    const subscription = bus.on("a.**", () => undefined, { queueMax: 1 });
    subscription.pause();
    void bus.publish("a.secret", 1);
    const admitted = bus.publish("a.public", 2, { id: "p" });
    permitted = ["a.public"];
    bus.reauthorize();
    expect(await admitted).toBe("p");
    expect(subscription.status()).toMatchObject({ depth: 1, dropped: 1 });
  });

  test("that are narrowed while a call is under way make it the last one for its event", async () => {
    const clock = new VirtualClock();
    let permitted: readonly string[] = ["a.**"];
    const bus = new EventBus({ unknownTopics: "allow", clock, authorizeSubscribe: () => permitted });
    let fail = (): void => undefined;
    let calls = 0;
    const handler = (): Promise<never> => {
      calls++;
      return new Promise((_, reject) => {
        fail = () => reject(new Error("down"));
      });
    };
    bus.on("a.**", handler, { retry: { attempts: 9, baseMs: 10, capMs: 10 } });
    const settled = bus.publishAndSettle("a.secret", 1);
    permitted = ["a.public"];
    expect(bus.reauthorize()).toEqual([]);
    fail();
    expect((await settled).outcomes).toMatchObject([{ outcome: "failed", attempts: 1 }]);
    await clock.advance(1_000);
    expect(calls).toBe(1);
  });

  test("that are withdrawn between two attempts end them", async () => {
    let permitted = true;
    const { bus, clock } = openBus({ authorizeSubscribe: () => permitted });
    let calls = 0;
    bus.context("other").on(
      "a",
      () => {
        calls++;
        throw new Error("no");
      },
      { retry: { attempts: 5 }, name: "x" },
    );
    const settled = bus.context("other").publishAndSettle("a", {});
    permitted = false;
    expect(bus.reauthorize()).toEqual(["other/x"]);
    await clock.advance(60_000);
    expect(calls).toBe(1);
    expect((await settled).outcomes).toMatchObject([{ outcome: "dropped", attempts: 1 }]);
  });
});

describe("a source from outside", () => {
  const key = Buffer.alloc(32, 7);
  const order = topic({
    type: "object",
    properties: { cents: { type: "integer" } },
    required: ["cents"],
    additionalProperties: false,
  });

  function openSource(options: Partial<SourceOptions> = {}) {
    const clock = new VirtualClock();
    const bus = new EventBus({ topics: { "shop.order": order, "user.created": topic() }, clock });
    const seen: unknown[] = [];
    bus.on("**", ({ id, payload, source }) => seen.push([id, payload, source]));
    const source = bus.addSource({ name: "shop", topics: ["shop.*"], verify: hmacVerifier(key), ...options });
    return { bus, clock, seen, source };
  }

  function signed(parts: Partial<SourceMessage> = {}): SourceMessage {
    const message = { topic: "shop.order", body: '{"cents":5}', id: "m1", sentAtMs: Date.UTC(2026, 0, 1), ...parts };
    return { signature: createHmac("sha256", key).update(signedBytes(message, "message")).digest("hex"), ...message };
  }

  test("that signs its messages is believed, and its events say so", async () => {
    const { seen, source } = openSource();
    expect(await source.receive(signed())).toBe("m1");
    expect(seen).toEqual([["m1", { cents: 5 }, "shop"]]);
    expect(source.status()).toEqual({ accepted: 1, unverified: 0, refused: 0, isBreakerOpen: false });
  });

  const forgeries: readonly (readonly [string, Partial<SourceMessage>])[] = [
    ["no signature", { signature: "" }],
    ["another's signature", { signature: "00".repeat(32) }],
    ["a short signature", { signature: "ab" }],
    ["a header that is not there", { signature: undefined as unknown as string }],
    ["another body", { body: '{"cents":6}' }],
    ["another topic", { topic: "shop.refund" }],
    ["another id", { id: "m2" }],
    ["another time", { sentAtMs: Date.UTC(2026, 0, 2) }],
  ];

  test.each(forgeries)("is not believed with %s: refused and counted", async (_name, change) => {
    const { seen, source } = openSource();
    await expect(source.receive({ ...signed(), ...change })).rejects.toThrow(coded("unauthenticated"));
    expect([seen, source.status()]).toEqual([[], { accepted: 0, unverified: 1, refused: 0, isBreakerOpen: false }]);
  });

  test("is taken once for each id, and in its time", async () => {
    const { source, clock } = openSource({ maxAgeMs: 60_000 });
    const both = await Promise.allSettled([source.receive(signed()), source.receive(signed())]);
    expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    await expect(source.receive(signed())).rejects.toThrow(coded("unauthenticated"));
    await clock.advance(60_001);
    await expect(source.receive(signed({ id: "m2" }))).rejects.toThrow(coded("unauthenticated"));
    const { sentAtMs: _, ...timeless } = signed({ id: "m3" });
    await expect(source.receive(timeless)).rejects.toThrow(coded("unauthenticated"));
    expect(source.status()).toMatchObject({ accepted: 1, unverified: 4 });
  });

  test("is taken once also when more messages came meanwhile than any bound of fewer ids would hold", async () => {
    const { source } = openSource({ maxAgeMs: 60_000, rateLimit: { perSecond: 100, burst: 20_000 } });
    for (let n = 0; n < 10_001; n++) await source.receive(signed({ id: `m${n}` }));
    await expect(source.receive(signed({ id: "m0" }))).rejects.toThrow(coded("unauthenticated"));
  });

  test.each([
    { bodyBytesMax: Number.NaN },
    { bodyBytesMax: 0 },
    { maxAgeMs: Number.NaN },
    { maxAgeMs: -1 },
    { breaker: { failures: Number.NaN, openMs: 1 } },
    { rateLimit: { perSecond: 0 } },
  ])("is refused with the bounds %o", (bounds) => {
    expect(() => openSource(bounds)).toThrow(coded("config_invalid"));
  });

  test("publishes its own topics, checked like all others", async () => {
    const { source, seen } = openSource();
    await expect(source.receive(signed({ topic: "user.created" }))).rejects.toThrow(coded("forbidden"));
    await expect(source.receive(signed({ body: '{"cents":"5"}' }))).rejects.toThrow(coded("schema_violation"));
    await expect(source.receive(signed({ body: '{"cents":1,"cents":2}' }))).rejects.toThrow(
      coded("json_duplicate_key"),
    );
    await expect(source.receive(signed({ body: '{"__proto__":{}}' }))).rejects.toThrow(coded("json_forbidden_key"));
    await expect(source.receive(signed({ body: `"${"x".repeat(300_000)}"` }))).rejects.toThrow(
      coded("payload_too_large"),
    );
    expect(seen).toEqual([]);
    expect(source.status()).toMatchObject({ refused: 5 });
    expect(await source.receive(signed())).toBe("m1");
  });

  test("that floods is refused before anything is verified", async () => {
    let verified = 0;
    const { source } = openSource({
      rateLimit: { perSecond: 10, burst: 3 },
      verify: () => {
        verified++;
        return false;
      },
    });
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, (_, n) => source.receive(signed({ id: `m${n}` }))),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toEqual([]);
    expect(verified).toBe(3);
    expect(source.status()).toMatchObject({ unverified: 3, refused: 47 });
  });

  test("that sends rubbish, or whose verifier fails, is left alone for a while; unverified messages do not bring that about", async () => {
    const { source, clock } = openSource({ breaker: { failures: 3, openMs: 1_000 } });
    for (const signature of ["00", "", undefined, 7, null])
      await expect(source.receive({ ...signed(), signature: signature as string })).rejects.toThrow(
        coded("unauthenticated"),
      );
    for (let n = 0; n < 3; n++)
      await expect(source.receive(signed({ id: `b${n}`, body: "{}" }))).rejects.toThrow(coded("schema_violation"));
    await expect(source.receive(signed({ id: "g" }))).rejects.toThrow(coded("unavailable"));
    await clock.advance(1_000);
    expect(await source.receive(signed({ id: "g" }))).toBe("g");
    expect(source.status().isBreakerOpen).toBe(false);
    const broken = openSource({
      name: "x",
      breaker: { failures: 1, openMs: 1_000 },
      verify: () => Promise.reject(new Error("down")),
    });
    await expect(broken.source.receive(signed())).rejects.toThrow(coded("unauthenticated"));
    await expect(broken.source.receive(signed())).rejects.toThrow(coded("unavailable"));
  });

  test("may sign with Ed25519, over the body alone as foreign webhooks do, in base64 and with a prefix", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
    const { source } = openSource({ verify: ed25519Verifier(pem, { covers: "body" }) });
    const body = '{"cents":5}';
    const signature = sign(null, Buffer.from(body), privateKey).toString("base64");
    expect(await source.receive({ topic: "shop.order", body, signature, id: "e1" })).toBe("e1");
    await expect(source.receive({ topic: "shop.order", body: '{"cents":6}', signature, id: "e2" })).rejects.toThrow(
      coded("unauthenticated"),
    );
    const github = openSource({ verify: hmacVerifier(key, { covers: "body" }) }).source;
    const digest = createHmac("sha256", key).update(body).digest("hex");
    expect(
      await github.receive({ topic: "shop.order", body: Buffer.from(body), signature: `sha256=${digest}`, id: "h" }),
    ).toBe("h");
  });

  test("needs a name of its own, a verifier, topics, and a key that is one", async () => {
    const { bus } = openSource();
    const verify = hmacVerifier(key);
    expect(() => bus.addSource({ name: "shop", topics: ["a"], verify })).toThrow(coded("request_invalid"));
    expect(() => bus.addSource({ name: "b", topics: [], verify })).toThrow(coded("config_invalid"));
    expect(() => bus.addSource({ name: "b", topics: ["a..b"], verify })).toThrow(coded("request_invalid"));
    expect(() => bus.addSource({ name: "b", topics: ["a"] } as unknown as SourceOptions)).toThrow(
      coded("config_invalid"),
    );
    expect(() => hmacVerifier(Buffer.alloc(15))).toThrow(coded("config_invalid"));
    expect(() => ed25519Verifier("no key")).toThrow(coded("config_invalid"));
    await bus.close();
    expect(() => bus.addSource({ name: "b", topics: ["a"], verify })).toThrow(coded("unavailable"));
  });
});
