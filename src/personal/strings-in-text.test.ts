import fc from "fast-check";
import { expect, test } from "vitest";
import { belowPointer, type Looking, replaceStrings, stringsIn } from "./strings-in-text.js";

const everything: Looking<true> = { here: true, below: () => everything };
const only = (...path: readonly (string | number)[]): Looking<true> => ({
  here: path.length === 0 ? true : undefined,
  below: (step) => (path.length > 0 && path[0] === step ? only(...path.slice(1)) : undefined),
});

test("the strings that are looked for are replaced, and every other byte stays", () => {
  const text = '{ "a" : [1e2, "x\\"y" ,{"b":"z"}],\n"a/b~c":"é","n":null ,"o":{ } , "l":[ ]}';
  const found = stringsIn(text, everything);
  expect(found.map(({ pointer }) => pointer)).toEqual(["/a/1", "/a/2/b", "/a~1b~0c"]);
  const replaced = replaceStrings(text, found, ({ pointer }, json) => JSON.stringify(`${pointer} ${json.length}`));
  expect(replaced).toBe(
    '{ "a" : [1e2, "/a/1 6" ,{"b":"/a/2/b 3"}],\n"a/b~c":"/a~1b~0c 3","n":null ,"o":{ } , "l":[ ]}',
  );
});

test("nothing is found where nothing is looked for", () => {
  const text = '{"a":{"b":"x","c":"y"},"d":["b","c"]}';
  expect(stringsIn(text, only("a", "c")).map(({ pointer }) => pointer)).toEqual(["/a/c"]);
  expect(stringsIn(text, only("d", 1)).map(({ start, end }) => text.slice(start, end))).toEqual(['"c"']);
  expect(stringsIn(text, only("a"))).toEqual([]);
});

test("of any JSON, however it is spaced, all strings are found as JSON.parse sees them", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(0, 1, "\t"), (value, space) => {
      const text = JSON.stringify(value, null, space);
      const found = stringsIn(text, everything).map(({ pointer, start, end }) => [
        pointer,
        JSON.parse(text.slice(start, end)) as string,
      ]);
      expect(found).toEqual(strings(JSON.parse(text), ""));
    }),
  );
});

function strings(value: unknown, pointer: string): readonly (readonly [string, string])[] {
  if (typeof value === "string") return [[pointer, value]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([step, below]) => strings(below, belowPointer(pointer, step)));
}
