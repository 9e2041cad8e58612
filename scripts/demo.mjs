/** `npm run demo`: the same as `evtctl demo` from a clone. */
process.argv.splice(2, 0, "demo");
await import("./evtctl.mjs");
