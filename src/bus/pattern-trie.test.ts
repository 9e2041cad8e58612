import { describe, expect, test, vi } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { EventBus } from "./index.js";
import { patternTokens, topicTokens } from "./pattern.js";
import { PatternTrie } from "./pattern-trie.js";

function matches(patterns: readonly string[], topic: string): readonly string[] {
  const trie = new PatternTrie<string>();
  for (const pattern of patterns) trie.add(patternTokens(pattern), pattern);
  return [...trie.match(topicTokens(topic))].sort();
}

describe("a trie of patterns", () => {
  const all = ["user.created", "user.*", "user.**", "*.created", "*.*", "**", "*", "user.*.failed", "user"];

  test.each([
    ["user.created", ["**", "*.*", "*.created", "user.*", "user.**", "user.created"]],
    ["user.login.failed", ["**", "user.**", "user.*.failed"]],
    ["user", ["*", "**", "user"]],
    ["order.created", ["**", "*.*", "*.created"]],
    ["a.b.c.d", ["**"]],
  ])("%s is taken by %j", (topic, expected) => {
    expect(matches(all, topic)).toEqual([...expected].sort());
  });

  test("defect C1: * does not cross a dot, and *.login matches", () => {
    expect(matches(["user.*", "*.login", "*"], "user.a.login")).toEqual([]);
    expect(matches(["*.login"], "user.login")).toEqual(["*.login"]);
  });

  test("an entry under several patterns is found once, and is gone when each was removed", () => {
    const trie = new PatternTrie<string>();
    const patterns = ["a.*", "a.b", "**"].map(patternTokens);
    for (const tokens of patterns) trie.add(tokens, "one");
    expect([...trie.match(["a", "b"])]).toEqual(["one"]);
    for (const tokens of patterns) trie.remove(tokens, "one");
    expect(trie.match(["a", "b"]).size).toBe(0);
  });

  test("agrees with a comparison token by token, for random patterns and topics", () => {
    const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
    const random = seeded(seed);
    const words = ["a", "b", "c"];
    const word = (): string => words[Math.floor(random() * words.length)] ?? "a";
    const length = (): number => 1 + Math.floor(random() * 5);
    for (let round = 0; round < 300; round++) {
      const patterns = Array.from({ length: 20 }, () => {
        const tokens = Array.from({ length: length() }, () => (random() < 0.3 ? "*" : word()));
        return (random() < 0.3 ? [...tokens.slice(1), "**"] : tokens).join(".");
      });
      const topic = Array.from({ length: length() }, word).join(".");
      const expected = [...new Set(patterns)].filter((pattern) => takes(pattern.split("."), topic.split("."))).sort();
      expect(matches(patterns, topic), `seed ${seed}, ${topic} among ${patterns.join(" ")}`).toEqual(expected);
    }
  });
});

describe("defect C1, D5: the number of subscriptions", () => {
  const topic = "group7.any.done";
  const patterns = (count: number): readonly string[] => Array.from({ length: count }, (_, n) => `group${n}.*.done`);

  /** How often `run` looks something up in a map. */
  function lookUps(run: () => unknown): number {
    const get = vi.spyOn(Map.prototype, "get");
    run();
    const { length } = get.mock.calls;
    get.mockRestore();
    return length;
  }

  test.each([1_000, 10_000])("defect C1: does not count when a topic is looked up: %d", (count) => {
    const trie = new PatternTrie<string>();
    for (const pattern of patterns(count)) trie.add(patternTokens(pattern), pattern);
    expect([...trie.match(topicTokens(topic))]).toEqual(["group7.*.done"]);
    // Two for each token: the token and `*`.
    expect(lookUps(() => trie.match(topicTokens(topic)))).toBe(6);
  });

  test.each([1_000, 10_000])("does not count when an event is published: %d", (count) => {
    const bus = new EventBus({ unknownTopics: "allow" });
    let heard = 0;
    for (const pattern of patterns(count)) bus.on(pattern, () => heard++);
    void bus.publish(topic, 1);
    // What was found for the topic is remembered.
    expect(lookUps(() => bus.publish(topic, 1))).toBe(1);
    expect(heard).toBe(2);
  });
});

function takes([pattern, ...patterns]: readonly string[], [token, ...tokens]: readonly string[]): boolean {
  if (pattern === undefined || token === undefined) return pattern === token;
  if (pattern === "**") return true;
  return (pattern === "*" || pattern === token) && takes(patterns, tokens);
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x80000000;
  };
}

describe("what is no pattern or topic", () => {
  test.each([
    "",
    ".",
    "a.",
    ".a",
    "a..b",
    "a b",
    "a.>",
    "a\nb",
    "%2e",
    "../a",
    "ä",
    "a.b*",
    "a.**.b",
    "a".repeat(129),
    "a.".repeat(8) + "a",
  ])("%j is refused", (text) => {
    for (const tokensOf of [patternTokens, topicTokens])
      expect(() => tokensOf(text)).toThrow(expect.toSatisfy((error) => isEventplaneError(error, "request_invalid")));
  });

  test.each(["*", "a.*", "a.**", "**"])("%s is a pattern and no topic", (text) => {
    expect(patternTokens(text)).toEqual(text.split("."));
    expect(() => topicTokens(text)).toThrow("is no topic");
  });
});
