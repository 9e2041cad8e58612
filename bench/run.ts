/**
 * `npm run bench [-- names or groups …] [--record]`: the ratios of DESIGN, peers in the same run on the same server.
 *
 * Prints each row as it ends. `--record` also writes bench/results.json and the table of docs/reference/benchmarks.md.
 * Exits 1 when a row failed to run; a goal that is missed is shown, not an error: the machine may be a slow one.
 */
import { preparePeers } from "./support/prepare-peers.js";

const names = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
preparePeers();
// After the peers are installed: the rows import them.
const { runRows } = await import("./run-rows.js");
await runRows(names, { record: process.argv.includes("--record") });
