import fc from "fast-check";
import { expect, test } from "vitest";
import { terminalSafe } from "./terminal.js";

const char = String.fromCodePoint;

test.each([
  ["a\r\nb", "a\\r\\nb"],
  ["\u001b[31mred\u001b]8;;http://x\u0007", "\\e[31mred\\e]8;;http://x\\u{7}"],
  [`${char(0x9b)}2J`, "\\u{9b}2J"],
  [char(0), "\\u{0}"],
  [char(0x7f), "\\u{7f}"],
  [char(0x85), "\\u{85}"],
  [char(0x2028) + char(0x2029), "\\u{2028}\\u{2029}"],
  [`${char(0x202e)}txt.exe${char(0x2066)}`, "\\u{202e}txt.exe\\u{2066}"],
  [char(0x200b) + char(0xfeff), "\\u{200b}\\u{feff}"],
  [char(0xe0041), "\\u{e0041}"],
  ["x\ud800", "x\\u{d800}"],
  ["a\tb", "a\\tb"],
])("%j becomes %s", (text, expected) => {
  expect(terminalSafe(text)).toBe(expected);
});

test.each(["plain ASCII ~!@#", "Ünïcödé 漢字 العربية עברית", "😀 🇨🇭 é", "back\\slash"])("%s stays as it is", (text) => {
  expect(terminalSafe(text)).toBe(text);
});

test("nothing that breaks a line, moves the cursor or reorders text survives, and doing it twice changes nothing", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const safe = terminalSafe(text);
      expect(safe).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Bidi_Control}]/u);
      expect(terminalSafe(safe)).toBe(safe);
    }),
  );
});
