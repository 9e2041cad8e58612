/* oxlint-disable import/no-default-export, eslint/no-console, typescript/only-throw-error -- all of that is what is tested */
/** Handlers for threads: some do what handlers do, the others whatever a thread can do to others. */
import { execFileSync } from "node:child_process";
import { isMainThread, parentPort, threadId, workerData } from "node:worker_threads";
import { TerminalError } from "eventplane";

const forever = () => new Promise(() => undefined);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** By `payload.act`. */
const acts = {
  nothing: () => undefined,
  wait: ({ ms }) => sleep(ms),
  throws: () => {
    throw Object.assign(new RangeError("no\u001b[31m good"), { code: "E_NO_GOOD" });
  },
  terminal: () => {
    throw new TerminalError("never");
  },
  "throws undefined": () => {
    throw undefined;
  },
  rejects: () => Promise.reject(new Error("later")),
  unreadable: () => {
    throw Object.defineProperty(new Error("x"), "message", {
      get: () => {
        throw new Error("gotcha");
      },
    });
  },
  "a huge answer": () => "x".repeat(50_000_000),
  "what cannot be cloned": () => ({ it: () => undefined }),
  "a huge error": () => {
    throw new Error("x".repeat(20_000_000));
  },
  "a loop": () => {
    for (;;);
  },
  "a microtask loop": () => {
    const again = () => void Promise.resolve().then(again);
    again();
    return forever();
  },
  "a wait that blocks": () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  "a promise that never settles": forever,
  "process.exit": () => process.exit(0),
  "process.exit during a microtask loop": () => {
    setTimeout(() => process.exit(1), 1);
    return forever();
  },
  "too much memory": () => {
    const hoard = [];
    for (;;) hoard.push(Array.from({ length: 100_000 }, () => hoard.length + 0.5));
  },
  "a deep recursion": function deeper() {
    return deeper() + 1;
  },
  "an uncaught exception": () => {
    setTimeout(() => {
      throw new Error("stray");
    });
    return forever();
  },
  "an unhandled rejection": () => {
    void Promise.reject(new Error("stray"));
    return forever();
  },
  "a stray exception after its end": ({ ms }) => {
    setTimeout(() => {
      throw undefined;
    }, ms);
  },
  "the signal": (_payload, { signal }) =>
    new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve());
    }),
  "forged by the public port": () => {
    parentPort?.postMessage({ isReady: true });
    parentPort?.postMessage({ token: "0" });
    return forever();
  },
  "forged by a port that was caught": () => {
    port?.postMessage({ token: "0190a000-0000-4000-8000-000000000001" });
    return forever();
  },
  "rubbish by a port that was caught": () => {
    port?.postMessage(["rubbish"]);
    return forever();
  },
  "kept listeners": () => {
    for (const name of ["uncaughtException", "unhandledRejection", "exit"]) process.on(name, () => undefined);
    for (;;);
  },
  "waits for the others": async ({ others }) => {
    Atomics.add(workerData, 0, 1);
    while (Atomics.load(workerData, 0) < others) await sleep(5);
  },
  "a call of the operating system": ({ seconds }) => {
    if (workerData instanceof Int32Array) Atomics.store(workerData, 0, 1);
    execFileSync("sleep", [String(seconds)]);
  },
  prints: ({ lines }) => {
    for (let line = 0; line < lines; line++) console.log(`line ${line}\u001b[2J`);
    console.error("an error");
  },
};

/** What a hostile module does to see the port of the protocol. */
let port;
for (const symbol of Object.getOwnPropertySymbols(Object.getPrototypeOf(EventTarget.prototype) ?? {}).concat(
  Object.getOwnPropertySymbols(EventTarget.prototype),
)) {
  const original = EventTarget.prototype[symbol];
  if (typeof original !== "function") continue;
  EventTarget.prototype[symbol] = function caught(...given) {
    if (this?.constructor?.name === "MessagePort") port = this;
    return Reflect.apply(original, this, given);
  };
}

export function act({ payload }, context) {
  return acts[payload.act](payload, context);
}

/** Tells what it was given, in an error, because that is all that comes back. */
export default function tell(event, { attempt, signal }) {
  const frozen = [event, event.payload, event.payload.list, event.metadata].every(Object.isFrozen);
  let changed;
  try {
    event.payload.list.push(1);
    changed = true;
  } catch {
    changed = false;
  }
  const { argv, execArgv, env } = process;
  throw new Error(
    JSON.stringify({
      event,
      attempt,
      isAborted: signal.aborted,
      frozen,
      changed,
      isMainThread,
      threadId,
      workerData,
      argv: argv.slice(2),
      execArgv,
      env,
    }),
  );
}

export const notAFunction = 1;
