/** What a serving process sets for itself keeps its heap near to what is alive. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const module = fileURLToPath(new URL("../dist/plane/heap-growth.js", import.meta.url));

/** Keeps 30 MB alive, makes garbage that outlives the young generation, and says how large the old one became, MB. */
const program = `
const { getHeapSpaceStatistics } = await import("node:v8");
if (process.argv[1] === "bound") (await import(process.argv[2])).boundHeapGrowth();
const some = () => Array.from({ length: 1_000 }, (_, at) => ({ at, text: [at, at, at, at] }));
const alive = Array.from({ length: 300 }, some);
const passing = [];
let largest = 0;
for (let turn = 0; turn < 6_000; turn++) {
  passing.push(some());
  if (passing.length > 400) passing.splice(0, 1);
  const old = getHeapSpaceStatistics().find(({ space_name }) => space_name === "old_space").space_used_size;
  largest = Math.max(largest, old);
}
console.log(Math.round(largest / 1e6), alive.length);
`;

function largestMb(mode: "bound" | "free"): number {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--max-old-space-size=2048", "--input-type=module", "-e", program, mode, module],
    { encoding: "utf8" },
  );
  expect(stderr).toBe("");
  return Number.parseInt(stdout, 10);
}

test("the heap of a process that bounds its growth stays smaller than V8 alone would let it become", () => {
  expect(largestMb("bound")).toBeLessThan(0.8 * largestMb("free"));
});
