import { describe, expect, test } from "vitest";
import { policyLimits, readPolicies } from "./policy-text.js";

const policy = (id: string, condition = "true"): string =>
  `@id("${id}")\npermit (principal, action, resource)\nwhen { ${condition} };`;
const problemsOf = (text: string): readonly string[] =>
  readPolicies(text).problems.map(({ line, column, message }) => `${line}:${column} ${message}`);

describe("a policy file", () => {
  test("is cut into its policies, whatever stands in comments, texts and other annotations", () => {
    const file = [
      "// before; all (",
      '@reason("a ; in a text, a \\" too")',
      policy("one", 'principal.type == "x;){" // ; }\n'),
      "",
      `${policy("two-2")} ${policy("three")}`,
      "// after",
    ].join("\n");
    const { parts, problems } = readPolicies(file.replace("\n@id", '\n@other("x") @id'));
    expect(problems).toEqual([]);
    expect(parts.map(({ id }) => id)).toEqual(["one", "two-2", "three"]);
    expect(parts[0]?.text).toMatch(/^@reason[^]*\};$/);
    expect(file.slice(readPolicies(file).parts[2]?.offset)).toMatch(/^@id\("three"\)/);
  });

  test("may be empty", () => {
    expect(readPolicies(" \n// nothing\n")).toEqual({ parts: [], problems: [] });
  });

  test.each([
    ["no id", "permit (principal, action, resource);", /^1:1 A policy begins with @id/],
    ["an id after the effect", 'permit @id("x") (principal, action, resource);', /^1:1 A policy begins with @id/],
    ["an id in capitals", policy("Readers"), /^1:1 A policy begins with @id/],
    ["an id of the base, dressed up as a tenant's", policy("tenant/x"), /^1:1 A policy begins with @id/],
    ["an id with a Cyrillic a", policy("re\u0430ders-read"), /^1:1 A policy begins with @id/],
    ["an id with an escape", policy("re\\u{61}ders"), /^1:1 A policy begins with @id/],
    ["an id of 65 characters", policy("a".repeat(65)), /^1:1 A policy begins with @id/],
    ["an id twice", `${policy("x")}\n${policy("x")}`, /^4:1 Another policy has this id/],
    ["a policy without an end", `${policy("x")}\n  permit (`, /^4:3 .* does not end with a semicolon/],
    ["a text without an end", '@id("x', /^1:5 This text has no end/],
    ["a letter that is none of Cedar's", policy("x", "princip\u0430l.isOfPlatform"), /^3:15 This character/],
    ["a hidden turn of the reading direction", policy("x", '"\u202e" == ""'), /^3:9 A control or formatting/],
    ["a NUL in a comment", `// \0\n${policy("x")}`, /^1:4 A control or formatting/],
    ["a template", '@id("x") permit (principal == ?principal, action, resource);', /^1:31 Templates/],
    ["a policy that nests too deep", policy("x", `${"(".repeat(30)}true${")".repeat(30)}`), /^3:31 A policy nests/],
    [
      "a policy that goes on and on",
      policy("x", Array(200).fill("true").join(" && ")),
      /^1:1 A policy has at most 300/,
    ],
    ["too many policies", Array.from({ length: 51 }, (_, n) => policy(`p${n}`)).join("\n"), /^1:1 .* 50 policies/],
    ["too many bytes", `// ${"é".repeat(policyLimits.textBytesMax / 2)}`, /^1:1 .* 32768 bytes/],
    [
      "too many tokens in all",
      Array.from({ length: 20 }, (_, n) => policy(`p${n}`, Array(110).fill("true").join(" && "))).join("\n"),
      /^1:1 .* 4000 tokens/,
    ],
  ])("with %s says so, with the place", (_name, text, problem) => {
    expect(problemsOf(text)).toEqual(expect.arrayContaining([expect.stringMatching(problem)]));
  });

  test("with very many problems says the first fifty", () => {
    expect(readPolicies("permit;".repeat(1_000)).problems).toHaveLength(50);
  });

  test("of hostile shape is read in time that its length bounds", () => {
    const size = policyLimits.textBytesMax - 10;
    for (const unit of ['"', '"\\', "/", "(", ")", ";", "@", '@id("a")', "//", " "]) {
      const startMs = performance.now();
      readPolicies(unit.repeat(size / unit.length));
      expect(performance.now() - startMs).toBeLessThan(1_000);
    }
  });
});
