/** Writes docs/reference/vectors.json: `node --import jiti/register scripts/write-vectors.ts && npm run format`. A published vector never changes. */
import { writeFile } from "node:fs/promises";
import { makeVectors } from "../test/support/vectors.js";

await writeFile(
  new URL("../docs/reference/vectors.json", import.meta.url),
  `${JSON.stringify(makeVectors(), null, 2)}\n`,
);
