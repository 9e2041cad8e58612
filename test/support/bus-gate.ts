/** The gate of the bus: a million events to handlers of which some throw, reject or never end; nothing may be lost or done twice. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** The part of a bus that it uses: that of the source or of the built package. */
export interface GateBus {
  publish(topic: string, payload: unknown): string | Promise<string>;
  on(
    pattern: string,
    handler: (event: { readonly payload: unknown }) => unknown,
    options: { readonly concurrency: number; readonly timeoutMs: number },
  ): { status(): { readonly done: number; readonly failed: number; readonly timeouts: number } };
  drain(deadlineMs: number): Promise<boolean>;
  close(): Promise<boolean>;
}

/** What came out of it. */
export interface GateResult {
  readonly events: number;
  /** Events whose handler was never called, and those whose handler was called more than once. */
  readonly lost: number;
  readonly twice: number;
  /** Outcomes as the bus counted them. */
  readonly done: number;
  readonly failed: number;
  readonly timeouts: number;
  /** Heap after garbage collection at the end, by that after a fifth of the events. */
  readonly heapGrowth: number;
  readonly seconds: number;
}

const concurrency = 512;
const timeoutMs = 50;

type Behaviour = "done" | "throws" | "rejects" | "hangs";

/** Of a hundred events ten throw, ten reject, one hangs. */
function behaviourOf(index: number): Behaviour {
  const place = index % 100;
  if (place < 10) return "throws";
  if (place < 20) return "rejects";
  return place === 20 ? "hangs" : "done";
}

/** Runs it on a fresh bus that takes any topic, on the machine's clock, and closes the bus. */
export async function runBusGate(bus: GateBus, events: number): Promise<GateResult> {
  const calls = new Uint8Array(events);
  const handlers: Readonly<Record<Behaviour, () => unknown>> = {
    done: () => undefined,
    throws: () => {
      throw new Error("a handler that throws");
    },
    rejects: () => Promise.reject(new Error("a handler that rejects")),
    hangs: () => new Promise(() => undefined),
  };
  const subscription = bus.on(
    "gate.*",
    ({ payload }) => {
      const index = Number(payload);
      calls[index] = (calls[index] ?? 0) + 1;
      return handlers[behaviourOf(index)]();
    },
    { concurrency, timeoutMs },
  );
  const started = performance.now();
  let heapBefore = 0;
  for (let index = 0; index < events; index++) {
    const id = bus.publish(`gate.${index % 10}`, index);
    if (typeof id !== "string") await id;
    if (index === Math.floor(events / 5)) heapBefore = heapAfterCollection();
  }
  await bus.drain(60_000);
  const { done, failed, timeouts } = subscription.status();
  const heapGrowth = heapAfterCollection() / heapBefore;
  await bus.close();
  const count = (isMeant: (calls: number) => boolean): number => calls.filter(isMeant).length;
  const seconds = (performance.now() - started) / 1000;
  return {
    events,
    lost: count((each) => each === 0),
    twice: count((each) => each > 1),
    done,
    failed,
    timeouts,
    heapGrowth,
    seconds,
  };
}

function heapAfterCollection(): number {
  setFlagsFromString("--expose-gc");
  // The flag adds the function to contexts that are made after it.
  const collect = runInNewContext("gc") as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}
