/** evtctl from a clone: builds when needed, then becomes the command itself, so signals and exit status are its own. */
import { buildIfStale } from "./build.mjs";

buildIfStale();
await import("../dist/cli/main.js");
