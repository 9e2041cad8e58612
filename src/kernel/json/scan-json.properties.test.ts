import fc from "fast-check";
import { expect, test } from "vitest";
import { EventplaneError } from "../errors.js";
import { type ScannedJson, scanJson, scanLargeJson } from "./scan-json.js";

const text = fc.string({ unit: "grapheme", maxLength: 12 }).filter((string) => !string.includes("\u0000"));
const name = text.filter((key) => !["__proto__", "constructor", "prototype"].includes(key));
const number = fc.oneof(
  fc.maxSafeInteger().map((integer) => integer + 0),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -9007199254740991, max: 9007199254740991 }).map((n) => n + 0),
);
const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { depthSize: "medium", maxDepth: 8 },
    fc.constantFrom(null, true, false),
    number,
    text,
    fc.array(tie("json"), { maxLength: 6 }),
    fc.dictionary(name, tie("json"), { maxKeys: 24, noNullPrototype: true }),
  ),
}));

/** Valid by grammar, often hostile by Eventplane's rules; and, mutated, often invalid. */
const seeds = fc.oneof(
  fc.tuple(json, fc.constantFrom(undefined, 1, "\t")).map(([value, space]) => JSON.stringify(value, null, space)),
  fc.constantFrom(
    '{"a":1,"\\u0061":[-0,1e400,9007199254740993]}',
    '{"__proto__":{"x":"\\ud83d\\ude00\\ud800"},"é":"\\u0000"}',
    '[1.5e-3,-0.0,"\\"\\\\\\/\\b\\f\\n\\r\\t",true,false,null,{},[]]',
  ),
);
const fragments = fc.constantFrom(...'{}[],:"\\u0-+.eE1 \n\t/tfn\u0000\u001f', "\\u", "\\ud800", "1e5", "null", "é");
const edits = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    remove: fc.integer({ min: 0, max: 3 }),
    insert: fc.oneof(
      fragments.map((fragment) => Buffer.from(fragment)),
      fc.uint8Array({ maxLength: 2 }).map((bytes) => Buffer.from(bytes)),
    ),
  }),
  { maxLength: 3 },
);

function mutate(seed: string, changes: readonly { at: number; remove: number; insert: Buffer }[]): Buffer {
  let bytes = Buffer.from(seed);
  for (const { at, remove, insert } of changes) {
    const from = Math.floor(at * bytes.length);
    bytes = Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + remove)]);
  }
  return bytes;
}

function attempt(bytes: Buffer): ScannedJson | EventplaneError {
  try {
    return scanJson(bytes);
  } catch (error) {
    if (error instanceof EventplaneError && error.code !== "internal") return error;
    throw error;
  }
}

function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function parses(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString());
    return true;
  } catch {
    return false;
  }
}

test("whatever JSON.stringify makes of safe values is accepted and comes back as it was", () => {
  fc.assert(
    fc.property(json, fc.constantFrom(undefined, 2), (value, space) => {
      const spec = JSON.stringify(value, null, space);
      const scanned = scanJson(Buffer.from(`{"spec": ${spec} ,"n":1}`), { capture: ["/spec"] });
      expect(scanned.value).toEqual({ spec: value, n: 1 });
      expect(scanned.slices.get("/spec")).toBe(spec);
    }),
    { numRuns: 500 },
  );
});

test("the scanner and JSON.parse agree about every mutated text", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(seeds, edits, (seed, changes) => {
      const bytes = mutate(seed, changes);
      const result = attempt(bytes);
      const code = result instanceof EventplaneError ? result.code : "accepted";
      seen.add(code);
      expect(code === "json_invalid_utf8").toBe(!isUtf8(bytes));
      if (code === "accepted") expect((result as ScannedJson).value).toEqual(JSON.parse(bytes.toString()));
      if (code === "json_invalid") expect(parses(bytes)).toBe(false);
      if (code !== "json_invalid_utf8" && !parses(bytes)) expect(code).not.toBe("accepted");
    }),
    { numRuns: 4_000 },
  );
  expect([...seen]).toEqual(
    expect.arrayContaining([
      "accepted",
      "json_invalid",
      "json_invalid_utf8",
      "json_duplicate_key",
      "json_forbidden_key",
    ]),
  );
});

test("a large body gives the same in turns as at once", async () => {
  const padding = "p".repeat(30_000);
  const body = fc
    .array(json, { minLength: 1, maxLength: 20 })
    .map((specs) =>
      Buffer.from(
        JSON.stringify({ padding, intents: specs.map((spec, at) => ({ at, spec })), more: padding.repeat(2) }),
      ),
    );
  await fc.assert(
    fc.asyncProperty(body, async (bytes) => {
      const options = { capture: ["/intents/*/spec"] };
      expect(await scanLargeJson(bytes, options)).toEqual(scanJson(bytes, options));
    }),
    { numRuns: 30 },
  );
});
