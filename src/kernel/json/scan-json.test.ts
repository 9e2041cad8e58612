import { describe, expect, test } from "vitest";
import { EventplaneError } from "../errors.js";
import type { JsonValue } from "../json-types.js";
import { type ScanOptions, scanJson, scanLargeJson } from "./scan-json.js";

function refusal(input: string | Uint8Array, options: ScanOptions = {}): EventplaneError {
  const bytes = typeof input === "string" ? Buffer.from(input) : input;
  try {
    scanJson(bytes, options);
  } catch (error) {
    if (error instanceof EventplaneError) return error;
    throw error;
  }
  throw new Error("the scanner accepted what it should refuse");
}

function refused(input: string | Uint8Array, options: ScanOptions = {}): string {
  const { code, details } = refusal(input, options);
  return `${code} ${String(details["pointer"])}`;
}

function value(text: string): JsonValue {
  return scanJson(Buffer.from(text)).value;
}

/** A quoted string of one `\u` escape per code unit, so that the test's own source holds none of these characters. */
function escaped(...units: readonly number[]): string {
  return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("")}"`;
}

describe("what is accepted", () => {
  test.each([
    ["null", null],
    [' \t\r\n{"a" : [ true , false ] } \n', { a: [true, false] }],
    ['"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'],
    [escaped(0xd83d, 0xde00), "😀"],
    ['"Äé漢😀"', "Äé漢😀"],
    ['{"":{"":1}}', { "": { "": 1 } }],
    ["[[],{},[{}]]", [[], {}, [{}]]],
    ['{"a":{"k":1},"b":{"k":2},"k":3}', { a: { k: 1 }, b: { k: 2 }, k: 3 }],
    ['{"toString":1,"__proto":2,"Constructor":3}', { toString: 1, __proto: 2, Constructor: 3 }],
  ])("%s", (text, expected) => {
    expect(value(text)).toEqual(expected);
  });

  test.each([
    "0",
    "0.0",
    "0e5",
    "0.000e-999",
    "0.1",
    "-12.5e-3",
    "1e15",
    "9007199254740991",
    "-9007199254740991",
    "9007199254740991.0",
    "90071992547409.91e2",
    "5e-324",
    "2.2250738585072014e-308",
    "0.30000000000000004",
    "3.141592653589793238462643383279",
  ])("the number %s", (text) => {
    expect(value(text)).toBe(Number(text));
  });

  test("32 levels, and one level more is too deep", () => {
    expect(() => value("[".repeat(32) + "]".repeat(32))).not.toThrow();
    expect(refused("[".repeat(33) + "]".repeat(33))).toBe(`json_too_deep ${"/0".repeat(32)}`);
    expect(refused('{"a":{"b":1}}', { depthMax: 1 })).toBe("json_too_deep /a");
  });
});

describe("what is refused, and where", () => {
  test.each([
    ["", ""],
    ["  ", ""],
    ["{", ""],
    ["[1,]", "/1"],
    ["[1 2]", "/0"],
    ['{"a":1,}', ""],
    ['{"a" 1}', "/a"],
    ['{"a":}', "/a"],
    ["{a:1}", ""],
    ["[1}", "/0"],
    ["{]", ""],
    ["nul", ""],
    ["nulll", ""],
    ["True", ""],
    ["NaN", ""],
    ["Infinity", ""],
    ["+1", ""],
    ["01", ""],
    ["-", ""],
    ["-01", ""],
    ["1.", ""],
    [".5", ""],
    ["1e", ""],
    ["1e+", ""],
    ["0x10", ""],
    ["'a'", ""],
    ['"a', ""],
    ['"a\\', ""],
    ['"\\x"', ""],
    ['"\\u12"', ""],
    ['"\\u12g4"', ""],
    ['"\\ud83d\\u00"', ""],
    ['{"a":["x",{"b":"\u0001"}]}', "/a/1/b"],
    ['{"a\n":1}', ""],
    ["1 2", ""],
    ["{} []", ""],
    ["/* c */ 1", ""],
    ["\u00a01", ""],
    ["\ufeff{}", ""],
  ])("json_invalid: %j", (text, pointer) => {
    expect(refused(text)).toBe(`json_invalid ${pointer}`);
  });

  test("json_invalid: every control character that is not escaped", () => {
    for (let unit = 0; unit < 0x20; unit++) {
      expect(refused(`["a${String.fromCharCode(unit)}"]`)).toBe("json_invalid /0");
    }
    expect(value(`"${String.fromCharCode(0x7f)}"`)).toBe(String.fromCharCode(0x7f));
  });

  test.each([
    ['{"a":1,"a":2}', "/a"],
    ['{"a":1,"\\u0061":2}', "/a"],
    ['{"\\u0061":1,"a":2}', "/a"],
    ['{"x":[{"b":{}},{"b":1,"c":2,"b":3}]}', "/x/1/b"],
    ['{"é":1,"\\u00e9":2}', "/é"],
    ['{"":1,"":2}', "/"],
    ['{"a/~":{"q":1,"q":1}}', "/a~1~0/q"],
    [`{${Array.from({ length: 40 }, (_, at) => `"k${at}":0`).join(",")},"k3":1}`, "/k3"],
    [`{${Array.from({ length: 40 }, (_, at) => `"${at}":0`).join(",")},"39":1}`, "/39"],
  ])("json_duplicate_key: %j", (text, pointer) => {
    expect(refused(text)).toBe(`json_duplicate_key ${pointer}`);
  });

  test("names of equal hash and length are not duplicates", () => {
    expect(value('{"Aa":1,"BB":2}')).toEqual({ Aa: 1, BB: 2 });
  });

  test("names of equal hash, one the beginning of the other, are not duplicates", () => {
    expect(value('{"aaVdg339":1,"":2}')).toEqual({ aaVdg339: 1, "": 2 });
  });

  test.each([
    ['{"__proto__":1}', "/__proto__"],
    ['{"a":[{"constructor":{}}]}', "/a/0/constructor"],
    ['{"prototype":null}', "/prototype"],
    ['{"\\u005f_proto__":1}', "/__proto__"],
    ['{"constructo\\u0072":1}', "/constructor"],
  ])("json_forbidden_key: %j", (text, pointer) => {
    expect(refused(text)).toBe(`json_forbidden_key ${pointer}`);
  });

  test.each([
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "9007199254740993.0",
    "9007199254740992e0",
    "900719925474099.3e1",
    "9007199254740991.5",
    "1e16",
    "1e400",
    "-1e400",
    "1e99999999999999999999",
    "123456789012345678901234567890",
    "-0",
    "-0.0",
    "-0e5",
    "-0.000E-3",
    "1e-400",
    "-1e-400",
    `0.${"0".repeat(400)}1`,
  ])("json_unsafe_number: %s", (text) => {
    expect(refused(`{"n":[${text}]}`)).toBe("json_unsafe_number /n/0");
  });

  test.each([
    escaped(0xd800),
    escaped(0xdc00),
    escaped(0xde00, 0xd83d),
    escaped(0xd83d, 0xd83d),
    escaped(0xd83d, 0x41),
    escaped(0xdc00, 0xdc00),
    escaped(0xd83d, 0xe000),
    escaped(0xdfff),
    `${escaped(0xd83d).slice(0, -1)}x"`,
  ])("json_lone_surrogate: %s", (text) => {
    expect(refused(`{"s":${text}}`)).toBe("json_lone_surrogate /s");
    expect(refused(`{${text}:1}`)).toBe("json_lone_surrogate ");
  });

  test("json_nul", () => {
    expect(refused(`{"s":["a",${escaped(0x41, 0)}]}`)).toBe("json_nul /s/1");
    expect(refused(`{${escaped(0)}:1}`)).toBe("json_nul ");
  });

  test.each([
    ["a lone continuation byte", [0x80]],
    ["an overlong slash", [0xc0, 0xaf]],
    ["an overlong NUL", [0xe0, 0x80, 0x80]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["beyond U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
    ["an overlong 4-byte sequence", [0xf0, 0x80, 0x80, 0xaf]],
    ["a byte that never occurs", [0xff]],
    ["a cut sequence", [0xe2, 0x82]],
  ])("json_invalid_utf8: %s", (_name, bytes) => {
    const body = Buffer.concat([Buffer.from('{"é":["ok","x'), Buffer.from(bytes), Buffer.from('"]}')]);
    const error = refusal(body);
    expect(error.code).toBe("json_invalid_utf8");
    expect(error.details).toEqual({ pointer: "/é/1", byte: 14 });
  });

  test("UTF-16 is refused as well", () => {
    expect(refusal(Buffer.from("\ufeff{}", "utf16le")).code).toBe("json_invalid_utf8");
  });

  test("a refusal holds no text of a value, and only short, plain names", () => {
    const canary = "epk_canary";
    const text = `{"${"n".repeat(5_000)}":{"\\u001b[31m\\n":["${canary}",{"${canary}":9007199254740993,"x":"${canary}"}`;
    const error = refusal(text.replace(`"${canary}":9`, `"k":9`));
    expect(error.message + JSON.stringify(error.details)).not.toContain(canary);
    expect(error.details["pointer"]).toBe(`/${"n".repeat(64)}…/\\e[31m\\n/1/k`);
  });
});

describe("hostile sizes", () => {
  test.each(["[", '{"a":', '[{"a":'])(
    "a million times %j is refused at the depth limit, not read to the end",
    (open) => {
      const error = refusal(open.repeat(1_000_000));
      expect(error.code).toBe("json_too_deep");
      expect(error.details["byte"]).toBeLessThan(200);
    },
  );

  test("a depth limit far beyond the call stack needs no call stack", () => {
    const depth = 200_000;
    expect(refusal("[".repeat(depth), { depthMax: depth + 1, valuesMax: depth + 1 }).code).toBe("json_invalid");
  });

  test("too many values are refused, those inside of captured members do not count", () => {
    const many = `[${"0,".repeat(25_000)}0]`;
    expect(refusal(many).code).toBe("payload_too_large");
    expect(refused(`{"spec":${many},"other":${many}}`, { capture: ["/spec"] })).toMatch(/^payload_too_large \/other/);
    expect(() => scanJson(Buffer.from(`{"spec":${many}}`), { capture: ["/spec"] })).not.toThrow();
  });

  test("a captured member over its limit is refused with its pointer", () => {
    const options = { capture: ["/intents/*/spec"], captureBytesMax: 10 };
    const body = '{"intents":[{"spec":{"a":123}},{"spec":{"a":1234}}]}';
    expect(refused(body.replace("4", ""), { ...options, captureBytesMax: 8 })).toBe(
      "payload_too_large /intents/0/spec",
    );
    expect(refused(body.replace("1234", "12345"), options)).toBe("payload_too_large /intents/1/spec");
  });
});

describe("captured members", () => {
  test("come back as the bytes they were, without the white space around them", () => {
    const spec = '{ "b" : 1.50,\n  "a":"\\u00e9 é" }';
    const { slices, value: parsed } = scanJson(Buffer.from(`{"type":"t", "spec" : \n${spec}\t , "z":1}`), {
      capture: ["/spec"],
    });
    expect([...slices]).toEqual([["/spec", spec]]);
    expect(parsed).toEqual({ type: "t", spec: { b: 1.5, a: "é é" }, z: 1 });
  });

  test("are found in every element, by their decoded name, whatever their type, and only at their place", () => {
    const body =
      '{"intents":[{"spec":{"spec":1}},{"x":[{"spec":2}]},{"sp\\u0065c":"s"},{"spec": 7 },{"spec":[]}],"spec":null}';
    const { slices } = scanJson(Buffer.from(body), { capture: ["/spec", "/intents/*/spec"] });
    expect(Object.fromEntries(slices)).toEqual({
      "/intents/0/spec": '{"spec":1}',
      "/intents/2/spec": '"s"',
      "/intents/3/spec": "7",
      "/intents/4/spec": "[]",
      "/spec": "null",
    });
  });

  test("the empty pointer is the whole text", () => {
    expect(scanJson(Buffer.from(" [1] "), { capture: [""] }).slices.get("")).toBe("[1]");
  });

  test("a pattern inside of another one is a programmer's error", () => {
    expect(() => scanJson(Buffer.from("1"), { capture: ["/a", "/a/b"] })).toThrow(/capture pattern/);
    expect(() => scanJson(Buffer.from("1"), { capture: ["/a~1b"] })).toThrow(/plain names/);
  });

  test("a view into a larger buffer is read at its own offset", () => {
    const whole = Buffer.from('xx{"spec":1e3}yy');
    const view = new Uint8Array(whole.buffer, whole.byteOffset + 2, whole.byteLength - 4);
    expect(scanJson(view, { capture: ["/spec"] }).slices.get("/spec")).toBe("1e3");
  });
});

describe("large bodies", () => {
  const intents = Array.from({ length: 1_000 }, (_, at) => ({ type: "t.é", spec: { at, text: "x".repeat(at % 700) } }));
  const body = Buffer.from(JSON.stringify({ intents, atomic: true }, null, 1));
  const capture = ["/intents/*/spec"];

  test("give the same value and slices in turns as at once", async () => {
    const large = await scanLargeJson(body, { capture });
    const once = scanJson(body, { capture });
    expect(large).toEqual(once);
    expect(large.value).toEqual({ intents, atomic: true });
    expect(large.slices.size).toBe(1_000);
  });

  test("let other work run after every 64 KiB", async () => {
    let turns = 0;
    let done = false;
    const count = (): void => {
      turns++;
      if (!done) setImmediate(count);
    };
    setImmediate(count);
    await scanLargeJson(body, { capture });
    done = true;
    expect(turns).toBeGreaterThan(Math.floor(body.byteLength / 65_536));
  });

  test("are refused as small ones are", async () => {
    const broken = Buffer.from(body.toString().replace(/"at": 999,/, '"at": 999, "at": 1,'));
    await expect(scanLargeJson(broken, { capture })).rejects.toMatchObject({
      code: "json_duplicate_key",
      details: { pointer: "/intents/999/spec/at" },
    });
  });

  test("stop when the caller aborts", async () => {
    const signal = AbortSignal.abort();
    await expect(scanLargeJson(body, { capture, signal })).rejects.toMatchObject({ code: "aborted" });
  });

  test("a captured root is parsed as a whole", async () => {
    expect((await scanLargeJson(body, { capture: [""] })).value).toEqual({ intents, atomic: true });
  });
});
