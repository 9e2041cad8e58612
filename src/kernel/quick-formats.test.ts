import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addFormats } from "./quick-formats.js";

const names = ["date", "date-time", "uuid"] as const;

function checksOf(name: string): {
  readonly quick: (text: unknown) => boolean;
  readonly stock: (text: unknown) => boolean;
} {
  const [ours, theirs] = [new Ajv2020(), new Ajv2020()];
  addFormats(ours);
  formats.default(theirs);
  const schema = { type: "string", format: name };
  return { quick: ours.compile(schema), stock: theirs.compile(schema) };
}

/** Texts of the forms and beside them: years and months that are none, leap seconds, offsets, other letters, something before or after. */
const pair = fc.integer({ min: 0, max: 99 }).map((value) => String(value).padStart(2, "0"));
const near = fc.oneof(
  fc.constantFrom("", " ", "\n", "x", "0", "-", ":", "T", "t", "Z", "z", "+", ".", "urn:uuid:", "１"),
  fc.string({ maxLength: 2 }),
);
const day = fc.tuple(pair, pair, pair, pair).map(([c, y, m, d]) => `${c}${y}-${m}-${d}`);
const goodDate = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("9999-12-31") });
const goodDay = goodDate.map((date) => date.toISOString().slice(0, 10));
const zone = fc.oneof(fc.constantFrom("Z", "z", "", ".5Z", ".Z", ".123456789Z", "+00:00", "-2359", "+01"), near);
const clock = fc.tuple(
  fc.oneof(fc.constantFrom("00", "23"), pair),
  fc.oneof(fc.constantFrom("00", "59"), pair),
  fc.oneof(fc.constantFrom("00", "59", "60"), pair),
);
const dateTime = fc
  .tuple(fc.oneof(day, goodDay), fc.constantFrom("T", "t", " ", "", "TT"), clock, zone)
  .map(([date, between, parts, end]) => `${date}${between}${parts.join(":")}${end}`);
const uuid = fc.oneof(
  fc.uuid(),
  fc.uuid().map((text) => text.toUpperCase()),
);
const text = fc
  .tuple(
    fc.oneof(
      day,
      goodDay,
      goodDate.map((date) => date.toISOString()),
      dateTime,
      uuid,
    ),
    near,
    fc.nat({ max: 40 }),
    fc.boolean(),
  )
  .map(([form, part, at, isReplaced]) => form.slice(0, at) + part + form.slice(at + (isReplaced ? part.length : 0)));

describe("quick formats", () => {
  test.each(names)("%s is what ajv-formats takes it to be", (name) => {
    const { quick, stock } = checksOf(name);
    let taken = 0;
    fc.assert(
      fc.property(text, (one) => {
        const isValid = stock(one);
        if (isValid) taken++;
        expect(quick(one)).toBe(isValid);
      }),
      { numRuns: 5_000 },
    );
    // A generator that only makes refused texts would prove nothing.
    expect(taken).toBeGreaterThan(50);
  });

  test.each([
    ["date-time", "2024-02-29T23:59:60Z", true],
    ["date-time", "2023-02-29T00:00:00Z", false],
    ["date-time", "2024-12-31t10:00:00+05:30", true],
    ["date-time", "2024-12-31T24:00:00Z", false],
    ["date", "2023-04-31", false],
    ["date", "2023-03-31", true],
    ["uuid", "urn:uuid:0190B7C2-0000-7000-8000-000000000001", true],
    ["uuid", "0190b7c2-0000-7000-8000-00000000000g", false],
  ])("the %s %s: %s", (name, one, isValid) => {
    expect(checksOf(name).quick(one)).toBe(isValid);
  });
});
