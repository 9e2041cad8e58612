import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fields, i64be, sha256, uuidBytes } from "../kernel/index.js";
import { FieldWriter } from "./field-writer.js";

const field = fc.oneof(
  fc.record({ kind: fc.constant("text" as const), value: fc.option(fc.string({ unit: "binary", maxLength: 3000 })) }),
  fc.record({ kind: fc.constant("uuid" as const), value: fc.option(fc.uuid()) }),
  fc.record({ kind: fc.constant("integer" as const), value: fc.option(fc.maxSafeInteger()) }),
  fc.record({ kind: fc.constant("json" as const), value: fc.option(fc.json()) }),
  fc.record({ kind: fc.constant("sharedJson" as const), value: fc.constantFrom("{}", '{"a":1}', '{"a":2}') }),
);

type Field = typeof field extends fc.Arbitrary<infer One> ? One : never;

function encoded({ kind, value }: Field): Uint8Array | undefined {
  if (value === null) return undefined;
  if (kind === "integer") return i64be(value);
  if (kind === "uuid") return uuidBytes(value);
  return kind === "text" ? Buffer.from(value, "utf8") : sha256(value);
}

function write(writer: FieldWriter, { kind, value }: Field): void {
  if (kind === "integer") writer.integer(value);
  else if (kind === "sharedJson") writer.sharedJson(value);
  else writer[kind](value);
}

describe("FieldWriter", () => {
  it("digests the same bytes as the definitions of the kernel, however it was used before", () => {
    const writer = new FieldWriter();
    fc.assert(
      fc.property(fc.array(field, { maxLength: 20 }), fc.uint8Array(), (list, raw) => {
        writer.start("domain\n").raw(raw);
        for (const one of list) write(writer, one);
        expect(writer.digest()).toEqual(sha256("domain\n", raw, fields(list.map(encoded))));
      }),
    );
  });

  it("refuses a text that is no UUID", () => {
    expect(() => new FieldWriter().start("").uuid("0190")).toThrow("32 digits");
  });
});
